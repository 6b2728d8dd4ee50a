/* A body on its way to a file: two buffers, one writer, pauses, errors, and beginning anew. */
#include "support.h"

#include "io/body_file.h"
#include "io/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (100u << 10)

/* Feeds a body as a transfer would; everything runs on the loop thread but begin_test and wait_for_end. */
struct feed {
    struct shf_body_file file;
    struct shf_task task;
    const uint8_t *bytes;
    size_t size, fed;
    unsigned pauses;
    shf_status begun;
    uint8_t md5[16], sha256[32];
    bool has_md5, has_sha256;
    sem_t ended;
};

static void end_feed(struct feed *feed) {
    if (!feed->file.status && !feed->begun) feed->has_md5 = shf_body_file_md5(&feed->file, feed->md5);
    if (!feed->file.status && !feed->begun) feed->has_sha256 = shf_body_file_sha256(&feed->file, feed->sha256);
    (void)sem_post(&feed->ended);
}

static void go_on(struct feed *feed) {
    while (feed->fed < feed->size && !feed->file.status) {
        size_t piece = feed->size - feed->fed < PIECE_BYTES ? feed->size - feed->fed : PIECE_BYTES;
        if (!shf_body_file_add(&feed->file, feed->bytes + feed->fed, piece)) {
            feed->pauses++;
            return; /* idle comes */
        }
        feed->fed += piece;
    }
    if (feed->file.status ? !feed->file.writing : shf_body_file_flush(&feed->file)) end_feed(feed);
}

static void idle(struct shf_body_file *file) { go_on(SHF_CONTAINER(file, struct feed, file)); }

static void start(struct shf_task *task) {
    struct feed *feed = SHF_CONTAINER(task, struct feed, task);
    feed->begun = shf_body_file_begin(&feed->file, &feed->file.error);
    if (feed->begun) {
        end_feed(feed);
    } else {
        go_on(feed);
    }
}

static void feed_all(shf_runtime *runtime, struct feed *feed, const uint8_t *bytes, size_t size) {
    feed->bytes = bytes;
    feed->size = size;
    feed->fed = feed->pauses = 0;
    feed->task.run = start;
    shf_rt_post_loop(runtime, &feed->task);
    while (sem_wait(&feed->ended) != 0) {
    }
}

static char *directory;
static shf_runtime *runtime;
static struct feed feed;

static void begin_with(uint64_t budget) {
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = 1;
    options.memory_budget_bytes = budget;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    directory = support_directory();
    char *path = support_path("%s/body", directory);
    memset(&feed, 0, sizeof feed);
    feed.file = (struct shf_body_file){.runtime = runtime, .fd = support_open_new(path), .url = "s3://b/k", .idle = idle};
    assert_int_equal(sem_init(&feed.ended, 0, 0), 0);
    free(path);
}

static int end(void **state) {
    (void)state;
    shf_fs_reset();
    shf_body_file_close(&feed.file);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
    support_runtime_free(runtime);
    assert_int_equal(close(feed.file.fd), 0);
    (void)sem_destroy(&feed.ended);
    support_remove(directory);
    return 0;
}

static void expect_written(const uint8_t *bytes, size_t size) {
    uint8_t md5[16];
    unsigned length = sizeof md5;
    assert_int_equal(feed.begun, SHF_OK);
    assert_int_equal(feed.file.status, SHF_OK);
    support_expect_file(feed.file.fd, bytes, size);
    assert_true(feed.has_md5);
    assert_int_equal(EVP_Digest(bytes, size, md5, &length, EVP_md5(), NULL), 1);
    assert_memory_equal(feed.md5, md5, sizeof md5);
    uint8_t sha256[32];
    assert_int_equal(feed.has_sha256, feed.file.wants_sha256);
    assert_int_equal(EVP_Digest(bytes, size, sha256, NULL, EVP_sha256(), NULL), 1);
    if (feed.has_sha256) assert_memory_equal(feed.sha256, sha256, sizeof sha256);
}

static void test_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, PIECE_BYTES, SHF_BODY_BUFFER_BYTES, SHF_BODY_BUFFER_BYTES + 1, 5000000};
    uint8_t *bytes = support_pattern(5000000, 8);
    begin_with(0);
    for (size_t i = 0; i < SUPPORT_COUNT(sizes); i++) { /* each begins anew: what was there goes, also by a shorter one */
        feed_all(runtime, &feed, bytes, sizes[i]);
        expect_written(bytes, sizes[i]);
    }
    feed_all(runtime, &feed, bytes + 7, 10);
    expect_written(bytes + 7, 10);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 2 * SHF_BODY_BUFFER_BYTES);
    free(bytes);
}

static void test_small_buffers_of_a_small_budget(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(3000000, 9);
    begin_with(2 * SHF_BODY_SMALL_BUFFER_BYTES);
    feed.file.wants_sha256 = true;
    feed_all(runtime, &feed, bytes, 3000000);
    expect_written(bytes, 3000000);
    assert_int_equal(feed.file.buffer_bytes, SHF_BODY_SMALL_BUFFER_BYTES);
    free(bytes);
}

static void test_no_budget(void **state) {
    (void)state;
    begin_with(2 * SHF_BODY_SMALL_BUFFER_BYTES - 1);
    feed_all(runtime, &feed, (const uint8_t *)"x", 1);
    assert_int_equal(feed.begun, SHF_E_NO_MEMORY);
    assert_non_null(strstr(shf_error_message(feed.file.error), "s3://b/k: what is left of memory_budget_bytes"));
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
}

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t slow_write(int fd, const void *data, size_t size, off_t offset) {
    (void)usleep(5000);
    return real_pwrite(fd, data, size, offset);
}

static void test_a_slow_disk_pauses_the_transfer(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(5000000, 10);
    begin_with(0);
    real_pwrite = shf_fs.pwrite;
    shf_fs.pwrite = slow_write;
    feed_all(runtime, &feed, bytes, 5000000);
    expect_written(bytes, 5000000);
    assert_true(feed.pauses > 0);
    free(bytes);
}

static ssize_t fail_later(int fd, const void *data, size_t size, off_t offset) {
    if (offset == 0) return real_pwrite(fd, data, size, offset);
    errno = ENOSPC;
    return -1;
}
static int fail_truncate(int fd, off_t size) {
    (void)fd, (void)size;
    errno = EIO;
    return -1;
}

static void test_failures(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(5000000, 11);
    begin_with(0);
    real_pwrite = shf_fs.pwrite;
    shf_fs.pwrite = fail_later;
    feed_all(runtime, &feed, bytes, 5000000);
    assert_int_equal(feed.file.status, SHF_E_LOCAL);
    assert_non_null(strstr(shf_error_message(feed.file.error), "s3://b/k: cannot write its local file at byte 1024000: "
                                                               "No space left on device"));
    shf_error_free(feed.file.error);
    feed.file.error = NULL;
    feed.file.status = SHF_OK;
    shf_fs_reset();
    shf_fs.ftruncate = fail_truncate;
    feed_all(runtime, &feed, bytes, 10);
    assert_int_equal(feed.file.status, SHF_E_LOCAL);
    assert_non_null(strstr(shf_error_message(feed.file.error), "cannot empty its local file"));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sizes, end),
        cmocka_unit_test_teardown(test_small_buffers_of_a_small_budget, end),
        cmocka_unit_test_teardown(test_no_budget, end),
        cmocka_unit_test_teardown(test_a_slow_disk_pauses_the_transfer, end),
        cmocka_unit_test_teardown(test_failures, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
