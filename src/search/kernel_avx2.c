/* AVX2 + FMA: 32 lanes are eight registers of four float64. */
#include "search/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define GROUPS 8u /* registers of lanes */
#define WIDTH 4u  /* lanes a register */

/* The halving tree, on registers. */
static inline double reduce(const __m256d sums[GROUPS]) {
    __m256d a = _mm256_add_pd(sums[0], sums[4]), b = _mm256_add_pd(sums[1], sums[5]);
    __m256d c = _mm256_add_pd(sums[2], sums[6]), d = _mm256_add_pd(sums[3], sums[7]);
    __m256d four = _mm256_add_pd(_mm256_add_pd(a, c), _mm256_add_pd(b, d));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline void spill(const __m256d sums[GROUPS], double lanes[SHF_SEARCH_LANES]) {
    for (uint32_t g = 0; g < GROUPS; g++) _mm256_storeu_pd(lanes + g * WIDTH, sums[g]);
}

static inline double dot_one(const float *row, uint32_t dimension, const double *query) {
    __m256d sums[GROUPS];
    uint32_t i = 0;
    for (uint32_t g = 0; g < GROUPS; g++) sums[g] = _mm256_setzero_pd();
    for (; i + SHF_SEARCH_LANES <= dimension; i += SHF_SEARCH_LANES) {
#pragma GCC unroll 8
        for (uint32_t g = 0; g < GROUPS; g++) {
            __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(row + i + g * WIDTH));
            sums[g] = _mm256_fmadd_pd(x, _mm256_loadu_pd(query + i + g * WIDTH), sums[g]);
        }
    }
    if (i == dimension) return reduce(sums);
    double lanes[SHF_SEARCH_LANES];
    spill(sums, lanes);
    for (uint32_t lane = 0; i < dimension; i++, lane++) lanes[lane] += (double)row[i] * query[i];
    return shf_lanes_sum(lanes);
}

static inline double squared_one(const float *row, uint32_t dimension, const double *query) {
    __m256d sums[GROUPS];
    uint32_t i = 0;
    for (uint32_t g = 0; g < GROUPS; g++) sums[g] = _mm256_setzero_pd();
    for (; i + SHF_SEARCH_LANES <= dimension; i += SHF_SEARCH_LANES) {
#pragma GCC unroll 8
        for (uint32_t g = 0; g < GROUPS; g++) {
            __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(row + i + g * WIDTH));
            __m256d t = _mm256_sub_pd(x, _mm256_loadu_pd(query + i + g * WIDTH));
            sums[g] = _mm256_add_pd(sums[g], _mm256_mul_pd(t, t));
        }
    }
    if (i == dimension) return reduce(sums);
    double lanes[SHF_SEARCH_LANES];
    spill(sums, lanes);
    for (uint32_t lane = 0; i < dimension; i++, lane++) {
        double t = (double)row[i] - query[i];
        lanes[lane] += t * t;
    }
    return shf_lanes_sum(lanes);
}

static void dot(const float *rows, size_t count, uint32_t dimension, const double *const *queries, uint32_t query_count,
                double *out) {
    for (size_t r = 0; r < count; r++) {
        for (uint32_t q = 0; q < query_count; q++) {
            out[q * count + r] = dot_one(rows + r * dimension, dimension, queries[q]);
        }
    }
}

static void squared(const float *rows, size_t count, uint32_t dimension, const double *const *queries,
                    uint32_t query_count, double *out) {
    for (size_t r = 0; r < count; r++) {
        for (uint32_t q = 0; q < query_count; q++) {
            out[q * count + r] = squared_one(rows + r * dimension, dimension, queries[q]);
        }
    }
}

const struct shf_kernel shf_kernel_avx2 = {"avx2", dot, squared};

#endif
