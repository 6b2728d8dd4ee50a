/*
 * LMDB with one environment for all rows: it has no shards to route between, and one tree spares it the routing that
 * ours does in every call.
 */
#include "bench/lookup_peer.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_SIZE ((size_t)1 << 30)

struct bench_lmdb {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi table;
};

static bool failed(const char *what, int result) {
    fprintf(stderr, "LMDB: %s: %s\n", what, mdb_strerror(result));
    return false;
}

/* Appends the sorted keys, which leaves full pages, as those of the shards are. */
static int copy_rows(MDB_txn *transaction, struct bench_sqlite *shards, const struct bench_keys *keys) {
    MDB_dbi table;
    int result = mdb_dbi_open(transaction, NULL, 0, &table);
    for (size_t i = 0; !result && i < keys->count; i++) {
        struct bench_value value = bench_sqlite_next(shards, bench_sqlite_shard_of(shards, keys->all[i]));
        if (!value.data) return MDB_NOTFOUND;
        MDB_val stored_key = {BENCH_KEY_SIZE, keys->all[i]};
        MDB_val stored_value = {value.size, (void *)(uintptr_t)value.data};
        result = mdb_put(transaction, table, &stored_key, &stored_value, MDB_APPEND);
    }
    return result;
}

static bool make(const char *data, const char *folder, const struct bench_keys *keys) {
    MDB_env *environment = NULL;
    MDB_txn *transaction = NULL;
    char partial[PATH_MAX], file[PATH_MAX];
    (void)snprintf(partial, sizeof partial, "%s/lmdb.partial", data);
    (void)snprintf(file, sizeof file, "%s/lmdb.partial/data.mdb", data);
    (void)unlink(file);
    if (mkdir(partial, 0777) && errno != EEXIST) return failed(partial, errno);
    struct bench_sqlite *shards = bench_sqlite_open(data, "kv", BENCH_KV_SHARDS);
    int result = shards ? mdb_env_create(&environment) : ENOENT;
    if (!result) result = mdb_env_set_mapsize(environment, MAP_SIZE);
    if (!result) result = mdb_env_open(environment, partial, MDB_NOSYNC, 0666);
    if (!result) result = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (!result) result = copy_rows(transaction, shards, keys);
    if (!result) {
        result = mdb_txn_commit(transaction);
    } else if (transaction) {
        mdb_txn_abort(transaction);
    }
    if (environment) mdb_env_close(environment);
    bench_sqlite_close(shards);
    if (!result && rename(partial, folder)) result = errno;
    return result ? failed("copying the rows", result) : true;
}

struct bench_lmdb *bench_lmdb_open(const char *data, const struct bench_keys *keys) {
    char folder[PATH_MAX];
    struct stat status;
    (void)snprintf(folder, sizeof folder, "%s/lmdb", data);
    if (stat(folder, &status) && !make(data, folder, keys)) return NULL;
    struct bench_lmdb *lmdb = calloc(1, sizeof *lmdb);
    int result = lmdb ? mdb_env_create(&lmdb->environment) : ENOMEM;
    if (!result) result = mdb_env_set_mapsize(lmdb->environment, MAP_SIZE);
    if (!result) result = mdb_env_open(lmdb->environment, folder, MDB_RDONLY, 0666);
    if (!result) result = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &lmdb->transaction);
    if (!result) result = mdb_dbi_open(lmdb->transaction, NULL, 0, &lmdb->table);
    if (!result) {
        mdb_txn_reset(lmdb->transaction);
        return lmdb;
    }
    (void)failed(folder, result);
    bench_lmdb_close(lmdb);
    return NULL;
}

void bench_lmdb_close(struct bench_lmdb *lmdb) {
    if (!lmdb) return;
    if (lmdb->transaction) mdb_txn_abort(lmdb->transaction);
    if (lmdb->environment) mdb_env_close(lmdb->environment);
    free(lmdb);
}

static struct bench_value find(struct bench_lmdb *lmdb, const uint8_t *key) {
    MDB_val wanted = {BENCH_KEY_SIZE, (void *)(uintptr_t)key}, found;
    if (mdb_get(lmdb->transaction, lmdb->table, &wanted, &found)) return (struct bench_value){NULL, 0};
    return (struct bench_value){found.mv_data, found.mv_size};
}

struct bench_value bench_lmdb_get(struct bench_lmdb *lmdb, const uint8_t *key) {
    (void)mdb_txn_renew(lmdb->transaction);
    struct bench_value value = find(lmdb, key);
    mdb_txn_reset(lmdb->transaction); /* the map stays, so the caller may still look at the value */
    return value;
}

uint64_t bench_lmdb_get_many(struct bench_lmdb *lmdb, const uint8_t (*keys)[BENCH_KEY_SIZE], size_t count, size_t *hits) {
    uint64_t sum = 0;
    (void)mdb_txn_renew(lmdb->transaction);
    for (size_t i = 0; i < count; i++) {
        struct bench_value value = find(lmdb, keys[i]);
        if (!value.data) continue;
        sum += value.data[0];
        ++*hits;
    }
    mdb_txn_reset(lmdb->transaction);
    return sum;
}
