/*
 * Which shards of a vector-only snapshot a query visits (vector-routing, section 3). Pure functions of an immutable router:
 * any number of threads. What they give is what was chosen, shards that turn out to be empty included.
 *
 * All arithmetic is float64, in one fixed order of additions: the same shards on every machine.
 */
#ifndef SHF_SNAPSHOT_VECTOR_ROUTER_H
#define SHF_SNAPSHOT_VECTOR_ROUTER_H

#include "base/budget.h"
#include "formats/cel/cel_route.h"
#include "formats/manifest.h"
#include "shardyfusion/types.h"

#define SHF_ROUTER_COSINE_EPSILON 1e-10 /* the Python project's: a zero centroid is at distance 1 */

struct shf_vector_router {
    enum shf_vector_strategy strategy;
    enum shf_metric metric;
    uint32_t num_dbs, dimension;
    uint32_t num_probes;        /* the manifest's */
    uint32_t rows;              /* of the table: centroids, one a shard; or hyperplanes, one a bit */
    double *table;              /* rows * dimension; NULL where the strategy needs none */
    double *norms;              /* of centroids, under cosine */
    struct shf_cel_router *cel; /* of `cel`; NULL: the manifest has no expression or no columns */
    struct shf_budget *budget;
    uint64_t charged_bytes;
};

/* The URL, as written, of the table that the strategy needs; NULL: it needs none, or the manifest names none. */
const char *shf_vector_router_table_ref(const struct shf_manifest *manifest);
bool shf_vector_router_needs_table(const struct shf_manifest *manifest);

/*
 * For a manifest whose custom.vector is sound (strategy, metric, dimension, num_probes) and the bytes of its table (a .npy
 * file; ignored where the strategy needs none). SHF_E_STATE: the table is damaged, not of this snapshot's shape, or has a
 * value that is no finite number; SHF_E_NO_MEMORY. The manifest must live as long.
 */
shf_status shf_vector_router_new(const struct shf_manifest *manifest, shf_slice table, struct shf_budget *budget,
                                 struct shf_vector_router **out, struct shf_error **error);
void shf_vector_router_free(struct shf_vector_router *router); /* NULL is fine */

/* How many shards a query with this num_probes (0 = the manifest's) may be sent to: at least 1, at most num_dbs. */
uint32_t shf_vector_router_most(const struct shf_vector_router *router, uint32_t num_probes);

/*
 * For who looks at few centroids only (cluster): the distance to one, as shf_vector_route computes it; nearer is smaller, and
 * of equal ones the first counts. `norm`: that of the vector.
 */
double shf_vector_router_norm(const float *vector, uint32_t dimension);
double shf_vector_router_distance(const struct shf_vector_router *router, uint32_t row, const float *vector, double norm);

struct shf_vector_probe {
    double distance;
    uint32_t shard;
};

/*
 * Chooses shards, each once, nearest first. cluster and lsh look at the vector (`dimension` floats), cel at the context
 * alone. `scratch` and `shards` have room for shf_vector_router_most. SHF_E_INVALID: explicit (only whoever asks can name
 * the shards), a missing vector or context, cel without an expression; SHF_E_ROUTING: the context has no shard.
 */
shf_status shf_vector_route(const struct shf_vector_router *router, const float *vector,
                            const shf_routing_context *context, uint32_t num_probes, struct shf_vector_probe *scratch,
                            uint32_t *shards, uint32_t *count, struct shf_error **error);

#endif
