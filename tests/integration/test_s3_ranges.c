/*
 * Ranges, conditions and pages at the store's own interface, over a real S3 server and the proxy: nothing of the public
 * API asks for ranges yet.
 */
#include "harness/fault_proxy.h"
#include "harness/s3_server.h"
#include "base/clock.h"
#include "io/store.h"
#include "shardyfusion/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT_BYTES 1000000u

static struct s3_server server;
static struct fault_proxy *proxy;
static shf_runtime *runtime;
static struct shf_store *store;
static unsigned char object[OBJECT_BYTES];

/* ---- one request at a time ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static unsigned done_count;

static void is_done(struct shf_store_request *request) {
    (void)request;
    (void)pthread_mutex_lock(&mutex);
    done_count++;
    (void)pthread_cond_broadcast(&came);
    (void)pthread_mutex_unlock(&mutex);
}

static void submit(struct shf_store_request *request) {
    request->body_fd = -1;
    request->deadline_ns = SHF_DEADLINE_NONE;
    request->done = is_done;
    shf_store_submit(store, request);
}

static void wait_for(unsigned count) {
    (void)pthread_mutex_lock(&mutex);
    while (done_count < count) (void)pthread_cond_wait(&came, &mutex);
    done_count = 0;
    (void)pthread_mutex_unlock(&mutex);
}

static struct shf_store_request range_of(uint64_t offset, uint64_t size) {
    return (struct shf_store_request){.verb = SHF_STORE_GET,
                                      .key = "folder/an object+with=signs",
                                      .has_range = true,
                                      .range_offset = offset,
                                      .range_size = size,
                                      .max_bytes = OBJECT_BYTES};
}

static void ask(struct shf_store_request *request) {
    submit(request);
    wait_for(1);
}

static void assert_is(struct shf_store_request *request) {
    if (request->status) print_message("%s\n", shf_error_message(request->error));
    assert_int_equal(request->status, SHF_OK);
    assert_int_equal(request->object_size, OBJECT_BYTES);
    assert_int_equal(request->body->size, request->range_size);
    assert_memory_equal(request->body->data, object + request->range_offset, request->range_size);
    shf_store_request_clear(request);
}

static void assert_refused(struct shf_store_request *request, shf_status status, const char *says) {
    if (request->status != status || !strstr(shf_error_message(request->error), says)) {
        fail_msg("not \"%s\": %d: %s", says, request->status, shf_error_message(request->error));
    }
    assert_null(request->body);
    assert_non_null(strstr(shf_error_object(request->error), "folder/an object+with=signs"));
    shf_store_request_clear(request);
}

/* ---- the tests ---- */

static void test_ranges(void **state) {
    (void)state;
    static const uint64_t ranges[][2] = {{0, 1}, {0, 100}, {4096, 4096}, {999999, 1}, {1, 999999}, {0, OBJECT_BYTES}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct shf_store_request request = range_of(ranges[i][0], ranges[i][1]);
        ask(&request);
        assert_is(&request);
    }
}

static void test_many_ranges_at_once_share_connections(void **state) {
    (void)state;
    enum { AT_ONCE = 200 };
    static struct shf_store_request requests[AT_ONCE];
    uint32_t before = fault_proxy_connections(proxy);
    for (int i = 0; i < AT_ONCE; i++) {
        requests[i] = range_of((uint64_t)i * 4999, 4096);
        submit(&requests[i]);
    }
    wait_for(AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) assert_is(&requests[i]);
    assert_in_range(fault_proxy_connections(proxy) - before, 1, 64);
}

static void test_ranges_beyond_the_end(void **state) {
    (void)state;
    struct shf_store_request request = range_of(OBJECT_BYTES - 10, 11);
    ask(&request);
    assert_refused(&request, SHF_E_STORE, "shorter than the range");
    request = range_of(OBJECT_BYTES, 1);
    ask(&request);
    assert_refused(&request, SHF_E_STORE, "HTTP 416");
}

static void test_conditions(void **state) {
    (void)state;
    struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = "folder/an object+with=signs"};
    ask(&head);
    assert_int_equal(head.status, SHF_OK);
    assert_int_equal(head.object_size, OBJECT_BYTES);
    struct shf_store_request request = range_of(10, 20);
    request.if_match = head.etag;
    ask(&request);
    assert_is(&request);
    request = range_of(10, 20);
    request.if_match = "\"0123456789abcdef0123456789abcdef\"";
    ask(&request);
    assert_int_equal(shf_error_http_status(request.error), 412);
    assert_refused(&request, SHF_E_STORE, "its ETag differs");
    shf_store_request_clear(&head);
}

static void test_answers_that_are_not_the_range(void **state) {
    (void)state;
    static const struct {
        struct fault fault;
        shf_status status;
        const char *says;
    } wrongs[] = {
        {{.kind = FAULT_WHOLE}, SHF_E_STORE, "does not know ranges"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "bytes 101-200/1000000"}, SHF_E_STORE, "the server sent \"bytes 101-200"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "bytes 100-200/1000000"}, SHF_E_STORE, "the server sent \"bytes 100-200"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "bytes 100-198/1000000"}, SHF_E_STORE, "shorter than the range"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "bytes 100-199/150"}, SHF_E_STORE, "the server sent \"bytes 100-199/150"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "bytes 100-199/*"}, SHF_E_STORE, "the server sent \"bytes 100-199/*"},
        {{.kind = FAULT_CONTENT_RANGE, .text = "lines 100-199/1000000"}, SHF_E_STORE, "the server sent \"lines"},
        {{.kind = FAULT_LONGER, .number = 1}, SHF_E_STORE, "101 bytes for a range of 100"},
        {{.kind = FAULT_TRUNCATE, .number = 99}, SHF_E_STORE_RETRY, "gave up after 2 attempts"},
        {{.kind = FAULT_RESET, .number = 50}, SHF_E_STORE_RETRY, "gave up after 2 attempts"},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct shf_store_request request = range_of(100, 100);
        fault_proxy_set(proxy, &wrongs[i].fault, 1);
        ask(&request);
        assert_refused(&request, wrongs[i].status, wrongs[i].says);
        struct fault once = wrongs[i].fault; /* what is worth an attempt is mended by it */
        once.times = 1;
        fault_proxy_set(proxy, &once, 1);
        request = range_of(100, 100);
        ask(&request);
        if (wrongs[i].status == SHF_E_STORE_RETRY) {
            assert_is(&request);
        } else {
            assert_refused(&request, wrongs[i].status, wrongs[i].says);
        }
    }
    fault_proxy_heal(proxy);
}

/* As a HEAD tells it; of what was put behind the server's back it tells none. */
static void assert_version(const struct shf_store_request *list, size_t at, bool has_one) {
    char key[64];
    (void)snprintf(key, sizeof key, "%s%s", list->key, list->names[at]);
    struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = key};
    ask(&head);
    assert_int_equal(head.status, SHF_OK);
    assert_int_equal(head.version != NULL, has_one);
    assert_int_equal(list->versions[at] != NULL, has_one);
    if (has_one) assert_string_equal(list->versions[at], head.version);
    shf_store_request_clear(&head);
}

/* A page that fails is asked for again; those before it are not. */
static void test_a_listing_goes_on_after_a_failed_page(void **state) {
    (void)state;
    for (int i = 0; i < 1005; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "pages/%04d & more", i);
        assert_true(i % 111 ? s3_server_put_behind(&server, "ranges", key, "x", 1)
                            : s3_server_put(&server, "ranges", key, key, strlen(key)));
    }
    assert_true(s3_server_put(&server, "ranges", "pages/1000 & more", "x", 1)); /* of the second page */
    const struct fault fault = {
        .kind = FAULT_STATUS, .target = "continuation-token=", .times = 1, .number = 503, .text = "SlowDown"};
    struct shf_store_request list = {.verb = SHF_STORE_LIST, .key = "pages/", .wants_versions = true};
    fault_proxy_set(proxy, &fault, 1);
    ask(&list);
    assert_int_equal(list.status, SHF_OK);
    assert_int_equal(fault_proxy_requests(proxy), 3);
    assert_int_equal(list.name_count, 1005);
    assert_string_equal(list.names[0], "0000 & more");
    assert_string_equal(list.names[1004], "1004 & more");
    for (size_t i = 0; i < 1005; i += 37) assert_version(&list, i, i % 111 == 0);
    assert_version(&list, 1000, true);
    shf_store_request_clear(&list);
}

/* ---- set-up ---- */

static int begin(void **state) {
    (void)state;
    shf_s3_options s3;
    struct shf_error *error = NULL;
    s3_server_clean_environment();
    for (unsigned i = 0; i < OBJECT_BYTES; i++) object[i] = (unsigned char)((i * 2654435761u) >> 24);
    if (!s3_server_start(&server) || !(proxy = fault_proxy_start(server.port))) return -1;
    SHF_INIT(&s3);
    s3.endpoint_url = fault_proxy_endpoint(proxy);
    s3.access_key_id = server.access_key_id;
    s3.secret_access_key = server.secret_access_key;
    s3.max_attempts = 2;
    if (!s3_server_make_bucket(&server, "ranges") ||
        !s3_server_put(&server, "ranges", "folder/an object+with=signs", object, sizeof object) ||
        shf_runtime_new(NULL, &runtime)) {
        return -1;
    }
    return shf_store_s3_new(runtime, "ranges", &s3, &store, &error);
}

static int end(void **state) {
    (void)state;
    shf_store_release(store);
    int held = shf_runtime_free(runtime);
    fault_proxy_stop(proxy);
    s3_server_stop(&server);
    return held;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_many_ranges_at_once_share_connections),
        cmocka_unit_test(test_ranges_beyond_the_end),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_answers_that_are_not_the_range),
        cmocka_unit_test(test_a_listing_goes_on_after_a_failed_page),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, begin, end);
}
