/*
 * Key-value files written by libsqlite3 with every page size, with and without reserved bytes, with keys and values
 * that overflow: every row, in order and by key, and keys that are not there, must be what libsqlite3 says.
 */
#include "support.h"

#include "formats/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KV_TABLE "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"

/* Lengths around every edge: 0, tiny, the local maximum, one overflow page, several. */
static size_t some_length(uint64_t *seed, int page_size) {
    uint64_t kind = random_next(seed) % 20;
    if (kind < 12) return random_next(seed) % 40;
    if (kind < 16) return random_next(seed) % (size_t)(page_size / 4);
    if (kind < 19) return random_next(seed) % (size_t)(2 * page_size);
    return random_next(seed) % (size_t)(4 * page_size);
}

static size_t key_length(uint64_t *seed, int page_size) {
    uint64_t kind = random_next(seed) % 20;
    if (kind < 16) return random_next(seed) % 24;
    return random_next(seed) % (size_t)(kind < 19 ? page_size / 3 : 2 * page_size);
}

static sqlite3 *fill(int page_size, int reserved, int rows, uint64_t *seed) {
    sqlite3 *db = db_new(page_size, reserved);
    sqlite3_stmt *insert;
    uint8_t *buffer = malloc((size_t)page_size * 4 + 1);
    db_run(db, KV_TABLE ";BEGIN");
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO kv VALUES (?,?)", -1, &insert, NULL), SQLITE_OK);
    for (int i = 0; i < rows; i++) {
        size_t size = key_length(seed, page_size);
        random_fill(seed, buffer, size);
        /* Long keys share a long prefix, so that comparisons must go into the chains. */
        if (size > 100) memset(buffer, 0x41, size - 4);
        sqlite3_bind_blob(insert, 1, buffer, (int)size, SQLITE_TRANSIENT);
        size = some_length(seed, page_size);
        random_fill(seed, buffer, size);
        sqlite3_bind_blob(insert, 2, buffer, (int)size, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    db_run(db, "COMMIT");
    free(buffer);
    return db;
}

static void open_kv(struct shf_kv *kv, const uint8_t *bytes, size_t size) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    expect_ok(shf_kv_open(kv, &db, &schema, &error), error);
    shf_sqlite_schema_free(&schema);
}

static void expect_stored(const struct shf_kv *kv, const void *key, size_t key_size, const void *wanted, size_t size) {
    struct shf_error *error = NULL;
    struct shf_kv_value value;
    bool found = false;
    expect_ok(look_up(kv, key, key_size, &found, &value, &error), error);
    assert_true(found);
    assert_int_equal(value.size, size);
    uint8_t *copy = malloc(size + 1);
    expect_ok(shf_kv_value_copy(kv, &value, copy, &error), error);
    if (size) assert_memory_equal(copy, wanted, size);
    if (value.in_place && size) assert_memory_equal(value.in_place, wanted, size);
    free(copy);
}

static void expect_scanned(const struct shf_kv *kv, const struct shf_sqlite_payload *payload, uint32_t column,
                           const void *wanted, size_t size) {
    struct shf_sqlite_record record;
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_record_decode(&kv->db, payload, &record, &error), error);
    assert_int_equal(record.columns[column].type, SHF_SQLITE_BLOB);
    assert_int_equal(record.columns[column].size, size);
    uint8_t *copy = malloc(size + 1);
    expect_ok(shf_sqlite_column_copy(&kv->db, &record, &record.columns[column], copy, &error), error);
    if (size) assert_memory_equal(copy, wanted, size);
    const uint8_t *in_place = shf_sqlite_column_in_place(&record, &record.columns[column]);
    if (in_place && size) assert_memory_equal(in_place, wanted, size);
    free(copy);
}

static int compare_all(sqlite3 *oracle, const struct shf_kv *kv) {
    sqlite3_stmt *all;
    struct shf_kv_scan scan = {0};
    struct shf_error *error = NULL;
    int rows = 0;
    bool done;
    struct shf_sqlite_payload payload;
    assert_int_equal(sqlite3_prepare_v2(oracle, "SELECT k, v FROM kv ORDER BY k", -1, &all, NULL), SQLITE_OK);
    while (sqlite3_step(all) == SQLITE_ROW) {
        const void *key = sqlite3_column_blob(all, 0), *value = sqlite3_column_blob(all, 1);
        size_t key_size = (size_t)sqlite3_column_bytes(all, 0), size = (size_t)sqlite3_column_bytes(all, 1);
        expect_ok(shf_kv_scan_next(kv, &scan, &done, &payload, &error), error);
        assert_false(done);
        expect_scanned(kv, &payload, 0, key, key_size);
        expect_scanned(kv, &payload, 1, value, size);
        expect_stored(kv, key, key_size, value, size);
        rows++;
    }
    expect_ok(shf_kv_scan_next(kv, &scan, &done, &payload, &error), error);
    assert_true(done);
    sqlite3_finalize(all);
    return rows;
}

/* Stored keys cut, lengthened and changed in their last byte, and random ones: present or absent as libsqlite3 says. */
static void compare_probes(sqlite3 *oracle, const struct shf_kv *kv, int probes, int page_size, uint64_t *seed) {
    sqlite3_stmt *pick, *has;
    uint8_t *key = malloc((size_t)page_size * 2 + 16);
    assert_int_equal(sqlite3_prepare_v2(oracle, "SELECT k FROM kv WHERE k >= ? LIMIT 1", -1, &pick, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(oracle, "SELECT count(*) FROM kv WHERE k = ?", -1, &has, NULL), SQLITE_OK);
    for (int i = 0; i < probes; i++) {
        size_t size = random_next(seed) % 8;
        random_fill(seed, key, size);
        sqlite3_bind_blob(pick, 1, key, (int)size, SQLITE_TRANSIENT);
        if (i % 4 != 0 && sqlite3_step(pick) == SQLITE_ROW) {
            size = (size_t)sqlite3_column_bytes(pick, 0);
            if (size) memcpy(key, sqlite3_column_blob(pick, 0), size);
            if (i % 4 == 1 && size) size--;
            if (i % 4 == 2) key[size++] = (uint8_t)i;
            if (i % 4 == 3 && size) key[size - 1] ^= (uint8_t)(1 + i % 2);
        }
        sqlite3_reset(pick);
        sqlite3_bind_blob(has, 1, key, (int)size, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(has), SQLITE_ROW);
        struct shf_error *error = NULL;
        struct shf_kv_value value;
        bool found;
        expect_ok(look_up(kv, key, size, &found, &value, &error), error);
        assert_int_equal(found, sqlite3_column_int(has, 0) == 1);
        sqlite3_reset(has);
    }
    sqlite3_finalize(pick);
    sqlite3_finalize(has);
    free(key);
}

static void run_one(int page_size, int reserved, int rows) {
    uint64_t seed = (uint64_t)page_size * 131 + (uint64_t)reserved;
    sqlite3 *oracle = fill(page_size, reserved, rows, &seed);
    struct shf_kv kv;
    sqlite3_int64 length;
    unsigned char *whole = sqlite3_serialize(oracle, "main", &length, 0);
    uint8_t *bytes = malloc((size_t)length); /* of exact size, for ASan */
    memcpy(bytes, whole, (size_t)length);
    sqlite3_free(whole);
    open_kv(&kv, bytes, (size_t)length);
    assert_int_equal(kv.db.page_size, page_size);
    assert_int_equal(kv.db.usable_size, page_size - reserved);
    int compared = compare_all(oracle, &kv);
    assert_true(compared > rows / 2);
    compare_probes(oracle, &kv, 400, page_size, &seed);
    assert_int_equal(sqlite3_close(oracle), SQLITE_OK);
    free(bytes);
}

static void test_page_sizes(void **state) {
    (void)state;
    for (int page_size = 512; page_size <= 65536; page_size *= 2) run_one(page_size, 0, page_size <= 4096 ? 3000 : 800);
}

static void test_reserved_bytes(void **state) {
    (void)state;
    for (int page_size = 512; page_size <= 65536; page_size *= 2) {
        run_one(page_size, 32, 600);
        run_one(page_size, 5, 300);
        if (page_size > 512) run_one(page_size, 255, 300);
    }
}

static void test_empty_table(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(4096, 0);
    struct shf_kv kv;
    struct shf_kv_scan scan = {0};
    struct shf_kv_value value;
    struct shf_sqlite_payload payload;
    struct shf_error *error = NULL;
    bool found = true, done = false;
    size_t size;
    db_run(oracle, KV_TABLE);
    uint8_t *bytes = db_bytes(oracle, &size);
    open_kv(&kv, bytes, size);
    expect_ok(look_up(&kv, "", 0, &found, &value, &error), error);
    assert_false(found);
    expect_ok(look_up(&kv, "x", 1, &found, &value, &error), error);
    assert_false(found);
    expect_ok(shf_kv_scan_next(&kv, &scan, &done, &payload, &error), error);
    assert_true(done);
    free(bytes);
}

/* NULL, numbers and text order before blobs; rows of them neither hide blobs nor are found by one. */
static void test_mixed_key_types(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(512, 0);
    struct shf_kv kv;
    struct shf_kv_value value;
    struct shf_error *error = NULL;
    bool found;
    size_t size;
    db_run(
        oracle, KV_TABLE
        ";WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300)"
        "INSERT INTO kv SELECT i, 'int' FROM n UNION ALL SELECT i + 0.5, 'real' FROM n UNION ALL "
        "SELECT 'text' || i, 'text' FROM n UNION ALL SELECT CAST('blob' || i AS BLOB), CAST('b' || i AS BLOB) FROM n");
    uint8_t *bytes = db_bytes(oracle, &size);
    open_kv(&kv, bytes, size);
    for (int i = 1; i <= 300; i++) {
        char key[16], wanted[16];
        int length = snprintf(key, sizeof key, "blob%d", i), wanted_length = snprintf(wanted, sizeof wanted, "b%d", i);
        expect_stored(&kv, key, (size_t)length, wanted, (size_t)wanted_length);
    }
    expect_ok(look_up(&kv, "text5", 5, &found, &value, &error), error);
    assert_false(found);
    expect_ok(look_up(&kv, "", 0, &found, &value, &error), error);
    assert_false(found);
    free(bytes);
}

static void test_value_types(void **state) {
    (void)state;
    sqlite3 *oracle = db_new(512, 0);
    struct shf_kv kv;
    struct shf_kv_value value;
    struct shf_error *error = NULL;
    bool found;
    size_t size;
    db_run(oracle, KV_TABLE ";INSERT INTO kv VALUES (x'01', 'text'), (x'02', 7), (x'03', 1.5)");
    uint8_t *bytes = db_bytes(oracle, &size);
    open_kv(&kv, bytes, size);
    expect_stored(&kv, "\1", 1, "text", 4);
    expect_error(look_up(&kv, "\2", 1, &found, &value, &error), &error, SHF_E_CORRUPT, "neither blob nor text");
    expect_error(look_up(&kv, "\3", 1, &found, &value, &error), &error, SHF_E_CORRUPT, "neither blob nor text");
    free(bytes);
}

static void refuse_schema(const char *sql, const char *message) {
    sqlite3 *oracle = db_new(4096, 0);
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_kv kv;
    struct shf_error *error = NULL;
    size_t size;
    db_run(oracle, sql);
    uint8_t *bytes = db_bytes(oracle, &size);
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    expect_error(shf_kv_open(&kv, &db, &schema, &error), &error, SHF_E_CORRUPT, message);
    shf_sqlite_schema_free(&schema);
    free(bytes);
}

static void test_other_shapes_are_refused(void **state) {
    (void)state;
    refuse_schema("CREATE TABLE other (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID", "no table kv");
    refuse_schema("CREATE VIEW kv AS SELECT 1 AS k, 2 AS v", "no table kv");
    refuse_schema("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL)", "is not kv (k BLOB");
    refuse_schema("CREATE TABLE kv (k BLOB PRIMARY KEY DESC, v BLOB NOT NULL) WITHOUT ROWID", "is not kv (k BLOB");
    refuse_schema("CREATE TABLE kv (v BLOB NOT NULL, k BLOB PRIMARY KEY) WITHOUT ROWID", "is not kv (k BLOB");
    refuse_schema("CREATE TABLE kv (k BLOB PRIMARY KEY, w BLOB) WITHOUT ROWID", "is not kv (k BLOB");
    refuse_schema("PRAGMA encoding='UTF-16le'; CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
                  "UTF-16");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_sizes),  cmocka_unit_test(test_reserved_bytes),
        cmocka_unit_test(test_empty_table), cmocka_unit_test(test_mixed_key_types),
        cmocka_unit_test(test_value_types), cmocka_unit_test(test_other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
