/*
 * Building a snapshot of vectors against the inserts of the Python project's writer: sqlite3 and the real sqlite-vec, into
 * as many files. Ours is everything between rows in memory and a published snapshot; the peer inserts what was routed and
 * converted before its clock starts, and commits.
 */
#include "bench/bench.h"
#include "bench/build_rows.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/ours_writer.h"
#include "bench/peer_process.h"
#include "bench/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 16u
#define ROWS_A_WRITE 256u
#define ROUNDS 5u
#define CHECKED_EVERY 97u /* rows: got and compared */
#define LIKE_EVERY 9973u  /* rows: searched for */
#define SECOND 1e9
#define WARM_BYTES (UINT64_C(1) << 29) /* rows, and files in the page cache */
#define SNAPSHOT "build-ours"

struct side {
    const struct bench *bench;
    const struct bench_build_rows *input;
    struct bench_peer *peer;
    uint32_t flags; /* of ours */
    struct bench_built built;
};

/* Runtime, writer, rows, publish, close: what a program pays. */
static double build_ours(void *context, unsigned round) {
    struct side *side = context;
    struct bench_writer writer;
    shf_writer_options options;
    (void)round;
    SHF_INIT(&options);
    options.backend = SHF_WRITE_UNIFIED;
    options.num_dbs = SHARDS;
    options.flags = side->flags;
    bench_remove_tree(side->bench->data, SNAPSHOT);
    bench_warm_memory(WARM_BYTES);
    double begin = bench_now();
    bool ok = bench_writer_open(&writer, side->bench->data, SNAPSHOT, 0, &options);
    for (size_t i = 0; ok && i < side->input->count; i += ROWS_A_WRITE) {
        size_t left = side->input->count - i;
        ok = bench_writer_add(&writer, side->input->rows + i, left < ROWS_A_WRITE ? left : ROWS_A_WRITE);
    }
    ok = ok && bench_writer_publish(&writer, &side->built);
    double time = bench_now() - begin;
    if (ok) return time;
    bench_writer_drop(&writer);
    return -1;
}

static double build_peer(void *context, unsigned round) {
    struct side *side = context;
    (void)round;
    bench_warm_memory(WARM_BYTES);
    return bench_peer_ask(side->peer, "round", 0, (unsigned)side->input->count) ? strtod(side->peer->answer, NULL) : -1;
}

/* ---- what was built ---- */

static bool check_value(shf_reader *reader, const shf_row *row) {
    shf_op *op = NULL;
    shf_value value;
    SHF_INIT(&value);
    shf_status status = shf_get_sync(reader, &row->key, NULL, 0, &op);
    if (status) return bench_failed("get", status, op);
    bool same = !shf_op_value(op, 0, &value) && value.status == SHF_OK && value.data.size == row->value.size &&
                memcmp(value.data.data, row->value.data, row->value.size) == 0;
    shf_op_release(op);
    if (!same) fprintf(stderr, "a value that was built is not the one that was given\n");
    return same;
}

/* A vector's nearest is its own row, with the payload that was given. */
static bool check_vector(shf_reader *reader, const shf_row *row) {
    shf_op *op = NULL;
    shf_query query;
    shf_hit hit;
    SHF_INIT(&query);
    SHF_INIT(&hit);
    query.top_k = 1;
    query.vector = row->vector;
    query.dimension = row->dimension;
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    if (status) return bench_failed("search", status, op);
    const shf_slice *key = &row->key.as.bytes;
    bool same = !shf_op_hit(op, 0, 0, &hit) && hit.id.kind == SHF_ID_TEXT && hit.id.text.size == key->size &&
                memcmp(hit.id.text.data, key->data, key->size) == 0 && hit.payload.size == row->payload.size &&
                memcmp(hit.payload.data, row->payload.data, row->payload.size) == 0;
    if (!same) {
        fprintf(stderr, "a vector that was built is not found, or not with its payload: %.*s, not %.*s\n",
                (int)hit.id.text.size, (const char *)hit.id.text.data, (int)key->size, (const char *)key->data);
    }
    shf_op_release(op);
    return same;
}

static bool check_ours(const struct side *side) {
    struct bench_ours ours;
    const struct bench_build_rows *input = side->input;
    bool ok = bench_ours_open(&ours, side->bench->data, SNAPSHOT, 0);
    for (size_t i = 0; ok && i < input->count; i += CHECKED_EVERY) ok = check_value(ours.reader, &input->rows[i]);
    for (size_t i = 0; ok && i < input->count; i += LIKE_EVERY) ok = check_vector(ours.reader, &input->rows[i]);
    bench_ours_close(&ours);
    return ok;
}

static bool check_peer(const struct side *side) {
    if (!bench_peer_ask(side->peer, "rows", 0, 0)) return false;
    char *at = side->peer->answer;
    for (unsigned table = 0; table < 4; table++) {
        if (strtoull(at, &at, 10) == side->input->count) continue;
        fprintf(stderr, "the peer did not insert %zu rows: %s\n", side->input->count, side->peer->answer);
        return false;
    }
    return true;
}

/* ---- the benchmark ---- */

static void add(struct bench *bench, const char *name, double target, double ours, double peer, const struct side *side,
                const char *how, const char *versions) {
    bench_report_add(&bench->report, (struct bench_result){name, ours / SECOND, peer / SECOND, "s", target, 0, ""},
                     "%.0f rows/s, %s; publish: build %.0f ms, rest %.0f ms; peer: inserts and commit alone, %s",
                     (double)side->built.rows * SECOND / ours, how, side->built.build_ns / 1e6,
                     (side->built.sort_ns + side->built.publish_ns) / 1e6, versions);
}

static bool on_all_cores(struct bench *bench, const struct bench_build_rows *input) {
    struct side full = {bench, input, NULL, 0, {0}}, bare = full, peer = full;
    double medians[3];
    bare.flags = SHF_WRITE_NO_SIDECAR;
    peer.peer = bench_peer_start(bench->python, BENCH_BUILD_SCRIPT, bench->data, "sqlite-vec");
    const struct bench_side sides[] = {{build_peer, &peer}, {build_ours, &bare}, {build_ours, &full}};
    bool ok = peer.peer && bench_take_turns(sides, 3, ROUNDS, medians, NULL) && build_ours(&full, 0) >= 0 &&
              check_ours(&full) && check_peer(&peer) && bench_peer_ask(peer.peer, "describe", 0, 0);
    if (ok) {
        add(bench, "build_vs_reference_like", 5.0, medians[2], medians[0], &full, "all cores, with sidecars",
            peer.peer->answer);
        add(bench, "build_vs_reference_like_bare", 0, medians[1], medians[0], &bare, "all cores, no sidecars",
            peer.peer->answer);
    }
    bench_peer_stop(peer.peer);
    return ok;
}

static bool on_one_core(struct bench *bench, const struct bench_build_rows *input) {
    struct side ours = {bench, input, NULL, 0, {0}}, peer = ours;
    double medians[2];
    if (!bench_use_one_core()) return false;
    peer.peer = bench_peer_start(bench->python, BENCH_BUILD_SCRIPT, bench->data, "sqlite-vec");
    const struct bench_side sides[] = {{build_peer, &peer}, {build_ours, &ours}};
    bool ok = peer.peer && bench_take_turns(sides, 2, ROUNDS, medians, NULL) && check_peer(&peer) &&
              bench_peer_ask(peer.peer, "describe", 0, 0);
    if (ok) {
        add(bench, "build_vs_reference_like_one_core", 0, medians[1], medians[0], &ours, "one core each, with sidecars",
            peer.peer->answer);
    }
    bench_peer_stop(peer.peer);
    (void)bench_use_all_cores();
    return ok;
}

bool bench_build_vs_reference_like(struct bench *bench) {
    struct bench_build_rows input;
    bool ok = bench_build_rows_load(&input, bench->data) && on_all_cores(bench, &input) && on_one_core(bench, &input);
    bench_remove_tree(bench->data, SNAPSHOT);
    bench_build_rows_free(&input);
    return ok;
}
