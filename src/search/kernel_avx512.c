/* AVX-512: 32 lanes are four registers of eight float64. */
#include "search/kernel.h"

#if SHF_KERNEL_X86

#include <immintrin.h>

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

const struct shf_kernel shf_kernel_avx512 = {"avx512", dot, squared};

#endif
