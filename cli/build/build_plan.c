/* How many shards, where the command line does not say. */
#include "cli/build/build_run.h"

#include "cli/notice.h"

#define SHARD_BYTES (UINT64_C(256) << 20) /* of input */
#define KEYS_PER_SHARD UINT64_C(1000000)  /* where the size of the input is not known */

uint32_t cli_plan_shards(uint64_t bytes) {
    uint64_t shards = bytes / SHARD_BYTES + (bytes % SHARD_BYTES != 0);
    return shards > CLI_MAX_DBS ? CLI_MAX_DBS : shards ? (uint32_t)shards : 1;
}

/* Bytes of the vectors as shards hold them, in float32; as far as the file tells. */
static uint64_t vector_bytes(const struct cli_vectors *vectors) {
    uint64_t bytes;
    if (!vectors->is_npy) return vectors->stream.has_size ? vectors->stream.size : 0;
    bool too_many = __builtin_mul_overflow(vectors->npy.rows, (uint64_t)vectors->npy.dimension * sizeof(float), &bytes);
    return too_many ? UINT64_MAX : bytes;
}

void cli_build_plan(struct cli_build *build) {
    const struct cli_build_options *o = build->options;
    build->num_dbs = o->num_dbs;
    build->max_keys_per_shard = o->max_keys_per_shard;
    if (o->num_dbs || o->max_keys_per_shard || o->cel_expr) return;
    if (!build->source.has_total) {
        build->max_keys_per_shard = KEYS_PER_SHARD;
        cli_say("the size of the input is not known: at most %llu keys a shard (--num-dbs and --max-keys-per-shard say "
                "otherwise)",
                (unsigned long long)KEYS_PER_SHARD);
        return;
    }
    uint64_t bytes = build->source.unpacked;
    if (build->has_vectors && __builtin_add_overflow(bytes, vector_bytes(&build->vectors), &bytes)) bytes = UINT64_MAX;
    build->num_dbs = cli_plan_shards(bytes);
    cli_say("%u shard%s, by the size of the input (--num-dbs and --max-keys-per-shard say otherwise)", build->num_dbs,
            build->num_dbs == 1 ? "" : "s");
}
