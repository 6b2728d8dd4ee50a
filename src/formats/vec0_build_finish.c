/* The end of the tables of vectors: the small ones that tell about the others, and the schema. */
#include "formats/vec0_build.h"

static shf_status finish_info(struct shf_sqlite_build *build, uint32_t *table_root, uint32_t *index_root,
                              struct shf_error **error) {
    static const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"CREATE_VERSION", -1},
                {"CREATE_VERSION_MAJOR", 0},
                {"CREATE_VERSION_MINOR", 1},
                {"CREATE_VERSION_PATCH", 9}}; /* in the order of the index, too */
    struct shf_build_tree table, index;
    struct shf_record_build record;
    shf_status status = shf_build_tree_begin(&table, build, false, error);
    if (!status) status = shf_build_tree_begin(&index, build, true, error);
    for (int i = 0; i < 4 && !status; i++) {
        shf_record_begin(&record);
        shf_record_string(&record, rows[i].key);
        if (rows[i].value < 0) {
            shf_record_string(&record, "v0.1.9");
        } else {
            shf_record_integer(&record, rows[i].value);
        }
        shf_record_end(&record);
        status = shf_build_table_add(&table, i + 1, &record, error);
        if (status) break;
        shf_record_begin(&record);
        shf_record_string(&record, rows[i].key);
        shf_record_integer(&record, i + 1);
        shf_record_end(&record);
        status = shf_build_index_add(&index, &record, error);
    }
    if (!status) status = shf_build_tree_finish(&table, table_root, error);
    return status ? status : shf_build_tree_finish(&index, index_root, error);
}

/* What AUTOINCREMENT has used up; nothing where nothing was inserted. */
static shf_status finish_sequence(const struct shf_vec0_build *vec, uint32_t *root, struct shf_error **error) {
    const char *const names[] = {"vec_index_rowids", "vec_index_chunks"};
    const int64_t last[] = {vec->rows - 1, (vec->rows - 1) / SHF_VEC0_SLOTS + 1};
    struct shf_build_tree tree;
    struct shf_record_build record;
    shf_status status = shf_build_tree_begin(&tree, vec->build, false, error);
    for (int i = 0; i < 2 && vec->rows > 0 && !status; i++) {
        shf_record_begin(&record);
        shf_record_string(&record, names[i]);
        shf_record_integer(&record, last[i]);
        shf_record_end(&record);
        status = shf_build_table_add(&tree, i + 1, &record, error);
    }
    return status ? status : shf_build_tree_finish(&tree, root, error);
}

shf_status shf_vec0_build_finish(struct shf_vec0_build *vec, struct shf_build_schema_row *rows, struct shf_error **error) {
    static const struct shf_build_schema_row schema[SHF_VEC0_SCHEMA_ROWS] = {
        {"table", "vec_index", "vec_index", NULL, 0},
        {"table", "vec_index_info", "vec_index_info",
         "CREATE TABLE \"vec_index_info\" (key text primary key, value any)", 0},
        {"index", "sqlite_autoindex_vec_index_info_1", "vec_index_info", NULL, 0},
        {"table", "vec_index_chunks", "vec_index_chunks",
         "CREATE TABLE \"vec_index_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,"
         "validity BLOB NOT NULL,rowids BLOB NOT NULL)",
         0},
        {"table", "sqlite_sequence", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)", 0},
        {"table", "vec_index_rowids", "vec_index_rowids",
         "CREATE TABLE \"vec_index_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id INTEGER,"
         "chunk_offset INTEGER)",
         0},
        {"table", "vec_index_vector_chunks00", "vec_index_vector_chunks00",
         "CREATE TABLE \"vec_index_vector_chunks00\"(rowid PRIMARY KEY,vectors BLOB NOT NULL)", 0},
        {"index", "sqlite_autoindex_vec_index_vector_chunks00_1", "vec_index_vector_chunks00", NULL, 0},
        {"table", "vec_payloads", "vec_payloads",
         "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)", 0},
        {"table", "vec_id_map", "vec_id_map",
         "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)", 0},
    };
    memcpy(rows, schema, sizeof schema);
    rows[0].sql = vec->sql;
    shf_status status = shf_vec0_build_end_rows(vec, error);
    if (!status) status = finish_info(vec->build, &rows[1].root, &rows[2].root, error);
    if (!status) status = shf_build_tree_finish(&vec->chunks, &rows[3].root, error);
    if (!status) status = finish_sequence(vec, &rows[4].root, error);
    if (!status) status = shf_build_tree_finish(&vec->rowids, &rows[5].root, error);
    if (!status) status = shf_build_tree_finish(&vec->vectors, &rows[6].root, error);
    if (!status) status = shf_build_tree_finish(&vec->vectors_index, &rows[7].root, error);
    if (!status) status = shf_build_tree_finish(&vec->payloads, &rows[8].root, error);
    return status ? status : shf_build_tree_finish(&vec->id_map, &rows[9].root, error);
}
