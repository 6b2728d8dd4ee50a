/*
 * Pointers at other places than _CURRENT, and manifests that the caller keeps elsewhere. The snapshot is the peer's
 * history of four runs of one prefix, with one shard each.
 */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RUNS 4

static char *root, *cache, *snapshot; /* of the running test */
static json_t *newest_first;

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    snapshot = NULL;
    newest_first = NULL;
    char *from = support_peer_case("history-good");
    if (from) {
        char *recorded = support_path("%s/snapshot", from), *path = support_path("%s/history.json", from);
        json_t *history = json_load_file(path, 0, NULL);
        newest_first = json_incref(json_object_get(history, "newest_first"));
        json_decref(history);
        snapshot = support_path("%s/snapshot", root);
        support_copy_tree(recorded, snapshot);
        free(recorded);
        free(path);
        free(from);
    }
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    json_decref(newest_first);
    free(root);
    free(cache);
    free(snapshot);
    return held;
}

static const char *of_run(int run, const char *name) {
    return json_string_value(json_object_get(json_array_get(newest_first, (size_t)(RUNS - run)), name));
}

/* Lets `pointer`, below the snapshot, name a run. */
static void point(const char *pointer, int run) {
    char *path = support_path("%s/%s", snapshot, pointer);
    char *text = support_path("{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\","
                              "\"manifest_ref\":\"%s\",\"run_id\":\"%s\",\"updated_at\":\"2026-11-22T07:32:31Z\"}",
                              of_run(run, "ref"), of_run(run, "run_id"));
    support_write_file(path, text, strlen(text));
    free(path);
    free(text);
}

static shf_reader_options options_of(const char *url) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = url;
    options.local_root = cache;
    return options;
}

/* NULL with the error's text in support_message. */
static shf_reader *open_with(const shf_reader_options *options, shf_status wanted) {
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    shf_status status = shf_open_sync(support_runtime, options, 0, &op);
    (void)snprintf(support_message, sizeof support_message, "%s", shf_error_message(shf_op_error(op)));
    if (status != wanted) print_message("open: %s\n", support_message);
    assert_int_equal(status, wanted);
    if (!status) assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    return reader;
}

static void expect_run(shf_reader *reader, int run) {
    shf_snapshot *served = NULL;
    shf_snapshot_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_reader_snapshot(reader, &served), SHF_OK);
    assert_int_equal(shf_snapshot_describe(served, &info), SHF_OK);
    assert_string_equal(info.run_id, of_run(run, "run_id"));
    shf_snapshot_release(served);
}

/* Says what a refresh did: its op is released. */
static shf_open_info refreshed(shf_status status, shf_op *op, shf_status wanted) {
    shf_open_info info;
    SHF_INIT(&info);
    if (status != wanted) print_message("refresh: %s\n", shf_error_message(shf_op_error(op)));
    assert_int_equal(status, wanted);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    shf_op_release(op);
    return info;
}

/* ---- the pointer ---- */

static void test_another_pointer(void **state) {
    (void)state;
    if (!snapshot) skip();
    char *folder = support_path("%s/pointers", snapshot);
    assert_int_equal(mkdir(folder, 0755), 0);
    point("pointers/staging.json", 2);
    point("_CURRENT", 1);
    shf_reader_options options = options_of(snapshot);
    options.current_pointer_key = "pointers/staging.json";
    shf_reader *reader = open_with(&options, SHF_OK);
    expect_run(reader, 2);
    shf_op *op = NULL;
    point("pointers/staging.json", 3); /* a refresh looks there too */
    shf_status status = shf_refresh_sync(reader, 0, &op);
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 1);
    expect_run(reader, 3);
    support_close(reader);
    free(folder);
}

/* A URL is the prefix beside a key of the pointer, "_" or not. */
static void test_a_prefix_that_looks_like_a_pointer(void **state) {
    (void)state;
    if (!snapshot) skip();
    char *moved = support_path("%s/_snapshot", root);
    assert_int_equal(rename(snapshot, moved), 0);
    shf_reader_options options = options_of(moved);
    assert_null(open_with(&options, SHF_E_STATE));
    options.current_pointer_key = "_CURRENT";
    shf_reader *reader = open_with(&options, SHF_OK);
    expect_run(reader, 4);
    support_close(reader);
    free(moved);
}

static void test_bad_pointer_keys(void **state) {
    (void)state;
    if (!snapshot) skip();
    static const char *const keys[] = {"", "/", "../_CURRENT", "a//b", "/etc/passwd"};
    shf_reader_options options = options_of(snapshot);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        options.current_pointer_key = keys[i];
        assert_null(open_with(&options, SHF_E_INVALID));
        assert_non_null(strstr(support_message, "current_pointer_key"));
    }
    options.current_pointer_key = "_OTHER";
    assert_null(open_with(&options, SHF_E_STATE));
    assert_non_null(strstr(support_message, "/_OTHER"));
}

/* A struct of before the field: what follows it in the caller's memory is not looked at. */
static void test_an_older_options_struct(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader_options options = options_of(snapshot);
    memset((char *)&options + offsetof(shf_reader_options, current_pointer_key), 0x5a,
           sizeof options - offsetof(shf_reader_options, current_pointer_key));
    options.struct_size = offsetof(shf_reader_options, current_pointer_key);
    shf_reader *reader = open_with(&options, SHF_OK);
    expect_run(reader, 4);
    support_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_another_pointer),
        TEST(test_a_prefix_that_looks_like_a_pointer),
        TEST(test_bad_pointer_keys),
        TEST(test_an_older_options_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
