/* The directory of the disk cache: where it is, whose it must be, what is left in it, and how much stays in it. */
#include "cache_support.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 10000u
#define CAP_BYTES (16u * FILE_BYTES)

static char *home;
static shf_runtime *runtime;

static int begin(void **state) {
    (void)state;
    home = support_directory();
    support_environment(home);
    runtime = support_runtime(NULL, NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    support_runtime_free(runtime);
    support_remove(home);
    shf_clock_set_seam(NULL);
    return 0;
}

static void expect_made(const char *given, const char *path) {
    struct shf_disk_cache *cache = NULL;
    struct shf_error *error = NULL;
    struct stat found;
    if (shf_disk_cache_open(runtime, given, 0, &cache, &error)) fail_msg("%s", shf_error_message(error));
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISDIR(found.st_mode));
    assert_int_equal(found.st_mode & 07777, 0700);
    shf_disk_cache_release(cache);
}

static void expect_refused(const char *given, shf_status status, const char *part) {
    struct shf_disk_cache *cache = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(shf_disk_cache_open(runtime, given, 0, &cache, &error), status);
    assert_null(cache);
    support_expect_error(error, status, part);
}

static void test_where_it_is(void **state) {
    (void)state;
    char *in_home = support_path("%s/.cache/shardyfusion", home), *xdg = support_path("%s/xdg/deep", home);
    char *in_xdg = support_path("%s/shardyfusion", xdg), *mine = support_path("%s/a/b/c", home);
    char *with_slashes = support_path("%s///", mine);
    expect_made(NULL, in_home);
    support_setenv("XDG_CACHE_HOME", "relative"); /* to be ignored, says the specification */
    expect_made(NULL, in_home);
    support_setenv("XDG_CACHE_HOME", xdg);
    expect_made(NULL, in_xdg);
    expect_made(with_slashes, mine);
    expect_made(mine, mine); /* it is there already */
    expect_refused("", SHF_E_INVALID, "local_root is empty");
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    assert_int_equal(unsetenv("HOME"), 0);
    expect_refused(NULL, SHF_E_LOCAL, "set local_root, XDG_CACHE_HOME or HOME");
    free(in_home);
    free(xdg);
    free(in_xdg);
    free(mine);
    free(with_slashes);
}

static void test_what_is_no_directory(void **state) {
    (void)state;
    char *real = support_path("%s/real", home), *link = support_path("%s/link", home);
    char *link_slash = support_path("%s/", link), *below_link = support_path("%s/below", link);
    char *file = support_path("%s/file", home), *below = support_path("%s/below", file);
    char *nowhere = support_path("%s/dangling", home);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink(real, link), 0);
    assert_int_equal(symlink("/nonexistent/place", nowhere), 0);
    support_write_text(file, "x");
    expect_refused(link, SHF_E_LOCAL, "a symbolic link is not followed");
    expect_refused(link_slash, SHF_E_LOCAL, "a symbolic link is not followed");
    expect_refused(nowhere, SHF_E_LOCAL, "a symbolic link is not followed");
    expect_refused(file, SHF_E_LOCAL, "is not a directory");
    expect_refused(below, SHF_E_LOCAL, "below");
    expect_made(below_link, below_link); /* parents are the user's own affair */
    free(real);
    free(link);
    free(link_slash);
    free(below_link);
    free(file);
    free(below);
    free(nowhere);
}

static void test_whose_it_is(void **state) {
    (void)state;
    char *path = support_path("%s/c", home);
    static const mode_t bad[] = {0770, 0702, 01777, 0720};
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        expect_refused(path, SHF_E_LOCAL, "others may write to the cache directory");
    }
    assert_int_equal(chmod(path, 0755), 0); /* reading is harmless */
    struct shf_disk_cache *cache = NULL;
    assert_int_equal(shf_disk_cache_open(runtime, path, 0, &cache, NULL), SHF_OK);
    shf_disk_cache_release(cache);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        expect_refused(path, SHF_E_LOCAL, "belongs to user 65534, not to this one (0)");
    }
    free(path);
}

/* A file named like a temporary; locked as its writer would. */
static int make_temporary(const char *directory, char digit, bool locked) {
    char *path = support_path("%s/tmp-0000000000000000000000000000000%c", directory, digit);
    int fd = support_open_new(path);
    if (locked) assert_int_equal(flock(fd, LOCK_SH), 0);
    free(path);
    return fd;
}

static void test_temporaries(void **state) {
    (void)state;
    struct cache_test t;
    struct shf_disk_cache *again = NULL;
    cache_begin(&t, 0);
    int live = make_temporary(t.path, '1', true), stale = make_temporary(t.path, '2', false);
    static const char *const others[] = {"tmp-1234", "tmp-0000000000000000000000000000000X", "notes.txt",
                                         "tmp-00000000000000000000000000000001.bak"};
    for (size_t i = 0; i < SUPPORT_COUNT(others); i++) {
        char *path = support_path("%s/%s", t.path, others[i]);
        support_write_text(path, "not the cache's");
        free(path);
    }
    char *link = support_path("%s/tmp-00000000000000000000000000000003", t.path);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(shf_disk_cache_open(t.runtime, t.path, 0, &again, NULL), SHF_OK);
    shf_disk_cache_release(again);
    assert_int_equal(cache_count(&t, "tmp-00000000000000000000000000000001"), 2); /* the live one, and the .bak */
    assert_int_equal(cache_count(&t, "tmp-00000000000000000000000000000002"), 0);
    assert_int_equal(cache_count(&t, "tmp-00000000000000000000000000000003"), 0); /* and not what it points at */
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    assert_int_equal(cache_count(&t, ""), 5); /* what is not the cache's is left alone */
    assert_int_equal(close(live), 0);
    assert_int_equal(close(stale), 0);
    assert_int_equal(shf_disk_cache_open(t.runtime, t.path, 0, &again, NULL), SHF_OK); /* its writer is gone now */
    shf_disk_cache_release(again);
    assert_int_equal(cache_count(&t, ""), 4);
    free(link);
    cache_end(&t);
}

/* Something else under the name of the lock. */
static void test_the_lock_is_replaced(void **state) {
    (void)state;
    struct cache_test t;
    cache_begin(&t, 0);
    char *lock = support_path("%s/lock", t.path), *target = support_path("%s/target", t.parent);
    support_write_text(target, "x");
    assert_int_equal(symlink(target, lock), 0);
    cache_put_only(&t, "a", "hello", 5);
    struct stat found;
    assert_int_equal(lstat(lock, &found), 0);
    assert_true(S_ISREG(found.st_mode));
    assert_int_equal(chmod(lock, 0666), 0); /* others could hold it for ever */
    cache_put_only(&t, "b", "hello", 5);
    assert_int_equal(lstat(lock, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_true(cache_has(&t, "a", "hello", 5) && cache_has(&t, "b", "hello", 5));
    free(lock);
    free(target);
    cache_end(&t);
}

/* ---- eviction ---- */

static int64_t wall_us;
static int64_t fake_wall(void) { return wall_us += 1000000; }

static char *name_of(unsigned i) { return support_path("file-%u", i); }

static void put_many(struct cache_test *t, unsigned first, unsigned count, const uint8_t *bytes) {
    for (unsigned i = first; i < first + count; i++) {
        char *name = name_of(i);
        cache_put_only(t, name, bytes, FILE_BYTES);
        free(name);
    }
}

/* By the file itself: a find would make it younger. */
static bool is_there(const struct cache_test *t, const char *name) {
    char *path = cache_file_path(t, name, false), *record = cache_file_path(t, name, true);
    bool there = access(path, F_OK) == 0;
    assert_int_equal(access(record, F_OK) == 0, there);
    free(path);
    free(record);
    return there;
}

static unsigned count_there(const struct cache_test *t, unsigned first, unsigned count) {
    unsigned there = 0;
    for (unsigned i = first; i < first + count; i++) {
        char *name = name_of(i);
        there += is_there(t, name);
        free(name);
    }
    return there;
}

static void use_fake_wall(void) {
    static const struct shf_clock_seam seam = {.wall_us = fake_wall};
    wall_us = INT64_C(1795521600000000);
    shf_clock_set_seam(&seam);
}

/* The oldest go; what was used since stays; what is mapped stays whatever its age. */
static void test_eviction(void **state) {
    (void)state;
    struct cache_test t;
    uint8_t *bytes = support_pattern(FILE_BYTES, 5);
    use_fake_wall();
    cache_begin(&t, CAP_BYTES);
    struct shf_mapped_file mapped = cache_put(&t, "mapped", bytes, FILE_BYTES);
    cache_put_only(&t, "used", bytes, FILE_BYTES);
    put_many(&t, 0, 13, bytes);
    assert_int_equal(count_there(&t, 0, 13), 13); /* below the cap nothing goes */
    assert_true(cache_has(&t, "used", bytes, FILE_BYTES));
    put_many(&t, 13, 10, bytes);
    assert_true(is_there(&t, "mapped"));
    assert_true(is_there(&t, "used"));
    assert_memory_equal(mapped.buf->data, bytes, FILE_BYTES);
    unsigned left = count_there(&t, 0, 23);
    assert_in_range(left, 12, 15);                            /* within the cap, or a sixteenth above or below it */
    assert_int_equal(count_there(&t, 23 - left, left), left); /* and they are the youngest */
    shf_buf_release(mapped.buf);
    put_many(&t, 23, 4, bytes);
    assert_false(is_there(&t, "mapped"));
    assert_true(is_there(&t, "used"));
    free(bytes);
    cache_end(&t);
}

/* More than the cap is in use: nothing is lost, and new files still come. */
static void test_all_in_use(void **state) {
    (void)state;
    struct cache_test t;
    struct shf_mapped_file files[24];
    uint8_t *bytes = support_pattern(FILE_BYTES, 6);
    use_fake_wall();
    cache_begin(&t, CAP_BYTES);
    for (unsigned i = 0; i < SUPPORT_COUNT(files); i++) {
        char *name = name_of(i);
        files[i] = cache_put(&t, name, bytes, FILE_BYTES);
        free(name);
    }
    assert_int_equal(count_there(&t, 0, 24), 24);
    for (unsigned i = 0; i < SUPPORT_COUNT(files); i++) shf_buf_release(files[i].buf);
    put_many(&t, 24, 2, bytes);
    assert_in_range(count_there(&t, 0, 26), 14, 17);
    free(bytes);
    cache_end(&t);
}

/* A file without record is of no use, and a record without file neither; strangers are not touched. */
static void test_litter_goes(void **state) {
    (void)state;
    struct cache_test t;
    cache_begin(&t, CAP_BYTES);
    cache_put_only(&t, "no-record", "x", 1);
    cache_put_only(&t, "no-data", "x", 1);
    char *record = cache_file_path(&t, "no-record", true), *data = cache_file_path(&t, "no-data", false);
    char *stranger = support_path("%s/stranger", t.path);
    assert_int_equal(unlink(record), 0);
    assert_int_equal(unlink(data), 0);
    support_write_text(stranger, "x");
    struct shf_disk_cache *again = NULL; /* measures anew at its first commit */
    shf_disk_cache_release(t.cache);
    assert_int_equal(close(make_temporary(t.path, '8', false)), 0);
    assert_int_equal(shf_disk_cache_open(t.runtime, t.path, CAP_BYTES, &again, NULL), SHF_OK);
    t.cache = again;
    cache_put_only(&t, "new", "y", 1);
    assert_int_equal(cache_count(&t, ""), 4); /* the new one, its record, the lock, the stranger */
    assert_int_equal(access(stranger, F_OK), 0);
    free(record);
    free(data);
    free(stranger);
    cache_end(&t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_where_it_is), TEST(test_what_is_no_directory), TEST(test_whose_it_is),
        TEST(test_temporaries), TEST(test_the_lock_is_replaced), TEST(test_eviction),
        TEST(test_all_in_use),  TEST(test_litter_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
