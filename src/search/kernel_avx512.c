/* AVX-512: 32 lanes are four registers of eight float64. */
#include "search/kernel.h"

#if SHF_KERNEL_X86

#include <immintrin.h>
#include <math.h>

typedef __m512d wide;
#define WIDTH 8u
#define TILE_ROWS 4u

static inline wide wide_zero(void) { return _mm512_setzero_pd(); }
static inline wide wide_row(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline wide wide_query(const double *p) { return _mm512_loadu_pd(p); }

static inline __mmask8 first_elements(uint32_t n) { return (__mmask8)((1u << n) - 1); }
static inline wide wide_row_part(const float *p, uint32_t n) {
    return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_elements(n), p));
}
static inline wide wide_query_part(const double *p, uint32_t n) { return _mm512_maskz_loadu_pd(first_elements(n), p); }

static inline void wide_store(double *p, wide values) { _mm512_storeu_pd(p, values); }
static inline wide wide_plus(wide x, wide y) { return _mm512_add_pd(x, y); }
static inline wide wide_minus(wide x, wide y) { return _mm512_sub_pd(x, y); }

static inline wide wide_dot(wide x, wide y, wide sums) { return _mm512_fmadd_pd(x, y, sums); }
static inline wide wide_squared(wide x, wide y, wide sums) {
    wide t = _mm512_sub_pd(x, y);
    return _mm512_add_pd(sums, _mm512_mul_pd(t, t));
}

static inline double wide_sum(const wide sums[4]) {
    __m512d eight = _mm512_add_pd(_mm512_add_pd(sums[0], sums[2]), _mm512_add_pd(sums[1], sums[3]));
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#include "search/kernel_wide.h"

#define PANEL_WIDTH 16u
#define PANEL_TILE_ROWS 8u
typedef __m512 panel_wide;

static inline panel_wide panel_zero(void) { return _mm512_setzero_ps(); }
static inline panel_wide panel_load(const float *p) { return _mm512_load_ps(p); }
static inline panel_wide panel_every(const float *p) { return _mm512_set1_ps(*p); }
static inline panel_wide panel_add(panel_wide x, panel_wide y, panel_wide sums) { return _mm512_fmadd_ps(x, y, sums); }
static inline panel_wide panel_score(panel_wide dot, panel_wide norm) {
    return _mm512_fnmadd_ps(_mm512_set1_ps(2), dot, norm);
}

static inline void panel_least(const panel_wide scores[2], struct shf_panel_nearest *out) {
    float least = _mm512_reduce_min_ps(_mm512_min_ps(scores[0], scores[1]));
    __m512 every = _mm512_set1_ps(least), infinite = _mm512_set1_ps(INFINITY);
    uint32_t low = _mm512_cmpeq_ps_mask(scores[0], every), high = _mm512_cmpeq_ps_mask(scores[1], every);
    uint32_t equal = low | high << PANEL_WIDTH, first = equal & (0u - equal);
    __m512 rest = _mm512_min_ps(_mm512_mask_mov_ps(scores[0], (__mmask16)first, infinite),
                                _mm512_mask_mov_ps(scores[1], (__mmask16)(first >> PANEL_WIDTH), infinite));
    *out = (struct shf_panel_nearest){least, _mm512_reduce_min_ps(rest), equal ? (uint32_t)__builtin_ctz(equal) : 0};
}

#include "search/kernel_panel.h"

const struct shf_kernel shf_kernel_avx512 = {"avx512", dot, squared, panel, add};

#endif
