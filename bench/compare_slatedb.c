/*
 * Snapshots whose shards are SlateDB databases, against SlateDB's own reader of each: 0.12 leaves the rows of such a
 * shard in its log (WAL), 0.13 in a sorted table (L0). Gets are timed on one core, openings on all.
 */
#include "bench/bench.h"
#include "bench/keys.h"
#include "bench/measure.h"
#include "bench/ours.h"
#include "bench/peer_process.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15u
#define OPEN_ROUNDS 31u /* short, and full of threads that wait for each other */
#define ROUND_KEYS 10000u
#define BATCH 500u
#define BATCHES (ROUND_KEYS / BATCH)
#define SHARDS 4u
#define CHECKED 256u /* values an answer of the peer holds */
#define CHECKS 10u
#define MILLISECOND 1e6
#define COLD_CACHE "cache-cold" /* and in it one a round */

static const struct form {
    const char *part;
    const char *get, *open, *open_cold; /* names of results */
    const char *place;
} forms[] = {
    {"slatedb-0.12", "slatedb_get_wal", "slatedb_open_wal", "slatedb_open_wal_cold",
     "rows in the log, as 0.12 leaves them"},
    {"slatedb-0.13", "slatedb_get_sst", "slatedb_open_sst", "slatedb_open_sst_cold",
     "rows in sorted tables, as 0.13 leaves them"},
};

#define FORMS (sizeof forms / sizeof forms[0])

struct sides {
    const char *data, *part;
    struct bench_ours ours;
    struct bench_peer *peer;
    uint8_t (*lookups)[BENCH_KEY_SIZE];
    uint8_t (*first)[BENCH_KEY_SIZE]; /* a key of each shard */
    size_t lookup_count, first_count;
    bool is_cold; /* openings find no local cache */
    uint64_t sum; /* of a byte of each value, so that no compiler leaves the reading out */
};

static size_t get_one(struct sides *sides, const uint8_t *bytes) {
    shf_key key = shf_key_from_bytes(bytes, BENCH_KEY_SIZE);
    shf_op *op = NULL;
    shf_value value;
    size_t hits = 0;
    if (shf_get_sync(sides->ours.reader, &key, NULL, 0, &op)) {
        shf_op_release(op);
        return 0;
    }
    value.struct_size = sizeof value;
    if (!shf_op_value(op, 0, &value) && value.status == SHF_OK) {
        sides->sum += *(const uint8_t *)value.data.data;
        hits = 1;
    }
    shf_op_release(op);
    return hits;
}

static size_t first_of(const struct sides *sides, unsigned round) {
    return (size_t)round % (sides->lookup_count / ROUND_KEYS) * ROUND_KEYS;
}

static double get_round(void *context, unsigned round) {
    struct sides *sides = context;
    double times[BATCHES];
    size_t hits = 0, at = first_of(sides, round);
    for (size_t b = 0; b < BATCHES; b++) {
        double begin = bench_now();
        for (size_t i = 0; i < BATCH; i++) hits += get_one(sides, sides->lookups[at++]);
        times[b] = (bench_now() - begin) / BATCH;
    }
    /* Four of five are there. */
    if (hits > ROUND_KEYS * 78 / 100 && hits < ROUND_KEYS * 82 / 100) return bench_median(times, BATCHES);
    fprintf(stderr, "%zu of %u lookups found their key\n", hits, ROUND_KEYS);
    return -1;
}

static double peer_time(struct sides *sides, const char *verb, size_t first, unsigned count) {
    return bench_peer_ask(sides->peer, verb, (unsigned)first, count) ? strtod(sides->peer->answer, NULL) : -1;
}

static double peer_get_round(void *context, unsigned round) {
    struct sides *sides = context;
    return peer_time(sides, "round", first_of(sides, round), ROUND_KEYS);
}

/*
 * Runtime, _CURRENT, manifest, shards, and a get in each; closing is not counted. A cold opening finds no directory of its
 * cache; those of before stay until the end, as a file system takes longer for new files right after old ones went.
 */
static double open_round(void *context, unsigned round) {
    struct sides *sides = context;
    char cache[64];
    size_t hits = 0;
    (void)snprintf(cache, sizeof cache, sides->is_cold ? COLD_CACHE "/%u" : BENCH_CACHE, round);
    double begin = bench_now();
    if (!bench_ours_open_in(&sides->ours, sides->data, sides->part, 0, cache)) return -1;
    for (size_t i = 0; i < SHARDS; i++) hits += get_one(sides, sides->first[i]);
    double time = bench_now() - begin;
    bench_ours_close(&sides->ours);
    if (hits == SHARDS) return time;
    fprintf(stderr, "%zu of %u shards have their first key\n", hits, SHARDS);
    return -1;
}

static double peer_open_round(void *context, unsigned round) {
    (void)round;
    return peer_time(context, "open", 0, 0);
}

/* `text` is hexadecimal digits, or "-" for an absent one. */
static bool same_value(struct sides *sides, const uint8_t *bytes, const char *text) {
    static const char digits[] = "0123456789abcdef";
    shf_key key = shf_key_from_bytes(bytes, BENCH_KEY_SIZE);
    shf_op *op = NULL;
    shf_value value;
    SHF_INIT(&value);
    shf_status status = shf_get_sync(sides->ours.reader, &key, NULL, 0, &op);
    if (status) return bench_failed("get", status, op);
    bool same = !shf_op_value(op, 0, &value);
    if (same && value.status == SHF_OK) {
        const uint8_t *data = value.data.data;
        same = strlen(text) == value.data.size * 2;
        for (size_t i = 0; same && i < value.data.size; i++) {
            same = text[i * 2] == digits[data[i] >> 4] && text[i * 2 + 1] == digits[data[i] & 15];
        }
    } else {
        same = same && strcmp(text, "-") == 0;
    }
    shf_op_release(op);
    if (!same) fprintf(stderr, "a value differs from the peer's\n");
    return same;
}

static bool same_values(struct sides *sides) {
    for (unsigned check = 0; check < CHECKS; check++) {
        char *rest = NULL;
        if (!bench_peer_ask(sides->peer, "answers", check * CHECKED, CHECKED)) return false;
        char *text = strtok_r(sides->peer->answer, " ", &rest);
        for (unsigned i = 0; i < CHECKED; i++, text = strtok_r(NULL, " ", &rest)) {
            if (!same_value(sides, sides->lookups[check * CHECKED + i], text ? text : "")) return false;
        }
    }
    return true;
}

static void close_all(struct sides *sides) {
    bench_ours_close(&sides->ours);
    bench_peer_stop(sides->peer);
    free(sides->lookups);
    free(sides->first);
    memset(sides, 0, sizeof *sides);
}

/* Both sides, with the answers compared. */
static bool open_all(struct sides *sides, const struct bench *bench, const struct form *form) {
    char python[PATH_MAX];
    memset(sides, 0, sizeof *sides);
    sides->data = bench->data;
    sides->part = form->part;
    (void)snprintf(python, sizeof python, "%s-%s/bin/python3", bench->venvs, form->part);
    sides->lookups = bench_keys_read(bench->data, form->part, "lookups.bin", &sides->lookup_count);
    sides->first = bench_keys_read(bench->data, form->part, "first.bin", &sides->first_count);
    bool ok = sides->lookups && sides->first && sides->lookup_count >= ROUND_KEYS && sides->first_count == SHARDS &&
              bench_ours_open(&sides->ours, bench->data, form->part, 1) &&
              (sides->peer = bench_peer_start(python, BENCH_SLATEDB_SCRIPT, bench->data, form->part)) != NULL &&
              same_values(sides);
    if (!ok) close_all(sides);
    return ok;
}

static bool compare_gets(struct bench *bench, const struct form *form) {
    struct sides sides;
    struct bench_times times;
    bool ok = bench_use_one_core() && open_all(&sides, bench, form);
    if (ok) {
        ok = bench_alternate((struct bench_side){get_round, &sides}, (struct bench_side){peer_get_round, &sides},
                             ROUNDS, &times) &&
             bench_peer_ask(sides.peer, "describe", 0, 0);
        if (ok) {
            bench_report_add(&bench->report, (struct bench_result){form->get, times.ours, times.peer, "ns", 20, 0, ""},
                             "p50 of get, one core each; 4 shards, %s; %s: DbReader of each shard, awaited",
                             form->place, sides.peer->answer);
        }
        close_all(&sides);
    }
    (void)bench_use_all_cores();
    return ok;
}

static bool compare_openings(struct bench *bench, const struct form *form, bool is_cold) {
    struct sides sides;
    struct bench_times times;
    if (!open_all(&sides, bench, form)) return false;
    bench_ours_close(&sides.ours);
    sides.is_cold = is_cold;
    bool ok = bench_ours_forget(bench->data, COLD_CACHE) &&
              bench_alternate((struct bench_side){open_round, &sides}, (struct bench_side){peer_open_round, &sides},
                              OPEN_ROUNDS, &times) &&
              bench_peer_ask(sides.peer, "describe", 0, 0);
    if (ok) {
        const struct bench_result result = {is_cold ? form->open_cold : form->open,
                                            times.ours / MILLISECOND,
                                            times.peer / MILLISECOND,
                                            "ms",
                                            is_cold ? 0 : 5,
                                            0,
                                            ""};
        bench_report_add(&bench->report, result,
                         "4 shards, %s, and a get in each; local cache %s, runtime included; "
                         "%s: 4 DbReaders, built together; best rounds %.2f and %.2f ms",
                         form->place, is_cold ? "empty" : "warm", sides.peer->answer, times.ours_best / MILLISECOND,
                         times.peer_best / MILLISECOND);
    }
    close_all(&sides);
    return bench_ours_forget(bench->data, COLD_CACHE) && ok;
}

bool bench_slatedb_get(struct bench *bench) {
    bool ok = true;
    for (size_t i = 0; ok && i < FORMS; i++) ok = compare_gets(bench, &forms[i]);
    return ok;
}

bool bench_slatedb_open(struct bench *bench) {
    bool ok = true;
    for (size_t i = 0; ok && i < FORMS; i++) {
        ok = compare_openings(bench, &forms[i], false) && compare_openings(bench, &forms[i], true);
    }
    return ok;
}
