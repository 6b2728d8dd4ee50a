/* Files made by libsqlite3 and damaged in one place, where the answer is known: libsqlite3's own, or an error that says it. */
#include "support.h"

#include "base/alloc.h"
#include "formats/kv.h"
#include "formats/manifest.h"
#include "formats/vec0.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 512u

static uint32_t load16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static void store16(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

struct file {
    uint8_t *bytes;
    size_t size;
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
};

/* A database of small pages, made by this SQL. */
static void make(struct file *file, const char *sql) {
    sqlite3 *oracle = db_new((int)PAGE, 0);
    struct shf_error *error = NULL;
    db_run(oracle, sql);
    file->bytes = db_bytes(oracle, &file->size);
    expect_ok(shf_sqlite_open(&file->db, file->bytes, file->size, &error), error);
    expect_ok(shf_sqlite_schema_load(&file->db, &file->schema, &error), error);
}

static void drop(struct file *file) {
    shf_sqlite_schema_free(&file->schema);
    free(file->bytes);
}

static uint32_t root_of(const struct file *file, const char *table) {
    return shf_sqlite_schema_table(&file->schema, table)->root;
}

static uint8_t *page_of(const struct file *file, const char *table) {
    return file->bytes + (size_t)(root_of(file, table) - 1) * PAGE;
}

/* A cell of a leaf. */
static uint8_t *cell_of(uint8_t *page, uint32_t cell) { return page + load16(page + 8 + 2 * cell); }

/* ---- rowid tables ---- */

static bool oracle_has(struct file *file, int64_t rowid) {
    sqlite3 *oracle;
    sqlite3_stmt *find;
    assert_int_equal(sqlite3_open(":memory:", &oracle), SQLITE_OK);
    assert_int_equal(sqlite3_deserialize(oracle, "main", file->bytes, (sqlite3_int64)file->size,
                                         (sqlite3_int64)file->size, SQLITE_DESERIALIZE_READONLY),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(oracle, "SELECT x FROM t WHERE id = ?", -1, &find, NULL), SQLITE_OK);
    sqlite3_bind_int64(find, 1, rowid);
    int status = sqlite3_step(find);
    assert_true(status == SQLITE_ROW || status == SQLITE_DONE);
    sqlite3_finalize(find);
    assert_int_equal(sqlite3_close(oracle), SQLITE_OK);
    return status == SQLITE_ROW;
}

/* Any two rows of a leaf, or children of an interior page, in each other's place: found are those that libsqlite3 finds. */
static void test_rows_out_of_order(void **state) {
    (void)state;
    struct file file;
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    unsigned lost = 0;
    make(
        &file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 9) INSERT INTO t SELECT i, 'x' FROM n");
    uint8_t *page = page_of(&file, "t");
    assert_int_equal(page[0], 13);
    for (uint32_t i = 0; i < 9; i++) {
        for (uint32_t j = 0; j < i; j++) {
            uint32_t a = load16(page + 8 + 2 * i), b = load16(page + 8 + 2 * j);
            store16(page + 8 + 2 * i, b);
            store16(page + 8 + 2 * j, a);
            for (int64_t rowid = 0; rowid <= 10; rowid++) {
                bool found;
                expect_ok(shf_sqlite_row_find(&file.db, root_of(&file, "t"), rowid, &found, &payload, &error), error);
                assert_int_equal(found, oracle_has(&file, rowid));
                lost += !found;
            }
            store16(page + 8 + 2 * i, a);
            store16(page + 8 + 2 * j, b);
        }
    }
    assert_true(lost > 2 * 36); /* more than the two that are never there */
    drop(&file);
}

/* SQLite passes over such a size in one way when it searches and in another when it reads; nobody writes one. */
static void test_size_of_nine_bytes(void **state) {
    (void)state;
    struct file file;
    struct shf_sqlite_payload payload;
    struct shf_sqlite_scan scan = {0};
    struct shf_error *error = NULL;
    int64_t rowid;
    bool found, done;
    make(&file, "CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (2, zeroblob(200))");
    uint8_t *cell = cell_of(page_of(&file, "t"), 0);
    memset(cell, 0x80, 8);
    cell[8] = 0x81;
    cell[9] = 2;
    expect_error(shf_sqlite_row_find(&file.db, root_of(&file, "t"), 2, &found, &payload, &error), &error, SHF_E_CORRUPT,
                 "cell 0 is malformed");
    scan.root = root_of(&file, "t");
    expect_error(shf_sqlite_scan_next(&file.db, &scan, &done, &rowid, &payload, &error), &error, SHF_E_CORRUPT,
                 "cell 0 is malformed");
    drop(&file);
}

static void test_row_that_goes_on_nowhere(void **state) {
    (void)state;
    struct file file;
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    bool found;
    make(&file, "CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, zeroblob(39 + 508 - 4))");
    uint8_t *cell = cell_of(page_of(&file, "t"), 0);
    memset(cell + 2 + 1 + 39, 0xff, 4); /* size, rowid, the least that stays in the page */
    expect_error(shf_sqlite_row_find(&file.db, root_of(&file, "t"), 1, &found, &payload, &error), &error, SHF_E_CORRUPT,
                 "cell 0 is malformed");
    expect_ok(shf_sqlite_row_find(&file.db, root_of(&file, "t"), 3, &found, &payload, &error), error);
    assert_false(found);
    drop(&file);
}

/* SQLite has no NaN: it stores NULL instead, and reads a stored one as NULL. */
static void test_not_a_number(void **state) {
    (void)state;
    struct file file;
    struct shf_sqlite_payload payload;
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    bool found;
    make(&file, "CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 1.5)");
    uint8_t *value = page_of(&file, "t") + PAGE - 8;
    for (unsigned sign = 0; sign < 2; sign++) {
        memcpy(value, (uint8_t[]){0x7f, 0xf8, 0, 0, 0, 0, 0, 1}, 8);
        value[0] |= (uint8_t)(sign << 7);
        expect_ok(shf_sqlite_row_find(&file.db, root_of(&file, "t"), 1, &found, &payload, &error), error);
        expect_ok(shf_sqlite_record_decode(&file.db, &payload, &record, &error), error);
        assert_int_equal(record.columns[1].type, SHF_SQLITE_NULL);
    }
    memcpy(value, (uint8_t[]){0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, 8); /* infinity is a number */
    expect_ok(shf_sqlite_record_decode(&file.db, &payload, &record, &error), error);
    assert_int_equal(record.columns[1].type, SHF_SQLITE_REAL);
    assert_true(record.columns[1].real == __builtin_inf());
    drop(&file);
}

/* ---- chains ---- */

/* A key whose chain ends early is an error where the end is needed, and only there. */
static void test_key_that_is_cut(void **state) {
    (void)state;
    struct file file;
    struct shf_kv kv;
    struct shf_kv_value value;
    struct shf_error *error = NULL;
    uint8_t key[2000];
    bool found;
    make(&file, "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
                "INSERT INTO kv VALUES (CAST(printf('%.2000c', 'k') AS BLOB), x'01')");
    expect_ok(shf_kv_open(&kv, &file.db, &file.schema, &error), error);
    memset(key, 'k', sizeof key);
    memset(page_of(&file, "kv") + PAGE, 0xff, 4); /* of the first overflow page: the number of the next */
    expect_error(look_up(&kv, key, sizeof key, &found, &value, &error), &error, SHF_E_CORRUPT,
                 "the overflow chain leads to page 4294967295 of 6");
    key[30] = 'j'; /* differs before the chain */
    expect_ok(look_up(&kv, key, sizeof key, &found, &value, &error), error);
    assert_false(found);
    drop(&file);
}

/* Rows whose payloads, of this size each, begin in the page with 39 bytes: all go on in the chain of the first. */
static void share_chain(uint8_t *page, uint32_t header) {
    uint32_t cells = load16(page + header + 3);
    const uint8_t *first = NULL;
    for (uint32_t i = 0; i < cells; i++) {
        uint8_t *cell = page + load16(page + header + 8 + 2 * i);
        size_t at = 0;
        while (cell[at] & 0x80) at++;
        at += 1 + 1 + 39;
        if (!first) first = cell + at;
        memmove(cell + at, first, 4);
    }
}

/* Keeps `pages` of them. */
static void cut_file(uint8_t *bytes, uint32_t pages) {
    bytes[28] = bytes[29] = 0;
    store16(bytes + 30, pages);
}

static void test_schema_larger_than_its_file(void **state) {
    (void)state;
    sqlite3 *oracle = db_new((int)PAGE, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    size_t size;
    /* A row is 16 bytes and its text: 39 in the page, 40 pages of 508. */
    db_run(oracle,
           "PRAGMA writable_schema=ON; CREATE TABLE t (a); DROP TABLE t;"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 7)"
           "INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, printf('%.*c', 39 + 40 * 508 - 16, 's')"
           " FROM n");
    uint8_t *bytes = db_bytes(oracle, &size);
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    assert_int_equal(schema.count, 7);
    shf_sqlite_schema_free(&schema);
    share_chain(bytes, 100);
    cut_file(bytes, 42);
    expect_ok(shf_sqlite_open(&db, bytes, (size_t)42 * PAGE, &error), error);
    expect_error(shf_sqlite_schema_load(&db, &schema, &error), &error, SHF_E_CORRUPT, "larger than the file");
    free(bytes);
}

static void test_manifest_larger_than_its_file(void **state) {
    (void)state;
    struct file file;
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    /* A row of shards is 13 bytes and its text. */
    make(&file,
         "CREATE TABLE build_meta (run_id, created_at, num_dbs, s3_prefix, key_col, sharding, db_path_template,"
         " shard_prefix, format_version, key_encoding, custom);"
         "CREATE TABLE shards (db_id INTEGER PRIMARY KEY, db_url, attempt, row_count, db_bytes, min_key, max_key,"
         " checkpoint_id, writer_info);"
         "INSERT INTO build_meta VALUES ('run', '2026-03-14T10:30:00.5Z', 9, 's3://b/p', '_key',"
         " '{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"hash\"}', 'db={db_id:05d}', 'shards', 4, 'u64be', '{}');"
         "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 6)"
         "INSERT INTO shards SELECT i, NULL, 0, 0, 0, NULL, NULL, NULL, printf('{}%.*c', 39 + 60 * 508 - 14, ' ')"
         " FROM n");
    expect_ok(shf_manifest_parse(file.bytes, file.size, &manifest, &error), error);
    assert_int_equal(manifest->shard_count, 7);
    shf_manifest_free(manifest);
    share_chain(page_of(&file, "shards"), 0);
    uint32_t kept = root_of(&file, "shards") + 60;
    cut_file(file.bytes, kept);
    expect_error(shf_manifest_parse(file.bytes, (size_t)kept * PAGE, &manifest, &error), &error, SHF_E_MANIFEST,
                 "the rows of shards are larger than the file");
    drop(&file);
}

/* ---- schemas ---- */

static void refuse_schema(const char *sql, shf_status code, const char *message) {
    sqlite3 *oracle = db_new(4096, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    size_t size;
    db_run(oracle, "PRAGMA writable_schema=ON; CREATE TABLE t (a)");
    db_run(oracle, sql);
    uint8_t *bytes = db_bytes(oracle, &size);
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    expect_error(shf_sqlite_schema_load(&db, &schema, &error), &error, code, message);
    free(bytes);
}

static void test_schemas(void **state) {
    (void)state;
    refuse_schema("UPDATE sqlite_schema SET rootpage = 'two'", SHF_E_CORRUPT, "a root page is no number");
    refuse_schema("UPDATE sqlite_schema SET rootpage = -1", SHF_E_CORRUPT, "a root page is beyond the file");
    refuse_schema("UPDATE sqlite_schema SET rootpage = 3", SHF_E_CORRUPT, "a root page is beyond the file");
    refuse_schema("UPDATE sqlite_schema SET name = NULL", SHF_E_CORRUPT, "column 1 of a row is no text");
    refuse_schema("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 4096)"
                  "INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, '' FROM n",
                  SHF_E_LIMIT, "more than 4096 rows");
}

static int allocations_left;
static void *failing_allocate(size_t size) { return allocations_left-- > 0 ? malloc(size) : NULL; }
static void *failing_reallocate(void *old, size_t size) { return allocations_left-- > 0 ? realloc(old, size) : NULL; }

static void test_schema_without_memory(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = failing_allocate, .reallocate = failing_reallocate};
    sqlite3 *oracle = db_new(1024, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    size_t size;
    db_run(oracle, "PRAGMA encoding='UTF-16le'; CREATE TABLE t (a UNIQUE)");
    uint8_t *bytes = db_bytes(oracle, &size);
    shf_status status = shf_sqlite_open(&db, bytes, size, NULL);
    assert_int_equal(status, SHF_OK);
    int allowed = 0;
    do {
        allocations_left = allowed;
        shf_alloc_set_seam(&seam);
        status = shf_sqlite_schema_load(&db, &schema, NULL);
        shf_alloc_set_seam(NULL);
        if (status) assert_int_equal(status, SHF_E_NO_MEMORY);
    } while (status && ++allowed < 100);
    assert_int_equal(status, SHF_OK);
    assert_true(allowed > 8);
    assert_int_equal(schema.count, 2);
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

/* ---- vectors ---- */

#define VECTOR_TABLES                                                                                                  \
    "CREATE TABLE vec_index_chunks (chunk_id INTEGER PRIMARY KEY, size, validity, rowids);"                            \
    "CREATE TABLE vec_index_vector_chunks00 (rowid PRIMARY KEY, vectors);"                                             \
    "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload);"                                                  \
    "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id);"                                          \
    "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('table','vec_index','vec_index',0,"                  \
    "'CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[3], chunk_size=8)');"

static void test_chunks_without_room(void **state) {
    (void)state;
    struct file file;
    struct shf_vec0 vec;
    struct shf_error *error = NULL;
    uint64_t rows;
    make(&file, VECTOR_TABLES "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000)"
                              "INSERT INTO vec_index_chunks SELECT i, 8, x'ff', zeroblob(64) FROM n");
    expect_ok(shf_vec0_open(&vec, &file.db, &file.schema, &error), error);
    expect_error(shf_vec0_count(&vec, &rows, &error), &error, SHF_E_CORRUPT, "more chunks than the file has room for");
    drop(&file);
}

static void test_payloads(void **state) {
    (void)state;
    struct file file;
    struct shf_vec0 vec;
    struct shf_stored_id id;
    struct shf_error *error = NULL;
    char *text = NULL;
    size_t size;
    make(&file,
         VECTOR_TABLES "INSERT INTO vec_payloads VALUES (1, 12), (2, NULL); INSERT INTO vec_id_map VALUES (1, 1.5)");
    expect_ok(shf_vec0_open(&vec, &file.db, &file.schema, &error), error);
    expect_error(shf_vec0_payload(&vec, 1, &text, &size, &error), &error, SHF_E_INDEX, "row 1 holds no text");
    expect_error(shf_vec0_payload(&vec, 2, &text, &size, &error), &error, SHF_E_INDEX, "row 2 holds no text");
    expect_error(shf_vec0_id(&vec, 1, &id, &error), &error, SHF_E_INDEX, "row 1 holds no text");
    drop(&file);
    make(&file, VECTOR_TABLES "INSERT INTO vec_payloads VALUES (1, printf('%.3000c', 'p'))");
    expect_ok(shf_vec0_open(&vec, &file.db, &file.schema, &error), error);
    uint8_t *overflow = file.bytes + file.size - PAGE; /* the chain is what was written last */
    for (uint8_t *page = overflow; page > file.bytes + PAGE && memcmp(page + 4, "ppp", 3) == 0; page -= PAGE)
        overflow = page;
    memset(overflow, 0xff, 4);
    expect_error(shf_vec0_payload(&vec, 1, &text, &size, &error), &error, SHF_E_CORRUPT,
                 "the overflow chain leads to page");
    drop(&file);
}

static void test_utf16_vectors(void **state) {
    (void)state;
    struct file file;
    struct shf_vec0 vec;
    struct shf_error *error = NULL;
    make(&file, "PRAGMA encoding='UTF-16le';" VECTOR_TABLES);
    expect_error(shf_vec0_open(&vec, &file.db, &file.schema, &error), &error, SHF_E_INDEX, "UTF-16");
    drop(&file);
}

static void test_metric_names(void **state) {
    (void)state;
    assert_string_equal(shf_metric_name(SHF_METRIC_COSINE), "cosine");
    assert_string_equal(shf_metric_name(SHF_METRIC_L2), "l2");
    assert_string_equal(shf_metric_name(SHF_METRIC_DOT), "dot_product");
    assert_string_equal(shf_metric_name((enum shf_metric)0), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_out_of_order),
        cmocka_unit_test(test_size_of_nine_bytes),
        cmocka_unit_test(test_row_that_goes_on_nowhere),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_key_that_is_cut),
        cmocka_unit_test(test_schema_larger_than_its_file),
        cmocka_unit_test(test_manifest_larger_than_its_file),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_schema_without_memory),
        cmocka_unit_test(test_chunks_without_room),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_utf16_vectors),
        cmocka_unit_test(test_metric_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
