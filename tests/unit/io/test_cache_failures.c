/*
 * Every system call of the disk cache fails once, in turn: what comes is the right bytes or an error, and afterwards the cache
 * works as if nothing had been. And what the helpers of the seam make of short and interrupted calls.
 */
#include "cache_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_CALLS 200

static struct shf_fs_seam real;
static int calls, failing, problem; /* the failing-th call fails with problem */
static bool short_transfers;

static bool fails(void) {
    if (++calls != failing) return false;
    errno = problem;
    return true;
}

static int fail_openat(int directory, const char *path, int flags, mode_t mode) {
    return fails() ? -1 : real.openat(directory, path, flags, mode);
}
static ssize_t fail_pread(int fd, void *out, size_t size, off_t offset) {
    return fails() ? -1 : real.pread(fd, out, short_transfers && size > 7 ? 7 : size, offset);
}
static ssize_t fail_pwrite(int fd, const void *data, size_t size, off_t offset) {
    return fails() ? -1 : real.pwrite(fd, data, short_transfers && size > 7 ? 7 : size, offset);
}
static int fail_fstat(int fd, struct stat *out) { return fails() ? -1 : real.fstat(fd, out); }
static int fail_fstatat(int directory, const char *path, struct stat *out, int flags) {
    return fails() ? -1 : real.fstatat(directory, path, out, flags);
}
/* No power is lost here: the disk is not waited for. */
static int fail_fsync(int fd) {
    (void)fd;
    return fails() ? -1 : 0;
}
static int fail_ftruncate(int fd, off_t size) { return fails() ? -1 : real.ftruncate(fd, size); }
static int fail_futimens(int fd, const struct timespec times[2]) { return fails() ? -1 : real.futimens(fd, times); }
static int fail_renameat(int from_directory, const char *from, int to_directory, const char *to) {
    return fails() ? -1 : real.renameat(from_directory, from, to_directory, to);
}
static int fail_unlinkat(int directory, const char *path, int flags) {
    return fails() ? -1 : real.unlinkat(directory, path, flags);
}
static int fail_mkdirat(int directory, const char *path, mode_t mode) {
    return fails() ? -1 : real.mkdirat(directory, path, mode);
}
static int fail_flock(int fd, int operation) { return fails() ? -1 : real.flock(fd, operation); }
static void *fail_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails() ? (void *)-1 : real.mmap(address, size, protection, flags, fd, offset);
}
static DIR *fail_fdopendir(int fd) { return fails() ? NULL : real.fdopendir(fd); }
static struct dirent *fail_readdir(DIR *directory) { return fails() ? NULL : real.readdir(directory); }

static void arm(int at, int with) {
    shf_fs_reset();
    real = shf_fs;
    calls = 0;
    failing = at;
    problem = with;
    shf_fs.openat = fail_openat;
    shf_fs.pread = fail_pread;
    shf_fs.pwrite = fail_pwrite;
    shf_fs.fstat = fail_fstat;
    shf_fs.fstatat = fail_fstatat;
    shf_fs.fsync = fail_fsync;
    shf_fs.ftruncate = fail_ftruncate;
    shf_fs.futimens = fail_futimens;
    shf_fs.renameat = fail_renameat;
    shf_fs.unlinkat = fail_unlinkat;
    shf_fs.mkdirat = fail_mkdirat;
    shf_fs.flock = fail_flock;
    shf_fs.mmap = fail_mmap;
    shf_fs.fdopendir = fail_fdopendir;
    shf_fs.readdir = fail_readdir;
}

static void check_file(shf_status status, struct shf_mapped_file *file, struct shf_error *error, const char *content) {
    if (status == SHF_OK) {
        assert_int_equal(file->buf->size, strlen(content));
        assert_memory_equal(file->buf->data, content, strlen(content));
        shf_buf_release(file->buf);
        assert_null(error);
        return;
    }
    assert_null(file->buf);
    assert_int_equal(shf_error_code(error), status);
    assert_true(status == (problem == ENOMEM ? SHF_E_NO_MEMORY : SHF_E_LOCAL));
    shf_error_free(error);
}

/* A cache from the opening to the second find; a small cap, so that it is measured too. */
static shf_status run(shf_runtime *runtime, const char *path, bool *found) {
    struct shf_disk_cache *cache = NULL;
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    shf_status status = shf_disk_cache_open(runtime, path, 8, &cache, &error);
    if (status) {
        check_file(status, &file, error, "");
        return status;
    }
    status = shf_disk_cache_begin(cache, &writer, &error);
    if (!status && shf_fs_write(writer.fd, "hello world", 11, 0) != 0) { /* as a download that can not be written */
        shf_disk_cache_abort(&writer);
        status = shf_fs_error(&error, SHF_E_LOCAL, errno, "cannot write");
    } else if (!status) {
        status = shf_disk_cache_commit(&writer, &key, "shard", &file, &error);
    }
    check_file(status, &file, error, "hello world");
    file.buf = NULL;
    error = NULL;
    *found = false;
    shf_status second = shf_disk_cache_find(cache, &key, "shard", found, &file, &error);
    if (second || *found) check_file(second, &file, error, "hello world");
    shf_disk_cache_release(cache);
    return status ? status : second;
}

static void fail_each_call(int with) {
    shf_runtime *runtime = support_runtime(NULL, NULL);
    int at;
    bool found;
    for (at = 1; at < MOST_CALLS; at++) {
        char *parent = support_directory(), *path = support_path("%s/cache", parent);
        arm(at, with);
        shf_status status = run(runtime, path, &found);
        bool over = calls < at;
        if (over) assert_true(status == SHF_OK && found);
        arm(0, 0); /* and again, without failures: all is well, and nothing is left behind */
        assert_int_equal(run(runtime, path, &found), SHF_OK);
        assert_true(found);
        struct cache_test t = {.path = path};
        assert_int_equal(cache_count(&t, ""), 3);
        support_remove(parent);
        free(path);
        if (over) break;
    }
    shf_fs_reset();
    assert_in_range(at, 25, MOST_CALLS - 1);
    assert_int_equal(support_stats(runtime).mapped_bytes, 0);
    support_runtime_free(runtime);
}

static void test_each_call_finds_no_space(void **state) {
    (void)state;
    fail_each_call(ENOSPC);
}
static void test_each_call_meets_a_bad_disk(void **state) {
    (void)state;
    fail_each_call(EIO);
}
static void test_each_call_finds_no_memory(void **state) {
    (void)state;
    fail_each_call(ENOMEM);
}

static void test_short_transfers(void **state) {
    (void)state;
    shf_runtime *runtime = support_runtime(NULL, NULL);
    char *parent = support_directory(), *path = support_path("%s/cache", parent);
    bool found = false;
    short_transfers = true;
    arm(0, 0);
    assert_int_equal(run(runtime, path, &found), SHF_OK);
    assert_true(found);
    short_transfers = false;
    shf_fs_reset();
    support_runtime_free(runtime);
    support_remove(parent);
    free(path);
}

/* ---- the helpers ---- */

static void test_interrupted_calls_go_on(void **state) {
    (void)state;
    char *directory = support_directory(), *path = support_path("%s/f", directory);
    char bytes[8] = "";
    arm(1, EINTR);
    int fd = shf_fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    arm(1, EINTR);
    assert_int_equal(shf_fs_write(fd, "hello", 5, 0), 0);
    arm(1, EINTR);
    assert_int_equal(shf_fs_read(fd, bytes, sizeof bytes, 0), 5); /* to the end of the file */
    assert_string_equal(bytes, "hello");
    arm(1, EINTR);
    assert_int_equal(shf_fs_sync(fd), 0);
    arm(1, EINTR);
    assert_int_equal(shf_fs_truncate(fd, 2), 0);
    arm(1, EINTR);
    assert_int_equal(shf_fs_lock(fd, 1), 0);
    arm(1, EIO);
    assert_int_equal(shf_fs_write(fd, "hello", 5, 0), -1);
    arm(1, EIO);
    assert_int_equal(shf_fs_read(fd, bytes, 2, 0), -1);
    assert_int_equal(errno, EIO);
    errno = ENOSPC;
    shf_fs_close(fd);
    assert_int_equal(errno, ENOSPC);
    shf_fs_reset();
    support_remove(directory);
    free(path);
}

static ssize_t write_nothing(int fd, const void *data, size_t size, off_t offset) {
    (void)fd, (void)data, (void)size, (void)offset;
    return 0;
}

static void test_a_write_without_progress(void **state) {
    (void)state;
    shf_fs.pwrite = write_nothing;
    assert_int_equal(shf_fs_write(1, "x", 1, 0), -1);
    assert_int_equal(errno, ENOSPC);
    shf_fs_reset();
}

static void test_messages(void **state) {
    (void)state;
    static const struct {
        int problem;
        shf_status meaning;
        const char *advice;
    } cases[] = {{ENOENT, SHF_E_NOT_FOUND, "No such file"},    {ENOTDIR, SHF_E_NOT_FOUND, "Not a directory"},
                 {EACCES, SHF_E_ACCESS, "check owner"},        {EPERM, SHF_E_ACCESS, "check owner"},
                 {ENOSPC, SHF_E_LOCAL, "free space there"},    {EDQUOT, SHF_E_LOCAL, "free space there"},
                 {EMFILE, SHF_E_LOCAL, "ulimit -n"},           {EROFS, SHF_E_LOCAL, "choose another place"},
                 {EIO, SHF_E_LOCAL, "check the disk"},         {EISDIR, SHF_E_LOCAL, "a directory is in its place"},
                 {ENOMEM, SHF_E_NO_MEMORY, "vm.max_map_count"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_error *error = NULL;
        shf_status code = cases[i].problem == ENOMEM ? SHF_E_NO_MEMORY : SHF_E_CORRUPT;
        assert_int_equal(shf_fs_status(cases[i].problem), cases[i].meaning);
        assert_int_equal(shf_fs_error(&error, SHF_E_CORRUPT, cases[i].problem, "about %s", "x"), code);
        assert_int_equal(strncmp(shf_error_message(error), "about x: ", 9), 0);
        support_expect_error(error, code, cases[i].advice);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_finds_no_space),
        cmocka_unit_test(test_each_call_meets_a_bad_disk),
        cmocka_unit_test(test_each_call_finds_no_memory),
        cmocka_unit_test(test_short_transfers),
        cmocka_unit_test(test_interrupted_calls_go_on),
        cmocka_unit_test(test_a_write_without_progress),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
