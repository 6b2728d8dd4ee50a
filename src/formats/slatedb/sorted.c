#include "formats/slatedb/sorted.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "formats/slatedb/sorted_priv.h"

#include <inttypes.h>

static shf_status refuse(const char *what, struct shf_error **error) {
    return shf_error_set(error, SHF_E_CORRUPT, "sorted WAL: %s; remove the file, it is made anew", what);
}

uint64_t shf_slatedb_sorted_add(uint64_t sum, const uint8_t *piece, size_t size) {
    uint8_t both[16];
    shf_store_u64le(both, sum);
    shf_store_u64le(both + 8, shf_hash64(piece, size));
    return shf_hash64(both, sizeof both);
}

/* ---- rows ---- */

static uint64_t rows_begin(const struct shf_slatedb_sorted *sorted) {
    return SHF_SLATEDB_SORTED_HEADER + sorted->row_count * SHF_SORTED_ENTRY;
}

static const uint8_t *entry_at(const struct shf_slatedb_sorted *sorted, uint64_t index) {
    return sorted->data + SHF_SLATEDB_SORTED_HEADER + index * SHF_SORTED_ENTRY;
}

/* The row at an offset, and where it ends. False: it does not lie among the rows. */
static bool read_row(const struct shf_slatedb_sorted *sorted, uint64_t offset, struct shf_slatedb_row *row,
                     uint64_t *end) {
    if (offset < rows_begin(sorted) || offset >= sorted->size) return false;
    struct shf_cursor c = shf_cursor_of(sorted->data + offset, (size_t)(sorted->size - offset));
    const uint8_t *head;
    if (!shf_cursor_bytes(&c, SHF_SORTED_ROW, &head)) return false;
    row->key.size = (size_t)(head[0] | head[1] << 8);
    row->value.size = shf_load_u32le(head + 4);
    row->seq = shf_load_u64le(head + 8);
    if (head[2] > SHF_SLATEDB_MERGE || head[3] != 0 || row->key.size < sorted->prefix.size) return false;
    row->kind = (enum shf_slatedb_row_kind)head[2];
    if (!shf_cursor_bytes(&c, row->key.size, &row->key.data)) return false;
    if (!shf_cursor_bytes(&c, row->value.size, &row->value.data)) return false;
    *end = sorted->size - c.left;
    return true;
}

shf_status shf_slatedb_sorted_row(const struct shf_slatedb_sorted *sorted, uint64_t index, struct shf_slatedb_row *row,
                                  struct shf_error **error) {
    struct shf_slatedb_row read;
    uint64_t end;
    if (!read_row(sorted, shf_load_u64le(entry_at(sorted, index) + 8), &read, &end)) {
        return refuse("its index points to no row", error);
    }
    *row = read;
    return SHF_OK;
}

/* ---- opening ---- */

static bool read_header(const uint8_t *data, struct shf_slatedb_sorted *out, uint32_t *prefix_size) {
    *prefix_size = shf_load_u32le(data + 12);
    out->row_count = shf_load_u64le(data + 16);
    out->size = shf_load_u64le(data + 24);
    out->replay_after_wal_id = shf_load_u64le(data + 32);
    out->next_wal_id = shf_load_u64le(data + 40);
    out->last_l0_seq = shf_load_u64le(data + 48);
    out->checksum = shf_load_u64le(data + 56);
    return shf_load_u64le(data + 64) == shf_hash64(data, 64);
}

shf_status shf_slatedb_sorted_open(const uint8_t *data, uint64_t size, struct shf_slatedb_sorted *out,
                                   struct shf_error **error) {
    struct shf_slatedb_sorted sorted = {.data = data};
    struct shf_slatedb_row first;
    uint32_t prefix_size;
    if (size < SHF_SLATEDB_SORTED_HEADER || shf_load_u64le(data) != SHF_SORTED_MAGIC)
        return refuse("it is none", error);
    if (shf_load_u32le(data + 8) != SHF_SLATEDB_SORTED_VERSION) return refuse("it has another version", error);
    if (!read_header(data, &sorted, &prefix_size)) return refuse("the checksum of its header is wrong", error);
    if (sorted.size != size) return refuse("it has another size than it says", error);
    if (sorted.row_count > (size - SHF_SLATEDB_SORTED_HEADER) / (SHF_SORTED_ENTRY + SHF_SORTED_ROW)) {
        return refuse("it has no room for its rows", error);
    }
    if (sorted.row_count == 0) {
        if (size != SHF_SLATEDB_SORTED_HEADER || prefix_size) return refuse("it has no rows, but bytes", error);
        *out = sorted;
        return SHF_OK;
    }
    shf_status status = shf_slatedb_sorted_row(&sorted, 0, &first, error);
    if (status) return status;
    if (first.key.size < prefix_size) return refuse("its first key is shorter than all begin", error);
    sorted.prefix = (struct shf_slatedb_bytes){first.key.data, prefix_size};
    *out = sorted;
    return SHF_OK;
}

static shf_status check_checksum(const struct shf_slatedb_sorted *sorted, struct shf_error **error) {
    uint64_t sum = 0;
    for (uint64_t at = SHF_SLATEDB_SORTED_HEADER; at < sorted->size; at += SHF_SLATEDB_SORTED_PIECE) {
        uint64_t left = sorted->size - at;
        sum = shf_slatedb_sorted_add(sum, sorted->data + at,
                                     left < SHF_SLATEDB_SORTED_PIECE ? (size_t)left : SHF_SLATEDB_SORTED_PIECE);
    }
    return sum == sorted->checksum ? SHF_OK : refuse("its checksum is wrong", error);
}

shf_status shf_slatedb_sorted_verify(const struct shf_slatedb_sorted *sorted, struct shf_error **error) {
    struct shf_slatedb_row row, before = {0};
    uint64_t expected = rows_begin(sorted), end;
    shf_status status = check_checksum(sorted, error);
    if (status) return status;
    for (uint64_t i = 0; i < sorted->row_count; i++) {
        const uint8_t *entry = entry_at(sorted, i);
        if (shf_load_u64le(entry + 8) != expected || !read_row(sorted, expected, &row, &end)) {
            return refuse("its index points to no row", error);
        }
        if (!shf_slatedb_starts_with(row.key, sorted->prefix) ||
            shf_load_u64le(entry) != shf_slatedb_key_part(row.key, sorted->prefix.size)) {
            return refuse("its index does not fit the keys", error);
        }
        if (i ? shf_slatedb_compare(before.key, row.key) >= 0 : row.key.size == 0) {
            return refuse("its keys do not ascend", error);
        }
        before = row;
        expected = end;
    }
    return expected == sorted->size ? SHF_OK : refuse("bytes follow its rows", error);
}

/* ---- finding ---- */

static uint64_t part_at(const struct shf_slatedb_sorted *sorted, uint64_t index) {
    return shf_load_u64le(entry_at(sorted, index));
}

/*
 * Number of rows whose part is below. Waiting for memory is all that it costs: both places where it may go next are
 * asked for.
 */
static uint64_t count_below(const struct shf_slatedb_sorted *sorted, uint64_t part) {
    uint64_t begin = 0, count = sorted->row_count;
    while (count > 0) {
        uint64_t half = count / 2, quarter = half / 2;
        __builtin_prefetch(entry_at(sorted, begin + quarter));
        __builtin_prefetch(entry_at(sorted, begin + half + 1 + (count - half - 1) / 2));
        bool is_below = part_at(sorted, begin + half) < part;
        begin = is_below ? begin + half + 1 : begin;
        count = is_below ? count - half - 1 : half;
    }
    return begin;
}

/* Rows from `low` on whose part may be the same as the key's: the keys themselves tell. */
static shf_status find_among(const struct shf_slatedb_sorted *sorted, uint64_t low, uint64_t part,
                             struct shf_slatedb_bytes key, bool *found, struct shf_slatedb_row *row,
                             struct shf_error **error) {
    uint64_t high = sorted->row_count, middle = low; /* the first is most often it */
    struct shf_slatedb_row seen;
    while (low < high) {
        int order = part_at(sorted, middle) > part ? 1 : 0;
        if (order == 0) {
            shf_status status = shf_slatedb_sorted_row(sorted, middle, &seen, error);
            if (status) return status;
            order = shf_slatedb_compare(seen.key, key);
        }
        if (order == 0) {
            *found = true;
            *row = seen;
            return SHF_OK;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
        middle = low + (high - low) / 2;
    }
    return SHF_OK;
}

shf_status shf_slatedb_sorted_find(const struct shf_slatedb_sorted *sorted, struct shf_slatedb_bytes key, bool *found,
                                   struct shf_slatedb_row *row, struct shf_error **error) {
    *found = false;
    if (!shf_slatedb_starts_with(key, sorted->prefix)) return SHF_OK;
    uint64_t part = shf_slatedb_key_part(key, sorted->prefix.size);
    return find_among(sorted, count_below(sorted, part), part, key, found, row, error);
}
