/*
 * A vec0 table needs no extension to be written: its shadow tables are ordinary ones, and the virtual table's row of the
 * schema is put there by hand.
 */
#include "stress/snapshot_files.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK_SLOTS 1024u
#define WRITTEN_PREFIX "s3://stress/written-elsewhere" /* readers rebase it onto where they find the snapshot */

void stress_run_id(unsigned version, char out[33]) { (void)snprintf(out, 33, "%032x", version + 0xabc000u); }

char *stress_manifest_tail(unsigned snapshot) {
    char run[33];
    stress_run_id(snapshot, run);
    return support_path("manifests/2026-11-22T07:29:%02u.000000Z_run_id=%s/manifest", snapshot, run);
}

/* Makes the directories of a file's path. */
static void make_directories(const char *path) {
    char *copy = strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0755);
        *slash = '/';
    }
    free(copy);
}

/* ---- SQLite ---- */

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        stress_fail(__FILE__, __LINE__, "%s: %s", sql, message);
    }
}

static sqlite3 *create(const char *path) {
    sqlite3 *db = NULL;
    make_directories(path);
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    run(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA writable_schema = ON; BEGIN");
    return db;
}

static void finish(sqlite3 *db) {
    run(db, "COMMIT");
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        stress_fail(__FILE__, __LINE__, "%s: %s", sql, sqlite3_errmsg(db));
    }
    return statement;
}

static void step(sqlite3_stmt *statement) {
    REQUIRE(sqlite3_step(statement) == SQLITE_DONE);
    REQUIRE(sqlite3_reset(statement) == SQLITE_OK);
}

static void bind_blob(sqlite3_stmt *statement, int place, const void *data, size_t size) {
    REQUIRE(sqlite3_bind_blob64(statement, place, data, size, SQLITE_TRANSIENT) == SQLITE_OK);
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text) {
    REQUIRE(sqlite3_bind_text(statement, place, text, -1, SQLITE_TRANSIENT) == SQLITE_OK);
}

static void bind_integer(sqlite3_stmt *statement, int place, int64_t value) {
    REQUIRE(sqlite3_bind_int64(statement, place, value) == SQLITE_OK);
}

/* ---- a shard ---- */

static void create_tables(sqlite3 *db, unsigned dimension) {
    run(db, "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
    char *sql = support_path("INSERT INTO sqlite_master VALUES ('table', 'vec_index', 'vec_index', 0, 'CREATE VIRTUAL "
                             "TABLE vec_index USING vec0(embedding float[%u] distance_metric=l2)')",
                             dimension);
    run(db, sql);
    free(sql);
    run(db, "CREATE TABLE \"vec_index_info\" (key text primary key, value any);"
            "CREATE TABLE \"vec_index_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,"
            "validity BLOB NOT NULL,rowids BLOB NOT NULL);"
            "CREATE TABLE \"vec_index_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id INTEGER,"
            "chunk_offset INTEGER);"
            "CREATE TABLE \"vec_index_vector_chunks00\"(rowid PRIMARY KEY,vectors BLOB NOT NULL);"
            "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
            "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL);"
            "INSERT INTO vec_index_info VALUES ('CREATE_VERSION', 'v0.1.9'), ('CREATE_VERSION_MAJOR', 0),"
            "('CREATE_VERSION_MINOR', 1), ('CREATE_VERSION_PATCH', 9)");
}

static void write_values(const struct stress_prefix *prefix, sqlite3 *db, unsigned version, unsigned shard) {
    sqlite3_stmt *insert = prepare(db, "INSERT INTO kv VALUES (?, ?)");
    for (unsigned key = 0; key < prefix->shape.keys; key++) {
        if (prefix->shard_of[key] != shard || !stress_key_is_there(version, key)) continue;
        size_t size = stress_value_make(&prefix->shape, version, key, NULL);
        char *value = malloc(size + 1);
        (void)stress_value_make(&prefix->shape, version, key, value);
        bind_blob(insert, 1, prefix->key_text[key], strlen(prefix->key_text[key]));
        bind_blob(insert, 2, value, size);
        step(insert);
        free(value);
    }
    (void)sqlite3_finalize(insert);
}

static void write_chunk(sqlite3 *db, unsigned version, unsigned shard, unsigned dimension, unsigned first,
                        unsigned count) {
    uint8_t validity[CHUNK_SLOTS / 8] = {0};
    int64_t *rowids = calloc(CHUNK_SLOTS, sizeof *rowids);
    float *vectors = calloc((size_t)CHUNK_SLOTS * dimension, sizeof *vectors);
    int64_t chunk = first / CHUNK_SLOTS + 1;
    for (unsigned slot = 0; slot < count; slot++) {
        validity[slot / 8] |= (uint8_t)(1u << slot % 8);
        rowids[slot] = first + slot;
        for (unsigned e = 0; e < dimension; e++) {
            unsigned vector = (first + slot) * STRESS_SHARDS + shard;
            vectors[(size_t)slot * dimension + e] = stress_vector_element(version, vector, e);
        }
    }
    sqlite3_stmt *insert = prepare(db, "INSERT INTO vec_index_chunks VALUES (?, 1024, ?, ?)");
    bind_integer(insert, 1, chunk);
    bind_blob(insert, 2, validity, sizeof validity);
    bind_blob(insert, 3, rowids, CHUNK_SLOTS * sizeof *rowids);
    step(insert);
    (void)sqlite3_finalize(insert);
    insert = prepare(db, "INSERT INTO vec_index_vector_chunks00(_rowid_, rowid, vectors) VALUES (?1, ?1, ?2)");
    bind_integer(insert, 1, chunk);
    bind_blob(insert, 2, vectors, (size_t)CHUNK_SLOTS * dimension * sizeof *vectors);
    step(insert);
    (void)sqlite3_finalize(insert);
    free(rowids);
    free(vectors);
}

static void write_row(sqlite3_stmt *place, sqlite3_stmt *id, sqlite3_stmt *payload, unsigned version, unsigned vector) {
    char text[64];
    int64_t rowid = vector / STRESS_SHARDS;
    bind_integer(place, 1, rowid);
    bind_integer(place, 2, rowid / CHUNK_SLOTS + 1);
    bind_integer(place, 3, rowid % CHUNK_SLOTS);
    step(place);
    (void)snprintf(text, sizeof text, "{\"v\": \"s%u-v%u\", \"t\": \"str\"}", version, vector);
    bind_integer(id, 1, rowid);
    bind_text(id, 2, text);
    step(id);
    if (!stress_payload_make(version, vector, text)) return;
    bind_integer(payload, 1, rowid);
    bind_text(payload, 2, text);
    step(payload);
}

static void write_vectors(const struct stress_prefix *prefix, sqlite3 *db, unsigned version, unsigned shard) {
    unsigned rows = 0;
    sqlite3_stmt *place = prepare(db, "INSERT INTO vec_index_rowids VALUES (?, NULL, ?, ?)");
    sqlite3_stmt *id = prepare(db, "INSERT INTO vec_id_map VALUES (?, ?)");
    sqlite3_stmt *payload = prepare(db, "INSERT INTO vec_payloads VALUES (?, ?)");
    for (unsigned vector = shard; vector < prefix->shape.vectors; vector += STRESS_SHARDS, rows++) {
        write_row(place, id, payload, version, vector);
    }
    (void)sqlite3_finalize(place);
    (void)sqlite3_finalize(id);
    (void)sqlite3_finalize(payload);
    for (unsigned first = 0; first < rows; first += CHUNK_SLOTS) {
        unsigned count = rows - first < CHUNK_SLOTS ? rows - first : CHUNK_SLOTS;
        write_chunk(db, version, shard, prefix->shape.dimension, first, count);
    }
}

static char *shard_tail(unsigned version, unsigned shard) {
    char run[33];
    stress_run_id(version, run);
    return support_path("shards/run_id=%s/db=%05u/attempt=00", run, shard);
}

void stress_write_shard(const struct stress_prefix *prefix, unsigned version, unsigned shard) {
    char *tail = shard_tail(version, shard), *path = support_path("%s/%s/shard.db", prefix->path, tail);
    sqlite3 *db = create(path);
    create_tables(db, prefix->shape.dimension);
    write_values(prefix, db, version, shard);
    write_vectors(prefix, db, version, shard);
    finish(db);
    free(path);
    free(tail);
}

/* ---- a manifest ---- */

static void write_meta(const struct stress_prefix *prefix, sqlite3 *db, unsigned snapshot) {
    char run[33];
    stress_run_id(snapshot, run);
    char *custom = support_path("{\"vector\": {\"backend\": \"sqlite-vec\", \"dim\": %u, \"index_type\": \"hnsw\", "
                                "\"kv_backend\": \"sqlite-vec\", \"metric\": \"l2\", \"quantization\": null, "
                                "\"unified\": true}}",
                                prefix->shape.dimension);
    sqlite3_stmt *insert =
        prepare(db, "INSERT INTO build_meta VALUES (?, '2026-11-22T07:29:27.496636Z', ?, '" WRITTEN_PREFIX "', '_key', "
                    "'{\"cel_columns\": null, \"cel_expr\": null, \"hash_algorithm\": \"xxh3_64\", "
                    "\"routing_values\": null, \"strategy\": \"hash\"}', 'db={db_id:05d}', 'shards', 4, 'utf8', ?)");
    bind_text(insert, 1, run);
    bind_integer(insert, 2, STRESS_SHARDS);
    bind_text(insert, 3, custom);
    step(insert);
    (void)sqlite3_finalize(insert);
    free(custom);
}

void stress_write_manifest(const struct stress_prefix *prefix, unsigned snapshot) {
    char *tail = stress_manifest_tail(snapshot), *path = support_path("%s/%s", prefix->path, tail);
    sqlite3 *db = create(path);
    run(db, "CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, "
            "s3_prefix TEXT NOT NULL, key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, "
            "shard_prefix TEXT NOT NULL, format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, "
            "custom TEXT NOT NULL DEFAULT '{}');"
            "CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, "
            "row_count INTEGER NOT NULL, db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, "
            "writer_info TEXT NOT NULL DEFAULT '{}')");
    write_meta(prefix, db, snapshot);
    sqlite3_stmt *insert = prepare(db, "INSERT INTO shards VALUES (?, ?, 0, 1, 1, NULL, NULL, ?, '{}')");
    for (unsigned shard = 0; shard < STRESS_SHARDS; shard++) {
        char checkpoint[33];
        unsigned version = stress_version_of(snapshot, shard);
        char *directory = shard_tail(version, shard), *url = support_path(WRITTEN_PREFIX "/%s", directory);
        (void)snprintf(checkpoint, sizeof checkpoint, "%016x%016x", version, shard);
        bind_integer(insert, 1, shard);
        bind_text(insert, 2, url);
        bind_text(insert, 3, checkpoint);
        step(insert);
        free(url);
        free(directory);
    }
    (void)sqlite3_finalize(insert);
    finish(db);
    free(path);
    free(tail);
}
