/* The inside of the key-value reader: one stored row, and how its key compares. */
#ifndef SHF_FORMATS_KV_PRIV_H
#define SHF_FORMATS_KV_PRIV_H

#include "base/cursor.h"
#include "formats/kv_separators.h"
#include "formats/sqlite_priv.h"

#include <string.h>

/* A function that only prefetches has no effect in the eyes of GCC 12, which deletes calls of it; not so when inlined. */
#define SHF_KV_PREFETCHER static inline __attribute__((always_inline)) void

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
    const uint8_t *stored = key->payload.local + key->header_size;
    if (local >= 8 && probe_size >= 8) { /* most keys differ within eight bytes */
        uint64_t a = shf_load_u64be(stored), b = shf_load_u64be(probe);
        if (a != b) {
            *order = a < b ? -1 : 1;
            return SHF_OK;
        }
    }
    size_t common = local < probe_size ? (size_t)local : probe_size;
    *order = common ? memcmp(stored, probe, common) : 0;
    if (*order != 0) return SHF_OK;
    if (local < key->size && local < probe_size)
        return shf_kv_compare_chain(db, key, local, probe, probe_size, order, error);
    *order = key->size < probe_size ? -1 : key->size > probe_size;
    return SHF_OK;
}

/* ---- searching a page ---- */

/*
 * The cells of a page that may hold the key: [low, high). They are looked at in the very order in which SQLite does it, so
 * that a page whose cells are out of order gives the same answer here as there.
 */
struct shf_kv_hunt {
    uint32_t low, high;
};

static inline bool shf_kv_hunt_is_over(const struct shf_kv_hunt *hunt) { return hunt->low >= hunt->high; }
static inline uint32_t shf_kv_hunt_middle(const struct shf_kv_hunt *hunt) { return (hunt->low + hunt->high - 1) / 2; }

/* The key of the middle cell is less than the probe, or greater. */
static inline void shf_kv_hunt_step(struct shf_kv_hunt *hunt, bool is_less) {
    uint32_t middle = shf_kv_hunt_middle(hunt);
    if (is_less) {
        hunt->low = middle + 1;
    } else {
        hunt->high = middle;
    }
}

#define SHF_KV_LINE_BYTES 64u
#define SHF_KV_GUESS_BYTES 1024u /* to either side: several standard deviations of a row's place in a page of 4,096 */

SHF_KV_PREFETCHER shf_kv_fetch_lines(const uint8_t *bytes, uint32_t from, uint32_t to) {
    for (from -= from % SHF_KV_LINE_BYTES; from < to; from += SHF_KV_LINE_BYTES) __builtin_prefetch(bytes + from);
}

/*
 * Asks for a leaf before its header is there to say where its cells are: the lines of the header, and those within `reach`
 * of the guess, supposing that the rows were written in the order of their keys, which SQLite puts from the end of a page
 * downwards.
 */
SHF_KV_PREFETCHER shf_kv_fetch_leaf(const struct shf_sqlite *db, const struct shf_kv_place *place, uint32_t reach) {
    if (!shf_sqlite_page_exists(db, place->leaf)) return; /* opening it says so */
    const uint8_t *bytes = shf_sqlite_page_bytes(db, place->leaf);
    const uint32_t first = 2 * SHF_KV_LINE_BYTES;
    shf_kv_fetch_lines(bytes, 0, first);
    if (!place->is_guessed) return;
    uint32_t middle = first + (uint32_t)((1.0 - place->share) * (db->page_size - 2 * first));
    shf_kv_fetch_lines(bytes, middle > first + reach ? middle - reach : first,
                       middle + reach < db->page_size ? middle + reach : db->page_size);
}

/* What `key` is the key of. */
shf_status shf_kv_take_value(const struct shf_kv_stored *key, uint32_t page, struct shf_kv_value *value,
                             struct shf_error **error);

#endif
