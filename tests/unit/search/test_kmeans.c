/* k-means against a naive one, in any order of pieces, and with rows that are hard. */
#include "base/alloc.h"
#include "search/kmeans.h"
#include "search/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 5;
static uint32_t next_random(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}
static float uniform(void) { return (float)next_random() / 4294967296.0f - 0.5f; }

static struct shf_budget budget = {1u << 30, 0};

/* ---- rows ---- */

static float *new_rows(size_t count, size_t dimension) {
    float *rows = aligned_alloc(64, (count * dimension * sizeof(float) + 63) / 64 * 64);
    assert_non_null(rows);
    return rows;
}

/* Rows around `centers` points, `spread` wide. */
static float *clustered(size_t count, size_t dimension, size_t centers, float spread) {
    float *rows = new_rows(count, dimension), *points = malloc(centers * dimension * sizeof *points);
    for (size_t i = 0; i < centers * dimension; i++) points[i] = uniform();
    for (size_t r = 0; r < count; r++) {
        size_t center = next_random() % centers;
        for (size_t i = 0; i < dimension; i++)
            rows[r * dimension + i] = points[center * dimension + i] + spread * uniform();
    }
    free(points);
    return rows;
}

/* ---- running ---- */

enum order { IN_ORDER, BACKWARDS, SHUFFLED, TWO_THREADS };

struct shared {
    struct shf_kmeans *kmeans;
    uint32_t pieces;
    atomic_uint next;
};

static void *work(void *context) {
    struct shared *shared = context;
    for (uint32_t piece; (piece = atomic_fetch_add(&shared->next, 1)) < shared->pieces;) {
        shf_kmeans_run(shared->kmeans, piece);
    }
    return NULL;
}

static void run_phase(struct shf_kmeans *kmeans, uint32_t pieces, enum order order) {
    if (order == TWO_THREADS) {
        struct shared shared = {kmeans, pieces, 0};
        pthread_t other;
        assert_int_equal(pthread_create(&other, NULL, work, &shared), 0);
        (void)work(&shared);
        (void)pthread_join(other, NULL);
        return;
    }
    uint32_t *numbers = malloc(pieces * sizeof *numbers);
    for (uint32_t p = 0; p < pieces; p++) numbers[p] = order == BACKWARDS ? pieces - 1 - p : p;
    for (uint32_t p = pieces; order == SHUFFLED && p > 1; p--) {
        uint32_t other = next_random() % p, number = numbers[p - 1];
        numbers[p - 1] = numbers[other];
        numbers[other] = number;
    }
    for (uint32_t p = 0; p < pieces; p++) shf_kmeans_run(kmeans, numbers[p]);
    free(numbers);
}

static struct shf_kmeans *trained(const struct shf_kmeans_options *options, enum order order) {
    struct shf_kmeans *kmeans = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(shf_kmeans_new(options, &kmeans, &error), SHF_OK);
    for (uint32_t pieces; (pieces = shf_kmeans_pieces(kmeans)) > 0;) {
        run_phase(kmeans, pieces, order);
        shf_kmeans_advance(kmeans);
    }
    for (size_t i = 0; i < (size_t)options->clusters * options->dimension; i++) {
        assert_true(isfinite(shf_kmeans_centroids(kmeans)[i]));
    }
    assert_true(isfinite(shf_kmeans_inertia(kmeans)) && shf_kmeans_inertia(kmeans) >= 0);
    assert_in_range(shf_kmeans_rounds(kmeans), 1, options->rounds);
    return kmeans;
}

static struct shf_kmeans_options options_of(float *rows, uint64_t count, uint32_t dimension, uint32_t clusters) {
    return (struct shf_kmeans_options){.rows = rows,
                                       .count = count,
                                       .dimension = dimension,
                                       .clusters = clusters,
                                       .rounds = 20,
                                       .seed = 42,
                                       .budget = &budget};
}

/* ---- the naive one ---- */

struct naive {
    double *centroids, inertia;
};

static double naive_nearest(const struct shf_kmeans_options *options, const double *centroids, size_t row, size_t *label) {
    double least = INFINITY;
    *label = 0;
    for (size_t c = 0; c < options->clusters; c++) {
        double sum = 0;
        for (size_t i = 0; i < options->dimension; i++) {
            double t = (double)options->rows[row * options->dimension + i] - centroids[c * options->dimension + i];
            sum += t * t;
        }
        if (sum < least) {
            least = sum;
            *label = c;
        }
    }
    return least;
}

static bool naive_round(const struct shf_kmeans_options *options, double *centroids, double *sums, size_t *sizes) {
    size_t dimension = options->dimension;
    bool is_moved = false;
    memset(sums, 0, options->clusters * dimension * sizeof *sums);
    memset(sizes, 0, options->clusters * sizeof *sizes);
    for (size_t r = 0; r < options->count; r++) {
        size_t label;
        (void)naive_nearest(options, centroids, r, &label);
        sizes[label]++;
        for (size_t i = 0; i < dimension; i++) sums[label * dimension + i] += (double)options->rows[r * dimension + i];
    }
    for (size_t c = 0; c < options->clusters; c++) {
        double norm = 0;
        for (size_t i = 0; i < dimension; i++) norm += sums[c * dimension + i] * sums[c * dimension + i];
        double divisor = options->spherical ? sqrt(norm) : (double)sizes[c];
        if (sizes[c] == 0 || divisor == 0) continue;
        for (size_t i = 0; i < dimension; i++) {
            double now = (double)(float)(sums[c * dimension + i] / divisor);
            is_moved = is_moved || fabs(now - centroids[c * dimension + i]) > 1e-6 + 1e-5 * fabs(now);
            centroids[c * dimension + i] = now;
        }
    }
    return is_moved;
}

/* From initial centroids. Rows must be normalised already. */
static struct naive naive_train(const struct shf_kmeans_options *options) {
    size_t values = (size_t)options->clusters * options->dimension;
    struct naive naive = {malloc(values * sizeof(double)), 0};
    double *sums = malloc(values * sizeof *sums);
    size_t *sizes = malloc(options->clusters * sizeof *sizes), label;
    for (size_t i = 0; i < values; i++) naive.centroids[i] = (double)options->initial[i];
    for (uint32_t i = 0; i < options->rounds && naive_round(options, naive.centroids, sums, sizes); i++) continue;
    for (size_t r = 0; r < options->count; r++) naive.inertia += naive_nearest(options, naive.centroids, r, &label);
    free(sums);
    free(sizes);
    return naive;
}

static void assert_close(double a, double b, double relative) {
    if (fabs(a - b) <= relative * fabs(b)) return;
    print_message("%.17g, not %.17g\n", a, b);
    fail();
}

static void test_as_the_naive_one(void **state) {
    (void)state;
    static const struct {
        uint32_t count, dimension, clusters;
        float spread;
    } cases[] = {{3000, 16, 20, 0.2f}, {2000, 384, 33, 0.5f}, {1500, 1, 7, 0.01f}, {1111, 37, 64, 1}, {700, 3, 70, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float *rows = clustered(cases[i].count, cases[i].dimension, 20, cases[i].spread);
        struct shf_kmeans_options options = options_of(rows, cases[i].count, cases[i].dimension, cases[i].clusters);
        options.initial = rows;
        struct naive naive = naive_train(&options);
        struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
        assert_close(shf_kmeans_inertia(kmeans), naive.inertia, 1e-6);
        for (size_t v = 0; v < (size_t)options.clusters * options.dimension; v++) {
            assert_true(fabs((double)shf_kmeans_centroids(kmeans)[v] - naive.centroids[v]) < 1e-5);
        }
        free(naive.centroids);
        shf_kmeans_free(kmeans);
        free(rows);
    }
    assert_int_equal(budget.used_bytes, 0);
}

static void test_order_of_pieces_changes_nothing(void **state) {
    (void)state;
    float *rows = clustered(5000, 24, 30, 0.3f);
    struct shf_kmeans_options options = options_of(rows, 5000, 24, 40);
    struct shf_kmeans *first = trained(&options, IN_ORDER);
    for (enum order order = BACKWARDS; order <= TWO_THREADS; order++) {
        struct shf_kmeans *kmeans = trained(&options, order);
        assert_memory_equal(shf_kmeans_centroids(kmeans), shf_kmeans_centroids(first), 40u * 24 * sizeof(float));
        assert_true(shf_kmeans_inertia(kmeans) == shf_kmeans_inertia(first));
        assert_int_equal(shf_kmeans_rounds(kmeans), shf_kmeans_rounds(first));
        shf_kmeans_free(kmeans);
    }
    shf_kmeans_free(first);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_naive_one),
        cmocka_unit_test(test_order_of_pieces_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
