/* Bodies that an S3 store writes to files, on a disk that is slower than the network. */
#include "s3_support.h"

#include "base/clock.h"
#include "io/fs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES (5u << 20) /* more than both buffers: the transfer pauses */

static struct s3_test test;
static struct support_call call;
static uint8_t *bytes;
static char *path;
static int fd;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static atomic_int write_ms, writes;

static ssize_t slow_write(int target, const void *data, size_t size, off_t offset) {
    atomic_fetch_add(&writes, 1);
    s3_sleep_ms(atomic_load(&write_ms));
    return real_pwrite(target, data, size, offset);
}

static int begin(void **state) {
    (void)state;
    static const struct scripted_answer nothing = {.status = 500};
    bytes = support_pattern(BODY_BYTES, 21);
    s3_begin(&test, &nothing, 1);
    path = support_path("%s/body", test.home);
    fd = support_open_new(path);
    real_pwrite = shf_fs.pwrite;
    shf_fs.pwrite = slow_write;
    atomic_store(&writes, 0);
    atomic_store(&write_ms, 40);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.body_fd = fd;
    return 0;
}

static int end(void **state) {
    (void)state;
    support_call_clear(&call);
    s3_end(&test);
    shf_fs_reset();
    assert_int_equal(close(fd), 0);
    free(path);
    free(bytes);
    return 0;
}

static struct scripted_answer body_of(size_t size, enum scripted_end how) {
    return (struct scripted_answer){
        .status = 200, .body = (const char *)bytes, .body_size = size, .declared = BODY_BYTES, .end = how};
}

static void wait_for_writes(int count) {
    for (int i = 0; i < 2000 && atomic_load(&writes) < count; i++) s3_sleep_ms(2);
    assert_true(atomic_load(&writes) >= count);
}

/* While our own disk is waited for, the server is not called silent. */
static void test_a_slow_disk_is_no_silence(void **state) {
    (void)state;
    const struct scripted_answer answer = body_of(BODY_BYTES, SCRIPTED_KEEP);
    scripted_server_script(test.server, &answer, 1);
    test.options.read_timeout_ms = 60;
    test.options.max_attempts = 1;
    atomic_store(&write_ms, 150);
    s3_open(&test);
    if (support_ask(test.store, &call)) fail_msg("%s", shf_error_message(call.request.error));
    assert_int_equal(call.request.body_size, BODY_BYTES);
    support_expect_file(fd, bytes, BODY_BYTES);
}

/* The next attempt begins when the last write of the one before is over, and cuts off what that left. */
static void test_another_attempt_waits_for_the_write(void **state) {
    (void)state;
    static const struct scripted_answer good = {.status = 200, .body = "hello"};
    const struct scripted_answer script[] = {body_of(BODY_BYTES - 1, SCRIPTED_CLOSE),
                                             body_of(BODY_BYTES / 2, SCRIPTED_RESET), good};
    scripted_server_script(test.server, script, 3);
    s3_open(&test);
    if (support_ask(test.store, &call)) fail_msg("%s", shf_error_message(call.request.error));
    support_expect_file(fd, "hello", 5);
    assert_int_equal(call.request.body_size, 5);
    assert_true(call.request.has_md5);
    assert_int_equal(call.request.md5[0], 0x5d);
}

static void test_cancelled_in_a_write(void **state) {
    (void)state;
    const struct scripted_answer answer = body_of(BODY_BYTES, SCRIPTED_KEEP);
    struct shf_cancel cancel;
    scripted_server_script(test.server, &answer, 1);
    atomic_store(&write_ms, 150);
    s3_open(&test);
    shf_cancel_init(&cancel);
    call.request.cancel = &cancel;
    support_submit(test.store, &call);
    wait_for_writes(1);
    shf_cancel_request(&cancel);
    shf_rt_sweep(test.runtime);
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_CANCELLED, "cancelled");
    int before = atomic_load(&writes);
    s3_sleep_ms(20);
    assert_int_equal(atomic_load(&writes), before); /* the file is the caller's again: nobody writes to it */
}

static void test_the_runtime_ends_in_a_write(void **state) {
    (void)state;
    const struct scripted_answer answer = body_of(BODY_BYTES, SCRIPTED_KEEP);
    scripted_server_script(test.server, &answer, 1);
    atomic_store(&write_ms, 150);
    s3_open(&test);
    support_submit(test.store, &call);
    wait_for_writes(1);
    support_runtime_free(test.runtime);
    test.runtime = NULL;
    assert_int_equal(call.done_count, 1);
    assert_int_equal(call.request.status, SHF_E_CANCELLED);
    assert_int_equal(atomic_load(&writes), 1);
}

static ssize_t fail_second(int target, const void *data, size_t size, off_t offset) {
    s3_sleep_ms(20);
    if (atomic_fetch_add(&writes, 1) == 0) return real_pwrite(target, data, size, offset);
    errno = EIO;
    return -1;
}

/* The failure comes while the transfer is paused, or on: it ends, without another attempt. */
static void test_a_write_fails_in_a_pause(void **state) {
    (void)state;
    const struct scripted_answer answer = body_of(BODY_BYTES - 1, SCRIPTED_HANG);
    scripted_server_script(test.server, &answer, 1);
    shf_fs.pwrite = fail_second;
    s3_open(&test);
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "cannot write its local file at byte");
    assert_non_null(strstr(shf_error_message(call.request.error), "check the disk"));
    assert_int_equal(scripted_server_requests(test.server), 1);
}

static void test_a_range(void **state) {
    (void)state;
    static const struct scripted_answer answer = {
        .status = 206, .headers = "Content-Range: bytes 3-7/100\r\n", .body = "hello"};
    scripted_server_script(test.server, &answer, 1);
    s3_open(&test);
    call.request.has_range = true;
    call.request.range_offset = 3;
    call.request.range_size = 5;
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    support_expect_file(fd, "hello", 5);
    assert_false(call.request.has_md5); /* not of the object */
    assert_int_equal(call.request.object_size, 100);
}

/* An empty object empties the file, though nothing is written. */
static void test_an_empty_object(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 200, .body = ""};
    scripted_server_script(test.server, &answer, 1);
    s3_open(&test);
    support_write_text(path, "from before");
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    support_expect_file(fd, "", 0);
    assert_true(call.request.has_md5);
    assert_int_equal(call.request.md5[0], 0xd4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_slow_disk_is_no_silence), TEST(test_another_attempt_waits_for_the_write),
        TEST(test_cancelled_in_a_write),      TEST(test_the_runtime_ends_in_a_write),
        TEST(test_a_write_fails_in_a_pause),  TEST(test_a_range),
        TEST(test_an_empty_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
