/* Attempts, pauses and ends of requests to an S3 store, before a scripted server. */
#include "s3_support.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT(...)                                                                                                    \
    (const struct scripted_answer[]){__VA_ARGS__}, SUPPORT_COUNT(((const struct scripted_answer[]){__VA_ARGS__}))

static const struct scripted_answer good = {.status = 200, .body = "hello", .headers = "ETag: \"e\"\r\n"};

/* Each kind of failure that passes: two of them, then success, with three requests in all. */
static void test_failures_that_pass(void **state) {
    (void)state;
    static const struct scripted_answer failures[] = {
        {.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"},
        {.status = 500},
        {.status = 408, .end = SCRIPTED_CLOSE},
        {.status = 429},
        {.status = 400, .body = "<Error><Code>RequestTimeout</Code></Error>", .end = SCRIPTED_CLOSE},
        {.end = SCRIPTED_RESET},
        {.end = SCRIPTED_CLOSE},
        {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_CLOSE},
        {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_RESET},
        {.status = 503, .body = "<Err", .declared = 500, .end = SCRIPTED_CLOSE},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(failures); i++) {
        const struct scripted_answer script[] = {failures[i], failures[i], good};
        struct s3_test test;
        struct support_call call;
        s3_start(&test, script, 3);
        (void)s3_get(&test, &call);
        if (call.request.status) fail_msg("failure %zu: %s", i, shf_error_message(call.request.error));
        s3_expect_body(&call, "hello");
        assert_string_equal(call.request.etag, "\"e\"");
        assert_int_equal(scripted_server_requests(test.server), 3);
        assert_int_equal(support_stats(test.runtime).store_retries, 2);
        assert_int_equal(support_stats(test.runtime).store_requests, 3);
        support_call_clear(&call);
        s3_end(&test);
    }
}

static void test_failures_that_are_final(void **state) {
    (void)state;
    static const struct {
        struct scripted_answer answer;
        shf_status status;
    } cases[] = {{{.status = 400}, SHF_E_STORE}, {{.status = 403}, SHF_E_ACCESS}, {{.status = 404}, SHF_E_NOT_FOUND},
                 {{.status = 412}, SHF_E_STORE}, {{.status = 416}, SHF_E_STORE},  {{.status = 304}, SHF_E_STORE},
                 {{.status = 204}, SHF_E_STORE}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        const struct scripted_answer script[] = {cases[i].answer, good};
        struct s3_test test;
        struct support_call call;
        s3_start(&test, script, 2);
        assert_int_equal(s3_get(&test, &call), cases[i].status);
        assert_int_equal(shf_error_http_status(call.request.error), cases[i].answer.status);
        assert_string_equal(shf_error_object(call.request.error), "s3://bucket/key");
        assert_int_equal(scripted_server_requests(test.server), 1);
        support_call_clear(&call);
        s3_end(&test);
    }
}

static void test_attempts_are_counted(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, SCRIPT({.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"}));
    test.options.max_attempts = 2;
    s3_open(&test);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "gave up after 2 attempts: GET s3://bucket/key: HTTP 503 SlowDown");
    assert_int_equal(shf_error_retryable(call.request.error), 1);
    assert_int_equal(shf_error_http_status(call.request.error), 503);
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    s3_end(&test);
    s3_begin(&test, SCRIPT({.end = SCRIPTED_RESET}));
    test.options.max_attempts = 1;
    s3_open(&test);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "GET s3://bucket/key: ");
    assert_null(strstr(shf_error_message(call.request.error), "gave up"));
    assert_int_equal(scripted_server_requests(test.server), 1);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_attempts_of_the_default(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, SCRIPT({.status = 500}));
    test.options.max_attempts = 0;
    s3_open(&test);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "gave up after 6 attempts");
    assert_int_equal(scripted_server_requests(test.server), 6);
    support_call_clear(&call);
    s3_end(&test);
}

/* The request that waits is alone, so what is seen on the clock is its pause. */
static void test_the_pause(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_start(&test, SCRIPT({.status = 503}, {.status = 200, .body = "x"}));
    s3_set_random(UINT32_MAX);
    int64_t start = shf_clock_monotonic_ns();
    assert_int_equal(s3_get(&test, &call), SHF_OK);
    assert_true(shf_clock_monotonic_ns() - start >= 200000000);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_retry_after(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_start(&test, SCRIPT({.status = 503, .headers = "Retry-After: 100\r\n"}, {.status = 200, .body = "x"}));
    support_call_init(&call, SHF_STORE_GET, "key");
    support_submit(test.store, &call);
    s3_wait_for_retries(&test, 1);
    s3_clock_add_ms(99000);
    s3_sleep_ms(150);
    assert_int_equal(scripted_server_requests(test.server), 1); /* not yet */
    s3_clock_add_ms(1000);
    assert_int_equal(support_wait(&call), SHF_OK);
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_no_time_for_another_attempt(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_start(&test, SCRIPT({.status = 503, .headers = "Retry-After: 100\r\n"}));
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.deadline_ns = shf_deadline_after_ms(50000);
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE,
                           "no time is left for another attempt after 1: GET s3://bucket/key: HTTP 503");
    assert_int_equal(shf_error_http_status(call.request.error), 503);
    support_call_clear(&call);
    s3_end(&test);
}

/* The deadline and the token count also in a pause that was begun. */
static void test_the_end_in_a_pause(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    struct shf_cancel cancel;
    s3_start(&test, SCRIPT({.status = 503, .headers = "Retry-After: 100\r\n"}));
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.deadline_ns = shf_deadline_after_ms(150000);
    support_submit(test.store, &call);
    s3_wait_for_retries(&test, 1);
    s3_clock_add_ms(50000); /* still in the pause ... */
    s3_sleep_ms(60);
    assert_int_equal(call.done_count, 0);
    s3_clock_add_ms(110000); /* ... and over it and the deadline at once: the deadline wins */
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_DEADLINE, "time given to the operation is over");
    support_call_clear(&call);

    shf_cancel_init(&cancel);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.cancel = &cancel;
    support_submit(test.store, &call);
    s3_wait_for_retries(&test, 2);
    shf_cancel_request(&cancel);
    shf_rt_sweep(test.runtime);
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_CANCELLED, "cancelled");
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_over_before_it_began(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    struct shf_cancel cancel;
    s3_start(&test, &good, 1);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.deadline_ns = shf_clock_monotonic_ns() - 1;
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE, "GET s3://bucket/key: ");
    support_call_clear(&call);
    shf_cancel_init(&cancel);
    shf_cancel_request(&cancel);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.cancel = &cancel;
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_CANCELLED, "GET s3://bucket/key: ");
    support_call_clear(&call);
    assert_int_equal(scripted_server_requests(test.server), 0);
    s3_end(&test);
}

/* A body in a file begins anew with each attempt. */
static void test_a_file_begins_anew(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_start(&test,
             SCRIPT({.status = 200, .body = "LONGER THAN THE NEXT", .declared = 100, .end = SCRIPTED_CLOSE}, good));
    char *path = support_path("%s/body", test.home);
    int fd = support_open_new(path);
    support_write_text(path, "what the file held before, which was more than comes now");
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.body_fd = fd;
    call.request.wants_sha256 = true;
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    support_expect_file(fd, "hello", 5);
    assert_null(call.request.body);
    assert_int_equal(call.request.body_size, 5);
    static const uint8_t md5[16] = {0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76,
                                    0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92};
    assert_true(call.request.has_md5);
    assert_memory_equal(call.request.md5, md5, sizeof md5);
    static const uint8_t sha256[] = {0x2c, 0xf2, 0x4d, 0xba, 0x5f, 0xb0, 0xa3, 0x0e};
    assert_true(call.request.has_sha256);
    assert_memory_equal(call.request.received_sha256, sha256, sizeof sha256);
    support_call_clear(&call);
    assert_int_equal(close(fd), 0);
    free(path);
    s3_end(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_that_pass),
        cmocka_unit_test(test_failures_that_are_final),
        cmocka_unit_test(test_attempts_are_counted),
        cmocka_unit_test(test_attempts_of_the_default),
        cmocka_unit_test(test_the_pause),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_no_time_for_another_attempt),
        cmocka_unit_test(test_the_end_in_a_pause),
        cmocka_unit_test(test_over_before_it_began),
        cmocka_unit_test(test_a_file_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
