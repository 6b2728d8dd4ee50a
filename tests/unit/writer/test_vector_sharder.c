/* Shards of vectors: hyperplanes that are drawn, places by given tables, and every allocation that fails once, in turn. */
#include "writer/vector_sharder.h"

#include "base/limits.h"
#include "formats/npy.h"
#include "search/search.h"
#include "writer/hyperplanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "failing_memory.h"

#define DIMENSION 6u
#define SHARDS 4u

static struct shf_budget budget;
static float centroids[SHARDS * DIMENSION];

static shf_writer_options options_of(const char *sharding, const float *given) {
    shf_writer_options options;
    SHF_INIT(&options);
    options.backend = SHF_WRITE_VECTOR;
    options.num_dbs = SHARDS;
    options.vector_sharding = sharding;
    options.centroids = given;
    options.dimension = given ? DIMENSION : 0;
    options.seed = 11;
    return options;
}

static shf_status sharder_of(const shf_writer_options *o, enum shf_metric metric, struct shf_vector_sharder **out,
                             struct shf_error **error) {
    struct shf_vector_options options = {0};
    shf_status status = shf_vector_options_read(o, &budget, &options);
    if (!status) status = shf_vector_options_check(&options, error);
    if (!status) status = shf_vector_sharder_new(&options, metric, 4 << 20, out, error);
    if (!status) status = shf_vector_sharder_begin(*out, DIMENSION, error);
    shf_vector_options_free(&options);
    return status;
}

static struct shf_vector_sharder *must(const shf_writer_options *o, enum shf_metric metric) {
    struct shf_vector_sharder *sharder = NULL;
    struct shf_error *error = NULL;
    if (sharder_of(o, metric, &sharder, &error)) fail_msg("%s", shf_error_message(error));
    return sharder;
}

static uint32_t place_of(const struct shf_vector_sharder *sharder, const float *vector) {
    uint32_t shard = UINT32_MAX;
    shf_vector_sharder_place(sharder, &vector, 1, &shard);
    return shard;
}

/* ---- hyperplanes ---- */

static void test_drawn(void **state) {
    (void)state;
    enum { BITS = 63, MANY = 2000 };
    static float planes[BITS * MANY], again[BITS * MANY];
    double sum = 0, squares = 0;
    shf_draw_hyperplanes(1, BITS, MANY, planes);
    shf_draw_hyperplanes(1, BITS, MANY, again);
    assert_memory_equal(planes, again, sizeof planes);
    for (size_t i = 0; i < BITS * MANY; i++) {
        assert_true(isfinite(planes[i]) && fabsf(planes[i]) < 7);
        sum += (double)planes[i];
        squares += (double)planes[i] * (double)planes[i];
    }
    assert_true(fabs(sum / (BITS * MANY)) < 0.01);
    assert_true(fabs(squares / (BITS * MANY) - 1) < 0.02);
    shf_draw_hyperplanes(2, BITS, MANY, again);
    assert_memory_not_equal(planes, again, sizeof planes);
    shf_draw_hyperplanes(1, 1, 1, again); /* the first is the same, however many there are */
    assert_true(again[0] == planes[0]);
}

/* ---- places ---- */

static void test_centroids(void **state) {
    (void)state;
    shf_writer_options options = options_of("cluster", centroids);
    struct shf_vector_sharder *sharder = must(&options, SHF_METRIC_COSINE);
    float vector[DIMENSION] = {0};
    assert_true(shf_vector_sharder_decides(sharder));
    assert_string_equal(shf_vector_sharder_table_name(sharder), "centroids.npy");
    assert_int_equal(place_of(sharder, vector), 0); /* under cosine nothing is near zero */
    for (uint32_t i = 0; i < SHARDS; i++) {
        for (uint32_t k = 0; k < DIMENSION; k++) vector[k] = 3 * centroids[i * DIMENSION + k];
        assert_int_equal(place_of(sharder, vector), i);
    }
    shf_vector_sharder_free(sharder);
    /* The same distance to 1 and 2 and 3: the first. */
    static const float alike[SHARDS * DIMENSION] = {
        9, 9, 9, 9, 9, 9, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
    };
    options = options_of("cluster", alike);
    sharder = must(&options, SHF_METRIC_L2);
    memset(vector, 0, sizeof vector);
    assert_int_equal(place_of(sharder, vector), 1);
    shf_vector_sharder_free(sharder);
}

/* Whatever the kernel, the dimension and the centroids, many of which are alike: what a reader computes. */
static void place_as_readers(uint32_t num_dbs, uint32_t dimension, enum shf_metric metric, unsigned alike) {
    enum { VECTORS = 48 };
    size_t count = (size_t)num_dbs * dimension;
    float *table = malloc(count * sizeof *table), *vectors = malloc((size_t)VECTORS * dimension * sizeof *vectors);
    const float *pointers[VECTORS];
    uint32_t shards[VECTORS], found;
    for (size_t i = 0; i < count; i++) {
        size_t row = i / dimension / alike, k = i % dimension;
        table[i] = (float)((row * 7919 + k * 104729 + row * k * 31) % 2003) / 1000 - 1;
    }
    for (uint32_t v = 0; v < VECTORS; v++) {
        pointers[v] = vectors + (size_t)v * dimension;
        for (uint32_t k = 0; k < dimension; k++) {
            /* One in three is a centroid, one in three lies in the middle of two. */
            size_t a = v * 13 % num_dbs, b = v * 29 % num_dbs;
            float left = table[a * dimension + k], right = table[b * dimension + k];
            vectors[(size_t)v * dimension + k] = v % 3 == 0 ? left : v % 3 == 1 ? (left + right) / 2 : left - right * 3;
        }
    }
    shf_writer_options options = options_of("cluster", table);
    options.num_dbs = num_dbs;
    options.dimension = dimension;
    struct shf_vector_options read = {0};
    struct shf_vector_sharder *sharder = NULL;
    assert_int_equal(shf_vector_options_read(&options, &budget, &read), SHF_OK);
    assert_int_equal(shf_vector_sharder_new(&read, metric, 4 << 20, &sharder, NULL), SHF_OK);
    assert_int_equal(shf_vector_sharder_begin(sharder, dimension, NULL), SHF_OK);
    shf_vector_options_free(&read);
    for (size_t at = 0; at < VECTORS; at += 13) {
        size_t part = VECTORS - at < 13 ? VECTORS - at : 13;
        shf_vector_sharder_place(sharder, pointers + at, part, shards + at);
    }
    for (uint32_t v = 0; v < VECTORS; v++) {
        struct shf_vector_probe probe;
        uint32_t shard = 0;
        assert_int_equal(shf_vector_route(sharder->router, pointers[v], NULL, 1, &probe, &shard, &found, NULL), SHF_OK);
        assert_int_equal(shards[v], shard);
    }
    shf_vector_sharder_free(sharder);
    free(table);
    free(vectors);
}

static void test_as_readers(void **state) {
    (void)state;
    static const char *const kernels[] = {"scalar", "avx2", "avx512"};
    static const uint32_t dimensions[] = {1, 2, 7, 32, 33, 100, 2049, 8192};
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
        if (!shf_search_kernel_force(kernels[k])) continue;
        for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
            for (unsigned alike = 1; alike < 100; alike *= 9) {
                place_as_readers(dimensions[d] > 1000 ? 70 : 300, dimensions[d], SHF_METRIC_COSINE, alike);
                place_as_readers(dimensions[d] > 1000 ? 70 : 300, dimensions[d], SHF_METRIC_L2, alike);
            }
        }
    }
    (void)shf_search_kernel_force(NULL);
}

static void test_hashes(void **state) {
    (void)state;
    shf_writer_options options = options_of("lsh", NULL);
    struct shf_vector_sharder *sharder = must(&options, SHF_METRIC_L2);
    float planes[8 * DIMENSION], vector[DIMENSION] = {0};
    unsigned used[SHARDS] = {0};
    shf_draw_hyperplanes(11, 8, DIMENSION, planes);
    assert_string_equal(shf_vector_sharder_table_name(sharder), "hyperplanes.npy");
    assert_int_equal(sharder->table_size, shf_npy_size(8, DIMENSION));
    assert_int_equal(place_of(sharder, vector), 0);
    for (unsigned n = 1; n < 200; n++) {
        uint32_t code = 0;
        for (uint32_t k = 0; k < DIMENSION; k++) vector[k] = (float)((n * 7919 + k * 104729) % 2001) / 1000 - 1;
        for (uint32_t bit = 0; bit < 8; bit++) {
            double product = 0;
            for (uint32_t k = 0; k < DIMENSION; k++) product += (double)planes[bit * DIMENSION + k] * (double)vector[k];
            if (product > 0) code |= 1u << bit;
        }
        uint32_t shard = place_of(sharder, vector);
        assert_int_equal(shard, code % SHARDS);
        used[shard]++;
    }
    for (uint32_t i = 0; i < SHARDS; i++) assert_true(used[i] > 0);
    shf_vector_sharder_free(sharder);
}

static void test_found(void **state) {
    (void)state;
    shf_writer_options options = options_of("cluster", NULL);
    struct shf_vector_sharder *sharder = must(&options, SHF_METRIC_L2);
    assert_true(sharder->trains);
    assert_non_null(sharder->sample);
    assert_null(sharder->table);
    assert_int_equal(shf_vector_sharder_set_centroids(sharder, centroids, DIMENSION, NULL), SHF_OK);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(place_of(sharder, centroids + (size_t)i * DIMENSION), i);
    }
    char *table = shf_vector_sharder_take_table(sharder);
    assert_int_equal(((const uint8_t *)table)[0], 0x93);
    shf_free(table);
    assert_true(budget.used_bytes > 0);
    shf_vector_sharder_clear(sharder);
    assert_int_equal(budget.used_bytes, 0);
    shf_vector_sharder_free(sharder);
}

static void test_by_others(void **state) {
    (void)state;
    shf_writer_options options = options_of("explicit", NULL);
    struct shf_vector_sharder *sharder = must(&options, SHF_METRIC_L2);
    assert_false(shf_vector_sharder_decides(sharder));
    assert_null(shf_vector_sharder_table_name(sharder));
    assert_null(sharder->table);
    assert_int_equal(shf_vector_sharder_expect(sharder, 1000000000, NULL), SHF_OK);
    shf_vector_sharder_see(sharder, NULL, 0, NULL);
    shf_vector_sharder_free(sharder);
    shf_vector_sharder_free(NULL);
}

/* ---- memory ---- */

static shf_status once(const shf_writer_options *options) {
    struct shf_vector_sharder *sharder = NULL;
    struct shf_error *error = NULL;
    shf_status status = sharder_of(options, SHF_METRIC_COSINE, &sharder, &error);
    if (!status) status = shf_vector_sharder_expect(sharder, 10, &error);
    if (!status && sharder->trains) {
        status = shf_vector_sharder_set_centroids(sharder, centroids, DIMENSION, &error);
    }
    shf_error_free(error);
    shf_vector_sharder_free(sharder);
    assert_int_equal(budget.used_bytes, 0);
    return status;
}

static void test_allocations(void **state) {
    (void)state;
    const shf_writer_options all[] = {options_of("cluster", centroids), options_of("cluster", NULL),
                                      options_of("lsh", NULL)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned failed = 0;
        for (memory_failing = 1;; memory_failing++) {
            memory_calls = 0;
            shf_status status = once(&all[i]);
            if (memory_calls < memory_failing) {
                assert_int_equal(status, SHF_OK);
                break;
            }
            failed += status == SHF_E_NO_MEMORY;
            assert_true(status == SHF_E_NO_MEMORY);
        }
        memory_failing = 0;
        assert_true(failed >= 5);
        /* So with a budget that grows. */
        for (budget.limit_bytes = 0; once(&all[i]) == SHF_E_NO_MEMORY; budget.limit_bytes += 64) {
            assert_true(budget.limit_bytes < 1 << 20);
        }
        budget.limit_bytes = 1u << 30;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, memory_begin, memory_end)

int main(void) {
    shf_budget_init(&budget, 1u << 30);
    for (uint32_t i = 0; i < SHARDS * DIMENSION; i++) centroids[i] = (float)((i * 7919 + 5) % 97) - 48;
    const struct CMUnitTest tests[] = {TEST(test_drawn), TEST(test_centroids), TEST(test_as_readers), TEST(test_hashes),
                                       TEST(test_found), TEST(test_by_others), TEST(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
