/* The lease of a run over a real S3 server: renewed, lost, taken over. Linked with the modules, for its times. */
#include "integration/s3_writer_support.h"
#include "writer/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *record_key(const char *run_id) {
    char *runs = support_path("%s/runs", s3_prefix_path), *found = NULL;
    for (int i = 0; i < (int)writer_count_files(runs, "run.yaml") && !found; i++) {
        char *path = support_find_file(runs, "run.yaml", i);
        if (strstr(path, run_id))
            found = strdup(path + strlen(s3_server.directory) + sizeof "/data/" S3_BUCKET "/" - 1);
        free(path);
    }
    free(runs);
    assert_non_null(found);
    return found;
}

static void test_a_lease_that_was_lost(void **state) {
    (void)state;
    struct s3_writer_options options;
    shf_status status;
    s3_writer_publish_old();
    s3_writer_options_make(&options, "robbed");
    shf_writer *writer = s3_writer_open(&options);
    writer_write(writer, s3_writer_new->rows, 600, 100);
    char *key = record_key("robbed");
    assert_true(s3_server_put(&s3_server, S3_BUCKET, key, "status: running\n", 16));
    assert_null(writer_publish(writer, &status));
    assert_int_equal(status, SHF_E_STATE);
    s3_writer_assert_says("lost its lease");
    s3_writer_assert_serves(s3_writer_old);
    assert_int_equal(writer_count_files(s3_prefix_path, "manifest"), 1);
    writer_close(writer);
    /* The record is another's now, and stays as it is. */
    char *path = support_path("%s/data/" S3_BUCKET "/%s", s3_server.directory, key);
    size_t size;
    char *record = support_read_file(path, &size);
    assert_string_equal(record, "status: running\n");
    free(record);
    free(path);
    free(key);
}

/* Each of the three times that the record is written its answer is lost; the next attempt is refused, for the record has changed. */
static void test_an_answer_about_the_lease_is_lost(void **state) {
    (void)state;
    for (uint32_t skip = 0; skip < 3; skip++) {
        struct s3_writer_options options;
        const struct fault fault = {.kind = FAULT_RESET, .method = "PUT", .target = "run.yaml", .skip = skip, .times = 1};
        char *run_id = support_path("lost-%u", skip);
        s3_writer_options_make(&options, run_id);
        options.s3.max_attempts = 3;
        s3_writer_assert_ends(&fault, &options, SHF_OK, NULL);
        char *key = record_key(run_id), *path = support_path("%s/data/" S3_BUCKET "/%s", s3_server.directory, key);
        size_t size;
        char *record = support_read_file(path, &size);
        assert_non_null(strstr(record, "status: succeeded"));
        free(record);
        free(path);
        free(key);
        free(run_id);
    }
}

/* A server that says nothing does not keep an open, or a publish, beyond its time. */
static void test_silence_about_the_lease(void **state) {
    (void)state;
    struct s3_writer_options options;
    const struct fault first = {.kind = FAULT_STALL, .method = "PUT", .target = "run.yaml", .times = 1};
    const struct fault second = {.kind = FAULT_STALL, .method = "PUT", .target = "run.yaml", .skip = 1, .times = 1};
    shf_op *op = NULL;
    s3_writer_publish_old();
    s3_writer_options_make(&options, NULL);
    fault_proxy_set(s3_proxy, &first, 1);
    assert_int_equal(shf_writer_open_sync(support_runtime, &options.writer, 500, &op), SHF_E_DEADLINE);
    shf_op_release(op);
    fault_proxy_set(s3_proxy, &second, 1);
    shf_writer *writer = s3_writer_open(&options);
    writer_write(writer, s3_writer_new->rows, 600, 100);
    op = NULL;
    assert_int_equal(shf_publish_sync(writer, 1500, &op), SHF_E_DEADLINE);
    shf_op_release(op);
    assert_int_equal(fault_proxy_spoilt(s3_proxy), 1);
    fault_proxy_heal(s3_proxy);
    writer_close(writer);
    s3_writer_assert_serves(s3_writer_old);
}

/* ---- with other times ---- */

static int begin(void **state) {
    shf_lease_times = (struct shf_lease_times){.renew_ms = 60000, .lease_ms = 600000};
    return s3_writer_begin(state);
}

static void nap_ms(long ms) { (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

static void rob(const char *run_id) {
    char *key = record_key(run_id);
    assert_true(s3_server_put(&s3_server, S3_BUCKET, key, "status: running\n", 16));
    free(key);
}

static bool wait_for_phase(const shf_writer *writer, uint32_t phase) {
    for (int64_t end = s3_now_ms() + 10000; s3_now_ms() < end; nap_ms(2)) {
        shf_writer_progress progress;
        SHF_INIT(&progress);
        assert_int_equal(shf_writer_progress_get(writer, &progress), SHF_OK);
        if (progress.phase == phase) return true;
    }
    return false;
}

static void test_it_is_renewed(void **state) {
    (void)state;
    struct s3_writer_options options;
    shf_status status;
    shf_lease_times = (struct shf_lease_times){.renew_ms = 20, .lease_ms = 600000};
    s3_writer_options_make(&options, "renewed");
    shf_writer *writer = s3_writer_open(&options);
    while (fault_proxy_requests_of(s3_proxy, "PUT", "run.yaml") < 6) nap_ms(2);
    writer_write(writer, s3_writer_new->rows, 600, 100);
    shf_op *op = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    shf_op_release(op);
    uint32_t last = fault_proxy_requests_of(s3_proxy, "PUT", "run.yaml");
    nap_ms(100);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "PUT", "run.yaml"), last); /* the last word was said */
    writer_close(writer);
    s3_writer_assert_serves(s3_writer_new);
}

/* Between two writes, with nothing under way. */
static void test_it_is_lost_in_the_background(void **state) {
    (void)state;
    struct s3_writer_options options;
    shf_status status;
    s3_writer_publish_old();
    shf_lease_times = (struct shf_lease_times){.renew_ms = 20, .lease_ms = 600000};
    s3_writer_options_make(&options, "robbed");
    shf_writer *writer = s3_writer_open(&options);
    writer_write(writer, s3_writer_new->rows, 300, 100);
    rob("robbed");
    assert_true(wait_for_phase(writer, SHF_PHASE_FAILED));
    assert_int_equal(writer_try(writer, s3_writer_new->rows + 300, 1, NULL), SHF_E_STATE);
    s3_writer_assert_says("lost its lease");
    assert_null(writer_publish(writer, &status));
    assert_int_equal(status, SHF_E_STATE);
    s3_writer_assert_says("lost its lease");
    writer_close(writer);
    s3_writer_assert_serves(s3_writer_old);
}

/* A shard's upload is stuck; the publish ends all the same, and says why. */
static void test_it_is_lost_during_a_publish(void **state) {
    (void)state;
    struct s3_writer_options options;
    const struct fault fault = {.kind = FAULT_STALL, .method = "PUT", .target = "shard.db"};
    s3_writer_publish_old();
    shf_lease_times = (struct shf_lease_times){.renew_ms = 20, .lease_ms = 600000};
    s3_writer_options_make(&options, "robbed");
    fault_proxy_set(s3_proxy, &fault, 1);
    shf_writer *writer = s3_writer_open(&options);
    shf_call call = support_call();
    shf_op_id id = 0;
    writer_write(writer, s3_writer_new->rows, 600, 100);
    assert_int_equal(shf_publish(writer, &call, &id), SHF_OK);
    while (!fault_proxy_spoilt(s3_proxy)) nap_ms(2);
    rob("robbed");
    shf_op *op = support_wait(SHF_OK, id);
    assert_int_equal(shf_op_status(op), SHF_E_STATE);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "lost its lease"));
    shf_op_release(op);
    fault_proxy_heal(s3_proxy);
    writer_close(writer);
    s3_writer_assert_serves(s3_writer_old);
}

static void test_it_can_not_be_renewed(void **state) {
    (void)state;
    struct s3_writer_options options;
    shf_status status;
    const struct fault fault = {
        .kind = FAULT_STATUS, .method = "PUT", .target = "run.yaml", .skip = 1, .number = 503, .text = "SlowDown"};
    s3_writer_publish_old();
    shf_lease_times = (struct shf_lease_times){.renew_ms = 30, .lease_ms = 300};
    s3_writer_options_make(&options, "silent");
    fault_proxy_set(s3_proxy, &fault, 1);
    shf_writer *writer = s3_writer_open(&options);
    writer_write(writer, s3_writer_new->rows, 600, 100);
    assert_true(wait_for_phase(writer, SHF_PHASE_FAILED));
    assert_true(fault_proxy_spoilt(s3_proxy) > 3);
    assert_null(writer_publish(writer, &status));
    assert_int_equal(status, SHF_E_STATE);
    s3_writer_assert_says("could not be renewed for too long");
    writer_close(writer);
    fault_proxy_heal(s3_proxy);
    s3_writer_assert_serves(s3_writer_old);
}

/* One that was thought dead is not: whoever took its run over goes on alone. */
static void test_it_is_taken_over(void **state) {
    (void)state;
    struct s3_writer_options options;
    shf_status status;
    s3_writer_publish_old();
    shf_lease_times = (struct shf_lease_times){.renew_ms = 600000, .lease_ms = 400};
    s3_writer_options_make(&options, "taken");
    shf_writer *first = s3_writer_open(&options), *second = NULL;
    writer_write(first, s3_writer_old->rows, 600, 100);
    options.writer.flags = SHF_WRITE_RESUME;
    shf_lease_times = (struct shf_lease_times){.renew_ms = 600000, .lease_ms = 600000};
    for (int64_t end = s3_now_ms() + 10000; !second && s3_now_ms() < end; nap_ms(20)) {
        second = writer_open(&options.writer, &status);
        if (!second) assert_int_equal(status, SHF_E_STATE);
        if (!second) s3_writer_assert_says("holds its lease until");
    }
    assert_non_null(second);
    assert_null(writer_publish(first, &status));
    assert_int_equal(status, SHF_E_STATE);
    s3_writer_assert_says("lost its lease");
    writer_close(first);
    s3_writer_assert_serves(s3_writer_old);
    writer_write(second, s3_writer_new->rows, 600, 100);
    shf_op *op = writer_publish(second, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    shf_op_release(op);
    writer_close(second);
    s3_writer_assert_serves(s3_writer_new);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, s3_writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_lease_that_was_lost),        TEST(test_an_answer_about_the_lease_is_lost),
        TEST(test_silence_about_the_lease),      TEST(test_it_is_renewed),
        TEST(test_it_is_lost_in_the_background), TEST(test_it_is_lost_during_a_publish),
        TEST(test_it_can_not_be_renewed),        TEST(test_it_is_taken_over),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_writer_group_begin, s3_writer_group_end);
}
