/* Rowid tables: one row, and all rows in order. */
#include "formats/sqlite.h"
#include "formats/sqlite_priv.h"

/*
 * The cell with the wanted rowid (*equal), else the first with a greater one; cell_count when there is none. Cells are
 * looked at in the very order in which SQLite does it, so that a page whose rowids do not ascend gives the same answer here
 * as there. In an interior page an equal cell means that the row is in its child.
 */
static shf_status search_page(const struct shf_sqlite *db, const struct shf_sqlite_page *page, int64_t wanted,
                              uint32_t *out, bool *equal, struct shf_error **error) {
    uint32_t low = 0, high = page->cell_count, child;
    int64_t rowid;
    *equal = false;
    while (low < high) {
        uint32_t middle = (low + high - 1) / 2;
        if (!shf_sqlite_table_cell(db, page, middle, &child, &rowid, NULL)) {
            return shf_sqlite_bad_cell(error, page->number, middle);
        }
        if (rowid == wanted) {
            *out = middle;
            *equal = true;
            return SHF_OK;
        }
        if (rowid < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out = low;
    return SHF_OK;
}

shf_status shf_sqlite_row_find(const struct shf_sqlite *db, uint32_t root, int64_t rowid, bool *found,
                               struct shf_sqlite_payload *payload, struct shf_error **error) {
    uint32_t number = root, from = 0;
    for (uint32_t depth = 0; depth < SHF_LIMIT_BTREE_DEPTH; depth++) {
        struct shf_sqlite_page page;
        uint32_t cell = 0, child;
        int64_t stored;
        bool equal = false;
        shf_status status = shf_sqlite_page_open(db, number, false, from, &page, error);
        if (!status) status = search_page(db, &page, rowid, &cell, &equal, error);
        if (status) return status;
        if (page.is_leaf) {
            if (equal && !shf_sqlite_table_cell(db, &page, cell, &child, &stored, payload)) {
                return shf_sqlite_bad_cell(error, page.number, cell);
            }
            *found = equal;
            return SHF_OK;
        }
        child = page.right_child;
        if (cell < page.cell_count && !shf_sqlite_table_cell(db, &page, cell, &child, &stored, NULL)) {
            return shf_sqlite_bad_cell(error, page.number, cell);
        }
        from = number;
        number = child;
    }
    return shf_sqlite_too_deep(error, root);
}

static shf_status push(const struct shf_sqlite *db, struct shf_sqlite_scan *scan, uint32_t page,
                       struct shf_error **error) {
    if (scan->depth == SHF_LIMIT_BTREE_DEPTH) return shf_sqlite_too_deep(error, scan->root);
    if (scan->pages_seen++ >= db->page_count) {
        return shf_sqlite_corrupt(error, scan->root, "the tree has more pages than the file");
    }
    scan->stack[scan->depth].page = page;
    scan->stack[scan->depth].cell = 0;
    scan->depth++;
    return SHF_OK;
}

static shf_status check_order(struct shf_sqlite_scan *scan, uint32_t page, int64_t rowid, struct shf_error **error) {
    if (scan->has_last && rowid <= scan->last_rowid) return shf_sqlite_corrupt(error, page, "rowids do not ascend");
    scan->has_last = true;
    scan->last_rowid = rowid;
    return SHF_OK;
}

shf_status shf_sqlite_scan_next(const struct shf_sqlite *db, struct shf_sqlite_scan *scan, bool *done, int64_t *rowid,
                                struct shf_sqlite_payload *payload, struct shf_error **error) {
    shf_status status = SHF_OK;
    if (!scan->started) {
        scan->started = true;
        status = push(db, scan, scan->root, error);
    }
    while (!status && scan->depth > 0) { /* bounded by pages_seen and the cells of those pages */
        uint32_t top = scan->depth - 1, cell = scan->stack[top].cell, child;
        struct shf_sqlite_page page;
        status =
            shf_sqlite_page_open(db, scan->stack[top].page, false, top ? scan->stack[top - 1].page : 0, &page, error);
        if (status) break;
        if (cell > page.cell_count || (page.is_leaf && cell == page.cell_count)) {
            scan->depth--;
            continue;
        }
        scan->stack[top].cell++;
        int64_t key = 0;
        child = page.right_child;
        if (cell < page.cell_count && !shf_sqlite_table_cell(db, &page, cell, &child, &key, payload)) {
            return shf_sqlite_bad_cell(error, page.number, cell);
        }
        if (page.is_leaf) {
            status = check_order(scan, page.number, key, error);
            if (status) break;
            *rowid = key;
            *done = false;
            return SHF_OK;
        }
        status = push(db, scan, child, error);
    }
    if (!status) *done = true;
    return status;
}
