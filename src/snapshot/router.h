/* Keys: which shard under a hash, and which stored bytes. Pure, no allocation. Sharding by expressions: routing.h. */
#ifndef SHF_SNAPSHOT_ROUTER_H
#define SHF_SNAPSHOT_ROUTER_H

#include "formats/manifest.h"
#include "shardyfusion/types.h"

/* XXH3-64 of the canonical bytes mod num_dbs. SHF_E_INVALID: integer above 2^63-1, and what shf_key_check refuses. */
shf_status shf_route_by_hash(uint32_t num_dbs, const shf_key *key, uint32_t *shard, struct shf_error **error);

/* SHF_E_INVALID: no key, unknown kind, bytes at no address, text that is not UTF-8. */
shf_status shf_key_check(const shf_key *key, struct shf_error **error);

/* The bytes under which a key is stored. */
struct shf_stored_key {
    shf_slice bytes; /* points into `scratch` or at the caller's bytes */
    uint8_t scratch[8];
};
/* SHF_E_INVALID: kind or range does not fit the key encoding (says which encoding and what it takes). */
shf_status shf_key_encode(enum shf_key_encoding encoding, const shf_key *key, struct shf_stored_key *out,
                          struct shf_error **error);

#endif
