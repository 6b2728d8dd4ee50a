/* The store in memory that other tests stand on: it must answer as S3 does. */
#include "support.h"

#include "base/clock.h"
#include "io/store_mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static shf_runtime *runtime;
static struct shf_store *store;
static struct support_call call;

static int begin(void **state) {
    (void)state;
    runtime = support_runtime(NULL, NULL);
    assert_int_equal(shf_store_mem_new(runtime, "s3://bucket", &store, NULL), SHF_OK);
    support_call_init(&call, SHF_STORE_GET, "k");
    return 0;
}

static int end(void **state) {
    (void)state;
    support_call_clear(&call);
    shf_store_release(store);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
    support_runtime_free(runtime);
    return 0;
}

static void put(const char *key, const char *text) {
    assert_int_equal(shf_store_mem_put(store, key, text, strlen(text), NULL), SHF_OK);
}

static void again(enum shf_store_verb verb, const char *key) {
    support_call_clear(&call);
    support_call_init(&call, verb, key);
}

static void test_put_get_remove(void **state) {
    (void)state;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "s3://bucket/k does not exist");
    assert_int_equal(shf_error_http_status(call.request.error), 404);
    assert_string_equal(shf_error_object(call.request.error), "s3://bucket/k");
    put("k", "hello");
    put("k", "world"); /* replaced */
    again(SHF_STORE_GET, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.body->size, 5);
    assert_memory_equal(call.request.body->data, "world", 5);
    assert_string_equal(call.request.etag, "\"7d793037a0760186574b0282f2f435e7\""); /* MD5 of "world" */
    assert_int_equal(call.request.object_size, 5);
    assert_true(shf_store_mem_remove(store, "k"));
    assert_false(shf_store_mem_remove(store, "k"));
    assert_memory_equal(call.request.body->data, "world", 5); /* a body is the caller's own */
    again(SHF_STORE_HEAD, "k");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "does not exist");
}

static void test_etags(void **state) {
    (void)state;
    assert_int_equal(shf_store_mem_put(store, "k", "x", 1, "\"mine-2\""), SHF_OK);
    call.request.if_match = "\"mine-2\"";
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_string_equal(call.request.etag, "\"mine-2\"");
    again(SHF_STORE_GET, "k");
    call.request.if_match = "\"mine\"";
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_STORE, "its ETag differs");
    assert_int_equal(shf_error_http_status(call.request.error), 412);
    again(SHF_STORE_HEAD, "k"); /* HEAD has no condition */
    call.request.if_match = "\"mine\"";
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_null(call.request.body);
}

static void ask_range(uint64_t offset, uint64_t size) {
    again(SHF_STORE_GET, "k");
    call.request.has_range = true;
    call.request.range_offset = offset;
    call.request.range_size = size;
    call.request.max_bytes = 5;
    (void)support_ask(store, &call);
}

static void test_ranges_and_limits(void **state) {
    (void)state;
    put("k", "0123456789");
    ask_range(7, 3);
    assert_int_equal(call.request.status, SHF_OK);
    assert_memory_equal(call.request.body->data, "789", 3);
    assert_int_equal(call.request.object_size, 10);
    static const uint64_t bad[][2] = {{8, 3}, {11, 1}, {UINT64_MAX, 1}, {1, UINT64_MAX}};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        ask_range(bad[i][0], bad[i][1]);
        support_expect_failure(&call, SHF_E_STORE, "shorter than the range");
        assert_int_equal(shf_error_http_status(call.request.error), 416);
    }
    ask_range(0, 6);
    support_expect_failure(&call, SHF_E_LIMIT, "larger than is allowed");
}

static void test_to_a_file(void **state) {
    (void)state;
    char *directory = support_directory(), *path = support_path("%s/body", directory);
    int fd = support_open_new(path);
    put("k", "hello");
    call.request.body_fd = fd;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_null(call.request.body);
    assert_true(call.request.has_md5);
    assert_int_equal(call.request.md5[0], 0x5d);
    support_expect_file(fd, "hello", 5);
    assert_int_equal(close(fd), 0);
    support_remove(directory);
    free(path);
}

static void expect_names(const char *prefix, const char *const *names, size_t count) {
    again(SHF_STORE_LIST, prefix);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, count);
    for (size_t i = 0; i < count; i++) assert_string_equal(call.request.names[i], names[i]);
}

static void test_listings(void **state) {
    (void)state;
    static const char *const keys[] = {"p/b/2", "p/b/1", "p/a", "p/b-", "p/b0", "p/", "q", "p/b"};
    static const char *const top[] = {"p/", "q"}, *const below[] = {"a", "b", "b-", "b/", "b0"}, *const b[] = {"1", "2"};
    for (size_t i = 0; i < SUPPORT_COUNT(keys); i++) put(keys[i], "x");
    expect_names("", top, 2);
    expect_names("p/", below, 5);
    expect_names("p/b/", b, 2);
    expect_names("none/", NULL, 0);
    for (size_t i = 0; i < SUPPORT_COUNT(keys); i++) put(keys[i], keys[i]); /* each has a version of its own */
    assert_int_equal(support_expect_versions(store, ""), 1);
    assert_int_equal(support_expect_versions(store, "p/"), 4);
    assert_int_equal(support_expect_versions(store, "p/b/"), 2);
    assert_int_equal(support_expect_versions(store, "none/"), 0);
}

static void *change_all_the_time(void *context) {
    const atomic_bool *stop = context;
    while (!atomic_load(stop)) {
        put("k", "aaaaaaaaaa");
        put("other", "x");
        put("k", "bbbbb");
        (void)shf_store_mem_remove(store, "other");
    }
    return NULL;
}

/* Objects change while requests run: each answer is of one of them, with its ETag. */
static void test_changes_meanwhile(void **state) {
    (void)state;
    atomic_bool stop = false;
    pthread_t thread;
    put("k", "bbbbb");
    assert_int_equal(pthread_create(&thread, NULL, change_all_the_time, &stop), 0);
    for (int i = 0; i < 300; i++) {
        again(SHF_STORE_GET, "k");
        assert_int_equal(support_ask(store, &call), SHF_OK);
        bool is_a = call.request.body->size == 10;
        assert_memory_equal(call.request.body->data, is_a ? "aaaaaaaaaa" : "bbbbb", is_a ? 10 : 5);
        assert_int_equal(call.request.object_size, is_a ? 10 : 5);
        assert_string_equal(call.request.etag,
                            is_a ? "\"e09c80c42fda55f9d992e59ca6b3307d\"" : "\"a21075a36eeddd084e17611a238c7101\"");
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- PUT and DELETE ---- */

static shf_status ask_put(const char *key, const char *data, const char *if_version) {
    again(SHF_STORE_PUT, key);
    call.request.data = data;
    call.request.data_size = strlen(data);
    call.request.if_version = if_version;
    return support_ask(store, &call);
}

static void expect_refused(void) {
    support_expect_failure(&call, SHF_E_STORE, "was not written: the object is not what it was");
    assert_int_equal(shf_error_http_status(call.request.error), 412);
}

static void test_put_request(void **state) {
    (void)state;
    assert_int_equal(ask_put("k", "hello", NULL), SHF_OK);
    assert_string_equal(call.request.etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_string_equal(call.request.version, call.request.etag);
    assert_int_equal(call.request.object_size, 5);
    assert_int_equal(shf_rt_counters(runtime)->uploaded_bytes, 5);
    again(SHF_STORE_GET, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_memory_equal(call.request.body->data, "hello", 5);
    assert_string_equal(call.request.version, call.request.etag);
    assert_int_equal(ask_put("empty", "", NULL), SHF_OK);
    again(SHF_STORE_HEAD, "empty");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.object_size, 0);
    again(SHF_STORE_DELETE, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    again(SHF_STORE_HEAD, "k");
    assert_int_equal(support_ask(store, &call), SHF_E_NOT_FOUND);
    again(SHF_STORE_DELETE, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
}

static void test_conditions(void **state) {
    (void)state;
    static const char *const hello = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_int_equal(ask_put("k", "x", hello), SHF_E_STORE);
    expect_refused();
    assert_int_equal(ask_put("k", "hello", ""), SHF_OK);
    (void)ask_put("k", "other", "");
    expect_refused();
    assert_int_equal(ask_put("k", "other", hello), SHF_OK);
    (void)ask_put("k", "third", hello);
    expect_refused();
    again(SHF_STORE_GET, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_memory_equal(call.request.body->data, "other", 5);
}

static void test_put_of_a_file(void **state) {
    (void)state;
    char *directory = support_directory(), *path = support_path("%s/source", directory);
    int fd = support_open_new(path);
    support_write_text(path, "hello world");
    for (int way = 0; way < 3; way++) {
        again(SHF_STORE_PUT, "k");
        call.request.has_source = true;
        call.request.source_fd = way == 2 ? -1 : fd;
        call.request.data_size = way == 0 ? 5 : 12;
        shf_status status = support_ask(store, &call);
        if (way == 1) support_expect_failure(&call, SHF_E_LOCAL, "its source is shorter");
        if (way == 2) support_expect_failure(&call, SHF_E_LOCAL, "cannot read the source of s3://");
        assert_int_equal(status == SHF_OK, way == 0);
    }
    int out = support_open_new(path);
    again(SHF_STORE_GET, "k");
    call.request.body_fd = out;
    call.request.wants_sha256 = true;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_true(call.request.has_sha256);
    assert_int_equal(call.request.received_sha256[0], 0x2c);
    support_expect_file(out, "hello", 5);
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(out), 0);
    support_remove(directory);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_put_get_remove), TEST(test_etags),      TEST(test_ranges_and_limits),
        TEST(test_to_a_file),      TEST(test_listings),   TEST(test_changes_meanwhile),
        TEST(test_put_request),    TEST(test_conditions), TEST(test_put_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
