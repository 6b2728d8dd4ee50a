/* Queries made ready, and the flat scan. */
#include "base/cancel.h"
#include "base/limits.h"
#include "search/kernel.h"

#include <assert.h>
#include <math.h>

#define BLOCK_ROWS 64u /* most rows of a block: their sums are on the stack */
#define BLOCK_BYTES (256u << 10)
#define LINE_VALUES 16u /* of a cache line */
#define AHEAD 8192u     /* bytes, as in kernel_wide.h */
_Static_assert(BLOCK_BYTES / (SHF_LIMIT_DIMENSION * sizeof(float)) > 0, "a block holds a row of any dimension");

static const double zeros[SHF_LIMIT_DIMENSION];

static shf_kernel_function *function_of(enum shf_search_metric metric) {
    const struct shf_kernel *kernel = shf_kernel_current();
    return metric == SHF_SEARCH_L2 || metric == SHF_SEARCH_L2_SQUARED ? kernel->squared : kernel->dot;
}

/* |x|^2 = sum (x - 0)^2, in the order of the kernels. */
static double squared_norm(const float *row, uint32_t dimension) {
    const double *query = zeros;
    double sum;
    shf_kernel_current()->squared(row, 1, dimension, &query, 1, &sum);
    return sum;
}

void shf_search_norms(const float *vectors, uint64_t rows, uint32_t dimension, double *norms) {
    for (uint64_t r = 0; r < rows; r++) norms[r] = sqrt(squared_norm(vectors + r * dimension, dimension));
}

shf_status shf_search_query_check(enum shf_search_metric metric, const float *vector, uint32_t dimension, double *norm,
                                  struct shf_error **error) {
    if (dimension == 0 || dimension > SHF_LIMIT_DIMENSION) {
        return shf_error_set(error, SHF_E_INVALID, "a query of %u dimensions; 1 to %u are possible", dimension,
                             SHF_LIMIT_DIMENSION);
    }
    *norm = sqrt(squared_norm(vector, dimension));
    if (metric == SHF_SEARCH_COSINE && *norm == 0) {
        return shf_error_set(error, SHF_E_INVALID, "the query vector is zero, and a zero vector has no cosine distance");
    }
    if (isfinite(*norm)) return SHF_OK; /* squares of float32 do not overflow in float64: every value is finite */
    uint32_t i = 0;
    while (isfinite(vector[i])) i++;
    return shf_error_set(error, SHF_E_INVALID, "value %u of the query vector is %s; every value must be finite", i,
                         isnan(vector[i]) ? "NaN" : "infinite");
}

void shf_search_query_fill(struct shf_search_query *query, enum shf_search_metric metric, const float *vector,
                           uint32_t dimension, double norm, double *values) {
    for (uint32_t i = 0; i < dimension; i++) values[i] = (double)vector[i];
    *query = (struct shf_search_query){metric, dimension, norm, values};
}

shf_status shf_search_query_init(struct shf_search_query *query, enum shf_search_metric metric, const float *vector,
                                 uint32_t dimension, double *values, struct shf_error **error) {
    double norm;
    shf_status status = shf_search_query_check(metric, vector, dimension, &norm, error);
    if (!status) shf_search_query_fill(query, metric, vector, dimension, norm, values);
    return status;
}

/* The reported distances of a block, in place of the kernel's sums. Plain loops, which compilers make vectors of. */
static void finish_scores(const struct shf_search_query *query, const double *norms, size_t count, double *scores) {
    if (query->metric == SHF_SEARCH_L2_SQUARED) return; /* the kernel's sums */
    if (query->metric == SHF_SEARCH_L2) {
        for (size_t r = 0; r < count; r++) scores[r] = sqrt(scores[r]);
        return;
    }
    if (query->metric == SHF_SEARCH_DOT) {
        for (size_t r = 0; r < count; r++) scores[r] = 1.0 - scores[r];
        return;
    }
    assert(norms);
    for (size_t r = 0; r < count; r++) {
        double score = 1.0 - scores[r] / (norms[r] * query->norm);
        scores[r] = score < 0 ? 0 : score; /* rounding can put equal directions a hair below 0; NaN stays NaN */
    }
}

/* Whether one of these may belong among the best. No branch in the loop, so that compilers make vectors of it. */
static bool any_within(const double *scores, size_t count, double worst) {
    uint64_t within = 0;
    for (size_t r = 0; r < count; r++) within |= (uint64_t) !(scores[r] > worst); /* NaN too */
    return within != 0;
}

/* With an infinite or undefined one at the root of a full heap, push decides. */
static bool is_barred(const struct shf_topk *topk, double score) {
    double worst = topk->count ? topk->entries[0].score : INFINITY;
    return topk->count == topk->capacity && score > worst && worst > -INFINITY;
}

static void take_block(uint32_t shard, uint64_t first, size_t count, const double *scores, struct shf_topk *topk) {
    if (topk->count == topk->capacity && topk->count && isfinite(topk->entries[0].score) &&
        !any_within(scores, count, topk->entries[0].score)) {
        return; /* as most blocks */
    }
    for (size_t r = 0; r < count; r++) {
        if (is_barred(topk, scores[r])) continue;
        const struct shf_candidate candidate = {scores[r], shard, 0, first + r};
        shf_topk_push(topk, &candidate);
    }
}

/*
 * Brings a block into the cache in one stream, before tiles take it up in several, which memory serves half as fast.
 * Measured with 64 queries: 8 % less time. (A single query is one stream by itself.)
 */
static void fetch_block(const float *vectors, size_t values) {
    const volatile float *line = vectors;
    for (size_t i = 0; i < values; i += LINE_VALUES) {
        __builtin_prefetch((const void *)((uintptr_t)(vectors + i) + AHEAD)); /* behind the last row it reads nothing */
        (void)line[i];
    }
}

static void scan_block(const struct shf_vector_rows *rows, uint32_t shard, uint64_t first, size_t count,
                       const struct shf_search_query *queries, const uint32_t *which, size_t query_count,
                       struct shf_topk *topks) {
    const float *vectors = rows->vectors + first * rows->dimension;
    const double *norms = rows->norms ? rows->norms + first : NULL;
    double sums[SHF_KERNEL_QUERIES * BLOCK_ROWS];
    if (query_count > SHF_KERNEL_QUERIES) fetch_block(vectors, count * rows->dimension);
    for (size_t q = 0; q < query_count; q += SHF_KERNEL_QUERIES) {
        uint32_t together = query_count - q < SHF_KERNEL_QUERIES ? (uint32_t)(query_count - q) : SHF_KERNEL_QUERIES;
        const double *values[SHF_KERNEL_QUERIES];
        size_t at[SHF_KERNEL_QUERIES] = {0};
        for (uint32_t i = 0; i < together; i++) {
            at[i] = which ? which[q + i] : q + i;
            values[i] = queries[at[i]].values;
        }
        shf_kernel_function *function = function_of(queries[at[0]].metric);
        function(vectors, count, rows->dimension, values, together, sums);
        for (uint32_t i = 0; i < together; i++) {
            finish_scores(&queries[at[i]], norms, count, sums + i * count);
            take_block(shard, first, count, sums + i * count, &topks[at[i]]);
        }
    }
}

/* So many rows stay in the L2 cache while all queries pass over them. */
static size_t block_rows(uint32_t dimension) {
    size_t fit = BLOCK_BYTES / (dimension * sizeof(float));
    return fit > BLOCK_ROWS ? BLOCK_ROWS : fit;
}

bool shf_search_scan(const struct shf_vector_rows *rows, uint32_t shard, uint64_t first, uint64_t count,
                     const struct shf_search_query *queries, const uint32_t *which, size_t query_count,
                     struct shf_topk *topks, const struct shf_cancel *cancel) {
    size_t most = block_rows(rows->dimension);
    for (uint64_t end = first + count; first < end;) {
        if (shf_cancel_requested(cancel)) return false;
        size_t size = end - first < most ? (size_t)(end - first) : most;
        scan_block(rows, shard, first, size, queries, which, query_count, topks);
        first += size;
    }
    return true;
}
