/* Taking the rows of WAL objects in. */
#include "formats/slatedb/wal_priv.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/slatedb/sorted_priv.h"

#include <inttypes.h>

#define CHUNK_BYTES (256u << 10)
#define LEAST_ROWS 256u

shf_status shf_slatedb_replay_new(const struct shf_slatedb_manifest *manifest, struct shf_budget *budget,
                                  struct shf_slatedb_replay **out, struct shf_error **error) {
    struct shf_slatedb_replay *replay;
    if (!shf_budget_take(budget, sizeof *replay)) return shf_budget_refuse(budget, sizeof *replay, "a WAL", error);
    replay = shf_alloc_zero(1, sizeof *replay);
    if (!replay) {
        shf_budget_give(budget, sizeof *replay);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to replay a WAL");
    }
    replay->budget = replay->arena.budget = replay->unpacker.budget = budget;
    replay->replay_after_wal_id = manifest->replay_after_wal_id;
    replay->next_id = manifest->replay_after_wal_id + 1;
    replay->last_l0_seq = manifest->last_l0_seq;
    *out = replay;
    return SHF_OK;
}

void shf_slatedb_replay_free(struct shf_slatedb_replay *replay) {
    if (!replay) return;
    struct shf_budget *budget = replay->budget;
    shf_arena_free(&replay->arena);
    shf_slatedb_unpacker_free(&replay->unpacker);
    shf_budget_give(budget, replay->row_capacity * sizeof *replay->rows);
    shf_free(replay->rows);
    shf_free(replay);
    shf_budget_give(budget, sizeof *replay);
}

uint64_t shf_slatedb_replay_next_id(const struct shf_slatedb_replay *replay) { return replay->next_id; }

/* ---- rows ---- */

static shf_status reserve_row(struct shf_slatedb_replay *replay, struct shf_error **error) {
    if (replay->row_count < replay->row_capacity) return SHF_OK;
    if (replay->row_count >= SHF_LIMIT_SLATEDB_WAL_ROWS) {
        return shf_error_set(error, SHF_E_LIMIT, "WAL: more than %u rows", SHF_LIMIT_SLATEDB_WAL_ROWS);
    }
    uint64_t capacity = replay->row_capacity < LEAST_ROWS ? LEAST_ROWS : replay->row_capacity * 2;
    uint64_t more = (capacity - replay->row_capacity) * sizeof *replay->rows;
    if (!shf_budget_take(replay->budget, more)) {
        return shf_budget_refuse(replay->budget, more, "the rows of a WAL", error);
    }
    struct shf_replay_row *larger = shf_realloc_array(replay->rows, (size_t)capacity, sizeof *larger);
    if (!larger) {
        shf_budget_give(replay->budget, more);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the rows of a WAL");
    }
    replay->rows = larger;
    replay->row_capacity = capacity;
    return SHF_OK;
}

/* A copy: in a chunk that it shares, or by itself where it is large. NULL without memory. */
static const uint8_t *keep(struct shf_slatedb_replay *replay, struct shf_slatedb_bytes bytes) {
    uint8_t *copy;
    if (bytes.size > CHUNK_BYTES / 4) {
        copy = shf_arena_alloc(&replay->arena, bytes.size, 1);
        return copy ? memcpy(copy, bytes.data, bytes.size) : NULL;
    }
    if (bytes.size > replay->chunk_left || !replay->chunk) {
        uint8_t *chunk = shf_arena_alloc(&replay->arena, CHUNK_BYTES, 1);
        if (!chunk) return NULL;
        replay->chunk = chunk;
        replay->chunk_left = CHUNK_BYTES;
    }
    copy = replay->chunk + (CHUNK_BYTES - replay->chunk_left);
    if (bytes.size) memcpy(copy, bytes.data, bytes.size);
    replay->chunk_left -= bytes.size;
    return copy;
}

/* Sorting compares the bytes behind it, which mostly tell. */
static void note_prefix(struct shf_slatedb_replay *replay, struct shf_slatedb_bytes key) {
    struct shf_slatedb_bytes first = replay->row_count ? shf_replay_key(&replay->rows[0]) : key;
    if (replay->row_count) first.size = replay->prefix_size;
    replay->prefix_size = shf_slatedb_common(first, key);
}

/* value_stays: as long as the replay. */
static shf_status add_row(struct shf_slatedb_replay *replay, const struct shf_slatedb_row *row, bool value_stays,
                          struct shf_error **error) {
    if (row->seq <= replay->last_l0_seq) return SHF_OK;
    shf_status status = reserve_row(replay, error);
    if (status) return status;
    const uint8_t *key = keep(replay, row->key);
    const uint8_t *value = value_stays || !key ? row->value.data : keep(replay, row->value);
    if (!key || (row->value.size && !value)) return shf_arena_refuse(&replay->arena, "the rows of a WAL", error);
    note_prefix(replay, row->key);
    replay->rows[replay->row_count++] = (struct shf_replay_row){.seq = row->seq,
                                                                .key = key,
                                                                .value = value,
                                                                .value_size = (uint32_t)row->value.size,
                                                                .key_size = (uint16_t)row->key.size,
                                                                .kind = (uint8_t)row->kind};
    return SHF_OK;
}

/* ---- objects ---- */

static shf_status add_block(struct shf_slatedb_replay *replay, const struct shf_slatedb_table *table, uint32_t number,
                            const uint8_t *data, struct shf_error **error) {
    struct shf_slatedb_block block;
    uint64_t offset, size;
    bool done = false;
    shf_slatedb_table_block_range(table, number, &offset, &size);
    shf_status status = shf_slatedb_block_open_with(&table->info, data + offset, (size_t)size, offset, false,
                                                    &replay->unpacker, &block, error);
    if (status) return status;
    struct shf_slatedb_rows rows = {.block = &block};
    struct shf_slatedb_row row;
    while (!status) {
        status = shf_slatedb_rows_next(&rows, &done, &row, error);
        if (status || done) break;
        status = add_row(replay, &row, !block.memory.data, error);
    }
    shf_slatedb_rows_free(&rows);
    shf_slatedb_block_close(&block);
    return status;
}

static shf_status add_object(struct shf_slatedb_replay *replay, const uint8_t *data, size_t size,
                             struct shf_error **error) {
    struct shf_slatedb_info info;
    struct shf_slatedb_table *table;
    uint64_t offset, table_size;
    if (size <= SHF_SLATEDB_FOOTER_BYTES) return SHF_OK; /* a fence */
    shf_status status = shf_slatedb_info_of_file(data, size, &info, error);
    if (status) return status;
    shf_slatedb_info_table_range(&info, &offset, &table_size);
    status = shf_slatedb_table_open(&info, data + offset, (size_t)table_size, replay->budget, &table, error);
    if (status) return status;
    for (uint32_t i = 0; i < table->block_count && !status; i++) status = add_block(replay, table, i, data, error);
    shf_slatedb_table_free(table);
    return status;
}

shf_status shf_slatedb_replay_add(struct shf_slatedb_replay *replay, const uint8_t *data, size_t size,
                                  struct shf_error **error) {
    if (replay->is_over) {
        return shf_error_set(error, SHF_E_INTERNAL, "a WAL was replayed on after its end, or after an error");
    }
    if (replay->next_id == UINT64_MAX)
        return shf_error_set(error, SHF_E_CORRUPT, "WAL: no id follows that of the object");
    shf_status status = add_object(replay, data, size, error);
    replay->next_id++;
    if (status) replay->is_over = true;
    return status;
}
