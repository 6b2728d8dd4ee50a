/* Credentials that are replaced while a reader lives, over a real S3 server. */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENTS 200

static shf_status use_right_ones(shf_reader *reader) {
    const shf_s3_options s3 = s3_options(s3_server.endpoint);
    return shf_reader_set_credentials(reader, s3.access_key_id, s3.secret_access_key, NULL);
}

static shf_status use_wrong_ones(shf_reader *reader) {
    const shf_s3_options s3 = s3_options(s3_server.endpoint);
    return shf_reader_set_credentials(reader, s3.access_key_id, "a secret of nobody", NULL);
}

static shf_reader *open_lazily(void) {
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, SHF_OPEN_LAZY, 0);
    if (opened.status) print_message("%s\n", opened.message);
    assert_int_equal(opened.status, SHF_OK);
    return opened.reader;
}

static shf_status refresh(shf_reader *reader) {
    shf_op *op = NULL;
    shf_status status = shf_refresh_sync(reader, 0, &op);
    shf_op_release(op);
    return status;
}

static shf_status get(shf_reader *reader) {
    const shf_key key = shf_key_from_text("no-such-package", 15);
    shf_op *op = NULL;
    shf_status status = shf_get_sync(reader, &key, NULL, 0, &op);
    if (status) assert_null(strstr(shf_error_message(shf_op_error(op)), "a secret of nobody"));
    shf_op_release(op);
    return status;
}

/* The sample's, as a snapshot that was written below the URL where its copy lies. */
static shf_slice sample_manifest_elsewhere(void) {
    char *from = support_find_file(S3_SAMPLE, "manifest", 0), *path = support_path("%s/elsewhere", s3_cache);
    shf_slice manifest;
    sqlite3 *db = NULL;
    manifest.data = support_read_file(from, &manifest.size);
    support_write_file(path, manifest.data, manifest.size);
    free((void *)(uintptr_t)manifest.data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "UPDATE shards SET db_url = replace(db_url, 's3://samples/packages-1k', '" S3_SAMPLE_URL
                     "'); UPDATE build_meta SET s3_prefix = 's3://nowhere'",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    manifest.data = support_read_file(path, &manifest.size);
    free(path);
    free(from);
    return manifest;
}

static void test_wrong_ones_and_right_ones(void **state) {
    (void)state;
    shf_reader *reader = open_lazily();
    assert_int_equal(use_wrong_ones(reader), SHF_OK);
    assert_int_equal(get(reader), SHF_E_ACCESS); /* needs a shard */
    assert_int_equal(refresh(reader), SHF_E_ACCESS);
    assert_int_equal(use_right_ones(reader), SHF_OK);
    assert_int_equal(refresh(reader), SHF_OK);
    assert_int_equal(get(reader), SHF_OK);
    assert_true(s3_sample_is_exact(reader));
    assert_int_equal(use_wrong_ones(reader), SHF_OK);
    assert_true(s3_sample_is_exact(reader)); /* every shard is open */
    support_close(reader);
}

/* The stores of allowed prefixes get them too: the shards lie there, the pointer and the manifest in another bucket. */
static void test_allowed_prefixes(void **state) {
    (void)state;
    static const char *const allowed[] = {S3_SAMPLE_URL, NULL};
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    shf_reader_options options = s3_reader_options("s3://pointers/p", &s3, SHF_OPEN_LAZY);
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    shf_slice manifest = sample_manifest_elsewhere();
    options.allowed_prefixes = allowed;
    options.manifest = manifest;
    options.manifest_ref = "kept elsewhere";
    assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_OK);
    assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    free((void *)(uintptr_t)manifest.data);
    assert_int_equal(use_wrong_ones(reader), SHF_OK);
    assert_int_equal(get(reader), SHF_E_ACCESS);
    assert_int_equal(use_right_ones(reader), SHF_OK);
    assert_int_equal(get(reader), SHF_OK);
    assert_true(s3_sample_is_exact(reader));
    support_close(reader);
}

static void test_that_can_not_be_accepted(void **state) {
    (void)state;
    shf_reader *reader = open_lazily();
    shf_op *op = NULL;
    assert_int_equal(shf_reader_set_credentials(NULL, "a", "b", NULL), SHF_E_INVALID);
    assert_int_equal(shf_reader_set_credentials(reader, NULL, "b", NULL), SHF_E_INVALID);
    assert_int_equal(shf_reader_set_credentials(reader, "a", NULL, NULL), SHF_E_INVALID);
    assert_int_equal(shf_reader_set_credentials(reader, "a b", "b", NULL), SHF_E_INVALID);
    assert_int_equal(shf_reader_set_credentials(reader, "a", "b", "two\nlines"), SHF_E_INVALID);
    assert_int_equal(get(reader), SHF_OK); /* the old ones are in use still */
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    assert_int_equal(use_right_ones(reader), SHF_E_CLOSED);
    shf_reader_release(reader);
}

static void test_files_know_none(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(S3_SAMPLE, s3_cache, 0, &status);
    assert_int_equal(status, SHF_OK);
    assert_int_equal(use_wrong_ones(reader), SHF_OK);
    assert_int_equal(refresh(reader), SHF_OK);
    support_close(reader);
}

struct rotation {
    shf_reader *reader;
    atomic_bool stop;
    atomic_int failed, refreshes;
};

static void *refresh_all_the_time(void *argument) {
    struct rotation *rotation = argument;
    while (!atomic_load(&rotation->stop)) {
        if (refresh(rotation->reader)) atomic_fetch_add(&rotation->failed, 1);
        atomic_fetch_add(&rotation->refreshes, 1);
    }
    return NULL;
}

static void *replace_all_the_time(void *argument) {
    struct rotation *rotation = argument;
    for (int i = 0; i < REPLACEMENTS; i++) {
        if (use_right_ones(rotation->reader)) atomic_fetch_add(&rotation->failed, 1);
    }
    return NULL;
}

/* Two providers beside requests: every request is signed with one whole set. */
static void test_replaced_under_load(void **state) {
    (void)state;
    struct rotation rotation = {.reader = open_lazily()};
    pthread_t refreshing[2], replacing[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&refreshing[i], NULL, refresh_all_the_time, &rotation), 0);
        assert_int_equal(pthread_create(&replacing[i], NULL, replace_all_the_time, &rotation), 0);
    }
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(replacing[i], NULL), 0);
    assert_int_equal(refresh(rotation.reader), SHF_OK);
    atomic_store(&rotation.stop, true);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(refreshing[i], NULL), 0);
    assert_int_equal(atomic_load(&rotation.failed), 0);
    support_close(rotation.reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_wrong_ones_and_right_ones), TEST(test_allowed_prefixes),    TEST(test_that_can_not_be_accepted),
        TEST(test_files_know_none),           TEST(test_replaced_under_load),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
