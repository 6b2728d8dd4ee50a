/* The flags of `shardy build`. */
#include "cli/build/build_options.h"

#include "cli/build/build_columns.h"
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/options.h"

#include <string.h>

#define LEAST_PAGE 4096u
#define MOST_PAGE 65536u
#define MOST_RUN_ID 128u

static char *wrong(const char *flag, const char *value, const char *wanted) {
    return cli_format("--%s: '%s' is not %s", flag, value, wanted);
}

#define APPLY(name) static char *name(struct cli_options *o, const char *flag, const char *value)
#define SET_TEXT(name, member)                                                                                         \
    APPLY(name) {                                                                                                      \
        if (!*value) return cli_format("--%s needs a value", flag);                                                    \
        o->build.member = value;                                                                                       \
        return NULL;                                                                                                   \
    }
#define SET_TRUE(name, member)                                                                                         \
    APPLY(name) {                                                                                                      \
        (void)flag;                                                                                                    \
        (void)value;                                                                                                   \
        o->build.member = true;                                                                                        \
        return NULL;                                                                                                   \
    }

SET_TEXT(set_output, output)
SET_TEXT(set_vectors, vectors)
SET_TRUE(set_resume, resume)
SET_TRUE(set_keep_attempts, keep_attempts)
SET_TRUE(set_dry_run, dry_run)
SET_TRUE(set_no_sidecar, no_sidecar)

/* Position of a word in a list that ends with NULL; -1 = not there. */
static int word_of(const char *value, const char *const *words) {
    for (int i = 0; words[i]; i++) {
        if (!strcmp(value, words[i])) return i;
    }
    return -1;
}

/* What the program is to have later is refused by its name. */
static char *absent(const char *flag, const char *value, const char *instead) {
    return cli_format("--%s%s%s is not in this version: %s", flag, value ? " " : "", value ? value : "", instead);
}

APPLY(set_backend) {
    if (!strcmp(value, "composite")) return absent(flag, value, "it builds unified, kv and vector");
    int word = word_of(value, (const char *const[]){"kv", "unified", "vector", NULL});
    if (word < 0) return wrong(flag, value, "unified, kv or vector");
    o->build.backend = (enum cli_backend)(CLI_BACKEND_KV + word);
    return NULL;
}

APPLY(set_kv_backend) {
    (void)o;
    if (!strcmp(value, "slatedb")) return absent(flag, value, "shards are SQLite files");
    return strcmp(value, "sqlite") ? wrong(flag, value, "sqlite") : NULL;
}

APPLY(set_metric) {
    if (!strcmp(value, "dot_product")) return absent(flag, value, "SQLite shards have cosine or l2");
    if (strcmp(value, "cosine") != 0 && strcmp(value, "l2") != 0) return wrong(flag, value, "cosine or l2");
    o->build.metric = value;
    return NULL;
}

APPLY(set_key_encoding) {
    int word = word_of(value, (const char *const[]){"u64be", "u32be", "utf8", "raw", NULL});
    if (word < 0) return wrong(flag, value, "u64be, u32be, utf8 or raw");
    o->build.key_encoding = value;
    return NULL;
}

APPLY(set_value_format) {
    int word = word_of(value, (const char *const[]){"utf8", "base64", "hex", "json", NULL});
    if (word < 0) return wrong(flag, value, "utf8, base64, hex or json");
    o->build.value_format = (enum cli_value_format)word;
    o->build.has_value_format = true;
    return NULL;
}

APPLY(set_num_dbs) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_DBS, &o->build.num_dbs);
    return ok ? NULL : wrong(flag, value, "a number of shards from 1 to 32768");
}

APPLY(set_max_keys) {
    bool ok = cli_parse_u64(value, strlen(value), &o->build.max_keys_per_shard) && o->build.max_keys_per_shard;
    return ok ? NULL : wrong(flag, value, "a number of keys above 0");
}

APPLY(set_page_size) {
    uint64_t size;
    o->build.page_size = 0;
    if (!strcmp(value, "auto")) return NULL;
    if (!cli_parse_size(value, &size) || size < LEAST_PAGE || size > MOST_PAGE || (size & (size - 1))) {
        return wrong(flag, value, "auto or a power of two from 4096 to 65536");
    }
    o->build.page_size = (uint32_t)size;
    return NULL;
}

APPLY(set_run_id) {
    size_t size = strlen(value);
    bool ok = size && size <= MOST_RUN_ID && *value != '.';
    for (size_t i = 0; ok && i < size; i++) {
        char c = value[i];
        ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("._-", c) != NULL;
    }
    o->build.run_id = value;
    return ok ? NULL : wrong(flag, value, "1 to 128 of A-Z a-z 0-9 . _ -, not beginning with a dot");
}

APPLY(set_jobs) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_JOBS, &o->build.jobs);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 256");
}

APPLY(set_seed) {
    o->build.has_seed = cli_parse_u64(value, strlen(value), &o->build.seed);
    return o->build.has_seed ? NULL : wrong(flag, value, "a whole number");
}

APPLY(set_on_duplicate) {
    int word = word_of(value, (const char *const[]){"error", "last", NULL});
    o->build.last_wins = word == 1;
    return word < 0 ? wrong(flag, value, "error or last") : NULL;
}

APPLY(set_on_error) {
    int word = word_of(value, (const char *const[]){"stop", "skip", NULL});
    o->build.skip_bad = word == 1;
    return word < 0 ? wrong(flag, value, "stop or skip") : NULL;
}

SET_TEXT(set_expression, cel_expr)
SET_TEXT(set_routing_values, routing_values)
SET_TRUE(set_infer_routing_values, infer_routing_values)

APPLY(add_column) {
    struct cli_list *list = &o->build.cel_columns;
    (void)flag;
    list->items = cli_realloc_array(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = value;
    return NULL;
}

const struct cli_flag cli_build_flags[] = {
    {"output", 0, true, CLI_BUILD, set_output},
    {"vectors", 0, true, CLI_BUILD, set_vectors},
    {"backend", 0, true, CLI_BUILD, set_backend},
    {"kv-backend", 0, true, CLI_BUILD, set_kv_backend},
    {"num-dbs", 0, true, CLI_BUILD, set_num_dbs},
    {"max-keys-per-shard", 0, true, CLI_BUILD, set_max_keys},
    {"key-encoding", 0, true, CLI_BUILD, set_key_encoding},
    {"value-format", 0, true, CLI_BUILD, set_value_format},
    {"metric", 0, true, CLI_BUILD, set_metric},
    {"page-size", 0, true, CLI_BUILD, set_page_size},
    {"no-sidecar", 0, false, CLI_BUILD, set_no_sidecar},
    {"run-id", 0, true, CLI_BUILD, set_run_id},
    {"jobs", 0, true, CLI_BUILD, set_jobs},
    {"resume", 0, false, CLI_BUILD, set_resume},
    {"keep-attempts", 0, false, CLI_BUILD, set_keep_attempts},
    {"dry-run", 0, false, CLI_BUILD, set_dry_run},
    {"on-duplicate", 0, true, CLI_BUILD, set_on_duplicate},
    {"on-error", 0, true, CLI_BUILD, set_on_error},
    {"seed", 0, true, CLI_BUILD | CLI_RECALL, set_seed},
    {"cel-expr", 0, true, CLI_BUILD, set_expression},
    {"cel-column", 0, true, CLI_BUILD, add_column},
    {"routing-values", 0, true, CLI_BUILD, set_routing_values},
    {"infer-routing-values", 0, false, CLI_BUILD, set_infer_routing_values},
};
const size_t cli_build_flag_count = sizeof cli_build_flags / sizeof cli_build_flags[0];

static char *check_expression(const struct cli_build_options *o) {
    struct cli_columns columns;
    if (!o->cel_expr) {
        if (o->cel_columns.count) return cli_strdup("--cel-column needs --cel-expr");
        if (o->routing_values) return cli_strdup("--routing-values needs --cel-expr");
        return o->infer_routing_values ? cli_strdup("--infer-routing-values needs --cel-expr") : NULL;
    }
    if (!o->cel_columns.count) return cli_strdup("--cel-expr needs its columns: --cel-column NAME:TYPE, key:int say");
    if (o->max_keys_per_shard) {
        return cli_strdup("--max-keys-per-shard: the expression decides where rows go, not their number");
    }
    if (o->routing_values && o->infer_routing_values) {
        return cli_strdup("--routing-values and --infer-routing-values exclude one another");
    }
    if (o->num_dbs && o->infer_routing_values) {
        return cli_strdup("--num-dbs: with --infer-routing-values each value has a shard");
    }
    char *error = cli_columns_parse(&o->cel_columns, &columns);
    cli_columns_free(&columns);
    return error;
}

char *cli_build_options_check(const struct cli_options *options) {
    const struct cli_build_options *o = &options->build;
    size_t from_stdin = o->vectors && !strcmp(o->vectors, "-");
    if (!options->arguments.count)
        return cli_strdup("build takes INPUTs: files of JSON lines, or - for standard input");
    for (size_t i = 0; i < options->arguments.count; i++) from_stdin += !strcmp(options->arguments.items[i], "-");
    if (from_stdin > 1) return cli_strdup("standard input (-) can be read once");
    if (!o->output) return cli_strdup("build needs --output URL: s3://bucket/prefix, file:///path or a path");
    if (o->num_dbs && o->max_keys_per_shard) {
        return cli_strdup("--num-dbs and --max-keys-per-shard exclude one another");
    }
    char *error = check_expression(o);
    if (error) return error;
    if (o->resume && !o->run_id) return cli_strdup("--resume needs the --run-id that it is to go on with");
    error = cli_vector_options_check(options);
    if (error) return error;
    if (o->backend != CLI_BACKEND_KV) return NULL;
    if (o->vectors) return cli_strdup("--vectors: a kv snapshot has none; leave out --backend kv");
    return o->metric ? cli_strdup("--metric: a kv snapshot has no vectors") : NULL;
}
