/* reader.toml: [reader], [output] and [manifest_store]. */
#include "cli/config.h"

#include "cli/memory.h"
#include "cli/notice.h"

#include <string.h>

#define RESULT_OR(call)                                                                                                \
    do {                                                                                                               \
        char *error_ = (call);                                                                                         \
        if (error_) return error_;                                                                                     \
    } while (0)

static char *access_settings(struct cli_config_file *file, struct cli_reader_config *out) {
    struct cli_toml_entry *mode = cli_toml_find(&file->toml, "reader", "sqlite_mode");
    int64_t bytes = 0;
    if (mode) {
        out->sqlite_mode = mode->kind == CLI_TOML_STRING ? cli_sqlite_mode_of(mode->text) : -1;
        if (out->sqlite_mode < 0) return cli_config_wrong(file, mode, "\"download\", \"range\" or \"auto\"");
    }
    RESULT_OR(cli_config_integer(file, "reader", "sqlite_auto_per_shard_threshold_bytes", 0, INT64_MAX,
                                 &out->has_per_shard, &bytes));
    out->per_shard_bytes = (uint64_t)bytes;
    bytes = 0;
    RESULT_OR(cli_config_integer(file, "reader", "sqlite_auto_total_budget_bytes", 0, INT64_MAX, &out->has_total, &bytes));
    out->total_bytes = (uint64_t)bytes;
    return NULL;
}

/* Keys of the Python project that mean nothing here. */
static void ineffective(struct cli_config_file *file) {
    static const struct {
        const char *name, *why;
    } keys[] = {
        {"reader_backend", "the manifest says what the shards are"},
        {"thread_safety", "one reader serves any number of threads"},
        {"pool_checkout_timeout", "there is no pool to wait for"},
        {"slate_env_file", "the environment and credentials.toml say how to reach the store"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!cli_toml_find(&file->toml, "reader", keys[i].name)) continue;
        cli_note("%s: [reader] %s has no effect here: %s", file->path, keys[i].name, keys[i].why);
    }
}

static char *reader_section(struct cli_config_file *file, struct cli_reader_config *out) {
    int64_t workers = 0, open = 0;
    RESULT_OR(cli_config_text(file, "reader", "current_url", &out->current_url));
    RESULT_OR(cli_config_text(file, "reader", "s3_prefix", &out->s3_prefix));
    RESULT_OR(cli_config_text(file, "reader", "local_root", &out->local_root));
    RESULT_OR(cli_config_text(file, "reader", "credentials_profile", &out->profile));
    RESULT_OR(cli_config_integer(file, "reader", "max_workers", 1, 65536, NULL, &workers));
    out->max_workers = (uint32_t)workers;
    RESULT_OR(cli_config_integer(file, "reader", "max_open_shards", 1, CLI_MAX_OPEN_SHARDS, NULL, &open));
    out->max_open_shards = (uint32_t)open;
    RESULT_OR(access_settings(file, out));
    ineffective(file);
    return NULL;
}

static char *output_section(struct cli_config_file *file, struct cli_reader_config *out) {
    struct cli_toml_entry *format = cli_toml_find(&file->toml, "output", "format");
    struct cli_toml_entry *encoding = cli_toml_find(&file->toml, "output", "value_encoding");
    struct cli_toml_entry *null_repr = cli_toml_find(&file->toml, "output", "null_repr");
    if (format) {
        out->format = format->kind == CLI_TOML_STRING ? cli_format_of(format->text) : CLI_FORMAT_UNSET;
        if (!out->format) return cli_config_wrong(file, format, "\"json\", \"jsonl\", \"table\" or \"text\"");
    }
    if (encoding) {
        out->encoding = encoding->kind == CLI_TOML_STRING ? cli_encoding_of(encoding->text) : CLI_ENCODING_UNSET;
        if (!out->encoding) return cli_config_wrong(file, encoding, "\"base64\", \"utf8\" or \"hex\"");
    }
    if (!null_repr) return NULL;
    if (null_repr->kind != CLI_TOML_STRING) return cli_config_wrong(file, null_repr, "text in quotes");
    out->null_repr = null_repr->text; /* empty is meant */
    return NULL;
}

static char *store_section(struct cli_config_file *file) {
    static const char *const of_postgres[] = {"dsn", "table_name", "ensure_table"};
    struct cli_toml_entry *backend = cli_toml_find(&file->toml, "manifest_store", "backend");
    for (size_t i = 0; i < sizeof of_postgres / sizeof of_postgres[0]; i++) {
        cli_toml_find(&file->toml, "manifest_store", of_postgres[i]);
    }
    if (!backend || (backend->kind == CLI_TOML_STRING && !strcmp(backend->text, "s3"))) return NULL;
    if (backend->kind == CLI_TOML_STRING && !strcmp(backend->text, "postgres")) {
        return cli_format("%s: line %u: [manifest_store] backend \"postgres\" is not supported: this version reads "
                          "manifests from the snapshot's own store (\"s3\")",
                          file->path, backend->line);
    }
    return cli_config_wrong(file, backend, "\"s3\"");
}

char *cli_reader_config_read(struct cli_config_file *file, struct cli_reader_config *out) {
    *out = (struct cli_reader_config){.sqlite_mode = -1};
    if (!file->path) return NULL;
    RESULT_OR(reader_section(file, out));
    RESULT_OR(output_section(file, out));
    RESULT_OR(store_section(file));
    cli_config_warn_unknown(file, NULL);
    return NULL;
}
