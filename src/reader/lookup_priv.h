/* Between lookup.c (answers in the call, the common steps) and lookup_detour.c (what must wait for shards or a worker). */
#ifndef SHF_READER_LOOKUP_PRIV_H
#define SHF_READER_LOOKUP_PRIV_H

#include "reader/results.h"
#include "snapshot/router.h"

#define SHF_LOOKUP_BLOCK 128u /* keys that are looked up side by side */

/* Where a key is to be looked for. */
struct shf_wanted_key {
    struct shf_shard *shard; /* ready, or NULL: an empty shard, which has no key */
    const void *bytes;       /* as stored */
    size_t size;
};

/* Routes and encodes key `index` of the operation (stored ones are taken as they are); an error names it among several. */
shf_status shf_lookup_locate(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, size_t index,
                             uint32_t *shard, struct shf_stored_key *stored, struct shf_error **error);

/* Answers keys [first, first + count) of the operation, at most SHF_LOOKUP_BLOCK. */
shf_status shf_lookup_block(struct shf_lookup_op *lookup, size_t first, const struct shf_wanted_key *wanted,
                            size_t count, struct shf_error **error);

/* lookup_detour.c. The operation has begun, and will be finished. */
void shf_lookup_go_on_elsewhere(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys);
void shf_lookup_detour_free(struct shf_lookup_op *lookup);

#endif
