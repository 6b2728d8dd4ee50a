#include "cli/settings.h"

#include "cli/memory.h"
#include "cli/notice.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_use_color(const struct cli_options *options, int fd) {
    const char *no_color = cli_environment("NO_COLOR");
    const char *terminal = cli_environment("TERM");
    if (options->color != CLI_COLOR_AUTO) return options->color == CLI_COLOR_ALWAYS;
    if (no_color || (terminal && !strcmp(terminal, "dumb"))) return false;
    return isatty(fd);
}

/* First that is set: the flag, SHARDY_CURRENT, current_url of reader.toml; s3_prefix is the last resort. */
static char *choose_url(const struct cli_options *o, const struct cli_reader_config *config, const char **out) {
    const char *variable = cli_environment("SHARDY_CURRENT");
    *out = o->current_url        ? o->current_url
           : variable            ? variable
           : config->current_url ? config->current_url
                                 : config->s3_prefix;
    if (*out) return NULL;
    return cli_strdup("which snapshot? Give --current-url URL, set SHARDY_CURRENT, or current_url in reader.toml");
}

static char *apply_s3_options(struct cli_settings *s) {
    const struct cli_list *list = &s->options->s3_options;
    s->option_texts = cli_alloc_array(list->count, sizeof *s->option_texts);
    for (size_t i = 0; i < list->count; i++) {
        char *key = s->option_texts[s->option_text_count++] = cli_strdup(list->items[i]);
        char *value = strchr(key, '=');
        *value++ = '\0';
        char *error = cli_s3_option_apply(key, value, &s->s3);
        if (error) return error;
    }
    return NULL;
}

static char *load_credentials(struct cli_settings *s, const char *profile) {
    char *error =
        cli_config_file_load(s->options->credentials, "SHARDY_CREDENTIALS", "credentials.toml", &s->credentials_file);
    if (error) return error;
    if (s->credentials_file.path) {
        return cli_credentials_read(&s->credentials_file, profile ? profile : "default", &s->s3);
    }
    if (!profile || !strcmp(profile, "default")) return NULL;
    return cli_format("%s: credentials_profile is \"%s\", but there is no credentials.toml", s->reader_file.path,
                      profile);
}

/* A threshold of 0 means 0, which the library writes as 1: no shard and no sum is smaller. */
static uint64_t threshold(bool given, uint64_t bytes) { return given && !bytes ? 1 : bytes; }

static void fill_reader(struct cli_settings *s, const struct cli_reader_config *config) {
    const struct cli_options *o = s->options;
    shf_reader_options *r = &s->reader;
    bool per_shard = o->has_per_shard || config->has_per_shard, total = o->has_total || config->has_total;
    int mode = o->sqlite_mode >= 0 ? o->sqlite_mode : config->sqlite_mode >= 0 ? config->sqlite_mode : SHF_ACCESS_AUTO;
    r->local_root = o->local_root ? o->local_root : config->local_root;
    r->manifest_ref = o->ref;
    r->history_offset = o->has_offset ? o->offset + 1 : 0;
    r->access_mode = (uint32_t)mode;
    r->auto_per_shard_bytes = threshold(per_shard, o->has_per_shard ? o->per_shard_bytes : config->per_shard_bytes);
    r->auto_total_bytes = threshold(total, o->has_total ? o->total_bytes : config->total_bytes);
    r->max_concurrency = o->max_concurrency ? o->max_concurrency : config->max_workers;
    r->max_open_shards = o->max_open_shards ? o->max_open_shards : config->max_open_shards;
    r->timeout_ms = !o->has_timeout ? 0 : o->timeout_ms ? o->timeout_ms : -1;
    r->s3 = &s->s3;
    if (mode != SHF_ACCESS_AUTO || o->command == CLI_BUILD) return; /* the library itself speaks of range */
    cli_note("--sqlite-mode auto: this version has no range reads, shards on S3 are downloaded into the local cache");
}

static char *load_files(struct cli_settings *s, struct cli_reader_config *config) {
    char *error = cli_config_file_load(s->options->config, "SHARDY_CONFIG", "reader.toml", &s->reader_file);
    if (!error) error = cli_reader_config_read(&s->reader_file, config);
    if (error) return error;
    if (!s->options->format && config->format) s->format = config->format;
    if (config->encoding) s->encoding = config->encoding;
    if (config->null_repr) s->null_repr = config->null_repr;
    return load_credentials(s, config->profile);
}

char *cli_settings_load(const struct cli_options *options, struct cli_settings *settings, bool *usage) {
    struct cli_settings *s = settings;
    struct cli_reader_config config;
    *s = (struct cli_settings){.options = options, .null_repr = "null", .encoding = CLI_BASE64};
    SHF_INIT(&s->reader);
    SHF_INIT(&s->s3);
    s->is_terminal = isatty(STDOUT_FILENO);
    s->color = cli_use_color(options, STDOUT_FILENO);
    s->format = options->format ? options->format : s->is_terminal ? CLI_TABLE : CLI_JSONL;
    s->memory_budget = options->memory_budget;
    if (options->command == CLI_BUILD && !s->memory_budget) s->memory_budget = CLI_BUILD_BUDGET_BYTES;
    s->worker_threads = options->build.jobs;
    *usage = false;
    char *error = load_files(s, &config);
    if (error) return error;
    if (options->encoding) s->encoding = options->encoding;
    *usage = true;
    error = apply_s3_options(s);
    if (!error && options->command != CLI_BUILD) error = choose_url(options, &config, &s->reader.url);
    if (!error) fill_reader(s, &config);
    return error;
}

void cli_settings_free(struct cli_settings *settings) {
    cli_config_file_free(&settings->reader_file);
    cli_config_file_free(&settings->credentials_file);
    for (size_t i = 0; i < settings->option_text_count; i++) free(settings->option_texts[i]);
    free(settings->option_texts);
}
