#include "reader/lookup_priv.h"

#include <string.h>

#define CHECK_EVERY 8u /* keys: the longest evaluation takes some hundredths of a second */

bool shf_lookup_routes_later(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys) {
    const struct shf_cel_router *cel = lookup->base.snapshot->cel;
    /* A context is the same for all keys, and where one is missing the first key fails. */
    return cel && !keys->snapshot && !keys->context && shf_cel_router_takes_key(cel);
}

shf_status shf_lookup_keep_key(struct shf_lookup_op *lookup, const shf_key *key, size_t index, struct shf_error **error) {
    struct shf_pending_key *kept = &lookup->detour->keys[index];
    uint8_t *bytes = lookup->detour->key_bytes + kept->offset;
    shf_status status = shf_key_check(key, error);
    if (status) {
        if (lookup->count > 1) shf_error_prefix(error, "key %zu", index);
        return status;
    }
    kept->kind = key->kind;
    if (key->kind == SHF_KEY_INT || key->kind == SHF_KEY_UINT) {
        memcpy(bytes, &key->as.uint_value, kept->size); /* of an int the same bits */
    } else if (kept->size) {
        memcpy(bytes, key->as.bytes.data, kept->size);
    }
    return SHF_OK;
}

/* The stored bytes take the place of the key's: they are these, or an integer's eight at most. */
static shf_status route_one(struct shf_lookup_op *lookup, size_t index, struct shf_routing *routing,
                            struct shf_error **error) {
    struct shf_pending_key *kept = &lookup->detour->keys[index];
    uint8_t *bytes = lookup->detour->key_bytes + kept->offset;
    struct shf_stored_key stored;
    shf_key key = {.kind = kept->kind};
    if (key.kind == SHF_KEY_INT || key.kind == SHF_KEY_UINT) {
        memcpy(&key.as.uint_value, bytes, sizeof key.as.uint_value);
    } else {
        key.as.bytes = (shf_slice){bytes, kept->size};
    }
    shf_status status = shf_lookup_locate_key(lookup, &key, index, routing, &kept->shard, &stored, error);
    if (status) return status;
    if (stored.bytes.size) memmove(bytes, stored.bytes.data, stored.bytes.size);
    kept->size = stored.bytes.size;
    kept->kind = 0;
    return SHF_OK;
}

shf_status shf_lookup_route_kept(struct shf_lookup_op *lookup, struct shf_error **error) {
    const struct shf_lookup_keys no_context = {.count = lookup->count};
    struct shf_routing routing;
    shf_status status = SHF_OK;
    shf_lookup_begin_routing(lookup, &no_context, &routing);
    for (size_t i = 0; i < lookup->count && !status; i++) {
        if (i % CHECK_EVERY == 0) status = shf_op_check(&lookup->base.op, error);
        if (!status) status = route_one(lookup, i, &routing, error);
    }
    shf_routing_end(&routing);
    return status;
}
