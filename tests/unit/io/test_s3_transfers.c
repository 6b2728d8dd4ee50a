/* Transfers of an S3 store: silence, cancelling, connections, many at once, large bodies, the end of the runtime. */
#include "s3_support.h"

#include "base/clock.h"
#include "io/fs.h"
#include "io/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MANY 100u
#define LARGE_BYTES (5u << 20) /* more than both buffers of a download */

static void start_once(struct s3_test *test, const struct scripted_answer *answer, uint32_t read_timeout_ms) {
    s3_begin(test, answer, 1);
    test->options.max_attempts = 1;
    test->options.read_timeout_ms = read_timeout_ms;
    s3_open(test);
}

static void test_silence(void **state) {
    (void)state;
    static const struct scripted_answer answers[] = {
        {.end = SCRIPTED_HANG},                                               /* before the head */
        {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_HANG}, /* within the body */
        {.status = 503, .body = "<Err", .declared = 50, .end = SCRIPTED_HANG},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(answers); i++) {
        struct s3_test test;
        struct support_call call;
        start_once(&test, &answers[i], 100);
        (void)s3_get(&test, &call);
        support_expect_failure(&call, SHF_E_STORE_RETRY, "no byte came for 100 ms");
        support_call_clear(&call);
        s3_end(&test);
    }
}

/* A body that comes slowly is bounded by its silences, not by its whole time. */
static void test_a_slow_body(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200, .body = "0123456789", .drip_ms = 40};
    struct s3_test test;
    struct support_call call;
    start_once(&test, &answer, 250);
    int64_t start = shf_clock_monotonic_ns();
    s3_expect_body((s3_get(&test, &call), &call), "0123456789");
    assert_true(shf_clock_monotonic_ns() - start > 350000000);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_silence_is_tried_again(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_HANG},
                                                    {.status = 200, .body = "hello"}};
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, script, 2);
    test.options.read_timeout_ms = 100;
    s3_open(&test);
    s3_expect_body((s3_get(&test, &call), &call), "hello");
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_cancelled_or_late_in_the_body(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_HANG};
    struct s3_test test;
    struct support_call call;
    struct shf_cancel cancel;
    start_once(&test, &answer, 30000);
    shf_cancel_init(&cancel);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.cancel = &cancel;
    support_submit(test.store, &call);
    assert_true(scripted_server_wait(test.server, 1));
    s3_sleep_ms(20);
    shf_cancel_request(&cancel);
    shf_rt_sweep(test.runtime);
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_CANCELLED, "GET s3://bucket/key: cancelled");
    support_call_clear(&call);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.deadline_ns = shf_deadline_after_ms(60000);
    support_submit(test.store, &call);
    assert_true(scripted_server_wait(test.server, 2));
    s3_clock_add_ms(29000); /* not yet silent for too long */
    s3_sleep_ms(20);
    s3_clock_add_ms(31001);
    (void)support_wait(&call);
    assert_true(call.request.status == SHF_E_DEADLINE || call.request.status == SHF_E_STORE_RETRY);
    assert_int_equal(call.request.status, SHF_E_DEADLINE); /* which is looked at first */
    support_call_clear(&call);
    s3_end(&test);
}

static void test_nobody_listens(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200};
    struct s3_test test;
    struct support_call call;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, so that nobody else takes the port */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    char *endpoint = support_path("http://127.0.0.1:%d", ntohs(address.sin_port));
    s3_begin(&test, &answer, 1);
    test.options.endpoint_url = endpoint;
    s3_open(&test);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "gave up after 3 attempts");
    assert_non_null(strstr(shf_error_message(call.request.error), endpoint));
    support_call_clear(&call);
    s3_end(&test);
    assert_int_equal(close(fd), 0);
    free(endpoint);
}

/* A listener whose queue is full takes no connection and refuses none. */
static void test_nobody_accepts(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200};
    struct s3_test test;
    struct support_call call;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fillers[4], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    for (size_t i = 0; i < SUPPORT_COUNT(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, size);
    }
    char *endpoint = support_path("http://127.0.0.1:%d", ntohs(address.sin_port));
    s3_begin(&test, &answer, 1);
    test.options.endpoint_url = endpoint;
    test.options.connect_timeout_ms = 100;
    test.options.max_attempts = 2;
    s3_open(&test);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE_RETRY, "gave up after 2 attempts");
    support_call_clear(&call);
    s3_end(&test);
    for (size_t i = 0; i < SUPPORT_COUNT(fillers); i++) assert_int_equal(close(fillers[i]), 0);
    assert_int_equal(close(fd), 0);
    free(endpoint);
}

/* A bundle that is not there is no matter of trying again; a server that speaks no TLS may be. */
static void test_no_tls(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200};
    static const struct {
        const char *bundle, *part;
        shf_status status;
        unsigned connections;
    } cases[] = {{"/nonexistent/ca.pem", "check endpoint_url and ca_bundle", SHF_E_STORE, 1},
                 {NULL, "gave up after 2 attempts", SHF_E_STORE_RETRY, 2}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct s3_test test;
        struct support_call call;
        s3_begin(&test, &answer, 1);
        char *endpoint = support_path("https://127.0.0.1:%d", scripted_server_port(test.server));
        test.options.endpoint_url = endpoint;
        test.options.ca_bundle = cases[i].bundle;
        test.options.max_attempts = 2;
        test.options.read_timeout_ms = 200; /* the server waits for the end of a head that never comes */
        test.options.connect_timeout_ms = 200;
        s3_open(&test);
        (void)s3_get(&test, &call);
        support_expect_failure(&call, cases[i].status, cases[i].part);
        /* The client may have given up before the server's thread takes the connection. */
        for (int naps = 0; scripted_server_connections(test.server) < cases[i].connections && naps < 5000; naps++) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        assert_int_equal(scripted_server_connections(test.server), cases[i].connections);
        assert_int_equal(scripted_server_requests(test.server), 0);
        support_call_clear(&call);
        free(endpoint);
        s3_end(&test);
    }
}

static void test_a_connection_is_kept(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{.status = 200, .body = "one"},
                                                    {.status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>"},
                                                    {.status = 200, .body = "three"}};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, script, 3);
    for (int i = 0; i < 20; i++) {
        (void)s3_get(&test, &call);
        assert_int_equal(call.request.status, i == 1 ? SHF_E_NOT_FOUND : SHF_OK);
        support_call_clear(&call);
    }
    support_call_init(&call, SHF_STORE_HEAD, "key");
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    support_call_clear(&call);
    assert_int_equal(scripted_server_requests(test.server), 21);
    assert_int_equal(scripted_server_connections(test.server), 1);
    s3_end(&test);
}

/* As many at once as there are connections, each with its own answer; the others wait their turn. */
static void test_many_at_once(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200, .echo = true, .wait_for = SHF_HTTP_CONNECTIONS};
    static struct support_call calls[MANY];
    char *keys[MANY], *bodies[MANY];
    struct s3_test test;
    s3_start(&test, &answer, 1);
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = support_path("key-%zu", i);
        bodies[i] = support_path("/bucket/key-%zu", i);
        support_call_init(&calls[i], SHF_STORE_GET, keys[i]);
        support_submit(test.store, &calls[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        (void)support_wait(&calls[i]);
        s3_expect_body(&calls[i], bodies[i]);
        support_call_clear(&calls[i]);
        free(keys[i]);
        free(bodies[i]);
    }
    assert_int_equal(scripted_server_requests(test.server), MANY);
    assert_int_equal(scripted_server_connections(test.server), SHF_HTTP_CONNECTIONS);
    s3_end(&test);
}

/* No connection is free: the deadline and the token count all the same. */
static void test_the_end_in_the_queue(void **state) {
    (void)state;
    static const struct scripted_answer hang = {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_HANG};
    static struct support_call calls[SHF_HTTP_CONNECTIONS];
    struct s3_test test;
    struct support_call late, unwanted;
    struct shf_cancel cancel, all;
    s3_start(&test, &hang, 1);
    shf_cancel_init(&cancel);
    shf_cancel_init(&all);
    for (size_t i = 0; i < SHF_HTTP_CONNECTIONS; i++) {
        support_call_init(&calls[i], SHF_STORE_GET, "key");
        calls[i].request.cancel = &all;
        support_submit(test.store, &calls[i]);
    }
    assert_true(scripted_server_wait(test.server, SHF_HTTP_CONNECTIONS));
    support_call_init(&late, SHF_STORE_GET, "key");
    support_call_init(&unwanted, SHF_STORE_GET, "key");
    late.request.deadline_ns = shf_deadline_after_ms(50);
    unwanted.request.cancel = &cancel;
    support_submit(test.store, &late);
    support_submit(test.store, &unwanted);
    (void)support_wait(&late);
    support_expect_failure(&late, SHF_E_DEADLINE, "time given to the operation is over");
    shf_cancel_request(&cancel);
    shf_rt_sweep(test.runtime);
    (void)support_wait(&unwanted);
    support_expect_failure(&unwanted, SHF_E_CANCELLED, "cancelled");
    assert_int_equal(scripted_server_requests(test.server), SHF_HTTP_CONNECTIONS);
    support_call_clear(&late);
    support_call_clear(&unwanted);
    shf_cancel_request(&all);
    shf_rt_sweep(test.runtime);
    for (size_t i = 0; i < SHF_HTTP_CONNECTIONS; i++) {
        assert_int_equal(support_wait(&calls[i]), SHF_E_CANCELLED);
        support_call_clear(&calls[i]);
    }
    s3_end(&test);
}

/* Running, waiting for a connection, and in a pause between attempts: all end, and soon. */
static void test_the_end_of_the_runtime(void **state) {
    (void)state;
    static const struct scripted_answer hang = {.status = 200, .body = "hell", .declared = 5, .end = SCRIPTED_HANG};
    static const struct scripted_answer later = {.status = 503, .headers = "Retry-After: 100\r\n"};
    static struct support_call calls[MANY + 1];
    struct s3_test test;
    s3_start(&test, &later, 1);
    support_call_init(&calls[MANY], SHF_STORE_GET, "key");
    support_submit(test.store, &calls[MANY]);
    s3_wait_for_retries(&test, 1);
    scripted_server_script(test.server, &hang, 1);
    for (size_t i = 0; i < MANY; i++) {
        support_call_init(&calls[i], SHF_STORE_GET, "key");
        support_submit(test.store, &calls[i]);
    }
    assert_true(scripted_server_wait(test.server, SHF_HTTP_CONNECTIONS));
    support_runtime_free(test.runtime);
    test.runtime = NULL;
    for (size_t i = 0; i <= MANY; i++) {
        assert_int_equal(calls[i].done_count, 1);
        support_expect_failure(&calls[i], SHF_E_CANCELLED, "the runtime is being freed");
        support_call_clear(&calls[i]);
    }
    s3_end(&test);
}

static void test_large_bodies(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(LARGE_BYTES, 1);
    const struct scripted_answer answer = {.status = 200, .body = (const char *)bytes, .body_size = LARGE_BYTES};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &answer, 1);
    assert_int_equal(s3_get(&test, &call), SHF_OK);
    assert_int_equal(call.request.body->size, LARGE_BYTES);
    assert_memory_equal(call.request.body->data, bytes, LARGE_BYTES);
    assert_true(support_stats(test.runtime).budget_used_bytes >= LARGE_BYTES);
    support_call_clear(&call);
    char *path = support_path("%s/body", test.home);
    int fd = support_open_new(path);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.body_fd = fd;
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    support_expect_file(fd, bytes, LARGE_BYTES);
    assert_true(call.request.has_md5);
    support_call_clear(&call);
    assert_int_equal(support_stats(test.runtime).downloaded_bytes, 2 * LARGE_BYTES);
    assert_int_equal(close(fd), 0);
    free(path);
    s3_end(&test); /* the server may still be sending */
    free(bytes);
}

static ssize_t full_disk(int fd, const void *data, size_t size, off_t offset) {
    (void)fd, (void)data, (void)size, (void)offset;
    errno = ENOSPC;
    return -1;
}

static void test_a_full_disk_is_final(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(LARGE_BYTES, 2);
    const struct scripted_answer answer = {.status = 200, .body = (const char *)bytes, .body_size = LARGE_BYTES};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &answer, 1);
    char *path = support_path("%s/body", test.home);
    int fd = support_open_new(path);
    shf_fs.pwrite = full_disk;
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.body_fd = fd;
    (void)support_ask(test.store, &call);
    shf_fs_reset();
    support_expect_failure(&call, SHF_E_LOCAL, "s3://bucket/key: cannot write its local file at byte 0: No space left");
    assert_int_equal(scripted_server_requests(test.server), 1);
    support_call_clear(&call);
    assert_int_equal(close(fd), 0);
    free(path);
    s3_end(&test); /* the server may still be sending */
    free(bytes);
}

/* A size that a server tells is not believed before there is room for it. */
static void test_more_than_the_budget(void **state) {
    (void)state;
    static const struct scripted_answer answer = {
        .status = 200, .body = "x", .declared = (size_t)1 << 50, .end = SCRIPTED_HANG};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &answer, 1);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_NO_MEMORY, "memory_budget_bytes");
    support_call_clear(&call);
    s3_end(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_a_slow_body),
        cmocka_unit_test(test_silence_is_tried_again),
        cmocka_unit_test(test_cancelled_or_late_in_the_body),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_nobody_accepts),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_a_connection_is_kept),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_the_end_in_the_queue),
        cmocka_unit_test(test_the_end_of_the_runtime),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_a_full_disk_is_final),
        cmocka_unit_test(test_more_than_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
