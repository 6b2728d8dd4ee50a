/*
 * Refresh and close under running operations. The snapshot is the peer's history of four runs of one prefix; the test
 * publishes by moving _CURRENT between them. Every answer must be wholly of one run.
 */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS 4
#define REFRESHES 300
#define MOST_KEYS 128

static char *root, *cache, *snapshot, *current_path;
static char *pointers[RUNS]; /* _CURRENT of each run, oldest first */

struct expected {
    size_t count;
    shf_key keys[MOST_KEYS];
    unsigned char *values[RUNS][MOST_KEYS]; /* NULL = absent */
    size_t sizes[RUNS][MOST_KEYS];
    json_t *rows[RUNS];
};
static struct expected expected;

static void load_expected(const char *from) {
    for (int run = 0; run < RUNS; run++) {
        char name[32];
        (void)snprintf(name, sizeof name, "expected-run%d.jsonl", run + 1);
        expected.rows[run] = support_lines(from, name);
    }
    expected.count = json_array_size(expected.rows[0]);
    assert_in_range(expected.count, 10, MOST_KEYS);
    for (size_t i = 0; i < expected.count; i++) {
        const json_t *key = json_object_get(json_object_get(json_array_get(expected.rows[0], i), "key"), "str");
        expected.keys[i] = shf_key_from_text(json_string_value(key), json_string_length(key));
    }
    for (int run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < expected.count; i++) {
            for (size_t j = 0; j < json_array_size(expected.rows[run]); j++) {
                const json_t *row = json_array_get(expected.rows[run], j);
                const json_t *key = json_object_get(json_object_get(row, "key"), "str");
                const char *value = json_string_value(json_object_get(row, "value"));
                if (strcmp(json_string_value(key), expected.keys[i].as.bytes.data) != 0 || !value) continue;
                expected.values[run][i] = support_base64(value, &expected.sizes[run][i]);
            }
        }
    }
}

static void load_pointers(const char *from) {
    char *path = support_path("%s/history.json", from);
    json_t *history = json_load_file(path, 0, NULL), *entry;
    size_t i;
    json_array_foreach(json_object_get(history, "newest_first"), i, entry) {
        pointers[RUNS - 1 - i] = support_path(
            "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":\"%s\","
            "\"run_id\":\"%s\",\"updated_at\":\"2026-11-22T07:32:31.000000Z\"}",
            json_string_value(json_object_get(entry, "ref")), json_string_value(json_object_get(entry, "run_id")));
    }
    assert_int_equal(i, RUNS);
    json_decref(history);
    free(path);
}

static void publish(int run) { support_write_file(current_path, pointers[run], strlen(pointers[run])); }

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    char *from = support_peer_case("history-good");
    if (from) {
        char *recorded = support_path("%s/snapshot", from);
        snapshot = support_path("%s/snapshot", root);
        current_path = support_path("%s/_CURRENT", snapshot);
        support_copy_tree(recorded, snapshot);
        load_expected(from);
        load_pointers(from);
        free(recorded);
        free(from);
    }
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    for (int run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < expected.count; i++) free(expected.values[run][i]);
        json_decref(expected.rows[run]);
        free(pointers[run]);
        pointers[run] = NULL;
    }
    memset(&expected, 0, sizeof expected);
    free(current_path);
    free(snapshot);
    free(cache);
    free(root);
    snapshot = NULL;
    return held;
}

/* The run that all values of a multi_get are of, or -1. */
static int run_of(const shf_op *op) {
    for (int run = 0; run < RUNS; run++) {
        bool same = true;
        for (size_t i = 0; same && i < expected.count; i++) {
            shf_value value;
            SHF_INIT(&value);
            if (shf_op_value(op, i, &value)) return -1;
            const unsigned char *wanted = expected.values[run][i];
            same = wanted ? value.status == SHF_OK && value.data.size == expected.sizes[run][i] &&
                                memcmp(value.data.data, wanted, value.data.size) == 0
                          : value.status == SHF_NOT_FOUND;
        }
        if (same) return run;
    }
    return -1;
}

struct load {
    shf_reader *reader;
    atomic_bool stop;
    atomic_int lookups, searches, mixed, failed;
    bool may_close;
};

static void *look_up(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        shf_status status = shf_multi_get_sync(load->reader, expected.keys, expected.count, NULL, 0, &op);
        bool closing = load->may_close && (status == SHF_E_CLOSED || status == SHF_E_CANCELLED);
        if (status && !closing) atomic_fetch_add(&load->failed, 1);
        if (!status && run_of(op) < 0) atomic_fetch_add(&load->mixed, 1);
        shf_op_release(op);
        atomic_fetch_add(&load->lookups, 1);
    }
    return NULL;
}

static void *search(void *argument) {
    struct load *load = argument;
    const float vector[4] = {0.5f, -1, 2, 0.25f};
    shf_query query;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 4;
    query.top_k = 100;
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        shf_status status = shf_search_sync(load->reader, &query, 0, &op);
        bool closing = load->may_close && (status == SHF_E_CLOSED || status == SHF_E_CANCELLED);
        if (status && !closing) atomic_fetch_add(&load->failed, 1);
        if (!status && shf_op_hit_count(op, 0) == 0) atomic_fetch_add(&load->mixed, 1);
        shf_op_release(op);
        atomic_fetch_add(&load->searches, 1);
    }
    return NULL;
}

static void start_load(struct load *load, shf_reader *reader, bool may_close, pthread_t threads[3]) {
    memset(load, 0, sizeof *load);
    load->reader = reader;
    load->may_close = may_close;
    assert_int_equal(pthread_create(&threads[0], NULL, look_up, load), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, search, load), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, look_up, load), 0);
}

static void stop_load(struct load *load, pthread_t threads[3]) {
    atomic_store(&load->stop, true);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&load->mixed), 0);
    assert_int_equal(atomic_load(&load->failed), 0);
}

static shf_op *refresh(shf_reader *reader, shf_status wanted, uint32_t changed) {
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    shf_status status = shf_refresh_sync(reader, 0, &op);
    if (status != wanted) print_message("refresh: %s\n", shf_error_message(shf_op_error(op)));
    assert_int_equal(status, wanted);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.changed, changed);
    return op;
}

static shf_reader *open_run(int run) {
    shf_status status;
    publish(run);
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    if (status) print_message("%s\n", support_message);
    assert_int_equal(status, SHF_OK);
    return reader;
}

static void assert_serves(shf_reader *reader, int run) {
    shf_op *op = NULL;
    assert_int_equal(shf_multi_get_sync(reader, expected.keys, expected.count, NULL, 0, &op), SHF_OK);
    assert_int_equal(run_of(op), run);
    shf_op_release(op);
}

static void test_refreshes_under_load(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader *reader = open_run(0);
    struct load load;
    pthread_t threads[3];
    start_load(&load, reader, false, threads);
    for (int i = 1; i <= REFRESHES; i++) {
        publish(i % RUNS);
        shf_op_release(refresh(reader, SHF_OK, 1));
        assert_serves(reader, i % RUNS);
    }
    stop_load(&load, threads);
    assert_true(atomic_load(&load.lookups) > 0 && atomic_load(&load.searches) > 0);
    support_close(reader);
}

static void test_the_same_manifest_changes_nothing(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader *reader = open_run(3);
    shf_op_release(refresh(reader, SHF_OK, 0));
    assert_serves(reader, 3);
    support_close(reader);
}

static void test_a_malformed_new_manifest_keeps_the_old_snapshot(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader *reader = open_run(1);
    char *manifest = support_find_file(snapshot, "manifest", 2);
    shf_open_info info;
    shf_runtime_stats stats;
    SHF_INIT(&info);
    SHF_INIT(&stats);
    support_write_file(manifest, "not a database", 14);
    publish(2);
    shf_op *op = refresh(reader, SHF_OK, 0);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.manifest_malformed, 1);
    shf_op_release(op);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.refresh_failures == 1);
    assert_serves(reader, 1);
    publish(3);
    shf_op_release(refresh(reader, SHF_OK, 1));
    assert_serves(reader, 3);
    support_close(reader);
    free(manifest);
}

static void test_failed_refreshes_keep_the_old_snapshot(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader *reader = open_run(0);
    assert_int_equal(unlink(current_path), 0);
    shf_op_release(refresh(reader, SHF_E_STATE, 0));
    assert_serves(reader, 0);
    char *shard = support_find_file(snapshot, "shard.db", 1); /* of run 2 */
    assert_int_equal(unlink(shard), 0);
    publish(1);
    shf_op_release(refresh(reader, SHF_E_NOT_FOUND, 0));
    assert_serves(reader, 0);
    support_close(reader);
    free(shard);
}

static void test_close_under_load(void **state) {
    (void)state;
    if (!snapshot) skip();
    for (int round = 0; round < 40; round++) {
        shf_reader *reader = open_run(round % RUNS);
        struct load load;
        pthread_t threads[3];
        start_load(&load, reader, true, threads);
        usleep((useconds_t)(round * 100));
        shf_op *op = NULL;
        int mode = round % 2 ? SHF_CLOSE_CANCEL : SHF_CLOSE_DRAIN;
        assert_int_equal(shf_close_sync(reader, mode, 0, &op), SHF_OK);
        shf_op_release(op);
        stop_load(&load, threads);
        shf_reader_release(reader);
    }
}

static void test_many_refreshes_at_once_take_turns(void **state) {
    (void)state;
    if (!snapshot) skip();
    enum { AT_ONCE = 50 };
    shf_reader *reader = open_run(0);
    shf_call call = support_call();
    shf_op_id ids[AT_ONCE];
    int changed = 0;
    publish(2);
    for (int i = 0; i < AT_ONCE; i++) assert_int_equal(shf_refresh(reader, &call, &ids[i]), SHF_OK);
    for (int i = 0; i < AT_ONCE; i++) {
        shf_op *op = support_wait(SHF_OK, ids[i]);
        shf_open_info info;
        SHF_INIT(&info);
        assert_int_equal(shf_op_status(op), SHF_OK);
        assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
        changed += (int)info.changed;
        shf_op_release(op);
    }
    assert_int_equal(changed, 1);
    assert_serves(reader, 2);
    support_close(reader);
}

static void test_release_without_close_under_way(void **state) {
    (void)state;
    if (!snapshot) skip();
    shf_reader *reader = open_run(0);
    shf_call call = support_call();
    shf_op_id ids[8];
    publish(1);
    for (int i = 0; i < 8; i++) assert_int_equal(shf_refresh(reader, &call, &ids[i]), SHF_OK);
    shf_reader_release(reader);
    for (int i = 0; i < 8; i++) {
        shf_op *op = support_wait(SHF_OK, ids[i]);
        shf_status status = shf_op_status(op);
        assert_true(status == SHF_OK || status == SHF_E_CANCELLED || status == SHF_E_CLOSED);
        shf_op_release(op);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_refreshes_under_load),
        TEST(test_the_same_manifest_changes_nothing),
        TEST(test_a_malformed_new_manifest_keeps_the_old_snapshot),
        TEST(test_failed_refreshes_keep_the_old_snapshot),
        TEST(test_close_under_load),
        TEST(test_many_refreshes_at_once_take_turns),
        TEST(test_release_without_close_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
