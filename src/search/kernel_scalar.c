/* The plain kernel: what the others are held against. */
#include "search/kernel.h"

#include <math.h>
#include <string.h>

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

/* Four values: what every processor has registers for, and a compiler makes something of elsewhere. */
typedef float four __attribute__((vector_size(16)));
#define FOURS (SHF_KERNEL_PANEL / 4)

static void panel_row(const float *row, uint32_t dimension, const float *points, const float *norms,
                      struct shf_panel_nearest *out) {
    four added[FOURS] = {{0}};
    float sums[SHF_KERNEL_PANEL];
    for (size_t i = 0; i < dimension; i++) {
        four values[FOURS];
        memcpy(values, points + i * SHF_KERNEL_PANEL, sizeof values);
        for (uint32_t j = 0; j < FOURS; j++) added[j] += row[i] * values[j];
    }
    memcpy(sums, added, sizeof sums);
    *out = (struct shf_panel_nearest){INFINITY, INFINITY, 0};
    for (uint32_t j = 0; j < SHF_KERNEL_PANEL; j++) {
        float score = norms[j] - 2 * sums[j];
        if (score < out->least) {
            *out = (struct shf_panel_nearest){score, out->least, j};
        } else if (score < out->second) {
            out->second = score;
        }
    }
}

static void panel(const float *const *rows, uint32_t count, uint32_t dimension, const float *points,
                  uint32_t point_count, const float *norms, struct shf_panel_nearest *out) {
    (void)point_count; /* the others are far away: norms */
    for (uint32_t r = 0; r < count; r++) panel_row(rows[r], dimension, points, norms, &out[r]);
}

static void add(double *sums, const float *row, uint32_t count, bool is_taken) {
    if (is_taken) {
        for (uint32_t i = 0; i < count; i++) sums[i] -= (double)row[i];
    } else {
        for (uint32_t i = 0; i < count; i++) sums[i] += (double)row[i];
    }
}

const struct shf_kernel shf_kernel_scalar = {"scalar", dot, squared, panel, add};
