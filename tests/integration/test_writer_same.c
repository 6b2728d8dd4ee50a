/* The same rows make the same bytes: whatever their order, the sizes of the writes, the memory, the number of jobs. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 3u

static char *root;

static int begin(void **state) {
    root = support_temporary_directory();
    return support_set_up(state);
}

static int end(void **state) {
    int result = support_tear_down(state);
    support_remove_tree(root);
    free(root);
    return result;
}

struct way {
    const char *name;
    uint64_t order; /* 0: as they are numbered */
    size_t batch;
    uint64_t memory_bytes;
    uint32_t jobs;
    bool is_by_most_keys;
};

static const struct way ways[] = {
    {"first", 0, 100, 0, 0, false},
    {"shuffled", 1, 100, 0, 0, false},
    {"one by one", 2, 1, 0, 1, false},
    {"spilled", 3, 500, 4 << 20, 2, false},
    {"spilled, numbered", 0, 77, 4 << 20, 1, false},
    {"by most keys", 4, 1000, 0, 3, true},
    {"by most keys, spilled", 5, 1000, 4 << 20, 3, true},
};
#define WAYS (sizeof ways / sizeof *ways)

static const char *sharding; /* of vectors alone, else NULL */

static void ask_for_vectors(shf_writer_options *options, struct writer_rows *rows) {
    options->backend = SHF_WRITE_VECTOR;
    options->num_dbs = SHARDS;
    options->max_keys_per_shard = 0;
    options->vector_sharding = sharding;
    options->seed = 9;
    if (strcmp(sharding, "cluster") == 0) options->training_rows = 1000;
    for (size_t i = 0; i < rows->shape.rows && strcmp(sharding, "explicit") == 0; i++) {
        rows->rows[i].shard = (uint32_t)((uint64_t)rows->rows[i].id.int_value % SHARDS);
    }
}

static void make(const struct writer_shape *shape, size_t index) {
    const struct way *way = &ways[index];
    struct writer_rows *rows = writer_rows_new(shape);
    char *prefix = support_path("%s/%zu", root, index);
    if (way->order) writer_rows_shuffle(rows, way->order);
    for (size_t i = 0; i < shape->rows; i++) rows->rows[i].origin = 0;
    shf_writer_options options =
        writer_options(prefix, shape->dimension ? SHF_WRITE_UNIFIED : SHF_WRITE_KV, way->is_by_most_keys ? 0 : SHARDS);
    if (way->is_by_most_keys) options.max_keys_per_shard = (shape->rows + SHARDS - 1) / SHARDS;
    if (sharding) ask_for_vectors(&options, rows);
    options.run_id = "the-same";
    options.memory_bytes = way->memory_bytes;
    options.jobs = way->jobs;
    writer_make(&options, rows, way->batch);
    writer_rows_free(rows);
    free(prefix);
}

static void assert_same_file(size_t index, const char *name, int nth) {
    char *directories[2] = {support_path("%s/0", root), support_path("%s/%zu", root, index)};
    char *paths[2], *data[2];
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        paths[i] = support_find_file(directories[i], name, nth);
        data[i] = support_read_file(paths[i], &sizes[i]);
    }
    /* Of the same shard and attempt. */
    assert_string_equal(paths[0] + strlen(directories[0]), paths[1] + strlen(directories[1]));
    if (sizes[0] != sizes[1] || memcmp(data[0], data[1], sizes[0]) != 0) {
        fail_msg("%s (%s) is not the same: %zu and %zu bytes", paths[1], ways[index].name, sizes[0], sizes[1]);
    }
    for (int i = 0; i < 2; i++) {
        free(directories[i]);
        free(paths[i]);
        free(data[i]);
    }
}

static void go(const struct writer_shape *shape) {
    for (size_t i = 0; i < WAYS; i++) make(shape, i);
    for (size_t i = 1; i < WAYS; i++) {
        for (int shard = 0; shard < (int)SHARDS; shard++) assert_same_file(i, "shard.db", shard);
    }
}

static void test_keys_and_values(void **state) {
    (void)state;
    const struct writer_shape shape = {.rows = 12000, .keys = WRITER_TEXT, .value_most = 2000};
    go(&shape);
}

static void test_vectors(void **state) {
    (void)state;
    const struct writer_shape shape = {
        .rows = 6000, .keys = WRITER_U64, .value_most = 1500, .dimension = 40, .id_kind = SHF_ID_TEXT, .payload_every = 3};
    go(&shape);
}

/* Centroids too: the sample does not depend on the order of rows, nor k-means on who runs its pieces. */
static void test_vectors_alone(void **state) {
    (void)state;
    static const char *const shardings[] = {"cluster", "lsh", "explicit"};
    const struct writer_shape shape = {
        .rows = 9000, .dimension = 150, .id_kind = SHF_ID_INT, .payload_every = 3, .is_vector_only = true};
    for (size_t i = 0; i < sizeof shardings / sizeof *shardings; i++) {
        sharding = shardings[i];
        go(&shape);
        for (size_t way = 1; way < WAYS && i < 2; way++)
            assert_same_file(way, i ? "hyperplanes.npy" : "centroids.npy", 0);
        support_remove_tree(root);
    }
    sharding = NULL;
}

/* Sizes of the sidecars; their bytes name the version of the shard that they belong to. */
static void test_sidecars(void **state) {
    (void)state;
    const struct writer_shape shape = {.rows = 3000, .keys = WRITER_U64, .value_most = 900};
    for (size_t i = 0; i < 2; i++) make(&shape, i);
    for (int shard = 0; shard < (int)SHARDS; shard++) assert_same_file(1, "shard.sidecar", shard);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_keys_and_values), TEST(test_vectors), TEST(test_vectors_alone),
                                       TEST(test_sidecars)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
