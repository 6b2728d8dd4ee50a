/*
 * Searches over the sample snapshot: batches of every kind against single searches, the largest batch in bounded memory,
 * cancelled and out of time; a reader that may do one thing at a time.
 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE "tests/data/packages-1k"
#define SHARDS 2u
#define DIMENSION 384u
#define MANY 65536u
#define MIB (UINT64_C(1) << 20)
#define SOON_MS 10000 /* what a loaded machine under a sanitizer needs for what takes milliseconds elsewhere */

static char *cache;
static float *vectors; /* MANY * DIMENSION */

static uint64_t seed = 11;
static uint32_t next_random(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32) % below;
}

static int set_up_all(void **state) {
    (void)state;
    cache = support_temporary_directory();
    vectors = malloc((size_t)MANY * DIMENSION * sizeof *vectors);
    for (size_t i = 0; i < (size_t)MANY * DIMENSION; i++) vectors[i] = (float)next_random(1000) / 500 - 1;
    return 0;
}

static int tear_down_all(void **state) {
    (void)state;
    free(vectors);
    support_remove_tree(cache);
    free(cache);
    return 0;
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static shf_query query_of(size_t index, uint32_t top_k) {
    shf_query query;
    SHF_INIT(&query);
    query.vector = vectors + index * DIMENSION;
    query.dimension = DIMENSION;
    query.top_k = top_k;
    return query;
}

static uint64_t budget_used(shf_runtime *runtime) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    return stats.budget_used_bytes;
}

static shf_reader *open_in(shf_runtime *runtime, uint32_t flags, uint32_t max_concurrency) {
    shf_reader_options options;
    shf_reader *reader = NULL;
    shf_op *op = NULL;
    SHF_INIT(&options);
    options.url = SAMPLE;
    options.local_root = cache;
    options.flags = flags;
    options.max_concurrency = max_concurrency;
    assert_int_equal(shf_open_sync(runtime, &options, 0, &op), SHF_OK);
    assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    return reader;
}

static void assert_same(const shf_op *a, size_t query_a, const shf_op *b, size_t query_b) {
    size_t count = shf_op_hit_count(a, query_a);
    shf_search_info info_a, info_b;
    SHF_INIT(&info_a);
    SHF_INIT(&info_b);
    assert_int_equal(count, shf_op_hit_count(b, query_b));
    for (size_t i = 0; i < count; i++) {
        shf_hit hit_a, hit_b;
        SHF_INIT(&hit_a);
        SHF_INIT(&hit_b);
        assert_int_equal(shf_op_hit(a, query_a, i, &hit_a), SHF_OK);
        assert_int_equal(shf_op_hit(b, query_b, i, &hit_b), SHF_OK);
        assert_memory_equal(&hit_a.score, &hit_b.score, sizeof hit_a.score);
        assert_int_equal(hit_a.shard, hit_b.shard);
        assert_int_equal(hit_a.id.text.size, hit_b.id.text.size);
        assert_memory_equal(hit_a.id.text.data, hit_b.id.text.data, hit_a.id.text.size);
    }
    assert_int_equal(shf_op_search_info(a, query_a, &info_a), SHF_OK);
    assert_int_equal(shf_op_search_info(b, query_b, &info_b), SHF_OK);
    assert_int_equal(info_a.rows_scanned, info_b.rows_scanned);
    assert_int_equal(info_a.num_shards_queried, info_b.num_shards_queried);
}

/* ---- batches of every kind ---- */

static shf_query any_query(void) {
    static const uint32_t both[] = {1, 0}, first[] = {0}, second[] = {1};
    static const shf_vector_id like = {SHF_ID_TEXT, 0, 0, {"bash", 4}};
    shf_query query = query_of(next_random(50), next_random(10) ? 1 + next_random(20) : 5000);
    switch (next_random(6)) {
    case 0: query.shard_ids = both, query.shard_count = 2; break;
    case 1: query.shard_ids = first, query.shard_count = 1; break;
    case 2: query.shard_ids = second, query.shard_count = 1; break;
    case 3: query.shard_ids = both; break; /* none */
    case 4: query.vector = NULL, query.dimension = 0, query.like = &like; break;
    default: break;
    }
    return query;
}

static bool has_like(shf_reader *reader) {
    shf_query query = query_of(0, 1);
    const shf_vector_id like = {SHF_ID_TEXT, 0, 0, {"bash", 4}};
    shf_op *op = NULL;
    query.vector = NULL;
    query.like = &like;
    bool found = shf_search_sync(reader, &query, 0, &op) == SHF_OK;
    shf_op_release(op);
    return found;
}

static void check_batches(uint32_t flags, uint32_t max_concurrency) {
    shf_reader *reader = open_in(support_runtime, flags, max_concurrency);
    bool likes = has_like(reader);
    for (size_t round = 0; round < 6; round++) {
        size_t count = round < 2 ? 1 + round : 1 + next_random(300);
        shf_query *queries = calloc(count, sizeof *queries);
        shf_op *batch = NULL;
        for (size_t q = 0; q < count; q++) {
            do queries[q] = any_query();
            while (!likes && queries[q].like);
        }
        assert_int_equal(shf_batch_search_sync(reader, queries, count, 0, &batch), SHF_OK);
        assert_int_equal(shf_op_query_count(batch), count);
        for (size_t q = 0; q < count; q++) {
            shf_op *single = NULL;
            assert_int_equal(shf_search_sync(reader, &queries[q], 0, &single), SHF_OK);
            assert_same(batch, q, single, 0);
            shf_op_release(single);
        }
        shf_op_release(batch);
        free(queries);
    }
    support_close(reader);
}

static void test_batches_give_what_single_searches_give(void **state) {
    (void)state;
    check_batches(0, 0);
    check_batches(SHF_OPEN_LAZY, 1);
    check_batches(SHF_OPEN_LAZY, 2);
}

/* ---- the largest batch ---- */

static shf_query *largest_batch(void) {
    shf_query *queries = calloc(MANY, sizeof *queries);
    for (size_t q = 0; q < MANY; q++) queries[q] = query_of(q, 3);
    return queries;
}

static shf_runtime *runtime_of(uint64_t budget_bytes) {
    shf_runtime_options options;
    shf_runtime *runtime = NULL;
    SHF_INIT(&options);
    options.worker_threads = 2;
    options.memory_budget_bytes = budget_bytes;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    return runtime;
}

static void close_all(shf_reader *reader, shf_runtime *runtime) {
    shf_op *op = NULL;
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    shf_reader_release(reader);
    for (int i = 0; budget_used(runtime) && i < 1000; i++) nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

/* The copy of the queries (96 MiB) and the answers; nothing that grows with queries x shards or with their square. */
static void test_the_largest_batch(void **state) {
    (void)state;
    shf_runtime *runtime = runtime_of(192 * MIB);
    shf_reader *reader = open_in(runtime, 0, 0);
    shf_query *queries = largest_batch();
    shf_op *batch = NULL;
    shf_status status = shf_batch_search_sync(reader, queries, MANY, -1, &batch);
    if (status) fail_msg("%s", shf_error_message(shf_op_error(batch)));
    assert_true(budget_used(runtime) < 64 * MIB); /* only the answers are kept */
    for (size_t q = 0; q < MANY; q += 4001) {
        shf_op *single = NULL;
        assert_int_equal(shf_search_sync(reader, &queries[q], 0, &single), SHF_OK);
        assert_same(batch, q, single, 0);
        shf_op_release(single);
    }
    shf_op_release(batch);
    free(queries);
    close_all(reader, runtime);
}

static void test_a_batch_that_does_not_fit_is_refused(void **state) {
    (void)state;
    static const uint64_t budgets[] = {64 * MIB, 99 * MIB, 101 * MIB};
    shf_query *queries = largest_batch();
    for (size_t i = 0; i < 3; i++) {
        shf_runtime *runtime = runtime_of(budgets[i]);
        shf_reader *reader = open_in(runtime, 0, 0);
        shf_op *op = NULL;
        shf_status status = shf_batch_search_sync(reader, queries, MANY, -1, &op);
        assert_true(status == SHF_E_INVALID || status == SHF_E_NO_MEMORY);
        assert_non_null(strstr(shf_error_message(shf_op_error(op)), "memory budget"));
        shf_op_release(op);
        close_all(reader, runtime);
    }
    free(queries);
}

static void test_cancelled_at_once(void **state) {
    (void)state;
    static const long waits_ns[] = {0, 1000000, 10000000, 50000000};
    shf_reader *reader = open_in(support_runtime, 0, 0);
    shf_query *queries = largest_batch();
    for (size_t i = 0; i < 4; i++) {
        shf_call call = support_call();
        shf_op_id id = 0;
        assert_int_equal(shf_batch_search(reader, queries, MANY, &call, &id), SHF_OK);
        nanosleep(&(struct timespec){0, waits_ns[i]}, NULL);
        int64_t begin = now_ms();
        assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
        shf_op *op = support_wait(SHF_OK, id);
        assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
        assert_in_range(now_ms() - begin, 0, SOON_MS);
        shf_op_release(op);
    }
    free(queries);
    support_close(reader);
}

static void test_deadline(void **state) {
    (void)state;
    shf_reader *reader = open_in(support_runtime, 0, 0);
    shf_query *queries = largest_batch();
    shf_op *op = NULL;
    int64_t begin = now_ms();
    assert_int_equal(shf_batch_search_sync(reader, queries, MANY, 100, &op), SHF_E_DEADLINE);
    assert_in_range(now_ms() - begin, 50, SOON_MS);
    shf_op_release(op);
    free(queries);
    support_close(reader);
}

/* ---- beside one another ---- */

static void test_a_search_passes_a_batch(void **state) {
    (void)state;
    shf_reader *reader = open_in(support_runtime, 0, 0);
    shf_query *queries = largest_batch();
    shf_call call = support_call();
    shf_op_id id = 0;
    shf_op *op = NULL;
    assert_int_equal(shf_batch_search(reader, queries, MANY, &call, &id), SHF_OK);
    for (size_t q = 0; q < 10; q++) { /* both workers are busy with the batch: each search must get in between */
        assert_int_equal(shf_search_sync(reader, &queries[q], SOON_MS, &op), SHF_OK);
        shf_op_release(op);
    }
    assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
    shf_op_release(support_wait(SHF_OK, id));
    free(queries);
    support_close(reader);
}

static void test_waiting_for_the_one_place(void **state) {
    (void)state;
    enum { SEARCHES = 200 };
    shf_reader *reader = open_in(support_runtime, 0, 1);
    shf_query *queries = largest_batch();
    shf_call call = support_call();
    shf_op_id batch = 0, ids[SEARCHES], late = 0;
    assert_int_equal(shf_batch_search(reader, queries, MANY, &call, &batch), SHF_OK);
    for (size_t i = 0; i < SEARCHES; i++) assert_int_equal(shf_search(reader, &queries[i], &call, &ids[i]), SHF_OK);
    call.timeout_ms = 20;
    assert_int_equal(shf_search(reader, &queries[0], &call, &late), SHF_OK);
    shf_op *op = support_wait(SHF_OK, late);
    assert_int_equal(shf_op_status(op), SHF_E_DEADLINE);
    shf_op_release(op);
    assert_int_equal(shf_cancel(support_runtime, ids[7]), SHF_OK);
    op = support_wait(SHF_OK, ids[7]);
    assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
    shf_op_release(op);
    assert_int_equal(shf_cancel(support_runtime, batch), SHF_OK);
    shf_op_release(support_wait(SHF_OK, batch));
    for (size_t i = 0; i < SEARCHES; i++) {
        if (i == 7) continue;
        op = support_wait(SHF_OK, ids[i]);
        assert_int_equal(shf_op_status(op), SHF_OK);
        shf_op_release(op);
    }
    free(queries);
    support_close(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batches_give_what_single_searches_give, support_set_up, support_tear_down),
        cmocka_unit_test(test_the_largest_batch),
        cmocka_unit_test(test_a_batch_that_does_not_fit_is_refused),
        cmocka_unit_test_setup_teardown(test_cancelled_at_once, support_set_up, support_tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, support_set_up, support_tear_down),
        cmocka_unit_test_setup_teardown(test_a_search_passes_a_batch, support_set_up, support_tear_down),
        cmocka_unit_test_setup_teardown(test_waiting_for_the_one_place, support_set_up, support_tear_down),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
