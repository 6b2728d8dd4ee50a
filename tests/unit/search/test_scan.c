/* Queries, the order of candidates, the heap, and the scan against a sort of everything. */
#include "base/cancel.h"
#include "search/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 11;
static uint32_t next_random(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

static const enum shf_search_metric every_metric[] = {SHF_SEARCH_COSINE, SHF_SEARCH_L2, SHF_SEARCH_DOT,
                                                      SHF_SEARCH_L2_SQUARED};
enum { METRICS = sizeof every_metric / sizeof every_metric[0] };
static const char *const every_kernel[] = {"scalar", "avx2", "avx512"};

/* ---- queries ---- */

static void assert_refused(enum shf_search_metric metric, const float *vector, uint32_t dimension, const char *says) {
    struct shf_search_query query;
    struct shf_error *error = NULL;
    double values[8];
    assert_int_equal(shf_search_query_init(&query, metric, vector, dimension, values, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), says));
    shf_error_free(error);
}

static void test_queries_that_have_no_answer(void **state) {
    (void)state;
    const float undefined[3] = {1, NAN, 1}, infinite[3] = {1, 1, -INFINITY}, zero[3] = {0, -0.0f, 0};
    struct shf_search_query query;
    double values[3];
    for (size_t i = 0; i < METRICS; i++) {
        assert_refused(every_metric[i], undefined, 3, "value 1 of the query vector is NaN");
        assert_refused(every_metric[i], infinite, 3, "value 2 of the query vector is infinite");
        assert_refused(every_metric[i], zero, 0, "0 dimensions");
        assert_refused(every_metric[i], zero, 8193, "8193 dimensions");
        if (every_metric[i] == SHF_SEARCH_COSINE) continue;
        assert_int_equal(shf_search_query_init(&query, every_metric[i], zero, 3, values, NULL), SHF_OK);
        assert_true(query.metric == every_metric[i] && query.norm == 0);
    }
    assert_refused(SHF_SEARCH_COSINE, zero, 3, "zero");
    const float right[3] = {2, -3, 6};
    assert_int_equal(shf_search_query_init(&query, SHF_SEARCH_COSINE, right, 3, values, NULL), SHF_OK);
    assert_true(query.norm == 7 && query.values[1] == -3);
}

/* ---- distances in the units of the contract ---- */

static void test_distances(void **state) {
    (void)state;
    const float rows[5][2] = {{3, 4}, {0, 0}, {NAN, 1}, {INFINITY, 0}, {-3, -4}}, vector[2] = {3, 4};
    const struct {
        enum shf_search_metric metric;
        double wanted[5]; /* by position; NaN = undefined */
    } cases[] = {{SHF_SEARCH_COSINE, {0, NAN, NAN, NAN, 2}},
                 {SHF_SEARCH_L2, {0, 5, NAN, INFINITY, 10}},
                 {SHF_SEARCH_DOT, {-24, 1, NAN, -INFINITY, 26}},
                 {SHF_SEARCH_L2_SQUARED, {0, 25, NAN, INFINITY, 100}}};
    double norms[5], values[2];
    shf_search_norms(&rows[0][0], 5, 2, norms);
    assert_true(norms[0] == 5 && norms[1] == 0 && isnan(norms[2]) && isinf(norms[3]));
    for (size_t i = 0; i < METRICS; i++) {
        const struct shf_vector_rows set = {&rows[0][0], norms, 5, 2};
        struct shf_search_query query;
        struct shf_candidate storage[5];
        struct shf_topk topk;
        shf_topk_init(&topk, storage, 5);
        assert_int_equal(shf_search_query_init(&query, cases[i].metric, vector, 2, values, NULL), SHF_OK);
        assert_true(shf_search_scan(&set, 9, 0, 5, &query, NULL, 1, &topk, NULL));
        assert_int_equal(topk.count, 5);
        for (size_t j = 0; j < 5; j++) {
            double wanted = cases[i].wanted[storage[j].position];
            assert_int_equal(storage[j].shard, 9);
            assert_true(isnan(wanted) ? isnan(storage[j].score) : storage[j].score == wanted);
        }
    }
}

/* Only cosine has no answer for a zero row or a zero query; for the others zero is a point like another. */
static void test_zero_is_ordinary(void **state) {
    (void)state;
    const float rows[3][2] = {{0, 0}, {3, 4}, {-0.0f, 0}}, zero[2] = {0, 0}, vector[2] = {-3, -4};
    const struct shf_vector_rows set = {&rows[0][0], NULL, 3, 2}; /* no norms: they are for cosine */
    const struct {
        enum shf_search_metric metric;
        double of_zero[3], of_vector[3];
    } cases[] = {{SHF_SEARCH_L2, {0, 5, 0}, {5, 10, 5}},
                 {SHF_SEARCH_DOT, {1, 1, 1}, {1, 26, 1}},
                 {SHF_SEARCH_L2_SQUARED, {0, 25, 0}, {25, 100, 25}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shf_search_query queries[2];
        struct shf_candidate storage[2][3];
        struct shf_topk topks[2];
        double values[2][2];
        shf_topk_init(&topks[0], storage[0], 3);
        shf_topk_init(&topks[1], storage[1], 3);
        assert_int_equal(shf_search_query_init(&queries[0], cases[i].metric, zero, 2, values[0], NULL), SHF_OK);
        assert_int_equal(shf_search_query_init(&queries[1], cases[i].metric, vector, 2, values[1], NULL), SHF_OK);
        assert_true(shf_search_scan(&set, 0, 0, 3, queries, NULL, 2, topks, NULL));
        for (size_t j = 0; j < 3; j++) {
            assert_true(storage[0][j].score == cases[i].of_zero[storage[0][j].position]);
            assert_true(storage[1][j].score == cases[i].of_vector[storage[1][j].position]);
        }
    }
}

/* Differences whose squares have two sums but one root: a tie under l2, which the position decides. */
static void test_l2_squared_tells_more_apart_than_l2(void **state) {
    (void)state;
    const float rows[2][2] = {{1, 0x1p-26f}, {1, 0}}, zero[2] = {0, 0}; /* 1 + 2^-52, and 1 */
    const struct shf_vector_rows set = {&rows[0][0], NULL, 2, 2};
    struct shf_search_query query;
    struct shf_candidate storage[2];
    struct shf_topk topk;
    double values[2];
    for (size_t i = 0; i < 2; i++) {
        enum shf_search_metric metric = i ? SHF_SEARCH_L2_SQUARED : SHF_SEARCH_L2;
        shf_topk_init(&topk, storage, 2);
        assert_int_equal(shf_search_query_init(&query, metric, zero, 2, values, NULL), SHF_OK);
        assert_true(shf_search_scan(&set, 0, 0, 2, &query, NULL, 1, &topk, NULL));
        shf_topk_sort(&topk);
        assert_int_equal(storage[0].position, i);
        assert_true(storage[0].score == 1 && storage[1].score == (i ? 1 + 0x1p-52 : 1));
    }
}

/* |x|*|q| rounds below <x, q> for these: without the clamp the distance were -2.2e-16. */
static void test_cosine_is_never_negative(void **state) {
    (void)state;
    size_t clamped = 0;
    for (int round = 0; round < 2000; round++) {
        float row[3], vector[3];
        double norm, values[3], dot = 0;
        for (size_t i = 0; i < 3; i++) {
            vector[i] = (float)(next_random() % 1000 + 1) / 7;
            row[i] = vector[i] * 2;
        }
        shf_search_norms(row, 1, 3, &norm);
        const struct shf_vector_rows set = {row, &norm, 1, 3};
        struct shf_search_query query;
        struct shf_candidate storage[1];
        struct shf_topk topk;
        shf_topk_init(&topk, storage, 1);
        assert_int_equal(shf_search_query_init(&query, SHF_SEARCH_COSINE, vector, 3, values, NULL), SHF_OK);
        assert_true(shf_search_scan(&set, 0, 0, 1, &query, NULL, 1, &topk, NULL));
        for (size_t i = 0; i < 3; i++) dot += (double)row[i] * (double)vector[i];
        clamped += 1 - dot / (norm * query.norm) < 0;
        assert_true(storage[0].score >= 0 && storage[0].score < 1e-15 && !signbit(storage[0].score));
    }
    assert_true(clamped > 0);
}

/* float64 holds what float32 would lose or overflow. */
static void test_huge_and_tiny_values(void **state) {
    (void)state;
    const float rows[3][2] = {{3e38f, 0}, {0, 1e-45f}, {-3e38f, 3e38f}}, vector[2] = {3e38f, 0};
    double norms[3], values[2];
    shf_search_norms(&rows[0][0], 3, 2, norms);
    const struct shf_vector_rows set = {&rows[0][0], norms, 3, 2};
    struct shf_search_query query;
    struct shf_candidate storage[3];
    struct shf_topk topk;
    const double huge = (double)3e38f;
    const struct {
        enum shf_search_metric metric;
        double wanted[3];
    } cases[] = {{SHF_SEARCH_COSINE, {0, 1, 1 + 1 / sqrt(2)}},
                 {SHF_SEARCH_L2, {0, huge, huge * sqrt(5)}},
                 {SHF_SEARCH_DOT, {1 - huge * huge, 1, 1 + huge * huge}},
                 {SHF_SEARCH_L2_SQUARED, {0, huge * huge, 5 * huge * huge}}};
    for (size_t i = 0; i < METRICS; i++) {
        shf_topk_init(&topk, storage, 3);
        assert_int_equal(shf_search_query_init(&query, cases[i].metric, vector, 2, values, NULL), SHF_OK);
        assert_true(shf_search_scan(&set, 0, 0, 3, &query, NULL, 1, &topk, NULL));
        shf_topk_sort(&topk);
        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(storage[j].position, j);
            assert_true(fabs(storage[j].score - cases[i].wanted[j]) <= 1e-15 * fabs(cases[i].wanted[j]));
        }
    }
}

/* A worst one that is infinite or undefined gives way to every finite one, -infinity too. */
static void test_finite_rows_displace_the_others(void **state) {
    (void)state;
    const float rows[5][1] = {{NAN}, {-INFINITY}, {INFINITY}, {7}, {NAN}}, vector[1] = {1};
    const struct shf_vector_rows set = {&rows[0][0], NULL, 5, 1};
    double values[1];
    struct shf_search_query query;
    struct shf_candidate storage[2];
    struct shf_topk topk;
    assert_int_equal(shf_search_query_init(&query, SHF_SEARCH_DOT, vector, 1, values, NULL), SHF_OK);
    shf_topk_init(&topk, storage, 1);
    assert_true(shf_search_scan(&set, 0, 2, 3, &query, NULL, 1, &topk, NULL)); /* -infinity is there first */
    assert_true(storage[0].position == 3 && storage[0].score == -6);
    shf_topk_init(&topk, storage, 2);
    assert_true(shf_search_scan(&set, 0, 0, 5, &query, NULL, 1, &topk, NULL));
    shf_topk_sort(&topk);
    assert_true(storage[0].position == 3 && storage[1].position == 2 && storage[1].score == -INFINITY);
}

/* Under every metric: what is finite first, what is undefined last; heaps of every size agree about it. */
static void test_infinite_and_undefined_scores_come_last(void **state) {
    (void)state;
    const float rows[6][1] = {{NAN}, {INFINITY}, {7}, {-INFINITY}, {-2}, {0}}, vector[1] = {1};
    const uint64_t wanted[METRICS][6] = {{2, 4, 0, 1, 3, 5},  /* cosine: a zero row is undefined, an infinite one too */
                                         {5, 4, 2, 1, 3, 0},  /* l2 */
                                         {2, 5, 4, 1, 3, 0},  /* dot_product: -infinity before infinity */
                                         {5, 4, 2, 1, 3, 0}}; /* l2 squared */
    double norms[6], values[1];
    shf_search_norms(&rows[0][0], 6, 1, norms);
    const struct shf_vector_rows set = {&rows[0][0], norms, 6, 1};
    for (size_t i = 0; i < METRICS; i++) {
        for (uint32_t keep = 1; keep <= 6; keep++) {
            struct shf_search_query query;
            struct shf_candidate storage[6];
            struct shf_topk topk;
            assert_int_equal(shf_search_query_init(&query, every_metric[i], vector, 1, values, NULL), SHF_OK);
            shf_topk_init(&topk, storage, keep);
            for (uint64_t r = 0; r < 6; r++) {
                assert_true(shf_search_scan(&set, 0, r, 1, &query, NULL, 1, &topk, NULL)); /* the heap is full early */
            }
            shf_topk_sort(&topk);
            assert_int_equal(topk.count, keep);
            for (uint32_t k = 0; k < keep; k++) assert_int_equal(storage[k].position, wanted[i][k]);
        }
    }
}

/* ---- order ---- */

static int compare(const void *a, const void *b) { return shf_candidate_compare(a, b); }

static struct shf_candidate random_candidate(void) {
    static const double scores[] = {0, 0.5, 0.5, 1, 2, 1e300, INFINITY, -INFINITY, NAN, -NAN, -1};
    return (struct shf_candidate){scores[next_random() % 11], next_random() % 3, 0, next_random() % 50};
}

static void test_the_order_is_total(void **state) {
    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct shf_candidate a = random_candidate(), b = random_candidate(), c = random_candidate();
        int ab = shf_candidate_compare(&a, &b), ba = shf_candidate_compare(&b, &a);
        assert_true((ab < 0 && ba > 0) || (ab > 0 && ba < 0) || (ab == 0 && ba == 0));
        if (ab <= 0 && shf_candidate_compare(&b, &c) <= 0) assert_true(shf_candidate_compare(&a, &c) <= 0);
    }
    const struct shf_candidate ranks[] = {{1, 5, 0, 5},         {1, 5, 0, 6},        {1, 6, 0, 0},   {2, 0, 0, 0},
                                          {-INFINITY, 0, 0, 0}, {INFINITY, 0, 0, 0}, {NAN, 0, 0, 0}, {-NAN, 0, 0, 1}};
    for (size_t i = 1; i < sizeof ranks / sizeof ranks[0]; i++)
        assert_true(shf_candidate_compare(&ranks[i - 1], &ranks[i]) < 0);
}

static void test_the_heap_keeps_what_a_sort_keeps(void **state) {
    (void)state;
    enum { MANY = 500 };
    struct shf_candidate all[MANY], storage[MANY];
    for (int round = 0; round < 300; round++) {
        uint32_t count = next_random() % MANY + 1, capacity = next_random() % (count + 1);
        struct shf_topk topk;
        shf_topk_init(&topk, storage, capacity);
        for (uint32_t i = 0; i < count; i++) {
            all[i] = random_candidate();
            shf_topk_push(&topk, &all[i]);
        }
        qsort(all, count, sizeof all[0], compare);
        shf_topk_sort(&topk);
        assert_int_equal(topk.count, capacity);
        for (uint32_t i = 0; i < capacity; i++) assert_int_equal(shf_candidate_compare(&all[i], &storage[i]), 0);
    }
}

/* ---- the scan ---- */

enum { DIMENSION = 24, ROWS = 3000, QUERIES = 7, KEEP = 40 };

struct data {
    float vectors[ROWS * DIMENSION];
    double norms[ROWS];
    struct shf_vector_rows rows;
    float query_vectors[QUERIES][DIMENSION];
    double values[QUERIES][DIMENSION];
    struct shf_search_query queries[QUERIES];
};

/* Coarse values, so that there are many ties; zero rows too. */
static struct data *make_data(enum shf_search_metric metric) {
    struct data *data = malloc(sizeof *data);
    for (size_t i = 0; i < ROWS * DIMENSION; i++) data->vectors[i] = (float)(next_random() % 3) - 1;
    memset(data->vectors + 100 * DIMENSION, 0, 3 * DIMENSION * sizeof(float));
    shf_search_norms(data->vectors, ROWS, DIMENSION, data->norms);
    data->rows = (struct shf_vector_rows){data->vectors, data->norms, ROWS, DIMENSION};
    for (size_t q = 0; q < QUERIES; q++) {
        for (size_t i = 0; i < DIMENSION; i++) data->query_vectors[q][i] = (float)(next_random() % 5) - 1.5f;
        assert_int_equal(
            shf_search_query_init(&data->queries[q], metric, data->query_vectors[q], DIMENSION, data->values[q], NULL),
            SHF_OK);
    }
    return data;
}

static void check_scan(enum shf_search_metric metric) {
    struct data *data = make_data(metric);
    struct shf_candidate together[QUERIES][KEEP], pieces[QUERIES][KEEP], all[ROWS];
    struct shf_topk topks[QUERIES], parts[QUERIES], whole;
    for (size_t q = 0; q < QUERIES; q++) {
        shf_topk_init(&topks[q], together[q], KEEP);
        shf_topk_init(&parts[q], pieces[q], KEEP);
    }
    assert_true(shf_search_scan(&data->rows, 4, 0, ROWS, data->queries, NULL, QUERIES, topks, NULL));
    for (uint64_t end = ROWS, step = 1; end > 0; step = step * 3 % 257 + 1) { /* backwards: later pieces win ties */
        uint64_t count = end < step ? end : step;
        end -= count;
        assert_true(shf_search_scan(&data->rows, 4, end, count, data->queries, NULL, QUERIES, parts, NULL));
    }
    for (size_t q = 0; q < QUERIES; q++) {
        shf_topk_init(&whole, all, ROWS);
        assert_true(shf_search_scan(&data->rows, 4, 0, ROWS, &data->queries[q], NULL, 1, &whole, NULL));
        shf_topk_sort(&whole);
        shf_topk_sort(&topks[q]);
        shf_topk_sort(&parts[q]);
        assert_int_equal(whole.count, ROWS);
        for (size_t i = 0; i < KEEP; i++) {
            assert_int_equal(shf_candidate_compare(&all[i], &together[q][i]), 0);
            assert_int_equal(shf_candidate_compare(&all[i], &pieces[q][i]), 0);
            if (i) assert_true(shf_candidate_compare(&all[i - 1], &all[i]) < 0);
        }
        /* The best one, computed plainly. */
        double best = INFINITY;
        for (size_t r = 0; r < ROWS; r++) {
            double dot = 0, squared = 0, norm = 0;
            for (size_t i = 0; i < DIMENSION; i++) {
                double x = (double)data->vectors[r * DIMENSION + i], y = (double)data->query_vectors[q][i];
                dot += x * y, squared += (x - y) * (x - y), norm += x * x;
            }
            double score = metric == SHF_SEARCH_L2           ? sqrt(squared)
                           : metric == SHF_SEARCH_L2_SQUARED ? squared
                           : metric == SHF_SEARCH_DOT        ? 1 - dot
                                                             : 1 - dot / (sqrt(norm) * data->queries[q].norm);
            if (score < best) best = score;
        }
        assert_true(fabs(all[0].score - best) < 1e-12);
    }
    free(data);
}

static void test_scan_cosine(void **state) { (void)state, check_scan(SHF_SEARCH_COSINE); }
static void test_scan_l2(void **state) { (void)state, check_scan(SHF_SEARCH_L2); }
static void test_scan_dot(void **state) { (void)state, check_scan(SHF_SEARCH_DOT); }
static void test_scan_l2_squared(void **state) { (void)state, check_scan(SHF_SEARCH_L2_SQUARED); }

/* The defined order of additions, in its plainest form. */
static double lanes_sum(const float *row, const float *vector, uint32_t dimension, bool squared) {
    double lanes[32] = {0};
    for (uint32_t i = 0; i < dimension; i++) {
        volatile double difference = (double)row[i] - (double)vector[i]; /* volatile: nothing is fused */
        volatile double term = squared ? difference * difference : (double)row[i] * (double)vector[i];
        lanes[i % 32] += term;
    }
    for (uint32_t width = 16; width > 0; width /= 2) {
        for (uint32_t j = 0; j < width; j++) lanes[j] = lanes[j] + lanes[j + width];
    }
    return lanes[0];
}

static double score_of(enum shf_search_metric metric, const float *row, const float *vector, uint32_t dimension) {
    static const float zero[100];
    if (metric == SHF_SEARCH_L2) return sqrt(lanes_sum(row, vector, dimension, true));
    if (metric == SHF_SEARCH_L2_SQUARED) return lanes_sum(row, vector, dimension, true);
    if (metric == SHF_SEARCH_DOT) return 1 - lanes_sum(row, vector, dimension, false);
    double row_norm = sqrt(lanes_sum(row, zero, dimension, true)), norm = sqrt(lanes_sum(vector, zero, dimension, true));
    double score = 1 - lanes_sum(row, vector, dimension, false) / (row_norm * norm);
    return score < 0 ? 0 : score;
}

/* Every bit of a reported distance, under every metric, with every kernel, for one query and for several. */
static void test_scores_have_the_bits_of_the_defined_order(void **state) {
    (void)state;
    enum { WIDEST = 100, FEW = 9, MANY = 6 };
    static const uint32_t dimensions[] = {1, 7, 31, 32, 33, 64, WIDEST};
    float vectors[FEW * WIDEST], wanted[MANY * WIDEST];
    double norms[FEW], values[MANY][WIDEST];
    for (size_t i = 0; i < FEW * WIDEST; i++)
        vectors[i] = ldexpf((float)next_random() - 2e9f, (int)(next_random() % 9));
    for (size_t i = 0; i < MANY * WIDEST; i++)
        wanted[i] = ldexpf((float)next_random() - 2e9f, (int)(next_random() % 9));
    for (size_t n = 0; n < METRICS * 3 * sizeof dimensions / sizeof dimensions[0]; n++) {
        enum shf_search_metric metric = every_metric[n % METRICS];
        uint32_t dimension = dimensions[n / METRICS / 3];
        if (!shf_search_kernel_force(every_kernel[n / METRICS % 3])) continue;
        shf_search_norms(vectors, FEW, dimension, norms);
        const struct shf_vector_rows set = {vectors, norms, FEW, dimension};
        for (size_t together = 1; together <= MANY; together++) {
            struct shf_search_query queries[MANY];
            struct shf_candidate storage[MANY][FEW];
            struct shf_topk topks[MANY];
            for (size_t q = 0; q < together; q++) {
                const float *vector = wanted + q * dimension;
                shf_topk_init(&topks[q], storage[q], FEW);
                assert_int_equal(shf_search_query_init(&queries[q], metric, vector, dimension, values[q], NULL), SHF_OK);
            }
            assert_true(shf_search_scan(&set, 0, 0, FEW, queries, NULL, together, topks, NULL));
            for (size_t k = 0; k < together * FEW; k++) {
                const struct shf_candidate *found = &storage[k / FEW][k % FEW];
                const float *row = vectors + found->position * dimension;
                double score = score_of(metric, row, wanted + k / FEW * dimension, dimension);
                assert_memory_equal(&found->score, &score, sizeof score);
            }
        }
    }
    (void)shf_search_kernel_force(NULL);
}

/* What shards give by themselves, pushed into one heap, is what a sort of all their rows gives. */
static void test_merge_across_shards(void **state) {
    (void)state;
    enum { SHARDS = 5 };
    struct data *data = make_data(SHF_SEARCH_COSINE);
    static struct shf_candidate all[SHARDS * ROWS], one[ROWS];
    struct shf_candidate best[KEEP], storage[KEEP];
    struct shf_topk merged, part, whole;
    size_t count = 0;
    shf_topk_init(&merged, best, KEEP);
    for (uint32_t shard = SHARDS; shard-- > 0;) { /* the same rows in each, so that every distance is a tie */
        shf_topk_init(&part, storage, KEEP);
        assert_true(shf_search_scan(&data->rows, shard, 0, ROWS, data->queries, NULL, 1, &part, NULL));
        for (uint32_t i = 0; i < part.count; i++) shf_topk_push(&merged, &part.entries[i]);
        shf_topk_init(&whole, one, ROWS);
        assert_true(shf_search_scan(&data->rows, shard, 0, ROWS, data->queries, NULL, 1, &whole, NULL));
        memcpy(all + count, one, sizeof one);
        count += ROWS;
    }
    qsort(all, count, sizeof all[0], compare);
    shf_topk_sort(&merged);
    assert_int_equal(merged.count, KEEP);
    for (size_t i = 0; i < KEEP; i++) {
        assert_int_equal(all[i].shard, best[i].shard);
        assert_int_equal(all[i].position, best[i].position);
        assert_true(all[i].score == best[i].score);
    }
    assert_true(best[0].score == best[1].score && best[0].shard == 0 && best[1].shard != best[0].shard);
    free(data);
}

static void check_kernels_and_batches(enum shf_search_metric metric) {
    struct data *data = make_data(metric);
    struct shf_candidate first[QUERIES][KEEP], again[QUERIES][KEEP];
    struct shf_topk topks[QUERIES];
    assert_true(shf_search_kernel_force("scalar"));
    for (size_t q = 0; q < QUERIES; q++) {
        shf_topk_init(&topks[q], first[q], KEEP);
        assert_true(shf_search_scan(&data->rows, 1, 0, ROWS, &data->queries[q], NULL, 1, &topks[q], NULL));
        shf_topk_sort(&topks[q]);
    }
    for (size_t k = 0; k < 3; k++) {
        if (!shf_search_kernel_force(every_kernel[k])) continue;
        for (size_t together = 1; together <= QUERIES; together++) {
            for (size_t q = 0; q < together; q++) shf_topk_init(&topks[q], again[q], KEEP);
            assert_true(shf_search_scan(&data->rows, 1, 0, ROWS, data->queries, NULL, together, topks, NULL));
            for (size_t q = 0; q < together; q++) {
                shf_topk_sort(&topks[q]);
                assert_memory_equal(again[q], first[q], sizeof first[q]);
            }
        }
    }
    (void)shf_search_kernel_force(NULL);
    free(data);
}

/* All kernels, and every number of queries at once, give the same bits. */
static void test_kernels_and_batches_agree(void **state) {
    (void)state;
    for (size_t i = 0; i < METRICS; i++) check_kernels_and_batches(every_metric[i]);
}

/* Rows of 8,192 dimensions make the smallest blocks. */
static void test_wide_rows(void **state) {
    (void)state;
    enum { WIDE = 8192, MANY = 21 };
    float *vectors = calloc(MANY * WIDE, sizeof *vectors);
    double *values = malloc(WIDE * sizeof *values);
    assert_true(vectors && values);
    for (size_t r = 0; r < MANY; r++) vectors[r * WIDE + WIDE - 1] = (float)((r * 8) % MANY);
    const struct shf_vector_rows set = {vectors, NULL, MANY, WIDE};
    struct shf_search_query query;
    struct shf_candidate storage[MANY];
    struct shf_topk topk;
    shf_topk_init(&topk, storage, MANY);
    assert_int_equal(shf_search_query_init(&query, SHF_SEARCH_L2, vectors, WIDE, values, NULL), SHF_OK);
    assert_true(shf_search_scan(&set, 0, 0, MANY, &query, NULL, 1, &topk, NULL));
    shf_topk_sort(&topk);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(storage[i].score == (double)i);
        assert_int_equal(storage[i].position * 8 % MANY, i);
    }
    free(vectors);
    free(values);
}

static void test_nothing_to_scan_and_nothing_to_keep(void **state) {
    (void)state;
    struct data *data = make_data(SHF_SEARCH_DOT);
    struct shf_candidate storage[1];
    struct shf_topk topk;
    shf_topk_init(&topk, storage, 1);
    assert_true(shf_search_scan(&data->rows, 0, ROWS, 0, data->queries, NULL, 1, &topk, NULL));
    assert_int_equal(topk.count, 0);
    shf_topk_init(&topk, NULL, 0);
    assert_true(shf_search_scan(&data->rows, 0, 0, ROWS, data->queries, NULL, 1, &topk, NULL));
    shf_topk_sort(&topk);
    assert_int_equal(topk.count, 0);
    free(data);
}

static void test_cancelled_scans_stop(void **state) {
    (void)state;
    struct data *data = make_data(SHF_SEARCH_L2);
    struct shf_candidate storage[1];
    struct shf_topk topk;
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    shf_topk_init(&topk, storage, 1);
    assert_true(shf_search_scan(&data->rows, 0, 0, ROWS, data->queries, NULL, 1, &topk, &cancel));
    shf_cancel_request(&cancel);
    assert_false(shf_search_scan(&data->rows, 0, 0, ROWS, data->queries, NULL, 1, &topk, &cancel));
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries_that_have_no_answer),
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_zero_is_ordinary),
        cmocka_unit_test(test_l2_squared_tells_more_apart_than_l2),
        cmocka_unit_test(test_cosine_is_never_negative),
        cmocka_unit_test(test_huge_and_tiny_values),
        cmocka_unit_test(test_finite_rows_displace_the_others),
        cmocka_unit_test(test_infinite_and_undefined_scores_come_last),
        cmocka_unit_test(test_the_order_is_total),
        cmocka_unit_test(test_the_heap_keeps_what_a_sort_keeps),
        cmocka_unit_test(test_scan_cosine),
        cmocka_unit_test(test_scan_l2),
        cmocka_unit_test(test_scan_dot),
        cmocka_unit_test(test_scan_l2_squared),
        cmocka_unit_test(test_scores_have_the_bits_of_the_defined_order),
        cmocka_unit_test(test_merge_across_shards),
        cmocka_unit_test(test_kernels_and_batches_agree),
        cmocka_unit_test(test_wide_rows),
        cmocka_unit_test(test_nothing_to_scan_and_nothing_to_keep),
        cmocka_unit_test(test_cancelled_scans_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
