/*
 * The recorded SlateDB databases, each wrapped into a snapshot of its own: every recorded key, one by one and all in one
 * call, from files with a new cache and with the one that the first open filled; and some of them over a real S3 server.
 */
#include "harness/s3_server.h"
#include "integration/support.h"
#include "integration/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKET "slatedb"

static char *root, *cache;

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    free(cache);
    return held;
}

static char *fixture(const char *name) { return support_fixture("slatedb", name); }

/* A snapshot whose only shard is this database. */
static char *wrap(const char *from) {
    char *snapshot = wrap_snapshot(root, "{}"), *database = support_path("%s/db", from);
    char *shard = support_path("%s/" WRAP_SHARD, snapshot);
    support_copy_tree(database, shard);
    free(database);
    free(shard);
    return snapshot;
}

/* ---- what must be answered ---- */

struct expected {
    size_t count, found;
    unsigned char **keys, **values; /* value NULL: not there */
    size_t *value_sizes;
    shf_key *wanted;
};

static struct expected load_expected(const char *from) {
    json_t *rows = support_lines(from, "expected.jsonl"), *row;
    struct expected expected = {.count = json_array_size(rows)};
    size_t i, size;
    expected.keys = calloc(expected.count + 1, sizeof *expected.keys);
    expected.values = calloc(expected.count + 1, sizeof *expected.values);
    expected.value_sizes = calloc(expected.count + 1, sizeof *expected.value_sizes);
    expected.wanted = calloc(expected.count + 1, sizeof *expected.wanted);
    json_array_foreach(rows, i, row) {
        const json_t *value = json_object_get(row, "v");
        expected.keys[i] = support_base64(json_string_value(json_object_get(row, "k")), &size);
        expected.wanted[i] = shf_key_from_bytes(expected.keys[i], size);
        if (!json_is_string(value)) continue;
        expected.values[i] = support_base64(json_string_value(value), &expected.value_sizes[i]);
        expected.found++;
    }
    json_decref(rows);
    return expected;
}

static void free_expected(struct expected *expected) {
    for (size_t i = 0; i < expected->count; i++) {
        free(expected->keys[i]);
        free(expected->values[i]);
    }
    free(expected->keys);
    free(expected->values);
    free(expected->value_sizes);
    free(expected->wanted);
}

static void check_value(const struct expected *expected, size_t index, const shf_value *got) {
    if (!expected->values[index]) {
        assert_int_equal(got->status, SHF_NOT_FOUND);
        return;
    }
    assert_int_equal(got->status, SHF_OK);
    assert_int_equal(got->data.size, expected->value_sizes[index]);
    assert_memory_equal(got->data.data, expected->values[index], got->data.size);
}

static void check_is_absent(shf_reader *reader, const void *key, size_t size) {
    shf_key wanted = shf_key_from_bytes(key, size);
    shf_value got;
    shf_op *op = NULL;
    SHF_INIT(&got);
    assert_int_equal(shf_get_sync(reader, &wanted, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value(op, 0, &got), SHF_OK);
    assert_int_equal(got.status, SHF_NOT_FOUND);
    shf_op_release(op);
}

static void check_keys(shf_reader *reader, const struct expected *expected) {
    shf_value got;
    shf_op *op = NULL;
    SHF_INIT(&got);
    for (size_t i = 0; i < expected->count; i++) {
        shf_status status = shf_get_sync(reader, &expected->wanted[i], NULL, 0, &op);
        if (status) fail_msg("key %zu: %s", i, shf_error_message(shf_op_error(op)));
        assert_int_equal(shf_op_value(op, 0, &got), SHF_OK);
        check_value(expected, i, &got);
        shf_op_release(op);
    }
    check_is_absent(reader, "\x01", 1); /* before, between and behind all that was recorded */
    check_is_absent(reader, "mmmm-nowhere", 12);
    check_is_absent(reader, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    if (!expected->count) return;
    shf_status status = shf_multi_get_sync(reader, expected->wanted, expected->count, NULL, 0, &op);
    if (status) fail_msg("%s", shf_error_message(shf_op_error(op)));
    assert_int_equal(shf_op_value_count(op), expected->count);
    for (size_t i = 0; i < expected->count; i++) {
        assert_int_equal(shf_op_value(op, i, &got), SHF_OK);
        check_value(expected, i, &got);
    }
    shf_op_release(op);
}

/* ---- opening ---- */

/* *missing: what was not in the cache. */
static shf_reader *open_and_count(const char *url, uint32_t flags, uint64_t *missing) {
    shf_reader_options options;
    shf_runtime_stats before, after;
    shf_reader *reader = NULL;
    shf_op *op = NULL;
    SHF_INIT(&options);
    SHF_INIT(&before);
    SHF_INIT(&after);
    options.url = url;
    options.local_root = cache;
    options.flags = flags;
    assert_int_equal(shf_runtime_stats_get(support_runtime, &before), SHF_OK);
    if (shf_open_sync(support_runtime, &options, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    assert_int_equal(shf_runtime_stats_get(support_runtime, &after), SHF_OK);
    assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    *missing = after.cache_misses - before.cache_misses;
    return reader;
}

/* Inode of the one sorted WAL in the cache; 0 when there is none. */
static ino_t sorted_wal(void) {
    DIR *directory = opendir(cache);
    const struct dirent *entry;
    ino_t found = 0;
    while (directory && (entry = readdir(directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".wal") != 0) continue;
        assert_int_equal(found, 0);
        found = entry->d_ino;
    }
    if (directory) (void)closedir(directory);
    return found;
}

/* Twice with one cache: what the first open left there serves the second. */
static void check_opens(const char *url, uint32_t flags, const struct expected *expected) {
    uint64_t missing;
    shf_reader *reader = open_and_count(url, flags, &missing);
    check_keys(reader, expected);
    support_close(reader);
    ino_t made = sorted_wal();
    assert_true(made == 0 || missing > 0);
    reader = open_and_count(url, flags, &missing);
    assert_int_equal(missing, 0);
    check_keys(reader, expected);
    support_close(reader);
    assert_true(sorted_wal() == made);
}

static void check_fixture(const char *name) {
    char *from = fixture(name);
    if (!from) skip();
    char *snapshot = wrap(from);
    struct expected expected = load_expected(from);
    check_opens(snapshot, 0, &expected);
    support_remove_tree(cache);
    check_opens(snapshot, SHF_OPEN_PRIVATE_COPY, &expected);
    free_expected(&expected);
    free(snapshot);
    free(from);
}

#define FIXTURE(name)                                                                                                  \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        check_fixture(#name);                                                                                          \
    }
FIXTURE(bigvals)
FIXTURE(comp_lz4)
FIXTURE(comp_snappy)
FIXTURE(comp_zlib)
FIXTURE(comp_zstd)
FIXTURE(empty)
FIXTURE(filter)
FIXTURE(merge)
FIXTURE(mid_l0_plus_wal)
FIXTURE(nowal)
FIXTURE(overwrites_l0)
FIXTURE(reopen)
FIXTURE(run_dup_keys)
FIXTURE(runs)
FIXTURE(syn_composite_filter)
FIXTURE(syn_fence_zero_byte)
FIXTURE(syn_manifest_v2)
FIXTURE(syn_segment)
FIXTURE(syn_sst_v1_runs)
FIXTURE(syn_sst_v1_versions)
FIXTURE(tiny)
FIXTURE(ttl)
FIXTURE(u64_wal)
FIXTURE(versions)
FIXTURE(wal_dup_in_batch)
FIXTURE(wal_killed)
FIXTURE(wal_many_flushes)
FIXTURE(wal_multi_batch)

/* Its other keys were written with a merge operator: they are an error, and not "not found". */
static void merge_operands_are_refused(void **state) {
    static const char *const keys[] = {"base", "only"};
    (void)state;
    char *from = fixture("merge");
    if (!from) skip();
    char *snapshot = wrap(from);
    shf_status status;
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    assert_non_null(reader);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        shf_key key = shf_key_from_text(keys[i], strlen(keys[i]));
        shf_op *op = NULL;
        assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &op), SHF_E_UNSUPPORTED);
        assert_non_null(strstr(shf_error_message(shf_op_error(op)), "merge"));
        assert_non_null(strstr(shf_error_message(shf_op_error(op)), WRAP_SHARD));
        shf_op_release(op);
    }
    support_close(reader);
    free(snapshot);
    free(from);
}

static void every_case_is_here(void **state);

static void over_s3(void **state) {
    static const char *const names[] = {"u64_wal",          "runs", "comp_zstd", "syn_fence_zero_byte",
                                        "wal_many_flushes", "empty"};
    struct s3_server server = {0};
    (void)state;
    char *from = fixture("u64_wal");
    if (!from || !s3_server_is_there()) {
        free(from);
        skip();
    }
    free(from);
    s3_server_clean_environment();
    assert_true(s3_server_start(&server) && s3_server_make_bucket(&server, BUCKET));
    s3_server_export(&server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        from = fixture(names[i]);
        char *snapshot = wrap(from), *url = support_path("s3://" BUCKET "/%s", names[i]);
        struct expected expected = load_expected(from);
        assert_true(s3_server_put_folder(&server, snapshot, BUCKET, names[i]));
        support_remove_tree(snapshot);
        support_remove_tree(cache);
        check_opens(url, 0, &expected);
        free_expected(&expected);
        free(snapshot);
        free(url);
        free(from);
    }
    s3_server_clean_environment();
    s3_server_stop(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
    TEST(bigvals),
    TEST(comp_lz4),
    TEST(comp_snappy),
    TEST(comp_zlib),
    TEST(comp_zstd),
    TEST(empty),
    TEST(filter),
    TEST(merge),
    TEST(mid_l0_plus_wal),
    TEST(nowal),
    TEST(overwrites_l0),
    TEST(reopen),
    TEST(run_dup_keys),
    TEST(runs),
    TEST(syn_composite_filter),
    TEST(syn_fence_zero_byte),
    TEST(syn_manifest_v2),
    TEST(syn_segment),
    TEST(syn_sst_v1_runs),
    TEST(syn_sst_v1_versions),
    TEST(tiny),
    TEST(ttl),
    TEST(u64_wal),
    TEST(versions),
    TEST(wal_dup_in_batch),
    TEST(wal_killed),
    TEST(wal_many_flushes),
    TEST(wal_multi_batch),
    TEST(merge_operands_are_refused),
    TEST(over_s3),
    TEST(every_case_is_here),
};

/* A case that was recorded later must not be forgotten. */
static void every_case_is_here(void **state) {
    (void)state;
    char *path = fixture("tiny/..");
    if (!path) skip();
    DIR *directory = opendir(path);
    const struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        bool is_known = strchr(entry->d_name, '.') != NULL;
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
            is_known = is_known || strcmp(tests[i].name, entry->d_name) == 0;
        }
        if (!is_known) fail_msg("no test of %s", entry->d_name);
    }
    (void)closedir(directory);
    free(path);
}

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
