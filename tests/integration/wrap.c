#include "integration/wrap.h"

#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST_DIRECTORY "manifests/2026-11-24T00:00:00.000000Z_run_id=r"

static void run_sql(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

static void make_manifest(const char *path, const char *custom, int shards) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db,
            "CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, "
            "s3_prefix TEXT NOT NULL, key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, "
            "shard_prefix TEXT NOT NULL, format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, "
            "custom TEXT NOT NULL DEFAULT '{}');"
            "CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, "
            "row_count INTEGER NOT NULL, db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, "
            "writer_info TEXT NOT NULL DEFAULT '{}');"
            "INSERT INTO shards VALUES (0, 's3://b/p/" WRAP_SHARD "', 0, 0, 0, NULL, NULL, NULL, '{}');");
    if (shards == 2) {
        run_sql(db,
                "INSERT INTO shards VALUES (1, 's3://b/p/" WRAP_SECOND_SHARD "', 0, 0, 0, NULL, NULL, NULL, '{}');");
    }
    char *row = sqlite3_mprintf("INSERT INTO build_meta VALUES ('r', '2026-11-24T00:00:00Z', %d, 's3://b/p', '_key', "
                                "'{\"hash_algorithm\": \"xxh3_64\"}', 'db={db_id:05d}', 'shards', 4, 'raw', %Q)",
                                shards, custom);
    run_sql(db, row);
    sqlite3_free(row);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_directory(const char *snapshot, const char *name) {
    char *path = support_path("%s%s", snapshot, name);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static char *wrap_shards(const char *root, const char *custom, int shards) {
    static const char current[] = "{\"manifest_ref\":\"s3://b/p/" MANIFEST_DIRECTORY "/manifest\","
                                  "\"manifest_content_type\":\"application/x-sqlite3\",\"run_id\":\"r\","
                                  "\"updated_at\":\"2026-11-24T00:00:00Z\"}";
    static const char *const directories[] = {
        "", "/shards", "/" WRAP_SHARD, "/" WRAP_SECOND_SHARD, "/manifests", "/" MANIFEST_DIRECTORY};
    char *snapshot = support_path("%s/snapshot", root);
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) make_directory(snapshot, directories[i]);
    char *manifest = support_path("%s/" MANIFEST_DIRECTORY "/manifest", snapshot);
    char *pointer = support_path("%s/_CURRENT", snapshot);
    make_manifest(manifest, custom, shards);
    support_write_file(pointer, current, strlen(current));
    free(manifest);
    free(pointer);
    return snapshot;
}

char *wrap_snapshot(const char *root, const char *custom) { return wrap_shards(root, custom, 1); }
char *wrap_two_shards(const char *root, const char *custom) { return wrap_shards(root, custom, 2); }

char *wrap_composite(const char *kv_backend, int dimension, const char *metric) {
    return support_path(
        "{\"vector\": {\"backend\": \"lancedb\", \"kv_backend\": \"%s\", \"dim\": %d, \"metric\": \"%s\", "
        "\"unified\": true}}",
        kv_backend, dimension, metric);
}

void wrap_empty_keys(const char *snapshot) {
    char *path = support_path("%s/" WRAP_SHARD "/shard.db", snapshot);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(path);
}
