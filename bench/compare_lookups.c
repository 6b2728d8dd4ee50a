/*
 * get and multi_get against LMDB, libsqlite3, and one another. Operations far below a microsecond are timed by the
 * batch: a look at the clock would cost a tenth of one. Every value's first byte is read, and hits are counted.
 */
#include "bench/bench.h"
#include "bench/lookup_peer.h"
#include "bench/measure.h"
#include "bench/machine.h"
#include "bench/ours.h"

#include <stdio.h>
#include <string.h>

#define BATCH 500u
#define BATCHES (BENCH_ROUND_KEYS / BATCH)
#define ROUNDS 15u
#define WINDOW 64u
#define KEYS_A_CALL 100u

struct lookups {
    struct bench_ours ours;
    struct bench_keys keys;
    struct bench_lmdb *lmdb;
    struct bench_sqlite *sqlite;
    unsigned window; /* asynchronous gets in flight */
    uint64_t sum;    /* of a byte of each value, so that no compiler leaves the reading out */
};

typedef size_t batch_function(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]);

/* Median over the batches of a round, each as nanoseconds a lookup. Negative when hits are missing. */
static double time_batches(struct lookups *lookups, batch_function *run, unsigned round) {
    const uint8_t(*keys)[BENCH_KEY_SIZE] = bench_keys_of_round(&lookups->keys, round);
    double times[BATCHES];
    size_t hits = 0;
    for (size_t b = 0; b < BATCHES; b++) {
        double begin = bench_now();
        hits += run(lookups, keys + b * BATCH);
        times[b] = (bench_now() - begin) / BATCH;
    }
    /* Four of five are there. */
    if (hits < BENCH_ROUND_KEYS * 78 / 100 || hits > BENCH_ROUND_KEYS * 82 / 100) {
        fprintf(stderr, "%zu of %u lookups found their key\n", hits, BENCH_ROUND_KEYS);
        return -1;
    }
    return bench_median(times, BATCHES);
}

/* Takes the value of a finished operation and releases it. */
static size_t finish(struct lookups *lookups, shf_op *op, size_t count) {
    size_t hits = 0;
    for (size_t i = 0; i < count; i++) {
        shf_value value;
        value.struct_size = sizeof value;
        if (shf_op_value(op, i, &value) || value.status != SHF_OK) continue;
        lookups->sum += *(const uint8_t *)value.data.data;
        hits++;
    }
    shf_op_release(op);
    return hits;
}

static size_t get_sync(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i++) {
        shf_key key = shf_key_from_bytes(keys[i], BENCH_KEY_SIZE);
        shf_op *op = NULL;
        if (!shf_get_sync(lookups->ours.reader, &key, NULL, 0, &op)) hits += finish(lookups, op, 1);
    }
    return hits;
}

/* Submits `window`, then drains them all, and so on. */
static size_t get_async(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    shf_call call;
    SHF_INIT(&call);
    call.cq = lookups->ours.cq;
    for (size_t i = 0; i < BATCH;) {
        size_t pending = 0;
        for (; pending < lookups->window && i < BATCH; i++) {
            shf_key key = shf_key_from_bytes(keys[i], BENCH_KEY_SIZE);
            shf_op_id id;
            if (!shf_get(lookups->ours.reader, &key, NULL, &call, &id)) pending++;
        }
        while (pending > 0) {
            shf_op *done[WINDOW];
            size_t count = shf_cq_poll(lookups->ours.cq, done, WINDOW, -1);
            for (size_t k = 0; k < count; k++) hits += finish(lookups, done[k], 1);
            pending -= count;
        }
    }
    return hits;
}

static size_t multi_get(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i += KEYS_A_CALL) {
        shf_key wanted[KEYS_A_CALL];
        shf_op *op = NULL;
        for (size_t k = 0; k < KEYS_A_CALL; k++) wanted[k] = shf_key_from_bytes(keys[i + k], BENCH_KEY_SIZE);
        if (!shf_multi_get_sync(lookups->ours.reader, wanted, KEYS_A_CALL, NULL, 0, &op)) {
            hits += finish(lookups, op, KEYS_A_CALL);
        }
    }
    return hits;
}

static size_t lmdb_get(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i++) {
        struct bench_value value = bench_lmdb_get(lookups->lmdb, keys[i]);
        if (!value.data) continue;
        lookups->sum += value.data[0];
        hits++;
    }
    return hits;
}

static size_t lmdb_get_many(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i += KEYS_A_CALL) {
        lookups->sum += bench_lmdb_get_many(lookups->lmdb, keys + i, KEYS_A_CALL, &hits);
    }
    return hits;
}

static size_t sqlite_get(struct lookups *lookups, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i++) {
        struct bench_value value = bench_sqlite_get(lookups->sqlite, keys[i]);
        if (!value.data) continue;
        lookups->sum += value.data[0];
        hits++;
    }
    return hits;
}

static double sync_round(void *context, unsigned round) { return time_batches(context, get_sync, round); }
static double async_round(void *context, unsigned round) { return time_batches(context, get_async, round); }
static double multi_round(void *context, unsigned round) { return time_batches(context, multi_get, round); }
static double lmdb_round(void *context, unsigned round) { return time_batches(context, lmdb_get, round); }
static double lmdb_many_round(void *context, unsigned round) { return time_batches(context, lmdb_get_many, round); }
static double sqlite_round(void *context, unsigned round) { return time_batches(context, sqlite_get, round); }

static void close_all(struct lookups *lookups) {
    bench_ours_close(&lookups->ours);
    bench_lmdb_close(lookups->lmdb);
    bench_sqlite_close(lookups->sqlite);
    bench_keys_free(&lookups->keys);
    (void)bench_use_all_cores();
}

static bool same_value(struct lookups *lookups, const uint8_t *bytes) {
    shf_key key = shf_key_from_bytes(bytes, BENCH_KEY_SIZE);
    shf_op *op = NULL;
    shf_value ours;
    SHF_INIT(&ours);
    shf_status status = shf_get_sync(lookups->ours.reader, &key, NULL, 0, &op);
    if (status) return bench_failed("get", status, op);
    struct bench_value peer = lookups->lmdb     ? bench_lmdb_get(lookups->lmdb, bytes)
                              : lookups->sqlite ? bench_sqlite_get(lookups->sqlite, bytes)
                                                : (struct bench_value){NULL, 0};
    bool has_peer = lookups->lmdb || lookups->sqlite;
    bool same = !shf_op_value(op, 0, &ours);
    if (same && has_peer) {
        same = ours.status == SHF_OK
                   ? peer.data && ours.data.size == peer.size && memcmp(ours.data.data, peer.data, peer.size) == 0
                   : !peer.data;
    }
    shf_op_release(op);
    if (!same) fprintf(stderr, "a value differs from the peer's\n");
    return same;
}

/* One core, everything open and read once; one in ten answers is compared with the peer's. */
static bool open_all(struct lookups *lookups, const char *data, bool with_lmdb, bool with_sqlite) {
    memset(lookups, 0, sizeof *lookups);
    lookups->window = 1;
    bool ok =
        bench_use_one_core() && bench_keys_load(&lookups->keys, data) && bench_ours_open(&lookups->ours, data, "kv", 1);
    if (ok && with_lmdb) ok = (lookups->lmdb = bench_lmdb_open(data, &lookups->keys)) != NULL;
    if (ok && with_sqlite) ok = (lookups->sqlite = bench_sqlite_open(data, "kv", BENCH_KV_SHARDS)) != NULL;
    for (size_t i = 0; ok && i < BENCH_LOOKUPS; i += 10) ok = same_value(lookups, lookups->keys.lookups[i]);
    if (!ok) close_all(lookups);
    return ok;
}

bool bench_get_vs_lmdb(struct bench *bench) {
    struct lookups lookups;
    struct bench_times times;
    if (!open_all(&lookups, bench->data, true, false)) return false;
    bool ok = bench_alternate((struct bench_side){sync_round, &lookups}, (struct bench_side){lmdb_round, &lookups},
                              ROUNDS, &times);
    close_all(&lookups);
    if (!ok) return false;
    bench_report_add(&bench->report, (struct bench_result){"get_vs_lmdb", times.ours, times.peer, "ns", 1.0, 0, ""},
                     "p50 of get; LMDB: one tree, mdb_txn_renew and reset around each");
    return true;
}

bool bench_get_vs_sqlite(struct bench *bench) {
    struct lookups lookups;
    struct bench_times times;
    if (!open_all(&lookups, bench->data, false, true)) return false;
    bool ok = bench_alternate((struct bench_side){sync_round, &lookups}, (struct bench_side){sqlite_round, &lookups},
                              ROUNDS, &times);
    close_all(&lookups);
    if (!ok) return false;
    bench_report_add(&bench->report, (struct bench_result){"get_vs_sqlite", times.ours, times.peer, "ns", 3.0, 0, ""},
                     "p50 of get; libsqlite3: the same files, prepared, mmap, immutable");
    return true;
}

static bool async_against_sync(struct bench *bench, const char *name, unsigned window, const char *note) {
    struct lookups lookups;
    struct bench_times times;
    if (!open_all(&lookups, bench->data, false, false)) return false;
    lookups.window = window;
    bool ok = bench_alternate((struct bench_side){async_round, &lookups}, (struct bench_side){sync_round, &lookups},
                              ROUNDS, &times);
    close_all(&lookups);
    if (!ok) return false;
    bench_report_add(&bench->report, (struct bench_result){name, times.ours, times.peer, "ns", 0.5, 0, ""}, "%s", note);
    return true;
}

bool bench_get_async_vs_sync(struct bench *bench) {
    return async_against_sync(bench, "get_async_vs_sync", 1, "submit, poll and release one at a time; peer: get_sync") &&
           async_against_sync(bench, "get_async_64_vs_sync", WINDOW, "64 in flight, drained; peer: get_sync");
}

bool bench_multi_get_vs_lmdb(struct bench *bench) {
    struct lookups lookups;
    struct bench_times times;
    if (!open_all(&lookups, bench->data, true, false)) return false;
    bool ok = bench_alternate((struct bench_side){multi_round, &lookups},
                              (struct bench_side){lmdb_many_round, &lookups}, ROUNDS, &times);
    close_all(&lookups);
    if (!ok) return false;
    bench_report_add(&bench->report,
                     (struct bench_result){"multi_get_vs_lmdb", times.ours, times.peer, "ns/key", 1 / 0.9, 0, ""},
                     "100 keys a call; LMDB: 100 gets in one transaction");
    return true;
}
