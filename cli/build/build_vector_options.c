/* The flags of `shardy build --backend vector`. */
#include "cli/build/build_options.h"

#include "cli/memory.h"
#include "cli/number.h"
#include "cli/options.h"

#include <string.h>

#define MOST_HASH_BITS 63u
#define MOST_TRAINING_ROWS 100000000u
#define MOST_TRAINING_ROUNDS 100000u

static const char *const names[] = {NULL, "cluster", "lsh", "explicit", "cel"};

static char *wrong(const char *flag, const char *value, const char *wanted) {
    return cli_format("--%s: '%s' is not %s", flag, value, wanted);
}

#define APPLY(name) static char *name(struct cli_options *o, const char *flag, const char *value)

APPLY(set_vector_sharding) {
    for (unsigned i = CLI_SHARDING_CLUSTER; i <= CLI_SHARDING_CEL; i++) {
        if (strcmp(value, names[i]) != 0) continue;
        o->build.vector_sharding = (enum cli_vector_sharding)i;
        return NULL;
    }
    return wrong(flag, value, "cluster, lsh, explicit or cel");
}

APPLY(set_hash_bits) {
    bool ok = cli_parse_u32(value, 1, MOST_HASH_BITS, &o->build.hash_bits);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 63");
}

APPLY(set_centroids) {
    o->build.centroids = value;
    return *value ? NULL : cli_format("--%s needs a value", flag);
}

APPLY(set_hyperplanes) {
    o->build.hyperplanes = value;
    return *value ? NULL : cli_format("--%s needs a value", flag);
}

APPLY(set_training_rows) {
    bool ok = cli_parse_u32(value, 1, MOST_TRAINING_ROWS, &o->build.training_rows);
    return ok ? NULL : wrong(flag, value, "a number of rows from 1 to 100000000");
}

APPLY(set_training_rounds) {
    bool ok = cli_parse_u32(value, 1, MOST_TRAINING_ROUNDS, &o->build.training_rounds);
    return ok ? NULL : wrong(flag, value, "a number of rounds from 1 to 100000");
}

const struct cli_flag cli_vector_flags[] = {
    {"vector-sharding", 0, true, CLI_BUILD, set_vector_sharding},
    {"hash-bits", 0, true, CLI_BUILD, set_hash_bits},
    {"centroids", 0, true, CLI_BUILD, set_centroids},
    {"hyperplanes", 0, true, CLI_BUILD, set_hyperplanes},
    {"training-rows", 0, true, CLI_BUILD, set_training_rows},
    {"training-rounds", 0, true, CLI_BUILD, set_training_rounds},
};
const size_t cli_vector_flag_count = sizeof cli_vector_flags / sizeof cli_vector_flags[0];

const char *cli_vector_sharding_name(enum cli_vector_sharding sharding) { return names[sharding]; }

enum cli_vector_sharding cli_vector_sharding_of(const struct cli_build_options *options) {
    const struct cli_build_options *o = options;
    if (o->vector_sharding) return o->vector_sharding;
    if (o->cel_expr) return CLI_SHARDING_CEL;
    return o->hash_bits || o->hyperplanes ? CLI_SHARDING_LSH : CLI_SHARDING_CLUSTER;
}

/* Flags of one way of sharding, where they stand: each belongs to snapshots of vectors alone, and to its own way there. */
static char *check_ways(const struct cli_options *options, enum cli_vector_sharding sharding) {
    const struct cli_build_options *o = &options->build;
    const struct {
        const char *flag;
        bool is_given;
        enum cli_vector_sharding sharding; /* UNSET = of each */
    } flags[] = {
        {"vector-sharding", o->vector_sharding != CLI_SHARDING_UNSET, CLI_SHARDING_UNSET},
        {"num-probes", options->num_probes != 0, CLI_SHARDING_UNSET},
        {"centroids", o->centroids != NULL, CLI_SHARDING_CLUSTER},
        {"training-rows", o->training_rows != 0, CLI_SHARDING_CLUSTER},
        {"training-rounds", o->training_rounds != 0, CLI_SHARDING_CLUSTER},
        {"hash-bits", o->hash_bits != 0, CLI_SHARDING_LSH},
        {"hyperplanes", o->hyperplanes != NULL, CLI_SHARDING_LSH},
        {"cel-expr", o->cel_expr != NULL, CLI_SHARDING_CEL},
    };
    bool is_vector = o->backend == CLI_BACKEND_VECTOR;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (!flags[i].is_given) continue;
        if (!is_vector && flags[i].sharding != CLI_SHARDING_CEL) {
            return cli_format("--%s belongs to snapshots of vectors alone: --backend vector", flags[i].flag);
        }
        if (is_vector && flags[i].sharding && flags[i].sharding != sharding) {
            return cli_format("--%s belongs to --vector-sharding %s, and this is %s", flags[i].flag,
                              names[flags[i].sharding], names[sharding]);
        }
    }
    return NULL;
}

/* What other snapshots have and these do not. */
static char *check_others(const struct cli_options *options) {
    const struct cli_build_options *o = &options->build;
    if (o->max_keys_per_shard) {
        return cli_strdup("--max-keys-per-shard: rows of a snapshot of vectors do not go by number; say --num-dbs");
    }
    if (o->key_encoding) return cli_strdup("--key-encoding: a snapshot of vectors has ids, no keys");
    if (o->has_value_format) return cli_strdup("--value-format: a snapshot of vectors has no values");
    if (options->key_format == CLI_KEY_HEX || options->key_format == CLI_KEY_BASE64) {
        return cli_strdup("--key-format: a snapshot of vectors has ids, which are integers or text");
    }
    return NULL;
}

char *cli_vector_options_check(const struct cli_options *options) {
    const struct cli_build_options *o = &options->build;
    enum cli_vector_sharding sharding = cli_vector_sharding_of(o);
    char *error = check_ways(options, sharding);
    if (error || o->backend != CLI_BACKEND_VECTOR) return error;
    if (sharding == CLI_SHARDING_CEL && !o->cel_expr) return cli_strdup("--vector-sharding cel needs --cel-expr");
    if (sharding == CLI_SHARDING_EXPLICIT && !o->num_dbs) {
        return cli_strdup("--vector-sharding explicit needs --num-dbs: each row says its \"shard_id\" below it");
    }
    if (options->num_probes > 1 && sharding != CLI_SHARDING_CLUSTER && sharding != CLI_SHARDING_LSH) {
        return cli_format("--num-probes: with --vector-sharding %s a query goes to the shards that it names",
                          names[sharding]);
    }
    if (o->centroids && (o->training_rows || o->training_rounds)) {
        return cli_strdup("--training-rows and --training-rounds: with --centroids none are looked for");
    }
    if ((o->centroids && !strcmp(o->centroids, "-")) || (o->hyperplanes && !strcmp(o->hyperplanes, "-"))) {
        return cli_strdup("--centroids and --hyperplanes are read from files, not from standard input (-)");
    }
    return check_others(options);
}
