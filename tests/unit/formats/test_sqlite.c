/* Headers, records, overflow chains, rowid tables and schemas, against libsqlite3. */
#include "support.h"

#include "base/alloc.h"
#include "formats/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_all(struct shf_sqlite *db, struct shf_sqlite_schema *schema, const uint8_t *bytes, size_t size) {
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_open(db, bytes, size, &error), error);
    expect_ok(shf_sqlite_schema_load(db, schema, &error), error);
}

/* ---- header ---- */

static void refuse_header(const uint8_t *good, size_t size, size_t at, uint8_t value, const char *message) {
    struct shf_sqlite db;
    struct shf_error *error = NULL;
    uint8_t *bytes = malloc(size);
    memcpy(bytes, good, size);
    bytes[at] = value;
    expect_error(shf_sqlite_open(&db, bytes, size, &error), &error, SHF_E_CORRUPT, message);
    free(bytes);
}

static void test_header(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(4096, 0);
    struct shf_sqlite db;
    struct shf_error *error = NULL;
    size_t size;
    db_run(oracle, "CREATE TABLE t (a)");
    uint8_t *bytes = db_bytes(oracle, &size);
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    assert_int_equal(db.page_count, 2);
    assert_int_equal(db.lock_page, 262145);
    assert_int_equal(db.local_max_table, 4061);
    assert_int_equal(db.local_max_index, 1002);
    assert_int_equal(db.local_min, 489);
    refuse_header(bytes, size, 3, 'X', "magic");
    refuse_header(bytes, size, 16, 0, "page size");
    refuse_header(bytes, size, 17, 1, "page size");
    refuse_header(bytes, size, 19, 2, "WAL");
    refuse_header(bytes, size, 19, 3, "read version");
    refuse_header(bytes, size, 21, 65, "payload fractions");
    refuse_header(bytes, size, 22, 0, "payload fractions");
    refuse_header(bytes, size, 47, 5, "schema format");
    refuse_header(bytes, size, 59, 4, "text encoding");
    refuse_header(bytes, size, 59, 0, "text encoding");
    refuse_header(bytes, 99, 0, 'S', "99 bytes");
    refuse_header(bytes, 4095, 0, 'S', "shorter than one page");
    free(bytes);
    oracle = db_new(512, 0);
    db_run(oracle, "CREATE TABLE t (a)");
    bytes = db_bytes(oracle, &size);
    refuse_header(bytes, size, 20, 33, "reserved"); /* 479 usable bytes */
    free(bytes);
}

/* Section 3.1 of the specification: the stated count holds when it is not 0 and the two counters agree. */
static void test_page_count(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(1024, 0);
    struct shf_sqlite db;
    struct shf_error *error = NULL;
    size_t size;
    db_run(oracle, "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(5000))");
    uint8_t *bytes = db_bytes(oracle, &size);
    size_t pages = size / 1024;
    uint8_t *longer = calloc(1, size + 3000);
    memcpy(longer, bytes, size);
    expect_ok(shf_sqlite_open(&db, longer, size + 3000, &error), error); /* trailing bytes */
    assert_int_equal(db.page_count, pages);
    longer[92 + 3]++; /* the counters differ: the file's size counts */
    expect_ok(shf_sqlite_open(&db, longer, size + 3000, &error), error);
    assert_int_equal(db.page_count, pages + 2);
    longer[92 + 3]--;
    longer[31] = 0; /* stated as 0 */
    expect_ok(shf_sqlite_open(&db, longer, size + 3000, &error), error);
    assert_int_equal(db.page_count, pages + 2);
    expect_error(shf_sqlite_open(&db, bytes, size - 1, &error), &error, SHF_E_CORRUPT, "truncated");
    expect_error(shf_sqlite_open(&db, bytes, size - 1024, &error), &error, SHF_E_CORRUPT, "truncated");
    free(longer);
    free(bytes);
}

/* ---- records and rows ---- */

static void expect_column(const struct shf_sqlite *db, const struct shf_sqlite_record *record, uint32_t index,
                          sqlite3_stmt *row, int column) {
    static const enum shf_sqlite_type types[] = {[SQLITE_NULL] = SHF_SQLITE_NULL,
                                                 [SQLITE_INTEGER] = SHF_SQLITE_INTEGER,
                                                 [SQLITE_FLOAT] = SHF_SQLITE_REAL,
                                                 [SQLITE_TEXT] = SHF_SQLITE_TEXT,
                                                 [SQLITE_BLOB] = SHF_SQLITE_BLOB};
    const struct shf_sqlite_column *c = &record->columns[index];
    struct shf_error *error = NULL;
    assert_int_equal(c->type, types[sqlite3_column_type(row, column)]);
    if (c->type == SHF_SQLITE_INTEGER) assert_true(c->integer == sqlite3_column_int64(row, column));
    if (c->type == SHF_SQLITE_REAL) assert_true(c->real == sqlite3_column_double(row, column));
    if (c->type == SHF_SQLITE_TEXT || c->type == SHF_SQLITE_BLOB) {
        const void *wanted = sqlite3_column_blob(row, column);
        assert_int_equal(c->size, sqlite3_column_bytes(row, column));
        uint8_t *copy = malloc(c->size + 1);
        expect_ok(shf_sqlite_column_copy(db, record, c, copy, &error), error);
        if (c->size) assert_memory_equal(copy, wanted, c->size);
        const uint8_t *in_place = shf_sqlite_column_in_place(record, c);
        if (in_place && c->size) assert_memory_equal(in_place, wanted, c->size);
        free(copy);
    }
}

static void insert_rows(sqlite3 *oracle, int rows, int page_size, uint64_t *seed) {
    sqlite3_stmt *insert;
    uint8_t *buffer = malloc((size_t)page_size * 4);
    assert_int_equal(sqlite3_prepare_v2(oracle, "INSERT OR IGNORE INTO t VALUES (?,?,?,?,?)", -1, &insert, NULL),
                     SQLITE_OK);
    db_run(oracle, "BEGIN");
    for (int i = 0; i < rows; i++) {
        int64_t rowid = (int64_t)random_next(seed) >> (random_next(seed) % 63);
        size_t size = random_next(seed) % (i % 7 == 0 ? (size_t)page_size * 4 : 60);
        random_fill(seed, buffer, size);
        sqlite3_bind_int64(insert, 1, rowid);
        sqlite3_bind_int64(insert, 2, (int64_t)random_next(seed) >> (random_next(seed) % 64));
        sqlite3_bind_double(insert, 3, (double)(int64_t)random_next(seed) / 1e9);
        sqlite3_bind_blob(insert, 4, buffer, (int)size, SQLITE_TRANSIENT);
        if (i % 3 == 0) sqlite3_bind_null(insert, 5);
        if (i % 3 == 1) sqlite3_bind_text(insert, 5, "text", 4, SQLITE_STATIC);
        if (i % 3 == 2) sqlite3_bind_int(insert, 5, i % 2); /* serial types 8 and 9 */
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    db_run(oracle, "COMMIT");
    sqlite3_finalize(insert);
    free(buffer);
}

static void compare_row(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload, sqlite3_stmt *row) {
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_record_decode(db, payload, &record, &error), error);
    assert_int_equal(record.column_count, 5);
    assert_int_equal(record.columns[0].type, SHF_SQLITE_NULL); /* the rowid alias */
    for (uint32_t i = 1; i < 5; i++) expect_column(db, &record, i, row, (int)i);
}

static void run_rows(int page_size, int reserved, int rows) {
    uint64_t seed = (uint64_t)(page_size + reserved);
    sqlite3 *oracle = db_new(page_size, reserved);
    sqlite3_stmt *all;
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    struct shf_sqlite_payload payload;
    int64_t rowid = 0, last = INT64_MIN;
    bool found, done;
    db_run(oracle, "CREATE TABLE t (id INTEGER PRIMARY KEY, i, r, b, x)");
    insert_rows(oracle, rows, page_size, &seed);
    sqlite3_int64 length;
    uint8_t *bytes = sqlite3_serialize(oracle, "main", &length, 0);
    open_all(&db, &schema, bytes, (size_t)length);
    const struct shf_sqlite_schema_row *table = shf_sqlite_schema_table(&schema, "T");
    assert_non_null(table);
    struct shf_sqlite_scan scan = {.root = table->root};
    assert_int_equal(sqlite3_prepare_v2(oracle, "SELECT * FROM t ORDER BY id", -1, &all, NULL), SQLITE_OK);
    while (sqlite3_step(all) == SQLITE_ROW) {
        int64_t wanted = sqlite3_column_int64(all, 0);
        expect_ok(shf_sqlite_scan_next(&db, &scan, &done, &rowid, &payload, &error), error);
        assert_false(done);
        assert_true(rowid == wanted);
        compare_row(&db, &payload, all);
        expect_ok(shf_sqlite_row_find(&db, table->root, wanted, &found, &payload, &error), error);
        assert_true(found);
        compare_row(&db, &payload, all);
        if (wanted > INT64_MIN && wanted - 1 > last) {
            expect_ok(shf_sqlite_row_find(&db, table->root, wanted - 1, &found, &payload, &error), error);
            assert_false(found);
        }
        last = wanted;
    }
    expect_ok(shf_sqlite_scan_next(&db, &scan, &done, &rowid, &payload, &error), error);
    assert_true(done);
    sqlite3_finalize(all);
    shf_sqlite_schema_free(&schema);
    sqlite3_free(bytes);
    assert_int_equal(sqlite3_close(oracle), SQLITE_OK);
}

static void test_rows(void **state) {
    (void)state;
    for (int page_size = 512; page_size <= 65536; page_size *= 2)
        run_rows(page_size, 0, page_size <= 2048 ? 2000 : 500);
    run_rows(512, 32, 500);
    run_rows(4096, 255, 300);
    run_rows(65536, 17, 200);
}

/* Any part of a chain: the parts of a payload that is copied piecewise. */
static void test_partial_copies(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(512, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    uint8_t part[4000];
    bool found;
    size_t size;
    db_run(oracle, "CREATE TABLE t (id INTEGER PRIMARY KEY, b)");
    sqlite3_stmt *insert;
    uint8_t value[5000];
    for (size_t i = 0; i < sizeof value; i++) value[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(sqlite3_prepare_v2(oracle, "INSERT INTO t VALUES (1, ?)", -1, &insert, NULL), SQLITE_OK);
    sqlite3_bind_blob(insert, 1, value, sizeof value, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    uint8_t *bytes = db_bytes(oracle, &size);
    open_all(&db, &schema, bytes, size);
    uint32_t root = shf_sqlite_schema_table(&schema, "t")->root;
    expect_ok(shf_sqlite_row_find(&db, root, 1, &found, &payload, &error), error);
    assert_true(found);
    uint64_t begin = payload.size - sizeof value;
    for (uint64_t offset = 0; offset < sizeof value; offset += 97) {
        uint64_t length = (offset * 31) % sizeof part;
        if (length > sizeof value - offset) length = sizeof value - offset;
        expect_ok(shf_sqlite_payload_copy(&db, &payload, begin + offset, length, part, &error), error);
        if (length) assert_memory_equal(part, value + offset, length);
    }
    expect_error(shf_sqlite_payload_copy(&db, &payload, payload.size, 1, part, &error), &error, SHF_E_CORRUPT, "beyond");
    expect_error(shf_sqlite_payload_copy(&db, &payload, UINT64_MAX, 2, part, &error), &error, SHF_E_CORRUPT, "beyond");
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

/* A record of 100 columns has more than are read; its header may lie in the chain. */
static void test_many_columns(void **state) {
    (void)state;
    for (int columns = 64; columns <= 65; columns++) {
        sqlite3 *oracle = db_new(512, 0);
        struct shf_sqlite db;
        struct shf_sqlite_schema schema;
        struct shf_sqlite_payload payload;
        struct shf_sqlite_record record;
        struct shf_error *error = NULL;
        char sql[2048] = "CREATE TABLE t (c0";
        bool found;
        size_t size;
        for (int i = 1; i < columns; i++) (void)snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ",c%d", i);
        strcat(sql, ");INSERT INTO t VALUES (zeroblob(3000)");
        for (int i = 1; i < columns; i++) (void)snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ",%d", i * 1000);
        strcat(sql, ")");
        db_run(oracle, sql);
        uint8_t *bytes = db_bytes(oracle, &size);
        open_all(&db, &schema, bytes, size);
        expect_ok(shf_sqlite_row_find(&db, shf_sqlite_schema_table(&schema, "t")->root, 1, &found, &payload, &error),
                  error);
        shf_status status = shf_sqlite_record_decode(&db, &payload, &record, &error);
        if (columns == 65) {
            expect_error(status, &error, SHF_E_CORRUPT, "too many columns");
        } else {
            expect_ok(status, error);
            assert_int_equal(record.columns[63].integer, 63000);
        }
        shf_sqlite_schema_free(&schema);
        free(bytes);
    }
}

/* Records made by hand, in one local payload. */
static void refuse_record(const char *hex, const char *message) {
    size_t size;
    uint8_t *bytes = from_hex(hex, &size);
    struct shf_sqlite db = {.data = bytes, .size = size, .page_size = 512, .usable_size = 512};
    struct shf_sqlite_payload payload = {.local = bytes, .local_size = (uint32_t)size, .size = size};
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    expect_error(shf_sqlite_record_decode(&db, &payload, &record, &error), &error, SHF_E_CORRUPT, message);
    free(bytes);
}

static void test_malformed_records(void **state) {
    (void)state;
    refuse_record("", "length of its header");
    refuse_record("00", "length of its header");
    refuse_record("05", "length of its header");
    refuse_record("81", "length of its header");
    refuse_record("020a", "serial types 10 and 11");
    refuse_record("020b", "serial types 10 and 11");
    refuse_record("0281", "serial type is cut");
    refuse_record("0206", "reaches beyond");
    refuse_record("020e", "reaches beyond");
    refuse_record("0af"
                  "fffffffffffffffffff",
                  "reaches beyond");
    refuse_record("020100aa", "left over");
}

/* ---- schema and texts ---- */

static void test_schema(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(512, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    size_t size;
    for (int i = 0; i < 200; i++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "CREATE TABLE \"table %d\" (a UNIQUE, \"padding padding padding padding padding\")", i);
        db_run(oracle, sql);
    }
    db_run(oracle, "CREATE VIEW v AS SELECT 1; CREATE TABLE \xc3\xa9 (a)");
    uint8_t *bytes = db_bytes(oracle, &size);
    assert_int_equal(bytes[100], 5); /* the root of the schema is an interior page */
    open_all(&db, &schema, bytes, size);
    assert_int_equal(schema.count, 402); /* a table and an automatic index each, a view, a table */
    assert_non_null(shf_sqlite_schema_table(&schema, "TABLE 199"));
    assert_non_null(shf_sqlite_schema_table(&schema, "\xc3\xa9"));
    assert_null(shf_sqlite_schema_table(&schema, "v"));
    assert_null(shf_sqlite_schema_table(&schema, "table 200"));
    assert_string_equal(schema.rows[1].type, "index");
    assert_string_equal(schema.rows[1].sql, "");
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

static void test_utf16(void **state) {
    (void)state;
    static const char *const encodings[] = {"UTF-16le", "UTF-16be"};
    for (int i = 0; i < 2; i++) {
        char sql[256];
        sqlite3 *oracle = db_new(1024, 0);
        struct shf_sqlite db;
        struct shf_sqlite_schema schema;
        struct shf_sqlite_payload payload;
        struct shf_sqlite_record record;
        struct shf_error *error = NULL;
        bool found;
        size_t size, length;
        char *text;
        (void)snprintf(sql, sizeof sql,
                       "PRAGMA encoding='%s'; CREATE TABLE t (a, b);"
                       "INSERT INTO t VALUES ('x\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80', '')",
                       encodings[i]);
        db_run(oracle, sql);
        uint8_t *bytes = db_bytes(oracle, &size);
        open_all(&db, &schema, bytes, size);
        assert_int_equal(db.text, i == 0 ? SHF_SQLITE_UTF16LE : SHF_SQLITE_UTF16BE);
        assert_string_equal(shf_sqlite_schema_table(&schema, "t")->sql, "CREATE TABLE t (a, b)");
        expect_ok(shf_sqlite_row_find(&db, schema.rows[0].root, 1, &found, &payload, &error), error);
        expect_ok(shf_sqlite_record_decode(&db, &payload, &record, &error), error);
        expect_ok(shf_sqlite_column_text(&db, &record, &record.columns[0], 100, &text, &length, &error), error);
        assert_string_equal(text, "x\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80");
        assert_int_equal(length, 10);
        shf_free(text);
        expect_ok(shf_sqlite_column_text(&db, &record, &record.columns[1], 100, &text, &length, &error), error);
        assert_int_equal(length, 0);
        shf_free(text);
        expect_error(shf_sqlite_column_text(&db, &record, &record.columns[0], 9, &text, &length, &error), &error,
                     SHF_E_LIMIT, "at most 9");
        shf_sqlite_schema_free(&schema);
        free(bytes);
    }
}

static void refuse_text(const char *literal, const char *encoding, const char *message) {
    char sql[256];
    sqlite3 *oracle = db_new(1024, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_sqlite_payload payload;
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    bool found;
    size_t size;
    char *text;
    (void)snprintf(sql, sizeof sql, "PRAGMA encoding='%s'; CREATE TABLE t (a); INSERT INTO t VALUES (CAST(%s AS TEXT))",
                   encoding, literal);
    db_run(oracle, sql);
    uint8_t *bytes = db_bytes(oracle, &size);
    open_all(&db, &schema, bytes, size);
    expect_ok(shf_sqlite_row_find(&db, schema.rows[0].root, 1, &found, &payload, &error), error);
    expect_ok(shf_sqlite_record_decode(&db, &payload, &record, &error), error);
    expect_error(shf_sqlite_column_text(&db, &record, &record.columns[0], 100, &text, NULL, &error), &error,
                 SHF_E_CORRUPT, message);
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

static void test_bad_texts(void **state) {
    (void)state;
    refuse_text("x'61ff62'", "UTF-8", "not UTF-8");
    refuse_text("x'610062'", "UTF-8", "NUL");
    refuse_text("x'00d86100'", "UTF-16le", "not UTF-16"); /* a high surrogate alone */
    refuse_text("x'00dc'", "UTF-16le", "not UTF-16");
    refuse_text("x'61000000'", "UTF-16le", "NUL");
}

/* ---- loops ---- */

/* Pages that point at themselves or at a page above them end with an error, and soon. */
static void test_cycles(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(512, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    size_t size;
    db_run(oracle, "CREATE TABLE t (id INTEGER PRIMARY KEY, b);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000)"
                   "INSERT INTO t SELECT i, 'some text that fills the pages' FROM n");
    uint8_t *bytes = db_bytes(oracle, &size);
    open_all(&db, &schema, bytes, size);
    uint32_t root = schema.rows[0].root;
    uint8_t *page = bytes + (root - 1) * 512;
    assert_int_equal(page[0], 5);
    uint32_t cells = (uint32_t)page[3] << 8 | page[4];
    for (uint32_t i = 0; i < cells; i++) { /* every child is the root itself */
        uint32_t at = (uint32_t)page[12 + 2 * i] << 8 | page[13 + 2 * i];
        memcpy(page + at, (uint8_t[]){0, 0, (uint8_t)(root >> 8), (uint8_t)root}, 4);
    }
    memcpy(page + 8, (uint8_t[]){0, 0, (uint8_t)(root >> 8), (uint8_t)root}, 4);
    struct shf_sqlite_payload payload;
    struct shf_sqlite_scan scan = {.root = root};
    int64_t rowid;
    bool found, done;
    expect_error(shf_sqlite_row_find(&db, root, 5, &found, &payload, &error), &error, SHF_E_CORRUPT, "deeper than");
    expect_error(shf_sqlite_scan_next(&db, &scan, &done, &rowid, &payload, &error), &error, SHF_E_CORRUPT, "deeper than");
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),       cmocka_unit_test(test_page_count),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_partial_copies),
        cmocka_unit_test(test_many_columns), cmocka_unit_test(test_malformed_records),
        cmocka_unit_test(test_schema),       cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_bad_texts),    cmocka_unit_test(test_cycles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
