/* The command line: what was typed, checked for form but not yet merged with environment and files. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/build/build_options.h"
#include "cli/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_command {
    CLI_NONE = 0,
    CLI_GET = 1 << 0,
    CLI_MULTIGET = 1 << 1,
    CLI_SEARCH = 1 << 2,
    CLI_INFO = 1 << 3,
    CLI_SHARDS = 1 << 4,
    CLI_ROUTE = 1 << 5,
    CLI_HEALTH = 1 << 6,
    CLI_HISTORY = 1 << 7,
    CLI_BUILD = 1 << 8,
    CLI_RECALL = 1 << 9,
    CLI_EVERY = (1 << 10) - 1,
    CLI_READING = CLI_EVERY & ~CLI_BUILD /* those that look at a snapshot */
};

enum cli_format { CLI_FORMAT_UNSET = 0, CLI_JSON, CLI_JSONL, CLI_TABLE, CLI_TEXT };
enum cli_encoding { CLI_ENCODING_UNSET = 0, CLI_BASE64, CLI_UTF8, CLI_HEX };
enum cli_key_format { CLI_KEY_AUTO = 0, CLI_KEY_TEXT, CLI_KEY_HEX, CLI_KEY_BASE64, CLI_KEY_JSON };
#define CLI_MAX_OPEN_SHARDS 65536u

enum cli_color { CLI_COLOR_AUTO = 0, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

struct cli_options {
    const char *command_name;
    struct cli_list arguments; /* what follows the command */
    struct cli_list s3_options, contexts;
    const char *current_url, *config, *credentials, *ref, *local_root;
    const char *vector_file, *queries, *like, *plot;
    uint32_t *shard_ids;
    size_t shard_id_count;
    uint32_t *probes; /* --num-probes as a list, ascending; num_probes is the first of them */
    size_t probe_count;
    uint64_t per_shard_bytes, total_bytes;
    uint64_t memory_budget; /* 0 = not given */
    int64_t timeout_ms;     /* 0 = none */
    int64_t staleness_ms;   /* 0 = not judged */
    double target;          /* of recall */

    enum cli_command command;
    enum cli_format format;
    enum cli_encoding encoding;
    enum cli_key_format key_format;
    enum cli_color color;
    int sqlite_mode; /* SHF_ACCESS_*, or -1 */
    uint32_t offset;
    uint32_t max_concurrency, max_open_shards; /* 0 = not given, as below */
    uint32_t top_k, num_probes, limit, sample;
    unsigned verbose;

    struct cli_build_options build;

    bool help, version, quiet, no_progress;
    bool has_offset, has_per_shard, has_total, has_timeout, has_shard_ids, has_target;
    bool strict, raw, flat, explain, exact;
};

/* Returns NULL, or what is wrong with the usage, the caller's to free. */
char *cli_options_parse(int argc, char **argv, struct cli_options *options);
void cli_options_free(struct cli_options *options);

/* One flag of the table in flags.c. */
struct cli_flag {
    const char *name; /* without the dashes */
    char letter;      /* 0 = none */
    bool takes_value;
    unsigned commands; /* bits of enum cli_command where it may stand */
    char *(*apply)(struct cli_options *options, const char *flag, const char *value); /* NULL, or what is wrong */
};
extern const struct cli_flag cli_flags[];
extern const size_t cli_flag_count;
extern const struct cli_flag cli_build_flags[]; /* those of build alone, in build/build_options.c */
extern const size_t cli_build_flag_count;
extern const struct cli_flag cli_vector_flags[]; /* of snapshots of vectors alone, in build/build_vector_options.c */
extern const size_t cli_vector_flag_count;

/* "0,2" as shard ids; "" is none. NULL, or what is wrong. */
char *cli_parse_shard_ids(const char *text, uint32_t **ids, size_t *count);

/* Words of the options above; 0 when it is none. */
enum cli_format cli_format_of(const char *word);
enum cli_encoding cli_encoding_of(const char *word);
int cli_sqlite_mode_of(const char *word); /* -1 when it is none */

#endif
