/* Rows that go in come out: sorted, in their shard, the right one of equal keys; whatever memory there was for them. */
#include "rows_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_no_rows(void **state) {
    (void)state;
    rows_all(&(struct rows_case){.shape = {.key_kinds = 1}, .memory_bytes = 1 << 20, .num_dbs = 3, .threads = 1});
    rows_all(&(struct rows_case){
        .shape = {.key_kinds = 1}, .memory_bytes = 1 << 20, .num_dbs = 3, .threads = 1, .late = true});
}

static void test_in_memory(void **state) {
    (void)state;
    static const uint32_t shards[] = {1, 7, 1000};
    for (unsigned i = 0; i < 12; i++) {
        struct rows_case c = {.shape = {.seed = i,
                                        .count = 3000,
                                        .key_kinds = i % 4 == 0 ? 50 : 1u << 30,
                                        .prefix_bytes = i % 3 * 5,
                                        .most_value = 100,
                                        .dimension = i % 2 ? 3 : 0},
                              .memory_bytes = 8 << 20,
                              .num_dbs = shards[i % 3],
                              .late = i % 2,
                              .last_wins = i % 4 == 0,
                              .threads = 1};
        rows_all(&c);
    }
}

/* In memory and through files, with the number of shards known at once and late. */
static void test_the_vector_decides(void **state) {
    (void)state;
    static const uint32_t shards[] = {1, 7, 30000};
    for (unsigned i = 0; i < 12; i++) {
        struct rows_case c = {.shape = {.seed = 50 + i,
                                        .count = 6000,
                                        .key_kinds = i % 4 == 0 ? 50 : 1u << 30,
                                        .most_value = i < 6 ? 20 : 1000,
                                        .dimension = i % 2 ? 3 : 700},
                              .memory_bytes = i < 6 ? 8 << 20 : 2 << 20,
                              .num_dbs = shards[i % 3],
                              .late = i / 3 % 2,
                              .last_wins = i % 4 == 0,
                              .by_vector = true,
                              .threads = 1 + i % 2};
        rows_all(&c);
    }
}

/* Conflicts are found with equal keys in memory, in runs and in both. */
static void test_duplicates_are_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rows_case c = {.shape = {.seed = i, .count = 4000, .key_kinds = 300000, .most_value = i < 2 ? 20 : 1500},
                              .memory_bytes = 1 << 20,
                              .num_dbs = 1000,
                              .late = i % 2,
                              .threads = 1};
        rows_all(&c);
    }
}

/* 10 MB through 1 to 4 MB of memory; runs of several levels. */
static void test_spilled(void **state) {
    (void)state;
    static const uint32_t shards[] = {1, 7, 1000};
    for (unsigned i = 0; i < 12; i++) {
        struct rows_case c = {.shape = {.seed = 100 + i,
                                        .count = 20000,
                                        .key_kinds = i % 4 == 0   ? 5000
                                                     : i % 4 == 1 ? 20
                                                                  : 1u << 30,
                                        .prefix_bytes = i % 3 * 5,
                                        .most_value = 1000,
                                        .dimension = i % 5 == 4 ? 3 : 0},
                              .memory_bytes = (uint64_t)(1 + i % 4) << 20,
                              .num_dbs = shards[i % 3],
                              .max_runs = i % 2 ? 2 : 5,
                              .late = i % 4 > 1,
                              .last_wins = true,
                              .threads = 1};
        /* With two runs to a merge every row is written some times, else once or twice; distributed, once more. */
        assert_in_range(rows_all(&c), i % 2 && c.memory_bytes == 2 << 20 ? 3 : 0, 20);
    }
    struct rows_case c = {.shape = {.seed = 9, .count = 8000, .key_kinds = 1u << 30, .most_value = 500},
                          .memory_bytes = 1 << 20,
                          .num_dbs = 5000,
                          .max_runs = 3,
                          .last_wins = true,
                          .threads = 2};
    rows_all(&c);
}

/* Rows of runs and of blocks can be looked at until their merge is freed. */
static void test_views_stay(void **state) {
    (void)state;
    struct rows_run_of_test t;
    struct shf_rows_merge *merge = NULL;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    struct rows_case c = {.shape = {.count = 10000, .key_kinds = 1u << 31, .most_value = 2000, .prefix_bytes = 2},
                          .memory_bytes = 1 << 20,
                          .num_dbs = 1,
                          .max_runs = 4,
                          .last_wins = true,
                          .threads = 1};
    assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_OK);
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    assert_int_equal(shf_rows_merge_new(t.rows, 0, &merge, NULL), SHF_OK);
    struct shf_rows_row *rows = calloc(c.shape.count, sizeof *rows);
    assert_non_null(rows);
    uint64_t replaced = 0;
    size_t count = 0;
    for (bool is_done = false;; count++) {
        struct shf_rows_row row;
        assert_int_equal(shf_rows_merge_next(merge, &row, &is_done, &replaced, NULL), SHF_OK);
        if (is_done) break;
        assert_true(count < c.shape.count);
        rows[count] = row;
    }
    assert_int_equal(count + replaced, c.shape.count);
    for (size_t i = 0; i < count; i++) rows_expect(&c.shape, (size_t)rows[i].origin, &rows[i]);
    free(rows);
    shf_rows_merge_free(merge);
    rows_end(&t);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

static void test_larger_than_a_block(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct rows_case c = {.shape = {.seed = 200 + i,
                                        .count = 400,
                                        .key_kinds = 100,
                                        .most_value = 3000,
                                        .huge_every = 20 + 10 * i,
                                        .huge_value = i % 2 ? 3000000 : 262144},
                              .memory_bytes = 1 << 20,
                              .num_dbs = 3,
                              .max_runs = i % 2 ? 3 : 0,
                              .late = i % 3 == 1,
                              .last_wins = true,
                              .threads = 1};
        rows_all(&c);
    }
}

/* A row that takes longer than one turn of a task. */
static void test_very_large_rows(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rows_case c = {
            .shape = {.seed = i, .count = 30, .key_kinds = 10, .most_value = 100000, .huge_every = 10, .huge_value = 9000000},
            .memory_bytes = 1 << 20,
            .num_dbs = 2,
            .late = i == 0,
            .last_wins = true,
            .threads = 1};
        rows_all(&c);
    }
}

/* Calls that come too early or too late are refused. */
static void test_wrong_moments(void **state) {
    (void)state;
    struct rows_run_of_test t;
    struct shf_rows_merge *merge = NULL;
    struct shf_error *error = NULL;
    struct shf_rows_row row = {.key_size = 0};
    size_t added;
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    struct rows_case c = {
        .shape = {.count = 10, .key_kinds = 1u << 31}, .memory_bytes = 1 << 20, .num_dbs = 2, .threads = 1};
    assert_int_equal(rows_begin(&t, &c, runtime, -1), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_OK);
    assert_int_equal(shf_rows_merge_new(t.rows, 0, &merge, NULL), SHF_E_INTERNAL);
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    assert_int_equal(shf_rows_merge_new(t.rows, 2, &merge, NULL), SHF_E_INTERNAL);
    assert_int_equal(shf_rows_add(t.rows, &row, 1, &added, &error), SHF_E_INTERNAL);
    assert_int_equal(added, 0);
    shf_error_free(error);
    error = NULL;
    assert_int_equal(shf_rows_merge_new(t.rows, 0, &merge, &error), SHF_E_INTERNAL); /* the store has failed */
    assert_null(merge);
    assert_int_equal(shf_error_code(error), SHF_E_INTERNAL);
    shf_error_free(error);
    rows_end(&t);
    assert_int_equal(rows_budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void test_several_threads(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rows_case c = {.shape = {.seed = 300 + i,
                                        .count = 20000,
                                        .key_kinds = 8000,
                                        .most_value = 600,
                                        .huge_every = 3000,
                                        .huge_value = 300000},
                              .memory_bytes = 2 << 20,
                              .num_dbs = 50,
                              .max_runs = 3,
                              .late = i % 2,
                              .last_wins = i < 2,
                              .threads = 4};
        rows_all(&c);
    }
}

/* What fits never touches the disk. */
static void test_nothing_is_spilled_needlessly(void **state) {
    (void)state;
    struct rows_run_of_test t;
    struct shf_rows_totals totals;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    struct rows_case c = {.shape = {.seed = 5, .count = 6000, .key_kinds = 1u << 30, .most_value = 1000},
                          .memory_bytes = 4 << 20,
                          .num_dbs = 7,
                          .threads = 1};
    assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_OK);
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    shf_rows_totals_get(t.rows, &totals);
    assert_int_equal(totals.spilled_bytes, 0);
    assert_in_range(totals.bytes, 2500000, 3500000);
    assert_true(rows_budget_used(runtime) <= c.memory_bytes + 65536);
    rows_end(&t);
    assert_int_equal(rows_budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

/* A budget that is smaller than what the store may use only makes it slower; one that has no room for a row refuses it. */
static void test_small_budget(void **state) {
    (void)state;
    struct rows_run_of_test t;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(1500 << 10);
    struct rows_case c = {.shape = {.seed = 5, .count = 6000, .key_kinds = 1u << 30, .most_value = 1000},
                          .memory_bytes = 2 << 20,
                          .num_dbs = 7,
                          .threads = 1,
                          .last_wins = true,
                          .max_runs = 8};
    struct shf_budget *budget = shf_rt_budget(runtime);
    assert_true(shf_budget_take(budget, 400 << 10)); /* somebody else's */
    assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_OK);
    shf_budget_give(budget, 400 << 10);
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    assert_int_equal(rows_check(&t), SHF_OK);
    rows_end(&t);
    c.shape.huge_every = 10;
    c.shape.huge_value = 2000000;
    assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
    assert_int_equal(rows_add_all(&t), SHF_E_NO_MEMORY);
    assert_non_null(strstr(shf_error_message(t.error), "a row of 2000"));
    assert_non_null(strstr(shf_error_message(t.error), "memory_budget_bytes"));
    shf_error_free(t.error);
    t.error = NULL;
    atomic_store(&t.next, 0);
    assert_int_equal(rows_add_all(&t), SHF_E_NO_MEMORY); /* for good */
    shf_error_free(t.error);
    t.error = NULL;
    assert_int_equal(rows_finish(&t, NULL), SHF_E_NO_MEMORY);
    rows_end(&t);
    assert_int_equal(rows_budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

/* Stopped and freed after any number of rows, in the middle of whatever runs then. */
static void test_stop_at_any_moment(void **state) {
    (void)state;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    for (unsigned i = 0; i < 30; i++) {
        struct rows_run_of_test t;
        struct rows_case c = {.shape = {.seed = i, .count = 300 + 500 * i, .key_kinds = 1u << 30, .most_value = 1000},
                              .memory_bytes = 1 << 20,
                              .num_dbs = 7,
                              .late = i % 3 == 0,
                              .max_runs = 2,
                              .threads = 2};
        assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
        assert_int_equal(rows_add_all(&t), SHF_OK);
        rows_end(&t);
        assert_int_equal(rows_budget_used(runtime), 0);
    }
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

static void finished(void *context, shf_status status, struct shf_error *error) {
    struct rows_run_of_test *t = context;
    t->status = status;
    t->error = error;
    (void)sem_post(&t->done);
}

/* finish is cancelled at once, or stopped at once: it says so, or had ended. */
static void test_cancelled_finish(void **state) {
    (void)state;
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    unsigned cancelled = 0;
    for (unsigned i = 0; i < 16; i++) {
        struct rows_run_of_test t;
        struct rows_case c = {.shape = {.seed = i, .count = 12000, .key_kinds = 1u << 30, .most_value = 1000},
                              .memory_bytes = 1 << 20,
                              .num_dbs = 7,
                              .late = i % 4 < 3,
                              .max_runs = 2,
                              .threads = 1};
        struct shf_cancel cancel;
        shf_cancel_init(&cancel);
        assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
        assert_int_equal(rows_add_all(&t), SHF_OK);
        if (i % 2) {
            shf_rows_finish(t.rows, 7, &cancel, finished);
            if (i % 3) shf_cancel_request(&cancel);
            rows_end(&t); /* with or without the request: stopped comes after done */
            assert_int_equal(sem_trywait(&t.done), 0);
        } else {
            shf_cancel_request(&cancel);
            (void)rows_finish(&t, &cancel);
            rows_end(&t);
        }
        assert_true(t.status == SHF_E_CANCELLED || t.status == SHF_OK);
        cancelled += t.status == SHF_E_CANCELLED;
        assert_int_equal(rows_budget_used(runtime), 0);
    }
    assert_in_range(cancelled, 4, 16);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

static void test_bad_options(void **state) {
    (void)state;
    struct rows_run_of_test t;
    shf_runtime *runtime = rows_runtime(1 << 20);
    struct rows_case c = {.memory_bytes = 1000, .num_dbs = 1};
    assert_int_equal(rows_begin(&t, &c, runtime, -1), SHF_E_INVALID);
    rows_end(&t);
    c = (struct rows_case){.memory_bytes = 1 << 20, .num_dbs = 32769};
    assert_int_equal(rows_begin(&t, &c, runtime, -1), SHF_E_LIMIT);
    rows_end(&t);
    c.num_dbs = 32768; /* counting takes more than the budget */
    assert_int_equal(rows_begin(&t, &c, runtime, -1), SHF_E_NO_MEMORY);
    rows_end(&t);
    c.num_dbs = 0;
    c.late = true;
    assert_int_equal(rows_begin(&t, &c, runtime, -1), SHF_OK);
    assert_int_equal(rows_finish(&t, NULL), SHF_E_LIMIT);
    rows_end(&t);
    assert_int_equal(rows_budget_used(runtime), 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

/* ---- memory ---- */

static uint64_t anonymous_bytes(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kilobytes = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) (void)sscanf(line, "RssAnon: %lu", &kilobytes);
    assert_int_equal(fclose(file), 0);
    assert_true(kilobytes > 0);
    return (uint64_t)kilobytes << 10;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* 200 MB of rows through 16 MB of memory. */
static void memory_stays(bool late) {
    const uint64_t memory = 16 << 20, most = memory + memory / 5 + (4 << 20);
    char *path;
    int fd = rows_scratch(&path);
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    struct rows_run_of_test t;
    struct rows_case c = {
        .shape = {.key_kinds = 1}, .memory_bytes = memory, .num_dbs = 100, .late = late, .max_runs = 20, .threads = 1};
    uint64_t before = anonymous_bytes(), highest = 0;
    assert_int_equal(rows_begin(&t, &c, runtime, fd), SHF_OK);
    uint8_t value[1000];
    memset(value, 7, sizeof value);
    for (uint64_t i = 0, seed = 0; i < 200000; i++) {
        uint64_t key = rows_random(&seed);
        struct shf_rows_row row = {
            .hash = key, .key = (uint8_t *)&key, .key_size = sizeof key, .value = value, .value_size = sizeof value};
        size_t added = 0;
        while (shf_rows_add(t.rows, &row, 1, &added, NULL) == SHF_E_BUSY) {
            uint64_t now = anonymous_bytes();
            if (now > highest) highest = now;
            assert_int_equal(sem_wait(&t.room), 0);
        }
        assert_int_equal(added, 1);
    }
    assert_int_equal(rows_finish(&t, NULL), SHF_OK);
    if (anonymous_bytes() > highest) highest = anonymous_bytes();
    uint64_t count = 0, replaced = 0;
    for (uint32_t shard = 0; shard < c.num_dbs; shard++) {
        struct shf_rows_merge *merge = NULL;
        assert_int_equal(shf_rows_merge_new(t.rows, shard, &merge, NULL), SHF_OK);
        struct shf_rows_row row;
        for (bool is_done = false;; count++) {
            assert_int_equal(shf_rows_merge_next(merge, &row, &is_done, &replaced, NULL), SHF_OK);
            if (is_done) break;
            assert_int_equal(row.hash % c.num_dbs, shard);
        }
        if (anonymous_bytes() > highest) highest = anonymous_bytes();
        shf_rows_merge_free(merge);
    }
    assert_int_equal(count, 200000);
    rows_end(&t);
    if (highest > before + most) fail_msg("%llu more bytes", (unsigned long long)(highest - before));
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

static void test_memory_stays_within_its_limit(void **state) {
    (void)state;
#ifdef SANITIZED
    skip();
#endif
    memory_stays(false);
    memory_stays(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_stays_within_its_limit),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_the_vector_decides),
        cmocka_unit_test(test_duplicates_are_refused),
        cmocka_unit_test(test_spilled),
        cmocka_unit_test(test_views_stay),
        cmocka_unit_test(test_larger_than_a_block),
        cmocka_unit_test(test_very_large_rows),
        cmocka_unit_test(test_wrong_moments),
        cmocka_unit_test(test_several_threads),
        cmocka_unit_test(test_nothing_is_spilled_needlessly),
        cmocka_unit_test(test_small_budget),
        cmocka_unit_test(test_stop_at_any_moment),
        cmocka_unit_test(test_cancelled_finish),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
