/* Page 1: the header of the file (section 1.3), and the schema behind it. */
#include "formats/sqlite_build.h"

#define LIBRARY_VERSION 3040001u /* whose files these are like */

static void put_file_header(const struct shf_sqlite_build *build, uint8_t *page) {
    memset(page, 0, 100);
    memcpy(page, "SQLite format 3", 16);
    shf_store_u16be(page + 16, build->page_size == 65536 ? 1 : build->page_size);
    page[18] = page[19] = 1; /* a rollback journal, not WAL */
    page[21] = 64;
    page[22] = page[23] = 32;
    shf_store_u32be(page + 24, 1); /* change counter */
    shf_store_u32be(page + 28, build->next_page - 1);
    shf_store_u32be(page + 40, 1); /* schema cookie */
    shf_store_u32be(page + 44, 4); /* schema format */
    shf_store_u32be(page + 56, 1); /* UTF-8 */
    shf_store_u32be(page + 92, 1); /* the change counter for which the page count holds */
    shf_store_u32be(page + 96, LIBRARY_VERSION);
}

shf_status shf_sqlite_build_finish(struct shf_sqlite_build *build, const struct shf_build_schema_row *rows,
                                   size_t count, struct shf_error **error) {
    struct shf_build_tree tree;
    struct shf_record_build record;
    uint8_t *first, *page;
    shf_status status = shf_build_tree_begin(&tree, build, false, error);
    if (!status) status = shf_sqlite_build_alloc(build, build->page_size, &first, error);
    if (status) return status;
    tree.lists_leaves = true;
    for (size_t i = 0; i < count && !status; i++) {
        shf_record_begin(&record);
        shf_record_string(&record, rows[i].type);
        shf_record_string(&record, rows[i].name);
        shf_record_string(&record, rows[i].table);
        shf_record_integer(&record, rows[i].root);
        shf_record_string(&record, rows[i].sql);
        shf_record_end(&record);
        status = shf_build_table_add(&tree, (int64_t)i + 1, &record, error);
    }
    if (!status) status = shf_build_tree_finish_at_first(&tree, first, error);
    if (status) return status;
    put_file_header(build, first);
    status = shf_page_writer_page(&build->writer, 1, &page, error);
    if (status) return status;
    memcpy(page, first, build->page_size);
    return shf_page_writer_flush(&build->writer, error);
}
