/*
 * vec0 tables made row by row with libsqlite3: shapes that the recorded fixtures do not have. The virtual table's row is
 * put into the schema by hand, as sqlite-vec is not needed to write it.
 */
#include "support.h"

#include "base/alloc.h"
#include "formats/vec0.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8
#define DIMENSION 3

struct table {
    uint8_t *bytes;
    struct shf_vec0 vec;
};

static sqlite3 *new_tables(const char *arguments) {
    char sql[1024];
    sqlite3 *db = db_new(1024, 0);
    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE \"vec_index_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,"
                   "validity BLOB NOT NULL,rowids BLOB NOT NULL);"
                   "CREATE TABLE \"vec_index_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id "
                   "INTEGER,chunk_offset INTEGER);"
                   "CREATE TABLE \"vec_index_vector_chunks00\"(rowid PRIMARY KEY,vectors BLOB NOT NULL);"
                   "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
                   "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL);"
                   "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('table','vec_index','vec_index',0,"
                   "'CREATE VIRTUAL TABLE vec_index USING vec0(%s)')",
                   arguments);
    db_run(db, sql);
    return db;
}

/* A chunk whose slot j has rowid first + j and components rowid, rowid + 0.5, -rowid. */
static void add_chunk(sqlite3 *db, int64_t id, uint8_t validity, int64_t first) {
    sqlite3_stmt *insert;
    int64_t rowids[SLOTS];
    float vectors[SLOTS][DIMENSION];
    for (int i = 0; i < SLOTS; i++) {
        rowids[i] = first + i;
        vectors[i][0] = (float)rowids[i];
        vectors[i][1] = (float)rowids[i] + 0.5f;
        vectors[i][2] = -(float)rowids[i];
    }
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO vec_index_chunks VALUES (?,8,?,?)", -1, &insert, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(insert, 1, id);
    sqlite3_bind_blob(insert, 2, &validity, 1, SQLITE_TRANSIENT);
    sqlite3_bind_blob(insert, 3, rowids, sizeof rowids, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    /* The b-tree rowid is what counts; the user's column of the same name is another value. */
    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT INTO vec_index_vector_chunks00(_rowid_, rowid, vectors) VALUES (?,-7 - ?,?)", -1,
                           &insert, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(insert, 1, id);
    sqlite3_bind_int64(insert, 2, id);
    sqlite3_bind_blob(insert, 3, vectors, sizeof vectors, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    for (int i = 0; i < SLOTS; i++) {
        char sql[128];
        if (!(validity >> i & 1)) continue;
        (void)snprintf(sql, sizeof sql, "INSERT INTO vec_index_rowids VALUES (%lld,NULL,%lld,%d)", (long long)rowids[i],
                       (long long)id, i);
        db_run(db, sql);
    }
}

static shf_status open_bytes(struct table *table, sqlite3 *db, struct shf_error **error) {
    struct shf_sqlite file;
    struct shf_sqlite_schema schema;
    size_t size;
    table->bytes = db_bytes(db, &size);
    expect_ok(shf_sqlite_open(&file, table->bytes, size, error), *error);
    expect_ok(shf_sqlite_schema_load(&file, &schema, error), *error);
    shf_status status = shf_vec0_open(&table->vec, &file, &schema, error);
    shf_sqlite_schema_free(&schema);
    return status;
}

static void open_table(struct table *table, sqlite3 *db) {
    struct shf_error *error = NULL;
    expect_ok(open_bytes(table, db, &error), error);
}

#define SHAPE "embedding float[3] distance_metric=cosine, chunk_size=8"

static void expect_rows(const struct shf_vec0 *vec, const int64_t *wanted, size_t count) {
    struct shf_error *error = NULL;
    uint64_t rows;
    float vectors[64 * DIMENSION];
    int64_t rowids[64];
    expect_ok(shf_vec0_count(vec, &rows, &error), error);
    assert_int_equal(rows, count);
    expect_ok(shf_vec0_read(vec, rows, vectors, rowids, &error), error);
    for (size_t i = 0; i < count; i++) {
        assert_true(rowids[i] == wanted[i]);
        assert_true(vectors[i * 3] == (float)wanted[i] && vectors[i * 3 + 1] == (float)wanted[i] + 0.5f &&
                    vectors[i * 3 + 2] == -(float)wanted[i]);
    }
}

static void test_slots_in_order(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    add_chunk(db, 2, 0x00, 100);  /* none lives */
    add_chunk(db, 3, 0xff, 200);  /* all */
    add_chunk(db, 9, 0xa5, -300); /* holes, negative rowids */
    add_chunk(db, 10, 0x07, 0);   /* a prefix */
    open_table(&table, db);
    assert_int_equal(table.vec.dimension, 3);
    assert_int_equal(table.vec.chunk_slots, 8);
    static const int64_t wanted[] = {200, 201, 202, 203, 204, 205, 206, 207, -300, -298, -295, -293, 0, 1, 2};
    expect_rows(&table.vec, wanted, 15);
    free(table.bytes);
}

static void test_empty(void **state) {
    (void)state;
    struct table table;
    open_table(&table, new_tables(SHAPE));
    expect_rows(&table.vec, NULL, 0);
    free(table.bytes);
}

static void refuse_read(const char *change, shf_status code, const char *message) {
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    struct shf_error *error = NULL;
    uint64_t rows = 8;
    float vectors[64 * DIMENSION];
    int64_t rowids[64];
    add_chunk(db, 1, 0xff, 0);
    db_run(db, change);
    open_table(&table, db);
    shf_status status = shf_vec0_count(&table.vec, &rows, &error);
    if (!status) status = shf_vec0_read(&table.vec, rows, vectors, rowids, &error);
    expect_error(status, &error, code, message);
    free(table.bytes);
}

static void test_broken_chunks(void **state) {
    (void)state;
    refuse_read("UPDATE vec_index_chunks SET validity = x'ffff'", SHF_E_INDEX, "chunk 1: its validity bitmap");
    refuse_read("UPDATE vec_index_chunks SET validity = 'f'", SHF_E_INDEX, "chunk 1: its validity bitmap");
    refuse_read("UPDATE vec_index_chunks SET rowids = zeroblob(63)", SHF_E_INDEX, "chunk 1: its rowids");
    refuse_read("UPDATE vec_index_vector_chunks00 SET vectors = zeroblob(95)", SHF_E_INDEX, "chunk 1: the blob");
    refuse_read("UPDATE vec_index_vector_chunks00 SET vectors = NULL WHERE 0; DELETE FROM vec_index_vector_chunks00",
                SHF_E_INDEX, "chunk 1: its vectors are missing");
    refuse_read("UPDATE vec_index_vector_chunks00 SET _rowid_ = 5", SHF_E_INDEX, "chunk 1: its vectors are missing");
}

static void test_size_column_is_ignored(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    add_chunk(db, 1, 0x01, 5);
    db_run(db, "UPDATE vec_index_chunks SET size = 4096");
    open_table(&table, db);
    expect_rows(&table.vec, (int64_t[]){5}, 1);
    free(table.bytes);
}

static void refuse_open(const char *arguments, const char *change, shf_status code, const char *message) {
    sqlite3 *db = new_tables(arguments);
    struct table table;
    struct shf_error *error = NULL;
    db_run(db, change);
    expect_error(open_bytes(&table, db, &error), &error, code, message);
    free(table.bytes);
}

static void test_refused_tables(void **state) {
    (void)state;
    refuse_open("embedding int8[4]", "SELECT 1", SHF_E_UNSUPPORTED, "int8");
    refuse_open("embedding bit[8]", "SELECT 1", SHF_E_UNSUPPORTED, "bit");
    refuse_open(SHAPE, "DROP TABLE vec_index_chunks", SHF_E_INDEX, "vec_index_chunks is missing");
    refuse_open(SHAPE, "DROP TABLE vec_index_vector_chunks00", SHF_E_INDEX, "vec_index_vector_chunks00 is missing");
    refuse_open(SHAPE, "DELETE FROM sqlite_schema WHERE name = 'vec_index'", SHF_E_INDEX, "no table vec_index");
}

/* ---- ids ---- */

static void set_id(sqlite3 *db, int64_t rowid, const char *json) {
    sqlite3_stmt *insert;
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO vec_id_map VALUES (?,?)", -1, &insert, NULL), SQLITE_OK);
    sqlite3_bind_int64(insert, 1, rowid);
    sqlite3_bind_text(insert, 2, json, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
}

static const struct {
    const char *json;
    const char *text; /* NULL = the integer; with no text and no error */
    int64_t integer;
    const char *error;
} ids[] = {
    {"{\"v\": 7, \"t\": \"int\"}", NULL, 7, NULL},
    {"{\"v\": -7, \"t\": \"int\"}", NULL, -7, NULL},
    {"{\"v\": 0, \"t\": \"int\"}", NULL, 0, NULL},
    {"{\"v\": 123456789012345678, \"t\": \"int\"}", NULL, INT64_C(123456789012345678), NULL},
    {"{\"v\": 9223372036854775807, \"t\": \"int\"}", NULL, INT64_MAX, NULL},
    {"{\"v\": -9223372036854775808, \"t\": \"int\"}", NULL, INT64_MIN, NULL},
    {"{\"v\": \"x\", \"t\": \"str\"}", "x", 0, NULL},
    {"{\"v\": \"\", \"t\": \"str\"}", "", 0, NULL},
    {"{\"v\": \"a b/c:d\", \"t\": \"str\"}", "a b/c:d", 0, NULL},
    {"{\"v\": \"q\\\"\\\\\\n\", \"t\": \"str\"}", "q\"\\\n", 0, NULL},
    {"{\"v\": \"\\u65e5\\u672c \\ud83d\\ude00\", \"t\": \"str\"}", "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80", 0, NULL},
    {"{\"v\": \"\xc3\xa9\", \"t\": \"str\"}", "\xc3\xa9", 0, NULL},
    {" {\"t\":\"int\",\"v\":5} ", NULL, 5, NULL},
    {"{\"t\":\"str\",\"v\":\"y\",\"other\":[1]}", "y", 0, NULL},
    {"{\"v\": 12, \"t\": \"str\"}", "12", 0, NULL},
    {"{\"v\": 12}", "12", 0, NULL},
    {"{\"v\": \"z\"}", "z", 0, NULL},
    {"{\"v\": 1, \"v\": 2, \"t\": \"int\"}", NULL, 2, NULL},
    {"{\"v\": 9223372036854775808, \"t\": \"int\"}", NULL, 0, "no integer of 64 bits"},
    {"{\"v\": \"7\", \"t\": \"int\"}", NULL, 0, "no integer of 64 bits"},
    {"{\"v\": 1.5, \"t\": \"int\"}", NULL, 0, "no integer of 64 bits"},
    {"{\"v\": null, \"t\": \"str\"}", NULL, 0, "neither an integer nor a text"},
    {"{\"t\": \"str\"}", NULL, 0, "neither an integer nor a text"},
    {"[1]", NULL, 0, "neither an integer nor a text"},
    {"7", NULL, 0, "neither an integer nor a text"},
    {"{\"v\": 007, \"t\": \"int\"}", NULL, 0, "broken JSON"},
    {"{\"v\": 7, \"t\": \"int\"", NULL, 0, "broken JSON"},
    {"{\"v\": \"x, \"t\": \"str\"}", NULL, 0, "broken JSON"},
    {"{\"v\": -, \"t\": \"int\"}", NULL, 0, "broken JSON"},
    {"", NULL, 0, "broken JSON"},
};

static void test_ids(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    struct shf_error *error = NULL;
    struct shf_stored_id id;
    int64_t count = sizeof ids / sizeof ids[0];
    for (int64_t i = 0; i < count; i++) set_id(db, i - 3, ids[i].json);
    open_table(&table, db);
    for (int64_t i = 0; i < count; i++) {
        shf_status status = shf_vec0_id(&table.vec, i - 3, &id, &error);
        if (ids[i].error) {
            char where[32];
            (void)snprintf(where, sizeof where, "row %lld", (long long)(i - 3));
            assert_non_null(strstr(shf_error_message(error), where));
            expect_error(status, &error, SHF_E_INDEX, ids[i].error);
            continue;
        }
        expect_ok(status, error);
        assert_int_equal(id.is_text, ids[i].text != NULL);
        if (id.is_text) {
            assert_string_equal(id.text, ids[i].text);
            assert_int_equal(id.text_size, strlen(ids[i].text));
        } else {
            assert_null(id.text);
            assert_true(id.integer == ids[i].integer);
        }
        shf_free(id.text);
    }
    expect_ok(shf_vec0_id(&table.vec, 1000, &id, &error), error); /* no row: the rowid itself */
    assert_false(id.is_text);
    assert_int_equal(id.integer, 1000);
    free(table.bytes);
}

static void expect_found(const struct shf_vec0 *vec, const char *text, int64_t integer, bool wanted,
                         int64_t wanted_rowid) {
    struct shf_error *error = NULL;
    bool found = !wanted;
    int64_t rowid = -999;
    expect_ok(shf_vec0_find_id(vec, text, text ? strlen(text) : 0, integer, &found, &rowid, &error), error);
    assert_int_equal(found, wanted);
    if (wanted) assert_true(rowid == wanted_rowid);
}

static void test_find_id(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    add_chunk(db, 1, 0x3f, 0);
    set_id(db, 0, "{\"v\": 70, \"t\": \"int\"}");
    set_id(db, 1, "{\"v\": \"70\", \"t\": \"str\"}");
    set_id(db, 2, "{\"v\": \"twice\", \"t\": \"str\"}");
    set_id(db, 3, "{\"v\": \"twice\", \"t\": \"str\"}");
    set_id(db, 6, "{\"v\": \"dead\", \"t\": \"str\"}"); /* deleted from vec_index */
    open_table(&table, db);
    expect_found(&table.vec, NULL, 70, true, 0);
    expect_found(&table.vec, "70", 0, true, 1);
    expect_found(&table.vec, "twice", 0, true, 2);
    expect_found(&table.vec, "dead", 0, false, 0);
    expect_found(&table.vec, "twic", 0, false, 0);
    expect_found(&table.vec, "", 0, false, 0);
    expect_found(&table.vec, NULL, 4, true, 4);  /* no id of its own */
    expect_found(&table.vec, NULL, 1, false, 0); /* has one */
    expect_found(&table.vec, NULL, 7, false, 0); /* no vector */
    free(table.bytes);
}

static void test_payloads(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    struct shf_error *error = NULL;
    char *text;
    size_t size;
    db_run(db, "INSERT INTO vec_payloads VALUES (1, '{\"a\": NaN}'), (2, ''), (3, CAST(x'ff' AS TEXT)), (4, 12),"
               "(5, '{\"long\": \"' || hex(zeroblob(3000)) || '\"}'), (-6, x'7b7d')");
    open_table(&table, db);
    expect_ok(shf_vec0_payload(&table.vec, 1, &text, &size, &error), error);
    assert_string_equal(text, "{\"a\": NaN}");
    assert_int_equal(size, 10);
    shf_free(text);
    expect_ok(shf_vec0_payload(&table.vec, 2, &text, &size, &error), error);
    assert_string_equal(text, "");
    shf_free(text);
    expect_error(shf_vec0_payload(&table.vec, 3, &text, &size, &error), &error, SHF_E_INDEX, "row 3 is not UTF-8");
    expect_ok(shf_vec0_payload(&table.vec, 4, &text, &size, &error), error); /* TEXT affinity */
    assert_string_equal(text, "12");
    shf_free(text);
    expect_ok(shf_vec0_payload(&table.vec, 5, &text, &size, &error), error);
    assert_int_equal(size, 6000 + 12);
    assert_int_equal(text[size], '\0');
    shf_free(text);
    expect_ok(shf_vec0_payload(&table.vec, -6, &text, &size, &error), error);
    assert_string_equal(text, "{}");
    shf_free(text);
    expect_ok(shf_vec0_payload(&table.vec, 0, &text, &size, &error), error);
    assert_null(text);
    free(table.bytes);
}

static void test_without_companions(void **state) {
    (void)state;
    sqlite3 *db = new_tables(SHAPE);
    struct table table;
    struct shf_error *error = NULL;
    struct shf_stored_id id;
    char *text;
    size_t size;
    add_chunk(db, 1, 0x03, 40);
    db_run(db, "DROP TABLE vec_id_map; DROP TABLE vec_payloads");
    open_table(&table, db);
    expect_ok(shf_vec0_id(&table.vec, 41, &id, &error), error);
    assert_int_equal(id.integer, 41);
    expect_ok(shf_vec0_payload(&table.vec, 41, &text, &size, &error), error);
    assert_null(text);
    expect_found(&table.vec, NULL, 41, true, 41);
    expect_found(&table.vec, NULL, 42, false, 0);
    expect_found(&table.vec, "x", 0, false, 0);
    free(table.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_in_order),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_broken_chunks),
        cmocka_unit_test(test_size_column_is_ignored),
        cmocka_unit_test(test_refused_tables),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_find_id),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_without_companions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
