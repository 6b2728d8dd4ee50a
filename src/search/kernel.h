/*
 * Distance kernels. Each computes, for `count` consecutive rows and 1 to SHF_KERNEL_QUERIES queries, one sum in
 * float64; out[q * count + r] belongs to query q and row r. Rows need the alignment of float, queries that of double;
 * from queries at multiples of 64 bytes a batch takes a tenth (AVX-512) to a quarter (AVX2) less time.
 *
 * The order of additions is fixed (see search.h), so every kernel gives the same bits: element i goes to lane i mod 32,
 * lanes are added as a halving tree. dot adds x*q (exact in float64, so a fused multiply-add changes nothing);
 * squared adds t*t with t = x - q, both rounded (so it must not be fused).
 */
#ifndef SHF_SEARCH_KERNEL_H
#define SHF_SEARCH_KERNEL_H

#include "search/search.h"

#define SHF_KERNEL_QUERIES 4u

/* Where the vector kernels exist; elsewhere only the plain one is compiled. */
#if defined(__x86_64__)
#define SHF_KERNEL_X86 1
#else
#define SHF_KERNEL_X86 0
#endif

typedef void shf_kernel_function(const float *rows, size_t count, uint32_t dimension, const double *const *queries,
                                 uint32_t query_count, double *out);

/*
 * For k-means: of the points of a panel, those nearest to each row, in float32. A panel is SHF_KERNEL_PANEL points, packed
 * value by value: panel[i * SHF_KERNEL_PANEL + j] is value i of point j. The score of a point is norms[j] - 2 <row, point>,
 * where norms[j] is its squared norm (infinite for a place without a point); the least one and the second least of all
 * others are found. Sums are float32, in the order of values, and may be fused: each is within (dimension + 1) * 2^-24 *
 * |row| |point| of the exact one, but bits differ between instruction sets. `at` of scores that are no numbers is any.
 */
#define SHF_KERNEL_PANEL 32u

struct shf_panel_nearest {
    float least, second;
    uint32_t at;
};

/* Rows may be anywhere, best in multiples of 24; panel and norms are 64-byte aligned; the first point_count places have points. */
typedef void shf_kernel_panel_function(const float *const *rows, uint32_t count, uint32_t dimension, const float *panel,
                                       uint32_t point_count, const float *norms, struct shf_panel_nearest *out);

/* sums[i] += row[i], or with `is_taken` -= row[i]: the same bits everywhere. */
typedef void shf_kernel_add_function(double *sums, const float *row, uint32_t count, bool is_taken);

struct shf_kernel {
    const char *name;
    shf_kernel_function *dot, *squared;
    shf_kernel_panel_function *panel;
    shf_kernel_add_function *add;
};

extern const struct shf_kernel shf_kernel_scalar;
#if SHF_KERNEL_X86
extern const struct shf_kernel shf_kernel_avx2;
extern const struct shf_kernel shf_kernel_avx512;
#endif

/* The one in use. */
const struct shf_kernel *shf_kernel_current(void);

/* The halving tree over the lanes. */
static inline double shf_lanes_sum(double lanes[SHF_SEARCH_LANES]) {
    for (uint32_t half = SHF_SEARCH_LANES / 2; half > 0; half /= 2) {
        for (uint32_t j = 0; j < half; j++) lanes[j] += lanes[j + half];
    }
    return lanes[0];
}

#endif
