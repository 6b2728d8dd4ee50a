/* One row as bytes, in memory and in runs alike: written and read by the same process. */
#include "writer/rows_priv.h"

#include "base/cursor.h"
#include "formats/shard_build.h"

#define SMALLEST_PAGE 4096u

uint64_t shf_rows_word(struct shf_rows_key key, uint32_t depth) {
    uint32_t left = key.size - depth;
    if (left >= 8) return shf_load_u64be(key.at + depth);
    uint64_t word = 0;
    for (uint32_t i = 0; i < left; i++) word |= (uint64_t)key.at[depth + i] << (56 - 8 * i);
    return word;
}

int shf_rows_key_compare(struct shf_rows_key a, struct shf_rows_key b, uint32_t depth) {
    uint32_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > depth ? memcmp(a.at + depth, b.at + depth, shorter - depth) : 0;
    if (order) return order;
    return (a.size > b.size) - (a.size < b.size);
}

/* Whether an id of its own is stored, or a payload. */
static bool has_extra(const struct shf_rows_row *row, uint32_t vector_size) {
    return row->payload || (vector_size && !row->id_is_key);
}

static uint64_t padded(uint64_t size) { return (size + 7) & ~UINT64_C(7); }

static uint64_t id_text_size(const struct shf_rows_row *row, uint32_t vector_size) {
    return vector_size && !row->id_is_key && row->id_is_text ? row->id_text_size : 0;
}

uint64_t shf_rows_packed_size(const struct shf_rows_row *row, uint32_t vector_size) {
    uint64_t size = sizeof(struct shf_rows_head) + vector_size + (uint64_t)row->key_size + row->value_size;
    if (has_extra(row, vector_size)) {
        size += sizeof(struct shf_rows_extra) + id_text_size(row, vector_size);
        if (row->payload) size += row->payload_size;
    }
    return padded(size);
}

uint64_t shf_rows_given_bytes(const struct shf_rows_row *row, uint32_t vector_size) {
    uint64_t size = vector_size + (uint64_t)row->key_size + row->value_size + id_text_size(row, vector_size);
    if (vector_size && !row->id_is_key && !row->id_is_text) size += sizeof row->id_integer;
    if (row->payload) size += row->payload_size;
    return size;
}

uint64_t shf_rows_size_of(const uint8_t *packed, uint32_t vector_size) {
    struct shf_rows_head head = shf_rows_head_of(packed);
    uint64_t size = sizeof head + vector_size + (uint64_t)head.key_size + head.value_size;
    if (head.order & SHF_ROWS_EXTRA) {
        struct shf_rows_extra extra;
        memcpy(&extra, packed + sizeof head, sizeof extra);
        size += sizeof extra + (uint64_t)extra.id_text_size + extra.payload_size;
    }
    return padded(size);
}

static uint8_t *put(uint8_t *out, const void *data, size_t size) {
    if (size) memcpy(out, data, size);
    return out + size;
}

void shf_rows_pack(const struct shf_rows_row *row, uint32_t vector_size, uint64_t order, uint8_t *out) {
    bool extra = has_extra(row, vector_size);
    bool id_is_key = !vector_size || row->id_is_key;
    uint64_t flags = (extra ? SHF_ROWS_EXTRA : 0) | (id_is_key ? SHF_ROWS_ID_IS_KEY : 0) |
                     (!id_is_key && row->id_is_text ? SHF_ROWS_ID_IS_TEXT : 0) | (row->payload ? SHF_ROWS_PAYLOAD : 0);
    struct shf_rows_head head = {.order = order << 8 | flags,
                                 .hash = row->hash,
                                 .origin = row->origin,
                                 .key_size = row->key_size,
                                 .value_size = row->value_size};
    struct shf_rows_extra more = {.id_text_size = (uint32_t)id_text_size(row, vector_size),
                                  .payload_size = row->payload ? row->payload_size : 0,
                                  .id_integer = id_is_key ? 0 : row->id_integer};
    uint8_t *at = put(out, &head, sizeof head);
    if (extra) at = put(at, &more, sizeof more);
    at = put(at, row->vector, vector_size);
    at = put(at, row->key, row->key_size);
    at = put(at, row->value, row->value_size);
    if (extra) {
        at = put(at, row->id_text, more.id_text_size);
        at = put(at, row->payload, more.payload_size);
    }
    for (size_t size = (size_t)(at - out); size & 7; size++) *at++ = 0;
}

void shf_rows_unpack(const uint8_t *packed, uint32_t vector_size, struct shf_rows_row *out) {
    struct shf_rows_head head = shf_rows_head_of(packed);
    struct shf_rows_extra extra = {0};
    const uint8_t *at = packed + sizeof head;
    if (head.order & SHF_ROWS_EXTRA) {
        memcpy(&extra, at, sizeof extra);
        at += sizeof extra;
    }
    const uint8_t *key = at + vector_size, *value = key + head.key_size;
    const char *id_text = (const char *)value + head.value_size;
    *out = (struct shf_rows_row){.hash = head.hash,
                                 .origin = head.origin,
                                 .key = key,
                                 .value = value,
                                 .key_size = head.key_size,
                                 .value_size = head.value_size,
                                 .vector = vector_size ? at : NULL,
                                 .id_is_key = (head.order & SHF_ROWS_ID_IS_KEY) != 0,
                                 .id_is_text = (head.order & SHF_ROWS_ID_IS_TEXT) != 0,
                                 .id_integer = extra.id_integer};
    if (out->id_is_text) {
        out->id_text = id_text;
        out->id_text_size = extra.id_text_size;
    }
    if (head.order & SHF_ROWS_PAYLOAD) {
        out->payload = id_text + extra.id_text_size;
        out->payload_size = extra.payload_size;
    }
}

uint32_t shf_rows_misfits(uint64_t key_size, uint64_t value_size) {
    uint32_t misfits = 0;
    while (misfits < SHF_ROWS_PAGE_SIZES && !shf_shard_row_fits(SMALLEST_PAGE << misfits, key_size, value_size))
        misfits++;
    return misfits;
}
