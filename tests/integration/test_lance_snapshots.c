/*
 * The recorded Lance datasets, each wrapped into composite snapshots: every row with its id, payload and exact distance in
 * the contract's order, what LanceDB answered where it scanned, and each vector asked for by its id.
 */
#include "integration/support.h"
#include "integration/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *root, *cache;
static size_t rows_seen, answers_seen;

static char *fixtures(void) { return support_fixture("lance", ""); }

/* ---- what must be answered ---- */

enum metric { L2, COSINE, DOT, METRICS };
static const char *const metric_names[METRICS] = {"l2", "cosine", "dot_product"};

struct dataset {
    char *folder;
    json_t *rows; /* live ones, in the order of positions */
    float *vectors;
    size_t count, dimension;
    bool has_index;
};

static struct dataset load_dataset(const char *folder) {
    struct dataset dataset = {.folder = support_path("%s/vector_index.lance", folder)};
    char *indices = support_path("%s/_indices", dataset.folder);
    json_t *row;
    size_t i, size;
    dataset.has_index = access(indices, R_OK) == 0;
    free(indices);
    dataset.rows = support_lines(folder, "expected.jsonl");
    dataset.count = json_array_size(dataset.rows);
    json_array_foreach(dataset.rows, i, row) {
        unsigned char *vector = support_base64(json_string_value(json_object_get(row, "vector")), &size);
        if (i == 0) {
            dataset.dimension = size / sizeof(float);
            dataset.vectors = malloc(dataset.count * size);
        }
        assert_int_equal(size, dataset.dimension * sizeof(float));
        memcpy(dataset.vectors + i * dataset.dimension, vector, size);
        free(vector);
    }
    assert_true(dataset.count > 0);
    return dataset;
}

static void free_dataset(struct dataset *dataset) {
    json_decref(dataset->rows);
    free(dataset->vectors);
    free(dataset->folder);
}

static double distance_of(const struct dataset *dataset, enum metric metric, const float *query, size_t row) {
    const float *vector = dataset->vectors + row * dataset->dimension;
    double squares = 0, product = 0, query_norm = 0, norm = 0;
    for (size_t i = 0; i < dataset->dimension; i++) {
        double a = query[i], b = vector[i];
        squares += (a - b) * (a - b);
        product += a * b;
        query_norm += a * a;
        norm += b * b;
    }
    if (metric == L2) return squares;
    return metric == DOT ? 1 - product : 1 - product / (sqrt(query_norm) * sqrt(norm));
}

static bool is_near(double got, double wanted) { return fabs(got - wanted) <= 1e-6 + 1e-5 * fabs(wanted); }

/* ---- searching ---- */

static shf_op *search(shf_reader *reader, const float *vector, const struct dataset *dataset, const shf_vector_id *like,
                      size_t top_k) {
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = vector ? (uint32_t)dataset->dimension : 0;
    query.like = like;
    query.top_k = (uint32_t)top_k;
    if (shf_search_sync(reader, &query, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    return op;
}

static bool is_text(const shf_slice *slice, const json_t *text) {
    if (!json_is_string(text)) return slice->data == NULL;
    return slice->data && slice->size == json_string_length(text) &&
           memcmp(slice->data, json_string_value(text), slice->size) == 0;
}

static size_t position_of(const struct dataset *dataset, const shf_hit *hit) {
    for (size_t i = 0; i < dataset->count; i++) {
        if (is_text(&hit->id.text, json_object_get(json_array_get(dataset->rows, i), "id"))) return i;
    }
    fail_msg("a hit with the id %.*s, which no live row has", (int)hit->id.text.size, (const char *)hit->id.text.data);
    return 0;
}

/* All rows, each once, with its own distance, in the order of distance and position. */
static void check_all_rows(shf_reader *reader, const struct dataset *dataset, enum metric metric, const float *query) {
    shf_op *op = search(reader, query, dataset, NULL, dataset->count + 10);
    bool *seen = calloc(dataset->count, sizeof *seen);
    double before = -HUGE_VAL;
    size_t position_before = 0;
    assert_int_equal(shf_op_hit_count(op, 0), dataset->count);
    for (size_t rank = 0; rank < dataset->count; rank++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, rank, &hit), SHF_OK);
        assert_int_equal(hit.id.kind, SHF_ID_TEXT);
        size_t position = position_of(dataset, &hit);
        double wanted = distance_of(dataset, metric, query, position);
        assert_false(seen[position]);
        seen[position] = true;
        assert_true(is_text(&hit.payload, json_object_get(json_array_get(dataset->rows, position), "payload")));
        if (!is_near(hit.score, wanted)) fail_msg("rank %zu: %.17g, not %.17g", rank, hit.score, wanted);
        assert_true(hit.score > before || (hit.score == before && position > position_before));
        before = hit.score;
        position_before = position;
        rows_seen++;
    }
    free(seen);
    shf_op_release(op);
}

/* What LanceDB found by scanning: the same distances in the same order, so nothing nearer is left out. */
static void check_recorded(shf_reader *reader, const struct dataset *dataset, const float *query, const json_t *results) {
    size_t count = json_array_size(results);
    shf_op *op = search(reader, query, dataset, NULL, count);
    assert_int_equal(shf_op_hit_count(op, 0), count);
    for (size_t rank = 0; rank < count; rank++) {
        shf_hit hit;
        SHF_INIT(&hit);
        assert_int_equal(shf_op_hit(op, 0, rank, &hit), SHF_OK);
        const json_t *recorded = json_object_get(json_array_get(results, rank), "distance");
        assert_true(json_is_number(recorded));
        double wanted = json_number_value(recorded);
        if (!is_near(hit.score, wanted)) fail_msg("rank %zu: %.17g, recorded %.17g", rank, hit.score, wanted);
        answers_seen++;
    }
    shf_op_release(op);
}

/* A row asked for by its id is its own query. */
static void check_ids(shf_reader *reader, const struct dataset *dataset, enum metric metric) {
    shf_vector_id id = {.kind = SHF_ID_TEXT};
    size_t step = dataset->count > 300 ? 7 : 1;
    for (size_t row = 0; row < dataset->count; row += step) {
        const json_t *text = json_object_get(json_array_get(dataset->rows, row), "id");
        const float *query = dataset->vectors + row * dataset->dimension;
        double nearest = HUGE_VAL;
        shf_hit hit;
        SHF_INIT(&hit);
        for (size_t i = 0; i < dataset->count; i++) nearest = fmin(nearest, distance_of(dataset, metric, query, i));
        id.text = (shf_slice){json_string_value(text), json_string_length(text)};
        shf_op *op = search(reader, NULL, dataset, &id, 1);
        assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
        assert_true(is_near(hit.score, nearest));
        shf_op_release(op);
    }
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.like = &id;
    query.top_k = 1;
    id.text = (shf_slice){"no such id", 10};
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_E_INVALID);
    shf_op_release(op);
}

/* Whether LanceDB answered by this metric without an index. */
static bool is_exact(const struct dataset *dataset, const char *label, enum metric metric) {
    if (dataset->has_index) return metric == L2 && strcmp(label, "bypass") == 0;
    if (metric == L2) return strcmp(label, "l2") == 0 || strcmp(label, "default") == 0;
    return strcmp(label, metric == COSINE ? "cosine" : "dot") == 0;
}

static void check_metric(const struct dataset *dataset, const json_t *queries, enum metric metric) {
    char *custom = wrap_composite("sqlite", (int)dataset->dimension, metric_names[metric]);
    char *snapshot = wrap_snapshot(root, custom), *vectors = support_path("%s/" WRAP_SHARD "/vector", snapshot);
    char *index = support_path("%s/vector_index.lance", vectors);
    const json_t *query;
    shf_status status;
    size_t i, size, answers_before = answers_seen;
    wrap_empty_keys(snapshot);
    assert_int_equal(mkdir(vectors, 0755), 0);
    support_copy_tree(dataset->folder, index);
    shf_reader *reader = support_open(snapshot, cache, 0, &status);
    if (!reader) fail_msg("%s: %s", dataset->folder, support_message);
    json_array_foreach(queries, i, query) {
        unsigned char *vector = support_base64(json_string_value(json_object_get(query, "vector")), &size);
        assert_int_equal(size, dataset->dimension * sizeof(float));
        float *aligned = malloc(size);
        memcpy(aligned, vector, size);
        if (is_exact(dataset, json_string_value(json_object_get(query, "label")), metric)) {
            check_recorded(reader, dataset, aligned, json_object_get(query, "results"));
        }
        if (i < 2) check_all_rows(reader, dataset, metric, aligned);
        free(aligned);
        free(vector);
    }
    assert_true(answers_seen > answers_before || dataset->has_index);
    check_ids(reader, dataset, metric);
    support_close(reader);
    support_remove_tree(snapshot);
    free(custom);
    free(snapshot);
    free(vectors);
    free(index);
}

static void check_fixture(const char *folder) {
    struct dataset dataset = load_dataset(folder);
    json_t *queries = support_lines(folder, "queries.jsonl");
    for (int metric = 0; metric < METRICS; metric++) check_metric(&dataset, queries, (enum metric)metric);
    json_decref(queries);
    free_dataset(&dataset);
}

static void test_all(void **state) {
    (void)state;
    char *path = fixtures();
    if (!path) skip();
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort), checked = 0;
    for (int i = 0; i < count; i++) {
        if (!strchr(entries[i]->d_name, '_')) { /* README, dots */
            free(entries[i]);
            continue;
        }
        char *folder = support_path("%s/%s", path, entries[i]->d_name);
        check_fixture(folder);
        checked++;
        free(folder);
        free(entries[i]);
    }
    free(entries);
    print_message("%d datasets, %zu rows, %zu recorded answers\n", checked, rows_seen, answers_seen);
    assert_true(checked >= 41 && rows_seen > 20000 && answers_seen > 2000);
    free(path);
}

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_all, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
