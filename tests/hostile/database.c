/* The sound shard and manifest, and libsqlite3 as the judge of what hostile ones say. */
#include "hostile/hostile.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

static struct bytes take(sqlite3 *db) {
    sqlite3_int64 size;
    unsigned char *data = sqlite3_serialize(db, "main", &size, 0);
    assert_non_null(data);
    struct bytes out = {malloc((size_t)size), (size_t)size};
    memcpy(out.data, data, out.size);
    sqlite3_free(data);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return out;
}

/* Some keys are longer than a cell of the smaller pages may hold. */
size_t hostile_key(unsigned index, char out[1024]) {
    size_t size = (size_t)snprintf(out, 1024, "key-%05u", index);
    size_t wanted = index % 97 == 5 ? 700 : size;
    memset(out + size, 'x', wanted - size);
    return wanted;
}

static void fill_keys(sqlite3 *db) {
    sqlite3_stmt *insert;
    char key[1024], value[6000];
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO kv VALUES (?,?)", -1, &insert, NULL), SQLITE_OK);
    for (unsigned i = 0; i < HOSTILE_KEYS; i++) {
        size_t size = i % 50 == 7 ? 5000 : 20;
        for (size_t j = 0; j < size; j++) value[j] = (char)(i * 31 + j);
        sqlite3_bind_blob(insert, 1, key, (int)hostile_key(i, key), SQLITE_TRANSIENT);
        sqlite3_bind_blob(insert, 2, value, (int)size, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
}

static void fill_vectors(sqlite3 *db) {
    sqlite3_stmt *insert;
    uint8_t validity[HOSTILE_SLOTS / 8] = {0};
    int64_t rowids[HOSTILE_SLOTS] = {0};
    float vectors[HOSTILE_SLOTS][HOSTILE_DIMENSION] = {{0}};
    for (int i = 0; i < HOSTILE_ROWS; i++) {
        char sql[256];
        validity[i / 8] |= (uint8_t)(1u << i % 8);
        rowids[i] = i;
        for (int j = 0; j < HOSTILE_DIMENSION; j++) vectors[i][j] = (float)(i * (j + 1) % 17) - 4.0f;
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO vec_index_rowids VALUES (%d,NULL,1,%d);"
                       "INSERT INTO vec_id_map VALUES (%d,'{\"v\": %d, \"t\": \"int\"}');"
                       "INSERT INTO vec_payloads VALUES (%d,'{\"n\": %d}')",
                       i, i, i, 1000 + i, i, i);
        run(db, sql);
    }
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO vec_index_chunks VALUES (1,64,?,?)", -1, &insert, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(insert, 1, validity, sizeof validity, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 2, rowids, sizeof rowids, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO vec_index_vector_chunks00(_rowid_,rowid,vectors) VALUES (1,1,?)",
                                        -1, &insert, NULL),
                     SQLITE_OK);
    sqlite3_bind_blob(insert, 1, vectors, sizeof vectors, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
}

struct bytes hostile_shard_make(int page_size) {
    char pragma[64];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    (void)snprintf(pragma, sizeof pragma, "PRAGMA page_size=%d", page_size);
    run(db, pragma);
    run(db, "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE vec_index_chunks(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,"
            "validity BLOB NOT NULL,rowids BLOB NOT NULL);"
            "CREATE TABLE vec_index_rowids(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id INTEGER,chunk_offset "
            "INTEGER);"
            "CREATE TABLE vec_index_vector_chunks00(rowid PRIMARY KEY,vectors BLOB NOT NULL);"
            "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
            "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL);"
            "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('table','vec_index','vec_index',0,"
            "'CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[4] distance_metric=l2, chunk_size=64)')");
    fill_keys(db);
    fill_vectors(db);
    return take(db);
}

struct bytes hostile_manifest_make(void) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    run(db, "CREATE TABLE build_meta (run_id TEXT, created_at TEXT, num_dbs INTEGER, s3_prefix TEXT, key_col TEXT, "
            "sharding TEXT,"
            "db_path_template TEXT, shard_prefix TEXT, format_version INTEGER, key_encoding TEXT, custom TEXT);"
            "CREATE TABLE shards (db_id INTEGER, db_url TEXT, attempt INTEGER, row_count INTEGER,"
            "db_bytes INTEGER, min_key TEXT, max_key TEXT, checkpoint_id TEXT, writer_info TEXT);"
            "INSERT INTO build_meta VALUES ('0123','2026-03-14T10:30:00.123456Z',1,'s3://bucket/snap','_key',"
            "'{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"hash\"}','db={db_id:05d}','shards',4,'utf8',"
            "'{\"vector\": {\"backend\": \"sqlite-vec\", \"dim\": 4, \"metric\": \"l2\", \"unified\": true}}');"
            "INSERT INTO shards VALUES (0,'s3://bucket/snap/shards/run_id=0123/db=00000/attempt=00',0,600,1,"
            "'\"key-00000\"','\"key-00599\"','00000000000000000000000000000001','{\"attempt\": 0}')");
    return take(db);
}

struct bytes hostile_run_sql(const struct bytes *database, const char *sql, const char *argument, size_t argument_size) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    unsigned char *copy = sqlite3_malloc64(database->size);
    memcpy(copy, database->data, database->size);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_deserialize(db, "main", copy, (sqlite3_int64)database->size, (sqlite3_int64)database->size,
                                         SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
                     SQLITE_OK);
    sqlite3_int64 no_limit = (sqlite3_int64)1 << 30;
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_SIZE_LIMIT, &no_limit);
    run(db, "PRAGMA writable_schema=ON");
    while (*sql) {
        const char *rest;
        if (sqlite3_prepare_v2(db, sql, -1, &statement, &rest) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        if (statement && sqlite3_bind_parameter_count(statement)) {
            sqlite3_bind_text64(statement, 1, argument, argument_size, SQLITE_STATIC, SQLITE_UTF8);
        }
        int result;
        while (statement && (result = sqlite3_step(statement)) != SQLITE_DONE) {
            if (result != SQLITE_ROW) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        }
        sqlite3_finalize(statement);
        sql = rest;
    }
    return take(db);
}

/* ---- the oracle ---- */

void oracle_open(struct oracle *oracle, const void *data, size_t size) {
    *oracle = (struct oracle){.copy = {malloc(size ? size : 1), size}};
    if (size) memcpy(oracle->copy.data, data, size);
    assert_int_equal(sqlite3_open(":memory:", &oracle->db), SQLITE_OK);
    (void)sqlite3_deserialize(oracle->db, "main", oracle->copy.data, (sqlite3_int64)size, (sqlite3_int64)size,
                              SQLITE_DESERIALIZE_READONLY);
    if (sqlite3_prepare_v2(oracle->db, "SELECT v FROM kv WHERE k = ?1", -1, &oracle->select, NULL) != SQLITE_OK) {
        oracle->select = NULL;
    }
}

void oracle_close(struct oracle *oracle) {
    sqlite3_finalize(oracle->select);
    sqlite3_close(oracle->db);
    free(oracle->copy.data);
}

enum oracle_answer oracle_get(struct oracle *oracle, const void *key, size_t key_size, const void **value, size_t *size) {
    if (!oracle->select) return ORACLE_ERROR;
    sqlite3_reset(oracle->select);
    sqlite3_bind_blob64(oracle->select, 1, key, key_size, SQLITE_STATIC);
    int result = sqlite3_step(oracle->select);
    if (result == SQLITE_DONE) return ORACLE_ABSENT;
    if (result != SQLITE_ROW) return ORACLE_ERROR;
    *value = sqlite3_column_blob(oracle->select, 0);
    *size = (size_t)sqlite3_column_bytes(oracle->select, 0);
    return ORACLE_FOUND;
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void add_chunk(const uint8_t *validity, const float *vectors, const float *query, double *out, unsigned *count) {
    for (unsigned slot = 0; slot < HOSTILE_SLOTS && *count < HOSTILE_MAX_HITS; slot++) {
        double sum = 0;
        if (!(validity[slot / 8] >> slot % 8 & 1)) continue;
        for (unsigned i = 0; i < HOSTILE_DIMENSION; i++) {
            double difference = (double)vectors[slot * HOSTILE_DIMENSION + i] - (double)query[i];
            sum += difference * difference;
        }
        out[(*count)++] = sqrt(sum);
    }
}

bool oracle_search(struct oracle *oracle, const float *query, double *out, unsigned *count) {
    sqlite3_stmt *select;
    float vectors[HOSTILE_SLOTS * HOSTILE_DIMENSION];
    bool is_whole = true;
    *count = 0;
    if (sqlite3_prepare_v2(oracle->db,
                           "SELECT c.validity, v.vectors FROM vec_index_chunks c LEFT JOIN vec_index_vector_chunks00 v "
                           "ON v._rowid_ = c.chunk_id",
                           -1, &select, NULL) != SQLITE_OK) {
        return false;
    }
    int result;
    while ((result = sqlite3_step(select)) == SQLITE_ROW) {
        if (sqlite3_column_bytes(select, 0) != HOSTILE_SLOTS / 8 || sqlite3_column_bytes(select, 1) != sizeof vectors) {
            is_whole = false;
            break;
        }
        memcpy(vectors, sqlite3_column_blob(select, 1), sizeof vectors);
        add_chunk(sqlite3_column_blob(select, 0), vectors, query, out, count);
    }
    sqlite3_finalize(select);
    for (unsigned i = 0; i < *count; i++) is_whole &= isfinite(out[i]) != 0;
    qsort(out, *count, sizeof *out, by_value);
    return is_whole && result == SQLITE_DONE && *count < HOSTILE_MAX_HITS;
}

unsigned oracle_root(const struct bytes *database, const char *table) {
    struct oracle oracle;
    sqlite3_stmt *select;
    unsigned root = 0;
    oracle_open(&oracle, database->data, database->size);
    assert_int_equal(
        sqlite3_prepare_v2(oracle.db, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1, &select, NULL),
        SQLITE_OK);
    sqlite3_bind_text(select, 1, table, -1, SQLITE_STATIC);
    if (sqlite3_step(select) == SQLITE_ROW) root = (unsigned)sqlite3_column_int(select, 0);
    sqlite3_finalize(select);
    oracle_close(&oracle);
    assert_true(root > 0);
    return root;
}
