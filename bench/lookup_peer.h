/* The same rows in LMDB, and the shards themselves through libsqlite3. */
#ifndef BENCH_LOOKUP_PEER_H
#define BENCH_LOOKUP_PEER_H

#include "bench/keys.h"

struct bench_value {
    const uint8_t *data; /* NULL when absent; lives until the next lookup */
    size_t size;
};

/* ---- LMDB: one environment, one tree ---- */

struct bench_lmdb;

/* Makes DATA/lmdb from the shards where it is not there. NULL after a failure. */
struct bench_lmdb *bench_lmdb_open(const char *data, const struct bench_keys *keys);
void bench_lmdb_close(struct bench_lmdb *lmdb);

/* A read transaction is renewed before and reset after: each lookup sees the newest commit, as a server's would. */
struct bench_value bench_lmdb_get(struct bench_lmdb *lmdb, const uint8_t *key);

/* The lookups of one transaction: *hits present ones, and the sum of a byte of each value. */
uint64_t bench_lmdb_get_many(struct bench_lmdb *lmdb, const uint8_t (*keys)[BENCH_KEY_SIZE], size_t count, size_t *hits);

/* ---- libsqlite3: a connection and a prepared statement a shard, files mapped ---- */

struct bench_sqlite;

struct bench_sqlite *bench_sqlite_open(const char *data, const char *snapshot, unsigned shards);
void bench_sqlite_close(struct bench_sqlite *sqlite);
struct bench_value bench_sqlite_get(struct bench_sqlite *sqlite, const uint8_t *key);

/* Rows of a shard in key order; the value of the next one. */
struct bench_value bench_sqlite_next(struct bench_sqlite *sqlite, unsigned shard);
unsigned bench_sqlite_shard_of(const struct bench_sqlite *sqlite, const uint8_t *key);

#endif
