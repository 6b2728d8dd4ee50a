#include "bench/lookup_peer.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define RUN_ID "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MAX_SHARDS 64u

struct bench_sqlite {
    unsigned shards;
    sqlite3 *databases[MAX_SHARDS];
    sqlite3_stmt *lookups[MAX_SHARDS];
    sqlite3_stmt *scans[MAX_SHARDS];
};

/* immutable=1 spares libsqlite3 its file locks; these files never change. */
static int open_shard(struct bench_sqlite *sqlite, const char *data, const char *snapshot, unsigned shard) {
    char uri[PATH_MAX];
    sqlite3 **database = &sqlite->databases[shard];
    (void)snprintf(uri, sizeof uri, "file:%s/%s/shards/run_id=" RUN_ID "/db=%05u/attempt=00/shard.db?immutable=1", data,
                   snapshot, shard);
    int result = sqlite3_open_v2(uri, database, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (!result) result = sqlite3_exec(*database, "PRAGMA mmap_size = 1073741824", NULL, NULL, NULL);
    if (!result) {
        result = sqlite3_prepare_v3(*database, "SELECT v FROM kv WHERE k = ?", -1, SQLITE_PREPARE_PERSISTENT,
                                    &sqlite->lookups[shard], NULL);
    }
    if (result) fprintf(stderr, "%s: %s\n", uri, sqlite3_errmsg(*database));
    return result;
}

struct bench_sqlite *bench_sqlite_open(const char *data, const char *snapshot, unsigned shards) {
    struct bench_sqlite *sqlite = calloc(1, sizeof *sqlite);
    int result = sqlite && shards <= MAX_SHARDS ? SQLITE_OK : SQLITE_NOMEM;
    if (sqlite) sqlite->shards = shards;
    for (unsigned i = 0; !result && i < shards; i++) result = open_shard(sqlite, data, snapshot, i);
    if (!result) return sqlite;
    bench_sqlite_close(sqlite);
    return NULL;
}

void bench_sqlite_close(struct bench_sqlite *sqlite) {
    for (unsigned i = 0; sqlite && i < MAX_SHARDS; i++) {
        (void)sqlite3_finalize(sqlite->lookups[i]);
        (void)sqlite3_finalize(sqlite->scans[i]);
        (void)sqlite3_close(sqlite->databases[i]);
    }
    free(sqlite);
}

unsigned bench_sqlite_shard_of(const struct bench_sqlite *sqlite, const uint8_t *key) {
    return (unsigned)(XXH3_64bits(key, BENCH_KEY_SIZE) % sqlite->shards);
}

struct bench_value bench_sqlite_get(struct bench_sqlite *sqlite, const uint8_t *key) {
    sqlite3_stmt *statement = sqlite->lookups[bench_sqlite_shard_of(sqlite, key)];
    struct bench_value value = {NULL, 0};
    (void)sqlite3_reset(statement);
    (void)sqlite3_bind_blob(statement, 1, key, BENCH_KEY_SIZE, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        value.data = sqlite3_column_blob(statement, 0);
        value.size = (size_t)sqlite3_column_bytes(statement, 0);
    }
    return value;
}

struct bench_value bench_sqlite_next(struct bench_sqlite *sqlite, unsigned shard) {
    sqlite3_stmt **scan = &sqlite->scans[shard];
    if (!*scan) (void)sqlite3_prepare_v2(sqlite->databases[shard], "SELECT v FROM kv ORDER BY k", -1, scan, NULL);
    if (!*scan || sqlite3_step(*scan) != SQLITE_ROW) return (struct bench_value){NULL, 0};
    const uint8_t *data = sqlite3_column_blob(*scan, 0);
    return (struct bench_value){data, (size_t)sqlite3_column_bytes(*scan, 0)};
}
