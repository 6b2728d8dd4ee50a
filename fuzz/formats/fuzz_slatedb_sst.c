/*
 * An SST file of SlateDB, with the checksums made right: every row in order, and every key looked up, which must find
 * what a walk finds wherever the file keeps the order that it promises. An odd first byte leaves the checksums as they
 * are.
 */
#include "formats/slatedb/get.h"
#include "formats/slatedb/scan.h"
#include "fuzz_entry.h"
#include "slatedb_support.h"

struct file {
    struct shf_slatedb_bytes_source base;
    const uint8_t *data;
    size_t size;
};

static shf_status read_file(struct shf_slatedb_bytes_source *base, uint32_t sst, uint64_t offset, uint64_t size,
                            const uint8_t **bytes, struct shf_error **error) {
    const struct file *file = (const struct file *)base;
    demand(sst == 0);
    if (offset > file->size || size > file->size - offset) return shf_error_set(error, SHF_E_CORRUPT, "shorter");
    *bytes = file->data + offset;
    return SHF_OK;
}

static volatile uint8_t seen; /* so that the last byte of a value is read */

/* One lookup over the file as an L0 SST. Returns its status. */
static shf_status look_up(const struct file *file, const struct shf_slatedb_manifest *m,
                          const struct shf_slatedb_table *table, struct shf_budget *budget,
                          struct shf_slatedb_bytes key, bool *found, uint64_t *seq) {
    struct shf_slatedb_get get;
    struct shf_slatedb_block block = {0};
    enum shf_slatedb_answer answer = SHF_SLATEDB_ABSENT;
    shf_slatedb_get_begin(&get, m, NULL, key);
    shf_status status = shf_slatedb_get_step(&get, &answer, NULL);
    while (!status && answer != SHF_SLATEDB_FOUND && answer != SHF_SLATEDB_ABSENT) {
        demand(get.size > 0 && get.offset <= file->size && get.size <= file->size - get.offset);
        if (answer == SHF_SLATEDB_NEEDS_TABLE) {
            get.table = table;
        } else {
            shf_slatedb_block_close(&block);
            status = shf_slatedb_block_open(&table->info, file->data + get.offset, (size_t)get.size, get.offset, false,
                                            budget, &block, NULL);
            get.block = &block;
        }
        if (!status) status = shf_slatedb_get_step(&get, &answer, NULL);
    }
    *found = !status && answer == SHF_SLATEDB_FOUND;
    *seq = *found ? get.row.seq : 0;
    if (*found && get.row.value.size) seen = get.row.value.data[get.row.value.size - 1];
    shf_slatedb_block_close(&block);
    return status;
}

/* All rows of the scan; where the file keeps its promises, each must be found. */
static void scan(struct file *file, const struct shf_slatedb_manifest *m, const struct shf_slatedb_table *table,
                 struct shf_budget *budget, bool is_sound) {
    struct shf_slatedb_scan *scanner;
    struct shf_slatedb_row row;
    struct shf_error *error = NULL;
    bool done = false, found;
    uint64_t seq;
    unsigned rows = 0;
    if (shf_slatedb_scan_new(m, NULL, &file->base, budget, &scanner, NULL)) __builtin_trap();
    while (shf_slatedb_scan_next(scanner, &done, &row, &error) == SHF_OK && !done && rows++ < 200) {
        struct shf_slatedb_bytes key = {copy_of(row.key.data, row.key.size), row.key.size};
        shf_status status = look_up(file, m, table, budget, key, &found, &seq);
        if (is_sound) demand(!status && found && seq == row.seq);
        free((void *)(uintptr_t)key.data);
    }
    shf_error_free(error);
    shf_slatedb_scan_free(scanner);
}

/* The last key of all rows so far, and whether they keep the order. */
struct walk {
    uint8_t *last;
    size_t last_size;
    bool is_sound;
};

static void note(struct walk *walk, const struct shf_slatedb_row *row) {
    struct shf_slatedb_bytes last = {walk->last, walk->last_size};
    demand(row->key.size > 0 && row->key.size <= SHF_SLATEDB_KEY_BYTES);
    if (walk->last && shf_slatedb_compare(last, row->key) > 0) walk->is_sound = false;
    free(walk->last);
    walk->last = copy_of(row->key.data, row->key.size);
    walk->last_size = row->key.size;
}

/*
 * The bound of a block: above the last key before it, or equal to it and to the first key of the block; not above that.
 */
static bool bound_is_right(const struct shf_slatedb_table *table, uint32_t number, const struct walk *before,
                           const struct shf_slatedb_row *first) {
    const struct shf_slatedb_index_entry *entry = &table->entries[number];
    struct shf_slatedb_bytes bound = {table->index.data + entry->key_at, entry->key_size};
    struct shf_slatedb_bytes last = {before->last, before->last_size};
    if (shf_slatedb_compare(bound, first->key) > 0) return false;
    if (!before->last) return true;
    int order = shf_slatedb_compare(bound, last);
    return order > 0 || (order == 0 && shf_slatedb_compare(bound, first->key) == 0);
}

/*
 * Every row of a block; looking it up must not go astray. Version 2: the offsets must be those of rows that share
 * nothing.
 */
static void use_block(const struct shf_slatedb_table *table, uint32_t number, const struct shf_slatedb_block *block,
                      struct walk *walk) {
    struct shf_slatedb_rows rows = {.block = block};
    struct shf_slatedb_row row, found_row;
    enum shf_slatedb_found found;
    bool done = false;
    uint32_t offsets = 0;
    for (unsigned count = 0;; count++) {
        size_t at = rows.at;
        shf_status status = shf_slatedb_rows_next(&rows, &done, &row, NULL);
        if (status || count > 300) walk->is_sound = false;
        if (status || done || count > 300) break;
        if (offsets < block->offset_count && at == shf_load_u16be(block->data + block->rows_size + (size_t)2 * offsets)) {
            if (block->version == 2 && block->data[at] != 0) walk->is_sound = false;
            offsets++;
        }
        if (count == 0 && !bound_is_right(table, number, walk, &row)) walk->is_sound = false;
        note(walk, &row);
        struct shf_slatedb_bytes key = {walk->last, walk->last_size};
        (void)shf_slatedb_block_find(block, key, &found, &found_row, NULL);
    }
    if (offsets != block->offset_count) walk->is_sound = false;
    shf_slatedb_rows_free(&rows);
}

static void use(struct file *file, const struct shf_slatedb_info *info, struct shf_budget *budget) {
    struct shf_slatedb_sst sst = {
        .info = *info, .from = {.kind = SHF_SLATEDB_UNBOUNDED}, .to = {.kind = SHF_SLATEDB_UNBOUNDED}};
    struct shf_slatedb_segment segment = {.l0_count = 1};
    struct shf_slatedb_manifest m = {.ssts = &sst, .sst_count = 1, .segments = &segment, .segment_count = 1};
    struct shf_slatedb_table *table;
    struct walk walk = {.is_sound = true};
    uint64_t offset, size;
    shf_slatedb_info_table_range(info, &offset, &size);
    if (shf_slatedb_table_open(info, file->data + offset, (size_t)size, budget, &table, NULL)) return;
    if (table->filter.bits) walk.is_sound = false; /* it may deny what is there */
    for (uint32_t i = 0; i < table->block_count; i++) {
        struct shf_slatedb_block block;
        shf_slatedb_table_block_range(table, i, &offset, &size);
        demand(size > 0 && offset + size <= shf_slatedb_info_data_end(info));
        if (shf_slatedb_block_open(info, file->data + offset, (size_t)size, offset, false, budget, &block, NULL)) {
            walk.is_sound = false;
            continue;
        }
        use_block(table, i, &block, &walk);
        shf_slatedb_block_close(&block);
    }
    free(walk.last);
    scan(file, &m, table, budget, walk.is_sound);
    shf_slatedb_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_slatedb_info info;
    struct shf_budget budget;
    struct shf_error *error = NULL;
    if (size == 0) return 0;
    struct file file = {.base = {read_file}, .size = size - 1};
    uint8_t *bytes = copy_of(data + 1, size - 1);
    shf_budget_init(&budget, FUZZ_BUDGET);
    if (data[0] % 2 == 0) (void)seal_file(bytes, size - 1);
    file.data = bytes;
    if (shf_slatedb_info_of_file(bytes, size - 1, &info, &error)) {
        demand(error != NULL);
        shf_error_free(error);
    } else {
        use(&file, &info, &budget);
    }
    demand(atomic_load(&budget.used_bytes) == 0);
    free(bytes);
    return 0;
}
