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

/* Small whole numbers: sums are exact, and many rows are as far from one centroid as from another. */
static float *on_a_grid(size_t count, size_t dimension, uint32_t values) {
    float *rows = new_rows(count, dimension);
    for (size_t i = 0; i < count * dimension; i++) rows[i] = (float)(next_random() % values);
    return rows;
}

static void assert_as_naive(const struct shf_kmeans_options *options, double tolerance) {
    struct naive naive = naive_train(options);
    struct shf_kmeans *kmeans = trained(options, SHUFFLED);
    assert_close(shf_kmeans_inertia(kmeans), naive.inertia, 1e-6);
    for (size_t v = 0; v < (size_t)options->clusters * options->dimension; v++) {
        double value = (double)shf_kmeans_centroids(kmeans)[v];
        assert_true(fabs(value - naive.centroids[v]) <= tolerance * (1 + fabs(naive.centroids[v])));
    }
    free(naive.centroids);
    shf_kmeans_free(kmeans);
}

/* float32 can not tell what is nearest, and the first of equals is meant. */
static void test_ties(void **state) {
    (void)state;
    for (uint32_t dimension = 1; dimension < 9; dimension++) {
        float *rows = on_a_grid(2500, dimension, 3);
        for (uint32_t clusters = 1; clusters < 600; clusters = clusters * 5 + 1) {
            struct shf_kmeans_options options = options_of(rows, 2500, dimension, clusters);
            options.initial = rows; /* duplicates among them: some clusters stay empty */
            options.rounds = 1;
            assert_as_naive(&options, 0);
            options.rounds = 12;
            assert_as_naive(&options, 1e-6);
        }
        free(rows);
    }
}

/* Far from the origin, or of extreme size, float32 products say little or nothing. */
static void test_rows_that_float32_can_not_multiply(void **state) {
    (void)state;
    static const float offsets[] = {0, 300, 0, 0, 0}, scales[] = {1, 1, 1e25f, 3e38f, 1e-25f};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        float *rows = clustered(2000, 12, 15, 0.4f);
        for (size_t v = 0; v < (size_t)2000 * 12; v++) rows[v] = (rows[v] + offsets[i]) * scales[i];
        struct shf_kmeans_options options = options_of(rows, 2000, 12, 40);
        options.initial = rows + 12;
        options.rounds = scales[i] < 1 ? 1 : 8; /* smaller than the tolerance: one round is all they get */
        assert_as_naive(&options, 1e-6);
        options.initial = NULL;
        shf_kmeans_free(trained(&options, IN_ORDER));
        free(rows);
    }
}

/* One row far away makes rounding of its own distances large, but not of all others. */
static void test_an_outlier(void **state) {
    (void)state;
    float *rows = clustered(3000, 20, 40, 0.3f);
    for (size_t v = 0; v < 20; v++) rows[v] = v % 2 ? 1e12f : 3e37f;
    struct shf_kmeans_options options = options_of(rows, 3000, 20, 80);
    options.initial = rows;
    assert_as_naive(&options, 1e-6);
    free(rows);
}

/* Clusters and groups of every count, of few and many panels. */
static void test_counts_of_clusters(void **state) {
    (void)state;
    float *rows = clustered(1300, 7, 100, 0.5f);
    static const uint32_t counts[] = {1, 2, 31, 32, 33, 64, 65, 511, 512, 513, 544, 1023, 1100, 1299, 1300};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct shf_kmeans_options options = options_of(rows, 1300, 7, counts[i]);
        options.initial = rows;
        options.rounds = 6;
        assert_as_naive(&options, 1e-6);
        options.initial = NULL;
        struct shf_kmeans *kmeans = trained(&options, SHUFFLED);
        if (counts[i] == 1300) assert_true(shf_kmeans_inertia(kmeans) == 0);
        shf_kmeans_free(kmeans);
    }
    free(rows);
}

/* Every instruction set: the same centroids, to the bit. */
static void test_kernels_agree(void **state) {
    (void)state;
    static const char *const names[] = {"scalar", "avx2", "avx512"};
    for (uint32_t dimension = 1; dimension < 140; dimension = dimension * 3 + 2) {
        float *rows = clustered(2500, dimension, 30, 0.9f), *first = NULL;
        size_t bytes = (size_t)45 * dimension * sizeof *rows;
        for (size_t i = 0; i < 3; i++) {
            if (!shf_search_kernel_force(names[i])) continue;
            struct shf_kmeans_options options = options_of(rows, 2500, dimension, 45);
            struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
            if (!first) {
                first = malloc(bytes);
                memcpy(first, shf_kmeans_centroids(kmeans), bytes);
            }
            assert_memory_equal(first, shf_kmeans_centroids(kmeans), bytes);
            shf_kmeans_free(kmeans);
        }
        free(first);
        free(rows);
    }
    (void)shf_search_kernel_force(NULL);
}

/* ---- rows that are alike ---- */

static void test_all_rows_equal(void **state) {
    (void)state;
    for (int spherical = 0; spherical < 2; spherical++) {
        float *rows = new_rows(1000, 5);
        for (size_t i = 0; i < 5000; i++) rows[i] = (float)(i % 5) - 1.5f;
        struct shf_kmeans_options options = options_of(rows, 1000, 5, 10);
        options.spherical = spherical;
        struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
        assert_true(shf_kmeans_inertia(kmeans) < 1e-9);
        assert_memory_equal(shf_kmeans_centroids(kmeans), rows, 5 * sizeof *rows);
        shf_kmeans_free(kmeans);
        free(rows);
    }
}

/* As many different rows as clusters: seeding finds each of them. */
static void test_duplicates(void **state) {
    (void)state;
    float *rows = new_rows(3000, 3);
    for (size_t r = 0; r < 3000; r++) {
        for (size_t i = 0; i < 3; i++) rows[r * 3 + i] = (float)(r % 17) * (float)(i + 1);
    }
    struct shf_kmeans_options options = options_of(rows, 3000, 3, 17);
    struct shf_kmeans *kmeans = trained(&options, SHUFFLED);
    assert_true(shf_kmeans_inertia(kmeans) == 0);
    shf_kmeans_free(kmeans);
    options.clusters = 40; /* more than there are */
    kmeans = trained(&options, TWO_THREADS);
    assert_true(shf_kmeans_inertia(kmeans) == 0);
    shf_kmeans_free(kmeans);
    free(rows);
}

static void test_an_empty_cluster_keeps_its_centroid(void **state) {
    (void)state;
    float *rows = clustered(500, 4, 5, 0.1f), initial[12] = {0, 0, 0, 0, 50, 60, 70, 80, 0.1f, 0.1f, 0.1f, 0.1f};
    struct shf_kmeans_options options = options_of(rows, 500, 4, 3);
    options.initial = initial;
    struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
    assert_memory_equal(shf_kmeans_centroids(kmeans) + 4, initial + 4, 4 * sizeof(float));
    shf_kmeans_free(kmeans);
    free(rows);
}

/* ---- cosine ---- */

static double norm_of(const float *vector, size_t dimension) {
    double sum = 0;
    for (size_t i = 0; i < dimension; i++) sum += (double)vector[i] * (double)vector[i];
    return sqrt(sum);
}

static void test_spherical(void **state) {
    (void)state;
    float *rows = clustered(2000, 11, 12, 0.7f), *initial = new_rows(20, 11);
    for (size_t r = 0; r < 2000; r += 100) memset(rows + r * 11, 0, 11 * sizeof *rows);
    for (size_t i = 0; i < (size_t)3 * 11; i++) rows[11 + i] *= 1e30f; /* squares overflow float32 */
    for (size_t i = 0; i < (size_t)20 * 11; i++) initial[i] = rows[11 + i] * 7;
    struct shf_kmeans_options options = options_of(rows, 2000, 11, 20);
    options.spherical = true;
    options.initial = initial;
    struct shf_kmeans *kmeans = trained(&options, TWO_THREADS);
    for (size_t r = 0; r < 2000; r++) {
        assert_true(fabs(norm_of(rows + r * 11, 11) - (r % 100 ? 1 : 0)) < 1e-6);
    }
    for (size_t c = 0; c < 20; c++) assert_true(fabs(norm_of(shf_kmeans_centroids(kmeans) + c * 11, 11) - 1) < 1e-6);
    for (size_t c = 0; c < 20; c++) {
        double norm = norm_of(initial + c * 11, 11);
        for (size_t i = 0; i < 11; i++) initial[c * 11 + i] = (float)((double)initial[c * 11 + i] / norm);
    }
    struct naive naive = naive_train(&options); /* the rows are normalised by now */
    assert_close(shf_kmeans_inertia(kmeans), naive.inertia, 1e-6);
    free(naive.centroids);
    shf_kmeans_free(kmeans);
    options.initial = NULL;
    shf_kmeans_free(trained(&options, IN_ORDER));
    free(initial);
    free(rows);
}

/* Nothing but zero rows, and two rows that add up to none: no centroid becomes NaN (`trained` looks at them). */
static void test_spherical_without_a_direction(void **state) {
    (void)state;
    float *zeros = new_rows(300, 3), *opposite = new_rows(2, 2);
    memset(zeros, 0, (size_t)300 * 3 * sizeof *zeros);
    struct shf_kmeans_options options = options_of(zeros, 300, 3, 4);
    options.spherical = true;
    struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
    assert_true(shf_kmeans_inertia(kmeans) == 0);
    shf_kmeans_free(kmeans);
    opposite[0] = 1, opposite[1] = 0, opposite[2] = -1, opposite[3] = 0;
    options = options_of(opposite, 2, 2, 1);
    options.spherical = true;
    kmeans = trained(&options, IN_ORDER);
    assert_true(fabs(norm_of(shf_kmeans_centroids(kmeans), 2) - 1) < 1e-6);
    shf_kmeans_free(kmeans);
    free(zeros);
    free(opposite);
}

/* ---- seeding ---- */

static void test_seeding_finds_clusters(void **state) {
    (void)state;
    float *rows = clustered(4000, 10, 25, 0.02f);
    for (uint64_t s = 0; s < 20; s++) {
        struct shf_kmeans_options options = options_of(rows, 4000, 10, 25);
        options.seed = s;
        options.rounds = 1;
        struct shf_kmeans *kmeans = trained(&options, SHUFFLED);
        /* A row is sqrt(10 * 0.02^2 / 12) from its center, centers are 1.3 from each other. */
        assert_true(shf_kmeans_inertia(kmeans) < 4000 * 10 * 0.02 * 0.02 / 12 * 1.5);
        shf_kmeans_free(kmeans);
    }
    free(rows);
}

static void test_seeds_differ(void **state) {
    (void)state;
    float *rows = clustered(1000, 6, 40, 1);
    struct shf_kmeans_options options = options_of(rows, 1000, 6, 12);
    struct shf_kmeans *one = trained(&options, IN_ORDER);
    options.seed++;
    struct shf_kmeans *other = trained(&options, IN_ORDER);
    assert_true(memcmp(shf_kmeans_centroids(one), shf_kmeans_centroids(other), 12u * 6 * sizeof(float)) != 0);
    shf_kmeans_free(one);
    shf_kmeans_free(other);
    free(rows);
}

/* ---- refusals ---- */

static void assert_refused(const struct shf_kmeans_options *options, shf_status status, const char *says) {
    struct shf_kmeans *kmeans = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(shf_kmeans_new(options, &kmeans, &error), status);
    assert_null(kmeans);
    assert_non_null(strstr(shf_error_message(error), says));
    assert_int_equal(options->budget->used_bytes, 0);
    shf_error_free(error);
}

static void test_refused(void **state) {
    (void)state;
    float *rows = clustered(10, 4, 3, 1);
    struct shf_kmeans_options options = options_of(rows, 10, 4, 11);
    assert_refused(&options, SHF_E_INVALID, "10 vectors can not be trained into 11 clusters");
    options.clusters = 0;
    assert_refused(&options, SHF_E_INVALID, "0 clusters");
    options = options_of(rows, 10, 4, 2);
    options.rounds = 0;
    assert_refused(&options, SHF_E_INVALID, "0 rounds");
    options = options_of(rows, 10, 0, 2);
    assert_refused(&options, SHF_E_INVALID, "0 dimensions");
    options = options_of(rows, UINT64_MAX, 4, 2);
    assert_refused(&options, SHF_E_INVALID, "18446744073709551615 rows");
    options = options_of(rows, INT32_MAX, 8192, INT32_MAX); /* sizes that do not fit size_t, or the budget */
    assert_refused(&options, SHF_E_NO_MEMORY, "budget");
    struct shf_budget small = {1000, 0};
    options = options_of(rows, 10, 4, 2);
    options.budget = &small;
    assert_refused(&options, SHF_E_NO_MEMORY, "the memory budget has no room");
    free(rows);
    shf_kmeans_free(NULL);
}

static int allocations_left;
static void *failing_allocate(size_t size) { return allocations_left-- > 0 ? malloc(size) : NULL; }
static const struct shf_alloc_seam failing = {.allocate = failing_allocate};

static void test_failing_allocations(void **state) {
    (void)state;
    float *rows = clustered(100, 4, 3, 1);
    struct shf_kmeans_options options = options_of(rows, 100, 4, 5);
    for (int n = 0; n < 2; n++) {
        struct shf_kmeans *kmeans = NULL;
        shf_alloc_set_seam(&failing);
        allocations_left = n;
        assert_int_equal(shf_kmeans_new(&options, &kmeans, NULL), SHF_E_NO_MEMORY);
        shf_alloc_set_seam(NULL);
        assert_null(kmeans);
        assert_int_equal(budget.used_bytes, 0);
    }
    shf_alloc_set_seam(&failing);
    allocations_left = 2; /* all that it takes */
    struct shf_kmeans *kmeans = trained(&options, IN_ORDER);
    assert_in_range(budget.used_bytes, 1, 100000);
    shf_kmeans_free(kmeans);
    shf_alloc_set_seam(NULL);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_naive_one),
        cmocka_unit_test(test_order_of_pieces_changes_nothing),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_rows_that_float32_can_not_multiply),
        cmocka_unit_test(test_an_outlier),
        cmocka_unit_test(test_counts_of_clusters),
        cmocka_unit_test(test_kernels_agree),
        cmocka_unit_test(test_all_rows_equal),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_an_empty_cluster_keeps_its_centroid),
        cmocka_unit_test(test_spherical),
        cmocka_unit_test(test_spherical_without_a_direction),
        cmocka_unit_test(test_seeding_finds_clusters),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
