/* Keys: which shard, and which stored bytes. Pure, no allocation. */
#ifndef SHF_SNAPSHOT_ROUTER_H
#define SHF_SNAPSHOT_ROUTER_H

#include "formats/manifest.h"
#include "shardyfusion/types.h"

/*
 * HASH: XXH3-64 of the canonical bytes mod num_dbs. CEL: SHF_E_UNSUPPORTED for now. SHF_E_INVALID: integer
 * above 2^63-1, text not UTF-8, unknown kind.
 */
shf_status shf_route(const struct shf_manifest *manifest, const shf_key *key, const shf_routing_context *context,
                     uint32_t *shard, struct shf_error **error);

/* The bytes under which a key is stored. */
struct shf_stored_key {
    shf_slice bytes; /* points into `scratch` or at the caller's bytes */
    uint8_t scratch[8];
};
/* SHF_E_INVALID: kind or range does not fit the key encoding (says which encoding and what it takes). */
shf_status shf_key_encode(enum shf_key_encoding encoding, const shf_key *key, struct shf_stored_key *out,
                          struct shf_error **error);

#endif
