/* Judging what a writer published: by the reader, by a plain computation, by libsqlite3. See writer_support.h. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_A_CALL 1000u
#define TOP_K 12u

/* ---- values ---- */

static void assert_value(const shf_op *op, size_t index, const shf_row *row) {
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_op_value(op, index, &value), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    assert_int_equal(value.data.size, row->value.size);
    if (value.data.size) assert_int_equal(memcmp(value.data.data, row->value.data, value.data.size), 0);
}

static void assert_absent(shf_reader *reader, const struct writer_rows *rows) {
    bool is_integer = rows->shape.rows && (rows->shape.keys == WRITER_U64 || rows->shape.keys == WRITER_U32);
    shf_key key = is_integer ? shf_key_from_int(1 << 30) : shf_key_from_text("no such key", 11);
    shf_op *op = NULL;
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_NOT_FOUND);
    shf_op_release(op);
}

void writer_assert_values(shf_reader *reader, const struct writer_rows *rows) {
    shf_key keys[KEYS_A_CALL];
    for (size_t at = 0; at < rows->shape.rows; at += KEYS_A_CALL) {
        size_t left = rows->shape.rows - at, part = left < KEYS_A_CALL ? left : KEYS_A_CALL;
        shf_op *op = NULL;
        for (size_t i = 0; i < part; i++) keys[i] = rows->rows[at + i].key;
        shf_status status = shf_multi_get_sync(reader, keys, part, NULL, 0, &op);
        if (status) print_message("%s\n", shf_error_message(shf_op_error(op)));
        assert_int_equal(status, SHF_OK);
        for (size_t i = 0; i < part; i++) assert_value(op, i, &rows->rows[at + i]);
        shf_op_release(op);
    }
    for (size_t i = 0; i < rows->shape.rows && i < 50; i++) {
        shf_op *op = NULL;
        assert_int_equal(shf_get_sync(reader, &rows->rows[i].key, NULL, 0, &op), SHF_OK);
        assert_value(op, 0, &rows->rows[i]);
        shf_op_release(op);
    }
    assert_absent(reader, rows);
}

/* ---- searches ---- */

struct candidate {
    double distance;
    const shf_row *row;
};

static double distance(const float *a, const float *b, uint32_t dimension, bool is_l2) {
    double sum = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < dimension; i++) {
        double x = a[i], y = b[i];
        sum += is_l2 ? (x - y) * (x - y) : x * y;
        aa += x * x;
        bb += y * y;
    }
    return is_l2 ? sqrt(sum) : 1 - sum / (sqrt(aa) * sqrt(bb));
}

static int nearer(const void *a, const void *b) {
    double x = ((const struct candidate *)a)->distance, y = ((const struct candidate *)b)->distance;
    return (x > y) - (x < y);
}

bool writer_same_id(const shf_vector_id *id, const shf_row *row) {
    if (row->id.kind == SHF_ID_INT) return id->kind == SHF_ID_INT && id->int_value == row->id.int_value;
    if (!row->id.kind && row->key.kind == SHF_KEY_INT) {
        return id->kind == SHF_ID_INT && id->int_value == row->key.as.int_value;
    }
    const shf_slice *text = row->id.kind ? &row->id.text : &row->key.as.bytes;
    return id->kind == SHF_ID_TEXT && id->text.size == text->size && !memcmp(id->text.data, text->data, text->size);
}

static void assert_hit(const shf_op *op, size_t index, const struct candidate *wanted, bool is_tied) {
    shf_hit hit;
    SHF_INIT(&hit);
    assert_int_equal(shf_op_hit(op, 0, index, &hit), SHF_OK);
    assert_true(fabs(hit.score - wanted->distance) < 1e-9);
    if (is_tied) return;
    assert_true(writer_same_id(&hit.id, wanted->row));
    assert_int_equal(hit.payload.data != NULL, wanted->row->payload.data != NULL);
    if (!hit.payload.data) return;
    assert_int_equal(hit.payload.size, wanted->row->payload.size);
    assert_memory_equal(hit.payload.data, wanted->row->payload.data, hit.payload.size);
}

/* Else the vector chooses some. */
static uint32_t *all_shards(shf_reader *reader, shf_query *query) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &info), SHF_OK);
    uint32_t *shards = calloc(info.num_dbs, sizeof *shards);
    for (uint32_t i = 0; i < info.num_dbs; i++) shards[i] = i;
    query->shard_ids = shards;
    query->shard_count = info.num_dbs;
    shf_snapshot_release(snapshot);
    return shards;
}

static void assert_search(shf_reader *reader, const struct writer_rows *rows, const float *vector, bool is_l2,
                          struct candidate *candidates) {
    size_t count = rows->shape.rows;
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = rows->shape.dimension;
    query.top_k = TOP_K;
    for (size_t i = 0; i < count; i++) {
        candidates[i] =
            (struct candidate){distance(vector, rows->rows[i].vector, query.dimension, is_l2), &rows->rows[i]};
    }
    qsort(candidates, count, sizeof *candidates, nearer);
    uint32_t *shards = rows->shape.is_vector_only ? all_shards(reader, &query) : NULL;
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    free(shards);
    if (status) print_message("%s\n", shf_error_message(shf_op_error(op)));
    assert_int_equal(status, SHF_OK);
    assert_int_equal(shf_op_hit_count(op, 0), count < TOP_K ? count : TOP_K);
    for (size_t i = 0; i < shf_op_hit_count(op, 0); i++) {
        double before = i ? candidates[i - 1].distance : -9, after = i + 1 < count ? candidates[i + 1].distance : 1e9;
        bool is_tied = candidates[i].distance - before < 1e-12 || after - candidates[i].distance < 1e-12;
        assert_hit(op, i, &candidates[i], is_tied);
    }
    shf_op_release(op);
}

void writer_assert_searches(shf_reader *reader, const struct writer_rows *rows, bool is_l2, unsigned queries) {
    uint32_t dimension = rows->shape.dimension;
    struct candidate *candidates = calloc(rows->shape.rows + 1, sizeof *candidates);
    float *vector = calloc(dimension, sizeof *vector);
    for (unsigned q = 0; q < queries; q++) {
        bool is_stored = q % 2 && rows->shape.rows; /* every other one is the vector of a row */
        const float *stored = is_stored ? rows->rows[writer_mix(q, 9) % rows->shape.rows].vector : NULL;
        for (uint32_t i = 0; i < dimension; i++) {
            vector[i] = stored ? stored[i] : (float)(writer_mix(q, i) % 2001) / 1000 - 1;
        }
        assert_search(reader, rows, vector, is_l2, candidates);
    }
    free(candidates);
    free(vector);
}

/* ---- what the publish told ---- */

static void assert_same_text(const char *a, const char *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (a) assert_string_equal(a, b);
}

void writer_assert_told(const shf_op *publish, shf_reader *reader, const struct writer_rows *rows) {
    shf_publish_info told;
    shf_snapshot_info read;
    shf_snapshot *snapshot = NULL;
    uint64_t row_sum = 0, byte_sum = 0;
    SHF_INIT(&told);
    SHF_INIT(&read);
    assert_int_equal(shf_op_publish_info(publish, &told), SHF_OK);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &read), SHF_OK);
    assert_int_equal(told.num_dbs, read.num_dbs);
    assert_int_equal(told.rows, read.row_count);
    assert_int_equal(told.rows, rows->shape.rows);
    assert_string_equal(told.run_id, read.run_id);
    assert_string_equal(told.manifest_ref, read.manifest_ref);
    for (uint32_t i = 0; i < told.num_dbs; i++) {
        shf_shard_info a, b;
        SHF_INIT(&a);
        SHF_INIT(&b);
        assert_int_equal(shf_op_publish_shard(publish, i, &a), SHF_OK);
        assert_int_equal(shf_snapshot_shard(snapshot, i, &b), SHF_OK);
        assert_int_equal(a.shard, b.shard);
        assert_int_equal(a.is_empty, b.is_empty);
        assert_int_equal(a.attempt, b.attempt);
        assert_int_equal(a.row_count, b.row_count);
        assert_int_equal(a.db_bytes, b.db_bytes);
        assert_same_text(a.min_key, b.min_key);
        assert_same_text(a.max_key, b.max_key);
        assert_same_text(a.db_url, b.db_url);
        assert_same_text(a.checkpoint_id, b.checkpoint_id);
        row_sum += a.row_count;
        byte_sum += a.db_bytes;
    }
    assert_int_equal(row_sum, told.rows);
    assert_int_equal(byte_sum, told.db_bytes);
    shf_snapshot_release(snapshot);
}

/* ---- libsqlite3 ---- */

static int64_t ask(sqlite3 *database, const char *sql, char *text, size_t room) {
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    if (text) (void)snprintf(text, room, "%s", (const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    return number;
}

static uint64_t look_at_shard(const char *file, const struct writer_rows *rows, uint32_t page_size) {
    sqlite3 *database = NULL;
    char answer[200];
    assert_int_equal(sqlite3_open_v2(file, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    (void)ask(database, "PRAGMA integrity_check", answer, sizeof answer);
    assert_string_equal(answer, "ok");
    if (page_size) assert_int_equal(ask(database, "PRAGMA page_size", NULL, 0), page_size);
    int64_t count = ask(database, "SELECT count(*) FROM kv", NULL, 0);
    if (rows->shape.is_vector_only) {
        assert_int_equal(count, 0);
        count = ask(database, "SELECT count(*) FROM vec_id_map", NULL, 0);
    }
    if (rows->shape.dimension) {
        assert_int_equal(ask(database, "SELECT count(*) FROM vec_id_map", NULL, 0), count);
        assert_int_equal(ask(database, "SELECT count(*) FROM vec_index_rowids", NULL, 0), count);
    }
    (void)sqlite3_close(database);
    return (uint64_t)count;
}

void writer_assert_shards(const char *directory, const struct writer_rows *rows, uint32_t page_size) {
    unsigned count = writer_count_files(directory, "shard.db");
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        char *file = support_find_file(directory, "shard.db", (int)i);
        sum += look_at_shard(file, rows, page_size);
        free(file);
    }
    assert_int_equal(sum, rows->shape.rows);
}
