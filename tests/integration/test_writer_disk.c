/*
 * A disk that takes no more, and places where nobody may write: clear errors, the old snapshot whole, nothing left behind.
 * The limit on the size of files stands for a full disk.
 */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1u << 20)
#define NOBODY 65534

static char *root, *prefix, *cache;
static struct writer_rows *old, *new;

static int group_begin(void **state) {
    const struct writer_shape small = {.rows = 200, .value_most = 100};
    const struct writer_shape large = {.rows = 12000, .value_least = 1000, .value_most = 1000, .generation = 1};
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    old = writer_rows_new(&small);
    new = writer_rows_new(&large);
    return 0;
}

static int group_end(void **state) {
    (void)state;
    writer_rows_free(old);
    writer_rows_free(new);
    return 0;
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int begin(void **state) {
    root = support_temporary_directory();
    assert_int_equal(chmod(root, 0755), 0);
    prefix = support_path("%s/snapshots", root);
    cache = support_path("%s/cache", root);
    return support_set_up(state);
}

static int end(void **state) {
    limit_files(RLIM_INFINITY);
    int result = support_tear_down(state);
    writer_assert_tidy(root);
    support_remove_tree(root);
    free(root);
    free(prefix);
    free(cache);
    return result;
}

static shf_writer_options options_of(uint64_t memory_bytes) {
    shf_writer_options options = writer_options(prefix, SHF_WRITE_KV, 2);
    options.memory_bytes = memory_bytes;
    return options;
}

static void publish_old(void) {
    shf_writer_options options = options_of(0);
    writer_make(&options, old, 100);
}

static void assert_serves(const struct writer_rows *rows) {
    shf_status status;
    shf_reader *reader = support_open(prefix, cache, 0, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(reader);
    writer_assert_values(reader, rows);
    support_close(reader);
}

static void assert_says(const char *part) {
    if (!strstr(support_message, part)) print_message("\"%s\" does not say \"%s\"\n", support_message, part);
    assert_non_null(strstr(support_message, part));
}

static shf_writer *open_writer(const shf_writer_options *options) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    return writer;
}

/* ---- a full disk ---- */

static void test_no_room_for_a_shard(void **state) {
    (void)state;
    shf_writer_options options = options_of(0);
    shf_status status;
    publish_old();
    shf_writer *writer = open_writer(&options);
    writer_write(writer, new->rows, new->shape.rows, 1000);
    limit_files(2 * MIB); /* each shard has six */
    assert_null(writer_publish(writer, &status));
    assert_int_equal(status, SHF_E_LOCAL);
    assert_says("shard ");
    assert_says("File too large");
    assert_says(".db");
    assert_int_equal(writer_try(writer, new->rows, 1, NULL), SHF_E_LOCAL); /* what failed stays so */
    limit_files(RLIM_INFINITY);
    writer_close(writer);
    assert_serves(old);
    writer_make(&options, new, 1000);
    assert_serves(new);
}

static void test_no_room_for_sorting(void **state) {
    (void)state;
    shf_writer_options options = options_of(4 * MIB);
    shf_status status = SHF_OK, published;
    publish_old();
    shf_writer *writer = open_writer(&options);
    limit_files(100000);
    for (size_t at = 0; !status && at < new->shape.rows; at += 1000)
        status = writer_try(writer, new->rows + at, 1000, NULL);
    assert_int_equal(status, SHF_E_LOCAL);
    assert_says("File too large");
    for (int i = 0; i < 2; i++) assert_int_equal(writer_try(writer, new->rows, 1, NULL), SHF_E_LOCAL);
    assert_says("File too large");
    assert_null(writer_publish(writer, &published));
    assert_int_equal(published, SHF_E_LOCAL);
    assert_says("File too large");
    shf_writer_progress progress;
    SHF_INIT(&progress);
    assert_int_equal(shf_writer_progress_get(writer, &progress), SHF_OK);
    assert_int_equal(progress.phase, SHF_PHASE_FAILED);
    writer_close(writer);
    limit_files(RLIM_INFINITY);
    assert_serves(old);
}

/* From the smallest limit, under which nothing can be written, to one that does: any object may be the one that fails. */
static void test_any_object_may_not_fit(void **state) {
    (void)state;
    unsigned failed = 0, succeeded = 0;
    const struct writer_rows *served = old;
    const struct writer_shape shape = {.rows = 300, .value_most = 100, .generation = 7};
    struct writer_rows *next = writer_rows_new(&shape);
    publish_old();
    for (rlim_t limit = 0; limit < 40000; limit += limit < 1000 ? 100 : 2000) {
        shf_writer_options options = options_of(0);
        shf_status status;
        limit_files(limit);
        shf_writer *writer = writer_open(&options, &status);
        if (writer) {
            writer_write(writer, next->rows, 300, 100);
            shf_op *op = writer_publish(writer, &status);
            shf_op_release(op);
            writer_close(writer);
        }
        limit_files(RLIM_INFINITY);
        if (status) assert_int_equal(status, SHF_E_LOCAL);
        failed += status != SHF_OK;
        succeeded += status == SHF_OK;
        if (!status) served = next;
        assert_serves(served);
    }
    print_message("%u failed, %u succeeded\n", failed, succeeded);
    assert_true(failed > 10 && succeeded > 0);
    writer_rows_free(next);
}

/* ---- places ---- */

static void assert_no_open(const shf_writer_options *options, const char *path, const char *why) {
    shf_status status;
    assert_null(writer_open(options, &status));
    if (status != SHF_E_LOCAL && status != SHF_E_ACCESS) print_message("%d: %s\n", status, support_message);
    assert_true(status == SHF_E_LOCAL || status == SHF_E_ACCESS);
    assert_says(path);
    assert_says(why);
}

static void test_a_file_where_a_directory_should_be(void **state) {
    (void)state;
    char *file = support_path("%s/file", root), *below = support_path("%s/file/below", root);
    support_write_file(file, "x", 1);
    shf_writer_options options = options_of(0);
    options.local_root = file;
    assert_no_open(&options, file, "Not a directory");
    options.local_root = below;
    assert_no_open(&options, below, "Not a directory");
    options.local_root = NULL;
    options.url = below;
    assert_no_open(&options, file, "Not a directory");
    options = options_of(0);
    char *deep = support_path("%s/made/when/missing", root);
    options.local_root = deep;
    writer_make(&options, old, 100);
    assert_serves(old);
    free(file);
    free(below);
    free(deep);
}

/* As somebody else, where the tests run as root. */
static bool become_nobody(void) {
    if (geteuid() != 0) return false;
    return seteuid(NOBODY) == 0; /* of all threads */
}

static void test_no_permission(void **state) {
    (void)state;
    shf_writer_options options = options_of(0);
    shf_status status;
    publish_old();
    bool was_root = become_nobody();
    if (!was_root) assert_int_equal(chmod(prefix, 0555), 0);
    assert_no_open(&options, prefix, "Permission denied");
    /* Where it may build, and not write. */
    char *local = support_temporary_directory();
    options.local_root = local;
    shf_writer *writer = writer_open(&options, &status);
    if (writer) {
        writer_write(writer, old->rows, 200, 100);
        assert_null(writer_publish(writer, &status));
        writer_close(writer);
    }
    assert_true(status == SHF_E_ACCESS || status == SHF_E_LOCAL);
    assert_says("Permission denied");
    writer_assert_tidy(local);
    if (was_root) assert_int_equal(seteuid(0), 0);
    if (!was_root) assert_int_equal(chmod(prefix, 0755), 0);
    support_remove_tree(local);
    free(local);
    assert_serves(old);
}

/* What a process that was killed left is removed by the next writer; what a living one uses is not. */
static void test_leftovers_are_swept(void **state) {
    (void)state;
    shf_writer_options options = options_of(0);
    publish_old();
    char *dead = support_path("%s/.shardy-build-0123456789abcdef", prefix), *file = support_path("%s/00001.db", dead);
    assert_int_equal(mkdir(dead, 0700), 0);
    support_write_file(file, "half a shard", 12);
    shf_writer *first = open_writer(&options);
    struct stat facts;
    assert_int_equal(stat(dead, &facts), -1);
    writer_write(first, old->rows, 200, 100);
    shf_writer *second = open_writer(&options);
    shf_status status;
    shf_op *op = writer_publish(first, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    shf_op_release(op);
    writer_close(first);
    writer_close(second);
    free(dead);
    free(file);
    assert_serves(old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_no_room_for_a_shard),    TEST(test_no_room_for_sorting),
        TEST(test_any_object_may_not_fit), TEST(test_a_file_where_a_directory_should_be),
        TEST(test_no_permission),          TEST(test_leftovers_are_swept),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
