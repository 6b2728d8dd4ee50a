/*
 * The shard fixtures, each wrapped into a snapshot of its own: every row that libsqlite3 reads, every recorded lookup,
 * every recorded sqlite-vec query, every stored vector asked for by its id.
 */
#include "integration/support.h"
#include "integration/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define LARGEST_DIMENSION 1536

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

static char *fixture(const char *name) { return support_fixture("sqlite", name); }

static void place_shard(const char *from, const char *to) {
    char *plain = support_path("%s/shard.db", from), *packed = support_path("%s/shard.db.zst", from);
    size_t size;
    if (access(plain, R_OK) == 0) {
        char *data = support_read_file(plain, &size);
        support_write_file(to, data, size);
        free(data);
    } else {
        char *data = support_read_file(packed, &size);
        unsigned long long full = ZSTD_getFrameContentSize(data, size);
        assert_in_range(full, 1, 1 << 28);
        char *unpacked = malloc((size_t)full);
        assert_int_equal(ZSTD_decompress(unpacked, (size_t)full, data, size), full);
        support_write_file(to, unpacked, (size_t)full);
        free(unpacked);
        free(data);
    }
    free(plain);
    free(packed);
}

static char *wrap(const char *from, int dimension, const char *metric) {
    char *custom = dimension
                       ? support_path("{\"vector\": {\"backend\": \"sqlite-vec\", \"dim\": %d, \"metric\": \"%s\", "
                                      "\"unified\": true}}",
                                      dimension, metric)
                       : support_path("{}");
    char *snapshot = wrap_snapshot(root, custom), *shard = support_path("%s/" WRAP_SHARD "/shard.db", snapshot);
    place_shard(from, shard);
    free(custom);
    free(shard);
    return snapshot;
}

/* ---- keys ---- */

static bool value_is(shf_reader *reader, const void *key, size_t key_size, const void *value, size_t size, bool there) {
    shf_key wanted = shf_key_from_bytes(key ? key : "", key_size);
    shf_op *op = NULL;
    shf_value got;
    SHF_INIT(&got);
    shf_status status = shf_get_sync(reader, &wanted, NULL, 0, &op);
    bool ok = status == SHF_OK && shf_op_value(op, 0, &got) == SHF_OK;
    if (ok && !there) ok = got.status == SHF_NOT_FOUND;
    if (ok && there)
        ok = got.status == SHF_OK && got.data.size == size && (!value || memcmp(got.data.data, value, size) == 0);
    if (status) print_message("%s\n", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    return ok;
}

static void check_all_rows(shf_reader *reader, sqlite3 *db) {
    sqlite3_stmt *rows;
    int count = 0;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k, v FROM kv", -1, &rows, NULL), SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        size_t key_size = (size_t)sqlite3_column_bytes(rows, 0), size = (size_t)sqlite3_column_bytes(rows, 1);
        const unsigned char *key = sqlite3_column_blob(rows, 0), *value = sqlite3_column_blob(rows, 1);
        assert_true(value_is(reader, key, key_size, size ? value : NULL, size, true));
        if (key_size) { /* one byte less and one more: neighbours that are mostly absent */
            unsigned char longer[16384];
            assert_in_range(key_size, 1, sizeof longer - 1);
            memcpy(longer, key, key_size);
            longer[key_size] = 0;
            sqlite3_stmt *one;
            assert_int_equal(sqlite3_prepare_v2(db, "SELECT v FROM kv WHERE k = ?", -1, &one, NULL), SQLITE_OK);
            for (size_t other = key_size - 1; other <= key_size + 1; other += 2) {
                assert_int_equal(sqlite3_bind_blob(one, 1, longer, (int)other, SQLITE_STATIC), SQLITE_OK);
                bool there = sqlite3_step(one) == SQLITE_ROW;
                assert_true(value_is(reader, longer, other, there ? sqlite3_column_blob(one, 0) : NULL,
                                     there ? (size_t)sqlite3_column_bytes(one, 0) : 0, there));
                (void)sqlite3_reset(one);
            }
            (void)sqlite3_finalize(one);
        }
        count++;
    }
    assert_int_equal(sqlite3_finalize(rows), SQLITE_OK);
    assert_true(count > 0);
}

static size_t unhex(const char *text, unsigned char *out, size_t room) {
    size_t size = strlen(text) / 2;
    assert_true(size <= room);
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        out[i] = (unsigned char)value;
    }
    return size;
}

static void check_recorded_get(shf_reader *reader, const json_t *row) {
    unsigned char key[16384];
    size_t key_size = unhex(json_string_value(json_object_get(row, "key_hex")), key, sizeof key);
    const json_t *length = json_object_get(row, "value_len");
    bool there = json_is_integer(length);
    assert_true(value_is(reader, key, key_size, NULL, there ? (size_t)json_integer_value(length) : 0, there));
}

/* ---- vectors ---- */

/* Id and payload of a rowid, as libsqlite3 reads them. */
static bool hit_is_row(sqlite3 *db, const shf_hit *hit, int64_t rowid) {
    sqlite3_stmt *row;
    static const char sql[] = "SELECT (SELECT original_id FROM vec_id_map WHERE internal_id = ?1), "
                              "(SELECT payload FROM vec_payloads WHERE rowid = ?1)";
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    (void)sqlite3_bind_int64(row, 1, rowid);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    const char *id = (const char *)sqlite3_column_text(row, 0), *payload = (const char *)sqlite3_column_text(row, 1);
    json_t *parsed = id ? json_loads(id, 0, NULL) : NULL;
    const json_t *value = json_object_get(parsed, "v");
    bool same;
    if (!id) {
        same = hit->id.kind == SHF_ID_INT && hit->id.int_value == rowid;
    } else if (json_is_integer(value)) {
        same = hit->id.kind == SHF_ID_INT && hit->id.int_value == json_integer_value(value);
    } else {
        same = hit->id.kind == SHF_ID_TEXT && hit->id.text.size == json_string_length(value) &&
               memcmp(hit->id.text.data, json_string_value(value), hit->id.text.size) == 0;
    }
    if (same) {
        same = payload ? hit->payload.data && hit->payload.size == strlen(payload) &&
                             memcmp(hit->payload.data, payload, hit->payload.size) == 0
                       : hit->payload.data == NULL;
    }
    json_decref(parsed);
    (void)sqlite3_finalize(row);
    return same;
}

static double recorded_distance(const json_t *distances, size_t rank) {
    const json_t *entry = json_array_get(distances, rank);
    return json_is_number(entry) ? json_number_value(entry) : NAN;
}

static bool stands_alone(const json_t *distances, size_t rank, size_t count) {
    double here = recorded_distance(distances, rank);
    bool below = rank == 0 || fabs(here - recorded_distance(distances, rank - 1)) > 2e-6 + 2e-5 * fabs(here);
    bool above = rank + 1 < count && fabs(here - recorded_distance(distances, rank + 1)) > 2e-6 + 2e-5 * fabs(here);
    return below && above;
}

static void check_recorded_query(shf_reader *reader, sqlite3 *db, const json_t *row, int dimension) {
    float vector[LARGEST_DIMENSION];
    const json_t *distances = json_object_get(row, "distances"), *rowids = json_object_get(row, "rowids");
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    assert_int_equal(
        unhex(json_string_value(json_object_get(row, "query_f32le_hex")), (unsigned char *)vector, sizeof vector),
        (size_t)dimension * sizeof(float));
    query.vector = vector;
    query.dimension = (uint32_t)dimension;
    query.top_k = (uint32_t)json_integer_value(json_object_get(row, "k"));
    if (query.top_k == 0) return; /* no rows there, a clear error here */
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    if (status) print_message("%s\n", shf_error_message(shf_op_error(op)));
    assert_int_equal(status, SHF_OK);
    size_t count = json_array_size(distances);
    assert_int_equal(shf_op_hit_count(op, 0), count);
    for (size_t rank = 0; rank < count; rank++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, rank, &hit), SHF_OK);
        double wanted = recorded_distance(distances, rank);
        if (!(fabs(hit.score - wanted) <= 1e-6 + 1e-5 * fabs(wanted))) {
            print_message("rank %zu: %.17g, recorded %.17g\n", rank, hit.score, wanted);
            fail();
        }
        if (stands_alone(distances, rank, count)) {
            assert_true(hit_is_row(db, &hit, json_integer_value(json_array_get(rowids, rank))));
        }
    }
    shf_op_release(op);
}

/* Every stored vector, asked for by its id, is at distance 0 of itself. */
static void check_all_ids(shf_reader *reader, sqlite3 *db) {
    sqlite3_stmt *rows;
    static const char sql[] = "SELECT original_id FROM vec_id_map JOIN vec_index_rowids ON rowid = internal_id";
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
    int count = 0;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        json_t *parsed = json_loads((const char *)sqlite3_column_text(rows, 0), 0, NULL);
        const json_t *value = json_object_get(parsed, "v");
        shf_vector_id id = {SHF_ID_INT, 0, json_integer_value(value), {NULL, 0}};
        if (json_is_string(value)) {
            id = (shf_vector_id){SHF_ID_TEXT, 0, 0, {json_string_value(value), json_string_length(value)}};
        }
        shf_query query;
        shf_hit hit;
        shf_op *op = NULL;
        SHF_INIT(&query);
        SHF_INIT(&hit);
        query.like = &id;
        query.top_k = 1;
        assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
        assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
        assert_true(hit.score >= 0 && hit.score < 1e-12);
        shf_op_release(op);
        json_decref(parsed);
        count++;
    }
    assert_int_equal(sqlite3_finalize(rows), SQLITE_OK);
    assert_true(count > 0);
}

static void check_fixture(const char *name) {
    char *from = fixture(name);
    if (!from) skip();
    json_t *rows = support_lines(from, "expected.jsonl"), *row;
    int dimension = 0;
    const char *metric = "";
    size_t i;
    json_array_foreach(rows, i, row) {
        if (!json_object_get(row, "dim")) continue;
        dimension = (int)json_integer_value(json_object_get(row, "dim"));
        metric = json_string_value(json_object_get(row, "metric"));
    }
    char *snapshot = wrap(from, dimension, metric), *shard = support_path("%s/shards/a/shard.db", snapshot);
    sqlite3 *db;
    shf_status status;
    assert_int_equal(sqlite3_open_v2(shard, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    if (status) print_message("%s\n", support_message);
    assert_int_equal(status, SHF_OK);
    check_all_rows(reader, db);
    bool ties = strncmp(name, "ties_zero_nan", 13) == 0; /* float64 is right there, not the record */
    json_array_foreach(rows, i, row) {
        const char *op = json_string_value(json_object_get(row, "op"));
        if (strcmp(op, "get") == 0) check_recorded_get(reader, row);
        if (strcmp(op, "knn") == 0 && !ties) check_recorded_query(reader, db, row, dimension);
    }
    if (dimension && !ties) check_all_ids(reader, db);
    support_close(reader);
    (void)sqlite3_close(db);
    json_decref(rows);
    free(snapshot);
    free(shard);
    free(from);
}

#define FIXTURE(name)                                                                                                  \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        check_fixture(#name);                                                                                          \
    }
FIXTURE(bulk_written)
FIXTURE(d1536_n10_l2_page16384)
FIXTURE(d384_n40_cosine)
FIXTURE(d4_n10_cosine)
FIXTURE(d4_n10_l2)
FIXTURE(d4_n2100_cosine_3chunks)
FIXTURE(kv_overflow)
FIXTURE(page512)
FIXTURE(page65536)
FIXTURE(ties_zero_nan_cosine)
FIXTURE(ties_zero_nan_l2)
FIXTURE(v0_1_5_no_info)
FIXTURE(vacuumed_chunk_gap)

/* Equal distances, zero rows and NaN: the contract's order, where sqlite-vec's own is spoiled. */
static void check_contract_order(const char *name, bool cosine) {
    char *from = fixture(name);
    if (!from) skip();
    char *snapshot = wrap(from, 4, cosine ? "cosine" : "l2");
    shf_status status;
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    assert_int_equal(status, SHF_OK);
    const float vector[4] = {1, 0, 0, 0};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = 4;
    query.top_k = 100000;
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    double before = -1;
    size_t undefined = 0, count = shf_op_hit_count(op, 0);
    assert_true(count > 1024);
    for (size_t rank = 0; rank < count; rank++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, rank, &hit), SHF_OK);
        if (isnan(hit.score)) {
            undefined++;
            continue;
        }
        assert_int_equal(undefined, 0); /* none follows an undefined one */
        assert_true(hit.score >= before);
        before = hit.score;
    }
    assert_true(undefined > 0);
    shf_op_release(op);
    support_close(reader);
    free(snapshot);
    free(from);
}

static void undefined_distances_come_last_cosine(void **state) {
    (void)state;
    check_contract_order("ties_zero_nan_cosine", true);
}
static void undefined_distances_come_last_l2(void **state) {
    (void)state;
    check_contract_order("ties_zero_nan_l2", false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bulk_written),
        TEST(d1536_n10_l2_page16384),
        TEST(d384_n40_cosine),
        TEST(d4_n10_cosine),
        TEST(d4_n10_l2),
        TEST(d4_n2100_cosine_3chunks),
        TEST(kv_overflow),
        TEST(page512),
        TEST(page65536),
        TEST(ties_zero_nan_cosine),
        TEST(ties_zero_nan_l2),
        TEST(v0_1_5_no_info),
        TEST(vacuumed_chunk_gap),
        TEST(undefined_distances_come_last_cosine),
        TEST(undefined_distances_come_last_l2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
