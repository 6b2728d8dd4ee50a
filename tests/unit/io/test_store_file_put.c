/* Writing to file:///: whole or not at all, on conditions, under other hands, and with each system call failing. */
#include "support.h"

#include "base/clock.h"
#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_CALLS 200

static char *directory, *path, *source_path; /* path: of the object "a/b/object" */
static const char *key;
static int source_fd;
static shf_runtime *runtime;
static struct shf_store *store;
static struct support_call call;
static mode_t old_mask;

static int begin(void **state) {
    (void)state;
    old_mask = umask(022);
    directory = support_directory();
    path = support_path("%s/a/b/object", directory);
    source_path = support_path("%s/source", directory);
    source_fd = -1;
    key = path + 1;
    runtime = support_runtime(NULL, NULL);
    assert_int_equal(shf_store_file_new(runtime, &store, NULL), SHF_OK);
    support_call_init(&call, SHF_STORE_PUT, key);
    return 0;
}

static int end(void **state) {
    (void)state;
    shf_fs_reset();
    support_call_clear(&call);
    shf_store_release(store);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
    support_runtime_free(runtime);
    if (source_fd >= 0) assert_int_equal(close(source_fd), 0);
    support_remove(directory);
    free(path);
    free(source_path);
    (void)umask(old_mask);
    return 0;
}

static void again(enum shf_store_verb verb, const char *next_key) {
    support_call_clear(&call);
    support_call_init(&call, verb, next_key);
}

static shf_status put(const char *text, const char *if_version) {
    again(SHF_STORE_PUT, key);
    call.request.data = text;
    call.request.data_size = strlen(text);
    call.request.if_version = if_version;
    return support_ask(store, &call);
}

/* From the source, which is opened anew with this content and mode. */
static shf_status put_source(const char *text, mode_t mode, bool by_path, const char *if_version) {
    if (source_fd >= 0) assert_int_equal(close(source_fd), 0);
    (void)unlink(source_path);
    source_fd = open(source_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_int_equal(write(source_fd, text, strlen(text)), strlen(text));
    again(SHF_STORE_PUT, key);
    call.request.has_source = true;
    call.request.source_fd = source_fd;
    call.request.data_size = strlen(text);
    call.request.source_path = by_path ? source_path : NULL;
    call.request.if_version = if_version;
    return support_ask(store, &call);
}

static void expect_object(const char *text) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail_msg("%s is not there", path);
    support_expect_file(fd, text, strlen(text));
    assert_int_equal(close(fd), 0);
}

/* What is in the directory of the object, but for the lock. */
static unsigned count_names(void) {
    char *folder = support_path("%s/a/b", directory);
    unsigned count = 0;
    DIR *names = opendir(folder);
    for (const struct dirent *entry; names && (entry = readdir(names)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 strcmp(entry->d_name, ".shardy-lock") != 0;
    }
    if (names) (void)closedir(names);
    free(folder);
    return count;
}

static bool is_there(const char *what) {
    struct stat found;
    char *name = support_path("%s/%s", directory, what);
    bool there = lstat(name, &found) == 0;
    free(name);
    return there;
}

static void test_put(void **state) {
    (void)state;
    struct stat found;
    assert_int_equal(put("hello", NULL), SHF_OK);
    expect_object("hello");
    assert_int_equal(count_names(), 1);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0644);
    assert_int_equal(call.request.object_size, 5);
    assert_int_equal(shf_rt_counters(runtime)->uploaded_bytes, 5);
    assert_int_equal(call.request.inode, found.st_ino);
    assert_int_equal(call.request.modified_ns, shf_fs_modified_ns(&found));
    assert_null(call.request.etag);
    assert_false(call.request.condition_ignored);
    char *version = strdup(call.request.version);
    again(SHF_STORE_HEAD, key);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_string_equal(call.request.version, version);
    again(SHF_STORE_GET, key);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_string_equal(call.request.version, version);
    assert_int_equal(put("HELLO", NULL), SHF_OK); /* the same size, perhaps within the same tick */
    assert_string_not_equal(call.request.version, version);
    expect_object("HELLO");
    free(version);
    assert_int_equal(put("", NULL), SHF_OK);
    expect_object("");
    char *parent = support_path("%s/a", directory);
    assert_int_equal(stat(parent, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0755);
    free(parent);
}

static void test_put_of_much(void **state) {
    (void)state;
    const size_t size = (17u << 20) + 3;
    uint8_t *bytes = support_pattern(size, 5);
    call.request.data = bytes;
    call.request.data_size = size;
    assert_int_equal(support_ask(store, &call), SHF_OK);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    support_expect_file(fd, bytes, size);
    assert_int_equal(close(fd), 0);
    free(bytes);
}

static void test_a_source_is_taken(void **state) {
    (void)state;
    struct stat source, found;
    assert_int_equal(put_source("taken", 0600, true, NULL), SHF_OK);
    expect_object("taken");
    assert_int_equal(fstat(source_fd, &source), 0);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(source.st_ino, found.st_ino); /* the very file */
    assert_int_equal(call.request.inode, found.st_ino);
    assert_int_equal(found.st_mode & 07777, 0644); /* of an object */
    assert_false(is_there("source"));
    assert_int_equal(count_names(), 1);
    assert_int_equal(put_source("again", 0600, true, ""), SHF_E_STORE);
    assert_true(is_there("source")); /* not lost where nothing was written */
    expect_object("taken");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(put_source("linked", 0600, true, ""), SHF_OK);
    assert_false(is_there("source"));
    expect_object("linked");
}

static void expect_copy(void) {
    struct stat source, found;
    if (call.request.status) fail_msg("%s", shf_error_message(call.request.error));
    assert_int_equal(fstat(source_fd, &source), 0);
    assert_int_equal(stat(path, &found), 0);
    assert_int_not_equal(source.st_ino, found.st_ino);
    assert_int_equal(call.request.inode, found.st_ino);
    assert_true(is_there("source"));
    assert_int_equal(count_names(), 1);
}

static int cross_device(int from_directory, const char *from, int to_directory, const char *to) {
    if (strstr(from, "source")) {
        errno = EXDEV;
        return -1;
    }
    return renameat(from_directory, from, to_directory, to);
}

static void test_a_source_is_copied(void **state) {
    (void)state;
    (void)put_source("no path", 0600, false, NULL);
    expect_copy();
    expect_object("no path");
    char *other = support_path("%s/other", directory);
    (void)put_source("x", 0600, true, NULL);
    (void)put_source("a name more", 0600, false, NULL); /* a second name, which may be written through */
    assert_int_equal(link(source_path, other), 0);
    again(SHF_STORE_PUT, key);
    call.request.has_source = true;
    call.request.source_fd = source_fd;
    call.request.source_path = source_path;
    call.request.data_size = 11;
    (void)support_ask(store, &call);
    expect_copy();
    assert_int_equal(unlink(other), 0);
    again(SHF_STORE_PUT, key); /* another file lies at the path */
    assert_int_equal(rename(source_path, other), 0);
    support_write_text(source_path, "a name more");
    call.request.has_source = true;
    call.request.source_fd = source_fd;
    call.request.source_path = source_path;
    call.request.data_size = 11;
    (void)support_ask(store, &call);
    expect_copy();
    again(SHF_STORE_PUT, key); /* a part of it */
    call.request.has_source = true;
    call.request.source_fd = source_fd;
    call.request.source_path = other;
    call.request.data_size = 6;
    (void)support_ask(store, &call);
    expect_copy();
    expect_object("a name");
    shf_fs.renameat = cross_device;
    (void)put_source("moved", 0600, true, NULL);
    expect_copy();
    expect_object("moved");
    again(SHF_STORE_PUT, key); /* more than it has */
    call.request.has_source = true;
    call.request.source_fd = source_fd;
    call.request.data_size = 6;
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_LOCAL, "its source has 5 of its 6 bytes");
    expect_object("moved");
    assert_int_equal(count_names(), 1);
    free(other);
}

static void expect_condition_failed(const char *says) {
    support_expect_failure(&call, SHF_E_STORE, says);
    assert_int_equal(shf_error_http_status(call.request.error), 412);
    assert_null(call.request.version);
    assert_true(count_names() <= 1);
}

static void test_conditions(void **state) {
    (void)state;
    char *versions[3];
    (void)put("new", "1-2-3");
    expect_condition_failed("the object that it was to replace is gone");
    assert_int_equal(put("one", ""), SHF_OK);
    versions[0] = strdup(call.request.version);
    (void)put("two", "");
    expect_condition_failed("there is an object already");
    assert_int_equal(put("two", versions[0]), SHF_OK);
    versions[1] = strdup(call.request.version);
    (void)put("three", versions[0]);
    expect_condition_failed("the object is not what it was");
    expect_object("two");
    assert_int_equal(put_source("three", 0644, true, versions[1]), SHF_OK);
    versions[2] = strdup(call.request.version);
    (void)put_source("four", 0644, true, versions[1]);
    expect_condition_failed("the object is not what it was");
    assert_int_equal(put("four", NULL), SHF_OK); /* who asks for nothing replaces it */
    (void)put("five", versions[2]);
    expect_condition_failed("the object is not what it was");
    expect_object("four");
    assert_true(is_there("a/b/.shardy-lock"));
    for (int i = 0; i < 3; i++) free(versions[i]);
}

static int no_link(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    (void)from_directory, (void)from, (void)to_directory, (void)to, (void)flags;
    errno = EPERM;
    return -1;
}

static void test_a_file_system_without_links(void **state) {
    (void)state;
    shf_fs.linkat = no_link;
    assert_int_equal(put("one", ""), SHF_OK);
    (void)put("two", "");
    expect_condition_failed("there is an object already");
    expect_object("one");
}

/* Somebody who asks for nothing comes between the look and the rename. */
static int link_too_late(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    support_write_text(path, "theirs");
    return linkat(from_directory, from, to_directory, to, flags);
}

static void test_another_writer_is_faster(void **state) {
    (void)state;
    shf_fs.linkat = link_too_late;
    (void)put("ours", "");
    expect_condition_failed("there is an object already");
    expect_object("theirs");
}

static void test_the_lock_is_waited_for(void **state) {
    (void)state;
    struct shf_cancel cancel;
    assert_int_equal(put("one", ""), SHF_OK);
    char *lock = support_path("%s/a/b/.shardy-lock", directory);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    again(SHF_STORE_PUT, key);
    call.request.if_version = "";
    call.request.deadline_ns = shf_deadline_after_ms(30);
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_DEADLINE, "time given to the operation is over");
    again(SHF_STORE_PUT, key);
    shf_cancel_init(&cancel);
    call.request.if_version = "";
    call.request.cancel = &cancel;
    support_submit(store, &call);
    shf_cancel_request(&cancel);
    (void)support_wait(&call);
    support_expect_failure(&call, SHF_E_CANCELLED, "cancelled");
    assert_int_equal(put("two", NULL), SHF_OK); /* does not take it */
    again(SHF_STORE_PUT, key);
    call.request.if_version = "";
    support_submit(store, &call);
    assert_int_equal(flock(fd, LOCK_UN), 0);
    (void)support_wait(&call);
    expect_condition_failed("there is an object already");
    assert_int_equal(count_names(), 1);
    assert_int_equal(close(fd), 0);
    free(lock);
}

static void test_names(void **state) {
    (void)state;
    static const char *const bad[] = {"",      "/a",    "a/../b", "a/", "tmp/.shardy-lock", "tmp/.shardy-tmp-1",
                                      "tmp/.", "tmp/.."};
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        again(SHF_STORE_PUT, bad[i]);
        (void)support_ask(store, &call);
        support_expect_failure(&call, SHF_E_INVALID, "can not be the name of an object");
    }
    char *odd = support_path("%s//c///d e=+/\xc3\xa4", directory + 1);
    again(SHF_STORE_PUT, odd);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_true(is_there("c/d e=+/\xc3\xa4"));
    free(odd);
}

static void test_own_names_are_not_listed(void **state) {
    (void)state;
    assert_int_equal(put("x", ""), SHF_OK);
    char *temporary = support_path("%s/a/b/.shardy-tmp-0123456789abcdef", directory);
    char *prefix = support_path("%s/a/b/", directory + 1);
    support_write_text(temporary, "left behind");
    again(SHF_STORE_LIST, prefix);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 1);
    assert_string_equal(call.request.names[0], "object");
    free(temporary);
    free(prefix);
}

static void test_what_is_in_the_way(void **state) {
    (void)state;
    char *parent = support_path("%s/a", directory);
    support_write_text(parent, "a file");
    (void)put("x", NULL);
    support_expect_failure(&call, SHF_E_LOCAL, "a file is where a directory has to be");
    assert_int_equal(unlink(parent), 0);
    char *inner = support_path("%s/x", path);
    again(SHF_STORE_PUT, inner + 1);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    (void)put("x", NULL);
    support_expect_failure(&call, SHF_E_LOCAL, "a directory is in its place");
    if (geteuid() != 0) {
        char *folder = support_path("%s/a/b", directory);
        assert_int_equal(chmod(folder, 0555), 0);
        (void)put("x", NULL);
        support_expect_failure(&call, SHF_E_ACCESS, "check owner and permissions");
        assert_int_equal(chmod(folder, 0755), 0);
        free(folder);
    }
    free(parent);
    free(inner);
}

/* ---- removing ---- */

static shf_status delete_it(void) {
    again(SHF_STORE_DELETE, key);
    return support_ask(store, &call);
}

static void test_delete(void **state) {
    (void)state;
    assert_int_equal(delete_it(), SHF_OK); /* not there: no error */
    assert_int_equal(put("x", NULL), SHF_OK);
    support_write_text(source_path, "keeps the directory");
    assert_int_equal(delete_it(), SHF_OK);
    assert_false(is_there("a")); /* its directories went with it */
    assert_true(is_there("source"));
    assert_int_equal(put("x", NULL), SHF_OK);
    char *sibling = support_path("%s/a/sibling", directory);
    support_write_text(sibling, "x");
    assert_int_equal(delete_it(), SHF_OK);
    assert_false(is_there("a/b"));
    assert_true(is_there("a/sibling"));
    again(SHF_STORE_DELETE, sibling + 1);
    char *folder = support_path("%s/a", directory); /* a directory is no object */
    again(SHF_STORE_DELETE, folder + 1);
    assert_int_equal(support_ask(store, &call), SHF_OK);
    assert_true(is_there("a/sibling"));
    again(SHF_STORE_DELETE, "tmp/../x");
    (void)support_ask(store, &call);
    support_expect_failure(&call, SHF_E_INVALID, "can not be the name");
    free(sibling);
    free(folder);
}

static void *delete_others(void *context) {
    struct support_call other;
    const atomic_bool *stop = context;
    char *other_key = support_path("%s/a/b/other", directory + 1);
    while (!atomic_load(stop)) {
        support_call_init(&other, SHF_STORE_PUT, other_key);
        (void)support_ask(store, &other);
        support_call_clear(&other);
        support_call_init(&other, SHF_STORE_DELETE, other_key);
        (void)support_ask(store, &other);
        support_call_clear(&other);
    }
    free(other_key);
    return NULL;
}

/* Directories vanish all the time; each PUT makes them again. */
static void test_directories_that_vanish(void **state) {
    (void)state;
    atomic_bool stop = false;
    pthread_t thread;
    support_write_text(source_path, "keeps the directory of the test");
    assert_int_equal(pthread_create(&thread, NULL, delete_others, &stop), 0);
    for (int i = 0; i < 300; i++) {
        if (put("x", NULL)) fail_msg("%d: %s", i, shf_error_message(call.request.error));
        if (delete_it()) fail_msg("%d: %s", i, shf_error_message(call.request.error));
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(is_there("a"));
}

/* Many writers, one place: each version is replaced by exactly one of them. */
static void test_one_of_many_wins(void **state) {
    (void)state;
    enum { WRITERS = 16 };
    static struct support_call calls[WRITERS];
    static char texts[WRITERS][8];
    for (int round = 0; round < 20; round++) {
        char *version = round ? strdup(call.request.version) : strdup("");
        int won = 0;
        for (int i = 0; i < WRITERS; i++) {
            (void)snprintf(texts[i], sizeof texts[i], "%d", i);
            support_call_init(&calls[i], SHF_STORE_PUT, key);
            calls[i].request.data = texts[i];
            calls[i].request.data_size = strlen(texts[i]);
            calls[i].request.if_version = version;
            support_submit(store, &calls[i]);
        }
        for (int i = 0; i < WRITERS; i++) {
            if (support_wait(&calls[i]) == SHF_OK) {
                won++;
                expect_object(texts[i]);
            } else {
                assert_int_equal(shf_error_http_status(calls[i].request.error), 412);
            }
            support_call_clear(&calls[i]);
        }
        assert_int_equal(won, 1);
        again(SHF_STORE_HEAD, key);
        assert_int_equal(support_ask(store, &call), SHF_OK);
        free(version);
    }
}

/* ---- each call fails ---- */

static struct shf_fs_seam real;
static atomic_int calls, failing; /* the failing-th call fails with problem */
static int problem;

static bool fails(void) {
    if (atomic_fetch_add(&calls, 1) + 1 != atomic_load(&failing)) return false;
    errno = problem;
    return true;
}
static int fail_openat(int at, const char *name, int flags, mode_t mode) {
    return fails() ? -1 : real.openat(at, name, flags, mode);
}
static ssize_t fail_pread(int fd, void *out, size_t size, off_t offset) {
    return fails() ? -1 : real.pread(fd, out, size, offset);
}
static ssize_t fail_pwrite(int fd, const void *data, size_t size, off_t offset) {
    return fails() ? -1 : real.pwrite(fd, data, size, offset);
}
/* Looking is never interrupted. */
static int fail_fstat(int fd, struct stat *out) { return problem != EINTR && fails() ? -1 : real.fstat(fd, out); }
static int fail_fstatat(int at, const char *name, struct stat *out, int flags) {
    return problem != EINTR && fails() ? -1 : real.fstatat(at, name, out, flags);
}
static int fail_fsync(int fd) { /* no power is lost here: the disk is not waited for */
    (void)fd;
    return fails() ? -1 : 0;
}
static int fail_fchmod(int fd, mode_t mode) { return fails() ? -1 : real.fchmod(fd, mode); }
static int fail_futimens(int fd, const struct timespec times[2]) { return fails() ? -1 : real.futimens(fd, times); }
static int fail_renameat(int from_at, const char *from, int to_at, const char *to) {
    return fails() ? -1 : real.renameat(from_at, from, to_at, to);
}
static int fail_linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    return fails() ? -1 : real.linkat(from_at, from, to_at, to, flags);
}
static int fail_unlinkat(int at, const char *name, int flags) { return fails() ? -1 : real.unlinkat(at, name, flags); }
static int fail_mkdirat(int at, const char *name, mode_t mode) { return fails() ? -1 : real.mkdirat(at, name, mode); }
static int fail_flock(int fd, int operation) { return fails() ? -1 : real.flock(fd, operation); }
static ssize_t no_copy(int from, off_t *from_offset, int to, off_t *to_offset, size_t size, unsigned flags) {
    (void)from, (void)from_offset, (void)to, (void)to_offset, (void)size, (void)flags;
    errno = EXDEV; /* so that it goes through a buffer */
    return -1;
}
static int no_clone(int to, int from) {
    (void)to, (void)from;
    errno = EOPNOTSUPP;
    return -1;
}

static void arm(int at, int with) {
    shf_fs_reset();
    real = shf_fs;
    atomic_store(&calls, 0);
    atomic_store(&failing, at);
    problem = with;
    shf_fs.openat = fail_openat;
    shf_fs.pread = fail_pread;
    shf_fs.pwrite = fail_pwrite;
    shf_fs.fstat = fail_fstat;
    shf_fs.fstatat = fail_fstatat;
    shf_fs.fsync = fail_fsync;
    shf_fs.fchmod = fail_fchmod;
    shf_fs.futimens = fail_futimens;
    shf_fs.renameat = fail_renameat;
    shf_fs.linkat = fail_linkat;
    shf_fs.unlinkat = fail_unlinkat;
    shf_fs.mkdirat = fail_mkdirat;
    shf_fs.flock = fail_flock;
    shf_fs.copy_file_range = no_copy;
    shf_fs.clone_file = no_clone;
}

enum way { PLAIN, REPLACE, CREATE, COPY, TAKE, TAKE_CREATE, WAYS };

static shf_status run(enum way way, const char *version) {
    switch (way) {
    case PLAIN: return put("new", NULL);
    case REPLACE: return put("new", version);
    case CREATE: return put("new", "");
    case COPY: return put_source("new", 0600, false, NULL);
    case TAKE: return put_source("new", 0600, true, NULL);
    default: return put_source("new", 0600, true, "");
    }
}

/* What is there is the old object or the new one, whole; what failed says so; and the next one works. */
static void fail_each_call(enum way way, int with) {
    bool creates = way == CREATE || way == TAKE_CREATE;
    for (int at = 1;; at++) {
        assert_in_range(at, 1, MOST_CALLS);
        char *folder = support_path("%s/a", directory), *version = NULL;
        if (!creates) {
            assert_int_equal(put("old", NULL), SHF_OK);
            version = strdup(call.request.version);
        }
        arm(at, with);
        shf_status status = run(way, version);
        bool over = atomic_load(&calls) < at;
        shf_fs_reset();
        if (over || with == EINTR) assert_int_equal(status, SHF_OK);
        if (status && status != SHF_E_LOCAL && status != SHF_E_NO_MEMORY && status != SHF_E_ACCESS) {
            fail_msg("way %d, call %d: status %d: %s", way, at, status, shf_error_message(call.request.error));
        }
        if (status == SHF_OK) {
            expect_object("new");
        } else if (access(path, F_OK) == 0) { /* the last sync may fail when it is there */
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            char text[4] = "";
            assert_int_equal(read(fd, text, 4), 3);
            assert_true(strcmp(text, "new") == 0 || (!creates && strcmp(text, "old") == 0));
            assert_int_equal(close(fd), 0);
        } else {
            assert_true(creates);
        }
        free(version);
        if (access(folder, F_OK) == 0) {
            char *copy = strdup(folder);
            support_remove(copy);
        }
        free(folder);
        if (over) return;
    }
}

static void test_each_call_fails(void **state) {
    (void)state;
    static const int problems[] = {ENOSPC, EIO, ENOMEM, EACCES, EROFS, EINTR};
    for (enum way way = PLAIN; way < WAYS; way++) {
        for (size_t i = 0; i < SUPPORT_COUNT(problems); i++) fail_each_call(way, problems[i]);
    }
}

static void test_sentences(void **state) {
    (void)state;
    static const struct {
        int problem;
        shf_status status;
        const char *says;
    } cases[] = {{ENOSPC, SHF_E_LOCAL, "No space left on device; free space there"},
                 {EACCES, SHF_E_ACCESS, "Permission denied; check owner and permissions"},
                 {EROFS, SHF_E_LOCAL, "Read-only file system; choose another place"}};
    assert_int_equal(put("old", NULL), SHF_OK); /* so that the second call opens the temporary */
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        arm(2, cases[i].problem);
        (void)put("x", NULL);
        shf_fs_reset();
        support_expect_failure(&call, cases[i].status, cases[i].says);
        assert_non_null(strstr(shf_error_message(call.request.error), "cannot write file:///"));
        assert_string_equal(shf_error_object(call.request.error) + strlen("file:///"), key);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_put),
        TEST(test_put_of_much),
        TEST(test_a_source_is_taken),
        TEST(test_a_source_is_copied),
        TEST(test_conditions),
        TEST(test_a_file_system_without_links),
        TEST(test_another_writer_is_faster),
        TEST(test_the_lock_is_waited_for),
        TEST(test_names),
        TEST(test_own_names_are_not_listed),
        TEST(test_what_is_in_the_way),
        TEST(test_delete),
        TEST(test_directories_that_vanish),
        TEST(test_one_of_many_wins),
        TEST(test_each_call_fails),
        TEST(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
