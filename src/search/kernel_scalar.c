/* The plain kernel: what the others are held against. */
#include "search/kernel.h"

static double dot_one(const float *row, uint32_t dimension, const double *query) {
    double lanes[SHF_SEARCH_LANES] = {0};
    for (uint32_t i = 0; i < dimension; i++) lanes[i % SHF_SEARCH_LANES] += (double)row[i] * query[i];
    return shf_lanes_sum(lanes);
}

static double squared_one(const float *row, uint32_t dimension, const double *query) {
    double lanes[SHF_SEARCH_LANES] = {0};
    for (uint32_t i = 0; i < dimension; i++) {
        double difference = (double)row[i] - query[i];
        lanes[i % SHF_SEARCH_LANES] += difference * difference;
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

const struct shf_kernel shf_kernel_scalar = {"scalar", dot, squared};
