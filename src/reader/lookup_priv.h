/* Between lookup.c (answers in the call, the common steps) and lookup_detour.c (what must wait for shards or a worker). */
#ifndef SHF_READER_LOOKUP_PRIV_H
#define SHF_READER_LOOKUP_PRIV_H

#include "reader/results.h"
#include "snapshot/router.h"
#include "snapshot/routing.h"

#define SHF_LOOKUP_BLOCK 128u             /* keys that are looked up side by side */
#define SHF_LOOKUP_STEPS UINT64_C(100000) /* of expressions in a call: about a millisecond; then a worker goes on */

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
/* The same for one key. */
shf_status shf_lookup_locate_key(const struct shf_lookup_op *lookup, const shf_key *key, size_t index,
                                 struct shf_routing *routing, uint32_t *shard, struct shf_stored_key *stored,
                                 struct shf_error **error);
/* NULL where there is none, or an empty one. */
static inline struct shf_shard *shf_lookup_shard(const struct shf_snapshot *snapshot, uint32_t id) {
    return id == SHF_CEL_UNKNOWN_TOKEN ? NULL : shf_snapshot_shard_of(snapshot, id);
}

/* Answers keys [first, first + count) of the operation, at most SHF_LOOKUP_BLOCK. */
shf_status shf_lookup_block(struct shf_lookup_op *lookup, size_t first, const struct shf_wanted_key *wanted,
                            size_t count, struct shf_error **error);

/* What a lookup needs that is not answered in its call. */
struct shf_pending_key {
    uint32_t shard;      /* id */
    uint32_t kind;       /* 0: routed, its bytes are the stored ones; SHF_KEY_*: as it was given */
    size_t offset, size; /* in key_bytes */
};
struct shf_lookup_detour {
    struct shf_pending_key *keys;
    uint8_t *key_bytes;
    struct shf_shard **needed; /* shards that are not open yet */
    struct shf_shard_group group;
    struct shf_lookup_op *lookup;
    uint64_t charged_bytes; /* to the budget, with the values' array, until the operation is released */
};

/*
 * lookup_route.c. Where an expression tells the shard of each key anew, which may take any time, keys are copied as they are
 * in the call, and routed on a worker that looks at token and clock.
 */
bool shf_lookup_routes_later(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys);
/* Copies a key; its place has been made. */
shf_status shf_lookup_keep_key(struct shf_lookup_op *lookup, const shf_key *key, size_t index, struct shf_error **error);
shf_status shf_lookup_route_kept(struct shf_lookup_op *lookup, struct shf_error **error);

/* lookup_detour.c. The operation has begun, and will be finished. */
void shf_lookup_go_on_elsewhere(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys);
void shf_lookup_detour_free(struct shf_lookup_op *lookup);

#endif
