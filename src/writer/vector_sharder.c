#include "writer/vector_sharder.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "formats/npy.h"
#include "writer/hyperplanes.h"
#include "writer/nearest.h"

#include <inttypes.h>

#define SAMPLE_SHARE 4u /* of the memory for rows */

shf_status shf_vector_sharder_new(struct shf_vector_options *options, enum shf_metric metric, uint64_t memory_bytes,
                                  struct shf_vector_sharder **out, struct shf_error **error) {
    struct shf_vector_sharder *sharder = shf_alloc_zero(1, sizeof *sharder);
    if (!sharder) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the sharding of vectors");
    sharder->strategy = shf_vector_options_strategy(options);
    sharder->metric = metric;
    sharder->num_dbs = options->num_dbs;
    sharder->num_probes = options->num_probes ? options->num_probes : 1;
    sharder->hash_bits = shf_vector_options_hash_bits(options);
    sharder->seed = options->seed;
    sharder->trains = shf_vector_options_train(options);
    sharder->training_rows = shf_vector_options_training_rows(options);
    sharder->training_rounds = shf_vector_options_training_rounds(options);
    sharder->sample_bytes = sharder->trains ? memory_bytes / SAMPLE_SHARE : 0;
    sharder->budget = options->budget;
    sharder->table = options->table;
    sharder->table_size = options->table_size;
    sharder->charged_bytes = options->table ? options->table_size : 0;
    options->table = NULL;
    *out = sharder;
    return SHF_OK;
}

void shf_vector_sharder_clear(struct shf_vector_sharder *sharder) {
    shf_free(sharder->table);
    shf_budget_give(sharder->budget, sharder->charged_bytes);
    shf_vector_router_free(sharder->router);
    shf_sample_free(sharder->sample);
    sharder->table = NULL;
    sharder->charged_bytes = 0;
    sharder->router = NULL;
    sharder->sample = NULL;
}

void shf_vector_sharder_free(struct shf_vector_sharder *sharder) {
    if (!sharder) return;
    shf_vector_sharder_clear(sharder);
    shf_free(sharder);
}

bool shf_vector_sharder_decides(const struct shf_vector_sharder *sharder) {
    return sharder->strategy == SHF_VECTORS_BY_CLUSTER || sharder->strategy == SHF_VECTORS_BY_LSH;
}

const char *shf_vector_sharder_table_name(const struct shf_vector_sharder *sharder) {
    if (sharder->strategy == SHF_VECTORS_BY_CLUSTER) return "centroids.npy";
    return sharder->strategy == SHF_VECTORS_BY_LSH ? "hyperplanes.npy" : NULL;
}

/* ---- the table ---- */

static shf_status take_table(struct shf_vector_sharder *sharder, const float *items, uint32_t rows, uint32_t dimension,
                             struct shf_error **error) {
    size_t size = shf_npy_size(rows, dimension);
    if (!shf_budget_take(sharder->budget, size)) {
        return shf_budget_refuse(sharder->budget, size, "the centroids or hyperplanes of a snapshot", error);
    }
    sharder->table = shf_alloc(size);
    if (!sharder->table) {
        shf_budget_give(sharder->budget, size);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for centroids or hyperplanes of %zu bytes", size);
    }
    sharder->table_size = sharder->charged_bytes = size;
    shf_npy_write(items, rows, dimension, sharder->table);
    return SHF_OK;
}

/* As a reader makes it of what will be uploaded. */
static shf_status make_router(struct shf_vector_sharder *sharder, uint32_t dimension, struct shf_error **error) {
    const struct shf_manifest manifest = {.num_dbs = sharder->num_dbs,
                                          .has_vector = true,
                                          .vector = {.dimension = dimension,
                                                     .metric = sharder->metric,
                                                     .routing = {.strategy = sharder->strategy, .num_probes = 1}}};
    return shf_vector_router_new(&manifest, (shf_slice){sharder->table, sharder->table_size}, sharder->budget,
                                 &sharder->router, error);
}

static shf_status draw(struct shf_vector_sharder *sharder, uint32_t dimension, struct shf_error **error) {
    float *planes = shf_alloc_array((size_t)sharder->hash_bits * dimension, sizeof *planes);
    if (!planes) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to draw hyperplanes");
    shf_draw_hyperplanes(sharder->seed, sharder->hash_bits, dimension, planes);
    shf_status status = take_table(sharder, planes, sharder->hash_bits, dimension, error);
    shf_free(planes);
    return status;
}

static shf_status begin_sample(struct shf_vector_sharder *sharder, uint32_t dimension, struct shf_error **error) {
    uint64_t row_bytes = shf_sample_row_bytes(dimension), room = sharder->sample_bytes / row_bytes;
    if (sharder->sample) return SHF_OK;
    if (room < sharder->num_dbs) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "to find %" PRIu32 " centroids as many rows of %" PRIu32
                             " floats must fit into a quarter of memory_bytes, which holds %" PRIu64
                             "; give at least %" PRIu64 " bytes, or centroids",
                             sharder->num_dbs, dimension, room, SAMPLE_SHARE * (sharder->num_dbs * row_bytes));
    }
    const struct shf_sample_options options = {.dimension = dimension,
                                               .limit = room < sharder->training_rows ? (uint32_t)room
                                                                                      : sharder->training_rows,
                                               .seed = sharder->seed,
                                               .budget = sharder->budget};
    return shf_sample_new(&options, &sharder->sample, error);
}

shf_status shf_vector_sharder_expect(struct shf_vector_sharder *sharder, size_t count, struct shf_error **error) {
    return sharder->sample ? shf_sample_expect(sharder->sample, count, error) : SHF_OK;
}

void shf_vector_sharder_see(struct shf_vector_sharder *sharder, const uint8_t *id, size_t id_size, const float *vector) {
    if (sharder->sample) shf_sample_add(sharder->sample, id, id_size, vector);
}

void shf_vector_sharder_drop_sample(struct shf_vector_sharder *sharder) {
    shf_sample_free(sharder->sample);
    sharder->sample = NULL;
}

shf_status shf_vector_sharder_begin(struct shf_vector_sharder *sharder, uint32_t dimension, struct shf_error **error) {
    shf_status status = SHF_OK;
    if (!shf_vector_sharder_decides(sharder) || sharder->router) return SHF_OK;
    if (sharder->trains) return begin_sample(sharder, dimension, error);
    if (!sharder->table) status = draw(sharder, dimension, error);
    return status ? status : make_router(sharder, dimension, error);
}

shf_status shf_vector_sharder_set_centroids(struct shf_vector_sharder *sharder, const float *centroids,
                                            uint32_t dimension, struct shf_error **error) {
    shf_status status = take_table(sharder, centroids, sharder->num_dbs, dimension, error);
    return status ? status : make_router(sharder, dimension, error);
}

char *shf_vector_sharder_take_table(struct shf_vector_sharder *sharder) {
    char *table = (char *)sharder->table;
    sharder->table = NULL; /* charged until the sharder goes */
    return table;
}

/* As float32 in the byte order of the file, little-endian, which vectors of rows are stored in as well. */
static const float *items_of(const struct shf_vector_sharder *sharder) {
    return (const float *)(const void *)(sharder->table + SHF_NPY_WRITTEN_HEADER_BYTES); /* aligned like the table */
}

void shf_vector_sharder_place(const void *context, const float *const *vectors, size_t count, uint32_t *shards) {
    const struct shf_vector_sharder *sharder = context;
    if (sharder->strategy == SHF_VECTORS_BY_CLUSTER) {
        shf_nearest_find(sharder->router, items_of(sharder), vectors, count, shards);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct shf_vector_probe probe;
        uint32_t found = 0;
        (void)shf_vector_route(sharder->router, vectors[i], NULL, 1, &probe, &shards[i], &found, NULL); /* can not fail */
    }
}
