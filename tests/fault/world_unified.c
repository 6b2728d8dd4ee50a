/* tests/data/packages-1k, changed with sqlite3. */
#include "fault/world.h"
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE "tests/data/packages-1k"
#define MOST_ROWS 2048
#define TOP_K 10
#define RUN "d597585d196845f8875aba3ba5395387"
#define MANIFEST "2026-11-22T07:29:27.503984Z_run_id=" RUN

static struct world_row *row_of(struct world *made, const void *key, size_t size) {
    for (size_t i = 0; i < made->row_count; i++) {
        if (strlen(made->rows[i].key) == size && memcmp(made->rows[i].key, key, size) == 0) return &made->rows[i];
    }
    assert_true(made->row_count < MOST_ROWS);
    struct world_row *row = &made->rows[made->row_count++];
    row->key = calloc(1, size + 1);
    memcpy(row->key, key, size);
    return row;
}

/* Rows with the longest values first. */
static void read_rows(struct world *made, const char *path, int run) {
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k, v FROM kv ORDER BY length(v) DESC, k", -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        struct world_row *row =
            row_of(made, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
        row->sizes[run] = (size_t)sqlite3_column_bytes(statement, 1);
        row->values[run] = malloc(row->sizes[run] + 1);
        memcpy(row->values[run], sqlite3_column_blob(statement, 1), row->sizes[run]);
    }
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char *shard_path(const struct world *made, const char *run, int shard) {
    return support_path("%s/shards/run_id=%s/db=%05d/attempt=00/shard.db", made->snapshot, run, shard);
}

static int longer_first(const void *a, const void *b) {
    const struct world_row *left = a, *right = b;
    return left->sizes[0] == right->sizes[0]  ? strcmp(left->key, right->key)
           : left->sizes[0] < right->sizes[0] ? 1
                                              : -1;
}

static void make_shards(struct world *made) {
    char *paths[2] = {shard_path(made, RUN, 0), shard_path(made, RUN, 1)};
    char *other = shard_path(made, WORLD_SECOND_RUN, 0);
    char *from = support_path("%s/shards/run_id=" RUN, made->snapshot);
    char *to = support_path("%s/shards/run_id=" WORLD_SECOND_RUN, made->snapshot);
    char *spare = support_path("%s/db=00001", to);
    for (int shard = 0; shard < 2; shard++) {
        world_change(paths[shard],
                     "UPDATE kv SET v = CAST(hex(zeroblob(15000)) AS BLOB) WHERE k = (SELECT min(k) FROM kv)");
    }
    support_copy_tree(from, to);
    support_remove_tree(spare);
    world_change(other, "UPDATE kv SET v = CAST(CAST(v AS TEXT) || ' second' AS BLOB);"
                        "UPDATE vec_payloads SET payload = '{\"run\":2}'");
    made->rows = calloc(MOST_ROWS, sizeof *made->rows);
    for (int shard = 0; shard < 2; shard++) {
        read_rows(made, paths[shard], 0);
        read_rows(made, shard == 0 ? other : paths[shard], 1);
        free(paths[shard]);
    }
    qsort(made->rows, made->row_count, sizeof *made->rows, longer_first);
    assert_int_equal(made->row_count, 1000);
    assert_true(made->rows[WORLD_LONG_KEYS - 1].sizes[0] == 30000 && made->rows[WORLD_LONG_KEYS].sizes[0] < 30000);
    free(other);
    free(from);
    free(to);
    free(spare);
}

/* The sample's own answers hold of both runs. */
static void read_queries(struct world *made) {
    json_t *questions = support_lines("tests/data", "packages-1k-queries.jsonl");
    json_t *answers = support_lines("tests/data", "packages-1k-answers.jsonl");
    for (size_t i = 0; i < WORLD_QUERIES; i++) {
        struct world_query *query = &made->queries[i];
        const json_t *hits = json_object_get(json_array_get(answers, i), "top10");
        size_t size;
        query->vector =
            support_base64(json_string_value(json_object_get(json_array_get(questions, i), "vector_base64")), &size);
        assert_int_equal(size, WORLD_UNIFIED_DIMENSION * sizeof(float));
        assert_int_equal(json_array_size(hits), TOP_K);
        query->top_k = TOP_K;
        query->hit_count = TOP_K;
        query->hits = calloc(TOP_K, sizeof *query->hits);
        for (size_t hit = 0; hit < TOP_K; hit++) {
            const json_t *right = json_array_get(hits, hit);
            query->hits[hit].id = strdup(json_string_value(json_object_get(right, "id")));
            query->hits[hit].score = json_number_value(json_object_get(right, "distance"));
            query->hits[hit].shard = WORLD_ANY_SHARD;
        }
    }
    json_decref(questions);
    json_decref(answers);
}

void world_make_unified(struct world *made) {
    static const char *const pointers[] = WORLD_POINTERS("s3://samples/packages-1k", RUN, MANIFEST);
    memcpy(made->pointers, pointers, sizeof pointers);
    made->dimension = WORLD_UNIFIED_DIMENSION;
    support_copy_tree(SAMPLE, made->snapshot);
    make_shards(made);
    world_make_manifests(made, RUN, MANIFEST);
    read_queries(made);
}
