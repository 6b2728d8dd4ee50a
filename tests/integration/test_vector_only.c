/*
 * Vector-only snapshots, made of the sample by taking its keys away: which shards a search goes to and what it finds there,
 * what is refused, what a damaged one does when it is opened, and shards that are opened when they are probed.
 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE "tests/data/packages-1k"
#define PREFIX "s3://samples/packages-1k"
#define RUN "d597585d196845f8875aba3ba5395387"
#define MANIFEST "manifests/2026-11-22T07:29:27.503984Z_run_id=" RUN "/manifest"
#define DIMENSION 384u
#define QUERIES 20u
#define CENTROIDS "\"centroids_ref\": \"" PREFIX "/vector_meta/table.npy\""
#define HYPERPLANES "\"hyperplanes_ref\": \"" PREFIX "/vector_meta/table.npy\""
#define SOUND "\"dim\": 384, \"metric\": \"cosine\", "
#define CLUSTER SOUND "\"sharding_strategy\": \"cluster\", " CENTROIDS
#define LSH SOUND "\"sharding_strategy\": \"lsh\", " HYPERPLANES

static char *root, *url, *cache;
static float queries[QUERIES][DIMENSION], table[2][DIMENSION];

/* ---- snapshots ---- */

static void run_sql(const char *name, const char *sql) {
    char *path = support_path("%s/%s", url, name), *problem = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &problem)) fail_msg("%s: %s", sql, problem);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    free(path);
}

/* custom.vector of the manifest, without the braces around it. */
static void set_vector(const char *members) {
    char *sql = support_path("UPDATE build_meta SET key_encoding = 'raw', custom = '{\"vector\": {%s}}'", members);
    run_sql(MANIFEST, sql);
    free(sql);
}

static void put_table(const float *rows, size_t count, size_t dimension) {
    char *path = support_path("%s/vector_meta/table.npy", url);
    support_write_npy(path, rows, count, dimension);
    free(path);
}

static char *shard_path(int shard) {
    return support_path("%s/shards/run_id=" RUN "/db=%05d/attempt=00/shard.db", url, shard);
}

static int set_up_all(void **state) {
    (void)state;
    json_t *lines = support_lines("tests/data", "packages-1k-queries.jsonl");
    for (size_t i = 0; i < QUERIES; i++) {
        const json_t *text = json_object_get(json_array_get(lines, i), "vector_base64");
        size_t size;
        unsigned char *vector = support_base64(json_string_value(text), &size);
        assert_int_equal(size, sizeof queries[i]);
        memcpy(queries[i], vector, size);
        free(vector);
    }
    json_decref(lines);
    memcpy(table[0], queries[0], sizeof table[0]);
    memcpy(table[1], queries[1], sizeof table[1]);
    return 0;
}

static int set_up(void **state) {
    root = support_temporary_directory();
    url = support_path("%s/snapshot", root);
    cache = support_path("%s/cache", root);
    support_copy_tree(SAMPLE, url);
    char *meta = support_path("%s/vector_meta", url);
    assert_int_equal(mkdir(meta, 0755), 0);
    free(meta);
    put_table(table[0], 2, DIMENSION);
    set_vector(CLUSTER);
    for (int shard = 0; shard < 2; shard++) {
        char *name = support_path("shards/run_id=" RUN "/db=%05d/attempt=00/shard.db", shard);
        run_sql(name, "DELETE FROM kv");
        free(name);
    }
    return support_set_up(state);
}

static int tear_down(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    free(url);
    free(cache);
    return held;
}

static shf_reader *open_ok(uint32_t flags) {
    shf_status status;
    shf_reader *reader = support_open(url, cache, flags, &status);
    if (!reader) fail_msg("%d: %s", status, support_message);
    return reader;
}

static void open_fails(shf_status wanted, const char *says) {
    shf_status status;
    assert_null(support_open(url, cache, 0, &status));
    if (status != wanted || !strstr(support_message, says)) {
        fail_msg("%d, \"%s\"; %d and \"%s\" are wanted", status, support_message, wanted, says);
    }
}

/* ---- searches ---- */

static shf_query query_of(size_t index, uint32_t num_probes) {
    shf_query query;
    SHF_INIT(&query);
    query.vector = queries[index];
    query.dimension = DIMENSION;
    query.top_k = 10;
    query.num_probes = num_probes;
    return query;
}

static shf_op *search(shf_reader *reader, const shf_query *query) {
    shf_op *op = NULL;
    if (shf_search_sync(reader, query, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    return op;
}

static void search_fails(shf_reader *reader, const shf_query *query, shf_status wanted, const char *says) {
    shf_op *op = NULL;
    assert_int_equal(shf_search_sync(reader, query, 0, &op), wanted);
    if (!strstr(shf_error_message(shf_op_error(op)), says)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
}

static shf_search_info info_of(const shf_op *op, size_t query) {
    shf_search_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_search_info(op, query, &info), SHF_OK);
    return info;
}

static void assert_counts(const shf_op *op, size_t query, uint32_t probed, uint32_t queried) {
    shf_search_info info = info_of(op, query);
    assert_int_equal(info.num_shards_probed, probed);
    assert_int_equal(info.num_shards_queried, queried);
    assert_int_equal(info.num_dbs, 2);
}

static void assert_same_hits(const shf_op *a, size_t query_a, const shf_op *b, size_t query_b) {
    assert_int_equal(shf_op_hit_count(a, query_a), shf_op_hit_count(b, query_b));
    for (size_t i = 0; i < shf_op_hit_count(a, query_a); i++) {
        shf_hit left, right;
        SHF_INIT(&left);
        SHF_INIT(&right);
        assert_int_equal(shf_op_hit(a, query_a, i, &left), SHF_OK);
        assert_int_equal(shf_op_hit(b, query_b, i, &right), SHF_OK);
        assert_memory_equal(&left.score, &right.score, sizeof left.score);
        assert_int_equal(left.shard, right.shard);
        assert_int_equal(left.id.text.size, right.id.text.size);
        assert_memory_equal(left.id.text.data, right.id.text.data, left.id.text.size);
    }
    assert_true(info_of(a, query_a).rows_scanned == info_of(b, query_b).rows_scanned);
}

/* The shard of each query, as the route tells; both shards have some. */
static void route_all(shf_reader *reader, uint32_t shards[QUERIES]) {
    shf_snapshot *snapshot = NULL;
    unsigned counts[2] = {0, 0};
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    for (size_t i = 0; i < QUERIES; i++) {
        uint32_t both[2], count = 0;
        assert_int_equal(
            shf_snapshot_route_vector(snapshot, queries[i], DIMENSION, NULL, 1, &shards[i], 1, &count, NULL), SHF_OK);
        assert_int_equal(count, 1);
        assert_int_equal(shf_snapshot_route_vector(snapshot, queries[i], DIMENSION, NULL, 2, both, 2, &count, NULL),
                         SHF_OK);
        assert_true(count == 2 && both[0] == shards[i] && both[1] == 1 - both[0]);
        counts[shards[i]]++;
    }
    assert_true(counts[0] && counts[1]);
    shf_snapshot_release(snapshot);
}

/* One probe finds what is in that shard; two find what the sample's answers say; a batch of all kinds finds the same. */
static void check_probes(shf_reader *reader) {
    uint32_t shards[QUERIES];
    shf_query batch[3 * QUERIES];
    shf_op *together = NULL;
    json_t *answers = support_lines("tests/data", "packages-1k-answers.jsonl");
    route_all(reader, shards);
    for (size_t i = 0; i < QUERIES; i++) {
        batch[3 * i] = query_of(i, 0); /* the manifest's: one */
        batch[3 * i + 1] = query_of(i, 7);
        batch[3 * i + 2] = query_of(i, 1);
        batch[3 * i + 2].shard_ids = &shards[i]; /* win over num_probes */
        batch[3 * i + 2].shard_count = 1;
    }
    assert_int_equal(shf_batch_search_sync(reader, batch, 3 * QUERIES, 0, &together), SHF_OK);
    for (size_t i = 0; i < QUERIES; i++) {
        shf_op *one = search(reader, &batch[3 * i]), *all = search(reader, &batch[3 * i + 1]);
        const json_t *exact = json_object_get(json_array_get(answers, i), "top10");
        assert_counts(one, 0, 1, 1);
        assert_counts(all, 0, 2, 2);
        assert_counts(together, 3 * i + 2, 1, 1);
        assert_same_hits(one, 0, together, 3 * i);
        assert_same_hits(one, 0, together, 3 * i + 2);
        assert_same_hits(all, 0, together, 3 * i + 1);
        assert_true(info_of(all, 0).rows_scanned == 1000);
        for (size_t rank = 0; rank < 10; rank++) {
            shf_hit hit;
            SHF_INIT(&hit);
            assert_int_equal(shf_op_hit(one, 0, rank, &hit), SHF_OK);
            assert_int_equal(hit.shard, shards[i]);
            assert_int_equal(shf_op_hit(all, 0, rank, &hit), SHF_OK);
            double wanted = json_number_value(json_object_get(json_array_get(exact, rank), "distance"));
            assert_true(fabs(hit.score - wanted) < 1e-9);
        }
        shf_op_release(one);
        shf_op_release(all);
    }
    shf_op_release(together);
    json_decref(answers);
}

static void test_cluster(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, SHF_OPEN_LAZY, SHF_OPEN_PRIVATE_COPY};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        shf_reader *reader = open_ok(flags[i]);
        check_probes(reader);
        support_close(reader);
    }
}

static void test_lsh(void **state) {
    (void)state;
    for (size_t i = 0; i < DIMENSION; i++) table[1][i] = queries[0][i] - queries[1][i];
    put_table(table[1], 1, DIMENSION);
    memcpy(table[1], queries[1], sizeof table[1]);
    set_vector(LSH);
    shf_reader *reader = open_ok(0);
    check_probes(reader);
    support_close(reader);
}

/* The row of an id is found wherever it is, and then searched for as any other vector. */
static void test_like(void **state) {
    (void)state;
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    shf_query near = query_of(3, 2), like = query_of(3, 2);
    shf_op *op = search(reader, &near);
    shf_hit hit, self;
    SHF_INIT(&hit);
    SHF_INIT(&self);
    assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
    like.vector = NULL;
    like.like = &hit.id;
    shf_op *both = search(reader, &like);
    assert_int_equal(shf_op_hit(both, 0, 0, &self), SHF_OK);
    assert_true(self.score < 1e-12 && self.shard == hit.shard);
    assert_int_equal(self.id.text.size, hit.id.text.size);
    assert_memory_equal(self.id.text.data, hit.id.text.data, hit.id.text.size);
    like.num_probes = 1;
    shf_op *one = search(reader, &like);
    assert_counts(one, 0, 1, 1);
    shf_hit first;
    SHF_INIT(&first);
    assert_int_equal(shf_op_hit(one, 0, 0, &first), SHF_OK);
    uint32_t shard = first.shard;
    like.shard_ids = &shard;
    like.shard_count = 1;
    shf_op *there = search(reader, &like);
    assert_same_hits(one, 0, there, 0);
    shf_op_release(op);
    shf_op_release(both);
    shf_op_release(one);
    shf_op_release(there);
    support_close(reader);
}

static void test_shard_ids(void **state) {
    (void)state;
    static const uint32_t both[] = {1, 0}, outside[] = {2}, twice[] = {1, 1};
    set_vector(SOUND "\"num_probes\": 1");
    shf_reader *reader = open_ok(0);
    shf_query query = query_of(0, 0);
    search_fails(reader, &query, SHF_E_INVALID, "EXPLICIT sharding");
    query.num_probes = 2;
    search_fails(reader, &query, SHF_E_INVALID, "EXPLICIT sharding");
    query.shard_ids = both;
    query.shard_count = 0;
    shf_op *op = search(reader, &query);
    assert_int_equal(shf_op_hit_count(op, 0), 0);
    assert_counts(op, 0, 0, 0);
    shf_op_release(op);
    query.shard_count = 2;
    op = search(reader, &query);
    assert_int_equal(shf_op_hit_count(op, 0), 10);
    assert_counts(op, 0, 2, 2);
    shf_op_release(op);
    query.shard_ids = outside, query.shard_count = 1;
    search_fails(reader, &query, SHF_E_INVALID, "out of range");
    query.shard_ids = twice, query.shard_count = 2;
    search_fails(reader, &query, SHF_E_INVALID, "given twice");
    shf_query batch[2] = {query_of(0, 0), query_of(1, 0)};
    batch[0].shard_ids = both, batch[0].shard_count = 2;
    assert_int_equal(shf_batch_search_sync(reader, batch, 2, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "query 1"));
    shf_op_release(op);
    support_close(reader);
}

/* The context says where. */
static void test_cel(void **state) {
    (void)state;
    static const uint32_t both[] = {0, 1};
    shf_context_value column = {.name = "region", .kind = SHF_CONTEXT_TEXT, .as.bytes = {"eu", 2}};
    shf_routing_context context;
    shf_snapshot *snapshot = NULL;
    shf_error *error = NULL;
    uint32_t shard = 77, count = 0;
    SHF_INIT(&context);
    context.count = 1;
    context.values = &column;
    set_vector(SOUND "\"sharding_strategy\": \"cel\", \"cel_expr\": \"region\", \"cel_columns\": {\"region\": "
                     "\"string\"}, \"routing_values\": [\"eu\", \"us\"]");
    shf_reader *reader = open_ok(0);
    shf_query query = query_of(0, 0);
    search_fails(reader, &query, SHF_E_INVALID, "give a routing context");
    query.context = &context;
    shf_op *op = search(reader, &query);
    assert_counts(op, 0, 1, 1);
    shf_op_release(op);
    column.as.bytes = (shf_slice){"mars", 4};
    search_fails(reader, &query, SHF_E_ROUTING, "\"mars\" is none of");
    query.shard_ids = both;
    query.shard_count = 2;
    op = search(reader, &query);
    assert_counts(op, 0, 2, 2);
    shf_op_release(op);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_route_vector(snapshot, NULL, 0, &context, 0, &shard, 1, &count, &error), SHF_E_ROUTING);
    shf_error_free(error);
    column.as.bytes = (shf_slice){"us", 2};
    assert_int_equal(shf_snapshot_route_vector(snapshot, NULL, 0, &context, 0, &shard, 1, &count, NULL), SHF_OK);
    assert_int_equal(shard, 1);
    shf_column_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_snapshot_column(snapshot, 0, &info), SHF_OK);
    assert_string_equal(info.name, "region");
    assert_int_equal(info.kind, SHF_CONTEXT_TEXT);
    shf_snapshot_release(snapshot);
    support_close(reader);
}

/* An empty shard uses a probe up. */
static void test_empty_shard(void **state) {
    (void)state;
    uint32_t shards[QUERIES];
    run_sql(MANIFEST, "DELETE FROM shards WHERE db_id = 0");
    shf_reader *reader = open_ok(0);
    route_all(reader, shards);
    for (size_t i = 0; i < QUERIES; i++) {
        shf_query query = query_of(i, 1);
        shf_op *op = search(reader, &query);
        assert_counts(op, 0, 1, shards[i]);
        assert_int_equal(shf_op_hit_count(op, 0), shards[i] ? 10 : 0);
        shf_op_release(op);
        query.num_probes = 2;
        op = search(reader, &query);
        assert_counts(op, 0, 2, 1);
        assert_int_equal(shf_op_hit_count(op, 0), 10);
        shf_op_release(op);
    }
    static const uint32_t empty[] = {0};
    shf_query query = query_of(0, 0);
    query.shard_ids = empty, query.shard_count = 1;
    shf_op *op = search(reader, &query);
    assert_counts(op, 0, 1, 0);
    shf_op_release(op);
    support_close(reader);
    run_sql(MANIFEST, "DELETE FROM shards");
    reader = open_ok(0);
    query = query_of(0, 2);
    op = search(reader, &query);
    assert_counts(op, 0, 2, 0);
    shf_op_release(op);
    support_close(reader);
}

/* ---- inspection, refusals ---- */

static void test_description(void **state) {
    (void)state;
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_vector_info vectors;
    SHF_INIT(&info);
    SHF_INIT(&vectors);
    set_vector(CLUSTER ", \"num_probes\": 2");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &info), SHF_OK);
    assert_int_equal(info.kind, SHF_KIND_VECTOR_ONLY);
    assert_int_equal(info.row_count, 1000);
    assert_int_equal(shf_snapshot_vectors(snapshot, &vectors), SHF_OK);
    assert_string_equal(vectors.sharding_strategy, "cluster");
    assert_int_equal(vectors.num_probes, 2);
    assert_string_equal(vectors.backend, "sqlite-vec");
    assert_null(vectors.kv_backend);
    shf_snapshot_release(snapshot);
    support_close(reader);
    shf_status status;
    reader = support_open(SAMPLE, cache, 0, &status);
    assert_non_null(reader);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_vectors(snapshot, &vectors), SHF_OK);
    assert_null(vectors.sharding_strategy);
    assert_int_equal(vectors.num_probes, 0);
    uint32_t shard, count;
    shf_error *error = NULL;
    assert_int_equal(shf_snapshot_route_vector(snapshot, queries[0], DIMENSION, NULL, 0, &shard, 1, &count, &error),
                     SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "is a unified snapshot"));
    shf_error_free(error);
    shf_snapshot_release(snapshot);
    shf_query query = query_of(0, 1);
    search_fails(reader, &query, SHF_E_INVALID, "num_probes is for vector-only snapshots");
    query.num_probes = 0;
    shf_op *op = search(reader, &query);
    assert_counts(op, 0, 2, 2);
    shf_op_release(op);
    support_close(reader);
}

static void assert_no_keys(shf_op *op) {
    assert_int_equal(shf_op_status(op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "vector-only snapshot: it has no keys"));
    shf_op_release(op);
}

static void test_no_keys(void **state) {
    (void)state;
    shf_reader *reader = open_ok(0);
    shf_key keys[200];
    shf_op *op = NULL;
    shf_snapshot *snapshot = NULL;
    shf_error *error = NULL;
    uint32_t shard;
    for (size_t i = 0; i < 200; i++) keys[i] = shf_key_from_text("nginx", 5);
    (void)shf_get_sync(reader, keys, NULL, 0, &op);
    assert_no_keys(op);
    (void)shf_get_now(reader, keys, NULL, &op);
    assert_no_keys(op);
    (void)shf_multi_get_sync(reader, keys, 200, NULL, 0, &op);
    assert_no_keys(op);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    (void)shf_get_stored_sync(reader, snapshot, 0, &keys[0].as.bytes, 1, 0, &op);
    assert_no_keys(op);
    assert_int_equal(shf_snapshot_route_key(snapshot, keys, NULL, &shard, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "vector-only"));
    shf_error_free(error);
    shf_snapshot_release(snapshot);
    support_close(reader);
}

static void test_route(void **state) {
    (void)state;
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    shf_snapshot *snapshot = NULL;
    shf_error *error = NULL;
    float odd[DIMENSION] = {NAN};
    uint32_t shards[2] = {7, 7}, count = 7;
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_route_vector(snapshot, odd, DIMENSION, NULL, 2, shards, 2, &count, NULL), SHF_OK);
    assert_true(count == 2 && shards[0] == 0 && shards[1] == 1); /* of no distance: in order */
    assert_int_equal(shf_snapshot_route_vector(snapshot, odd, 5, NULL, 0, shards, 2, &count, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "the vector has 5 dimensions"));
    shf_error_free(error);
    assert_int_equal(shf_snapshot_route_vector(snapshot, odd, DIMENSION, NULL, 2, shards, 1, &count, &error),
                     SHF_E_INVALID);
    assert_int_equal(count, 2);
    assert_non_null(strstr(shf_error_message(error), "there is room for 1"));
    shf_error_free(error);
    assert_int_equal(shf_snapshot_route_vector(snapshot, NULL, 0, NULL, 0, shards, 2, &count, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "a vector is needed"));
    shf_error_free(error);
    assert_int_equal(shf_snapshot_route_vector(snapshot, odd, DIMENSION, NULL, 0, NULL, 2, &count, NULL), SHF_E_INVALID);
    assert_int_equal(shf_snapshot_route_vector(snapshot, odd, DIMENSION, NULL, 0, shards, 2, NULL, NULL), SHF_E_INVALID);
    assert_int_equal(shf_snapshot_route_vector(NULL, odd, DIMENSION, NULL, 0, shards, 2, &count, NULL), SHF_E_INVALID);
    shf_snapshot_release(snapshot);
    shf_query query = query_of(0, 0);
    query.vector = odd;
    search_fails(reader, &query, SHF_E_INVALID, "");
    query.dimension = 5;
    search_fails(reader, &query, SHF_E_INVALID, "the query has 5 dimensions");
    support_close(reader);
}

/* ---- what is refused when it is opened ---- */

/* custom.vector, and how an open ends. */
static const struct {
    const char *members;
    shf_status status;
    const char *says;
} bad_fields[] = {
    {"", SHF_E_STATE, "custom.vector is empty"},
    {"\"dim\": 0, \"metric\": \"l2\"", SHF_E_INVALID, "custom.vector.dim"},
    {"\"dim\": 99999, \"metric\": \"l2\"", SHF_E_INVALID, "custom.vector.dim"},
    {"\"dim\": 384, \"metric\": \"manhattan\"", SHF_E_INVALID, "custom.vector.metric is \"manhattan\""},
    {"\"dim\": 384, \"metric\": \"dot_product\"", SHF_E_INVALID, "sqlite-vec shards have cosine or l2"},
    {"\"dim\": 384, \"metric\": \"l2\"", SHF_E_INDEX, "measures by cosine"},
    {"\"dim\": 16, \"metric\": \"cosine\"", SHF_E_INDEX, "384 dimensions"},
    {SOUND "\"sharding_strategy\": \"random\"", SHF_E_INVALID, "sharding_strategy is \"random\""},
    {SOUND "\"sharding_strategy\": 7", SHF_E_INVALID, "sharding_strategy is \"7\""},
    {CLUSTER ", \"num_probes\": 0", SHF_E_INVALID, "num_probes must be"},
    {CLUSTER ", \"num_probes\": \"x\"", SHF_E_INVALID, "num_probes must be"},
    {SOUND "\"sharding_strategy\": \"cluster\"", SHF_E_STATE, "no centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", " HYPERPLANES, SHF_E_STATE, "no centroids_ref"},
    {SOUND "\"sharding_strategy\": \"lsh\", " CENTROIDS, SHF_E_STATE, "no hyperplanes_ref"},
    {CLUSTER ", \"routing_values\": [null]", SHF_E_STATE, "no valid manifest"}, /* there is no other to fall back to */
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"s3://elsewhere/table.npy\"", SHF_E_MANIFEST,
     "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"" PREFIX "/../table.npy\"", SHF_E_MANIFEST,
     "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"" PREFIX "-2/table.npy\"", SHF_E_MANIFEST,
     "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"" PREFIX "/a%2f..%2f..%2ftable.npy\"",
     SHF_E_MANIFEST, "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"/etc/passwd\"", SHF_E_MANIFEST, "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"http://127.0.0.1/table.npy\"", SHF_E_MANIFEST,
     "centroids_ref"},
    {SOUND "\"sharding_strategy\": \"lsh\", \"hyperplanes_ref\": \"file:///etc/hostname\"", SHF_E_MANIFEST,
     "hyperplanes_ref"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"" PREFIX "/vector_meta/gone.npy\"", SHF_E_STATE,
     "vector_meta/gone.npy"},
    {SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"" PREFIX "/_CURRENT\"", SHF_E_STATE, "no .npy file"},
};

static void test_fields_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_fields / sizeof bad_fields[0]; i++) {
        set_vector(bad_fields[i].members);
        open_fails(bad_fields[i].status, bad_fields[i].says);
    }
    set_vector(SOUND "\"sharding_strategy\": \"explicit\", \"centroids_ref\": \"s3://elsewhere/table.npy\"");
    support_close(open_ok(0)); /* not needed, so not looked at */
}

static void test_tables_refused(void **state) {
    (void)state;
    char *path = support_path("%s/vector_meta/table.npy", url);
    float *rows = calloc(70, DIMENSION * sizeof *rows);
    size_t size;
    put_table(rows, 1, DIMENSION);
    open_fails(SHF_E_STATE, "1 centroids for 2 shards");
    put_table(rows, 3, DIMENSION);
    open_fails(SHF_E_STATE, "3 centroids for 2 shards");
    put_table(rows, 2, DIMENSION - 1);
    open_fails(SHF_E_STATE, "rows of 383 numbers");
    put_table(rows, 0, DIMENSION);
    open_fails(SHF_E_STATE, "0 centroids");
    put_table(rows, 70, DIMENSION);
    open_fails(SHF_E_LIMIT, "centroids_ref");
    rows[DIMENSION + 5] = NAN;
    put_table(rows, 2, DIMENSION);
    open_fails(SHF_E_STATE, "table.npy: row 1 has an element that is no finite number");
    rows[DIMENSION + 5] = INFINITY;
    put_table(rows, 2, DIMENSION);
    open_fails(SHF_E_STATE, "row 1");
    rows[DIMENSION + 5] = 0;
    put_table(rows, 2, DIMENSION);
    support_close(open_ok(0)); /* zero centroids are as good as others */
    char *bytes = support_read_file(path, &size);
    for (size_t cut = 0; cut < size; cut += cut < 140 ? 7 : 499) {
        support_write_file(path, bytes, cut);
        open_fails(SHF_E_STATE, "table.npy");
    }
    bytes[14]++; /* in the name of a field */
    support_write_file(path, bytes, size);
    open_fails(SHF_E_STATE, "its header");
    set_vector(LSH);
    put_table(rows, 64, DIMENSION);
    open_fails(SHF_E_STATE, "64 hyperplanes; 1 to 63 are read");
    put_table(rows, 63, DIMENSION);
    support_close(open_ok(0));
    put_table(rows, 0, DIMENSION);
    open_fails(SHF_E_STATE, "0 hyperplanes");
    free(bytes);
    free(rows);
    free(path);
}

/* A table elsewhere, below a prefix that the caller trusts. */
static void test_allowed_table(void **state) {
    (void)state;
    char *elsewhere = support_path("%s/elsewhere", root), *file = support_path("%s/table.npy", elsewhere);
    const char *const allowed[] = {elsewhere, NULL};
    shf_reader_options options;
    shf_reader *reader = NULL;
    shf_op *op = NULL;
    assert_int_equal(mkdir(elsewhere, 0755), 0);
    support_write_npy(file, table[0], 2, DIMENSION);
    char *members =
        support_path(SOUND "\"sharding_strategy\": \"cluster\", \"centroids_ref\": \"file://%s/table.npy\"", elsewhere);
    set_vector(members);
    open_fails(SHF_E_MANIFEST, "centroids_ref");
    SHF_INIT(&options);
    options.url = url;
    options.local_root = cache;
    options.allowed_prefixes = allowed;
    if (shf_open_sync(support_runtime, &options, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    check_probes(reader);
    support_close(reader);
    free(members);
    free(elsewhere);
    free(file);
}

/* ---- shards ---- */

/* Only what is probed is opened, and a probe of what is gone fails; so does a shard that is neither a file nor a dataset. */
static void test_opened_when_probed(void **state) {
    (void)state;
    uint32_t shards[QUERIES];
    char *gone = shard_path(1), *aside = support_path("%s.aside", gone);
    assert_int_equal(rename(gone, aside), 0);
    open_fails(SHF_E_NOT_FOUND, "shard 1");
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    route_all(reader, shards);
    for (size_t i = 0; i < QUERIES; i++) {
        shf_query query = query_of(i, 1);
        if (shards[i]) {
            search_fails(reader, &query, SHF_E_NOT_FOUND, "shard 1");
        } else {
            shf_op_release(search(reader, &query));
        }
        query.num_probes = 2;
        search_fails(reader, &query, SHF_E_NOT_FOUND, "shard 1");
    }
    assert_int_equal(rename(aside, gone), 0);
    check_probes(reader);
    support_close(reader);
    assert_int_equal(rename(gone, aside), 0);
    char *first = shard_path(0);
    assert_int_equal(unlink(first), 0);
    open_fails(SHF_E_NOT_FOUND, "neither a Lance dataset nor a shard.db");
    free(first);
    free(gone);
    free(aside);
}

/* ---- refresh ---- */

static uint32_t refresh(shf_reader *reader, shf_status wanted) {
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_refresh_sync(reader, 0, &op), wanted);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    shf_op_release(op);
    return info.changed;
}

static void publish(const char *directory) {
    char *path = support_path("%s/_CURRENT", url);
    char *text = support_path(
        "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":\"" PREFIX
        "/manifests/%s/manifest\",\"run_id\":\"x\",\"updated_at\":\"2026-11-22T07:29:27Z\"}",
        directory);
    support_write_file(path, text, strlen(text));
    free(path);
    free(text);
}

/* The routing goes with its snapshot: who holds the old one is routed as before. A broken one leaves the old one served. */
static void test_refresh(void **state) {
    (void)state;
    static const char second[] = "2026-11-23T07:29:27.503984Z_run_id=second";
    shf_reader *reader = open_ok(0);
    shf_snapshot *before = NULL, *after = NULL;
    uint32_t shards[QUERIES], one, count;
    char *from = support_path("%s/manifests/2026-11-22T07:29:27.503984Z_run_id=" RUN, url);
    char *to = support_path("%s/manifests/%s", url, second), *name = support_path("manifests/%s/manifest", second);
    char *other = support_path("%s/vector_meta/other.npy", url);
    route_all(reader, shards);
    assert_int_equal(shf_reader_snapshot(reader, &before), SHF_OK);
    support_copy_tree(from, to);
    run_sql(name, "UPDATE build_meta SET run_id = 'second', custom = replace(custom, 'table.npy', 'other.npy')");
    publish(second);
    assert_int_equal(refresh(reader, SHF_E_STATE), 0); /* not there yet */
    float turned[2][DIMENSION];
    memcpy(turned[0], table[1], sizeof turned[0]);
    memcpy(turned[1], table[0], sizeof turned[1]);
    support_write_npy(other, turned[0], 2, DIMENSION);
    assert_int_equal(refresh(reader, SHF_OK), 1);
    assert_int_equal(shf_reader_snapshot(reader, &after), SHF_OK);
    for (size_t i = 0; i < QUERIES; i++) {
        assert_int_equal(shf_snapshot_route_vector(before, queries[i], DIMENSION, NULL, 1, &one, 1, &count, NULL),
                         SHF_OK);
        assert_int_equal(one, shards[i]);
        assert_int_equal(shf_snapshot_route_vector(after, queries[i], DIMENSION, NULL, 1, &one, 1, &count, NULL), SHF_OK);
        assert_int_equal(one, 1 - shards[i]);
    }
    check_probes(reader);
    shf_snapshot_release(before);
    shf_snapshot_release(after);
    support_close(reader);
    free(from);
    free(to);
    free(name);
    free(other);
}

/* The table is charged while the snapshot is there; a budget that has no room for it is said so, and keeps nothing. */
static void test_budget(void **state) {
    (void)state;
    shf_runtime_options options;
    shf_runtime *runtime = NULL;
    shf_runtime_stats stats;
    shf_reader_options reader_options;
    shf_op *op = NULL;
    SHF_INIT(&stats);
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.budget_used_bytes >= 2 * DIMENSION * sizeof(double));
    support_close(reader);
    float *rows = calloc(63, DIMENSION * sizeof *rows);
    put_table(rows, 63, DIMENSION);
    free(rows);
    set_vector(LSH);
    SHF_INIT(&options);
    SHF_INIT(&reader_options);
    options.memory_budget_bytes = 150000; /* the file fits, its numbers beside it do not */
    reader_options.url = url;
    reader_options.local_root = cache;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    assert_int_equal(shf_open_sync(runtime, &reader_options, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "the centroids or hyperplanes of a snapshot"));
    shf_op_release(op);
    assert_int_equal(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    assert_int_equal(stats.budget_used_bytes, 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_cluster, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_lsh, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_like, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_shard_ids, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_cel, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_empty_shard, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_description, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_no_keys, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_route, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_fields_refused, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_tables_refused, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_allowed_table, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_opened_when_probed, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_refresh, set_up, tear_down),
                                       cmocka_unit_test_setup_teardown(test_budget, set_up, tear_down)};
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
