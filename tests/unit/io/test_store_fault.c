/* The store that misbehaves as scripted: other tests trust it to do so, and to do nothing else. */
#include "support.h"

#include "base/clock.h"
#include "io/store_fault.h"
#include "io/store_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static shf_runtime *runtime;
static struct shf_store *store;
static struct support_call call;

static int begin(void **state) {
    (void)state;
    struct shf_store *inner = NULL;
    runtime = support_runtime(NULL, NULL);
    assert_int_equal(shf_store_mem_new(runtime, "s3://bucket", &inner, NULL), SHF_OK);
    assert_int_equal(shf_store_mem_put(inner, "k", "hello", 5, "\"e\""), SHF_OK);
    assert_int_equal(shf_store_fault_new(inner, &store, NULL), SHF_OK);
    shf_store_release(inner); /* the other one holds it */
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

static void again(enum shf_store_verb verb, const char *key) {
    support_call_clear(&call);
    support_call_init(&call, verb, key);
}

static void get(void) {
    again(SHF_STORE_GET, "k");
    (void)support_ask(store, &call);
}

static void expect_body(const void *body, size_t size) {
    if (call.request.status) fail_msg("%s", shf_error_message(call.request.error));
    assert_int_equal(call.request.body->size, size);
    assert_int_equal(call.request.body_size, size);
    assert_memory_equal(call.request.body->data, body, size);
    assert_int_equal(call.request.object_size, 5); /* as it is */
}

static void add(const struct shf_fault_rule *rule) { assert_true(shf_store_fault_add(store, rule)); }

static void test_without_rules(void **state) {
    (void)state;
    get();
    expect_body("hello", 5);
    assert_string_equal(call.request.etag, "\"e\"");
    again(SHF_STORE_LIST, "");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 1);
    assert_null(call.request.versions);
    again(SHF_STORE_LIST, "");
    call.request.wants_versions = true;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 1);
    assert_string_equal(call.request.versions[0], "\"e\"");
    again(SHF_STORE_GET, "none");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "does not exist");
    assert_int_equal(shf_store_fault_seen(store, 0), 4);
    assert_int_equal(shf_store_fault_seen(store, SHF_STORE_GET), 2);
    assert_int_equal(shf_store_fault_seen(store, SHF_STORE_HEAD), 0);
    assert_null(store->class->local_path);
}

static void test_which_request_fails(void **state) {
    (void)state;
    static const struct shf_fault_rule second_and_third = {.verb = SHF_STORE_GET,
                                                           .first = 2,
                                                           .count = 2,
                                                           .kind = SHF_FAULT_FAIL,
                                                           .status = SHF_E_STORE_RETRY,
                                                           .http_status = 503};
    static const struct shf_fault_rule heads = {
        .verb = SHF_STORE_HEAD, .first = 1, .kind = SHF_FAULT_FAIL, .status = SHF_E_ACCESS};
    add(&second_and_third);
    add(&heads);
    static const shf_status expected[] = {SHF_OK, SHF_E_STORE_RETRY, SHF_E_STORE_RETRY, SHF_OK};
    for (size_t i = 0; i < SUPPORT_COUNT(expected); i++) {
        again(SHF_STORE_HEAD, "k"); /* counts for its own rule only */
        (void)support_ask(store, &call);
        support_expect_failure(&call, SHF_E_ACCESS, "s3://bucket/k: fails as scripted");
        get();
        assert_int_equal(call.request.status, expected[i]);
        if (expected[i]) assert_int_equal(shf_error_http_status(call.request.error), 503);
    }
    shf_store_fault_reset(store);
    again(SHF_STORE_HEAD, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(shf_store_fault_seen(store, 0), 1);
}

static void test_the_first_rule_wins_and_all_count(void **state) {
    (void)state;
    static const struct shf_fault_rule first = {.first = 1, .count = 1, .kind = SHF_FAULT_FAIL, .status = SHF_E_STORE};
    static const struct shf_fault_rule second = {.first = 2, .count = 1, .kind = SHF_FAULT_FAIL, .status = SHF_E_CORRUPT};
    add(&first);
    add(&second);
    get();
    assert_int_equal(call.request.status, SHF_E_STORE);
    get();
    assert_int_equal(call.request.status, SHF_E_CORRUPT);
    get();
    assert_int_equal(call.request.status, SHF_OK);
    for (size_t i = 2; i < SHF_FAULT_RULES; i++) add(&first);
    assert_false(shf_store_fault_add(store, &first));
}

static void test_spoiled_bodies(void **state) {
    (void)state;
    static const struct {
        enum shf_fault_kind kind;
        uint64_t amount;
        const char *body;
    } cases[] = {{SHF_FAULT_TRUNCATE, 2, "he"},         {SHF_FAULT_TRUNCATE, 0, ""},  {SHF_FAULT_TRUNCATE, 9, "hello"},
                 {SHF_FAULT_EXTRA, 2, "hello\xee\xee"}, {SHF_FAULT_FLIP, 0, "iello"}, {SHF_FAULT_FLIP, 4, "helln"},
                 {SHF_FAULT_FLIP, 5, "hello"}};
    char *directory = support_directory(), *path = support_path("%s/body", directory);
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        const struct shf_fault_rule rule = {.first = 1, .kind = cases[i].kind, .amount = cases[i].amount};
        int fd = support_open_new(path);
        shf_store_fault_reset(store);
        add(&rule);
        get();
        expect_body(cases[i].body, strlen(cases[i].body));
        again(SHF_STORE_GET, "k"); /* the same into a file, where it vouches for nothing */
        call.request.body_fd = fd;
        assert_int_equal(support_ask(store, &call), SHF_OK);
        support_expect_file(fd, cases[i].body, strlen(cases[i].body));
        assert_int_equal(call.request.body_size, strlen(cases[i].body));
        assert_false(call.request.has_md5);
        assert_int_equal(close(fd), 0);
    }
    support_remove(directory);
    free(path);
}

static void test_a_wrong_etag(void **state) {
    (void)state;
    static const struct shf_fault_rule rule = {.first = 1, .kind = SHF_FAULT_WRONG_ETAG};
    add(&rule);
    get();
    expect_body("hello", 5);
    assert_string_not_equal(call.request.etag, "\"e\"");
    again(SHF_STORE_HEAD, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_string_not_equal(call.request.etag, "\"e\"");
}

static void test_delays(void **state) {
    (void)state;
    static const struct shf_fault_rule rule = {.first = 1, .kind = SHF_FAULT_DELAY, .amount = 60};
    add(&rule);
    int64_t start = shf_clock_monotonic_ns();
    get();
    expect_body("hello", 5);
    assert_true(shf_clock_monotonic_ns() - start >= 60000000);
    again(SHF_STORE_GET, "k"); /* at most until the deadline */
    call.request.deadline_ns = shf_deadline_after_ms(10);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE, "time given");
}

static void test_stalls(void **state) {
    (void)state;
    static const struct shf_fault_rule rule = {.first = 1, .kind = SHF_FAULT_STALL};
    struct shf_cancel cancel;
    struct support_call other;
    add(&rule);
    call.request.deadline_ns = shf_deadline_after_ms(20);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE, "time given");
    shf_cancel_init(&cancel);
    again(SHF_STORE_GET, "k");
    call.request.cancel = &cancel;
    support_submit(store, &call);
    support_call_init(&other, SHF_STORE_GET, "k");
    support_submit(store, &other);
    shf_cancel_request(&cancel);
    shf_rt_sweep(runtime);
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_CANCELLED, "cancelled");
    shf_store_fault_resume(store); /* posted behind the other one */
    (void)support_wait(&other);
    support_expect_failure(&other, SHF_E_STORE_RETRY, "stalled");
    support_call_clear(&other);
    assert_int_equal(shf_store_fault_seen(store, SHF_STORE_GET), 3);
}

static shf_status put_k(const char *data, const char *if_version) {
    again(SHF_STORE_PUT, "k");
    call.request.data = data;
    call.request.data_size = strlen(data);
    call.request.if_version = if_version;
    return support_ask(store, &call);
}

static void test_writing(void **state) {
    (void)state;
    static const struct shf_fault_rule lose = {.verb = SHF_STORE_PUT,
                                               .first = 2,
                                               .count = 1,
                                               .kind = SHF_FAULT_LOSE,
                                               .status = SHF_E_STORE_RETRY,
                                               .http_status = 503};
    static const struct shf_fault_rule fails = {.verb = SHF_STORE_DELETE,
                                                .first = 1,
                                                .count = 1,
                                                .kind = SHF_FAULT_FAIL,
                                                .status = SHF_E_ACCESS,
                                                .http_status = 403};
    add(&lose);
    add(&fails);
    assert_int_equal(put_k("HELLO", "\"e\""), SHF_OK); /* every field is passed on */
    assert_non_null(call.request.version);
    (void)put_k("again", NULL);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "its answer is lost as scripted");
    assert_int_equal(shf_error_http_status(call.request.error), 503);
    assert_null(call.request.version);
    get();
    expect_body("again", 5); /* but it was done */
    (void)put_k("third", "");
    support_expect_failure(&call, SHF_E_STORE, "was not written");
    again(SHF_STORE_DELETE, "k");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "fails as scripted");
    get();
    expect_body("again", 5);
    again(SHF_STORE_DELETE, "k");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    again(SHF_STORE_HEAD, "k");
    assert_int_equal(support_ask(store, &call), SHF_E_NOT_FOUND);
    assert_int_equal(shf_store_fault_seen(store, SHF_STORE_PUT), 3);
    assert_int_equal(shf_store_fault_seen(store, SHF_STORE_DELETE), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_without_rules),
        TEST(test_which_request_fails),
        TEST(test_the_first_rule_wins_and_all_count),
        TEST(test_spoiled_bodies),
        TEST(test_a_wrong_etag),
        TEST(test_delays),
        TEST(test_stalls),
        TEST(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
