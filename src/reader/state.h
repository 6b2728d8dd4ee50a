/*
 * The state of a reader at one moment: a manifest and its shards. Immutable and reference-counted; every operation
 * pins the one it started on. It is what the public header calls shf_snapshot.
 */
#ifndef SHF_READER_STATE_H
#define SHF_READER_STATE_H

#include "reader/vector_parts.h"
#include "snapshot/routing.h"
#include "snapshot/vector_router.h"

#define SHF_NO_SHARD UINT32_MAX

struct shf_snapshot {
    atomic_uint references;
    shf_runtime *runtime;      /* retained */
    struct shf_source *source; /* retained: whose snapshot it is */
    struct shf_manifest *manifest;
    char *manifest_ref;
    struct shf_cel_router *cel; /* the compiled expression; NULL under HASH sharding */
    int64_t published_at_us;
    uint32_t kind;             /* SHF_KIND_* */
    enum shf_keys_format keys; /* of all shards */
    enum shf_vectors_format vectors;
    struct shf_vector_router *router; /* SHF_KIND_VECTOR_ONLY; else NULL */
    struct shf_shard **shards;        /* non-empty ones, ascending id */
    uint32_t shard_count;
    uint32_t *index_of; /* num_dbs: shard id -> index into shards, or SHF_NO_SHARD */
};

/*
 * Makes a state from a manifest that was just loaded (both strings and manifest move in, also on failure): decides
 * what kind it is, refuses by name what is not read, compiles the sharding, resolves every URL. Shards that `old` (or NULL) has too are taken
 * over; *reused counts those. `parts`: those of a vector-only snapshot, loaded; else nothing of them is looked at. Worker.
 */
shf_status shf_snapshot_new(struct shf_source *source, struct shf_manifest *manifest, char *manifest_ref,
                            int64_t published_at_us, const struct shf_vector_parts *parts, const struct shf_snapshot *old,
                            struct shf_snapshot **out, uint32_t *reused, struct shf_error **error);
struct shf_snapshot *shf_snapshot_retain(struct shf_snapshot *snapshot);
void shf_snapshot_drop(struct shf_snapshot *snapshot);

/* "a vector-only snapshot"; for messages. */
const char *shf_snapshot_kind_text(const struct shf_snapshot *snapshot);

/* Whether its shards may be closed while nobody uses them: then who uses one holds it. */
static inline bool shf_snapshot_is_bounded(const struct shf_snapshot *snapshot) {
    return snapshot->shard_count && snapshot->shards[0]->use.is_counted;
}

/* The shard of an id, or NULL when it is empty. id < num_dbs. */
static inline struct shf_shard *shf_snapshot_shard_of(const struct shf_snapshot *snapshot, uint32_t id) {
    uint32_t index = snapshot->index_of[id];
    return index == SHF_NO_SHARD ? NULL : snapshot->shards[index];
}

#endif
