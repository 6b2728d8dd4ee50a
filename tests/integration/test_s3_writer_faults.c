/*
 * What fails between a writer and its server: the pointer's answer, its condition, a while of 503, silence, the server
 * itself after any number of requests. Either the new snapshot is served whole, or the old one, and the answer says which.
 */
#include "integration/s3_writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fault on_pointer(enum fault_kind kind, uint32_t times) {
    return (struct fault){.kind = kind, .method = "PUT", .target = "/_CURRENT", .times = times};
}

/* ---- the pointer ---- */

static void test_the_answer_is_lost(void **state) {
    (void)state;
    for (uint32_t attempts = 1; attempts <= 3;
         attempts++) { /* with more than one the next is refused: it is there already */
        struct s3_writer_options options;
        const struct fault fault = on_pointer(FAULT_RESET, 1);
        s3_writer_options_make(&options, NULL);
        options.s3.max_attempts = attempts;
        s3_writer_assert_ends(&fault, &options, SHF_OK, NULL);
    }
}

static void test_the_answer_of_the_first_pointer_is_lost(void **state) {
    (void)state;
    struct s3_writer_options options;
    const struct fault fault = on_pointer(FAULT_RESET, 1);
    s3_writer_options_make(&options, NULL);
    assert_int_equal(s3_writer_run_under(&fault, &options), SHF_OK);
    s3_writer_assert_serves(s3_writer_new);
}

static void test_the_pointer_is_not_heard(void **state) {
    (void)state;
    struct s3_writer_options options;
    struct fault fault = on_pointer(FAULT_CUT, 2);
    fault.number = 1000000;
    s3_writer_options_make(&options, NULL);
    s3_writer_assert_ends(&fault, &options, SHF_OK, NULL); /* the third try */
    fault.times = 0;
    s3_writer_options_make(&options, NULL);
    s3_writer_assert_ends(&fault, &options, SHF_E_STORE_RETRY, "_CURRENT");
}

static void test_the_server_is_busy(void **state) {
    (void)state;
    struct s3_writer_options options;
    struct fault fault = on_pointer(FAULT_STATUS, 1);
    fault.number = 503;
    fault.text = "SlowDown";
    s3_writer_options_make(&options, NULL);
    s3_writer_assert_ends(&fault, &options, SHF_OK, NULL);
    fault.times = 0;
    s3_writer_options_make(&options, NULL);
    s3_writer_assert_ends(&fault, &options, SHF_E_STORE_RETRY, "HTTP 503");
}

static void test_the_condition_does_not_hold(void **state) {
    (void)state;
    struct s3_writer_options options;
    struct fault fault = on_pointer(FAULT_STATUS, 0);
    fault.number = 412;
    fault.text = "PreconditionFailed";
    s3_writer_options_make(&options, NULL);
    s3_writer_publish_old();
    shf_status status = s3_writer_run_under(&fault, &options); /* though nobody wrote meanwhile */
    assert_true(status != SHF_OK);
    s3_writer_assert_says("_CURRENT");
    s3_writer_assert_serves(s3_writer_old);
}

static void test_the_pointer_is_forbidden(void **state) {
    (void)state;
    struct s3_writer_options options;
    struct fault fault = on_pointer(FAULT_STATUS, 0);
    fault.number = 403;
    fault.text = "AccessDenied";
    s3_writer_options_make(&options, NULL);
    s3_writer_assert_ends(&fault, &options, SHF_E_ACCESS, "HTTP 403");
}

/* Of a publish that fails with this fault. */
static void assert_leaves_manifest(const struct fault *fault, bool is_left) {
    struct s3_writer_options options;
    s3_writer_publish_old();
    s3_writer_options_make(&options, NULL);
    fault_proxy_set(s3_proxy, fault, 1);
    shf_writer *writer = s3_writer_open(&options);
    writer_write(writer, s3_writer_new->rows, 600, 100);
    shf_op *op = NULL;
    assert_true(shf_publish_sync(writer, 0, &op) != SHF_OK);
    const char *left = shf_op_publish_left_manifest(op);
    assert_int_equal(left != NULL, is_left);
    if (left) {
        assert_ptr_equal(strstr(left, s3_prefix), left);
        assert_non_null(strstr(left, "/manifests/"));
    }
    shf_op_release(op);
    writer_close(writer);
    fault_proxy_heal(s3_proxy);
}

static void test_the_manifest_that_is_left(void **state) {
    (void)state;
    struct fault fault = on_pointer(FAULT_STATUS, 0);
    fault.number = 503;
    fault.text = "SlowDown";
    assert_leaves_manifest(&fault, true);
    fault.number = 403;
    fault.text = "AccessDenied";
    assert_leaves_manifest(&fault, false); /* deleted */
    fault.target = "/manifest";
    assert_leaves_manifest(&fault, false);
    assert_null(shf_op_publish_left_manifest(NULL));
}

/* The server did it, and says nothing until the time is over: what happened is found by looking. */
static void test_silence_after_the_pointer(void **state) {
    (void)state;
    for (int is_deadline = 0; is_deadline < 2; is_deadline++) {
        struct s3_writer_options options;
        struct fault fault = on_pointer(FAULT_STALL, 1);
        s3_writer_publish_old();
        s3_writer_options_make(&options, NULL);
        if (!is_deadline) options.s3.read_timeout_ms = 300;
        fault_proxy_set(s3_proxy, &fault, 1);
        shf_writer *writer = s3_writer_open(&options);
        writer_write(writer, s3_writer_new->rows, 600, 100);
        shf_op *op = NULL;
        shf_status status = shf_publish_sync(writer, is_deadline ? 4000 : 0, &op);
        if (status) print_message("%s\n", shf_error_message(shf_op_error(op)));
        assert_int_equal(status, SHF_OK);
        shf_op_release(op);
        writer_close(writer);
        assert_int_equal(fault_proxy_spoilt(s3_proxy), 1);
        s3_writer_assert_serves(s3_writer_new);
    }
}

/* Neither the pointer's answer comes nor can it be looked at; with another attempt there is a refusal besides. */
static void test_nobody_knows(void **state) {
    (void)state;
    for (uint32_t attempts = 1; attempts <= 2; attempts++) {
        const struct fault faults[] = {on_pointer(FAULT_RESET, 1),
                                       {.kind = FAULT_CUT, .method = "GET", .target = "/_CURRENT", .skip = 1}};
        struct s3_writer_options options;
        s3_writer_publish_old();
        s3_writer_options_make(&options, NULL);
        options.s3.max_attempts = attempts;
        fault_proxy_set(s3_proxy, faults, 2); /* the second passes what the opening asks */
        shf_status status = s3_writer_run(&options, s3_writer_new, NULL);
        assert_int_equal(status, SHF_E_STORE_RETRY);
        s3_writer_assert_says("can not be read");
        s3_writer_assert_says("look at it before building again");
        fault_proxy_heal(s3_proxy);
        s3_writer_assert_serves(s3_writer_new);
    }
}

/* ---- each other object ---- */

static const char *const objects[] = {"shard.db", "/manifest", "run.yaml", "shard.sidecar"};

static void test_each_object_once(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        static const enum fault_kind kinds[] = {FAULT_STATUS, FAULT_RESET, FAULT_CUT};
        for (size_t k = 0; k < 3; k++) {
            struct s3_writer_options options;
            const struct fault fault = {.kind = kinds[k],
                                        .method = "PUT",
                                        .target = objects[i],
                                        .times = 1,
                                        .number = k ? 0 : 500,
                                        .text = "InternalError"};
            s3_writer_options_make(&options, NULL);
            options.s3.max_attempts = 4;
            s3_writer_assert_ends(&fault, &options, SHF_OK, NULL);
        }
    }
}

/* Records and sidecars are not worth a failure. */
static void test_each_object_for_ever(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        struct s3_writer_options options;
        const struct fault fault = {
            .kind = FAULT_STATUS, .method = "PUT", .target = objects[i], .number = 403, .text = "AccessDenied"};
        s3_writer_options_make(&options, NULL);
        bool matters = i < 2;
        s3_writer_assert_ends(&fault, &options, matters ? SHF_E_ACCESS : SHF_OK, matters ? "HTTP 403" : NULL);
    }
}

/* ---- the server is gone ---- */

/* After any number of requests, for good. */
static void test_the_server_is_gone(void **state) {
    (void)state;
    unsigned failed_to_open = 0, failed = 0, succeeded = 0, skip = 0;
    s3_writer_publish_old();
    for (; succeeded < 2; skip++) {
        struct s3_writer_options options;
        const struct fault gone = {.kind = FAULT_CUT, .skip = skip, .number = 1000000};
        s3_writer_options_make(&options, NULL);
        options.writer.jobs = 1;
        fault_proxy_set(s3_proxy, &gone, 1);
        shf_status status;
        shf_writer *writer = writer_open(&options.writer, &status);
        failed_to_open += writer == NULL;
        if (writer) {
            writer_write(writer, s3_writer_new->rows, 600, 100);
            shf_op *op = writer_publish(writer, &status);
            shf_op_release(op);
            writer_close(writer);
            failed += status != SHF_OK;
        }
        bool is_unknown = status && strstr(support_message, "look at it before building again");
        fault_proxy_heal(s3_proxy);
        if (status) assert_int_equal(status, SHF_E_STORE_RETRY);
        if (!status) succeeded++;
        /* A pointer of which nobody heard was not written; the message only could not know. */
        s3_writer_assert_serves(status ? s3_writer_old : s3_writer_new);
        if (is_unknown) print_message("after %u requests: %s\n", skip, support_message);
        if (!status) s3_writer_publish_old();
        assert_true(skip < 60);
    }
    print_message("%u failed to open, %u to publish, %u succeeded\n", failed_to_open, failed, succeeded);
    assert_true(failed_to_open >= 3 && failed >= 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_writer_begin, s3_writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_the_answer_is_lost),
        TEST(test_the_answer_of_the_first_pointer_is_lost),
        TEST(test_the_pointer_is_not_heard),
        TEST(test_the_server_is_busy),
        TEST(test_the_condition_does_not_hold),
        TEST(test_the_pointer_is_forbidden),
        TEST(test_the_manifest_that_is_left),
        TEST(test_silence_after_the_pointer),
        TEST(test_nobody_knows),
        TEST(test_each_object_once),
        TEST(test_each_object_for_ever),
        TEST(test_the_server_is_gone),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_writer_group_begin, s3_writer_group_end);
}
