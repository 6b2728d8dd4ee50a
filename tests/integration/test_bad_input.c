/*
 * Damaged and hostile snapshots: every open, lookup and search gives the right answer or one clear error that names
 * the object; nothing crashes, hangs or stays behind.
 */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char *root, *cache, *snapshot;

static int begin(void **state) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    snapshot = NULL;
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    free(cache);
    free(snapshot);
    return held;
}

static bool use_case(const char *name) {
    char *from = support_peer_case(name);
    if (!from) return false;
    char *recorded = support_path("%s/snapshot", from);
    snapshot = support_path("%s/snapshot", root);
    support_copy_tree(recorded, snapshot);
    free(recorded);
    free(from);
    return true;
}

/* A failure must be of these kinds and say where it is. */
static void assert_clean(shf_status status, const char *message) {
    bool known = status == SHF_E_CORRUPT || status == SHF_E_INDEX || status == SHF_E_STORE_RETRY ||
                 status == SHF_E_LIMIT ||
                 status == SHF_E_UNSUPPORTED; /* a damaged declaration may look like one of another kind */
    if (!known || strlen(message) < 20 || !strstr(message, "shard")) {
        print_message("status %d: %s\n", status, message);
        fail();
    }
}

static void use_everything(shf_reader *reader, const json_t *rows) {
    shf_op *op = NULL;
    const float vector[4] = {0.5f, -1, 2, 0.25f};
    shf_query query;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 4;
    query.top_k = 50;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *text = json_object_get(json_object_get(json_array_get(rows, i), "key"), "str");
        shf_key key = shf_key_from_text(json_string_value(text), json_string_length(text));
        shf_status status = shf_get_sync(reader, &key, NULL, 0, &op);
        if (status) assert_clean(status, shf_error_message(shf_op_error(op)));
        shf_op_release(op);
    }
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    if (status) assert_clean(status, shf_error_message(shf_op_error(op)));
    shf_op_release(op);
}

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void test_damaged_shards(void **state) {
    (void)state;
    enum { ROUNDS = 400 };
    if (!use_case("history-good")) skip();
    char *from = support_peer_case("history-good");
    json_t *rows = support_lines(from, "expected.jsonl");
    char *file = support_find_file(snapshot, "shard.db", 3); /* of the run that _CURRENT names */
    size_t size;
    char *whole = support_read_file(file, &size), *damaged = malloc(size);
    uint64_t seed = 20261124;
    int opened = 0, refused = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t kept = round % 8 == 0 ? (size_t)(next_random(&seed) % size) : size;
        memcpy(damaged, whole, size);
        int flips = (int)(next_random(&seed) % 12) + 1;
        for (int i = 0; i < flips; i++) {
            /* most of the structure is in the first pages */
            size_t span = i % 2 ? size : 4096 * 4;
            damaged[next_random(&seed) % span] ^= (char)(1u << next_random(&seed) % 8);
        }
        support_write_file(file, damaged, kept);
        shf_status status;
        shf_reader *reader = support_open(snapshot, cache, 0, &status);
        if (reader) {
            use_everything(reader, rows);
            support_close(reader);
            opened++;
        } else {
            assert_clean(status, support_message);
            assert_non_null(strstr(support_message, "shard.db"));
            refused++;
        }
    }
    assert_true(opened > 0 && refused > 0);
    json_decref(rows);
    free(whole);
    free(damaged);
    free(file);
    free(from);
}

static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        print_message("%s: %s\n", sql, message);
        fail();
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_hostile_urls(void **state) {
    (void)state;
    static const char *const urls[] = {
        "s3://other-bucket/x",
        "s3://fixtures/peer/unified-one-shard-evil/shards/db=00000/attempt=00",
        "s3://fixtures/peer/unified-one-shard/../../secret",
        "s3://fixtures/peer/unified-one-shard/shards/%2e%2e/%2e%2e/secret",
        "s3://fixtures/peer/unified-one-shard/shards%2f..%2fsecret",
        "s3://user:password@fixtures/peer/unified-one-shard/shards/a",
        "s3://fixtures@169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://example.org/shard",
        "file:///etc",
        "file:///etc/../etc/passwd",
        "/etc",
        "../../../../etc",
        "s3://fixtures/peer/unified-one-shard/shards/a?versionId=1",
        "s3://fixtures/peer/unified-one-shard/shards/a#b",
        "s3://fixtures/peer/unified-one-shard/shards//a",
        "s3://fixtures/peer/unified-one-shard/shards/a\\b",
        "s3://fixtures/peer/unified-one-shard/shards/a\r\nHost: b",
        "s3:///peer/unified-one-shard/shards/a",
        "ftp://fixtures/peer/unified-one-shard",
        "",
    };
    if (!use_case("unified-one-shard")) skip();
    char *manifest = support_find_file(snapshot, "manifest", 0);
    size_t size;
    char *whole = support_read_file(manifest, &size);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        support_write_file(manifest, whole, size);
        char *sql = sqlite3_mprintf("UPDATE shards SET db_url = %Q", urls[i]);
        run_sql(manifest, sql);
        sqlite3_free(sql);
        shf_status status;
        struct timespec before, after;
        (void)clock_gettime(CLOCK_MONOTONIC, &before);
        assert_null(support_open(snapshot, cache, 0, &status));
        (void)clock_gettime(CLOCK_MONOTONIC, &after);
        if (status != SHF_E_MANIFEST) print_message("%s: %d %s\n", urls[i], status, support_message);
        assert_int_equal(status, SHF_E_MANIFEST);
        assert_non_null(strstr(support_message, "shard 0"));
        assert_null(strstr(support_message, "password"));
    }
    free(whole);
    free(manifest);
}

static void test_broken_manifests_say_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *sql, *says;
    } breaks[] = {
        {"UPDATE build_meta SET format_version = 5", "format_version"},
        {"UPDATE build_meta SET num_dbs = 0", "num_dbs"},
        {"UPDATE build_meta SET key_encoding = 'U64BE'", "key_encoding"},
        {"UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"md5\"}'", "hash_algorithm"},
        {"UPDATE build_meta SET sharding = '{\"hash_algorithm\": \"xxh3_64\", \"extra\": 1}'", "extra"},
        {"UPDATE build_meta SET custom = '[1]'", "custom"},
        {"UPDATE shards SET db_id = 9", "db_id"},
        {"UPDATE shards SET row_count = -1", "row_count"},
        {"DELETE FROM build_meta", "build_meta"},
        {"DROP TABLE shards", "shards"},
    };
    if (!use_case("unified-one-shard")) skip();
    char *manifest = support_find_file(snapshot, "manifest", 0);
    size_t size;
    char *whole = support_read_file(manifest, &size);
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        support_write_file(manifest, whole, size);
        run_sql(manifest, breaks[i].sql);
        shf_status status;
        assert_null(support_open(snapshot, cache, 0, &status));
        /* There is no older manifest to walk back to: the first failure is told. */
        if (status != SHF_E_STATE || !strstr(support_message, breaks[i].says)) {
            print_message("%s: %d %s\n", breaks[i].sql, status, support_message);
            fail();
        }
    }
    free(whole);
    free(manifest);
}

static void test_vectors_that_contradict_the_manifest(void **state) {
    (void)state;
    static const struct {
        const char *sql, *says;
        shf_status status;
    } breaks[] = {
        {"UPDATE build_meta SET num_dbs = 70000", "at most 65536 shards", SHF_E_LIMIT},
        {"UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": 5')", "the manifest says 5", SHF_E_INDEX},
        {"UPDATE build_meta SET custom = replace(custom, '\"l2\"', '\"cosine\"')", "the manifest says cosine",
         SHF_E_INDEX},
        {"UPDATE build_meta SET custom = replace(custom, '\"l2\"', '\"dot_product\"')", "dot_product", SHF_E_INVALID},
        {"UPDATE build_meta SET custom = replace(custom, '\"backend\": \"sqlite-vec\"', '\"backend\": \"faiss\"')",
         "faiss", SHF_E_INVALID},
    };
    if (!use_case("unified-one-shard")) skip();
    char *manifest = support_find_file(snapshot, "manifest", 0);
    size_t size;
    char *whole = support_read_file(manifest, &size);
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        support_write_file(manifest, whole, size);
        run_sql(manifest, breaks[i].sql);
        shf_status status;
        assert_null(support_open(snapshot, cache, 0, &status));
        if (status != breaks[i].status || !strstr(support_message, breaks[i].says)) {
            print_message("%s: %d %s\n", breaks[i].sql, status, support_message);
            fail();
        }
    }
    free(whole);
    free(manifest);
}

static void test_places_where_nothing_can_be_opened(void **state) {
    (void)state;
    char *file = support_path("%s/file", root), *inside = support_path("%s/file/inside", root);
    const struct {
        const char *url;
        shf_status status;
        const char *says;
    } places[] = {
        {"/nonexistent/snapshot", SHF_E_STATE, "CURRENT pointer not found"},
        {root, SHF_E_STATE, "CURRENT pointer not found"},
        {file, SHF_E_STATE, "CURRENT pointer not found"},
        {inside, SHF_E_STATE, "CURRENT pointer not found"},
        {"gopher://host/x", SHF_E_INVALID, "gopher"},
        {"s3://", SHF_E_INVALID, "s3://"},
        {"file://otherhost/path", SHF_E_INVALID, "host"},
    };
    support_write_file(file, "x", 1);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        shf_status status;
        assert_null(support_open(places[i].url, cache, 0, &status));
        if (status != places[i].status || !strstr(support_message, places[i].says)) {
            print_message("%s: %d %s\n", places[i].url, status, support_message);
            fail();
        }
    }
    free(file);
    free(inside);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_damaged_shards),
        TEST(test_hostile_urls),
        TEST(test_broken_manifests_say_what_is_wrong),
        TEST(test_vectors_that_contradict_the_manifest),
        TEST(test_places_where_nothing_can_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
