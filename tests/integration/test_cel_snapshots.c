/* Snapshots sharded by expressions: what a call without and with a context finds, and refreshes from and to them. */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *root, *cache;

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(cache);
    free(root);
    return held;
}

/* NULL where there are no recorded cases. */
static shf_reader *open_case(const char *name, uint32_t flags) {
    char *from = support_peer_case(name);
    if (!from) return NULL;
    char *url = support_path("%s/snapshot", from);
    shf_status status;
    shf_reader *reader = support_open(url, cache, flags, &status);
    if (!reader) fail_msg("%s: %s", name, support_message);
    free(url);
    free(from);
    return reader;
}

static shf_context_value text(const char *name, const char *value) {
    return (shf_context_value){.name = name, .kind = SHF_CONTEXT_TEXT, .as.bytes = {value, strlen(value)}};
}
static shf_routing_context context_of(const shf_context_value *values, uint32_t count) {
    return (shf_routing_context){sizeof(shf_routing_context), count, values};
}

static void expect(shf_status status, shf_op **op, shf_status wanted, const char *says) {
    const char *message = shf_error_message(shf_op_error(*op));
    if (status != wanted || (says && !strstr(message, says))) {
        fail_msg("status %d, %d wanted: \"%s\", \"%s\" wanted in it", status, wanted, message, says ? says : "");
    }
    shf_op_release(*op);
}

/* More keys than are answered in their call, of shards that are not open yet, some of which no shard has. */
static void test_many_keys(void **state) {
    (void)state;
    shf_reader *reader = open_case("cel-categorical-int", SHF_OPEN_LAZY);
    if (!reader) skip();
    enum { KEYS = 3000 };
    shf_key *keys = malloc(KEYS * sizeof *keys);
    for (int i = 0; i < KEYS; i++) keys[i] = shf_key_from_int(i % 3 ? -7 * i - 1 : i);
    shf_op *op = NULL;
    assert_int_equal(shf_get_now(reader, &keys[0], NULL, &op), SHF_WOULD_WAIT);
    assert_int_equal(shf_get_now(reader, &keys[1], NULL, &op), SHF_OK); /* of no shard: there is nothing to open */
    shf_op_release(op);
    assert_int_equal(shf_multi_get_sync(reader, keys, KEYS, NULL, 0, &op), SHF_OK);
    for (int i = 0; i < KEYS; i++) {
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(shf_op_value(op, (size_t)i, &value), SHF_OK);
        if (i % 3) assert_int_equal(value.status, SHF_NOT_FOUND);
    }
    shf_op_release(op);
    /* Only keys that no shard has. */
    keys[0] = keys[1];
    assert_int_equal(shf_multi_get_sync(reader, keys, 2, NULL, 0, &op), SHF_OK);
    shf_op_release(op);
    /* One that does not fit the column fails all. */
    keys[KEYS - 1] = shf_key_from_text("x", 1);
    expect(shf_multi_get_sync(reader, keys, KEYS, NULL, 0, &op), &op, SHF_E_ROUTING, "key 2999");
    free(keys);
    support_close(reader);
}

static void test_wrong_contexts(void **state) {
    (void)state;
    shf_reader *reader = open_case("cel-context", 0);
    if (!reader) skip();
    const shf_context_value values[] = {text("region", "eu"), text("tier", "1"), text("zone", "a")};
    const shf_routing_context nothing = context_of(NULL, 0), region = context_of(values, 1),
                              kinds = context_of(values, 3);
    const shf_key key = shf_key_from_text("user:0", 6);
    shf_op *op = NULL;
    expect(shf_get_sync(reader, &key, NULL, 0, &op), &op, SHF_E_INVALID, "routing_context with the columns region, tier");
    expect(shf_multi_get_sync(reader, &key, 1, NULL, 0, &op), &op, SHF_E_INVALID, "routing_context");
    expect(shf_get_sync(reader, &key, &nothing, 0, &op), &op, SHF_E_ROUTING, "region");
    expect(shf_get_sync(reader, &key, &region, 0, &op), &op, SHF_E_ROUTING, "tier");
    expect(shf_get_sync(reader, &key, &kinds, 0, &op), &op, SHF_E_ROUTING, "tier");
    assert_int_equal(shf_multi_get_sync(reader, NULL, 0, NULL, 0, &op), SHF_OK); /* no key needs none */
    shf_op_release(op);
    support_close(reader);
}

static void test_columns(void **state) {
    (void)state;
    shf_reader *reader = open_case("cel-context", 0);
    if (!reader) skip();
    shf_snapshot *snapshot;
    shf_column_info first, second, none;
    SHF_INIT(&first);
    SHF_INIT(&second);
    SHF_INIT(&none);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_column(snapshot, 0, &first), SHF_OK);
    assert_int_equal(shf_snapshot_column(snapshot, 1, &second), SHF_OK);
    assert_int_equal(shf_snapshot_column(snapshot, 2, &none), SHF_E_INVALID);
    assert_int_equal(shf_snapshot_column(NULL, 0, &none), SHF_E_INVALID);
    assert_int_equal(shf_snapshot_column(snapshot, 0, NULL), SHF_E_INVALID);
    assert_string_equal(first.name, "region");
    assert_int_equal(first.kind, SHF_CONTEXT_TEXT);
    assert_string_equal(second.name, "tier");
    assert_int_equal(second.kind, SHF_CONTEXT_INT);
    shf_snapshot_release(snapshot);
    support_close(reader);
    reader = open_case("kv-sqlite-utf8", 0);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_column(snapshot, 0, &none), SHF_E_INVALID);
    shf_snapshot_release(snapshot);
    support_close(reader);
}

/* Each query of a batch has its own way. */
static void test_searches(void **state) {
    (void)state;
    shf_reader *reader = open_case("cel-unified-categorical", SHF_OPEN_LAZY);
    if (!reader) skip();
    const float vector[4] = {1, 2, 3, 4};
    const uint32_t chosen[] = {2, 3};
    const shf_context_value gold[] = {text("tier", "gold")}, empty[] = {text("tier", "none")},
                            tin[] = {text("tier", "tin")};
    const shf_routing_context contexts[] = {context_of(gold, 1), context_of(empty, 1), context_of(tin, 1)};
    shf_query queries[5];
    for (size_t i = 0; i < 5; i++) {
        SHF_INIT(&queries[i]);
        queries[i].vector = vector;
        queries[i].dimension = 4;
        queries[i].top_k = 100;
    }
    queries[0].context = &contexts[0]; /* shard 0 */
    queries[1].context = &contexts[1]; /* shard 1, which is empty */
    queries[2].context = &contexts[2]; /* is not looked at: */
    queries[2].shard_ids = chosen;
    queries[2].shard_count = 2;
    queries[4].context = &contexts[0];
    static const uint32_t queried[] = {1, 1, 2, 3, 1};
    static const size_t hits[] = {67, 0, 100, 100, 67};
    shf_op *op = NULL;
    assert_int_equal(shf_batch_search_sync(reader, queries, 5, 0, &op), SHF_OK);
    for (size_t q = 0; q < 5; q++) {
        shf_search_info info;
        SHF_INIT(&info);
        assert_int_equal(shf_op_search_info(op, q, &info), SHF_OK);
        assert_int_equal(info.num_shards_queried, queried[q]);
        assert_int_equal(shf_op_hit_count(op, q), hits[q]);
        for (size_t i = 0; q != 3 && i < hits[q]; i++) {
            shf_hit hit;
            SHF_INIT(&hit);
            assert_int_equal(shf_op_hit(op, q, i, &hit), SHF_OK);
            assert_true(q == 2 ? hit.shard >= 2 : hit.shard == 0);
        }
    }
    shf_op_release(op);
    queries[3].context = &contexts[2];
    expect(shf_batch_search_sync(reader, queries, 5, 0, &op), &op, SHF_E_ROUTING, "query 3: the routing token \"tin\"");
    expect(shf_search_sync(reader, &queries[3], 0, &op), &op, SHF_E_ROUTING, "\"tin\" is none of");
    support_close(reader);
}

/* ---- refreshes ---- */

/* A manifest beside the recorded one that has another sharding; the caller frees its ref. */
static char *add_manifest(const char *snapshot, const char *time, const char *sharding) {
    char *from = support_find_file(snapshot, "manifest", 0);
    char *folder = support_path("%s/manifests/%s_run_id=other", snapshot, time),
         *to = support_path("%s/manifest", folder);
    size_t size;
    char *data = support_read_file(from, &size);
    sqlite3 *db;
    sqlite3_stmt *change;
    assert_int_equal(mkdir(folder, 0700), 0);
    support_write_file(to, data, size);
    assert_int_equal(sqlite3_open(to, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "UPDATE build_meta SET sharding = ?1", -1, &change, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_text(change, 1, sharding, -1, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(change), SQLITE_DONE);
    sqlite3_finalize(change);
    sqlite3_close(db);
    char *ref = support_path("s3://fixtures/peer/cel-key-only/manifests/%s_run_id=other/manifest", time);
    free(data);
    free(to);
    free(folder);
    free(from);
    return ref;
}

static void publish(const char *snapshot, const char *ref) {
    char *path = support_path("%s/_CURRENT", snapshot);
    char *pointer =
        support_path("{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":"
                     "\"%s\",\"run_id\":\"other\",\"updated_at\":\"2026-12-05T00:00:00.000000Z\"}",
                     ref);
    support_write_file(path, pointer, strlen(pointer));
    free(pointer);
    free(path);
}

static uint32_t route_of(shf_reader *reader, int64_t value) {
    shf_snapshot *snapshot;
    const shf_key key = shf_key_from_int(value);
    uint32_t shard = 99;
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_route_key(snapshot, &key, NULL, &shard, NULL), SHF_OK);
    shf_snapshot_release(snapshot);
    return shard;
}

#define CEL(expression)                                                                                                \
    "{\"strategy\": \"cel\", \"hash_algorithm\": \"xxh3_64\", \"cel_columns\": {\"key\": \"int\"}, \"cel_expr\": "     \
    "\"" expression "\"}"

static void test_refreshes(void **state) {
    (void)state;
    char *from = support_peer_case("cel-key-only");
    if (!from) skip();
    char *recorded = support_path("%s/snapshot", from), *snapshot = support_path("%s/snapshot", root);
    support_copy_tree(recorded, snapshot);
    char *hash = add_manifest(snapshot, "2026-12-01T00:00:00.000000Z",
                              "{\"strategy\": \"hash\", \"hash_algorithm\": \"xxh3_64\"}");
    char *cel = add_manifest(snapshot, "2026-12-02T00:00:00.000000Z", CEL("4 - key % 5"));
    char *broken = add_manifest(snapshot, "2026-12-03T00:00:00.000000Z", CEL("key % 5 +"));
    char *none = add_manifest(snapshot, "2026-12-04T00:00:00.000000Z", CEL("key + 5"));
    shf_status status;
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    shf_op *op = NULL;
    assert_non_null(reader);
    uint32_t by_cel = route_of(reader, 7);
    publish(snapshot, hash);
    expect(shf_refresh_sync(reader, 0, &op), &op, SHF_OK, NULL);
    assert_int_equal(route_of(reader, 7), by_cel); /* shard_hash(key) % 5u is what a hash does */
    publish(snapshot, cel);
    expect(shf_refresh_sync(reader, 0, &op), &op, SHF_OK, NULL);
    assert_int_equal(route_of(reader, 7), 2);
    assert_int_equal(route_of(reader, 5), 4);
    /* One that does not compile is refused by its name, and what was served stays. */
    publish(snapshot, broken);
    status = shf_refresh_sync(reader, 0, &op);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "2026-12-03T00:00:00.000000Z_run_id=other/manifest"));
    expect(status, &op, SHF_E_INVALID, "offset 9");
    assert_int_equal(route_of(reader, 7), 2);
    publish(snapshot, none);
    expect(shf_refresh_sync(reader, 0, &op), &op, SHF_OK, NULL);
    const shf_key key = shf_key_from_int(7);
    expect(shf_get_sync(reader, &key, NULL, 0, &op), &op, SHF_E_ROUTING, "gives shard 12, and there are 5");
    publish(snapshot, hash);
    expect(shf_refresh_sync(reader, 0, &op), &op, SHF_OK, NULL);
    assert_int_equal(route_of(reader, 7), by_cel);
    support_close(reader);
    publish(snapshot, broken);
    assert_null(support_open(snapshot, cache, 0, &status));
    assert_int_equal(status, SHF_E_INVALID);
    char *const all[] = {hash, cel, broken, none, recorded, snapshot, from};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_keys), cmocka_unit_test(test_wrong_contexts), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_searches),  cmocka_unit_test(test_refreshes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
