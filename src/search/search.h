/*
 * Exact nearest-neighbour search over float32 rows. Pure functions of bytes; no allocation except where said.
 *
 * Every distance is computed in float64 from the stored float32 values in one fixed order, so that scalar, AVX2 and
 * AVX-512 kernels return the same bits: element i goes to accumulator lane i mod 32; the lanes are then added as a
 * halving tree (lane j + lane j+16, then +8, +4, +2, +1). Products of two float32 are exact in float64; no fused
 * multiply-add is used where the product is not exact (l2, l2 squared).
 *
 *   cosine       max(0, 1 - dot(x, q) / (|x| * |q|)), for rounding can put equal directions a hair below 0; NaN when
 *                |x| is 0 or a value is not finite
 *   l2           sqrt(sum (x_i - q_i)^2)
 *   dot_product  1 - dot(x, q)
 *   l2 squared   sum (x_i - q_i)^2: the sum of l2 without the root, which is what LanceDB calls l2. It has an order of its
 *                own: two sums that differ can have one root, so that l2 sees a tie where this one sees none
 *
 * Order: finite scores ascending, then infinite, then NaN; equal scores by shard, then position.
 */
#ifndef SHF_SEARCH_SEARCH_H
#define SHF_SEARCH_SEARCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The first three equal those of enum shf_metric in formats/vec0.h. */
enum shf_search_metric { SHF_SEARCH_COSINE = 1, SHF_SEARCH_L2 = 2, SHF_SEARCH_DOT = 3, SHF_SEARCH_L2_SQUARED = 4 };

#define SHF_SEARCH_LANES 32u

/* Instruction set in use, chosen once from the CPU (environment SHF_KERNEL=scalar|avx2|avx512 narrows it, for tests). */
const char *shf_search_kernel_name(void);
/* For tests: force a kernel by name; false when the CPU lacks it. NULL = choose again. */
bool shf_search_kernel_force(const char *name);

/* Rows to scan; borrowed. */
struct shf_vector_rows {
    const float *vectors; /* rows * dimension, any alignment of 4 */
    const double *norms;  /* rows; needed for cosine */
    uint64_t rows;
    uint32_t dimension;
};

/* Euclidean norm of each row, as cosine needs it. */
void shf_search_norms(const float *vectors, uint64_t rows, uint32_t dimension, double *norms);

/*
 * A query made ready: widened to float64, with its norm. values: `dimension` doubles that the caller provides and keeps;
 * at a multiple of 64 bytes (shf_arena_alloc) batches take up to a quarter less time.
 */
struct shf_search_query {
    enum shf_search_metric metric;
    uint32_t dimension;
    double norm;
    const double *values;
};
/* SHF_E_INVALID for NaN, infinity, or a zero vector under cosine; else the norm. */
shf_status shf_search_query_check(enum shf_search_metric metric, const float *vector, uint32_t dimension, double *norm,
                                  struct shf_error **error);
/* Makes a query of a vector that was checked. */
void shf_search_query_fill(struct shf_search_query *query, enum shf_search_metric metric, const float *vector,
                           uint32_t dimension, double norm, double *values);
/* Both. */
shf_status shf_search_query_init(struct shf_search_query *query, enum shf_search_metric metric, const float *vector,
                                 uint32_t dimension, double *values, struct shf_error **error);

struct shf_candidate {
    double score;
    uint32_t shard; /* shard id */
    uint32_t reserved;
    uint64_t position; /* row within the shard */
};
/* < 0 when a comes first. A total order (see above). */
int shf_candidate_compare(const struct shf_candidate *a, const struct shf_candidate *b);

/* The best k candidates seen: a heap over storage that the caller provides (k entries). */
struct shf_topk {
    struct shf_candidate *entries;
    uint32_t capacity, count;
};
void shf_topk_init(struct shf_topk *topk, struct shf_candidate *storage, uint32_t capacity);
void shf_topk_push(struct shf_topk *topk, const struct shf_candidate *candidate);
/* Sorts the entries best first (the heap is over then). */
void shf_topk_sort(struct shf_topk *topk);

/*
 * Scans rows [first, first + count) for `query_count` queries of one metric and dimension, pushing into topks[q].
 * `which` (NULL = all of them in order) names the queries: the places in `queries` and `topks` of those that take part.
 * Rows are taken in blocks that stay in cache while all queries pass over them. `cancel` may be NULL; it is looked at
 * before every block and makes the scan return false: what the heaps hold is of no use then.
 */
struct shf_cancel;
bool shf_search_scan(const struct shf_vector_rows *rows, uint32_t shard, uint64_t first, uint64_t count,
                     const struct shf_search_query *queries, const uint32_t *which, size_t query_count,
                     struct shf_topk *topks, const struct shf_cancel *cancel);

#endif
