/* One reader over a copy of a recorded snapshot: life, lookups, searches, refusals, inspection. */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *root, *cache, *snapshot; /* of the running test */

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    snapshot = NULL;
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    free(cache);
    free(snapshot);
    return held;
}

/* A copy that the test may damage; false (with a line) where there are no fixtures. */
static bool use_case(const char *name) {
    char *from = support_peer_case(name);
    if (!from) return false;
    char *recorded = support_path("%s/snapshot", from);
    snapshot = support_path("%s/snapshot", root);
    support_copy_tree(recorded, snapshot);
    free(recorded);
    free(from);
    return true;
}

static shf_reader *open_ok(uint32_t flags) {
    shf_status status;
    shf_reader *reader = support_open(snapshot, cache, flags, &status);
    if (status) print_message("open: %s\n", support_message);
    assert_int_equal(status, SHF_OK);
    return reader;
}

static shf_op *get(shf_reader *reader, const char *text) {
    shf_key key = shf_key_from_text(text, strlen(text));
    shf_call call = support_call();
    shf_op_id id = 0;
    shf_status status = shf_get(reader, &key, NULL, &call, &id);
    return support_wait(status, id);
}

static void assert_value(shf_reader *reader, const char *key, size_t size) {
    shf_op *op = get(reader, key);
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_op_status(op), SHF_OK);
    assert_int_equal(shf_op_value_count(op), 1);
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    assert_int_equal(value.data.size, size);
    assert_int_equal(shf_op_value(op, 1, &value), SHF_E_INVALID);
    shf_op_release(op);
}

/* ---- life ---- */

static void test_a_closed_reader_says_so(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(0);
    shf_key key = shf_key_from_text("user:0", 6);
    shf_call call = support_call();
    shf_query query;
    shf_op_id id = 0;
    shf_snapshot *pinned = NULL, *late = NULL;
    shf_snapshot_info info;
    shf_health_info health;
    SHF_INIT(&query);
    SHF_INIT(&info);
    SHF_INIT(&health);
    const float vector[8] = {1};
    query.vector = vector;
    query.dimension = 8;
    query.top_k = 1;
    assert_value(reader, "user:0", 28);
    assert_int_equal(shf_reader_snapshot(reader, &pinned), SHF_OK);
    assert_int_equal(shf_health(reader, 0, &health), SHF_OK);
    assert_int_equal(health.status, SHF_HEALTHY);
    assert_int_equal(health.num_shards, 3);
    assert_int_equal(shf_health(reader, 1, &health), SHF_OK);
    assert_int_equal(health.status, SHF_DEGRADED); /* published long ago */
    for (int i = 0; i < 2; i++) {                  /* closing twice is fine */
        shf_status status = shf_close(reader, SHF_CLOSE_DRAIN, &call, &id);
        shf_op *op = support_wait(status, id);
        assert_int_equal(shf_op_status(op), SHF_OK);
        shf_op_release(op);
    }
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_E_CLOSED);
    assert_int_equal(shf_multi_get(reader, &key, 1, NULL, &call, &id), SHF_E_CLOSED);
    assert_int_equal(shf_search(reader, &query, &call, &id), SHF_E_CLOSED);
    assert_int_equal(shf_refresh(reader, &call, &id), SHF_E_CLOSED);
    assert_int_equal(shf_reader_snapshot(reader, &late), SHF_E_CLOSED);
    assert_int_equal(shf_health(reader, 0, &health), SHF_OK);
    assert_int_equal(health.status, SHF_UNHEALTHY);
    assert_int_equal(health.is_closed, 1);
    assert_int_equal(shf_snapshot_describe(pinned, &info), SHF_OK); /* outlives the closing */
    assert_string_equal(info.run_id, "153405eb9e32428685602dce1954d8d3");
    assert_int_equal(shf_runtime_free(support_runtime), SHF_E_BUSY);
    shf_reader_release(reader);
    assert_int_equal(shf_snapshot_describe(pinned, &info), SHF_OK);
    shf_snapshot_release(pinned);
}

static void test_results_outlive_close_and_buffers_outlive_the_runtime(void **state) {
    (void)state;
    if (!use_case("unified-big-values-4k")) skip();
    shf_reader *reader = open_ok(0);
    json_t *rows = NULL;
    char *from = support_peer_case("unified-big-values-4k");
    rows = support_lines(from, "expected.jsonl");
    size_t count = json_array_size(rows);
    shf_buf *kept[64] = {0};
    shf_slice slices[64];
    assert_in_range(count, 10, 64);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        shf_key key = shf_key_from_int(json_integer_value(json_object_get(json_object_get(row, "key"), "int")));
        shf_call call = support_call();
        shf_op_id id = 0;
        shf_value value;
        SHF_INIT(&value);
        shf_status status = shf_get(reader, &key, NULL, &call, &id);
        shf_op *op = support_wait(status, id);
        if (i == 0) { /* the reader ends while a delivered operation lives */
            support_close(reader);
            reader = NULL;
        }
        assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
        kept[i] = shf_buf_retain(value.buf);
        slices[i] = value.data;
        shf_op_release(op);
        if (!reader) reader = open_ok(0);
    }
    support_close(reader);
    assert_int_equal(shf_cq_free(support_cq), SHF_OK);
    assert_int_equal(shf_runtime_free(support_runtime), SHF_OK);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_object_get(json_array_get(rows, i), "value"));
        size_t size = 0;
        unsigned char *wanted = text ? support_base64(text, &size) : NULL;
        assert_int_equal(slices[i].size, size);
        if (wanted && size) assert_memory_equal(slices[i].data, wanted, size);
        free(wanted);
        shf_buf_release(kept[i]);
    }
    json_decref(rows);
    free(from);
    assert_int_equal(support_set_up(NULL), 0); /* for the tear-down */
}

static void test_lazy_shards_open_at_their_first_use(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.mapped_bytes == 0);
    assert_value(reader, "user:0", 28);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    uint64_t one_shard = stats.mapped_bytes;
    assert_true(one_shard > 0);
    const float vector[8] = {1};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 8;
    query.top_k = 1000;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_int_equal(shf_op_hit_count(op, 0), 300);
    shf_op_release(op);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.mapped_bytes > 2 * one_shard);
    support_close(reader);
}

static void test_a_missing_shard_is_named(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    char *file = support_find_file(snapshot, "shard.db", 1);
    assert_int_equal(unlink(file), 0);
    shf_status status;
    assert_null(support_open(snapshot, cache, 0, &status));
    assert_int_equal(status, SHF_E_NOT_FOUND);
    assert_non_null(strstr(support_message, "db=00001/attempt=00/shard.db"));
    shf_reader *reader = open_ok(SHF_OPEN_LAZY);
    assert_value(reader, "user:0", 28);               /* of shard 0 */
    shf_op *op = get(reader, "missing/24-368246000"); /* routes to shard 1 */
    assert_int_equal(shf_op_status(op), SHF_E_NOT_FOUND);
    assert_int_equal(shf_error_shard(shf_op_error(op)), 1);
    assert_non_null(strstr(shf_error_object(shf_op_error(op)), "db=00001"));
    shf_op_release(op);
    support_close(reader);
    free(file);
}

/* ---- refusals: one clear error each ---- */

static void assert_refused(shf_reader *reader, const shf_query *query, const char *says) {
    shf_op *op = NULL;
    assert_int_equal(shf_search_sync(reader, query, 0, &op), SHF_E_INVALID);
    assert_non_null(op);
    if (!strstr(shf_error_message(shf_op_error(op)), says)) {
        print_message("\"%s\" does not say \"%s\"\n", shf_error_message(shf_op_error(op)), says);
        fail();
    }
    assert_int_equal(shf_error_category(shf_op_error(op)), SHF_CATEGORY_CONFIG);
    assert_int_equal(shf_error_retryable(shf_op_error(op)), 0);
    shf_op_release(op);
}

static void test_bad_queries(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(0);
    const float good[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, zero[8] = {0};
    float undefined[8] = {1, 1, 1, NAN, 1, 1, 1, 1}, infinite[8] = {1, 1, 1, 1, 1, 1, 1, INFINITY};
    const uint32_t outside[] = {0, 3}, twice[] = {1, 2, 1}, four[] = {0, 1, 2, 0};
    shf_vector_id like = {SHF_ID_TEXT, 0, 0, {"nobody", 6}};
    shf_query ok, query;
    SHF_INIT(&ok);
    ok.vector = good;
    ok.dimension = 8;
    ok.top_k = 3;
    query = ok, query.top_k = 0;
    assert_refused(reader, &query, "top_k");
    query = ok, query.dimension = 9;
    assert_refused(reader, &query, "9 dimensions, the vectors of this snapshot have 8");
    query = ok, query.vector = zero;
    assert_refused(reader, &query, "zero");
    query = ok, query.vector = undefined;
    assert_refused(reader, &query, "3");
    query = ok, query.vector = infinite;
    assert_refused(reader, &query, "7");
    query = ok, query.shard_ids = outside, query.shard_count = 2;
    assert_refused(reader, &query, "shard id 3 is out of range");
    query = ok, query.shard_ids = twice, query.shard_count = 3;
    assert_refused(reader, &query, "shard id 1 is given twice");
    query = ok, query.shard_ids = four, query.shard_count = 4;
    assert_refused(reader, &query, "4 shard ids");
    query = ok, query.num_probes = 1;
    assert_refused(reader, &query, "num_probes");
    query = ok, query.vector = NULL;
    assert_refused(reader, &query, "vector");
    query = ok, query.vector = NULL, query.like = &like;
    assert_refused(reader, &query, "no stored vector has the id \"nobody\"");
    shf_op *op = NULL;
    query = ok, query.shard_ids = outside, query.shard_count = 0; /* none is none, not all */
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_int_equal(shf_op_hit_count(op, 0), 0);
    shf_op_release(op);
    query = ok, query.top_k = UINT32_MAX; /* no small cap */
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_int_equal(shf_op_hit_count(op, 0), 300);
    shf_op_release(op);
    shf_query batch[2] = {ok, ok};
    batch[1].top_k = 0;
    assert_int_equal(shf_batch_search_sync(reader, batch, 2, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "query 1"));
    shf_op_release(op);
    assert_int_equal(shf_batch_search_sync(reader, batch, 0, 0, &op), SHF_E_INVALID);
    assert_null(op);
    support_close(reader);
}

static void test_bad_keys(void **state) {
    (void)state;
    if (!use_case("unified-l2-int")) skip();
    shf_reader *reader = open_ok(0);
    const struct {
        shf_key key;
        const char *says;
    } bad[] = {{shf_key_from_text("text", 4), "u64be"},
               {shf_key_from_bytes("123", 3), "8"},
               {shf_key_from_int(-1), "u64be"},
               {shf_key_from_uint(UINT64_C(1) << 63), "range"}};
    shf_op *op = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(shf_get_sync(reader, &bad[i].key, NULL, 0, &op), SHF_E_INVALID);
        if (!strstr(shf_error_message(shf_op_error(op)), bad[i].says)) {
            print_message("\"%s\" does not say \"%s\"\n", shf_error_message(shf_op_error(op)), bad[i].says);
            fail();
        }
        shf_op_release(op);
    }
    shf_key keys[3] = {shf_key_from_int(1), shf_key_from_int(2), shf_key_from_int(-5)};
    assert_int_equal(shf_multi_get_sync(reader, keys, 3, NULL, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "key 2"));
    shf_op_release(op);
    assert_int_equal(shf_multi_get_sync(reader, NULL, 0, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value_count(op), 0);
    shf_op_release(op);
    shf_key nameless = {77, 0, {0}};
    assert_int_equal(shf_get_sync(reader, &nameless, NULL, 0, &op), SHF_E_INVALID);
    shf_op_release(op);
    support_close(reader);
}

static void test_no_vectors_to_search(void **state) {
    (void)state;
    if (!use_case("kv-sqlite-utf8")) skip();
    shf_reader *reader = open_ok(0);
    const float vector[8] = {1};
    shf_query query;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 8;
    query.top_k = 1;
    assert_refused(reader, &query, "no vectors");
    support_close(reader);
}

static void test_arguments_that_can_not_be_accepted(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(0);
    shf_key key = shf_key_from_text(NULL, 3);
    shf_call call = support_call();
    shf_op_id id;
    shf_op *op;
    shf_query query;
    SHF_INIT(&query);
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_E_INVALID);
    assert_int_equal(shf_get(NULL, &key, NULL, &call, &id), SHF_E_INVALID);
    assert_int_equal(shf_get(reader, NULL, NULL, &call, &id), SHF_E_INVALID);
    key = shf_key_from_text("a", 1);
    call.cq = NULL;
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_E_INVALID);
    call = support_call(), call.flags = 1;
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_E_INVALID);
    call = support_call(), call.struct_size = 2;
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_E_INVALID);
    query.struct_size = 0;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_E_INVALID);
    assert_null(op);
    shf_routing_context context = {sizeof context, 5, NULL}; /* five columns at no address */
    const float vector[8] = {1};
    SHF_INIT(&query);
    query.vector = vector, query.dimension = 8, query.top_k = 1, query.context = &context;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_sync(reader, &key, &context, 0, &op), SHF_E_INVALID);
    context = (shf_routing_context){2, 0, NULL};
    assert_int_equal(shf_get_sync(reader, &key, &context, 0, &op), SHF_E_INVALID);
    context = (shf_routing_context){sizeof context, 0, NULL};
    assert_int_equal(shf_get_sync(reader, &key, &context, 0, &op), SHF_OK);
    shf_op_release(op);
    op = (shf_op *)&id; /* a refusal sets it */
    assert_int_equal(shf_refresh_sync(NULL, 0, &op), SHF_E_INVALID);
    assert_null(op);
    op = (shf_op *)&id;
    assert_int_equal(shf_close_sync(reader, 7, 0, &op), SHF_E_INVALID);
    assert_null(op);
    shf_reader_options options;
    SHF_INIT(&options);
    assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_E_INVALID); /* no url */
    options.url = "s3://b/p";
    options.flags = 1u << 31;
    assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_E_INVALID);
    support_close(reader);
}

/* ---- a like query, and the order of equal distances ---- */

static void test_like_finds_the_row_itself_first(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(0);
    shf_vector_id like = {SHF_ID_TEXT, 0, 0, {"doc-285", 7}};
    shf_query query;
    shf_hit hit;
    shf_op *op = NULL;
    SHF_INIT(&query);
    SHF_INIT(&hit);
    query.like = &like;
    query.top_k = 2;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
    assert_int_equal(hit.id.text.size, 7);
    assert_memory_equal(hit.id.text.data, "doc-285", 7);
    assert_true(hit.score >= 0 && hit.score < 1e-12);
    shf_op_release(op);
    support_close(reader);
}

/* ---- fork ---- */

static void test_a_child_is_told_that_the_reader_is_its_parents(void **state) {
    (void)state;
    if (!use_case("unified-cosine-str")) skip();
    shf_reader *reader = open_ok(0);
    shf_key key = shf_key_from_text("user:0", 6);
    shf_snapshot *pinned = NULL;
    assert_int_equal(shf_reader_snapshot(reader, &pinned), SHF_OK);
    shf_op *held = get(reader, "user:0");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(20);
        shf_op *op;
        shf_op_id id;
        shf_snapshot *other;
        shf_query query;
        shf_health_info health;
        shf_snapshot_info info;
        shf_shard_info shard;
        shf_vector_info vectors;
        uint32_t routed;
        shf_call call = support_call();
        SHF_INIT(&query);
        SHF_INIT(&health);
        SHF_INIT(&info);
        SHF_INIT(&shard);
        SHF_INIT(&vectors);
        const float vector[8] = {1};
        query.vector = vector, query.dimension = 8, query.top_k = 1;
        int ok =
            shf_get(reader, &key, NULL, &call, &id) == SHF_E_FORKED &&
            shf_get_sync(reader, &key, NULL, 0, &op) == SHF_E_FORKED &&
            shf_search_sync(reader, &query, 0, &op) == SHF_E_FORKED && shf_refresh_sync(reader, 0, &op) == SHF_E_FORKED &&
            shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op) == SHF_E_FORKED &&
            shf_reader_snapshot(reader, &other) == SHF_E_FORKED && shf_health(reader, 0, &health) == SHF_E_FORKED &&
            shf_snapshot_describe(pinned, &info) == SHF_E_FORKED &&
            shf_snapshot_shard(pinned, 0, &shard) == SHF_E_FORKED &&
            shf_snapshot_vectors(pinned, &vectors) == SHF_E_FORKED &&
            shf_snapshot_route_key(pinned, &key, NULL, &routed, NULL) == SHF_E_FORKED && shf_op_value_count(held) == 1;
        shf_op_release(held);
        shf_snapshot_release(pinned);
        shf_reader_release(reader);
        ok = ok && shf_cq_free(support_cq) == SHF_OK && shf_runtime_free(support_runtime) == SHF_OK;
        _exit(ok ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    shf_op_release(held);
    shf_snapshot_release(pinned);
    assert_value(reader, "user:0", 28);
    support_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_closed_reader_says_so),
        TEST(test_results_outlive_close_and_buffers_outlive_the_runtime),
        TEST(test_lazy_shards_open_at_their_first_use),
        TEST(test_a_missing_shard_is_named),
        TEST(test_bad_queries),
        TEST(test_bad_keys),
        TEST(test_no_vectors_to_search),
        TEST(test_arguments_that_can_not_be_accepted),
        TEST(test_like_finds_the_row_itself_first),
        TEST(test_a_child_is_told_that_the_reader_is_its_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
