#include "formats/slatedb/scan_priv.h"

static void close_block(struct shf_scan_cursor *cursor) {
    shf_slatedb_rows_free(&cursor->rows);
    if (cursor->has_block) shf_slatedb_block_close(&cursor->block);
    cursor->has_block = false;
}

void shf_scan_cursor_close(struct shf_scan_cursor *cursor) {
    close_block(cursor);
    shf_slatedb_table_free(cursor->table);
    cursor->table = NULL;
}

static shf_status open_table(struct shf_scan_cursor *cursor, const struct shf_scan_place *place,
                             struct shf_error **error) {
    uint64_t offset, size;
    const uint8_t *bytes;
    cursor->sst = cursor->next_sst++;
    cursor->next_block = 0;
    const struct shf_slatedb_info *info = &place->manifest->ssts[cursor->sst].info;
    shf_slatedb_info_table_range(info, &offset, &size);
    shf_status status = place->source->read(place->source, cursor->sst, offset, size, &bytes, error);
    if (status) return status;
    return shf_slatedb_table_open(info, bytes, (size_t)size, place->unpacker->budget, &cursor->table, error);
}

static shf_status open_block(struct shf_scan_cursor *cursor, const struct shf_scan_place *place,
                             struct shf_error **error) {
    uint64_t offset, size;
    const uint8_t *bytes;
    shf_slatedb_table_block_range(cursor->table, cursor->next_block++, &offset, &size);
    shf_status status = place->source->read(place->source, cursor->sst, offset, size, &bytes, error);
    if (status) return status;
    status = shf_slatedb_block_open_with(&cursor->table->info, bytes, (size_t)size, offset, false, place->unpacker,
                                         &cursor->block, error);
    if (status) return status;
    cursor->has_block = true;
    cursor->rows = (struct shf_slatedb_rows){.block = &cursor->block};
    return SHF_OK;
}

static shf_status next_of_wal(struct shf_scan_cursor *cursor, bool *done, struct shf_error **error) {
    *done = cursor->next_row >= cursor->wal->row_count;
    return *done ? SHF_OK : shf_slatedb_sorted_row(cursor->wal, cursor->next_row++, &cursor->row, error);
}

/* Opens the next block, or the next SST; *done when there is none. */
static shf_status go_on(struct shf_scan_cursor *cursor, const struct shf_scan_place *place, bool *done,
                        struct shf_error **error) {
    if (cursor->table && cursor->next_block < cursor->table->block_count) return open_block(cursor, place, error);
    shf_slatedb_table_free(cursor->table);
    cursor->table = NULL;
    *done = cursor->next_sst == cursor->sst_end;
    return *done ? SHF_OK : open_table(cursor, place, error);
}

shf_status shf_scan_cursor_next(struct shf_scan_cursor *cursor, const struct shf_scan_place *place, bool *done,
                                struct shf_error **error) {
    shf_status status = SHF_OK;
    *done = false;
    if (cursor->wal) return next_of_wal(cursor, done, error);
    while (!status && !*done) {
        bool block_is_over = true;
        if (cursor->has_block) status = shf_slatedb_rows_next(&cursor->rows, &block_is_over, &cursor->row, error);
        if (status) return status;
        if (!block_is_over) {
            if (shf_slatedb_starts_with(cursor->row.key, cursor->segment->prefix) &&
                shf_slatedb_sst_may_hold(&place->manifest->ssts[cursor->sst], cursor->row.key)) {
                return SHF_OK;
            }
            continue;
        }
        close_block(cursor);
        status = go_on(cursor, place, done, error);
    }
    return status;
}
