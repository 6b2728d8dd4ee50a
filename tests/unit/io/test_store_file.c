/* file:///: objects, ranges and listings of the local file system, and what is in the way. */
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory, *path; /* path: of the object "object" */
static const char *key;        /* its key */
static shf_runtime *runtime;
static struct shf_store *store;
static struct support_call call;

static int begin(void **state) {
    (void)state;
    directory = support_directory();
    path = support_path("%s/object", directory);
    key = path + 1;
    runtime = support_runtime(NULL, NULL);
    assert_int_equal(shf_store_file_new(runtime, &store, NULL), SHF_OK);
    support_call_init(&call, SHF_STORE_GET, key);
    return 0;
}

static int end(void **state) {
    (void)state;
    support_call_clear(&call);
    shf_store_release(store);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
    support_runtime_free(runtime);
    shf_fs_reset();
    support_remove(directory);
    free(path);
    return 0;
}

/* The next call, after one that ended. */
static void again(enum shf_store_verb verb, const char *next_key) {
    support_call_clear(&call);
    support_call_init(&call, verb, next_key);
}

static void ask_range(uint64_t offset, uint64_t size) {
    again(SHF_STORE_GET, key);
    call.request.has_range = true;
    call.request.range_offset = offset;
    call.request.range_size = size;
    (void)support_ask(store, &call);
}

static void expect_body(const char *body) {
    if (call.request.status) fail_msg("%s", shf_error_message(call.request.error));
    assert_int_equal(call.request.body->size, strlen(body));
    assert_memory_equal(call.request.body->data, body, strlen(body));
    assert_int_equal(call.request.body_size, strlen(body));
}

static void test_whole(void **state) {
    (void)state;
    struct stat found;
    support_write_text(path, "hello");
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    expect_body("hello");
    assert_int_equal(call.request.object_size, 5);
    assert_int_equal(call.request.modified_ns, shf_fs_modified_ns(&found));
    assert_int_equal(call.request.inode, found.st_ino);
    assert_null(call.request.etag);
    assert_false(call.request.has_md5);
    again(SHF_STORE_HEAD, key);
    call.request.max_bytes = 0;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.object_size, 5);
    assert_int_equal(call.request.body_size, 0);
    assert_null(call.request.body);
    assert_int_equal(support_stats(runtime).store_requests, 2);
    assert_int_equal(support_stats(runtime).downloaded_bytes, 5);
    assert_string_equal(store->root_url, "file:///");
    assert_string_equal(store->endpoint, "");
}

static void test_ranges(void **state) {
    (void)state;
    support_write_text(path, "0123456789");
    ask_range(3, 4);
    expect_body("3456");
    assert_int_equal(call.request.object_size, 10);
    ask_range(0, 10);
    expect_body("0123456789");
    ask_range(10, 0);
    expect_body("");
    static const uint64_t bad[][2] = {{0, 11}, {10, 1}, {11, 0}, {UINT64_MAX, 2}, {2, UINT64_MAX}};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        ask_range(bad[i][0], bad[i][1]);
        support_expect_failure(&call, SHF_E_STORE, "shorter than the range");
    }
}

static void test_limits(void **state) {
    (void)state;
    support_write_text(path, "hello");
    call.request.max_bytes = 4;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LIMIT, "5 bytes are more than the 4");
    again(SHF_STORE_GET, key);
    call.request.max_bytes = 5;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    again(SHF_STORE_GET, key); /* the budget comes before the memory */
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NO_MEMORY, "memory_budget_bytes");
    again(SHF_STORE_GET, key);
    call.request.if_match = "\"x\"";
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_STORE, "files have no ETag");
    assert_int_equal(shf_error_http_status(call.request.error), 412);
}

static void test_an_empty_file(void **state) {
    (void)state;
    support_write_text(path, "");
    assert_int_equal(support_ask(store, &call), SHF_OK);
    expect_body("");
    assert_int_equal(call.request.object_size, 0);
}

static void test_to_a_file(void **state) {
    (void)state;
    uint8_t *bytes = support_pattern(700000, 4);
    char *copy = support_path("%s/copy", directory);
    int fd = support_open_new(copy);
    support_write(path, bytes, 700000);
    call.request.body_fd = fd;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_null(call.request.body);
    assert_int_equal(call.request.body_size, 700000);
    support_expect_file(fd, bytes, 700000);
    assert_int_equal(ftruncate(fd, 0), 0);
    again(SHF_STORE_GET, key);
    call.request.body_fd = fd;
    call.request.has_range = true;
    call.request.range_offset = 12345;
    call.request.range_size = 400000;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    support_expect_file(fd, bytes + 12345, 400000);
    assert_int_equal(close(fd), 0);
    free(copy);
    free(bytes);
}

static void test_what_is_no_object(void **state) {
    (void)state;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "cannot open file:///");
    assert_non_null(strstr(shf_error_object(call.request.error), path));
    again(SHF_STORE_HEAD, key);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "cannot open");
    again(SHF_STORE_GET, directory + 1);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "is a directory");
    assert_int_equal(mkfifo(path, 0600), 0); /* and nobody hangs */
    again(SHF_STORE_GET, key);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("object", path), 0); /* round and round */
    again(SHF_STORE_GET, key);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "cannot open");
    assert_int_equal(unlink(path), 0);
    char *target = support_path("%s/target", directory);
    support_write_text(target, "through a link");
    assert_int_equal(symlink(target, path), 0); /* the user's own file system: followed */
    again(SHF_STORE_GET, key);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    expect_body("through a link");
    again(SHF_STORE_GET, key); /* a file where a directory is meant */
    char *below = support_path("%s/below", path);
    call.request.key = below + 1;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_NOT_FOUND, "cannot open");
    free(target);
    again(SHF_STORE_GET, key);
    free(below);
}

static int no_permission(int at, const char *name, int flags, mode_t mode) {
    (void)at, (void)name, (void)flags, (void)mode;
    errno = EACCES;
    return -1;
}

static void test_permissions(void **state) {
    (void)state;
    support_write_text(path, "hello");
    shf_fs.openat = no_permission; /* by the seam: root may read everything */
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "check owner and permissions");
    char *prefix = support_path("%s/", directory + 1);
    again(SHF_STORE_LIST, prefix);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "cannot list");
    again(SHF_STORE_GET, key);
    free(prefix);
}

static void test_names_that_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"/etc/passwd",         "", "..", "../etc/passwd", "a/../b", "a/..",
                                      "tmp/../../etc/passwd"};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        again(SHF_STORE_GET, bad[i]);
        (void)support_ask(store, &call);
        support_expect_failure(&call, SHF_E_INVALID, "can not be the name of an object");
        char *local = store->class->local_path(store, bad[i]);
        if (*bad[i]) assert_null(local);
        shf_free(local);
    }
    again(SHF_STORE_LIST, "tmp/../");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_INVALID, "can not be the name");
    again(SHF_STORE_LIST, "tmp");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_INVALID, "ends in a slash");
    char *local = store->class->local_path(store, "a..b/..c/d..");
    assert_string_equal(local, "/a..b/..c/d..");
    shf_free(local);
}

static void test_listings(void **state) {
    (void)state;
    static const char *const files[] = {"b", "a b", "\xc3\xa9", "B", "zz"};
    char *prefix = support_path("%s/", directory + 1), *name;
    for (size_t i = 0; i < SUPPORT_COUNT(files); i++) {
        name = support_path("%s/%s", directory, files[i]);
        support_write_text(name, "x");
        free(name);
    }
    name = support_path("%s/dir", directory);
    assert_int_equal(mkdir(name, 0700), 0);
    char *link = support_path("%s/link-to-dir", directory);
    assert_int_equal(symlink(name, link), 0);
    free(link);
    free(name);
    name = support_path("%s/dangling", directory);
    assert_int_equal(symlink("/nonexistent/x", name), 0);
    free(name);
    name = support_path("%s/fifo", directory);
    assert_int_equal(mkfifo(name, 0600), 0);
    free(name);
    again(SHF_STORE_LIST, prefix);
    call.request.max_bytes = 0;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    static const char *const expected[] = {"B", "a b", "b", "dir/", "link-to-dir/", "zz", "\xc3\xa9"};
    assert_int_equal(call.request.name_count, SUPPORT_COUNT(expected));
    for (size_t i = 0; i < SUPPORT_COUNT(expected); i++) assert_string_equal(call.request.names[i], expected[i]);
    name = support_path("%s/link-to-file", directory);
    assert_int_equal(symlink("zz", name), 0);
    free(name);
    assert_int_equal(support_expect_versions(store, prefix), 6);
    assert_int_equal(support_expect_versions(store, "no/such/directory/"), 0);
    again(SHF_STORE_LIST, "no/such/directory/"); /* as an object store: no names */
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 0);
    again(SHF_STORE_LIST, ""); /* the root */
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_true(call.request.name_count > 0);
    free(prefix);
}

static int stat_problem;
static int bad_fstatat(int at, const char *name, struct stat *out, int flags) {
    (void)at, (void)name, (void)out, (void)flags;
    errno = stat_problem;
    return -1;
}

/* A file that is looked at for its version only is gone, hidden, or not to be read. */
static void test_versions_that_can_not_be_told(void **state) {
    (void)state;
    char *prefix = support_path("%s/", directory + 1);
    support_write_text(path, "hello");
    shf_fs.fstatat = bad_fstatat;
    for (int wants = 0; wants < 2; wants++) {
        stat_problem = EACCES;
        again(SHF_STORE_LIST, prefix);
        call.request.wants_versions = wants;
        assert_int_equal(support_ask(store, &call), SHF_OK);
        assert_int_equal(call.request.name_count, 1);
        assert_string_equal(call.request.names[0], "object");
        assert_int_equal(call.request.versions != NULL, wants);
        if (wants) assert_null(call.request.versions[0]);
    }
    stat_problem = ENOENT;
    again(SHF_STORE_LIST, prefix);
    call.request.wants_versions = true;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 0);
    stat_problem = EIO;
    again(SHF_STORE_LIST, prefix);
    call.request.wants_versions = true;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "cannot look at");
    assert_null(call.request.names);
    assert_null(call.request.versions);
    again(SHF_STORE_GET, key);
    free(prefix);
}

static struct dirent *bad_readdir(DIR *names) {
    (void)names;
    errno = EIO;
    return NULL;
}

static void test_a_listing_that_breaks_off(void **state) {
    (void)state;
    char *prefix = support_path("%s/", directory + 1);
    shf_fs.readdir = bad_readdir;
    again(SHF_STORE_LIST, prefix);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "cannot list");
    assert_null(call.request.names);
    again(SHF_STORE_GET, key);
    free(prefix);
}

/* ---- a writer that does not wait for us ---- */

static ssize_t (*real_pread)(int, void *, size_t, off_t);

static ssize_t shrink_then_read(int fd, void *out, size_t size, off_t offset) {
    assert_int_equal(truncate(path, 3), 0);
    return real_pread(fd, out, size, offset);
}
static ssize_t read_then_touch(int fd, void *out, size_t size, off_t offset) {
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ssize_t got = real_pread(fd, out, size, offset);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    return got;
}
static int no_clone(int to, int from) {
    (void)to, (void)from;
    errno = EOPNOTSUPP;
    return -1;
}
static ssize_t no_copy(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags) {
    (void)from, (void)from_offset, (void)to, (void)to_offset, (void)size, (void)flags;
    errno = EXDEV;
    return -1;
}

static void test_files_that_change(void **state) {
    (void)state;
    char *copy = support_path("%s/copy", directory);
    int fd = support_open_new(copy);
    real_pread = shf_fs.pread;
    shf_fs.clone_file = no_clone;
    shf_fs.copy_file_range = no_copy;
    for (int i = 0; i < 4; i++) {
        support_write_text(path, "hello");
        shf_fs.pread = i % 2 ? read_then_touch : shrink_then_read;
        again(SHF_STORE_GET, key);
        call.request.body_fd = i < 2 ? -1 : fd;
        (void)support_ask(store, &call);
        support_expect_failure(&call, SHF_E_STORE_RETRY, "changed while it was read; try again");
        assert_int_equal(call.request.body_size, 0);
    }
    assert_int_equal(close(fd), 0);
    free(copy);
}

static void test_tokens_and_deadlines(void **state) {
    (void)state;
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    shf_cancel_request(&cancel);
    support_write_text(path, "hello");
    call.request.cancel = &cancel;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_CANCELLED, "was cancelled");
    again(SHF_STORE_GET, key);
    call.request.deadline_ns = shf_clock_monotonic_ns() - 1;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE, "time given");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_whole),
        TEST(test_ranges),
        TEST(test_limits),
        TEST(test_an_empty_file),
        TEST(test_to_a_file),
        TEST(test_what_is_no_object),
        TEST(test_permissions),
        TEST(test_names_that_are_refused),
        TEST(test_listings),
        TEST(test_versions_that_can_not_be_told),
        TEST(test_a_listing_that_breaks_off),
        TEST(test_files_that_change),
        TEST(test_tokens_and_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
