/*
 * AVX-512: 32 lanes are four registers of eight float64. Up to four queries share the widening of a row, so that a
 * batch is bound by multiplications, not by memory.
 */
#include "search/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define GROUPS 4u /* registers of lanes */
#define WIDTH 8u  /* lanes a register */

/* The halving tree, on registers. */
static inline double reduce(const __m512d sums[GROUPS]) {
    __m512d eight = _mm512_add_pd(_mm512_add_pd(sums[0], sums[2]), _mm512_add_pd(sums[1], sums[3]));
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Elements of group g that a tail of `left` elements has. */
static inline __mmask8 tail_mask(uint32_t left, uint32_t g) {
    if (left >= (g + 1) * WIDTH) return 0xff;
    return left <= g * WIDTH ? 0 : (__mmask8)((1u << (left - g * WIDTH)) - 1);
}

/* `queries` is a constant at every call, so the loops over it unroll. */
static inline __attribute__((always_inline)) void dot_row(const float *row, uint32_t dimension,
                                                          const double *const *query, uint32_t queries, double *out,
                                                          size_t stride) {
    __m512d sums[SHF_KERNEL_QUERIES][GROUPS];
    uint32_t i = 0;
    for (uint32_t q = 0; q < queries; q++) {
        for (uint32_t g = 0; g < GROUPS; g++) sums[q][g] = _mm512_setzero_pd();
    }
    for (; i + SHF_SEARCH_LANES <= dimension; i += SHF_SEARCH_LANES) {
#pragma GCC unroll 4
        for (uint32_t g = 0; g < GROUPS; g++) {
            __m512d x = _mm512_cvtps_pd(_mm256_loadu_ps(row + i + g * WIDTH));
#pragma GCC unroll 4
            for (uint32_t q = 0; q < queries; q++) {
                sums[q][g] = _mm512_fmadd_pd(x, _mm512_loadu_pd(query[q] + i + g * WIDTH), sums[q][g]);
            }
        }
    }
    for (uint32_t g = 0; i < dimension && g < GROUPS; g++) {
        __mmask8 mask = tail_mask(dimension - i, g);
        __m512d x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, row + i + g * WIDTH));
        for (uint32_t q = 0; q < queries; q++) {
            __m512d y = _mm512_maskz_loadu_pd(mask, query[q] + i + g * WIDTH);
            sums[q][g] = _mm512_mask3_fmadd_pd(x, y, sums[q][g], mask);
        }
    }
    for (uint32_t q = 0; q < queries; q++) out[q * stride] = reduce(sums[q]);
}

static inline __attribute__((always_inline)) void squared_row(const float *row, uint32_t dimension,
                                                              const double *const *query, uint32_t queries, double *out,
                                                              size_t stride) {
    __m512d sums[SHF_KERNEL_QUERIES][GROUPS];
    uint32_t i = 0;
    for (uint32_t q = 0; q < queries; q++) {
        for (uint32_t g = 0; g < GROUPS; g++) sums[q][g] = _mm512_setzero_pd();
    }
    for (; i + SHF_SEARCH_LANES <= dimension; i += SHF_SEARCH_LANES) {
#pragma GCC unroll 4
        for (uint32_t g = 0; g < GROUPS; g++) {
            __m512d x = _mm512_cvtps_pd(_mm256_loadu_ps(row + i + g * WIDTH));
#pragma GCC unroll 4
            for (uint32_t q = 0; q < queries; q++) {
                __m512d t = _mm512_sub_pd(x, _mm512_loadu_pd(query[q] + i + g * WIDTH));
                sums[q][g] = _mm512_add_pd(sums[q][g], _mm512_mul_pd(t, t));
            }
        }
    }
    for (uint32_t g = 0; i < dimension && g < GROUPS; g++) {
        __mmask8 mask = tail_mask(dimension - i, g);
        __m512d x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, row + i + g * WIDTH));
        for (uint32_t q = 0; q < queries; q++) {
            __m512d t = _mm512_sub_pd(x, _mm512_maskz_loadu_pd(mask, query[q] + i + g * WIDTH));
            sums[q][g] = _mm512_mask_add_pd(sums[q][g], mask, sums[q][g], _mm512_mul_pd(t, t));
        }
    }
    for (uint32_t q = 0; q < queries; q++) out[q * stride] = reduce(sums[q]);
}

#define EACH_ROW(function, queries)                                                                          \
    for (size_t r = 0; r < count; r++) function(rows + r * dimension, dimension, query, queries, out + r, count)

static void dot(const float *rows, size_t count, uint32_t dimension, const double *const *query, uint32_t query_count,
                double *out) {
    switch (query_count) {
    case 1: EACH_ROW(dot_row, 1); break;
    case 2: EACH_ROW(dot_row, 2); break;
    case 3: EACH_ROW(dot_row, 3); break;
    default: EACH_ROW(dot_row, 4); break;
    }
}

static void squared(const float *rows, size_t count, uint32_t dimension, const double *const *query,
                    uint32_t query_count, double *out) {
    switch (query_count) {
    case 1: EACH_ROW(squared_row, 1); break;
    case 2: EACH_ROW(squared_row, 2); break;
    case 3: EACH_ROW(squared_row, 3); break;
    default: EACH_ROW(squared_row, 4); break;
    }
}

const struct shf_kernel shf_kernel_avx512 = {"avx512", dot, squared};

#endif
