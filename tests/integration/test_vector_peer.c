/*
 * The vector-only snapshots that the Python project wrote: every stored vector lies in the shard that it is routed to, and
 * the unusual calls that were recorded. What they answer to the recorded queries is the conformance program's.
 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROWS 1024u

static char *cache;

static int set_up(void **state) {
    cache = support_temporary_directory();
    return support_set_up(state);
}

static int tear_down(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(cache);
    free(cache);
    return held;
}

static shf_reader *open_case(const char *name) {
    char *from = support_peer_case(name);
    if (!from) return NULL;
    char *url = support_path("%s/snapshot", from);
    shf_status status;
    shf_reader *reader = support_open(url, cache, 0, &status);
    if (!reader) fail_msg("%s: %s", name, support_message);
    free(url);
    free(from);
    return reader;
}

struct facts {
    uint32_t num_dbs, dimension;
    uint64_t rows;
    bool is_lance;
};

static struct facts facts_of(shf_reader *reader) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_vector_info vectors;
    SHF_INIT(&info);
    SHF_INIT(&vectors);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &info), SHF_OK);
    assert_int_equal(shf_snapshot_vectors(snapshot, &vectors), SHF_OK);
    struct facts facts = {info.num_dbs, vectors.dimension, info.row_count, strcmp(vectors.backend, "lancedb") == 0};
    shf_snapshot_release(snapshot);
    return facts;
}

/* All rows, by a search in all shards. */
static shf_op *all_rows(shf_reader *reader, const struct facts *facts, uint32_t ids[16]) {
    float vector[64] = {1};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    assert_true(facts->num_dbs <= 16 && facts->dimension <= 64 && facts->rows <= MOST_ROWS);
    for (uint32_t i = 0; i < facts->num_dbs; i++) ids[i] = i;
    query.vector = vector;
    query.dimension = facts->dimension;
    query.top_k = MOST_ROWS;
    query.shard_ids = ids;
    query.shard_count = facts->num_dbs;
    if (shf_search_sync(reader, &query, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    assert_int_equal(shf_op_hit_count(op, 0), facts->rows);
    return op;
}

/* Each stored vector, asked for by its id with one probe, is found in its own shard, where its writer put it. */
static void check_placement(const char *name, bool is_lance) {
    shf_reader *reader = open_case(name);
    if (!reader) skip();
    struct facts facts = facts_of(reader);
    uint32_t ids[16];
    assert_int_equal(facts.is_lance, is_lance);
    shf_op *rows = all_rows(reader, &facts, ids), *op = NULL;
    shf_query *queries = calloc(facts.rows, sizeof *queries);
    shf_hit *hits = calloc(facts.rows, sizeof *hits);
    for (size_t i = 0; i < facts.rows; i++) {
        SHF_INIT(&hits[i]);
        SHF_INIT(&queries[i]);
        assert_int_equal(shf_op_hit(rows, 0, i, &hits[i]), SHF_OK);
        queries[i].like = &hits[i].id;
        queries[i].top_k = 1;
        queries[i].num_probes = 1;
    }
    if (shf_batch_search_sync(reader, queries, facts.rows, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    for (size_t i = 0; i < facts.rows; i++) {
        shf_hit hit;
        shf_search_info info;
        SHF_INIT(&hit);
        SHF_INIT(&info);
        assert_int_equal(shf_op_hit(op, i, 0, &hit), SHF_OK);
        assert_int_equal(hit.shard, hits[i].shard);
        assert_true(hit.score < 1e-6);
        assert_int_equal(shf_op_search_info(op, i, &info), SHF_OK);
        assert_true(info.num_shards_probed == 1 && info.num_shards_queried == 1 && info.num_dbs == facts.num_dbs);
    }
    free(queries);
    free(hits);
    shf_op_release(op);
    shf_op_release(rows);
    support_close(reader);
}

static void test_cluster_placement(void **state) {
    (void)state;
    check_placement("vector-cluster-sqlitevec", false);
    check_placement("vector-cluster-lancedb", true);
}

static void test_lsh_placement(void **state) {
    (void)state;
    check_placement("vector-lsh-sqlitevec", false);
}

/* What was recorded as probes: where the project says nothing, drops ids or fails somewhere below, here there is an error. */
static void check_unusual_calls(const char *name, shf_status without_shards) {
    shf_reader *reader = open_case(name);
    if (!reader) skip();
    struct facts facts = facts_of(reader);
    float vector[65] = {1};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = facts.dimension;
    query.top_k = 3;
    query.shard_ids = &facts.num_dbs; /* one too high */
    query.shard_count = 1;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_E_INVALID);
    shf_op_release(op);
    query.shard_count = 0;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_int_equal(shf_op_hit_count(op, 0), 0);
    shf_op_release(op);
    query.shard_ids = NULL;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), without_shards);
    shf_op_release(op);
    query.dimension++;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_E_INVALID);
    shf_op_release(op);
    support_close(reader);
}

static void test_unusual_calls(void **state) {
    (void)state;
    check_unusual_calls("vector-cluster-sqlitevec", SHF_OK);
    check_unusual_calls("vector-cluster-lancedb", SHF_OK);
    check_unusual_calls("vector-lsh-sqlitevec", SHF_OK);
    check_unusual_calls("vector-explicit", SHF_E_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_cluster_placement, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_lsh_placement, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_unusual_calls, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
