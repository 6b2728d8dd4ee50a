/* Search through our Python package, the same search in C, and sqlite-vec in Python, taking turns on one core. */
#include "bench/bench.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/peer_process.h"
#include "bench/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15u
#define CHECKED 16u /* queries whose answers are compared with the truth */
#define MILLISECOND 1e6

struct sides {
    struct bench_vectors vectors;
    struct bench_ours ours;
    unsigned queries; /* a round */
};

struct python_side {
    struct sides *sides;
    struct bench_peer *process;
    const char *verb;
};

/* Which vectors, and what the results are called. */
struct form {
    const char *part, *snapshot, *peer, *name, *name_over_c, *text;
    unsigned queries;
};

static const struct form forms[] = {
    {"vectors", "vectors/shards-1", "sqlite-vec", "py_search", "py_search_over_c", "100,000 x 384", 8},
    {"vectors-20k", "vectors-20k/shards-1", "sqlite-vec:vectors-20k", "py_search_20k", "py_search_20k_over_c",
     "20,000 x 384", 32},
};

static unsigned first_of(const struct sides *sides, unsigned round) {
    return round * sides->queries % (BENCH_QUERIES - sides->queries + 1);
}

static double c_round(void *context, unsigned round) {
    struct sides *sides = context;
    double times[BENCH_QUERIES];
    for (unsigned i = 0; i < sides->queries; i++) {
        shf_query query = bench_query(&sides->vectors, first_of(sides, round) + i);
        shf_op *op = NULL;
        double begin = bench_now();
        shf_status status = shf_search_sync(sides->ours.reader, &query, 0, &op);
        times[i] = bench_now() - begin;
        if (status) return bench_failed("search", status, op) ? 0 : -1;
        shf_op_release(op);
    }
    return bench_median(times, sides->queries);
}

static double python_round(void *context, unsigned round) {
    struct python_side *side = context;
    if (!bench_peer_ask(side->process, side->verb, first_of(side->sides, round), side->sides->queries)) return -1;
    return strtod(side->process->answer, NULL);
}

static bool answers_are_right(struct python_side *side) {
    int64_t ids[CHECKED * BENCH_TOP_K];
    if (!bench_peer_ask(side->process, "answers", 0, CHECKED)) return false;
    char *at = side->process->answer;
    for (size_t i = 0; i < CHECKED * BENCH_TOP_K; i++) ids[i] = strtoll(at, &at, 10);
    double recall = bench_recall(&side->sides->vectors, 0, CHECKED, ids);
    if (recall == 1) return true;
    fprintf(stderr, "recall in Python is %.4f; it must be 1\n", recall);
    return false;
}

static bool start(struct python_side *side, struct sides *sides, const char *python, const char *script,
                  const char *data, const char *name) {
    side->sides = sides;
    side->process = bench_peer_start(python, script, data, name);
    return side->process && answers_are_right(side);
}

static bool compare(struct bench *bench, const struct form *form) {
    struct sides sides = {.queries = form->queries};
    struct python_side ours = {.verb = "search"}, peer = {.verb = "round"};
    double medians[3], bests[3];
    bool ok = bench_use_one_core() && bench_vectors_load_part(&sides.vectors, bench->data, form->part) &&
              bench_ours_open_in(&sides.ours, bench->data, form->snapshot, 1, "cache-py-c") &&
              start(&ours, &sides, bench->package, BENCH_PYTHON_SCRIPT, bench->data, form->snapshot) &&
              start(&peer, &sides, bench->python, BENCH_VECTORS_SCRIPT, bench->data, form->peer);
    if (ok) {
        const struct bench_side all[] = {{python_round, &ours}, {c_round, &sides}, {python_round, &peer}};
        ok = bench_take_turns(all, 3, ROUNDS, medians, bests) && bench_peer_ask(peer.process, "describe", 0, 0);
    }
    if (ok) {
        bench_report_add(
            &bench->report,
            (struct bench_result){form->name, medians[0] / MILLISECOND, medians[2] / MILLISECOND, "ms", 0, 0, ""},
            "p50 of await search, top 10 with payloads, one core, %s; peer: rowids alone, without asyncio; %s",
            form->text, peer.process->answer);
        bench_report_add(
            &bench->report,
            (struct bench_result){form->name_over_c, medians[0] / MILLISECOND, medians[1] / MILLISECOND, "ms", 1 / 1.1,
                                  0, ""},
            "the same; peer: shf_search_sync in C; at most a tenth more is wanted; best rounds %.2f and %.2f ms",
            bests[0] / MILLISECOND, bests[1] / MILLISECOND);
    }
    bench_ours_close(&sides.ours);
    bench_peer_stop(ours.process);
    bench_peer_stop(peer.process);
    bench_vectors_free(&sides.vectors);
    (void)bench_use_all_cores();
    return ok;
}

bool bench_py_search(struct bench *bench) {
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof forms / sizeof forms[0]; i++) ok = compare(bench, &forms[i]);
    return ok;
}
