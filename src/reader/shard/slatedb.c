/* A SlateDB database that is open: its tables, and looking a key up. */
#include "reader/shard/slatedb.h"

#include "base/alloc.h"
#include "base/arena.h"

#include <inttypes.h>

void shf_slatedb_free(struct shf_slatedb *slatedb) {
    if (!slatedb) return;
    for (uint32_t i = 0; slatedb->tables && i < slatedb->table_count; i++) {
        struct shf_slatedb_table_file *file = &slatedb->tables[i];
        shf_slatedb_table_free(file->table);
        shf_free(file->whole);
        shf_buf_release(file->file.buf);
    }
    shf_free(slatedb->tables);
    shf_free(slatedb->table_of);
    shf_buf_release(slatedb->wal_file.buf);
    shf_slatedb_manifest_free(slatedb->manifest);
    shf_budget_give(slatedb->budget, slatedb->charged_bytes);
    shf_free(slatedb);
}

/* ---- tables ---- */

static shf_status charge(struct shf_slatedb *slatedb, uint64_t bytes, const char *what, struct shf_error **error) {
    if (!shf_budget_take(slatedb->budget, bytes)) return shf_budget_refuse(slatedb->budget, bytes, what, error);
    slatedb->charged_bytes += bytes;
    return SHF_OK;
}

static shf_status open_table(struct shf_slatedb *slatedb, const struct shf_slatedb_sst *sst,
                             struct shf_slatedb_table_file *file, struct shf_error **error) {
    uint64_t offset, size, file_size = file->file.buf->size;
    shf_slatedb_info_table_range(&sst->info, &offset, &size);
    if (offset > file_size || size > file_size - offset) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "SST: the manifest says that its index ends at byte %" PRIu64 ", it has %" PRIu64 " bytes",
                             offset + size, file_size);
    }
    shf_status status = shf_slatedb_table_open(&sst->info, file->file.buf->data + offset, (size_t)size, slatedb->budget,
                                               &file->table, error);
    if (status) return status;
    uint64_t bytes = file->table->block_count / 8 + 1;
    status = charge(slatedb, bytes, "an SST", error);
    if (status) return status;
    file->whole = shf_alloc_zero(1, (size_t)bytes);
    return file->whole ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an SST");
}

static void name_sst(const struct shf_slatedb_sst *sst, struct shf_error **error) {
    const struct shf_slatedb_object object = {.kind = SHF_SLATEDB_SST, .ulid = sst->id};
    char name[SHF_SLATEDB_NAME_BYTES];
    shf_slatedb_name_format(&object, name);
    shf_error_prefix(error, "%s", name);
}

shf_status shf_slatedb_open_tables(struct shf_slatedb *slatedb, struct shf_error **error) {
    const struct shf_slatedb_manifest *manifest = slatedb->manifest;
    for (uint32_t place = 0; place < manifest->sst_count; place++) {
        struct shf_slatedb_table_file *file = &slatedb->tables[slatedb->table_of[place]];
        if (file->table) continue; /* in several places */
        shf_status status = open_table(slatedb, &manifest->ssts[place], file, error);
        if (status) {
            name_sst(&manifest->ssts[place], error);
            return status;
        }
    }
    return SHF_OK;
}

/* ---- looking up ---- */

static bool is_whole(const struct shf_slatedb_table_file *file, uint32_t block) {
    return atomic_load_explicit(&file->whole[block / 8], memory_order_relaxed) >> (block % 8) & 1;
}

/* The mapping can not change, so what was whole once is. */
static shf_status open_block(const struct shf_slatedb *slatedb, const struct shf_slatedb_get *get,
                             struct shf_slatedb_block *block, struct shf_error **error) {
    struct shf_slatedb_table_file *file = &slatedb->tables[slatedb->table_of[get->sst]];
    bool was_whole = is_whole(file, get->block_number);
    shf_status status = shf_slatedb_block_open(&file->table->info, file->file.buf->data + get->offset,
                                               (size_t)get->size, get->offset, was_whole, slatedb->budget, block, error);
    if (!status && !was_whole) {
        unsigned char bit = (unsigned char)(1u << (get->block_number % 8));
        (void)atomic_fetch_or_explicit(&file->whole[get->block_number / 8], bit, memory_order_relaxed);
    }
    return status;
}

/* Where the value lies. The block moves out where it holds it. */
static void take_found(const struct shf_slatedb *slatedb, const struct shf_slatedb_get *get, bool from_sst,
                       struct shf_slatedb_block *block, struct shf_slatedb_value *out) {
    *out = (struct shf_slatedb_value){.is_there = true, .value = get->row.value};
    if (!from_sst) {
        out->mapping = slatedb->wal_file.buf;
    } else if (!block->memory.data) {
        out->mapping = slatedb->tables[slatedb->table_of[get->sst]].file.buf;
    } else {
        out->block = *block;
        *block = (struct shf_slatedb_block){0};
    }
}

shf_status shf_slatedb_look_up(const struct shf_slatedb *slatedb, const void *key, size_t key_size,
                               struct shf_slatedb_value *out, struct shf_error **error) {
    const struct shf_slatedb_bytes wanted = {key, key_size};
    struct shf_slatedb_block block = {0};
    struct shf_slatedb_get get;
    enum shf_slatedb_answer answer;
    bool from_sst = false;
    *out = (struct shf_slatedb_value){0};
    shf_slatedb_get_begin(&get, slatedb->manifest, slatedb->wal_file.buf ? &slatedb->wal : NULL, wanted);
    for (;;) {
        shf_status status = shf_slatedb_get_step(&get, &answer, error);
        if (!status && answer == SHF_SLATEDB_NEEDS_TABLE) {
            get.table = slatedb->tables[slatedb->table_of[get.sst]].table;
            continue;
        }
        if (!status && answer == SHF_SLATEDB_NEEDS_BLOCK) {
            shf_slatedb_block_close(&block);
            from_sst = true;
            status = open_block(slatedb, &get, &block, error);
            get.block = &block;
            if (!status) continue;
        }
        if (status && from_sst) name_sst(&slatedb->manifest->ssts[get.sst], error);
        if (!status && answer == SHF_SLATEDB_FOUND) take_found(slatedb, &get, from_sst, &block, out);
        shf_slatedb_block_close(&block);
        return status;
    }
}
