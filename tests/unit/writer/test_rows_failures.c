/*
 * Every allocation and every system call on files fails once, in turn: the rows come out right all the same, or each call
 * from then on says why not; nothing is left in the budget, in the scratch directory, or mapped (the sanitizers look).
 */
#include "rows_support.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define MOST_CALLS 3000

static atomic_int calls, failing, problem; /* the failing-th call fails with problem; 0: none does */
static atomic_bool no_nameless_files;
static struct shf_fs_seam real;

static bool fails(void) {
    if (atomic_fetch_add(&calls, 1) + 1 != atomic_load(&failing)) return false;
    errno = atomic_load(&problem);
    return true;
}

static void *allocate(size_t size) { return fails() ? NULL : malloc(size); }
static void *reallocate(void *old, size_t size) { return fails() ? NULL : realloc(old, size); }

static int fail_openat(int directory, const char *path, int flags, mode_t mode) {
    if (atomic_load(&no_nameless_files) && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return fails() ? -1 : real.openat(directory, path, flags, mode);
}
static ssize_t fail_pwrite(int fd, const void *data, size_t size, off_t offset) {
    return fails() ? -1 : real.pwrite(fd, data, size, offset);
}
static void *fail_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    return fails() ? (void *)-1 : real.mmap(address, size, protection, flags, fd, offset);
}
/* It has gone all the same: what must not be left is looked at. */
static int fail_unlinkat(int directory, const char *path, int flags) {
    int result = real.unlinkat(directory, path, flags);
    return fails() ? -1 : result;
}

static const struct rows_case cases[] = {
    {.shape = {.seed = 1, .count = 1500, .key_kinds = 700, .most_value = 3000, .huge_every = 700, .huge_value = 300000},
     .memory_bytes = 1 << 20,
     .num_dbs = 9,
     .max_runs = 2,
     .last_wins = true,
     .threads = 2},
    {.shape = {.seed = 1, .count = 1500, .key_kinds = 700, .most_value = 3000, .huge_every = 700, .huge_value = 300000},
     .memory_bytes = 1 << 20,
     .num_dbs = 9,
     .max_runs = 2,
     .late = true,
     .last_wins = true,
     .threads = 1},
};

/* The store from beginning to end; after a failure each call gives it. */
static shf_status run(const struct rows_case *c, shf_runtime *runtime, int scratch_fd) {
    struct rows_run_of_test t;
    shf_status status = rows_begin(&t, c, runtime, scratch_fd);
    if (!status) status = rows_add_all(&t);
    bool failed = status != SHF_OK;
    if (failed) assert_int_equal(shf_error_code(t.error), status);
    if (t.rows) {
        shf_error_free(t.error);
        t.error = NULL;
        shf_status end = rows_finish(&t, NULL);
        if (failed) assert_int_equal(end, status);
        status = end;
        if (end) assert_int_equal(shf_error_code(t.error), end);
    }
    if (!status) status = rows_check(&t);
    rows_end(&t);
    return status;
}

static void fail_each(const struct rows_case *c, int with, bool allocations) {
    char *path;
    int fd = rows_scratch(&path), refused = 0;
    shf_runtime *runtime = rows_runtime(UINT64_C(1) << 30);
    /* Threads make the order of calls differ from run to run: a few beyond the last one do no harm. */
    for (int at = 1, quiet = 0; quiet < 3; at++) {
        assert_in_range(at, 1, MOST_CALLS);
        atomic_store(&problem, with);
        atomic_store(&calls, 0);
        atomic_store(&failing, at);
        shf_status status = run(c, runtime, fd);
        bool over = atomic_load(&calls) < at;
        atomic_store(&failing, 0);
        quiet += over;
        if (over) assert_int_equal(status, SHF_OK);
        assert_true(status == SHF_OK || status == SHF_E_NO_MEMORY || (!allocations && status == SHF_E_LOCAL));
        refused += status != SHF_OK;
        assert_int_equal(rows_budget_used(runtime), 0);
    }
    assert_in_range(refused, 5, MOST_CALLS);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    rows_scratch_end(fd, path);
}

static void test_allocations(void **state) {
    (void)state;
    static const struct shf_alloc_seam seam = {allocate, reallocate, NULL};
    shf_alloc_set_seam(&seam);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) fail_each(&cases[i], 0, true);
    shf_alloc_set_seam(NULL);
}

static void use_failing_calls(void) {
    real = shf_fs;
    shf_fs.openat = fail_openat;
    shf_fs.pwrite = fail_pwrite;
    shf_fs.mmap = fail_mmap;
    shf_fs.unlinkat = fail_unlinkat;
}

static void test_calls(void **state) {
    (void)state;
    static const int problems[] = {ENOSPC, EIO, ENOMEM};
    use_failing_calls();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) fail_each(&cases[i], problems[i], false);
    fail_each(&cases[1], problems[2], false);
    shf_fs_reset();
}

/* A file system that has no files without names: each has one for a moment. */
static void test_named_files(void **state) {
    (void)state;
    use_failing_calls();
    atomic_store(&no_nameless_files, true);
    fail_each(&cases[0], ENOSPC, false);
    atomic_store(&no_nameless_files, false);
    shf_fs_reset();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_named_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
