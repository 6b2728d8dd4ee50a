/*
 * Exact search against sqlite-vec and faiss, on one core each; two cores against one; a batch against single calls.
 * A side whose answers are not the true ones fails the benchmark.
 */
#include "bench/bench.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/peer_process.h"
#include "bench/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKED 64u /* queries whose answers are compared with the truth */
#define BATCH 64u
#define MILLISECOND 1e6

/* One side: a reader of ours, or a peer's process. */
struct side {
    const struct bench_vectors *vectors;
    struct bench_ours ours;
    struct bench_peer *peer;
    unsigned queries; /* a round */
    const char *verb; /* of the peer */
    double recall;    /* of the peer */
};

/* What is compared with what. */
struct match {
    const char *snapshot, *peer, *python;
    unsigned queries; /* a round */
    unsigned rounds;
    bool in_batch;
    double least_recall; /* of the peer; 0 = 1 */
};

static unsigned first_of(const struct side *side, unsigned round) {
    return round * side->queries % (BENCH_QUERIES - side->queries + 1);
}

/* Median of the single searches of a round. */
static double single_round(void *context, unsigned round) {
    struct side *side = context;
    double times[BENCH_QUERIES];
    for (unsigned i = 0; i < side->queries; i++) {
        shf_query query = bench_query(side->vectors, first_of(side, round) + i);
        shf_op *op = NULL;
        double begin = bench_now();
        shf_status status = shf_search_sync(side->ours.reader, &query, 0, &op);
        times[i] = bench_now() - begin;
        if (status) return bench_failed("search", status, op) ? 0 : -1;
        shf_op_release(op);
    }
    return bench_median(times, side->queries);
}

/* All queries of a round in one call, as nanoseconds a query. */
static double batch_round(void *context, unsigned round) {
    struct side *side = context;
    shf_query queries[BATCH];
    shf_op *op = NULL;
    for (unsigned i = 0; i < BATCH; i++) queries[i] = bench_query(side->vectors, first_of(side, round) + i);
    double begin = bench_now();
    shf_status status = shf_batch_search_sync(side->ours.reader, queries, BATCH, 0, &op);
    double time = bench_now() - begin;
    if (status) return bench_failed("batch_search", status, op) ? 0 : -1;
    shf_op_release(op);
    return time / BATCH;
}

static double peer_round(void *context, unsigned round) {
    struct side *side = context;
    if (!bench_peer_ask(side->peer, side->verb, first_of(side, round), side->queries)) return -1;
    double time = strtod(side->peer->answer, NULL);
    return strcmp(side->verb, "batch") == 0 ? time / side->queries : time;
}

/* Both forms of search must find the true neighbours. */
static bool check_ours(struct side *side) {
    int64_t single[CHECKED][BENCH_TOP_K], batch[CHECKED][BENCH_TOP_K];
    shf_query queries[CHECKED];
    shf_op *op = NULL;
    shf_status status = SHF_OK;
    for (unsigned i = 0; i < CHECKED; i++) {
        queries[i] = bench_query(side->vectors, i);
        status = shf_search_sync(side->ours.reader, &queries[i], 0, &op);
        if (status) return bench_failed("search", status, op);
        bench_hits(op, 0, single[i]);
        shf_op_release(op);
    }
    status = shf_batch_search_sync(side->ours.reader, queries, CHECKED, 0, &op);
    if (status) return bench_failed("batch_search", status, op);
    for (unsigned i = 0; i < CHECKED; i++) bench_hits(op, i, batch[i]);
    shf_op_release(op);
    double recall = bench_recall(side->vectors, 0, CHECKED, single[0]);
    double batch_recall = bench_recall(side->vectors, 0, CHECKED, batch[0]);
    if (recall == 1 && batch_recall == 1) return true;
    fprintf(stderr, "recall of ours is %.4f, in a batch %.4f; it must be 1\n", recall, batch_recall);
    return false;
}

static bool check_peer(struct side *side, double least) {
    int64_t ids[CHECKED * BENCH_TOP_K];
    if (!bench_peer_ask(side->peer, "answers", 0, CHECKED)) return false;
    char *at = side->peer->answer;
    for (size_t i = 0; i < CHECKED * BENCH_TOP_K; i++) ids[i] = strtoll(at, &at, 10);
    side->recall = bench_recall(side->vectors, 0, CHECKED, ids);
    if (side->recall >= least) return true;
    fprintf(stderr, "recall of the peer is %.4f; it must be %g\n", side->recall, least);
    return false;
}

static bool open_ours(struct side *side, const char *data, const char *name, uint32_t workers) {
    return bench_ours_open(&side->ours, data, name, workers) && check_ours(side);
}

static bool open_peer(struct side *side, const struct bench *bench, const struct match *match) {
    side->peer = bench_peer_start(match->python, BENCH_VECTORS_SCRIPT, bench->data, match->peer);
    return side->peer && check_peer(side, match->least_recall > 0 ? match->least_recall : 1);
}

static void close_side(struct side *side) {
    bench_ours_close(&side->ours);
    bench_peer_stop(side->peer);
}

/* Ours with one worker and the peer with one thread take turns on one core. */
static bool against_peer(struct bench *bench, const struct match *match, struct bench_result result) {
    struct bench_vectors vectors;
    struct side ours = {&vectors, {0}, NULL, match->queries, "", 0},
                peer = {&vectors, {0}, NULL, match->queries, "round", 0};
    struct bench_times times = {0};
    char recall[64];
    if (match->in_batch) peer.verb = "batch";
    bool ok = bench_vectors_load(&vectors, bench->data) && bench_use_one_core() &&
              open_ours(&ours, bench->data, match->snapshot, 1) && open_peer(&peer, bench, match) &&
              bench_alternate((struct bench_side){match->in_batch ? batch_round : single_round, &ours},
                              (struct bench_side){peer_round, &peer}, match->rounds, &times) &&
              bench_peer_ask(peer.peer, "describe", 0, 0);
    if (ok) {
        result.ours = times.ours / MILLISECOND;
        result.peer = times.peer / MILLISECOND;
        (void)snprintf(recall, sizeof recall, peer.recall < 1 ? "; recall 1.0, the peer's %.3f" : "; recall %.1f",
                       peer.recall);
        bench_report_add(&bench->report, result, "%s; ours %s, float64 sums; %s%s",
                         match->in_batch ? "64 queries a call" : "p50, one core each", bench_instruction_set(),
                         peer.peer->answer, recall);
    }
    close_side(&ours);
    close_side(&peer);
    bench_vectors_free(&vectors);
    (void)bench_use_all_cores();
    return ok;
}

bool bench_search_vs_sqlite_vec(struct bench *bench) {
    const struct bench_result result = {"search_vs_sqlite_vec", 0, 0, "ms", 5.0, 0, ""};
    const struct match match = {"vectors/shards-1", "sqlite-vec", bench->python, 8, 7, false, 0};
    return against_peer(bench, &match, result);
}

bool bench_search_vs_faiss_flat(struct bench *bench) {
    const struct bench_result single = {"search_vs_faiss_flat", 0, 0, "ms", 0.95, 0, ""};
    const struct bench_result batch = {"batch_search_64_vs_faiss", 0, 0, "ms", 0, 0, ""};
    const struct match one = {"vectors/shards-1", "faiss", bench->python, 32, 15, false, 0};
    const struct match many = {"vectors/shards-1", "faiss", bench->python, BATCH, 9, true, 0};
    return against_peer(bench, &one, single) && against_peer(bench, &many, batch);
}

bool bench_lance_search(struct bench *bench) {
    const struct bench_result exact = {"lance_search", 0, 0, "ms", 10.0, 0, ""};
    const struct bench_result indexed = {"lance_search_vs_index", 0, 0, "ms", 0, 0, ""};
    char python[PATH_MAX];
    (void)snprintf(python, sizeof python, "%s-lancedb/bin/python3", bench->venvs);
    const struct match without = {"lance/snapshot", "lancedb", python, 8, 7, false, 0};
    const struct match with = {"lance/snapshot", "lancedb-index", python, 16, 9, false, 0.95};
    return against_peer(bench, &without, exact) && against_peer(bench, &with, indexed);
}

/* Ours against ours: the same snapshot, by one worker on one core and by two on two. */
static bool two_cores(struct bench *bench, const char *name, const char *snapshot, const char *shards) {
    struct bench_vectors vectors;
    struct side two = {&vectors, {0}, NULL, 32, "", 0}, one = {&vectors, {0}, NULL, 32, "", 0};
    struct bench_times times = {0};
    bool ok =
        bench_vectors_load(&vectors, bench->data) && open_ours(&two, bench->data, snapshot, 2) &&
        open_ours(&one, bench->data, snapshot, 1) &&
        bench_alternate((struct bench_side){single_round, &two}, (struct bench_side){single_round, &one}, 15, &times);
    if (ok) {
        bench_report_add(&bench->report,
                         (struct bench_result){name, times.ours / MILLISECOND, times.peer / MILLISECOND, "ms", 1.0, 0, ""},
                         "%s; two workers; peer: ours with one worker; best rounds %.2f and %.2f ms", shards,
                         times.ours_best / MILLISECOND, times.peer_best / MILLISECOND);
    }
    close_side(&two);
    close_side(&one);
    bench_vectors_free(&vectors);
    return ok;
}

bool bench_search_two_cores(struct bench *bench) {
    if (bench_cores() < 2) {
        printf("  search_two_cores             left out: this machine has one core\n");
        return true;
    }
    return two_cores(bench, "search_two_cores", "vectors/shards-4", "4 shards") &&
           two_cores(bench, "search_two_cores_one_shard", "vectors/shards-1", "1 shard");
}

bool bench_batch_search_64(struct bench *bench) {
    struct bench_vectors vectors;
    struct side ours = {&vectors, {0}, NULL, BATCH, "", 0};
    struct bench_times times = {0};
    bool ok =
        bench_vectors_load(&vectors, bench->data) && bench_use_one_core() &&
        open_ours(&ours, bench->data, "vectors/shards-1", 1) &&
        bench_alternate((struct bench_side){batch_round, &ours}, (struct bench_side){single_round, &ours}, 7, &times);
    if (ok) {
        bench_report_add(&bench->report,
                         (struct bench_result){"batch_search_64", times.ours / MILLISECOND, times.peer / MILLISECOND,
                                               "ms", 4.0, 0, ""},
                         "a query of a batch of 64, one core; peer: ours, single searches");
    }
    close_side(&ours);
    bench_vectors_free(&vectors);
    (void)bench_use_all_cores();
    return ok;
}
