/*
 * Pointers at other places than _CURRENT, and manifests that the caller keeps elsewhere. The snapshot is the peer's
 * history of four runs of one prefix, with one shard each.
 */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- manifests that the caller keeps ---- */

/* The manifest of a run, for the caller to free. */
static shf_slice manifest_of(int run) {
    const char *tail = strstr(of_run(run, "ref"), "manifests/");
    char *path = support_path("%s/%s", snapshot, tail);
    shf_slice manifest;
    manifest.data = support_read_file(path, &manifest.size);
    free(path);
    return manifest;
}

static void forget(shf_slice manifest) { free((void *)(uintptr_t)manifest.data); }

/* Neither a pointer nor a manifest is left below the prefix. */
static void take_away(shf_slice manifests[RUNS + 1]) {
    char *current = support_path("%s/_CURRENT", snapshot), *folder = support_path("%s/manifests", snapshot);
    for (int run = 1; run <= RUNS; run++) manifests[run] = manifest_of(run);
    assert_int_equal(unlink(current), 0);
    support_remove_tree(folder);
    free(current);
    free(folder);
}

static shf_reader_options options_with(shf_slice manifest, const char *ref) {
    shf_reader_options options = options_of(snapshot);
    options.manifest_ref = ref;
    options.manifest = manifest;
    return options;
}

static void expect_ref(shf_reader *reader, const char *ref) {
    shf_snapshot *served = NULL;
    shf_snapshot_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_reader_snapshot(reader, &served), SHF_OK);
    assert_int_equal(shf_snapshot_describe(served, &info), SHF_OK);
    assert_string_equal(info.manifest_ref, ref);
    shf_snapshot_release(served);
}

static void test_kept_manifests(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_slice manifests[RUNS + 1];
    shf_op *op = NULL;
    take_away(manifests);
    shf_reader_options options = options_with(manifests[2], "row 2 of the table");
    shf_reader *reader = open_with(&options, SHF_OK);
    expect_run(reader, 2);
    expect_ref(reader, "row 2 of the table");
    shf_status status = shf_refresh_to_sync(reader, "row 3", manifests[3], 0, &op);
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 1);
    expect_run(reader, 3);
    expect_ref(reader, "row 3");
    status = shf_refresh_to_sync(reader, "row 3", manifests[4], 0, &op); /* the name decides */
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 0);
    expect_run(reader, 3);
    shf_call call = support_call();
    shf_op_id id = 0;
    status = shf_refresh_to(reader, "row 1", manifests[1], &call, &id);
    op = support_wait(status, id);
    assert_int_equal(refreshed(shf_op_status(op), op, SHF_OK).changed, 1);
    expect_run(reader, 1);
    assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_E_STATE); /* there is no _CURRENT */
    shf_op_release(op);
    expect_run(reader, 1);
    support_close(reader);
    for (int run = 1; run <= RUNS; run++) forget(manifests[run]);
}

static void test_a_plain_refresh_goes_to_the_pointer(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_op *op = NULL;
    shf_slice manifest = manifest_of(1);
    shf_reader_options options = options_with(manifest, "s3://elsewhere/and nowhere");
    shf_reader *reader = open_with(&options, SHF_OK);
    forget(manifest);
    expect_run(reader, 1);
    shf_status status = shf_refresh_sync(reader, 0, &op);
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 1);
    expect_run(reader, 4);
    support_close(reader);
}

/* No older one is tried, and an old snapshot stays. */
static void test_malformed_kept_manifests(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_op *op = NULL;
    const shf_slice broken = {"not a database", 14}, empty = {"", 0};
    shf_reader_options options = options_with(broken, "a broken one");
    options.max_fallback_attempts = 3;
    assert_null(open_with(&options, SHF_E_MANIFEST));
    assert_non_null(strstr(support_message, "a broken one"));
    options = options_with(empty, "an empty one");
    assert_null(open_with(&options, SHF_E_MANIFEST));
    options = options_of(snapshot);
    shf_reader *reader = open_with(&options, SHF_OK);
    shf_status status = shf_refresh_to_sync(reader, "a broken one", broken, 0, &op);
    shf_open_info info = refreshed(status, op, SHF_OK);
    assert_int_equal(info.changed, 0);
    assert_int_equal(info.manifest_malformed, 1);
    expect_run(reader, 4);
    support_close(reader);
}

/* Runs one statement on a manifest; the result is the caller's to free. */
static shf_slice changed_manifest(int run, const char *sql) {
    shf_slice manifest = manifest_of(run);
    char *path = support_path("%s/changed", root);
    sqlite3 *db = NULL;
    support_write_file(path, manifest.data, manifest.size);
    forget(manifest);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    manifest.data = support_read_file(path, &manifest.size);
    free(path);
    return manifest;
}

/* A manifest from elsewhere may name no more than one of the prefix may. */
static void test_trust_of_kept_manifests(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_op *op = NULL;
    char *other = support_path("%s/other", root), *moved = support_path("%s/other/shard", root);
    char *shards = support_path("%s/shards/run_id=%s/db=00000/attempt=00", snapshot, of_run(3, "run_id"));
    char *sql = support_path("UPDATE shards SET db_url = 'file://%s'", moved);
    shf_slice manifest = changed_manifest(3, sql);
    assert_int_equal(mkdir(other, 0755), 0);
    assert_int_equal(rename(shards, moved), 0);
    shf_reader_options options = options_with(manifest, "elsewhere");
    assert_null(open_with(&options, SHF_E_MANIFEST));
    assert_non_null(strstr(support_message, "refused"));
    options = options_of(snapshot);
    shf_reader *reader = open_with(&options, SHF_OK);
    shf_status status = shf_refresh_to_sync(reader, "elsewhere", manifest, 0, &op);
    assert_int_equal(refreshed(status, op, SHF_E_MANIFEST).manifest_malformed, 0);
    expect_run(reader, 4);
    support_close(reader);
    const char *const allowed[] = {other, NULL};
    options = options_with(manifest, "elsewhere");
    options.allowed_prefixes = allowed;
    reader = open_with(&options, SHF_OK);
    expect_run(reader, 3);
    support_close(reader);
    forget(manifest);
    free(sql);
    free(shards);
    free(moved);
    free(other);
}

/* Stored bytes are looked up in the snapshot that is given, served or not; a shard without an object has none. */
static void test_stored_keys_of_an_old_snapshot(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_op *op = NULL, *wanted = NULL;
    shf_snapshot *old = NULL;
    shf_shard_info shard;
    shf_value value, same;
    SHF_INIT(&shard);
    SHF_INIT(&value);
    SHF_INIT(&same);
    shf_slice wider = changed_manifest(1, "UPDATE build_meta SET num_dbs = 2"), newer = manifest_of(4);
    shf_reader_options options = options_with(wider, "wider");
    shf_reader *reader = open_with(&options, SHF_OK);
    assert_int_equal(shf_reader_snapshot(reader, &old), SHF_OK);
    assert_int_equal(shf_snapshot_shard(old, 0, &shard), SHF_OK);
    size_t size = strlen(shard.min_key) - 2; /* JSON text */
    shf_slice key = {shard.min_key + 1, size};
    assert_int_equal(shf_get_stored_now(reader, old, 0, &key, 1, &wanted), SHF_OK);
    assert_int_equal(shf_op_value(wanted, 0, &same), SHF_OK);
    assert_int_equal(same.status, SHF_OK);
    assert_int_equal(shf_get_stored_now(reader, old, 1, &key, 1, &op), SHF_OK); /* the empty shard */
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_NOT_FOUND);
    shf_op_release(op);
    assert_int_equal(shf_get_stored_now(reader, old, 2, &key, 1, &op), SHF_E_INVALID);
    shf_status status = shf_refresh_to_sync(reader, "newer", newer, 0, &op);
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 1);
    expect_run(reader, 4);
    assert_int_equal(shf_get_stored_sync(reader, old, 0, &key, 1, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    assert_int_equal(value.data.size, same.data.size);
    assert_memory_equal(value.data.data, same.data.data, same.data.size);
    shf_op_release(op);
    shf_op_release(wanted);
    shf_snapshot_release(old);
    support_close(reader);
    forget(wider);
    forget(newer);
}

static void test_kept_manifests_that_can_not_be_accepted(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_op *op = NULL;
    char *long_name = malloc(8194);
    memset(long_name, 'a', 8193);
    long_name[8193] = '\0';
    shf_slice manifest = manifest_of(1);
    const shf_slice nowhere = {NULL, 5}, none = {NULL, 0}, large = {manifest.data, (256u << 20) + 1};
    const struct {
        const char *ref;
        shf_slice manifest;
        shf_status open, refresh;
    } rows[] = {{NULL, manifest, SHF_E_INVALID, SHF_E_INVALID},   {"", manifest, SHF_E_INVALID, SHF_E_INVALID},
                {"a\nb", manifest, SHF_E_INVALID, SHF_E_INVALID}, {long_name, manifest, SHF_E_INVALID, SHF_E_INVALID},
                {"x", nowhere, SHF_E_INVALID, SHF_E_INVALID},     {"x", large, SHF_E_LIMIT, SHF_E_LIMIT}};
    shf_reader_options options = options_of(snapshot);
    shf_reader *reader = open_with(&options, SHF_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        options = options_with(rows[i].manifest, rows[i].ref);
        assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), rows[i].open);
        assert_null(op);
        assert_int_equal(shf_refresh_to_sync(reader, rows[i].ref, rows[i].manifest, 0, &op), rows[i].refresh);
        assert_null(op);
    }
    assert_int_equal(shf_refresh_to_sync(reader, "x", none, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_refresh_to_sync(NULL, "x", manifest, 0, &op), SHF_E_INVALID);
    options = options_with(manifest, "x");
    options.history_offset = 1;
    assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    assert_int_equal(shf_refresh_to_sync(reader, "x", manifest, 0, &op), SHF_E_CLOSED);
    assert_null(op);
    shf_reader_release(reader);
    forget(manifest);
    free(long_name);
}

/* Lookups and plain refreshes run beside; every state is one of the four, whole. */
static void *refresh_to_all(void *argument) {
    shf_reader *reader = argument;
    for (int i = 0; i < 60; i++) {
        char name[32];
        shf_op *op = NULL;
        shf_slice manifest = manifest_of(i % RUNS + 1);
        (void)snprintf(name, sizeof name, "run %d", i % RUNS + 1);
        shf_status status = shf_refresh_to_sync(reader, name, manifest, 0, &op);
        forget(manifest);
        shf_op_release(op);
        if (status) return argument;
    }
    return NULL;
}

static void *look_up_all(void *argument) {
    shf_reader *reader = argument;
    for (int i = 0; i < 300; i++) {
        shf_key key = shf_key_from_text("k", 1);
        shf_op *op = NULL;
        shf_status status = i % 10 ? shf_get_sync(reader, &key, NULL, 0, &op) : shf_refresh_sync(reader, 0, &op);
        shf_op_release(op);
        if (status) return argument;
    }
    return NULL;
}

static void test_many_at_once(void **state) {
    (void)state;
    if (!snapshot) skip();
    static void *(*const bodies[4])(void *) = {refresh_to_all, look_up_all, refresh_to_all, look_up_all};
    pthread_t threads[4];
    shf_op *op = NULL;
    shf_reader_options options = options_of(snapshot);
    shf_reader *reader = open_with(&options, SHF_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, bodies[i], reader), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    shf_slice manifest = manifest_of(2);
    shf_status status = shf_refresh_to_sync(reader, "the last", manifest, 0, &op);
    assert_int_equal(refreshed(status, op, SHF_OK).changed, 1);
    expect_run(reader, 2);
    forget(manifest);
    support_close(reader);
}

/* ---- what a manifest says ---- */

static void test_texts_as_written(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_snapshot *served = NULL;
    shf_snapshot_info info;
    shf_shard_info shard;
    SHF_INIT(&info);
    SHF_INIT(&shard);
    shf_slice manifest = changed_manifest(2, "UPDATE build_meta SET num_dbs = 2, custom = '{\"mine\":  1}';"
                                             "UPDATE shards SET checkpoint_id = 'c', writer_info = '{\"attempt\":0 }'");
    shf_reader_options options = options_with(manifest, "changed");
    shf_reader *reader = open_with(&options, SHF_OK);
    assert_int_equal(shf_reader_snapshot(reader, &served), SHF_OK);
    assert_int_equal(shf_snapshot_describe(served, &info), SHF_OK);
    assert_string_equal(info.custom, "{\"mine\":  1}");
    assert_int_equal(shf_snapshot_shard(served, 0, &shard), SHF_OK);
    assert_string_equal(shard.checkpoint_id, "c");
    assert_string_equal(shard.writer_info, "{\"attempt\":0 }");
    assert_int_equal(shf_snapshot_shard(served, 1, &shard), SHF_OK);
    assert_null(shard.checkpoint_id);
    assert_null(shard.writer_info);
    /* A struct of before these fields is filled up to where it ends. */
    const char *const sentinel = "untouched";
    shard.checkpoint_id = shard.writer_info = info.custom = sentinel;
    shard.struct_size = offsetof(shf_shard_info, checkpoint_id);
    info.struct_size = offsetof(shf_snapshot_info, custom);
    assert_int_equal(shf_snapshot_shard(served, 0, &shard), SHF_OK);
    assert_int_equal(shf_snapshot_describe(served, &info), SHF_OK);
    assert_ptr_equal(shard.checkpoint_id, sentinel);
    assert_ptr_equal(shard.writer_info, sentinel);
    assert_ptr_equal(info.custom, sentinel);
    shf_snapshot_release(served);
    support_close(reader);
    forget(manifest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_another_pointer),
        TEST(test_a_prefix_that_looks_like_a_pointer),
        TEST(test_bad_pointer_keys),
        TEST(test_an_older_options_struct),
        TEST(test_kept_manifests),
        TEST(test_a_plain_refresh_goes_to_the_pointer),
        TEST(test_malformed_kept_manifests),
        TEST(test_trust_of_kept_manifests),
        TEST(test_stored_keys_of_an_old_snapshot),
        TEST(test_kept_manifests_that_can_not_be_accepted),
        TEST(test_texts_as_written),
        TEST(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
