/*
 * Routing by CEL expressions against the reference, cel-expr-python: from the values of a row to its shard. These are
 * internals of the library (a get has the same within it), so the modules are linked into this program.
 */
#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/peer_process.h"

#include "formats/cel/cel_route.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15u
#define ROWS 4096u
#define BATCH 256u
#define BATCHES (ROWS / BATCH)
#define SHARDS 8u
#define SEED 7u

static const struct expression {
    const char *name, *text;
} expressions[] = {
    {"cel_modulo", "key % 4"},
    {"cel_hash", "shard_hash(key) % 8u"},
    {"cel_hash_texts", "shard_hash(region + \":\" + string(tier)) % 8u"},
    {"cel_chain",
     "key < 12 ? 0 : key < 25 ? 1 : key < 37 ? 2 : key < 50 ? 3 : key < 62 ? 4 : key < 75 ? 5 : key < 87 ? 6 : 7"},
};

static const struct shf_cel_column columns[] = {
    {"key", SHF_CEL_INT, 0, 0},
    {"region", SHF_CEL_STRING, 0, 0},
    {"tier", SHF_CEL_INT, 0, 0},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

struct row {
    shf_context_value values[COLUMNS];
};

struct sides {
    struct shf_cel_router *router;
    struct shf_cel_scratch scratch;
    struct bench_peer *peer;
    struct row *rows;
    uint64_t sum; /* so that no compiler leaves the work out */
};

/* The same rows as the peer's. */
static struct row *make_rows(void) {
    static const char *const regions[] = {"us-west",  "us-east", "eu-west", "eu-north",
                                          "ap-south", "ap-east", "sa-east", "af-south"};
    struct row *rows = calloc(ROWS, sizeof *rows);
    uint64_t state = SEED;
    for (size_t i = 0; rows && i < ROWS; i++) {
        uint64_t random = bench_random(&state);
        const char *region = regions[random >> 32 & 7];
        rows[i].values[0] = (shf_context_value){"key", SHF_CONTEXT_INT, 0, {.int_value = (int64_t)(random % 100)}};
        rows[i].values[1] = (shf_context_value){"region", SHF_CONTEXT_TEXT, 0, {.bytes = {region, strlen(region)}}};
        rows[i].values[2] = (shf_context_value){"tier", SHF_CONTEXT_INT, 0, {.int_value = (int64_t)(random >> 40 & 15)}};
    }
    return rows;
}

static uint32_t route(struct sides *sides, const struct row *row) {
    struct shf_cel_value values[COLUMNS];
    const shf_routing_context context = {sizeof context, COLUMNS, row->values};
    uint32_t shard;
    (void)shf_cel_bind_context(shf_cel_router_expression(sides->router), &context, values);
    return shf_cel_route(sides->router, values, &sides->scratch, &shard, NULL, NULL) ? SHARDS : shard;
}

static double our_round(void *context, unsigned round) {
    struct sides *sides = context;
    double times[BATCHES];
    (void)round;
    for (size_t b = 0; b < BATCHES; b++) {
        double begin = bench_now();
        for (size_t i = 0; i < BATCH; i++) sides->sum += route(sides, &sides->rows[b * BATCH + i]);
        times[b] = (bench_now() - begin) / BATCH;
    }
    return bench_median(times, BATCHES);
}

static double peer_round(void *context, unsigned round) {
    struct sides *sides = context;
    (void)round;
    return bench_peer_ask(sides->peer, "round", 0, ROWS) ? strtod(sides->peer->answer, NULL) : -1;
}

static bool same_shards(struct sides *sides) {
    char *rest = NULL;
    if (!bench_peer_ask(sides->peer, "answers", 0, ROWS)) return false;
    char *text = strtok_r(sides->peer->answer, " ", &rest);
    for (size_t i = 0; i < ROWS; i++, text = strtok_r(NULL, " ", &rest)) {
        uint32_t ours = route(sides, &sides->rows[i]);
        if (text && ours < SHARDS && strtoul(text, NULL, 10) == ours) continue;
        fprintf(stderr, "row %zu: shard %u, the peer says %s\n", i, ours, text ? text : "nothing");
        return false;
    }
    return true;
}

static void close_all(struct sides *sides) {
    shf_cel_router_free(sides->router);
    shf_cel_scratch_free(&sides->scratch);
    bench_peer_stop(sides->peer);
    free(sides->rows);
}

static bool open_all(struct sides *sides, const struct bench *bench, const struct expression *expression) {
    char python[PATH_MAX];
    memset(sides, 0, sizeof *sides);
    shf_cel_scratch_init(&sides->scratch);
    (void)snprintf(python, sizeof python, "%s-cel/bin/python3", bench->venvs);
    sides->rows = make_rows();
    bool ok = sides->rows && !shf_cel_router_new(expression->text, strlen(expression->text), columns, COLUMNS, NULL, 0,
                                                 SHARDS, &sides->router, NULL);
    if (!ok) fprintf(stderr, "%s can not be routed by\n", expression->text);
    ok = ok && (sides->peer = bench_peer_start(python, BENCH_CEL_SCRIPT, expression->text, expression->name)) != NULL &&
         same_shards(sides);
    if (!ok) close_all(sides);
    return ok;
}

static bool compare(struct bench *bench, const struct expression *expression) {
    struct sides sides;
    struct bench_times times;
    if (!open_all(&sides, bench, expression)) return false;
    bool ok = bench_alternate((struct bench_side){our_round, &sides}, (struct bench_side){peer_round, &sides}, ROUNDS,
                              &times) &&
              bench_peer_ask(sides.peer, "describe", 0, 0);
    if (ok) {
        bench_report_add(&bench->report,
                         (struct bench_result){expression->name, times.ours, times.peer, "ns", 0, 1000, ""},
                         "p50 of a row's values to its shard, one core; %.60s; %s", expression->text, sides.peer->answer);
    }
    close_all(&sides);
    return ok;
}

bool bench_cel(struct bench *bench) {
    bool ok = bench_use_one_core();
    for (size_t i = 0; ok && i < sizeof expressions / sizeof expressions[0]; i++) ok = compare(bench, &expressions[i]);
    (void)bench_use_all_cores();
    return ok;
}
