/* How many shards, where the command line does not say. */
#include "cli/build/build_run.h"

#include "cli/notice.h"

#define KEYS_PER_SHARD UINT64_C(1000000) /* where the size of the input is not known */
#define UNKNOWN_SHARDS 16u               /* likewise, of vectors alone */

uint32_t cli_plan_shards(uint64_t bytes, uint64_t shard_bytes) {
    uint64_t shards = bytes / shard_bytes + (bytes % shard_bytes != 0);
    return shards > CLI_MAX_DBS ? CLI_MAX_DBS : shards ? (uint32_t)shards : 1;
}

/* Bytes of the vectors as shards hold them, in float32; as far as the file tells. */
static uint64_t vector_bytes(const struct cli_vectors *vectors) {
    uint64_t bytes;
    if (!vectors->is_npy) return vectors->stream.has_size ? vectors->stream.size : 0;
    bool too_many = __builtin_mul_overflow(vectors->npy.rows, (uint64_t)vectors->npy.dimension * sizeof(float), &bytes);
    return too_many ? UINT64_MAX : bytes;
}

/*
 * Vectors alone: centroids say it; an expression or the rows do where it is left to them. Shards of the others are small, so
 * that a query that looks into some of them reads little.
 */
static void plan_vectors(struct cli_build *build) {
    const struct cli_vectors *file = build->has_vectors ? &build->vectors : NULL;
    enum cli_vector_sharding sharding = build->feed.rules.sharding;
    uint64_t bytes = build->source.unpacked;
    if (sharding == CLI_SHARDING_CEL) return;
    if (build->centroids.rows) {
        build->num_dbs = build->centroids.rows;
        return;
    }
    bool is_known = build->source.has_total || (file && (file->is_npy || file->stream.has_size));
    if (file && __builtin_add_overflow(bytes, vector_bytes(file), &bytes)) bytes = UINT64_MAX;
    build->num_dbs = is_known ? cli_plan_shards(bytes, CLI_PROBED_SHARD_BYTES) : UNKNOWN_SHARDS;
    /* Each cluster has to have a row to begin with. */
    if (file && file->is_npy && file->npy.rows && build->num_dbs > file->npy.rows) {
        build->num_dbs = (uint32_t)file->npy.rows;
    }
    cli_say("%u shard%s, %s (--num-dbs says otherwise)", build->num_dbs, build->num_dbs == 1 ? "" : "s",
            is_known ? "by the size of the input" : "since the size of the input is not known");
}

void cli_build_plan(struct cli_build *build) {
    const struct cli_build_options *o = build->options;
    build->num_dbs = o->num_dbs;
    build->max_keys_per_shard = o->max_keys_per_shard;
    if (o->num_dbs || o->max_keys_per_shard || o->cel_expr) return;
    if (build->feed.rules.backend == CLI_BACKEND_VECTOR) {
        plan_vectors(build);
        return;
    }
    if (!build->source.has_total) {
        build->max_keys_per_shard = KEYS_PER_SHARD;
        cli_say("the size of the input is not known: at most %llu keys a shard (--num-dbs and --max-keys-per-shard say "
                "otherwise)",
                (unsigned long long)KEYS_PER_SHARD);
        return;
    }
    uint64_t bytes = build->source.unpacked;
    if (build->has_vectors && __builtin_add_overflow(bytes, vector_bytes(&build->vectors), &bytes)) bytes = UINT64_MAX;
    build->num_dbs = cli_plan_shards(bytes, CLI_SHARD_BYTES);
    cli_say("%u shard%s, by the size of the input (--num-dbs and --max-keys-per-shard say otherwise)", build->num_dbs,
            build->num_dbs == 1 ? "" : "s");
}
