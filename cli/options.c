#include "cli/options.h"

#include "cli/memory.h"
#include "cli/utf8.h"

#include <shardyfusion/shardyfusion.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum cli_command command;
} commands[] = {
    {"get", CLI_GET},       {"multiget", CLI_MULTIGET}, {"search", CLI_SEARCH}, {"info", CLI_INFO},
    {"shards", CLI_SHARDS}, {"route", CLI_ROUTE},       {"health", CLI_HEALTH}, {"history", CLI_HISTORY},
    {"build", CLI_BUILD},   {"recall", CLI_RECALL},
};

/* Commands of the Python project, or planned ones, that this version does not have. */
static const char *const absent_commands[] = {"cleanup", "rollback", "exec",       "verify",
                                              "watch",   "index",    "completion", "interactive"};

static enum cli_command command_of(const char *word) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (!strcmp(commands[i].name, word)) return commands[i].command;
    }
    return CLI_NONE;
}

static char *unknown_command(const char *word) {
    for (size_t i = 0; i < sizeof absent_commands / sizeof absent_commands[0]; i++) {
        if (strcmp(absent_commands[i], word) != 0) continue;
        return cli_format("the command '%s' is not in this version of shardy (%s)", word, shf_version());
    }
    return cli_format("there is no command '%s'; the commands are get, multiget, search, info, shards, route, "
                      "health, history, build and recall",
                      word);
}

static const struct cli_flag *long_flag(const char *name, size_t size) {
    const struct {
        const struct cli_flag *flags;
        size_t count;
    } tables[] = {
        {cli_flags, cli_flag_count}, {cli_build_flags, cli_build_flag_count}, {cli_vector_flags, cli_vector_flag_count}};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct cli_flag *flag = &tables[t].flags[i];
            if (strlen(flag->name) == size && !memcmp(flag->name, name, size)) return flag;
        }
    }
    return NULL;
}

static const struct cli_flag *short_flag(char letter) {
    for (size_t i = 0; i < cli_flag_count; i++) {
        if (cli_flags[i].letter && cli_flags[i].letter == letter) return &cli_flags[i];
    }
    return NULL;
}

/* A key or vector may begin with '-': "-" itself, "-5", "-.5,1". */
static bool is_flag(const char *word) {
    if (word[0] != '-' || !word[1]) return false;
    return !((word[1] >= '0' && word[1] <= '9') || word[1] == '.');
}

struct walk {
    int argc, at;
    char **argv;
    struct cli_options *options;
    const struct cli_flag *seen[64]; /* flags that only some commands have */
    size_t seen_count;
};

static char *apply(struct walk *w, const struct cli_flag *flag, const char *value) {
    if (flag->takes_value && !value) {
        if (w->at == w->argc) return cli_format("--%s needs a value", flag->name);
        value = w->argv[w->at++];
    }
    if (flag->commands != CLI_EVERY && w->seen_count < sizeof w->seen / sizeof w->seen[0]) {
        w->seen[w->seen_count++] = flag;
    }
    return flag->apply(w->options, flag->name, value);
}

static char *long_word(struct walk *w, const char *word) {
    size_t size = strcspn(word, "=");
    const char *value = word[size] ? word + size + 1 : NULL;
    const struct cli_flag *flag = long_flag(word, size);
    if (!flag) return cli_format("there is no flag --%.*s", (int)size, word);
    if (value && !flag->takes_value) return cli_format("--%s takes no value", flag->name);
    return apply(w, flag, value);
}

/* -v, -vq, -u URL, -uURL */
static char *short_word(struct walk *w, const char *letters) {
    for (; *letters; letters++) {
        const struct cli_flag *flag = short_flag(*letters);
        if (!flag) {
            uint32_t point;
            size_t size = cli_utf8_next((const unsigned char *)letters, strlen(letters), &point);
            return cli_format("there is no flag -%.*s", (int)size, letters);
        }
        if (flag->takes_value) return apply(w, flag, letters[1] ? letters + 1 : NULL);
        char *error = apply(w, flag, NULL);
        if (error) return error;
    }
    return NULL;
}

static char *positional(struct walk *w, const char *word) {
    struct cli_options *o = w->options;
    if (o->command_name) {
        o->arguments.items = cli_realloc_array(o->arguments.items, o->arguments.count + 1, sizeof *o->arguments.items);
        o->arguments.items[o->arguments.count++] = word;
        return NULL;
    }
    o->command_name = word;
    o->command = command_of(word);
    return o->command ? NULL : unknown_command(word);
}

static char *check_recall(const struct cli_options *o) {
    if (o->arguments.count) return cli_strdup("recall takes no arguments; vectors to ask for are given with --queries");
    if (o->queries && o->sample) return cli_strdup("--queries and --sample exclude one another");
    if (o->probe_count && o->has_shard_ids) return cli_strdup("--num-probes and --shard-ids exclude one another");
    return NULL;
}

/* recall --queries 500 draws so many, as --sample does. */
static char *take_number_of_queries(struct cli_options *o) {
    if (o->command != CLI_RECALL || !o->queries || strspn(o->queries, "0123456789") != strlen(o->queries)) return NULL;
    if (o->sample) return cli_strdup("--queries and --sample exclude one another");
    const char *number = o->queries;
    o->queries = NULL;
    for (size_t i = 0; i < cli_flag_count; i++) {
        if (!strcmp(cli_flags[i].name, "sample")) return cli_flags[i].apply(o, "queries", number);
    }
    return NULL;
}

static char *check_arguments(const struct cli_options *o) {
    size_t count = o->arguments.count;
    switch (o->command) {
    case CLI_GET:
    case CLI_ROUTE:
        if (count == 1) return NULL;
        return cli_format("%s takes one KEY%s", o->command_name, count ? "; for more, use multiget" : "");
    case CLI_MULTIGET: return count ? NULL : cli_strdup("multiget takes KEYs, or - to read them from standard input");
    case CLI_SEARCH: {
        int forms = (count > 0) + (o->vector_file != NULL) + (o->queries != NULL) + (o->like != NULL);
        if (count > 1) return cli_strdup("search takes one QUERY: floats separated by commas, without blanks");
        if (!forms) return cli_strdup("search needs a QUERY, --vector-file, --queries or --like");
        return forms == 1 ? NULL : cli_strdup("QUERY, --vector-file, --queries and --like exclude one another");
    }
    case CLI_BUILD: return cli_build_options_check(o);
    case CLI_RECALL: return check_recall(o);
    default: return count ? cli_format("%s takes no arguments", o->command_name) : NULL;
    }
}

static char *check(struct walk *w) {
    struct cli_options *o = w->options;
    for (size_t i = 0; o->command && i < w->seen_count; i++) {
        if (w->seen[i]->commands & (unsigned)o->command) continue;
        return cli_format("--%s is not a flag of %s", w->seen[i]->name, o->command_name);
    }
    if (o->help || o->version) return NULL;
    if (!o->command) return cli_strdup("a command is missing (the interactive mode is not in this version)");
    if (o->ref && o->has_offset) return cli_strdup("--ref and --offset exclude one another");
    if (o->verbose && o->quiet) return cli_strdup("-v and -q exclude one another");
    if (o->probe_count > 1 && o->command != CLI_RECALL) {
        return cli_format("--num-probes: %s takes one number; several are for recall", o->command_name);
    }
    char *error = take_number_of_queries(o);
    return error ? error : check_arguments(o);
}

char *cli_options_parse(int argc, char **argv, struct cli_options *options) {
    struct walk w = {.argc = argc, .at = 1, .argv = argv, .options = options};
    bool flags_over = false;
    char *error = NULL;
    *options = (struct cli_options){.sqlite_mode = -1};
    while (!error && w.at < argc) {
        const char *word = argv[w.at++];
        if (!flags_over && !strcmp(word, "--"))
            flags_over = true;
        else if (flags_over || !is_flag(word))
            error = positional(&w, word);
        else if (word[1] == '-')
            error = long_word(&w, word + 2);
        else
            error = short_word(&w, word + 1);
    }
    return error ? error : check(&w);
}

void cli_options_free(struct cli_options *options) {
    free(options->arguments.items);
    free(options->s3_options.items);
    free(options->contexts.items);
    free(options->build.cel_columns.items);
    free(options->shard_ids);
    free(options->probes);
}
