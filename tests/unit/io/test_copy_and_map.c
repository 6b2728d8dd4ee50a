/* Copying files whichever way the kernel lets us, and mapping them. */
#include "support.h"

#include "base/clock.h"
#include "io/copy_file.h"
#include "io/disk_cache.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 600000u /* more than two buffers of a copy */

static char *directory, *from_path, *to_path;
static uint8_t *bytes;
static int from, to;
static int clone_problem, copy_problem; /* 0: it works */
static size_t copy_most;                /* at most so many bytes a call; 0: answers 0 */

static int fake_clone(int target, int source) {
    if (!clone_problem) return (int)copy_file_range(source, NULL, target, NULL, FILE_BYTES, 0) == FILE_BYTES ? 0 : -1;
    errno = clone_problem;
    return -1;
}

static ssize_t fake_copy(int source, off_t *from_offset, int target, off_t *to_offset, size_t size, unsigned flags) {
    if (copy_problem) {
        errno = copy_problem;
        return -1;
    }
    if (copy_most == 0) return 0;
    return copy_file_range(source, from_offset, target, to_offset, size < copy_most ? size : copy_most, flags);
}

static int begin(void **state) {
    (void)state;
    directory = support_directory();
    from_path = support_path("%s/from", directory);
    to_path = support_path("%s/to", directory);
    bytes = support_pattern(FILE_BYTES, 9);
    support_write(from_path, bytes, FILE_BYTES);
    from = open(from_path, O_RDONLY | O_CLOEXEC);
    to = support_open_new(to_path);
    clone_problem = copy_problem = EOPNOTSUPP;
    copy_most = SIZE_MAX;
    shf_fs.clone_file = fake_clone;
    shf_fs.copy_file_range = fake_copy;
    return 0;
}

static int end(void **state) {
    (void)state;
    shf_fs_reset();
    assert_int_equal(close(from), 0);
    assert_int_equal(close(to), 0);
    support_remove(directory);
    free(from_path);
    free(to_path);
    free(bytes);
    return 0;
}

static struct shf_copy whole(void) {
    return (struct shf_copy){
        .from = from, .to = to, .size = FILE_BYTES, .is_whole = true, .deadline_ns = SHF_DEADLINE_NONE};
}

static void expect_copied(struct shf_copy copy, uint64_t expected) {
    uint64_t copied = 77;
    struct shf_error *error = NULL;
    if (shf_copy_run(&copy, "the source", &copied, &error)) fail_msg("%s", shf_error_message(error));
    assert_int_equal(copied, expected);
    support_expect_file(to, bytes + copy.from_offset, (size_t)expected);
    assert_int_equal(ftruncate(to, 0), 0);
}

static void expect_failure(struct shf_copy copy, shf_status status, const char *part) {
    uint64_t copied = 77;
    struct shf_error *error = NULL;
    assert_int_equal(shf_copy_run(&copy, "the source", &copied, &error), status);
    assert_int_equal(copied, 77);
    support_expect_error(error, status, part);
}

static void test_every_way(void **state) {
    (void)state;
    static const int declining[] = {EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, ETXTBSY, EBADF, EISDIR};
    clone_problem = 0;
    expect_copied(whole(), FILE_BYTES);
    clone_problem = EXDEV;
    copy_problem = 0;
    expect_copied(whole(), FILE_BYTES);
    copy_most = 100001; /* in pieces */
    expect_copied(whole(), FILE_BYTES);
    copy_most = 0; /* 0 where there are bytes */
    expect_copied(whole(), FILE_BYTES);
    for (size_t i = 0; i < SUPPORT_COUNT(declining); i++) {
        copy_problem = declining[i];
        expect_copied(whole(), FILE_BYTES);
    }
}

static void test_parts(void **state) {
    (void)state;
    struct shf_copy copy = whole();
    copy.is_whole = false;
    copy.from_offset = 1234;
    copy.size = 300000;
    clone_problem = 0; /* which would copy too much: not asked */
    for (int i = 0; i < 2; i++) {
        copy_problem = i ? 0 : EXDEV;
        expect_copied(copy, 300000);
        copy.size = 0;
        expect_copied(copy, 0);
        copy.size = FILE_BYTES; /* it ends early */
        expect_copied(copy, FILE_BYTES - 1234);
        copy.size = 300000;
    }
}

static ssize_t bad_read(int fd, void *out, size_t size, off_t offset) {
    (void)fd, (void)out, (void)size, (void)offset;
    errno = EIO;
    return -1;
}
static ssize_t bad_write(int fd, const void *data, size_t size, off_t offset) {
    (void)fd, (void)data, (void)size, (void)offset;
    errno = ENOSPC;
    return -1;
}

static void test_failures(void **state) {
    (void)state;
    static const int final[] = {ENOSPC, EIO, EFBIG};
    struct shf_copy copy = whole();
    for (size_t i = 0; i < SUPPORT_COUNT(final); i++) {
        copy_problem = final[i];
        expect_failure(copy, SHF_E_LOCAL, "cannot copy the source to a local file");
    }
    copy_problem = EXDEV;
    shf_fs.pread = bad_read;
    expect_failure(copy, SHF_E_LOCAL, "cannot read the source");
    shf_fs_reset();
    shf_fs.clone_file = fake_clone;
    shf_fs.copy_file_range = fake_copy;
    shf_fs.pwrite = bad_write;
    expect_failure(copy, SHF_E_LOCAL, "cannot write the local copy of the source: No space left on device; free space");
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    shf_cancel_request(&cancel);
    copy.cancel = &cancel;
    expect_failure(copy, SHF_E_CANCELLED, "reading the source was cancelled");
    copy.cancel = NULL;
    copy.deadline_ns = shf_clock_monotonic_ns();
    expect_failure(copy, SHF_E_DEADLINE, "time given");
}

/* ---- whole files by name ---- */

static void expect_no_copy(const char *path, shf_status status, const char *part) {
    struct shf_error *error = NULL;
    assert_int_equal(shf_copy_file(path, to, &error), status);
    support_expect_error(error, status, part);
}

static ssize_t shrink_and_copy(int source, off_t *from_offset, int target, off_t *to_offset, size_t size, unsigned flags) {
    ssize_t got = copy_file_range(source, from_offset, target, to_offset, size, flags);
    assert_int_equal(truncate(from_path, 5), 0);
    return got;
}

static void test_files_by_name(void **state) {
    (void)state;
    assert_int_equal(shf_copy_file(from_path, to, NULL), SHF_OK);
    support_expect_file(to, bytes, FILE_BYTES);
    assert_int_equal(ftruncate(to, 0), 0);
    shf_fs.copy_file_range = shrink_and_copy;
    expect_no_copy(from_path, SHF_E_STORE_RETRY, "changed while it was copied");
    char *other = support_path("%s/other", directory);
    expect_no_copy(other, SHF_E_NOT_FOUND, "cannot open");
    expect_no_copy(directory, SHF_E_LOCAL, "not a regular file");
    assert_int_equal(mkfifo(other, 0600), 0);
    expect_no_copy(other, SHF_E_LOCAL, "not a regular file");
    free(other);
}

static int looks; /* at a file, before the next one fails */
static int fail_to_look(int fd, struct stat *out) {
    if (looks-- > 0) return fstat(fd, out);
    errno = EIO;
    return -1;
}

/* A file that can not be looked at again did not change: another attempt would not help. */
static void test_a_file_that_can_not_be_looked_at(void **state) {
    (void)state;
    shf_fs.fstat = fail_to_look;
    for (looks = 0; looks < 2;) {
        int before = looks;
        expect_no_copy(from_path, SHF_E_LOCAL, "cannot look at");
        assert_int_equal(ftruncate(to, 0), 0);
        looks = before + 1;
    }
}

/* ---- mapping ---- */

static void expect_no_map(shf_runtime *runtime, const char *path, shf_status status, const char *part) {
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    assert_int_equal(shf_map_file(runtime, path, &file, &error), status);
    assert_null(file.buf);
    support_expect_error(error, status, part);
}

static void *no_map(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    (void)address, (void)size, (void)protection, (void)flags, (void)fd, (void)offset;
    errno = ENOMEM;
    return (void *)-1;
}

static void test_mapping(void **state) {
    (void)state;
    shf_runtime *runtime = support_runtime(NULL, NULL);
    struct shf_mapped_file file = {0};
    assert_int_equal(shf_map_file(runtime, from_path, &file, NULL), SHF_OK);
    assert_int_equal(file.buf->size, FILE_BYTES);
    assert_memory_equal(file.buf->data, bytes, FILE_BYTES);
    assert_int_equal(support_stats(runtime).mapped_bytes, FILE_BYTES);
    assert_int_equal(unlink(from_path), 0);
    assert_memory_equal(file.buf->data, bytes, FILE_BYTES);
    shf_buf_release(file.buf);
    file.buf = NULL;
    assert_int_equal(support_stats(runtime).mapped_bytes, 0);
    expect_no_map(runtime, from_path, SHF_E_NOT_FOUND, "cannot open");
    expect_no_map(runtime, directory, SHF_E_LOCAL, "not a regular file");
    expect_no_map(runtime, to_path, SHF_E_CORRUPT, "is empty");
    assert_int_equal(mkfifo(from_path, 0600), 0);
    expect_no_map(runtime, from_path, SHF_E_LOCAL, "not a regular file");
    assert_int_equal(ftruncate(to, 5), 0);
    shf_fs.mmap = no_map;
    expect_no_map(runtime, to_path, SHF_E_NO_MEMORY, "cannot map");
    assert_int_equal(support_stats(runtime).mapped_bytes, 0);
    support_runtime_free(runtime);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_way),     TEST(test_parts),   TEST(test_failures),
        TEST(test_files_by_name), TEST(test_mapping), TEST(test_a_file_that_can_not_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
