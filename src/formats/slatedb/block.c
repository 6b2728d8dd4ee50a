/* Opening a block, and finding a key in it. */
#include "formats/slatedb/block_priv.h"

#include "formats/slatedb/checksum_priv.h"

#include <inttypes.h>

static shf_status refuse(uint64_t offset, const char *what, struct shf_error **error) {
    return shf_error_set(error, SHF_E_CORRUPT, "SST: block at offset %" PRIu64 ": %s", offset, what);
}

/* Where rows end: the last two bytes count the offsets before them. */
static shf_status read_layout(struct shf_slatedb_block *block, size_t size, struct shf_error **error) {
    if (size < 2) return refuse(block->offset, "it is shorter than its end; damaged or encrypted", error);
    uint32_t count = shf_load_u16be(block->data + size - 2);
    if (size - 2 < (size_t)2 * count)
        return refuse(block->offset, "its offsets do not fit; damaged or encrypted", error);
    block->offset_count = count;
    block->rows_size = (uint32_t)(size - 2 - (size_t)2 * count);
    if ((count == 0) != (block->rows_size == 0)) {
        return refuse(block->offset, "it has rows without offsets, or offsets without rows", error);
    }
    if (count && shf_slatedb_block_offset(block, 0) != 0) {
        return refuse(block->offset, "its first row is not at its beginning; damaged or encrypted", error);
    }
    return SHF_OK;
}

shf_status shf_slatedb_block_open(const struct shf_slatedb_info *info, const uint8_t *stored, size_t size,
                                  uint64_t offset, bool checked, struct shf_budget *budget,
                                  struct shf_slatedb_block *out, struct shf_error **error) {
    struct shf_slatedb_unpacker unpacker = {.budget = budget};
    shf_status status = shf_slatedb_block_open_with(info, stored, size, offset, checked, &unpacker, out, error);
    shf_slatedb_unpacker_free(&unpacker);
    return status;
}

shf_status shf_slatedb_block_open_with(const struct shf_slatedb_info *info, const uint8_t *stored, size_t size,
                                       uint64_t offset, bool checked, struct shf_slatedb_unpacker *unpacker,
                                       struct shf_slatedb_block *out, struct shf_error **error) {
    struct shf_slatedb_block block = {.version = info->version, .offset = offset};
    block.memory.budget = unpacker->budget;
    if (size < SHF_SLATEDB_CHECKSUM_BYTES) return refuse(offset, "it is shorter than its checksum", error);
    if (size > SHF_LIMIT_SLATEDB_BLOCK_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "SST: block at offset %" PRIu64 ": it has %zu bytes; at most %u are read", offset, size,
                             SHF_LIMIT_SLATEDB_BLOCK_BYTES);
    }
    if (!checked && !shf_slatedb_checksum_is_right(stored, size)) return refuse(offset, "the checksum is wrong", error);
    size_t payload = size - SHF_SLATEDB_CHECKSUM_BYTES;
    shf_status status = SHF_OK;
    block.data = stored;
    if (info->codec != SHF_SLATEDB_PLAIN) {
        status = shf_slatedb_unpack(unpacker, info->codec, stored, payload, &block.memory, error);
        if (status && error) shf_error_prefix(error, "SST: block at offset %" PRIu64, offset);
        block.data = block.memory.data;
        payload = block.memory.size;
    }
    if (!status) status = read_layout(&block, payload, error);
    if (status) {
        shf_slatedb_memory_free(&block.memory);
        return status;
    }
    *out = block;
    return SHF_OK;
}

void shf_slatedb_block_close(struct shf_slatedb_block *block) {
    if (block->memory.budget) shf_slatedb_memory_free(&block->memory);
    *block = (struct shf_slatedb_block){0};
}

/* ---- version 2: restart points ---- */

/* Restart points of a block of the usual size are asked for all at once, not waited for one after the other. */
#define RESTARTS_AHEAD 16u

static void prefetch_restarts(const struct shf_slatedb_block *block) {
    if (block->offset_count > RESTARTS_AHEAD) return;
    for (uint32_t i = 0; i < block->offset_count; i++) {
        size_t at = shf_slatedb_block_offset(block, i);
        if (at < block->rows_size) __builtin_prefetch(block->data + at);
    }
}

/*
 * The last restart point whose key is below the target, the first where there is none: newer versions of a key may
 * stand right before a restart point that is equal to it.
 */
static shf_status find_restart(const struct shf_slatedb_block *block, struct shf_slatedb_bytes key, size_t *at,
                               struct shf_error **error) {
    uint32_t low = 0, high = block->offset_count;
    struct shf_slatedb_bytes restart;
    prefetch_restarts(block);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        shf_status status = shf_slatedb_row_key(block, shf_slatedb_block_offset(block, middle), &restart, error);
        if (status) return status;
        if (shf_slatedb_compare(restart, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *at = low ? shf_slatedb_block_offset(block, low - 1) : 0;
    return SHF_OK;
}

/*
 * Row after row, without putting keys together: `match` is how many bytes the last row's key, which is below the
 * target, has in common with it. A row that shares more than that differs from the target where the last one did; one
 * that shares as much or less is told by its suffix.
 */
static shf_status walk_second(const struct shf_slatedb_block *block, struct shf_slatedb_bytes key,
                              enum shf_slatedb_found *found, struct shf_slatedb_row *out, struct shf_error **error) {
    size_t at = 0, match = 0, last_size = 0;
    struct shf_slatedb_stored_row row;
    shf_status status = find_restart(block, key, &at, error);
    for (; !status && at < block->rows_size; at = row.end) {
        status = shf_slatedb_row_read(block, at, &row, error);
        if (status) return status;
        if (row.shared > last_size) {
            return shf_slatedb_row_refuse(block, at, "it shares more of a key than there is", error);
        }
        last_size = row.shared + row.suffix.size;
        if (row.shared > match) continue;
        struct shf_slatedb_bytes rest = {key.data + row.shared, key.size - row.shared};
        int order = shf_slatedb_compare(row.suffix, rest);
        if (order >= 0) {
            *found = order ? SHF_SLATEDB_PASSED : SHF_SLATEDB_HERE;
            *out = (struct shf_slatedb_row){key, row.value, row.seq, row.kind};
            return SHF_OK;
        }
        match = row.shared + shf_slatedb_common(row.suffix, rest);
    }
    *found = SHF_SLATEDB_BELOW;
    return status;
}

/* ---- version 1: every row has an offset ---- */

/* Compares first_key[0..shared) + suffix with the key. */
static int compare_parts(struct shf_slatedb_bytes first_key, const struct shf_slatedb_stored_row *row,
                         struct shf_slatedb_bytes key) {
    struct shf_slatedb_bytes front = {first_key.data, row->shared};
    struct shf_slatedb_bytes key_front = {key.data, key.size < row->shared ? key.size : row->shared};
    int order = shf_slatedb_compare(front, key_front);
    if (order) return order; /* also where the key is shorter than the front: that is greater then */
    struct shf_slatedb_bytes rest = {key.data + key_front.size, key.size - key_front.size};
    return shf_slatedb_compare(row->suffix, rest);
}

static shf_status find_first(const struct shf_slatedb_block *block, struct shf_slatedb_bytes key,
                             enum shf_slatedb_found *found, struct shf_slatedb_row *out, struct shf_error **error) {
    uint32_t low = 0, high = block->offset_count;
    struct shf_slatedb_stored_row first, row;
    *found = SHF_SLATEDB_BELOW;
    if (high == 0) return SHF_OK;
    shf_status status = shf_slatedb_row_read(block, 0, &first, error);
    if (status) return status;
    if (first.shared) return shf_slatedb_row_refuse(block, 0, "the first row shares its key", error);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t at = shf_slatedb_block_offset(block, middle);
        status = shf_slatedb_row_read(block, at, &row, error);
        if (status) return status;
        if (row.shared > first.suffix.size) {
            return shf_slatedb_row_refuse(block, at, "it shares more of a key than there is", error);
        }
        int order = compare_parts(first.suffix, &row, key);
        if (order < 0) {
            low = middle + 1;
            continue;
        }
        /* The leftmost that is not below is the answer; what was seen last on this side is it. */
        high = middle;
        *found = order ? SHF_SLATEDB_PASSED : SHF_SLATEDB_HERE;
        *out = (struct shf_slatedb_row){key, row.value, row.seq, row.kind};
    }
    return SHF_OK;
}

shf_status shf_slatedb_block_find(const struct shf_slatedb_block *block, struct shf_slatedb_bytes key,
                                  enum shf_slatedb_found *found, struct shf_slatedb_row *row, struct shf_error **error) {
    enum shf_slatedb_found answer = SHF_SLATEDB_BELOW;
    struct shf_slatedb_row seen = {0};
    shf_status status = block->version == 1 ? find_first(block, key, &answer, &seen, error)
                                            : walk_second(block, key, &answer, &seen, error);
    if (status) return status;
    *found = answer;
    if (answer == SHF_SLATEDB_HERE) *row = seen;
    return SHF_OK;
}
