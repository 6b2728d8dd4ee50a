/* What `shardy build` was told on the command line; part of struct cli_options. */
#ifndef CLI_BUILD_OPTIONS_H
#define CLI_BUILD_OPTIONS_H

#include "cli/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_backend { CLI_BACKEND_AUTO = 0, CLI_BACKEND_KV, CLI_BACKEND_UNIFIED };
enum cli_value_format { CLI_VALUE_UTF8 = 0, CLI_VALUE_BASE64, CLI_VALUE_HEX, CLI_VALUE_JSON };

/* NULL and 0 = not given. */
struct cli_build_options {
    const char *output, *vectors, *run_id, *key_encoding, *metric, *cel_expr, *routing_values;
    struct cli_list cel_columns; /* NAME:TYPE */
    uint64_t max_keys_per_shard, seed;
    uint32_t num_dbs, page_size, jobs;
    enum cli_backend backend;
    enum cli_value_format value_format;
    bool resume, keep_attempts, dry_run, no_sidecar, last_wins, skip_bad, has_seed, infer_routing_values;
};

#define CLI_DEFAULT_SEED 42u
#define CLI_BUILD_BUDGET_BYTES (UINT64_C(512) << 20)
#define CLI_MAX_DBS 32768u
#define CLI_MAX_JOBS 256u

struct cli_options;
/* What must hold between the flags. NULL, or what is wrong, the caller's to free. */
char *cli_build_options_check(const struct cli_options *options);

#endif
