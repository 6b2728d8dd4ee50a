#include "writer/nearest.h"

#include "base/limits.h"
#include "search/kernel.h"

#include <float.h>
#include <math.h>
#include <stdalign.h>
#include <string.h>

#define CENTROIDS_A_STEP 64u /* of these the distances are on the stack */
#define MOST_CANDIDATES 16u

/* What may be the nearest yet: its distance may be `slack` off. */
struct candidates {
    double least; /* distance */
    uint32_t count;
    bool is_overfull; /* there are more: all are looked at */
    struct shf_vector_probe items[MOST_CANDIDATES];
};

/*
 * How far a distance may be from that of another order of additions, and from the one that it is compared with. With u for
 * half of DBL_EPSILON: each sum of n products is within n * u of the sum of their absolute values, which is at most the product of the
 * norms (cosine: of a distance around 1) or the sum itself (l2). That is 4n * u for two of each, and as much again for
 * norms and roundings.
 */
static double slack_of(const struct shf_vector_router *router, double least) {
    double relative = (8.0 * router->dimension + 64) * (DBL_EPSILON / 2);
    return router->metric == SHF_METRIC_L2 ? least * relative : relative;
}

static void drop_far_ones(struct candidates *c, double most) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->items[i].distance <= most) c->items[kept++] = c->items[i];
    }
    c->count = kept;
}

static void consider(const struct shf_vector_router *router, struct candidates *c, uint32_t shard, double distance) {
    if (distance > c->least + slack_of(router, c->least)) return;
    if (distance < c->least) {
        c->least = distance;
        drop_far_ones(c, distance + slack_of(router, distance));
    }
    if (c->count == MOST_CANDIDATES) {
        c->is_overfull = true;
    } else {
        c->items[c->count++] = (struct shf_vector_probe){distance, shard};
    }
}

/* Among candidates by the distance that readers compute; they ascend. */
static uint32_t choose(const struct shf_vector_router *router, const struct candidates *c, const float *vector,
                       double norm) {
    uint32_t nearest = c->items[0].shard, all = c->is_overfull ? router->num_dbs : c->count;
    double least = INFINITY;
    if (all == 1) return nearest;
    for (uint32_t i = 0; i < all; i++) {
        uint32_t shard = c->is_overfull ? i : c->items[i].shard;
        double distance = shf_vector_router_distance(router, shard, vector, norm);
        if (distance >= least) continue;
        least = distance;
        nearest = shard;
    }
    return nearest;
}

struct batch {
    const struct shf_vector_router *router;
    const float *const *vectors;
    size_t count;
    const double *queries[SHF_KERNEL_QUERIES];
    double norms[SHF_KERNEL_QUERIES];
    struct candidates candidates[SHF_KERNEL_QUERIES];
};

static void look_at(struct batch *batch, const float *centroids, uint32_t first, uint32_t count) {
    const struct shf_vector_router *router = batch->router;
    const struct shf_kernel *kernel = shf_kernel_current();
    bool is_l2 = router->metric == SHF_METRIC_L2;
    double sums[SHF_KERNEL_QUERIES * CENTROIDS_A_STEP];
    (is_l2 ? kernel->squared : kernel->dot)(centroids + (size_t)first * router->dimension, count, router->dimension,
                                            batch->queries, (uint32_t)batch->count, sums);
    for (size_t q = 0; q < batch->count; q++) {
        for (uint32_t i = 0; i < count; i++) {
            double sum = sums[q * count + i];
            double distance =
                is_l2 ? sum : 1 - sum / (router->norms[first + i] * batch->norms[q] + SHF_ROUTER_COSINE_EPSILON);
            consider(router, &batch->candidates[q], first + i, distance);
        }
    }
}

static void find_some(struct batch *batch, const float *centroids, uint32_t *shards) {
    const struct shf_vector_router *router = batch->router;
    alignas(64) double values[SHF_LIMIT_DIMENSION];
    uint32_t dimension = router->dimension;
    for (size_t q = 0; q < batch->count; q++) {
        double *query = values + q * dimension;
        for (uint32_t i = 0; i < dimension; i++) query[i] = (double)batch->vectors[q][i];
        batch->queries[q] = query;
        batch->norms[q] = router->metric == SHF_METRIC_COSINE ? shf_vector_router_norm(batch->vectors[q], dimension) : 0;
        batch->candidates[q] = (struct candidates){.least = INFINITY};
    }
    for (uint32_t first = 0; first < router->num_dbs; first += CENTROIDS_A_STEP) {
        uint32_t left = router->num_dbs - first;
        look_at(batch, centroids, first, left < CENTROIDS_A_STEP ? left : CENTROIDS_A_STEP);
    }
    for (size_t q = 0; q < batch->count; q++) {
        shards[q] = choose(router, &batch->candidates[q], batch->vectors[q], batch->norms[q]);
    }
}

void shf_nearest_find(const struct shf_vector_router *router, const float *centroids, const float *const *vectors,
                      size_t count, uint32_t *shards) {
    size_t most = SHF_LIMIT_DIMENSION / router->dimension;
    if (most > SHF_KERNEL_QUERIES) most = SHF_KERNEL_QUERIES;
    for (size_t at = 0; at < count; at += most) {
        struct batch batch = {.router = router, .vectors = vectors + at, .count = count - at < most ? count - at : most};
        find_some(&batch, centroids, shards + at);
    }
}
