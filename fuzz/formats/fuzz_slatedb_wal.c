/*
 * The WAL of a SlateDB database. First byte 0: bytes of the sorted form, whose checksums are made right. Another one:
 * objects of a WAL (u16 size before each, the last takes the rest), sealed and replayed; the sorted form that comes out
 * must be sound, and must find the newest row of every key that a plain walk of the objects saw.
 */
#include "base/hash.h"
#include "formats/slatedb/wal.h"
#include "fuzz_entry.h"
#include "slatedb_support.h"

#define OBJECTS 8u
#define MODEL 400u

struct sink {
    struct shf_slatedb_sink base;
    uint8_t *bytes;
    size_t size;
};
static shf_status keep(struct shf_slatedb_sink *base, uint64_t offset, const void *data, size_t size,
                       struct shf_error **error) {
    struct sink *sink = (struct sink *)base;
    (void)error;
    if (offset + size > sink->size) {
        sink->bytes = realloc(sink->bytes, offset + size);
        sink->size = offset + size;
    }
    demand(sink->bytes != NULL && size > 0);
    memcpy(sink->bytes + offset, data, size);
    return SHF_OK;
}

/* ---- the sorted form ---- */

static void use_form(const uint8_t *bytes, size_t size) {
    struct shf_slatedb_sorted sorted;
    struct shf_slatedb_row row, found_row;
    struct shf_error *error = NULL;
    bool found;
    if (shf_slatedb_sorted_open(bytes, size, &sorted, &error)) {
        demand(error != NULL);
        shf_error_free(error);
        return;
    }
    bool is_sound = shf_slatedb_sorted_verify(&sorted, NULL) == SHF_OK;
    for (uint64_t i = 0; i < sorted.row_count; i++) {
        shf_status status = shf_slatedb_sorted_row(&sorted, i, &row, NULL);
        demand(!is_sound || !status);
        if (status) continue;
        status = shf_slatedb_sorted_find(&sorted, row.key, &found, &found_row, NULL);
        if (is_sound) demand(!status && found && found_row.key.data == row.key.data && found_row.seq == row.seq);
        if (row.key.size == 0) continue;
        status = shf_slatedb_sorted_find(&sorted, (struct shf_slatedb_bytes){row.key.data, row.key.size - 1}, &found,
                                         &found_row, NULL);
        demand(!is_sound || !status);
    }
}

static void fuzz_form(const uint8_t *data, size_t size) {
    uint8_t *bytes = copy_of(data, size);
    if (size >= SHF_SLATEDB_SORTED_HEADER) {
        uint64_t sum = 0;
        size_t at = SHF_SLATEDB_SORTED_HEADER;
        for (; at < size; at += SHF_SLATEDB_SORTED_PIECE) {
            size_t left = size - at;
            sum = shf_slatedb_sorted_add(sum, bytes + at,
                                         left < SHF_SLATEDB_SORTED_PIECE ? left : SHF_SLATEDB_SORTED_PIECE);
        }
        shf_store_u64le(bytes + 24, size);
        shf_store_u64le(bytes + 56, sum);
        shf_store_u64le(bytes + 64, shf_hash64(bytes, 64));
    }
    use_form(bytes, size);
    free(bytes);
}

/* ---- the replay ---- */

struct model_row {
    uint8_t *key;
    size_t key_size, value_size;
    uint64_t seq;
    enum shf_slatedb_row_kind kind;
};
struct model {
    struct model_row rows[MODEL];
    unsigned count;
    bool is_full;
};

static void note(struct model *model, const struct shf_slatedb_row *row) {
    unsigned at = 0;
    while (at < model->count && (model->rows[at].key_size != row->key.size ||
                                 memcmp(model->rows[at].key, row->key.data, row->key.size) != 0)) {
        at++;
    }
    if (at == MODEL) {
        model->is_full = true;
        return;
    }
    struct model_row *to = &model->rows[at];
    if (at == model->count) {
        to->key = copy_of(row->key.data, row->key.size);
        to->key_size = row->key.size;
        model->count++;
    } else if (row->seq < to->seq) {
        return;
    }
    to->seq = row->seq;
    to->kind = row->kind;
    to->value_size = row->value.size;
}

/* Of an object that the replay took. */
static void walk(struct model *model, const uint8_t *file, size_t size, struct shf_budget *budget) {
    struct shf_slatedb_info info;
    struct shf_slatedb_table *table;
    uint64_t offset, part;
    if (size <= SHF_SLATEDB_FOOTER_BYTES) return;
    if (shf_slatedb_info_of_file(file, size, &info, NULL)) __builtin_trap();
    shf_slatedb_info_table_range(&info, &offset, &part);
    if (shf_slatedb_table_open(&info, file + offset, (size_t)part, budget, &table, NULL)) __builtin_trap();
    for (uint32_t i = 0; i < table->block_count; i++) {
        struct shf_slatedb_block block;
        struct shf_slatedb_row row;
        bool done = false;
        shf_slatedb_table_block_range(table, i, &offset, &part);
        if (shf_slatedb_block_open(&table->info, file + offset, (size_t)part, offset, true, budget, &block, NULL))
            __builtin_trap();
        struct shf_slatedb_rows rows = {.block = &block};
        while (shf_slatedb_rows_next(&rows, &done, &row, NULL) == SHF_OK && !done) note(model, &row);
        demand(done);
        shf_slatedb_rows_free(&rows);
        shf_slatedb_block_close(&block);
    }
    shf_slatedb_table_free(table);
}

static void compare(const struct model *model, const uint8_t *bytes, size_t size, uint64_t last_l0_seq) {
    struct shf_slatedb_sorted sorted;
    struct shf_slatedb_row row;
    bool found;
    if (shf_slatedb_sorted_open(bytes, size, &sorted, NULL)) __builtin_trap();
    if (shf_slatedb_sorted_verify(&sorted, NULL)) __builtin_trap();
    if (!model->is_full) demand(sorted.row_count <= model->count);
    for (unsigned i = 0; i < model->count && !model->is_full; i++) {
        const struct model_row *expected = &model->rows[i];
        struct shf_slatedb_bytes key = {expected->key, expected->key_size};
        if (shf_slatedb_sorted_find(&sorted, key, &found, &row, NULL)) __builtin_trap();
        demand(found == (expected->seq > last_l0_seq));
        if (found)
            demand(row.seq == expected->seq && row.kind == expected->kind && row.value.size == expected->value_size);
    }
    use_form(bytes, size);
}

static void fuzz_replay(uint64_t last_l0_seq, const uint8_t *data, size_t size) {
    struct shf_slatedb_manifest manifest = {.last_l0_seq = last_l0_seq, .replay_after_wal_id = 6};
    static struct model model;
    struct shf_slatedb_replay *replay;
    struct shf_budget budget;
    struct sink sink = {.base = {keep}};
    uint8_t *objects[OBJECTS] = {0}; /* they stay as long as the replay */
    shf_status status = SHF_OK;
    model.count = 0;
    model.is_full = false;
    shf_budget_init(&budget, FUZZ_BUDGET);
    if (shf_slatedb_replay_new(&manifest, &budget, &replay, NULL)) __builtin_trap();
    for (unsigned i = 0; i < OBJECTS && size >= 2 && !status; i++) {
        size_t part = (size_t)(data[0] | data[1] << 8);
        data += 2;
        size -= 2;
        if (part > size || i == OBJECTS - 1) part = size;
        uint8_t *object = objects[i] = copy_of(data, part);
        (void)seal_file(object, part);
        demand(shf_slatedb_replay_next_id(replay) == 7 + i);
        status = shf_slatedb_replay_add(replay, object, part, NULL);
        if (!status) walk(&model, object, part, &budget);
        data += part;
        size -= part;
    }
    if (!status) status = shf_slatedb_replay_write(replay, &sink.base, NULL);
    if (!status) compare(&model, sink.bytes, sink.size, last_l0_seq);
    shf_slatedb_replay_free(replay);
    for (unsigned i = 0; i < OBJECTS; i++) free(objects[i]);
    demand(atomic_load(&budget.used_bytes) == 0);
    for (unsigned i = 0; i < model.count; i++) free(model.rows[i].key);
    free(sink.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    if (data[0] == 0) {
        fuzz_form(data + 1, size - 1);
    } else {
        fuzz_replay(data[0] - 1u, data + 1, size - 1);
    }
    return 0;
}
