/* AVX2 + FMA: 32 lanes are eight registers of four float64. */
#include "search/kernel.h"

#if SHF_KERNEL_X86

#include <immintrin.h>

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

const struct shf_kernel shf_kernel_avx2 = {"avx2", dot, squared};

#endif
