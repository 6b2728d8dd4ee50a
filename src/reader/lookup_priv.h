/* Between lookup.c (answers in the call, the common steps) and lookup_detour.c (what must wait for shards or a worker). */
#ifndef SHF_READER_LOOKUP_PRIV_H
#define SHF_READER_LOOKUP_PRIV_H

#include "reader/results.h"
#include "snapshot/router.h"
#include "snapshot/routing.h"

#define SHF_LOOKUP_BLOCK 128u /* keys that are looked up side by side */

/* Where a key is to be looked for. */
struct shf_wanted_key {
    struct shf_shard *shard; /* ready, or NULL: an empty shard, which has no key */
    const void *bytes;       /* as stored */
    size_t size;
};

/* Begins the routing of the operation's keys; end it with shf_routing_end. */
void shf_lookup_begin_routing(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys,
                              struct shf_routing *routing);
/*
 * Routes and encodes key `index` of the operation (stored ones are taken as they are); an error names it among several.
 * *shard is SHF_CEL_UNKNOWN_TOKEN, and the key not encoded, where no shard has it.
 */
shf_status shf_lookup_locate(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, size_t index,
                             struct shf_routing *routing, uint32_t *shard, struct shf_stored_key *stored,
                             struct shf_error **error);
/* NULL where there is none, or an empty one. */
static inline struct shf_shard *shf_lookup_shard(const struct shf_snapshot *snapshot, uint32_t id) {
    return id == SHF_CEL_UNKNOWN_TOKEN ? NULL : shf_snapshot_shard_of(snapshot, id);
}

/* Answers keys [first, first + count) of the operation, at most SHF_LOOKUP_BLOCK. */
shf_status shf_lookup_block(struct shf_lookup_op *lookup, size_t first, const struct shf_wanted_key *wanted,
                            size_t count, struct shf_error **error);

/* lookup_detour.c. The operation has begun, and will be finished. */
void shf_lookup_go_on_elsewhere(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys);
void shf_lookup_detour_free(struct shf_lookup_op *lookup);

#endif
