/* Writing to a real S3 server: publishing, refreshing, history, resuming, writers beside one another. */
#include "integration/s3_writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must_run(const struct s3_writer_options *options, const struct writer_rows *rows, shf_publish_info *info) {
    shf_status status = s3_writer_run(options, rows, info);
    if (status) print_message("%s\n", support_message);
    assert_int_equal(status, SHF_OK);
}

static bool record_says(const char *run_id, const char *text) {
    bool says = false;
    char *runs = support_path("%s/runs", s3_prefix_path);
    for (int i = 0; i < (int)writer_count_files(runs, "run.yaml"); i++) {
        char *path = support_find_file(runs, "run.yaml", i);
        size_t size;
        char *record = support_read_file(path, &size);
        says = says || (strstr(path, run_id) && strstr(record, text));
        free(record);
        free(path);
    }
    free(runs);
    return says;
}

/* ---- publishing ---- */

static void refresh(shf_reader *reader) {
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_OK);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.changed, 1);
    shf_op_release(op);
}

static void assert_history(const shf_s3_options *s3, unsigned count) {
    shf_reader_options options = s3_reader_options(s3_prefix, s3, 0);
    shf_op *op = NULL;
    assert_int_equal(shf_history_sync(support_runtime, &options, 0, 0, &op), SHF_OK);
    assert_int_equal(shf_op_manifest_count(op), count);
    for (unsigned i = 0; i < count; i++) {
        shf_manifest_entry entry;
        char *run_id = support_path("run-%u", count - 1 - i);
        SHF_INIT(&entry);
        assert_int_equal(shf_op_manifest(op, i, &entry), SHF_OK);
        assert_string_equal(entry.run_id, run_id);
        free(run_id);
    }
    shf_op_release(op);
}

static void test_publish_refresh_history(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    shf_reader *reader = NULL;
    for (unsigned i = 0; i < 3; i++) {
        struct s3_writer_options options;
        struct writer_rows *rows = s3_writer_rows(i);
        char *run_id = support_path("run-%u", i);
        shf_publish_info info;
        s3_writer_options_make(&options, run_id);
        must_run(&options, rows, &info);
        assert_int_equal(info.rows, 600);
        assert_int_equal(info.is_unconditional, 0);
        assert_true(record_says(run_id, "status: succeeded"));
        if (reader) {
            refresh(reader);
        } else {
            struct s3_opened opened = s3_open(s3_prefix, &s3, 0, 0);
            reader = opened.reader;
            assert_non_null(reader);
        }
        writer_assert_values(reader, rows);
        s3_writer_assert_serves(rows);
        assert_history(&s3, i + 1);
        free(run_id);
        writer_rows_free(rows);
    }
    assert_int_equal(writer_count_files(s3_prefix_path, "shard.db"), 6);
    assert_int_equal(writer_count_files(s3_prefix_path, "shard.sidecar"), 6);
    support_close(reader);
}

static void test_vectors_and_odd_prefixes(void **state) {
    (void)state;
    static const char *const tails[] = {"a b/\xc3\xa4+%", "deep/er/and/deeper", "trailing/"};
    const struct writer_shape shape = {.rows = 1500, .value_most = 100, .dimension = 24, .payload_every = 2};
    struct writer_rows *rows = writer_rows_new(&shape);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct s3_writer_options options;
        shf_status status;
        char *url = support_path("%s/%s", s3_prefix, tails[i]);
        s3_writer_options_make(&options, NULL);
        options.writer.url = url;
        options.writer.backend = SHF_WRITE_UNIFIED;
        shf_writer *writer = s3_writer_open(&options);
        writer_write(writer, rows->rows, 1500, 300);
        shf_op *op = writer_publish(writer, &status);
        if (status) print_message("%s\n", support_message);
        assert_non_null(op);
        struct s3_opened opened = s3_open(url, &options.s3, 0, 0);
        if (opened.status) print_message("%s\n", opened.message);
        assert_non_null(opened.reader);
        writer_assert_told(op, opened.reader, rows);
        writer_assert_values(opened.reader, rows);
        writer_assert_searches(opened.reader, rows, false, 4);
        support_close(opened.reader);
        shf_op_release(op);
        writer_close(writer);
        free(url);
    }
    writer_assert_shards(s3_prefix_path, &(struct writer_rows){.shape = {.rows = 4500, .dimension = 24}}, 0);
    writer_rows_free(rows);
}

/* The table goes up before the manifest that names it, under any name of a prefix. */
static void test_vectors_alone(void **state) {
    (void)state;
    static const char *const shardings[] = {"cluster", "lsh", "explicit"};
    const struct writer_shape shape = {
        .rows = 1500, .dimension = 24, .id_kind = SHF_ID_TEXT, .payload_every = 2, .is_vector_only = true};
    struct writer_rows *rows = writer_rows_new(&shape);
    for (size_t i = 0; i < sizeof shardings / sizeof *shardings; i++) {
        struct s3_writer_options options;
        shf_status status;
        char *url = support_path("%s/a b/\xc3\xa4+%%/%s", s3_prefix, shardings[i]);
        s3_writer_options_make(&options, NULL);
        options.writer.url = url;
        options.writer.backend = SHF_WRITE_VECTOR;
        options.writer.vector_sharding = shardings[i];
        options.writer.metric = "l2";
        shf_writer *writer = s3_writer_open(&options);
        writer_write(writer, rows->rows, 1500, 300);
        shf_op *op = writer_publish(writer, &status);
        if (!op) fail_msg("%s", support_message);
        struct s3_opened opened = s3_open(url, &options.s3, 0, 0);
        if (!opened.reader) fail_msg("%s", opened.message);
        writer_assert_told(op, opened.reader, rows);
        writer_assert_searches(opened.reader, rows, true, 4);
        support_close(opened.reader);
        shf_op_release(op);
        writer_close(writer);
        free(url);
    }
    assert_int_equal(writer_count_files(s3_prefix_path, "centroids.npy"), 1);
    assert_int_equal(writer_count_files(s3_prefix_path, "hyperplanes.npy"), 1);
    writer_rows_free(rows);
}

/* Above the size from which on shards go up in parts. */
static void test_a_large_shard(void **state) {
    (void)state;
    const struct writer_shape shape = {.rows = 75, .value_least = 1 << 20, .value_most = 1 << 20};
    struct writer_rows *rows = writer_rows_new(&shape);
    struct s3_writer_options options;
    shf_publish_info info;
    s3_writer_options_make(&options, NULL);
    options.writer.num_dbs = 1;
    must_run(&options, rows, &info);
    assert_true(info.db_bytes > (64u << 20));
    assert_true(fault_proxy_requests_of(s3_proxy, "POST", "uploadId=") > 0);
    s3_writer_assert_serves(rows);
    writer_rows_free(rows);
}

/* ---- run ids ---- */

static void assert_no_open(const struct s3_writer_options *options, shf_status wanted, const char *says) {
    shf_status status;
    shf_writer *writer = writer_open(&options->writer, &status);
    if (status != wanted) print_message("%d: %s\n", status, support_message);
    assert_null(writer);
    assert_int_equal(status, wanted);
    s3_writer_assert_says(says);
}

static void test_a_run_id_is_used_once(void **state) {
    (void)state;
    struct writer_rows *rows = s3_writer_rows(0);
    struct s3_writer_options options;
    s3_writer_options_make(&options, "one");
    shf_writer *first = s3_writer_open(&options);
    assert_no_open(&options, SHF_E_STATE, "another writer holds its lease until");
    options.writer.flags = SHF_WRITE_RESUME;
    assert_no_open(&options, SHF_E_STATE, "another writer holds its lease until");
    writer_close(first);
    assert_true(record_says("one", "status: failed"));
    options.writer.flags = 0;
    assert_no_open(&options, SHF_E_STATE, "was used before: it has a run record");
    options.writer.flags = SHF_WRITE_RESUME;
    must_run(&options, rows, NULL);
    assert_no_open(&options, SHF_E_STATE, "was published");
    options.writer.flags = 0;
    assert_no_open(&options, SHF_E_STATE, "was published");
    s3_writer_assert_serves(rows);
    writer_rows_free(rows);
}

static void nap_ms(long ms) { (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

/* The first has its name, and its record comes late: the second looks before it is there, and goes on. */
static void test_two_begin_one_run(void **state) {
    (void)state;
    const struct fault late = {.kind = FAULT_STATUS,
                               .method = "PUT",
                               .target = "run.yaml",
                               .times = 1,
                               .number = 503,
                               .text = "SlowDown",
                               .header = "Retry-After: 1"};
    struct s3_writer_options options;
    shf_call call = support_call();
    shf_op_id id = 0;
    s3_writer_options_make(&options, "both");
    options.s3.max_attempts = 3;
    fault_proxy_set(s3_proxy, &late, 1);
    assert_int_equal(shf_writer_open(support_runtime, &options.writer, &call, &id), SHF_OK);
    while (!fault_proxy_spoilt(s3_proxy)) nap_ms(1);
    shf_writer *second = s3_writer_open(&options);
    shf_op *op = support_wait(SHF_OK, id);
    assert_int_equal(shf_op_status(op), SHF_E_STATE);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "is under way"));
    shf_op_release(op);
    struct writer_rows *rows = s3_writer_rows(0);
    shf_status status;
    writer_write(second, rows->rows, 600, 600);
    op = writer_publish(second, &status);
    assert_non_null(op);
    shf_op_release(op);
    writer_close(second);
    s3_writer_assert_serves(rows);
    writer_rows_free(rows);
}

struct race {
    const struct s3_writer_options *options;
    shf_writer *writer;
    shf_status status;
};

static void *open_in_thread(void *argument) {
    struct race *race = argument;
    shf_op *op = NULL;
    race->status = shf_writer_open_sync(support_runtime, &race->options->writer, 0, &op);
    if (!race->status) (void)shf_op_take_writer(op, &race->writer);
    shf_op_release(op);
    return NULL;
}

static void test_many_begin_one_run(void **state) {
    (void)state;
    enum { RACERS = 3, ROUNDS = 15 };
    unsigned went_on = 0;
    for (unsigned round = 0; round < 2 * ROUNDS; round++) {
        struct race races[RACERS];
        pthread_t threads[RACERS];
        struct s3_writer_options options;
        unsigned winners = 0;
        char *run_id = support_path("race-%u", round / 2);
        s3_writer_options_make(&options, run_id);
        options.s3.endpoint_url = s3_server.endpoint;
        options.writer.flags = round % 2 ? SHF_WRITE_RESUME : 0; /* of what the round before left */
        for (int i = 0; i < RACERS; i++) {
            races[i] = (struct race){.options = &options};
            assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, &races[i]), 0);
        }
        for (int i = 0; i < RACERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < RACERS; i++) {
            winners += races[i].writer != NULL;
            assert_true(races[i].status == SHF_OK || races[i].status == SHF_E_STATE);
        }
        if (winners > 1) print_message("round %u had %u winners\n", round, winners);
        assert_true(winners <= 1);
        went_on += winners;
        for (int i = 0; i < RACERS; i++) {
            if (races[i].writer) writer_close(races[i].writer);
        }
        free(run_id);
    }
    print_message("of %u races %u had a winner\n", 2 * ROUNDS, went_on);
    assert_true(went_on > 0);
}

/* ---- two publishers ---- */

static void test_two_publish_at_once(void **state) {
    (void)state;
    for (int has_old = 0; has_old < 2; has_old++) {
        struct writer_rows *rows[3] = {s3_writer_rows(0), s3_writer_rows(1), s3_writer_rows(2)};
        struct s3_writer_options options;
        char *one = support_path("one-%d", has_old), *two = support_path("two-%d", has_old);
        shf_status status;
        s3_writer_options_make(&options, NULL);
        if (has_old) must_run(&options, rows[0], NULL);
        s3_writer_options_make(&options, one);
        shf_writer *first = s3_writer_open(&options);
        s3_writer_options_make(&options, two);
        shf_writer *second = s3_writer_open(&options);
        writer_write(first, rows[1]->rows, 600, 100);
        writer_write(second, rows[2]->rows, 600, 100);
        shf_op *op = writer_publish(second, &status);
        assert_non_null(op);
        shf_op_release(op);
        assert_null(writer_publish(first, &status));
        assert_int_equal(status, SHF_E_STATE);
        s3_writer_assert_says("two-"); /* who was faster */
        s3_writer_assert_serves(rows[2]);
        writer_close(first);
        writer_close(second);
        assert_true(record_says(one, "status: failed"));
        assert_true(record_says(two, "status: succeeded"));
        s3_writer_assert_serves(rows[2]);
        for (int i = 0; i < 3; i++) writer_rows_free(rows[i]);
        free(one);
        free(two);
    }
}

/* ---- resuming ---- */

static unsigned count_attempts(const char *run_id, const char *attempt) {
    char *path = support_path("%s/shards/run_id=%s", s3_prefix_path, run_id);
    unsigned count = 0;
    for (int shard = 0; shard < 2; shard++) {
        char *directory = support_path("%s/db=%05d/%s", path, shard, attempt);
        count += writer_count_files(directory, "shard.db");
        free(directory);
    }
    free(path);
    return count;
}

static void fail_and_resume(const char *run_id, uint32_t flags, bool is_kept, const struct writer_rows *old,
                            const struct writer_rows *new) {
    const struct fault fault = {
        .kind = FAULT_STATUS, .method = "PUT", .target = "db%3D00001", .number = 503, .text = "SlowDown"};
    struct s3_writer_options options;
    shf_publish_info info;
    s3_writer_options_make(&options, run_id);
    options.writer.jobs = 1;
    fault_proxy_set(s3_proxy, &fault, 1);
    assert_int_equal(s3_writer_run(&options, new, NULL), SHF_E_STORE_RETRY);
    s3_writer_assert_says("shard 1");
    s3_writer_assert_says("HTTP 503");
    fault_proxy_heal(s3_proxy);
    s3_writer_assert_serves(old);
    assert_true(record_says(run_id, "status: failed"));
    assert_int_equal(count_attempts(run_id, "attempt=00"), 1);
    options.writer.flags = SHF_WRITE_RESUME | flags;
    must_run(&options, new, &info);
    assert_int_equal(info.attempts_left, 0);
    assert_int_equal(count_attempts(run_id, "attempt=01"), 2);
    assert_int_equal(count_attempts(run_id, "attempt=00"), is_kept);
    assert_true(record_says(run_id, "status: succeeded"));
    s3_writer_assert_serves(new);
}

static void test_resume(void **state) {
    (void)state;
    struct writer_rows *old = s3_writer_rows(0), *new = s3_writer_rows(1);
    struct s3_writer_options options;
    s3_writer_options_make(&options, NULL);
    must_run(&options, old, NULL);
    fail_and_resume("mended", 0, false, old, new);
    fail_and_resume("kept", SHF_WRITE_KEEP_ATTEMPTS, true, new, old);
    writer_rows_free(old);
    writer_rows_free(new);
}

static void test_a_shard_is_tried_again(void **state) {
    (void)state;
    const struct fault fault = {
        .kind = FAULT_STATUS, .method = "PUT", .target = "db%3D00001/attempt%3D00", .number = 500, .text = "InternalError"};
    for (int keeps = 0; keeps < 2; keeps++) {
        struct writer_rows *rows = s3_writer_rows((uint32_t)keeps);
        struct s3_writer_options options;
        shf_publish_info info;
        s3_writer_options_make(&options, keeps ? "keeps" : "tidy");
        options.writer.shard_attempts = 3;
        options.writer.flags = keeps ? SHF_WRITE_KEEP_ATTEMPTS : 0;
        fault_proxy_set(s3_proxy, &fault, 1);
        must_run(&options, rows, &info);
        fault_proxy_heal(s3_proxy);
        assert_int_equal(info.shard_retries, 1);
        assert_int_equal(info.attempts_left, 0);
        assert_int_equal(count_attempts(keeps ? "keeps" : "tidy", "attempt=01"), 1);
        s3_writer_assert_serves(rows);
        writer_rows_free(rows);
    }
}

/* What could not be deleted does not fail the publish; it is told. */
static void test_losers_that_stay(void **state) {
    (void)state;
    const struct fault faults[] = {
        {.kind = FAULT_STATUS, .method = "PUT", .target = "db%3D00001/attempt%3D00", .number = 500, .text = "InternalError"},
        {.kind = FAULT_STATUS, .method = "DELETE", .number = 403, .text = "AccessDenied"}};
    struct writer_rows *rows = s3_writer_rows(0);
    struct s3_writer_options options;
    shf_publish_info info;
    s3_writer_options_make(&options, NULL);
    options.writer.shard_attempts = 2;
    fault_proxy_set(s3_proxy, faults, 2);
    must_run(&options, rows, &info);
    assert_int_equal(info.attempts_left, 1);
    s3_writer_assert_serves(rows);
    writer_rows_free(rows);
}

/* ---- who may not ---- */

static void test_wrong_credentials(void **state) {
    (void)state;
    struct s3_writer_options options;
    s3_writer_options_make(&options, NULL);
    options.s3.secret_access_key = "not the secret";
    assert_no_open(&options, SHF_E_ACCESS, "HTTP 403");
    options.s3.secret_access_key = s3_server.secret_access_key;
    options.writer.url = "s3://no-such-bucket/prefix";
    assert_no_open(&options, SHF_E_NOT_FOUND, "no-such-bucket");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_writer_begin, s3_writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_publish_refresh_history), TEST(test_vectors_and_odd_prefixes), TEST(test_vectors_alone),
        TEST(test_a_large_shard),           TEST(test_a_run_id_is_used_once),    TEST(test_two_begin_one_run),
        TEST(test_many_begin_one_run),      TEST(test_two_publish_at_once),      TEST(test_resume),
        TEST(test_a_shard_is_tried_again),  TEST(test_losers_that_stay),         TEST(test_wrong_credentials),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
