#include "snapshot/vector_router.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/limits.h"
#include "formats/npy.h"
#include "snapshot/routing.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define LANES 8u /* sums side by side, so that a compiler may use vector registers */

/* ---- arithmetic ---- */

static double add_up(const double lanes[LANES]) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static double dot_of(const double *row, const float *vector, uint32_t dimension) {
    double lanes[LANES] = {0};
    uint32_t whole = dimension - dimension % LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        for (uint32_t lane = 0; lane < LANES; lane++) lanes[lane] += row[i + lane] * (double)vector[i + lane];
    }
    for (uint32_t i = whole; i < dimension; i++) lanes[i - whole] += row[i] * (double)vector[i];
    return add_up(lanes);
}

static double squared_distance(const double *row, const float *vector, uint32_t dimension) {
    double lanes[LANES] = {0};
    uint32_t whole = dimension - dimension % LANES;
    for (uint32_t i = 0; i < whole; i += LANES) {
        for (uint32_t lane = 0; lane < LANES; lane++) {
            double difference = row[i + lane] - (double)vector[i + lane];
            lanes[lane] += difference * difference;
        }
    }
    for (uint32_t i = whole; i < dimension; i++) {
        double difference = row[i] - (double)vector[i];
        lanes[i - whole] += difference * difference;
    }
    return add_up(lanes);
}

static double norm_of_row(const double *row, uint32_t dimension) {
    double sum = 0;
    for (uint32_t i = 0; i < dimension; i++) sum += row[i] * row[i];
    return sqrt(sum);
}

double shf_vector_router_norm(const float *vector, uint32_t dimension) {
    double sum = 0;
    for (uint32_t i = 0; i < dimension; i++) sum += (double)vector[i] * (double)vector[i];
    return sqrt(sum);
}

double shf_vector_router_distance(const struct shf_vector_router *router, uint32_t row, const float *vector, double norm) {
    const double *centroid = router->table + (size_t)row * router->dimension;
    switch (router->metric) {
    case SHF_METRIC_L2: return squared_distance(centroid, vector, router->dimension);
    case SHF_METRIC_DOT: return -dot_of(centroid, vector, router->dimension);
    case SHF_METRIC_COSINE: break;
    }
    return 1 - dot_of(centroid, vector, router->dimension) / (router->norms[row] * norm + SHF_ROUTER_COSINE_EPSILON);
}

/* ---- cluster: the nearest so many, in a heap with the farthest of them on top ---- */

/* NaN comes last; equal distances by id. */
static bool is_nearer(const struct shf_vector_probe *a, const struct shf_vector_probe *b) {
    if (isnan(a->distance) || isnan(b->distance)) {
        if (!isnan(a->distance) || !isnan(b->distance)) return !isnan(a->distance);
    } else if (a->distance != b->distance) {
        return a->distance < b->distance;
    }
    return a->shard < b->shard;
}

static void sink(struct shf_vector_probe *heap, uint32_t count, uint32_t at) {
    for (;;) {
        uint32_t farthest = at, child = 2 * at + 1;
        for (uint32_t i = child; i < count && i <= child + 1; i++) {
            if (is_nearer(&heap[farthest], &heap[i])) farthest = i;
        }
        if (farthest == at) return;
        struct shf_vector_probe moved = heap[at];
        heap[at] = heap[farthest];
        heap[farthest] = moved;
        at = farthest;
    }
}

static int compare_probes(const void *a, const void *b) { return is_nearer(b, a) - is_nearer(a, b); }

static uint32_t route_cluster(const struct shf_vector_router *router, const float *vector, uint32_t wanted,
                              struct shf_vector_probe *heap, uint32_t *shards) {
    double norm = router->metric == SHF_METRIC_COSINE ? shf_vector_router_norm(vector, router->dimension) : 0;
    for (uint32_t row = 0; row < wanted; row++) {
        heap[row] = (struct shf_vector_probe){shf_vector_router_distance(router, row, vector, norm), row};
    }
    for (uint32_t at = wanted / 2; at > 0; at--) sink(heap, wanted, at - 1);
    for (uint32_t row = wanted; row < router->rows; row++) {
        struct shf_vector_probe probe = {shf_vector_router_distance(router, row, vector, norm), row};
        if (!is_nearer(&probe, &heap[0])) continue;
        heap[0] = probe;
        sink(heap, wanted, 0);
    }
    qsort(heap, wanted, sizeof *heap, compare_probes);
    for (uint32_t i = 0; i < wanted; i++) shards[i] = heap[i].shard;
    return wanted;
}

/* ---- lsh: a bit a hyperplane; then the codes that differ in one bit ---- */

static void add_once(uint32_t shard, uint32_t *shards, uint32_t *count) {
    for (uint32_t i = 0; i < *count; i++) {
        if (shards[i] == shard) return;
    }
    shards[(*count)++] = shard;
}

static uint32_t route_lsh(const struct shf_vector_router *router, const float *vector, uint32_t wanted, uint32_t *shards) {
    uint64_t code = 0;
    uint32_t count = 0;
    assert(router->num_dbs > 0);
    for (uint32_t bit = 0; bit < router->rows; bit++) {
        const double *plane = router->table + (size_t)bit * router->dimension;
        if (dot_of(plane, vector, router->dimension) > 0) code |= UINT64_C(1) << bit; /* not for NaN */
    }
    add_once((uint32_t)(code % router->num_dbs), shards, &count);
    for (uint32_t bit = 0; bit < router->rows && count < wanted; bit++) {
        add_once((uint32_t)((code ^ UINT64_C(1) << bit) % router->num_dbs), shards, &count);
    }
    return count;
}

/* ---- cel ---- */

static shf_status route_cel(const struct shf_vector_router *router, const shf_routing_context *context, uint32_t *shard,
                            struct shf_error **error) {
    if (!context) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the snapshot is sharded by a CEL expression: give a routing context, or shard_ids");
    }
    if (!router->cel) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the manifest has no cel_expr and cel_columns to route by; give shard_ids");
    }
    return shf_routing_once(router->cel, context, shard, error);
}

/* ---- any ---- */

uint32_t shf_vector_router_most(const struct shf_vector_router *router, uint32_t num_probes) {
    uint32_t most = num_probes ? num_probes : router->num_probes;
    if (router->strategy == SHF_VECTORS_BY_CEL || router->strategy == SHF_VECTORS_BY_ID) most = 1;
    if (router->strategy == SHF_VECTORS_BY_LSH && most > router->rows + 1) most = router->rows + 1;
    return most > router->num_dbs ? router->num_dbs : most;
}

shf_status shf_vector_route(const struct shf_vector_router *router, const float *vector,
                            const shf_routing_context *context, uint32_t num_probes, struct shf_vector_probe *scratch,
                            uint32_t *shards, uint32_t *count, struct shf_error **error) {
    uint32_t wanted = shf_vector_router_most(router, num_probes);
    if (router->strategy == SHF_VECTORS_BY_ID) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the snapshot has EXPLICIT sharding: shard_ids must be given with a query");
    }
    if (router->strategy == SHF_VECTORS_BY_CEL) {
        shf_status status = route_cel(router, context, shards, error);
        if (!status) *count = 1;
        return status;
    }
    if (!vector) return shf_error_set(error, SHF_E_INVALID, "a vector is needed to choose shards");
    if (router->strategy == SHF_VECTORS_BY_LSH) {
        *count = route_lsh(router, vector, wanted, shards);
    } else {
        *count = route_cluster(router, vector, wanted, scratch, shards);
    }
    return SHF_OK;
}

/* ---- making one ---- */

bool shf_vector_router_needs_table(const struct shf_manifest *manifest) {
    enum shf_vector_strategy strategy = manifest->vector.routing.strategy;
    return strategy == SHF_VECTORS_BY_CLUSTER || strategy == SHF_VECTORS_BY_LSH;
}

const char *shf_vector_router_table_ref(const struct shf_manifest *manifest) {
    const struct shf_manifest_routing *routing = &manifest->vector.routing;
    if (routing->strategy == SHF_VECTORS_BY_CLUSTER) return routing->centroids_ref;
    return routing->strategy == SHF_VECTORS_BY_LSH ? routing->hyperplanes_ref : NULL;
}

static shf_status check_shape(const struct shf_vector_router *router, const struct shf_npy *npy,
                              struct shf_error **error) {
    if (npy->columns != router->dimension) {
        return shf_error_set(error, SHF_E_STATE,
                             "it has rows of %" PRIu64 " numbers, the vectors of this snapshot have %" PRIu32
                             " dimensions",
                             npy->columns, router->dimension);
    }
    if (router->strategy == SHF_VECTORS_BY_CLUSTER && npy->rows != router->num_dbs) {
        return shf_error_set(error, SHF_E_STATE, "it has %" PRIu64 " centroids for %" PRIu32 " shards", npy->rows,
                             router->num_dbs);
    }
    if (router->strategy == SHF_VECTORS_BY_LSH && (npy->rows == 0 || npy->rows > SHF_LIMIT_HASH_BITS)) {
        return shf_error_set(error, SHF_E_STATE, "it has %" PRIu64 " hyperplanes; 1 to %u are read", npy->rows,
                             SHF_LIMIT_HASH_BITS);
    }
    return SHF_OK;
}

static shf_status check_finite(const struct shf_vector_router *router, struct shf_error **error) {
    size_t items = (size_t)router->rows * router->dimension;
    for (size_t i = 0; i < items; i++) {
        if (isfinite(router->table[i])) continue;
        return shf_error_set(error, SHF_E_STATE, "row %zu has an element that is no finite number (%g)",
                             i / router->dimension, router->table[i]);
    }
    return SHF_OK;
}

static shf_status take_table(struct shf_vector_router *router, shf_slice bytes, struct shf_error **error) {
    struct shf_npy npy;
    shf_status status = shf_npy_parse(bytes.data, bytes.size, &npy, error);
    if (status) {
        struct shf_error *inner = error ? *error : NULL;
        if (error) *error = NULL;
        status = shf_error_set(error, SHF_E_STATE, "%s", shf_error_message(inner));
        shf_error_free(inner);
        return status;
    }
    status = check_shape(router, &npy, error);
    if (status) return status;
    router->rows = (uint32_t)npy.rows;
    /* Fits: limits of shards and of dimensions. */
    uint64_t charge = ((uint64_t)router->rows * router->dimension + router->rows) * sizeof(double);
    if (!shf_budget_take(router->budget, charge)) {
        return shf_budget_refuse(router->budget, charge, "the centroids or hyperplanes of a snapshot", error);
    }
    router->charged_bytes = charge;
    router->table = shf_alloc_array((size_t)router->rows * router->dimension, sizeof *router->table);
    router->norms = shf_alloc_array(router->rows, sizeof *router->norms);
    if (!router->table || !router->norms) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %" PRIu64 " centroids or hyperplanes", npy.rows);
    }
    shf_npy_read(&npy, router->table);
    for (uint32_t row = 0; row < router->rows; row++) {
        router->norms[row] = norm_of_row(router->table + (size_t)row * router->dimension, router->dimension);
    }
    return check_finite(router, error);
}

shf_status shf_vector_router_new(const struct shf_manifest *manifest, shf_slice table, struct shf_budget *budget,
                                 struct shf_vector_router **out, struct shf_error **error) {
    const struct shf_manifest_vector *vector = &manifest->vector;
    struct shf_vector_router *router = shf_alloc_zero(1, sizeof *router);
    if (!router) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the routing of vectors");
    assert(vector->routing.strategy && vector->metric && vector->dimension && vector->routing.num_probes);
    router->strategy = vector->routing.strategy;
    router->metric = vector->metric;
    router->num_dbs = manifest->num_dbs;
    router->dimension = vector->dimension;
    router->num_probes = vector->routing.num_probes;
    router->budget = budget;
    shf_status status = shf_vector_router_needs_table(manifest) ? take_table(router, table, error) : SHF_OK;
    const struct shf_manifest_routing *routing = &vector->routing;
    if (router->strategy == SHF_VECTORS_BY_CEL && routing->cel_expr && routing->cel_column_count) {
        status = shf_routing_compile_vectors(routing, router->num_dbs, &router->cel, error);
    }
    if (status) {
        shf_vector_router_free(router);
        return status;
    }
    *out = router;
    return SHF_OK;
}

void shf_vector_router_free(struct shf_vector_router *router) {
    if (!router) return;
    shf_free(router->table);
    shf_free(router->norms);
    shf_cel_router_free(router->cel);
    shf_budget_give(router->budget, router->charged_bytes);
    shf_free(router);
}
