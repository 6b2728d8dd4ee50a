/*
 * What fails between us and a real S3 server: each fault once (another attempt mends it) and for ever (one clear error;
 * runtime and reader stay usable). The faults are made by a proxy of our own.
 */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_TIMEOUT_MS 200

/* The requests of an open, and where in their bodies a fault strikes. */
static const struct {
    const char *name, *method, *target, *object;
    uint64_t place;
    bool tries_all; /* that last; the others' ways are those of these */
} requests[] = {
    {"pointer", "GET", "/_CURRENT", "/_CURRENT", 100, true},
    {"manifest", "GET", "/manifest", "/manifest", 3000, false},
    {"head of a shard", "HEAD", "db%3D00001", "/shard.db", 0, false},
    {"shard", "GET", "db%3D00001", "/shard.db", 700000, true},
};
#define REQUESTS (sizeof requests / sizeof requests[0])

/* For ever: status, and what the message must say. */
struct lasting {
    struct fault fault;
    shf_status status;
    const char *says;
    bool of_bodies; /* strikes inside of a body: not a HEAD's */
};
static const struct lasting lastings[] = {
    {{.kind = FAULT_STATUS, .number = 503, .text = "SlowDown"}, SHF_E_STORE_RETRY, "HTTP 503", false},
    {{.kind = FAULT_STATUS, .number = 500, .text = "InternalError"}, SHF_E_STORE_RETRY, "HTTP 500", false},
    {{.kind = FAULT_STATUS, .number = 429, .text = "TooManyRequests"}, SHF_E_STORE_RETRY, "HTTP 429", false},
    {{.kind = FAULT_STATUS, .number = 408, .text = "RequestTimeout"}, SHF_E_STORE_RETRY, "HTTP 408", false},
    {{.kind = FAULT_RESET}, SHF_E_STORE_RETRY, "gave up after 2 attempts", false},
    {{.kind = FAULT_RESET, .number = 1}, SHF_E_STORE_RETRY, "gave up after 2 attempts", true},
    {{.kind = FAULT_STALL}, SHF_E_STORE_RETRY, "no byte came for 200 ms", false},
    {{.kind = FAULT_STALL, .number = 1}, SHF_E_STORE_RETRY, "no byte came for 200 ms", true},
    {{.kind = FAULT_TRUNCATE, .number = 1}, SHF_E_STORE_RETRY, "gave up after 2 attempts", true},
};
#define LASTINGS (sizeof lastings / sizeof lastings[0])

static shf_s3_options proxied(void) { return s3_options(fault_proxy_endpoint(s3_proxy)); }

/* A short patience only where silence is the fault: elsewhere a busy machine would look like one. */
static shf_s3_options patient_as_needed(const struct fault *fault) {
    shf_s3_options s3 = proxied();
    if (fault->kind == FAULT_STALL) s3.read_timeout_ms = READ_TIMEOUT_MS;
    return s3;
}

static struct fault fault_at(const struct lasting *lasting, size_t request, uint32_t times) {
    struct fault fault = lasting->fault;
    fault.method = requests[request].method;
    fault.target = requests[request].target;
    fault.times = times;
    if (lasting->of_bodies) fault.number = requests[request].place;
    return fault;
}

static void assert_exact(struct s3_opened *opened) {
    if (opened->status) print_message("%s\n", opened->message);
    assert_int_equal(opened->status, SHF_OK);
    assert_true(s3_sample_is_exact(opened->reader));
    support_close(opened->reader);
}

static void empty_cache(void) {
    support_remove_tree(s3_cache);
    assert_int_equal(s3_count_cache(s3_cache).shards, 0);
}

/* ---- once ---- */

static void test_each_fault_once_is_mended(void **state) {
    (void)state;
    for (size_t i = 0; i < LASTINGS; i++) {
        struct fault faults[REQUESTS];
        uint32_t count = 0;
        shf_s3_options s3 = patient_as_needed(&lastings[i].fault);
        s3.max_attempts = 6;
        for (size_t r = 0; r < REQUESTS; r++) {
            if (lastings[i].of_bodies && strcmp(requests[r].method, "HEAD") == 0) continue;
            faults[count++] = fault_at(&lastings[i], r, 1);
        }
        fault_proxy_set(s3_proxy, faults, count);
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
        assert_int_equal(fault_proxy_spoilt(s3_proxy), count);
        assert_exact(&opened);
        struct s3_cache_files files = s3_count_cache(s3_cache);
        assert_int_equal(files.shards, S3_SAMPLE_SHARDS);
        s3_assert_no_temporaries();
        empty_cache();
    }
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.store_retries >= LASTINGS * 3);
}

static void test_retry_after_is_honoured(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    const struct fault fault = {.kind = FAULT_STATUS,
                                .target = "/_CURRENT",
                                .times = 1,
                                .number = 503,
                                .text = "SlowDown",
                                .header = "Retry-After: 1"};
    fault_proxy_set(s3_proxy, &fault, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_true(opened.took_ms >= 1000); /* the longest pause of our own would be 200 ms */
    assert_exact(&opened);
    /* But not beyond the deadline: then the answer comes at once. */
    const struct fault later = {
        .kind = FAULT_STATUS, .target = "/_CURRENT", .number = 503, .text = "SlowDown", .header = "Retry-After: 60"};
    fault_proxy_set(s3_proxy, &later, 1);
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 5000);
    assert_int_equal(opened.status, SHF_E_DEADLINE);
    assert_int_equal(opened.retryable, 1);
    assert_int_equal(opened.http_status, 503);
    assert_true(opened.took_ms < 3000);
}

/* ---- for ever ---- */

static void assert_names(const struct s3_opened *opened, size_t request) {
    size_t size = strlen(opened->object), end = strlen(requests[request].object);
    assert_true(size > end && strcmp(opened->object + size - end, requests[request].object) == 0);
    assert_memory_equal(opened->object, S3_SAMPLE_URL, sizeof S3_SAMPLE_URL - 1);
    assert_non_null(strstr(opened->message, opened->object));
    bool is_shard = strcmp(requests[request].object, "/shard.db") == 0;
    assert_int_equal(opened->shard, is_shard ? 1 : -1);
}

static void assert_lasting(const struct lasting *lasting, size_t request) {
    shf_s3_options s3 = patient_as_needed(&lasting->fault);
    struct fault fault = fault_at(lasting, request, 0);
    fault_proxy_set(s3_proxy, &fault, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    if (opened.status != lasting->status || !strstr(opened.message, lasting->says)) {
        fail_msg("%s: %d: %s", requests[request].name, opened.status, opened.message);
    }
    assert_int_equal(opened.retryable, lasting->status == SHF_E_STORE_RETRY);
    assert_names(&opened, request);
    /* max_attempts; libcurl asks once more by itself where a kept connection is reset before any answer. */
    bool is_reset = lasting->fault.kind == FAULT_RESET;
    assert_in_range(fault_proxy_spoilt(s3_proxy), 2, is_reset ? 4 : 2);
    s3_assert_no_temporaries();
}

static void test_each_fault_for_ever_is_one_clear_error(void **state) {
    (void)state;
    for (size_t r = 0; r < REQUESTS; r++) {
        for (size_t i = 0; i < LASTINGS; i++) {
            bool is_basic = !lastings[i].of_bodies && lastings[i].fault.kind != FAULT_STALL;
            if (requests[r].tries_all || is_basic) assert_lasting(&lastings[i], r);
        }
    }
    fault_proxy_heal(s3_proxy); /* the same runtime, the same cache */
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_exact(&opened);
}

/* What another attempt can not mend is not tried again. */
static void test_refusals_are_final(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_STATUS, .number = 403, .text = "AccessDenied"};
    for (size_t r = 0; r < REQUESTS; r++) {
        struct fault here = fault;
        shf_s3_options s3 = proxied();
        here.method = requests[r].method;
        here.target = requests[r].target;
        fault_proxy_set(s3_proxy, &here, 1);
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
        assert_int_equal(opened.status, SHF_E_ACCESS);
        assert_int_equal(opened.retryable, 0);
        assert_int_equal(opened.http_status, 403);
        assert_names(&opened, r);
        assert_int_equal(fault_proxy_spoilt(s3_proxy), 1);
    }
}

/* ---- answers that are wrong ---- */

struct wrong {
    struct fault fault;
    shf_status status;
    int retryable;
    const char *says;
};

static void assert_wrong(const struct wrong *wrong) {
    shf_s3_options s3 = proxied();
    fault_proxy_set(s3_proxy, &wrong->fault, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    if (opened.status != wrong->status || opened.retryable != wrong->retryable || !strstr(opened.message, wrong->says)) {
        fail_msg("not \"%s\": %d: %s", wrong->says, opened.status, opened.message);
    }
    assert_null(opened.reader);
    s3_assert_no_temporaries();
}

static void test_wrong_answers_never_become_data(void **state) {
    (void)state;
    static const struct wrong wrongs[] = {
        {{.kind = FAULT_LONGER, .method = "GET", .target = "db%3D00001", .number = 5}, SHF_E_STORE_RETRY, 1, "another object"},
        {{.kind = FAULT_FLIP, .method = "GET", .target = "db%3D00001", .number = 900000}, SHF_E_STORE_RETRY, 1, "MD5"},
        {{.kind = FAULT_NO_LENGTH, .method = "GET", .target = "db%3D00001"}, SHF_E_STORE, 0, "does not tell its size"},
        {{.kind = FAULT_ETAG, .method = "HEAD", .target = "db%3D00001", .text = "\"0123456789abcdef0123456789abcdef\""},
         SHF_E_STORE_RETRY,
         1,
         "ETag"},
        {{.kind = FAULT_LONGER, .method = "GET", .target = "/_CURRENT", .number = 70000}, SHF_E_LIMIT, 0, "_CURRENT"},
        {{.kind = FAULT_LONGER, .method = "GET", .target = "/_CURRENT", .number = 5}, SHF_E_MANIFEST, 0, "_CURRENT"},
        {{.kind = FAULT_FLIP, .method = "GET", .target = "/_CURRENT"}, SHF_E_MANIFEST, 0, "_CURRENT"},
        {{.kind = FAULT_FLIP, .method = "GET", .target = "/manifest", .number = 1}, SHF_E_STATE, 0, "/manifest"},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) assert_wrong(&wrongs[i]);
    fault_proxy_heal(s3_proxy);
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_exact(&opened);
}

/* An object that changes between its HEAD and its GET, or arrives damaged: asked for anew, from the HEAD on. */
static void test_a_damaged_shard_is_fetched_again(void **state) {
    (void)state;
    static const struct fault faults[] = {
        {.kind = FAULT_LONGER, .method = "GET", .target = "db%3D00001", .number = 5, .times = 1},
        {.kind = FAULT_FLIP, .method = "GET", .target = "db%3D00001", .number = 900000, .times = 1},
        {.kind = FAULT_ETAG,
         .method = "HEAD",
         .target = "db%3D00001",
         .text = "\"0123456789abcdef0123456789abcdef\"",
         .times = 1},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        shf_s3_options s3 = proxied();
        fault_proxy_set(s3_proxy, &faults[i], 1);
        struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
        assert_int_equal(fault_proxy_spoilt(s3_proxy), 1);
        assert_exact(&opened);
        s3_assert_no_temporaries();
        empty_cache();
    }
}

/* They lie in the connection that was to be used again: the next request finds them, and gets a connection of its own. */
static void test_bytes_behind_the_body_are_ignored(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    const struct fault faults[] = {{.kind = FAULT_EXCESS, .target = "/_CURRENT", .number = 1000, .times = 1},
                                   {.kind = FAULT_EXCESS, .target = "db%3D00001", .number = 1000, .times = 1}};
    fault_proxy_set(s3_proxy, faults, 2);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_int_equal(fault_proxy_spoilt(s3_proxy), 2);
    assert_exact(&opened);
}

static void test_redirects(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    const char *manifest = "/copies/elsewhere/packages/_CURRENT";
    const struct fault once = {.kind = FAULT_REDIRECT, .target = "/_CURRENT", .times = 1, .number = 307, .text = manifest};
    fault_proxy_set(s3_proxy, &once, 1);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "/_CURRENT"), 2); /* signed anew */
    assert_exact(&opened);

    struct fault fault = once; /* in a circle */
    fault.times = 0;
    fault_proxy_set(s3_proxy, &fault, 1);
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_E_STORE);
    assert_int_equal(opened.retryable, 0);
    assert_int_equal(fault_proxy_spoilt(s3_proxy), 2);
    assert_names(&opened, 0);

    const char *const elsewhere[] = {s3_server.endpoint, "http://localhost/x", "/other-bucket/_CURRENT",
                                     "//127.0.0.1:9/copies/elsewhere/packages/_CURRENT",
                                     "/copies/../other-bucket/_CURRENT"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        fault.text = elsewhere[i];
        fault_proxy_set(s3_proxy, &fault, 1);
        opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
        assert_int_equal(opened.status, SHF_E_STORE);
        assert_int_equal(fault_proxy_requests(s3_proxy), 1); /* not followed */
        assert_non_null(strstr(opened.message, "not followed"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_each_fault_once_is_mended),
        TEST(test_retry_after_is_honoured),
        TEST(test_each_fault_for_ever_is_one_clear_error),
        TEST(test_refusals_are_final),
        TEST(test_wrong_answers_never_become_data),
        TEST(test_a_damaged_shard_is_fetched_again),
        TEST(test_bytes_behind_the_body_are_ignored),
        TEST(test_redirects),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
