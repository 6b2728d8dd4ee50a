/* The two configuration files: where they are, what they may say. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/options.h"
#include "cli/toml.h"

#include <shardyfusion/shardyfusion.h>
#include <stdbool.h>
#include <stdint.h>

/* A loaded file; path NULL = there is none. */
struct cli_config_file {
    char *path;
    bool wide_mode; /* others than the owner may read or write it */
    unsigned mode;
    struct cli_toml toml;
};

/* Finds (flag, environment variable, ./NAME, ~/.config/shardy/NAME) and parses. NULL, or what is wrong. */
char *cli_config_file_load(const char *flag, const char *variable, const char *name, struct cli_config_file *out);
void cli_config_file_free(struct cli_config_file *file);

/* reader.toml; texts live in the file. Zero or NULL = not said. */
struct cli_reader_config {
    const char *current_url, *s3_prefix, *local_root, *profile, *null_repr;
    uint32_t max_workers, max_open_shards;
    int sqlite_mode; /* SHF_ACCESS_*, or -1 */
    bool has_per_shard, has_total;
    uint64_t per_shard_bytes, total_bytes;
    enum cli_format format;
    enum cli_encoding encoding;
};
char *cli_reader_config_read(struct cli_config_file *file, struct cli_reader_config *out);

/* One profile of credentials.toml into the s3 options; texts live in the file. */
char *cli_credentials_read(struct cli_config_file *file, const char *profile, shf_s3_options *s3);

/* One --s3-option KEY=VALUE, cut at '=' into `key` and `value`. NULL, or what is wrong. */
char *cli_s3_option_apply(const char *key, const char *value, shf_s3_options *s3);

/* Shared by the readers of the files; `wanted` says what the value must be. NULL, or what is wrong. */
char *cli_config_text(struct cli_config_file *file, const char *section, const char *name, const char **out);
char *cli_config_integer(struct cli_config_file *file, const char *section, const char *name, int64_t minimum,
                         int64_t maximum, bool *found, int64_t *out);
char *cli_config_wrong(const struct cli_config_file *file, const struct cli_toml_entry *entry, const char *wanted);
/* Warns of every key of the section (NULL = of all sections) that nobody asked for. */
void cli_config_warn_unknown(const struct cli_config_file *file, const char *section);

#endif
