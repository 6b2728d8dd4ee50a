/* One row, in version 1 and 2; all rows of a block in order. */
#include "formats/slatedb/block_priv.h"

#include "base/alloc.h"

#include <inttypes.h>

#define FLAG_TOMBSTONE 0x01u
#define FLAG_EXPIRE 0x02u
#define FLAG_CREATE 0x04u
#define FLAG_MERGE 0x08u
#define FLAGS_KNOWN (FLAG_TOMBSTONE | FLAG_EXPIRE | FLAG_CREATE | FLAG_MERGE)

#define LEAST_KEY_CAPACITY 256u

shf_status shf_slatedb_row_refuse(const struct shf_slatedb_block *block, size_t at, const char *what,
                                  struct shf_error **error) {
    return shf_error_set(error, SHF_E_CORRUPT, "SST: block at offset %" PRIu64 ": row at %zu: %s", block->offset, at,
                         what);
}

/* At most five bytes, 32 bits: the fifth has four of them, and so it is the last. */
static bool read_long_varint(struct shf_cursor *c, uint32_t *out) {
    uint32_t value = 0;
    uint8_t byte;
    for (unsigned shift = 0;; shift += 7) {
        if (!shf_cursor_u8(c, &byte) || (shift == 28 && byte > 15)) return false;
        value |= (uint32_t)(byte & 127u) << shift;
        if (byte < 128) break;
    }
    *out = value;
    return true;
}

/* Nearly all have one byte. Only copies are given away, so that the cursor of a row can stay in registers. */
static inline bool read_varint(struct shf_cursor *c, uint32_t *out) {
    if (c->left && c->at[0] < 128) {
        *out = *c->at++;
        c->left--;
        return true;
    }
    struct shf_cursor copy = *c;
    uint32_t value = 0;
    if (!read_long_varint(&copy, &value)) return false;
    *c = copy;
    *out = value;
    return true;
}

/* Sequence number, flags, times (which nobody asks for). */
static inline bool read_meta(struct shf_cursor *c, struct shf_slatedb_stored_row *row, uint8_t *flags) {
    const uint8_t *p;
    if (!shf_cursor_bytes(c, 8, &p) || !shf_cursor_u8(c, flags)) return false;
    row->seq = shf_load_u64be(p);
    row->kind = *flags & FLAG_TOMBSTONE ? SHF_SLATEDB_TOMBSTONE
                : *flags & FLAG_MERGE   ? SHF_SLATEDB_MERGE
                                        : SHF_SLATEDB_VALUE;
    return shf_cursor_skip(c, (*flags & FLAG_EXPIRE ? 8u : 0u) + (*flags & FLAG_CREATE ? 8u : 0u));
}

static bool flags_are_known(uint8_t flags) {
    return !(flags & ~FLAGS_KNOWN) && (flags & (FLAG_TOMBSTONE | FLAG_MERGE)) != (FLAG_TOMBSTONE | FLAG_MERGE);
}

static inline bool read_first(struct shf_cursor *c, struct shf_slatedb_stored_row *row, uint8_t *flags) {
    uint16_t shared, suffix_size;
    uint32_t value_size;
    if (!shf_cursor_u16be(c, &shared) || !shf_cursor_u16be(c, &suffix_size)) return false;
    row->shared = shared;
    row->suffix.size = suffix_size;
    if (!shf_cursor_bytes(c, suffix_size, &row->suffix.data) || !read_meta(c, row, flags)) return false;
    if (row->kind == SHF_SLATEDB_TOMBSTONE) return true;
    if (!shf_cursor_u32be(c, &value_size) || !shf_cursor_bytes(c, value_size, &row->value.data)) return false;
    row->value.size = value_size;
    return true;
}

static inline bool read_second(struct shf_cursor *c, struct shf_slatedb_stored_row *row, uint8_t *flags) {
    uint32_t suffix_size, value_size;
    if (!read_varint(c, &row->shared) || !read_varint(c, &suffix_size) || !read_varint(c, &value_size)) return false;
    row->suffix.size = suffix_size;
    row->value.size = value_size;
    return shf_cursor_bytes(c, suffix_size, &row->suffix.data) && shf_cursor_bytes(c, value_size, &row->value.data) &&
           read_meta(c, row, flags);
}

static shf_status refuse_key_size(const struct shf_slatedb_block *block, size_t at, struct shf_error **error) {
    return shf_slatedb_row_refuse(block, at, "its key has no byte, or more than 65535", error);
}

shf_status shf_slatedb_row_key(const struct shf_slatedb_block *block, size_t at, struct shf_slatedb_bytes *out,
                               struct shf_error **error) {
    uint32_t shared, suffix_size, value_size;
    const uint8_t *suffix;
    if (at >= block->rows_size) return shf_slatedb_row_refuse(block, at, "it lies behind the rows", error);
    struct shf_cursor c = shf_cursor_of(block->data + at, block->rows_size - at);
    if (!read_varint(&c, &shared) || !read_varint(&c, &suffix_size) || !read_varint(&c, &value_size) ||
        !shf_cursor_bytes(&c, suffix_size, &suffix)) {
        return shf_slatedb_row_refuse(block, at, "it is cut, or a length in it is wrong", error);
    }
    if (shared) return shf_slatedb_row_refuse(block, at, "a restart point shares its key", error);
    if (suffix_size == 0 || suffix_size > SHF_SLATEDB_KEY_BYTES) return refuse_key_size(block, at, error);
    *out = (struct shf_slatedb_bytes){suffix, suffix_size};
    return SHF_OK;
}

shf_status shf_slatedb_row_read(const struct shf_slatedb_block *block, size_t at, struct shf_slatedb_stored_row *out,
                                struct shf_error **error) {
    struct shf_slatedb_stored_row row = {0};
    uint8_t flags = 0;
    if (at >= block->rows_size) return shf_slatedb_row_refuse(block, at, "it lies behind the rows", error);
    struct shf_cursor c = shf_cursor_of(block->data + at, block->rows_size - at);
    bool is_whole = block->version == 1 ? read_first(&c, &row, &flags) : read_second(&c, &row, &flags);
    if (!is_whole) return shf_slatedb_row_refuse(block, at, "it is cut, or a length in it is wrong", error);
    if (!flags_are_known(flags)) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "SST: block at offset %" PRIu64
                             ": row at %zu: flags 0x%02x are not supported (it may come "
                             "from a newer SlateDB)",
                             block->offset, at, flags);
    }
    uint64_t key_size = (uint64_t)row.shared + row.suffix.size;
    if (key_size == 0 || key_size > SHF_SLATEDB_KEY_BYTES) return refuse_key_size(block, at, error);
    if (row.kind == SHF_SLATEDB_TOMBSTONE && row.value.size) {
        return shf_slatedb_row_refuse(block, at, "it is a tombstone with a value", error);
    }
    row.end = block->rows_size - c.left;
    *out = row;
    return SHF_OK;
}

/* ---- all rows ---- */

static shf_status reserve_key(struct shf_slatedb_rows *rows, size_t size, struct shf_error **error) {
    if (size <= rows->key_capacity) return SHF_OK;
    size_t capacity = size < LEAST_KEY_CAPACITY ? LEAST_KEY_CAPACITY : size * 2;
    uint8_t *larger = shf_realloc_array(rows->key, capacity, 1);
    if (!larger) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a key");
    rows->key = larger;
    rows->key_capacity = capacity;
    return SHF_OK;
}

/*
 * Version 2 shares with the row before, version 1 with the first row of the block. There the first key must be kept: it
 * stands in the block itself, whole.
 */
static shf_status make_key(struct shf_slatedb_rows *rows, size_t at, const struct shf_slatedb_stored_row *row,
                           struct shf_error **error) {
    struct shf_slatedb_stored_row first = {0};
    bool is_first_row = rows->next == 0;
    size_t other = rows->key_size;
    shf_status status = SHF_OK;
    if (rows->block->version == 1 && !is_first_row) {
        status = shf_slatedb_row_read(rows->block, shf_slatedb_block_offset(rows->block, 0), &first, error);
        if (status) return status;
        other = first.suffix.size;
    }
    if (row->shared > (is_first_row ? 0 : other)) {
        return shf_slatedb_row_refuse(rows->block, at, "it shares more of a key than there is", error);
    }
    status = reserve_key(rows, row->shared + row->suffix.size, error);
    if (status) return status;
    if (first.suffix.size && row->shared) memcpy(rows->key, first.suffix.data, row->shared);
    if (row->suffix.size) memcpy(rows->key + row->shared, row->suffix.data, row->suffix.size);
    rows->key_size = row->shared + row->suffix.size;
    return SHF_OK;
}

shf_status shf_slatedb_rows_next(struct shf_slatedb_rows *rows, bool *done, struct shf_slatedb_row *row,
                                 struct shf_error **error) {
    const struct shf_slatedb_block *block = rows->block;
    struct shf_slatedb_stored_row stored;
    bool is_over = block->version == 1 ? rows->next >= block->offset_count : rows->at >= block->rows_size;
    if (is_over) {
        *done = true;
        return SHF_OK;
    }
    size_t at = block->version == 1 ? shf_slatedb_block_offset(block, rows->next) : rows->at;
    if (at != rows->at) return shf_slatedb_row_refuse(block, at, "it does not follow the one before", error);
    shf_status status = shf_slatedb_row_read(block, at, &stored, error);
    if (!status) status = make_key(rows, at, &stored, error);
    if (status) return status;
    rows->at = stored.end;
    rows->next++;
    *done = false;
    *row = (struct shf_slatedb_row){{rows->key, rows->key_size}, stored.value, stored.seq, stored.kind};
    return SHF_OK;
}

void shf_slatedb_rows_free(struct shf_slatedb_rows *rows) {
    shf_free(rows->key);
    rows->key = NULL;
    rows->key_size = rows->key_capacity = 0;
}
