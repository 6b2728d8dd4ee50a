/*
 * Refresh and close under running lookups and searches, over a real S3 server: two runs of the peer's history are
 * published in turn by putting _CURRENT. Nothing fails, and every answer is wholly of one run, as the files themselves
 * answer it.
 */
#include "integration/s3_support.h"

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

#define RUNS 2
#define PUBLICATIONS 60
#define CLOSES 10
#define MOST_KEYS 128
#define THREADS 4

static shf_runtime *oracle_runtime;
static shf_reader *oracles[RUNS]; /* pinned to their runs, over the files */
static shf_op *oracle_values[RUNS], *oracle_hits[RUNS];
static char *pointers[RUNS];
static json_t *rows;
static shf_key keys[MOST_KEYS];
static size_t key_count;

static shf_query a_query(void) {
    static const float vector[4] = {0.5f, -1, 2, 0.25f};
    shf_query query;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 4;
    query.top_k = 50;
    return query;
}

/* ---- what is true ---- */

static void load_keys(const char *folder) {
    size_t i;
    const json_t *row;
    rows = support_lines(folder, "expected-run1.jsonl");
    json_array_foreach(rows, i, row) {
        const json_t *key = json_object_get(json_object_get(row, "key"), "str");
        assert_true(key_count < MOST_KEYS);
        keys[key_count++] = shf_key_from_text(json_string_value(key), json_string_length(key));
    }
    assert_true(key_count > 10);
}

static void load_run(const char *folder, const json_t *entry, int run) {
    char *url = support_path("%s/snapshot", folder);
    const char *ref = json_string_value(json_object_get(entry, "ref"));
    shf_reader_options options;
    shf_op *op = NULL;
    SHF_INIT(&options);
    options.url = url;
    options.manifest_ref = ref;
    assert_int_equal(shf_open_sync(oracle_runtime, &options, 0, &op), SHF_OK);
    assert_int_equal(shf_op_take_reader(op, &oracles[run]), SHF_OK);
    shf_op_release(op);
    shf_query query = a_query();
    assert_int_equal(shf_multi_get_sync(oracles[run], keys, key_count, NULL, 0, &oracle_values[run]), SHF_OK);
    assert_int_equal(shf_search_sync(oracles[run], &query, 0, &oracle_hits[run]), SHF_OK);
    pointers[run] =
        support_path("{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\","
                     "\"manifest_ref\":\"%s\",\"run_id\":\"%s\",\"updated_at\":\"2026-11-22T07:32:31.000000Z\"}",
                     ref, json_string_value(json_object_get(entry, "run_id")));
    free(url);
}

static bool same_values(const shf_op *op, const shf_op *wanted) {
    for (size_t i = 0; i < key_count; i++) {
        shf_value a, b;
        SHF_INIT(&a);
        SHF_INIT(&b);
        if (shf_op_value(op, i, &a) || shf_op_value(wanted, i, &b) || a.status != b.status ||
            a.data.size != b.data.size || (a.data.size && memcmp(a.data.data, b.data.data, a.data.size) != 0)) {
            return false;
        }
    }
    return true;
}

static bool same_hits(const shf_op *op, const shf_op *wanted) {
    if (shf_op_hit_count(op, 0) != shf_op_hit_count(wanted, 0)) return false;
    for (size_t i = 0; i < shf_op_hit_count(wanted, 0); i++) {
        shf_hit a, b;
        SHF_INIT(&a);
        SHF_INIT(&b);
        if (shf_op_hit(op, 0, i, &a) || shf_op_hit(wanted, 0, i, &b)) return false;
        bool same_id = a.id.kind == b.id.kind && a.id.int_value == b.id.int_value && a.id.text.size == b.id.text.size;
        if (!same_id || a.shard != b.shard || memcmp(&a.score, &b.score, sizeof a.score) != 0) return false;
    }
    return true;
}

static char *from; /* the peer's case */

static int group_begin(void **state) {
    if (s3_group_begin(state)) return -1;
    char *path = support_path("%s/history.json", from), *snapshot = support_path("%s/snapshot", from);
    json_t *history = json_load_file(path, 0, NULL), *newest_first = json_object_get(history, "newest_first");
    assert_int_equal(shf_runtime_new(NULL, &oracle_runtime), SHF_OK);
    load_keys(from);
    for (int run = 0; run < RUNS; run++) load_run(from, json_array_get(newest_first, (size_t)run), run);
    assert_false(same_values(oracle_values[0], oracle_values[1])); /* else the test shows nothing */
    assert_false(same_hits(oracle_hits[0], oracle_hits[1]));
    assert_true(s3_server_put_folder(&s3_server, snapshot, S3_BUCKET, "history"));
    json_decref(history);
    free(path);
    free(snapshot);
    return 0;
}

static int group_end(void **state) {
    for (int run = 0; run < RUNS; run++) {
        shf_op *op = NULL;
        shf_op_release(oracle_values[run]);
        shf_op_release(oracle_hits[run]);
        (void)shf_close_sync(oracles[run], SHF_CLOSE_DRAIN, 0, &op);
        shf_op_release(op);
        shf_reader_release(oracles[run]);
        free(pointers[run]);
    }
    json_decref(rows);
    free(from);
    if (shf_runtime_free(oracle_runtime)) return -1;
    return s3_group_end(state);
}

/* ---- load ---- */

struct load {
    shf_reader *reader;
    pthread_t threads[THREADS];
    atomic_bool stop;
    bool may_close;
    atomic_int answers[RUNS], searches, failed, mixed;
};

/* Counts an answer for the run that it is of. */
static void judge(struct load *load, shf_status status, const shf_op *op, shf_op *const wanted[RUNS],
                  bool (*same)(const shf_op *op, const shf_op *wanted)) {
    if (load->may_close && (status == SHF_E_CLOSED || status == SHF_E_CANCELLED)) return;
    if (status) {
        atomic_fetch_add(&load->failed, 1);
        return;
    }
    for (int run = 0; run < RUNS; run++) {
        if (!same(op, wanted[run])) continue;
        atomic_fetch_add(&load->answers[run], 1);
        return;
    }
    atomic_fetch_add(&load->mixed, 1);
}

static void *look_up(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        shf_status status = shf_multi_get_sync(load->reader, keys, key_count, NULL, 0, &op);
        judge(load, status, op, oracle_values, same_values);
        shf_op_release(op);
    }
    return NULL;
}

static void *search(void *argument) {
    struct load *load = argument;
    const shf_query query = a_query();
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        shf_status status = shf_search_sync(load->reader, &query, 0, &op);
        judge(load, status, op, oracle_hits, same_hits);
        atomic_fetch_add(&load->searches, 1);
        shf_op_release(op);
    }
    return NULL;
}

/* Beside the publisher's own: refreshes of one reader take turns. */
static void *refresh_all_the_time(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        shf_status status = shf_refresh_sync(load->reader, 0, &op);
        bool closing = load->may_close && (status == SHF_E_CLOSED || status == SHF_E_CANCELLED);
        if (status && !closing) {
            print_message("refresh: %s\n", shf_error_message(shf_op_error(op)));
            atomic_fetch_add(&load->failed, 1);
        }
        shf_op_release(op);
    }
    return NULL;
}

static void start_load(struct load *load, shf_reader *reader, bool may_close) {
    static void *(*const bodies[THREADS])(void *) = {look_up, search, refresh_all_the_time, look_up};
    memset(load, 0, sizeof *load);
    load->reader = reader;
    load->may_close = may_close;
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&load->threads[i], NULL, bodies[i], load), 0);
}

static void stop_load(struct load *load) {
    atomic_store(&load->stop, true);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(load->threads[i], NULL), 0);
    assert_int_equal(atomic_load(&load->failed), 0);
    assert_int_equal(atomic_load(&load->mixed), 0);
}

static void publish(int run) {
    assert_true(s3_server_put(&s3_server, S3_BUCKET, "history/_CURRENT", pointers[run], strlen(pointers[run])));
}

static shf_reader *open_history(void) {
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    s3.max_attempts = 6;
    struct s3_opened opened = s3_open("s3://" S3_BUCKET "/history", &s3, 0, 0);
    if (opened.status) print_message("%s\n", opened.message);
    assert_int_equal(opened.status, SHF_OK);
    return opened.reader;
}

/* ---- the tests ---- */

static void test_refreshes_under_load(void **state) {
    (void)state;
    publish(0);
    shf_reader *reader = open_history();
    struct load load;
    start_load(&load, reader, false);
    for (int i = 1; i <= PUBLICATIONS; i++) {
        shf_op *op = NULL;
        publish(i % RUNS);
        assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_OK);
        shf_op_release(op);
        /* Whoever refreshed, this run is served now: nobody else publishes. */
        assert_int_equal(shf_multi_get_sync(reader, keys, key_count, NULL, 0, &op), SHF_OK);
        assert_true(same_values(op, oracle_values[i % RUNS]));
        shf_op_release(op);
    }
    stop_load(&load);
    print_message("%d publications; %d and %d answers of the two runs, %d of them to searches\n", PUBLICATIONS,
                  atomic_load(&load.answers[0]), atomic_load(&load.answers[1]), atomic_load(&load.searches));
    assert_true(atomic_load(&load.answers[0]) > 0 && atomic_load(&load.answers[1]) > 0);
    support_close(reader);
}

static void test_closes_under_load(void **state) {
    (void)state;
    for (int i = 0; i < CLOSES; i++) {
        shf_op *op = NULL;
        struct load load;
        publish(i % RUNS);
        shf_reader *reader = open_history();
        start_load(&load, reader, true);
        publish((i + 1) % RUNS); /* so that the close comes upon a refresh */
        usleep((useconds_t)(i * 500));
        assert_int_equal(shf_close_sync(reader, i % 2 ? SHF_CLOSE_CANCEL : SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
        shf_op_release(op);
        stop_load(&load);
        shf_reader_release(reader);
    }
}

/* An old snapshot lives as long as an answer of it is held, and not longer. */
static void test_answers_outlive_their_snapshot(void **state) {
    (void)state;
    shf_op *held = NULL, *op = NULL;
    publish(0);
    shf_reader *reader = open_history();
    assert_int_equal(shf_multi_get_sync(reader, keys, key_count, NULL, 0, &held), SHF_OK);
    publish(1);
    assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_OK);
    shf_op_release(op);
    support_close(reader);
    support_remove_tree(s3_cache);
    assert_true(same_values(held, oracle_values[0]));
    shf_op_release(held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_refreshes_under_load),
        TEST(test_closes_under_load),
        TEST(test_answers_outlive_their_snapshot),
    };
    if (!s3_server_is_there() || !(from = support_peer_case("history-good"))) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
