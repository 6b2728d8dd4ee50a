/* AVX2 + FMA: 32 lanes are eight registers of four float64. */
#include "search/kernel.h"

#if SHF_KERNEL_X86

#include <immintrin.h>
#include <math.h>

typedef __m256d wide;
#define WIDTH 4u
#define TILE_ROWS 2u

static inline wide wide_zero(void) { return _mm256_setzero_pd(); }
static inline wide wide_row(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline wide wide_query(const double *p) { return _mm256_loadu_pd(p); }

/* Masked loads do not touch what they leave out. */
static inline __m256i first_elements(uint32_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_set_epi64x(3, 2, 1, 0));
}
static inline wide wide_row_part(const float *p, uint32_t n) {
    __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32((int)n), _mm_set_epi32(3, 2, 1, 0));
    return _mm256_cvtps_pd(_mm_maskload_ps(p, mask));
}
static inline wide wide_query_part(const double *p, uint32_t n) { return _mm256_maskload_pd(p, first_elements(n)); }

static inline void wide_store(double *p, wide values) { _mm256_storeu_pd(p, values); }
static inline wide wide_plus(wide x, wide y) { return _mm256_add_pd(x, y); }
static inline wide wide_minus(wide x, wide y) { return _mm256_sub_pd(x, y); }

static inline wide wide_dot(wide x, wide y, wide sums) { return _mm256_fmadd_pd(x, y, sums); }
static inline wide wide_squared(wide x, wide y, wide sums) {
    wide t = _mm256_sub_pd(x, y);
    return _mm256_add_pd(sums, _mm256_mul_pd(t, t));
}

static inline double wide_sum(const wide sums[8]) {
    __m256d a = _mm256_add_pd(sums[0], sums[4]), b = _mm256_add_pd(sums[1], sums[5]);
    __m256d c = _mm256_add_pd(sums[2], sums[6]), d = _mm256_add_pd(sums[3], sums[7]);
    __m256d four = _mm256_add_pd(_mm256_add_pd(a, c), _mm256_add_pd(b, d));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#include "search/kernel_wide.h"

#define PANEL_WIDTH 8u
#define PANEL_TILE_ROWS 6u
typedef __m256 panel_wide;

static inline panel_wide panel_zero(void) { return _mm256_setzero_ps(); }
static inline panel_wide panel_load(const float *p) { return _mm256_load_ps(p); }
static inline panel_wide panel_every(const float *p) { return _mm256_broadcast_ss(p); }
static inline panel_wide panel_add(panel_wide x, panel_wide y, panel_wide sums) { return _mm256_fmadd_ps(x, y, sums); }
static inline panel_wide panel_score(panel_wide dot, panel_wide norm) {
    return _mm256_fnmadd_ps(_mm256_set1_ps(2), dot, norm);
}

static inline float least_of(__m256 values) {
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

static inline void panel_least(const panel_wide scores[4], struct shf_panel_nearest *out) {
    __m256 infinite = _mm256_set1_ps(INFINITY), rest = infinite;
    float least = least_of(_mm256_min_ps(_mm256_min_ps(scores[0], scores[1]), _mm256_min_ps(scores[2], scores[3])));
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    uint32_t equal = 0;
    for (uint32_t g = 0; g < 4; g++) {
        __m256 is_equal = _mm256_cmp_ps(scores[g], _mm256_set1_ps(least), _CMP_EQ_OQ);
        equal |= (uint32_t)_mm256_movemask_ps(is_equal) << g * PANEL_WIDTH;
    }
    uint32_t at = equal ? (uint32_t)__builtin_ctz(equal) : 0;
    for (uint32_t g = 0; g < 4; g++) {
        __m256i here = _mm256_cmpeq_epi32(lane, _mm256_set1_epi32((int)at - (int)(g * PANEL_WIDTH)));
        rest = _mm256_min_ps(rest, _mm256_blendv_ps(scores[g], infinite, _mm256_castsi256_ps(here)));
    }
    *out = (struct shf_panel_nearest){least, least_of(rest), at};
}

#include "search/kernel_panel.h"

const struct shf_kernel shf_kernel_avx2 = {"avx2", dot, squared, panel, add};

#endif
