/* What says where vectors go: --centroids and --hyperplanes. */
#include "cli/build/build_run.h"

#include "cli/memory.h"
#include "cli/settings.h"

#define MOST_HYPERPLANES 63u
#define ARRAY_SHARE 8u /* an eighth of the budget for the one or the other */

/* Rows that are as long as the vectors: those of the file, else each line is held against them. */
static char *check_dimension(struct cli_build *b, const struct cli_array *array, const char *rows, const char *flag,
                             const char *name) {
    struct cli_row_rules *rules = &b->feed.rules;
    if (!b->has_vectors) {
        rules->dimension = array->dimension;
        rules->dimension_of = rows;
        return NULL;
    }
    if (!rules->dimension || rules->dimension == array->dimension) return NULL;
    return cli_format("--%s: %s has rows of %u numbers, but the vectors of %s have %u", flag, name, array->dimension,
                      b->vectors.stream.name, rules->dimension);
}

static char *read_centroids(struct cli_build *b, uint64_t memory_bytes) {
    const struct cli_build_options *o = b->options;
    char *error = cli_array_read(&b->centroids, "centroids", o->centroids, CLI_MAX_DBS, memory_bytes);
    if (error) return error;
    if (o->num_dbs && o->num_dbs != b->centroids.rows) {
        return cli_format("--centroids: %s has %u rows, but --num-dbs is %u; each centroid has a shard", o->centroids,
                          b->centroids.rows, o->num_dbs);
    }
    return check_dimension(b, &b->centroids, "those of --centroids have", "centroids", o->centroids);
}

static char *read_hyperplanes(struct cli_build *b, uint64_t memory_bytes) {
    const struct cli_build_options *o = b->options;
    char *error = cli_array_read(&b->hyperplanes, "hyperplanes", o->hyperplanes, MOST_HYPERPLANES, memory_bytes);
    if (error) return error;
    if (o->hash_bits && o->hash_bits != b->hyperplanes.rows) {
        return cli_format("--hyperplanes: %s has %u rows, but --hash-bits is %u; each row is a bit", o->hyperplanes,
                          b->hyperplanes.rows, o->hash_bits);
    }
    return check_dimension(b, &b->hyperplanes, "those of --hyperplanes have", "hyperplanes", o->hyperplanes);
}

char *cli_build_arrays(struct cli_build *build) {
    uint64_t memory_bytes = build->session->settings->memory_budget / ARRAY_SHARE;
    if (build->options->centroids) return read_centroids(build, memory_bytes);
    return build->options->hyperplanes ? read_hyperplanes(build, memory_bytes) : NULL;
}
