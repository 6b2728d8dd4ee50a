/* Slow servers, deadlines and cancelling in the middle, and refreshes that fail: over a real S3 server and the proxy. */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static shf_s3_options proxied(void) { return s3_options(fault_proxy_endpoint(s3_proxy)); }

static void assert_exact(struct s3_opened *opened) {
    if (opened->status) print_message("%s\n", opened->message);
    assert_int_equal(opened->status, SHF_OK);
    assert_true(s3_sample_is_exact(opened->reader));
    support_close(opened->reader);
}

static void nap_ms(long ms) { (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

/* ---- slow ---- */

/* 100 bytes a second for some 330: longer than the read timeout in all, but never silent for as long. */
static void test_slow_but_alive(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    const struct fault fault = {.kind = FAULT_SLOW, .target = "/_CURRENT", .number = 100};
    s3.read_timeout_ms = 1000;
    s3.max_attempts = 1;
    fault_proxy_set(s3_proxy, &fault, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_true(opened.took_ms > 1500);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, "/_CURRENT"), 1);
    assert_exact(&opened);
}

/* Silence in the middle of a body ends an attempt, however much came before. */
static void test_silence_in_a_body(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    const struct fault fault = {.kind = FAULT_STALL, .target = "db%3D00000", .method = "GET", .number = 1000000};
    s3.read_timeout_ms = 300;
    fault_proxy_set(s3_proxy, &fault, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_E_STORE_RETRY);
    assert_int_equal(opened.shard, 0);
    assert_in_range(opened.took_ms, 600, 4000);
    assert_int_equal(fault_proxy_spoilt(s3_proxy), 2);
}

/* ---- the deadline ---- */

static void test_deadline_in_each_step(void **state) {
    (void)state;
    static const struct fault stalls[] = {
        {.kind = FAULT_STALL, .target = "/_CURRENT"},
        {.kind = FAULT_STALL, .target = "/manifest", .number = 5000},
        {.kind = FAULT_STALL, .target = "db%3D00001", .method = "HEAD"},
        {.kind = FAULT_STALL, .target = "db%3D00001", .method = "GET", .number = 900000},
        {.kind = FAULT_STATUS, .target = "/_CURRENT", .number = 503, .text = "SlowDown"},
    };
    for (size_t i = 0; i < sizeof stalls / sizeof stalls[0]; i++) {
        shf_s3_options s3 = proxied();
        s3.max_attempts = 100;
        fault_proxy_set(s3_proxy, &stalls[i], 1);
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 300);
        assert_int_equal(opened.status, SHF_E_DEADLINE);
        assert_int_equal(opened.retryable, 1);
        assert_true(opened.took_ms < 2000);
        assert_true(*opened.message);
    }
    fault_proxy_heal(s3_proxy);
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_exact(&opened);
    s3_assert_no_temporaries();
}

/* ---- cancelling ---- */

static void cancel_in(const struct fault *fault, const char *method, const char *target) {
    shf_s3_options s3 = proxied();
    shf_reader_options options = s3_reader_options(S3_SAMPLE_URL, &s3, 0);
    shf_call call = support_call();
    shf_op_id id = 0;
    fault_proxy_set(s3_proxy, fault, 1);
    shf_status submitted = shf_open(support_runtime, &options, &call, &id);
    assert_int_equal(submitted, SHF_OK);
    for (int i = 0; i < 5000 && !fault_proxy_requests_of(s3_proxy, method, target); i++) nap_ms(1);
    nap_ms(20);
    int64_t began = s3_now_ms();
    assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
    shf_op *op = support_wait(submitted, id);
    assert_true(s3_now_ms() - began < 1000);
    assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
    assert_int_equal(shf_error_retryable(shf_op_error(op)), 0);
    shf_op_release(op);
}

static void test_cancel_in_each_step(void **state) {
    (void)state;
    struct fault fault = {.kind = FAULT_STALL, .target = "/_CURRENT"};
    cancel_in(&fault, "GET", "/_CURRENT");
    fault.target = "/manifest";
    cancel_in(&fault, "GET", "/manifest");
    fault = (struct fault){.kind = FAULT_SLOW, .target = "shard.db", .number = 500000};
    cancel_in(&fault, "GET", "shard.db");
    fault = (struct fault){.kind = FAULT_STATUS, .number = 503, .text = "SlowDown", .header = "Retry-After: 100"};
    cancel_in(&fault, "GET", "/_CURRENT"); /* while it waits for the next attempt */
    fault_proxy_heal(s3_proxy);
    s3_assert_no_temporaries();
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_exact(&opened);
}

/* Two wait for one download; the one that leaves does not take it from the other. */
static void test_one_of_two_leaves(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, SHF_OPEN_LAZY, 0);
    assert_int_equal(opened.status, SHF_OK);
    const struct fault fault = {.kind = FAULT_SLOW, .target = "shard.db", .method = "GET", .number = 4000000};
    fault_proxy_set(s3_proxy, &fault, 1);
    shf_key key = shf_key_from_text("duf", 3);
    shf_call call = support_call();
    shf_op_id first = 0, second = 0;
    assert_int_equal(shf_get(opened.reader, &key, NULL, &call, &first), SHF_OK);
    assert_int_equal(shf_get(opened.reader, &key, NULL, &call, &second), SHF_OK);
    for (int i = 0; i < 5000 && !fault_proxy_requests_of(s3_proxy, "GET", "shard.db"); i++) nap_ms(1);
    assert_int_equal(shf_cancel(support_runtime, first), SHF_OK);
    shf_op *op = support_wait(SHF_OK, first);
    assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
    shf_op_release(op);
    op = support_wait(SHF_OK, second);
    assert_int_equal(shf_op_status(op), SHF_OK);
    shf_op_release(op);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "shard.db"), 1);
    assert_exact(&opened);
}

/* The whole of it goes while a download is under way. */
static void test_close_and_release_in_the_middle(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_SLOW, .target = "shard.db", .method = "GET", .number = 200000};
    for (int round = 0; round < 2; round++) {
        shf_s3_options s3 = proxied();
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, SHF_OPEN_LAZY, 0);
        assert_int_equal(opened.status, SHF_OK);
        fault_proxy_set(s3_proxy, &fault, 1);
        shf_key key = shf_key_from_text("duf", 3);
        shf_call call = support_call();
        shf_op_id id = 0;
        assert_int_equal(shf_get(opened.reader, &key, NULL, &call, &id), SHF_OK);
        for (int i = 0; i < 5000 && !fault_proxy_requests_of(s3_proxy, "GET", "shard.db"); i++) nap_ms(1);
        shf_op *op = NULL;
        if (round == 0) assert_int_equal(shf_close_sync(opened.reader, SHF_CLOSE_CANCEL, 0, &op), SHF_OK);
        shf_op_release(op);
        shf_reader_release(opened.reader);
        op = support_wait(SHF_OK, id);
        assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
        shf_op_release(op);
        fault_proxy_heal(s3_proxy);
    }
    s3_assert_no_temporaries();
}

/* ---- refreshes that fail ---- */

/* Puts a copy of the sample's manifest under another name, and a pointer to it. */
static void publish_second_manifest(void) {
    static const char name[] = "manifests/2026-11-23T00:00:00.000000Z_run_id=second/manifest";
    static const char pointer[] =
        "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":"
        "\"s3://samples/packages-1k/manifests/2026-11-23T00:00:00.000000Z_run_id=second/manifest\","
        "\"run_id\":\"second\",\"updated_at\":\"2026-11-23T00:00:00.000000Z\"}";
    size_t size;
    char *file = support_find_file(S3_SAMPLE, "manifest", 0), *manifest = support_read_file(file, &size);
    char *key = support_path("fresh/%s", name);
    assert_true(s3_server_put(&s3_server, S3_BUCKET, key, manifest, size));
    assert_true(s3_server_put(&s3_server, S3_BUCKET, "fresh/_CURRENT", pointer, sizeof pointer - 1));
    free(file);
    free(manifest);
    free(key);
}

static void test_failed_refreshes_keep_the_snapshot(void **state) {
    (void)state;
    static const struct {
        struct fault fault;
        shf_status status;
    } failures[] = {
        {{.kind = FAULT_STATUS, .number = 503, .text = "SlowDown"}, SHF_E_STORE_RETRY},
        {{.kind = FAULT_STATUS, .number = 403, .text = "AccessDenied"}, SHF_E_ACCESS},
        {{.kind = FAULT_STATUS, .number = 404, .text = "NoSuchKey", .target = "/_CURRENT"}, SHF_E_STATE},
        {{.kind = FAULT_STATUS, .number = 404, .text = "NoSuchKey", .target = "/manifest"}, SHF_E_NOT_FOUND},
        {{.kind = FAULT_RESET, .target = "/manifest", .number = 2000}, SHF_E_STORE_RETRY},
        {{.kind = FAULT_STALL, .target = "/manifest", .number = 2000}, SHF_E_DEADLINE},
        {{.kind = FAULT_FLIP, .target = "/manifest"}, SHF_OK}, /* malformed: not taken */
    };
    shf_s3_options s3 = proxied();
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, S3_BUCKET, "fresh"));
    struct s3_opened opened = s3_open("s3://" S3_BUCKET "/fresh", &s3, 0, 0);
    assert_int_equal(opened.status, SHF_OK);
    publish_second_manifest();
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        fault_proxy_set(s3_proxy, &failures[i].fault, 1);
        shf_status status = shf_refresh_sync(opened.reader, failures[i].status == SHF_E_DEADLINE ? 200 : 0, &op);
        if (status != failures[i].status) print_message("%zu: %s\n", i, shf_error_message(shf_op_error(op)));
        assert_int_equal(status, failures[i].status);
        assert_true(fault_proxy_spoilt(s3_proxy) > 0);
        assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
        assert_int_equal(info.changed, 0);
        assert_int_equal(info.manifest_malformed, status == SHF_OK);
        shf_op_release(op);
        assert_true(s3_sample_is_exact(opened.reader));
    }
    fault_proxy_heal(s3_proxy);
    assert_int_equal(shf_refresh_sync(opened.reader, 0, &op), SHF_OK);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.changed, 1);
    assert_int_equal(info.shards_reused, S3_SAMPLE_SHARDS); /* the same shards: none is asked for */
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, "shard.db"), 0);
    shf_op_release(op);
    assert_exact(&opened);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_slow_but_alive),
        TEST(test_silence_in_a_body),
        TEST(test_deadline_in_each_step),
        TEST(test_cancel_in_each_step),
        TEST(test_one_of_two_leaves),
        TEST(test_close_and_release_in_the_middle),
        TEST(test_failed_refreshes_keep_the_snapshot),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
