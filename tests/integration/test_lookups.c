/* Lookups of the sample snapshot in every size of call, before and after its shards have separators of their leaves. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE "tests/data/packages-1k"
#define MOST_KEYS 1024u

static char *names[MOST_KEYS]; /* keys that are there */
static size_t name_count;
static char *cache;

/* The keys are the ids of the recorded answers. */
static int set_up_all(void **state) {
    (void)state;
    json_t *lines = support_lines("tests/data", "packages-1k-answers.jsonl"), *line, *hit;
    size_t i, k;
    json_array_foreach(lines, i, line) {
        json_array_foreach(json_object_get(line, "top10"), k, hit) {
            if (name_count < MOST_KEYS) names[name_count++] = strdup(json_string_value(json_object_get(hit, "id")));
        }
    }
    json_decref(lines);
    cache = support_temporary_directory();
    return name_count > 300 ? 0 : -1;
}

static int tear_down_all(void **state) {
    (void)state;
    for (size_t i = 0; i < name_count; i++) free(names[i]);
    support_remove_tree(cache);
    free(cache);
    return 0;
}

static shf_key key_of(size_t index) { return shf_key_from_text(names[index], strlen(names[index])); }

static uint64_t budget_used(void) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    return stats.budget_used_bytes;
}

/* Every key by get; the operations are kept, and are what later answers are compared with. */
static shf_op **get_all(shf_reader *reader) {
    shf_op **ops = calloc(name_count, sizeof(shf_op *));
    for (size_t i = 0; i < name_count; i++) {
        shf_key key = key_of(i);
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &ops[i]), SHF_OK);
        assert_int_equal(shf_op_value(ops[i], 0, &value), SHF_OK);
        assert_int_equal(value.status, SHF_OK);
        assert_int_equal(((const char *)value.data.data)[0], '{');
    }
    return ops;
}

static void release_all(shf_op **ops) {
    for (size_t i = 0; i < name_count; i++) shf_op_release(ops[i]);
    free(ops);
}

static void expect_same(const shf_op *op, size_t index, const shf_op *wanted_op) {
    shf_value value, wanted;
    SHF_INIT(&value);
    SHF_INIT(&wanted);
    assert_int_equal(shf_op_value(op, index, &value), SHF_OK);
    assert_int_equal(shf_op_value(wanted_op, 0, &wanted), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    assert_int_equal(value.data.size, wanted.data.size);
    assert_memory_equal(value.data.data, wanted.data.data, wanted.data.size);
}

/* `count` keys in one call, every third one absent. */
static void multi_get(shf_reader *reader, size_t count, shf_op **wanted) {
    shf_key *keys = calloc(count + 1, sizeof *keys);
    shf_op *op = NULL;
    for (size_t i = 0; i < count; i++) {
        keys[i] = i % 3 == 2 ? shf_key_from_text("absent", 6) : key_of(i * 7 % name_count);
    }
    assert_int_equal(shf_multi_get_sync(reader, keys, count, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value_count(op), count);
    for (size_t i = 0; i < count; i++) {
        shf_value value;
        SHF_INIT(&value);
        if (i % 3 != 2) {
            expect_same(op, i, wanted[i * 7 % name_count]);
            continue;
        }
        assert_int_equal(shf_op_value(op, i, &value), SHF_OK);
        assert_int_equal(value.status, SHF_NOT_FOUND);
    }
    shf_op_release(op);
    free(keys);
}

static void test_every_size_of_call(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, 100, 127, 128, 129, 256, 257, 1000, 100000};
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, 0, &status);
    assert_int_equal(status, SHF_OK);
    assert_int_equal(budget_used(), 0);
    shf_op **first = get_all(reader);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) multi_get(reader, counts[c], first);
    /* By now both shards have seen enough lookups; their separators come from a worker. */
    for (int wait_ms = 0; budget_used() == 0 && wait_ms < 5000; wait_ms++) (void)usleep(1000);
    assert_in_range(budget_used(), 100, 40000); /* half a percent of 3.9 MB is 19 KB */
    shf_op **second = get_all(reader);
    for (size_t i = 0; i < name_count; i++) expect_same(second[i], 0, first[i]);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) multi_get(reader, counts[c], first);
    release_all(first);
    release_all(second);
    support_close(reader);
}

/* What was answered in the call has no id, is counted until it is released, and took no time that was measured. */
static void test_answers_in_the_call(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, 0, &status);
    shf_runtime_stats stats;
    shf_key key = key_of(0);
    shf_op *op = NULL, *polled = NULL;
    SHF_INIT(&stats);
    assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK);
    assert_true(shf_op_get_id(op) == 0);
    assert_true(shf_op_latency_ns(op) == 0);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_int_equal(stats.inflight_ops, 1);
    assert_int_equal(shf_runtime_free(support_runtime), SHF_E_BUSY);
    shf_op_release(op);
    shf_call call = support_call();
    shf_op_id id = 0;
    assert_int_equal(shf_get(reader, &key, NULL, &call, &id), SHF_OK);
    assert_true(id != 0);
    assert_int_equal(shf_cancel(support_runtime, id), SHF_OK); /* too late */
    assert_int_equal(shf_cq_poll(support_cq, &polled, 1, 0), 1);
    assert_true(shf_op_get_id(polled) == id);
    assert_int_equal(shf_op_status(polled), SHF_OK);
    shf_op_release(polled);
    support_close(reader);
}

static void expect_inflight(uint32_t count) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_int_equal(stats.inflight_ops, count);
}

/* Open shards answer at once, as shf_get_sync does. */
static void test_now_answers(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, 0, &status);
    shf_op **wanted = get_all(reader), *op = NULL;
    shf_key keys[128], bad = shf_key_from_int(5), unsound = shf_key_from_bytes(NULL, 3);
    for (size_t i = 0; i < 128; i++) keys[i] = key_of(i % name_count);
    for (size_t i = 0; i < name_count; i++) {
        shf_key key = key_of(i);
        assert_int_equal(shf_get_now(reader, &key, NULL, &op), SHF_OK);
        assert_true(shf_op_get_id(op) == 0);
        assert_int_equal(shf_op_value_count(op), 1);
        expect_same(op, 0, wanted[i]);
        shf_op_release(op);
    }
    for (size_t count = 0; count <= 128; count += 64) {
        assert_int_equal(shf_multi_get_now(reader, keys, count, NULL, &op), SHF_OK);
        assert_int_equal(shf_op_value_count(op), count);
        for (size_t i = 0; i < count; i++) expect_same(op, i, wanted[i % name_count]);
        shf_op_release(op);
    }
    assert_int_equal(shf_get_now(reader, &bad, NULL, &op), SHF_E_INVALID); /* accepted, and failed */
    assert_string_not_equal(shf_error_message(shf_op_error(op)), "");
    shf_op_release(op);
    op = (shf_op *)&keys;
    assert_int_equal(shf_get_now(reader, &unsound, NULL, &op), SHF_E_INVALID); /* refused */
    assert_null(op);
    assert_int_equal(shf_get_now(NULL, &keys[0], NULL, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_now(reader, &keys[0], NULL, NULL), SHF_E_INVALID);
    assert_int_equal(shf_multi_get_now(reader, NULL, 1, NULL, &op), SHF_E_INVALID);
    release_all(wanted);
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    assert_int_equal(shf_get_now(reader, &keys[0], NULL, &op), SHF_E_CLOSED);
    assert_null(op);
    shf_reader_release(reader);
}

/* What would wait leaves nothing behind: more keys than a call looks up itself, shards that are not open yet. */
static void test_now_would_wait(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, SHF_OPEN_LAZY, &status);
    shf_key keys[129], bad = shf_key_from_int(5);
    shf_op *op = (shf_op *)&keys;
    for (size_t i = 0; i < 129; i++) keys[i] = key_of(i);
    assert_int_equal(shf_get_now(reader, &keys[0], NULL, &op), SHF_WOULD_WAIT);
    assert_null(op);
    assert_int_equal(shf_multi_get_now(reader, keys, 128, NULL, &op), SHF_WOULD_WAIT);
    assert_null(op);
    expect_inflight(0);
    assert_int_equal(shf_get_now(reader, &bad, NULL, &op), SHF_E_INVALID); /* needs no shard */
    shf_op_release(op);
    assert_int_equal(shf_multi_get_sync(reader, keys, 128, NULL, 0, &op), SHF_OK); /* opens both shards */
    shf_op_release(op);
    assert_int_equal(shf_multi_get_now(reader, keys, 128, NULL, &op), SHF_OK);
    expect_inflight(1);
    shf_op_release(op);
    assert_int_equal(shf_multi_get_now(reader, keys, 129, NULL, &op), SHF_WOULD_WAIT);
    assert_null(op);
    expect_inflight(0);
    support_close(reader);
}

/* ---- by stored bytes ---- */

static shf_slice stored_of(size_t index) { return (shf_slice){names[index], strlen(names[index])}; }

static void expect_absent(const shf_op *op, size_t index) {
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_op_value(op, index, &value), SHF_OK);
    assert_int_equal(value.status, SHF_NOT_FOUND);
}

static void test_stored_keys(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 128, 129, 300};
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, 0, &status);
    shf_op **wanted = get_all(reader), *op = NULL;
    uint32_t *shards = calloc(name_count, sizeof *shards);
    shf_slice *stored = calloc(name_count, sizeof *stored);
    shf_snapshot *snapshot = NULL;
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    for (size_t i = 0; i < name_count; i++) {
        const shf_key key = key_of(i);
        stored[i] = stored_of(i);
        assert_int_equal(shf_snapshot_route_key(snapshot, &key, NULL, &shards[i], NULL), SHF_OK);
        assert_int_equal(shf_get_stored_now(reader, snapshot, shards[i], &stored[i], 1, &op), SHF_OK);
        assert_int_equal(shf_op_value_count(op), 1);
        expect_same(op, 0, wanted[i]);
        shf_op_release(op);
    }
    for (uint32_t shard = 0; shard < 2; shard++) {
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            assert_int_equal(shf_get_stored_sync(reader, snapshot, shard, stored, counts[c], 0, &op), SHF_OK);
            assert_int_equal(shf_op_value_count(op), counts[c]);
            for (size_t i = 0; i < counts[c]; i++) {
                if (shards[i] == shard) {
                    expect_same(op, i, wanted[i]);
                } else {
                    expect_absent(op, i); /* not routed: where it is not, it is absent */
                }
            }
            shf_op_release(op);
        }
    }
    assert_int_equal(shf_get_stored_now(reader, snapshot, 0, stored, 129, &op), SHF_WOULD_WAIT);
    assert_null(op);
    release_all(wanted);
    shf_snapshot_release(snapshot);
    support_close(reader);
    free(shards);
    free(stored);
}

/* Shards that are not open yet, through the queue; keys are copied by the call. */
static void test_stored_keys_of_lazy_shards(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, SHF_OPEN_LAZY, &status);
    shf_snapshot *snapshot = NULL;
    shf_op *op = NULL, *wanted = NULL;
    shf_op_id id = 0;
    uint32_t shard = 0;
    const shf_key key = key_of(0);
    const shf_call call = support_call();
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_route_key(snapshot, &key, NULL, &shard, NULL), SHF_OK);
    char *copy = strdup(names[0]);
    shf_slice stored[3] = {{copy, strlen(copy)}, {"absent", 6}, {NULL, 0}};
    assert_int_equal(shf_get_stored_now(reader, snapshot, shard, stored, 3, &op), SHF_WOULD_WAIT);
    assert_null(op);
    status = shf_get_stored(reader, snapshot, shard, stored, 3, &call, &id);
    memset(copy, 'x', stored[0].size);
    free(copy);
    memset(stored, 0, sizeof stored);
    op = support_wait(status, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    assert_int_equal(shf_get_now(reader, &key, NULL, &wanted), SHF_OK); /* its shard is open now */
    expect_same(op, 0, wanted);
    expect_absent(op, 1);
    expect_absent(op, 2);
    shf_op_release(op);
    shf_op_release(wanted);
    shf_snapshot_release(snapshot);
    support_close(reader);
}

static void test_stored_keys_that_can_not_be_accepted(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(SAMPLE, cache, 0, &status), *other = support_open(SAMPLE, cache, 0, &status);
    shf_snapshot *snapshot = NULL, *others = NULL;
    shf_op *op = NULL;
    const shf_slice key = stored_of(0), unsound = {NULL, 1};
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_reader_snapshot(other, &others), SHF_OK);
    assert_int_equal(shf_get_stored_now(NULL, snapshot, 0, &key, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, NULL, 0, &key, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, others, 0, &key, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, snapshot, 2, &key, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, snapshot, 0, NULL, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, snapshot, 0, &unsound, 1, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_now(reader, snapshot, 0, &key, 1048577, &op), SHF_E_INVALID);
    assert_int_equal(shf_get_stored_sync(reader, snapshot, 0, &key, 1, 0, NULL), SHF_E_INVALID);
    assert_null(op);
    assert_int_equal(shf_get_stored(reader, snapshot, 0, &key, 1, NULL, NULL), SHF_E_INVALID);
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    assert_int_equal(shf_get_stored_sync(reader, snapshot, 0, &key, 1, 0, &op), SHF_E_CLOSED);
    assert_null(op);
    shf_snapshot_release(snapshot);
    shf_snapshot_release(others);
    shf_reader_release(reader);
    support_close(other);
}

/* Thousands of keys are charged to the budget while they wait, and refused when they do not fit. */
static void test_keys_are_charged(void **state) {
    (void)state;
    enum { KEYS = 20000 };
    shf_runtime *runtime = NULL;
    shf_runtime_options options;
    shf_reader_options reader_options;
    SHF_INIT(&options);
    SHF_INIT(&reader_options);
    options.memory_budget_bytes = 512 << 10;
    reader_options.url = SAMPLE;
    reader_options.local_root = cache;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    assert_int_equal(shf_open_sync(runtime, &reader_options, 0, &op), SHF_OK);
    assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    shf_key *keys = calloc(KEYS, sizeof *keys);
    for (size_t i = 0; i < KEYS; i++) keys[i] = key_of(i % name_count);
    assert_int_equal(shf_multi_get_sync(reader, keys, KEYS, NULL, 0, &op), SHF_E_NO_MEMORY);
    assert_true(shf_error_retryable(shf_op_error(op)));
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "memory_budget_bytes"));
    shf_op_release(op);
    assert_int_equal(shf_multi_get_sync(reader, keys, 2000, NULL, 0, &op), SHF_OK);
    shf_op_release(op);
    free(keys);
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    shf_reader_release(reader);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, support_set_up, support_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_size_of_call),
        TEST(test_answers_in_the_call),
        TEST(test_now_answers),
        TEST(test_now_would_wait),
        TEST(test_stored_keys),
        TEST(test_stored_keys_of_lazy_shards),
        TEST(test_stored_keys_that_can_not_be_accepted),
        TEST(test_keys_are_charged),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
