/*
 * Lookups and openings of our Python package against sqlite3 through asyncio.to_thread, and against the same call in C.
 * The sides in Python time themselves, in one process of their own; all take turns.
 */
#include "bench/bench.h"
#include "bench/keys.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/ours.h"
#include "bench/peer_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 9u
#define BATCH 500u
#define KEYS_A_CALL 100u
#define ROUND_KEYS 20000u /* of the sides that take a microsecond or so */
#define THREAD_KEYS 2000u /* of those that hand each call to a thread */
#define OPENINGS 5u
#define CHECKED 1000u
#define MICROSECOND 1e3
#define MILLISECOND 1e6

struct sides {
    struct bench_ours ours;
    struct bench_peer *python;
    uint8_t (*lookups)[BENCH_KEY_SIZE];
    size_t lookup_count;
    uint64_t sum; /* of a byte of each value, so that no compiler leaves the reading out */
};

/* A verb of peer_python.py. */
struct python_side {
    struct sides *sides;
    const char *verb;
    unsigned keys; /* a round */
};

static unsigned first_of(const struct sides *sides, unsigned round, unsigned keys) {
    return round * keys % (unsigned)(sides->lookup_count - keys + 1);
}

static double python_round(void *context, unsigned round) {
    struct python_side *side = context;
    unsigned first = first_of(side->sides, round, side->keys);
    return bench_peer_ask(side->sides->python, side->verb, first, side->keys) ? strtod(side->sides->python->answer, NULL)
                                                                              : -1;
}

/* Takes the values of a finished operation and releases it. */
static size_t finish(struct sides *sides, shf_op *op, size_t count) {
    size_t hits = 0;
    for (size_t i = 0; i < count; i++) {
        shf_value value;
        value.struct_size = sizeof value;
        if (shf_op_value(op, i, &value) || value.status != SHF_OK) continue;
        sides->sum += *(const uint8_t *)value.data.data;
        hits++;
    }
    shf_op_release(op);
    return hits;
}

static size_t get_batch(struct sides *sides, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i++) {
        shf_key key = shf_key_from_bytes(keys[i], BENCH_KEY_SIZE);
        shf_op *op = NULL;
        if (!shf_get_sync(sides->ours.reader, &key, NULL, 0, &op)) hits += finish(sides, op, 1);
    }
    return hits;
}

static size_t multi_get_batch(struct sides *sides, const uint8_t (*keys)[BENCH_KEY_SIZE]) {
    size_t hits = 0;
    for (size_t i = 0; i < BATCH; i += KEYS_A_CALL) {
        shf_key wanted[KEYS_A_CALL];
        shf_op *op = NULL;
        for (size_t k = 0; k < KEYS_A_CALL; k++) wanted[k] = shf_key_from_bytes(keys[i + k], BENCH_KEY_SIZE);
        if (!shf_multi_get_sync(sides->ours.reader, wanted, KEYS_A_CALL, NULL, 0, &op)) {
            hits += finish(sides, op, KEYS_A_CALL);
        }
    }
    return hits;
}

typedef size_t batch_function(struct sides *sides, const uint8_t (*keys)[BENCH_KEY_SIZE]);

/* Median over the batches of a round, each as nanoseconds a key. */
static double c_round(struct sides *sides, batch_function *run, unsigned round) {
    const uint8_t(*keys)[BENCH_KEY_SIZE] =
        (const uint8_t(*)[BENCH_KEY_SIZE])(sides->lookups + first_of(sides, round, ROUND_KEYS));
    double times[ROUND_KEYS / BATCH];
    size_t hits = 0;
    for (size_t b = 0; b < ROUND_KEYS / BATCH; b++) {
        double begin = bench_now();
        hits += run(sides, keys + b * BATCH);
        times[b] = (bench_now() - begin) / BATCH;
    }
    if (hits == ROUND_KEYS) return bench_median(times, ROUND_KEYS / BATCH);
    fprintf(stderr, "%zu of %u lookups found their key\n", hits, ROUND_KEYS);
    return -1;
}

static double c_get_round(void *context, unsigned round) { return c_round(context, get_batch, round); }
static double c_multi_get_round(void *context, unsigned round) { return c_round(context, multi_get_batch, round); }

static void close_all(struct sides *sides) {
    bench_ours_close(&sides->ours);
    bench_peer_stop(sides->python);
    free(sides->lookups);
    memset(sides, 0, sizeof *sides);
    (void)bench_use_all_cores();
}

static bool answers_agree(struct sides *sides) {
    if (!bench_peer_ask(sides->python, "check", 0, CHECKED)) return false;
    if (strcmp(sides->python->answer, "same") == 0) return true;
    fprintf(stderr, "a value in Python differs from the one that sqlite3 reads\n");
    return false;
}

static bool open_all(struct sides *sides, const struct bench *bench, bool on_one_core) {
    memset(sides, 0, sizeof *sides);
    bool ok = on_one_core ? bench_use_one_core() : bench_use_all_cores();
    sides->lookups = bench_keys_read(bench->data, "py", "lookups.bin", &sides->lookup_count);
    ok = ok && sides->lookups && sides->lookup_count >= ROUND_KEYS &&
         bench_ours_open_in(&sides->ours, bench->data, "py", 1, "cache-py-c");
    if (ok) sides->python = bench_peer_start(bench->package, BENCH_PYTHON_SCRIPT, bench->data, "lookups");
    ok = ok && sides->python && answers_agree(sides);
    if (!ok) close_all(sides);
    return ok;
}

/* The medians of five sides: ours in Python, the C call, and three others in Python. Then the Python's description. */
static bool five_sides(struct sides *sides, bench_round *in_c, struct python_side *python, double *medians) {
    const struct bench_side all[] = {{python_round, &python[0]},
                                     {in_c, sides},
                                     {python_round, &python[1]},
                                     {python_round, &python[2]},
                                     {python_round, &python[3]}};
    for (unsigned i = 0; i < 4; i++) python[i].sides = sides;
    return bench_take_turns(all, 5, ROUNDS, medians, NULL) && bench_peer_ask(sides->python, "describe", 0, 0);
}

static bool compare_gets(struct bench *bench, bool on_one_core) {
    struct sides sides;
    struct python_side python[] = {{NULL, "get", ROUND_KEYS},
                                   {NULL, "thread_get", THREAD_KEYS},
                                   {NULL, "plain_get", ROUND_KEYS},
                                   {NULL, "sqlite_get", ROUND_KEYS}};
    double medians[5];
    const char *cores = on_one_core ? "one core" : "all cores";
    if (!open_all(&sides, bench, on_one_core)) return false;
    bool ok = five_sides(&sides, c_get_round, python, medians);
    if (ok) {
        double ours = medians[0], in_c = medians[1], thread = medians[2], plain = medians[3], sqlite = medians[4];
        bench_report_add(&bench->report,
                         (struct bench_result){on_one_core ? "py_get" : "py_get_all_cores", ours / MICROSECOND,
                                               thread / MICROSECOND, "us", on_one_core ? 15 : 0, 0, ""},
                         "p50 of await get, %s; peer: await to_thread of a SELECT; %s", cores, sides.python->answer);
        if (on_one_core) {
            bench_report_add(&bench->report,
                             (struct bench_result){"py_get_over_c", ours, in_c, "ns", 0, in_c + MICROSECOND, ""},
                             "p50 of await get; peer: shf_get_sync in C, value read; at most 1 us more is wanted");
            bench_report_add(&bench->report, (struct bench_result){"py_get_plain", plain, sqlite, "ns", 0, 0, ""},
                             "p50 of get of the reader without asyncio; peer: the SELECT without a thread");
        }
    }
    close_all(&sides);
    return ok;
}

bool bench_py_get(struct bench *bench) { return compare_gets(bench, true) && compare_gets(bench, false); }

bool bench_py_multi_get_100(struct bench *bench) {
    struct sides sides;
    struct python_side python[] = {{NULL, "multi_get", ROUND_KEYS},
                                   {NULL, "thread_get", THREAD_KEYS},
                                   {NULL, "thread_each", ROUND_KEYS},
                                   {NULL, "thread_select", ROUND_KEYS}};
    double medians[5];
    if (!open_all(&sides, bench, true)) return false;
    bool ok = five_sides(&sides, c_multi_get_round, python, medians);
    if (ok) {
        double ours = medians[0];
        bench_report_add(&bench->report, (struct bench_result){"py_multi_get_100", ours, medians[2], "ns/key", 30, 0, ""},
                         "await multi_get of 100 keys, one core; peer: await to_thread of a SELECT for each key");
        bench_report_add(&bench->report,
                         (struct bench_result){"py_multi_get_100_vs_selects", ours, medians[3], "ns/key", 0, 0, ""},
                         "peer: 100 SELECTs in one await to_thread, into a dict");
        bench_report_add(&bench->report,
                         (struct bench_result){"py_multi_get_100_vs_in", ours, medians[4], "ns/key", 0, 0, ""},
                         "peer: one SELECT ... IN of 100 in one await to_thread, into a dict");
        bench_report_add(&bench->report,
                         (struct bench_result){"py_multi_get_100_over_c", ours, medians[1], "ns/key", 0, 0, ""},
                         "peer: shf_multi_get_sync in C, values read");
    }
    close_all(&sides);
    return ok;
}

bool bench_py_open(struct bench *bench) {
    struct sides sides;
    struct bench_times times;
    if (!open_all(&sides, bench, true)) return false;
    struct python_side ours = {&sides, "open", OPENINGS * KEYS_A_CALL},
                       peer = {&sides, "thread_open", OPENINGS * KEYS_A_CALL};
    bool ok = bench_alternate((struct bench_side){python_round, &ours}, (struct bench_side){python_round, &peer},
                              ROUNDS, &times);
    if (ok) {
        bench_report_add(
            &bench->report,
            (struct bench_result){"py_open", times.ours / MILLISECOND, times.peer / MILLISECOND, "ms", 0, 0, ""},
            "open, 4 gets and close, 4 shards, local, warm, one core; peer: sqlite3 opens the 4 files and "
            "asks each, in one await to_thread");
    }
    close_all(&sides);
    return ok;
}
