/*
 * Datasets that LanceDB wrote, of every version and encoding that is read: each row bit by bit, by copying all and by random
 * access; and the exact answers that were recorded, by a scan in float64. A few small ones lie in tests/data/formats/lance.
 */
#include "lance_support.h"

#include "base/alloc.h"

#include <math.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t rows_seen, answers_seen, hits_seen;

/* ---- rows ---- */

static void compare_text(const json_t *expected, const char *text, size_t size) {
    if (json_is_null(expected)) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(size, json_string_length(expected));
    assert_memory_equal(text, json_string_value(expected), size);
    assert_int_equal(text[size], '\0');
}

static void compare_rows(const struct lance_set *set, const json_t *expected) {
    struct shf_error *error = NULL;
    size_t vector_bytes = set->manifest->dimension * sizeof(float);
    assert_int_equal(json_array_size(expected), set->rows);
    for (uint64_t i = 0; i < set->rows; i++) {
        const json_t *row = json_array_get(expected, i);
        struct shf_stored_id id;
        char *payload;
        size_t size;
        uint8_t *vector = from_base64(json_string_value(json_object_get(row, "vector")), &size);
        assert_int_equal(size, vector_bytes);
        assert_memory_equal(set->vectors + i * set->manifest->dimension, vector, vector_bytes);
        free(vector);
        expect_ok(shf_lance_dataset_id(set->dataset, set->addresses[i], &id, &error), error);
        assert_true(id.is_text);
        compare_text(json_object_get(row, "id"), id.text, id.text_size);
        expect_ok(shf_lance_dataset_payload(set->dataset, set->addresses[i], &payload, &size, &error), error);
        compare_text(json_object_get(row, "payload"), payload, size);
        shf_free(id.text);
        shf_free(payload);
        rows_seen++;
    }
}

/* Some rows are found by their ids: the first of those that have it. */
static void find_rows(const struct lance_set *set, const json_t *expected) {
    struct shf_error *error = NULL;
    bool found;
    int64_t address;
    size_t count = json_array_size(expected), step = count > 50 ? count / 50 : 1;
    for (size_t i = 0; i < count; i += step) {
        const json_t *id = json_object_get(json_array_get(expected, i), "id");
        size_t first = 0;
        while (!json_equal(json_object_get(json_array_get(expected, first), "id"), id)) first++;
        expect_ok(shf_lance_dataset_find_id(set->dataset, json_string_value(id), json_string_length(id), &found,
                                            &address, &error),
                  error);
        assert_true(found && address == set->addresses[first]);
    }
    expect_ok(shf_lance_dataset_find_id(set->dataset, "no such id", 10, &found, &address, &error), error);
    assert_false(found);
}

/* ---- answers ---- */

/* Wrong when too far apart for float32 arithmetic on numbers of this size. */
static bool is_near(double a, double b) { return fabs(a - b) <= 1e-4 * (1 + fabs(a) + fabs(b)) * 0.1; }

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool metric_of(const char *label, bool has_index, enum shf_metric *out) {
    *out = SHF_METRIC_L2;
    if (has_index) return strcmp(label, "bypass") == 0;
    if (strcmp(label, "cosine") == 0) *out = SHF_METRIC_COSINE;
    if (strcmp(label, "dot") == 0) *out = SHF_METRIC_DOT;
    return true;
}

static void compare_answer(const struct lance_set *set, const json_t *line, enum shf_metric metric) {
    const json_t *results = json_object_get(line, "results"), *result;
    uint32_t dimension = set->manifest->dimension;
    double *distances = malloc((set->rows + 1) * sizeof *distances);
    size_t size, i, count = 0;
    float query[8192];
    uint8_t *bytes = from_base64(json_string_value(json_object_get(line, "vector")), &size);
    assert_int_equal(size, dimension * sizeof(float));
    memcpy(query, bytes, size);
    free(bytes);
    for (uint64_t row = 0; row < set->rows; row++) {
        double distance = lance_distance(metric, query, set->vectors + row * dimension, dimension);
        if (!isnan(distance)) distances[count++] = distance;
    }
    qsort(distances, count, sizeof *distances, compare_doubles);
    assert_true(json_array_size(results) >= (count < 10 ? count : 10));
    json_array_foreach(results, i, result) {
        const json_t *recorded = json_object_get(result, "distance");
        int64_t address = (int64_t)strtoll(json_string_value(json_object_get(result, "rowid")), NULL, 10);
        uint64_t row = 0;
        if (!json_is_number(recorded)) continue; /* of a zero vector */
        double distance = json_number_value(recorded);
        if (!is_near(distances[i], distance)) fail_msg("answer %zu is %.9g, not %.9g", i, distance, distances[i]);
        while (row < set->rows && set->addresses[row] != address) row++;
        assert_true(row < set->rows);
        assert_true(is_near(lance_distance(metric, query, set->vectors + row * dimension, dimension), distance));
        answers_seen++;
    }
    free(distances);
}

static json_t *load_beside(const char *folder, const char *name) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/../%s", folder, name);
    if (!file_exists(path)) (void)snprintf(path, sizeof path, "%s/../%s.zst", folder, name);
    return load_jsonl(path);
}

static void compare_answers(const struct lance_set *set, const char *folder) {
    json_t *queries = load_beside(folder, "queries.jsonl"), *line;
    char path[4300];
    size_t i;
    (void)snprintf(path, sizeof path, "%s/_indices", folder);
    bool has_index = file_exists(path);
    json_array_foreach(queries, i, line) {
        enum shf_metric metric;
        if (!json_is_array(json_object_get(line, "results"))) continue;
        if (!metric_of(json_string_value(json_object_get(line, "label")), has_index, &metric)) continue;
        compare_answer(set, line, metric);
    }
    json_decref(queries);
}

/* A copy of the data that somebody overwrote says nothing about the reader: files of Arrow begin with a magic of theirs. */
static bool is_overwritten(const char *folder) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/_deletions", folder);
    DIR *names = opendir(path);
    const struct dirent *entry;
    bool found = false;
    while (names && (entry = readdir(names)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        char magic[6] = "";
        if (!dot || strcmp(dot, ".arrow") != 0) continue;
        (void)snprintf(path, sizeof path, "%s/_deletions/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (!file || fread(magic, 1, sizeof magic, file) != sizeof magic || memcmp(magic, "ARROW1", 6) != 0) {
            print_message("SKIP: %s is no Arrow file: this copy of the data is damaged\n", path);
            found = true;
        }
        if (file) (void)fclose(file);
    }
    if (names) (void)closedir(names);
    return found;
}

static size_t compare_all(const char *root, bool with_answers) {
    size_t count;
    char **folders = find_folders(root, ".lance", &count);
    for (size_t i = 0; i < count; i++) {
        struct lance_set set;
        if (is_overwritten(folders[i])) {
            free(folders[i]);
            continue;
        }
        json_t *expected = load_beside(folders[i], "expected.jsonl");
        lance_set_open(&set, folders[i]);
        compare_rows(&set, expected);
        find_rows(&set, expected);
        if (with_answers) compare_answers(&set, folders[i]);
        json_decref(expected);
        lance_set_close(&set);
        free(folders[i]);
    }
    free(folders);
    return count;
}

static void test_golden(void **state) {
    (void)state;
    rows_seen = answers_seen = 0;
    assert_true(compare_all(SHF_TEST_DATA "/formats/lance", false) >= 10);
    assert_true(rows_seen > 500);
}

static void test_shared(void **state) {
    (void)state;
    const char *path = shared_path("fixtures/lance");
    if (!path) skip();
    rows_seen = answers_seen = 0;
    size_t count = compare_all(path, true);
    print_message("%zu datasets: %llu rows, %llu exact answers\n", count, (unsigned long long)rows_seen,
                  (unsigned long long)answers_seen);
    assert_true(count >= 40 && rows_seen > 8000 && answers_seen > 2000);
}

/* ---- the peer's ---- */

/* The dataset of a shard, and its number. */
struct shard {
    struct lance_set set;
    int64_t number;
};

static enum shf_metric metric_named(const char *name) {
    if (strcmp(name, "cosine") == 0) return SHF_METRIC_COSINE;
    return strcmp(name, "l2") == 0 ? SHF_METRIC_L2 : SHF_METRIC_DOT;
}

static const char *id_text(const json_t *id, char room[32]) {
    if (json_is_string(id)) return json_string_value(id);
    (void)snprintf(room, 32, "%lld", (long long)json_integer_value(id));
    return room;
}

/* Row of the dataset with this id; fails the test. */
static uint64_t row_of(const struct lance_set *set, const char *id) {
    struct shf_error *error = NULL;
    bool found;
    int64_t address;
    expect_ok(shf_lance_dataset_find_id(set->dataset, id, strlen(id), &found, &address, &error), error);
    assert_true(found);
    for (uint64_t row = 0; row < set->rows; row++) {
        if (set->addresses[row] == address) return row;
    }
    fail_msg("%s is at an address that is no row's", id);
    return 0;
}

static void compare_exact(const struct shard *shards, size_t count, const float *query, const json_t *exact,
                          enum shf_metric metric, bool is_everywhere) {
    const json_t *hit;
    size_t i, found = 0, total = 0;
    for (size_t shard = 0; shard < count; shard++) total += shards[shard].set.rows;
    double *distances = malloc((total + 1) * sizeof *distances);
    for (size_t shard = 0; shard < count; shard++) {
        const struct lance_set *set = &shards[shard].set;
        uint32_t dimension = set->manifest->dimension;
        for (uint64_t row = 0; row < set->rows; row++) {
            double distance = lance_distance(metric, query, set->vectors + row * dimension, dimension);
            if (!isnan(distance)) distances[found++] = distance;
        }
    }
    qsort(distances, found, sizeof *distances, compare_doubles);
    json_array_foreach(exact, i, hit) {
        char room[32];
        double score = json_number_value(json_object_get(hit, "score"));
        int64_t number = json_integer_value(json_object_get(hit, "shard"));
        size_t shard = 0;
        if (!json_is_number(json_object_get(hit, "score"))) continue; /* "nan" */
        while (shard < count && shards[shard].number != number) shard++;
        assert_true(shard < count);
        const struct lance_set *set = &shards[shard].set;
        uint64_t row = row_of(set, id_text(json_object_get(hit, "id"), room));
        uint32_t dimension = set->manifest->dimension;
        double own = lance_distance(metric, query, set->vectors + row * dimension, dimension);
        if (fabs(own - score) > 1e-9 * (1 + fabs(score))) fail_msg("%.17g, not %.17g", own, score);
        if (is_everywhere) assert_true(i < found && fabs(distances[i] - score) <= 1e-9 * (1 + fabs(score)));
        answers_seen++;
    }
    free(distances);
}

/* A hit's payload is the one of the row with its id, as JSON. */
static void compare_payload(const struct shard *shards, size_t count, const json_t *hit) {
    char room[32];
    const char *id = id_text(json_object_get(hit, "id"), room);
    struct shf_error *error = NULL;
    for (size_t shard = 0; shard < count; shard++) {
        bool found;
        int64_t address;
        char *text;
        size_t size;
        json_error_t problem;
        struct shf_lance_dataset *dataset = shards[shard].set.dataset;
        expect_ok(shf_lance_dataset_find_id(dataset, id, strlen(id), &found, &address, &error), error);
        if (!found) continue;
        expect_ok(shf_lance_dataset_payload(dataset, address, &text, &size, &error), error);
        json_t *payload = text ? json_loadb(text, size, JSON_DECODE_ANY, &problem) : json_object();
        const json_t *recorded = json_object_get(hit, "payload");
        assert_non_null(payload);
        if (!json_equal(payload, recorded)) assert_true(json_is_null(recorded) && !text);
        json_decref(payload);
        shf_free(text);
        hits_seen++;
        return;
    }
    fail_msg("no shard has the id %s", id);
}

static void compare_query(const struct shard *shards, size_t count, const json_t *line, enum shf_metric metric) {
    size_t size, i;
    const json_t *hit, *ids = json_object_get(line, "shard_ids");
    bool is_everywhere = !json_is_array(ids) && !json_object_get(line, "routing_context") &&
                         !json_object_get(line, "routed_shards") && !json_object_get(line, "num_probes");
    uint8_t *bytes = from_base64(json_string_value(json_object_get(line, "query")), &size);
    float *query = malloc(size);
    memcpy(query, bytes, size);
    compare_exact(shards, count, query, json_object_get(line, "exact"), metric, is_everywhere);
    json_array_foreach(json_object_get(line, "hits"), i, hit) compare_payload(shards, count, hit);
    free(query);
    free(bytes);
}

static size_t compare_case(const char *folder) {
    size_t count, i;
    char path[4300], **names = find_folders(folder, ".lance", &count);
    struct shard *shards = calloc(count + 1, sizeof *shards);
    json_error_t problem;
    json_t *line;
    if (count == 0) {
        free(shards);
        return 0;
    }
    for (size_t shard = 0; shard < count; shard++) {
        const char *number = strstr(names[shard], "/db=");
        assert_non_null(number);
        shards[shard].number = strtol(number + 4, NULL, 10);
        lance_set_open(&shards[shard].set, names[shard]);
        rows_seen += shards[shard].set.rows;
    }
    (void)snprintf(path, sizeof path, "%s/case.json", folder);
    json_t *description = json_load_file(path, 0, &problem);
    (void)snprintf(path, sizeof path, "%s/queries.jsonl", folder);
    json_t *queries = load_jsonl(path);
    enum shf_metric metric = metric_named(json_string_value(json_object_get(description, "metric")));
    json_array_foreach(queries, i, line) compare_query(shards, count, line, metric);
    json_decref(queries);
    json_decref(description);
    for (size_t shard = 0; shard < count; shard++) {
        lance_set_close(&shards[shard].set);
        free(names[shard]);
    }
    free(names);
    free(shards);
    return count;
}

static void test_peer(void **state) {
    (void)state;
    const char *path = shared_path("fixtures/peer");
    size_t count, datasets = 0;
    if (!path) skip();
    rows_seen = answers_seen = hits_seen = 0;
    char **cases = find_folders(path, "", &count);
    for (size_t i = 0; i < count; i++) {
        datasets += compare_case(cases[i]);
        free(cases[i]);
    }
    free(cases);
    print_message("%zu datasets of the peer: %llu rows, %llu exact answers, %llu payloads\n", datasets,
                  (unsigned long long)rows_seen, (unsigned long long)answers_seen, (unsigned long long)hits_seen);
    assert_true(datasets >= 20 && answers_seen > 1000 && hits_seen > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
