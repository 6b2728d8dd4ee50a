/* What `shardy build` was told on the command line; part of struct cli_options. */
#ifndef CLI_BUILD_OPTIONS_H
#define CLI_BUILD_OPTIONS_H

#include "cli/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_backend { CLI_BACKEND_AUTO = 0, CLI_BACKEND_KV, CLI_BACKEND_UNIFIED, CLI_BACKEND_VECTOR };
enum cli_vector_sharding {
    CLI_SHARDING_UNSET = 0, /* by the other flags, see cli_vector_sharding_of */
    CLI_SHARDING_CLUSTER,
    CLI_SHARDING_LSH,
    CLI_SHARDING_EXPLICIT,
    CLI_SHARDING_CEL
};
enum cli_value_format { CLI_VALUE_UTF8 = 0, CLI_VALUE_BASE64, CLI_VALUE_HEX, CLI_VALUE_JSON };

/* NULL and 0 = not given. */
struct cli_build_options {
    const char *output, *vectors, *run_id, *key_encoding, *metric, *cel_expr, *routing_values, *centroids, *hyperplanes;
    struct cli_list cel_columns; /* NAME:TYPE */
    uint64_t max_keys_per_shard, seed;
    uint32_t num_dbs, page_size, jobs, hash_bits, training_rows, training_rounds;
    enum cli_backend backend;
    enum cli_vector_sharding vector_sharding;
    enum cli_value_format value_format;
    bool resume, keep_attempts, dry_run, no_sidecar, last_wins, skip_bad, has_seed, infer_routing_values,
        has_value_format;
};

#define CLI_DEFAULT_SEED 42u
#define CLI_BUILD_BUDGET_BYTES (UINT64_C(512) << 20)
#define CLI_MAX_DBS 32768u
#define CLI_MAX_JOBS 256u

struct cli_options;
/* What must hold between the flags. NULL, or what is wrong, the caller's to free. */
char *cli_build_options_check(const struct cli_options *options);

/* Snapshots of vectors alone, build_vector_options.c: the same of their flags, */
char *cli_vector_options_check(const struct cli_options *options);
/* and what decides where their rows go: as --vector-sharding says, else as its other flags ask for, else by clusters. */
enum cli_vector_sharding cli_vector_sharding_of(const struct cli_build_options *options);
const char *cli_vector_sharding_name(enum cli_vector_sharding sharding);

#endif
