/* The inside of the key-value reader: one stored row, and how its key compares. */
#ifndef SHF_FORMATS_KV_PRIV_H
#define SHF_FORMATS_KV_PRIV_H

#include "formats/kv.h"
#include "formats/sqlite_priv.h"

#include <string.h>

/* The key of a stored record: header parsed, values not yet. */
struct shf_kv_stored {
    struct shf_sqlite_payload payload;
    const uint8_t *next_type; /* where the serial type of the value is */
    uint32_t header_size;     /* the key begins here, in the local part */
    bool is_blob;
    uint64_t size;
};

static inline bool shf_kv_decode(const struct shf_sqlite_payload *payload, struct shf_kv_stored *out) {
    const uint8_t *at = payload->local, *end = at + payload->local_size;
    uint64_t header_size, serial;
    if (!shf_sqlite_varint(&at, end, &header_size) || header_size > payload->local_size) return false;
    if (!shf_sqlite_varint(&at, payload->local + header_size, &serial)) return false;
    if (!shf_sqlite_serial_size(serial, &out->size) || out->size > payload->size - header_size) return false;
    out->payload = *payload;
    out->next_type = at;
    out->header_size = (uint32_t)header_size;
    out->is_blob = serial >= 12 && serial % 2 == 0;
    return true;
}

/* Compares the rest of a key, from byte `at` on (the first in the chain), with the rest of the probe. */
shf_status shf_kv_compare_chain(const struct shf_sqlite *db, const struct shf_kv_stored *key, uint64_t at,
                                const uint8_t *probe, size_t probe_size, int *order, struct shf_error **error);

/* *order: negative when the stored key is less than the probe. The chain is read only when the local part is not enough. */
static inline shf_status shf_kv_compare(const struct shf_sqlite *db, const struct shf_kv_stored *key,
                                        const uint8_t *probe, size_t probe_size, int *order, struct shf_error **error) {
    if (!key->is_blob) {
        *order = -1; /* NULL < numbers < text < blob */
        return SHF_OK;
    }
    uint64_t local = key->payload.local_size - key->header_size;
    if (local > key->size) local = key->size;
    size_t common = local < probe_size ? (size_t)local : probe_size;
    *order = common ? memcmp(key->payload.local + key->header_size, probe, common) : 0;
    if (*order != 0) return SHF_OK;
    if (local < key->size && local < probe_size)
        return shf_kv_compare_chain(db, key, local, probe, probe_size, order, error);
    *order = key->size < probe_size ? -1 : key->size > probe_size;
    return SHF_OK;
}

/* What `key` is the key of. */
shf_status shf_kv_take_value(const struct shf_kv_stored *key, uint32_t page, struct shf_kv_value *value,
                             struct shf_error **error);

#endif
