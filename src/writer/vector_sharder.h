/*
 * To which shard a row of a snapshot of vectors alone goes when its vector decides: cluster and lsh. The arithmetic is that
 * of readers (snapshot/vector_router.h): the first shard that a query equal to a stored vector goes to is the one that has it.
 *
 * Beginning and the end are for one thread at a time; place, which needs the table, for any number.
 */
#ifndef SHF_WRITER_VECTOR_SHARDER_H
#define SHF_WRITER_VECTOR_SHARDER_H

#include "snapshot/vector_router.h"
#include "writer/sample.h"
#include "writer/vector_options.h"

struct shf_vector_sharder {
    enum shf_vector_strategy strategy;
    enum shf_metric metric;
    uint32_t num_dbs;    /* 0 = by the expression */
    uint32_t num_probes; /* of the manifest */
    uint32_t hash_bits;
    uint64_t seed;
    /* Centroids are found when all rows are there, among these: */
    bool trains;
    uint32_t training_rows, training_rounds; /* at most */
    uint64_t sample_bytes;                   /* of memory for the sample, at most */
    struct shf_sample *sample;
    struct shf_budget *budget;
    uint8_t *table; /* a .npy file: centroids or hyperplanes; NULL = not known yet, or none */
    size_t table_size;
    uint64_t charged_bytes;           /* for it */
    struct shf_vector_router *router; /* of the table */
};

/* The options' table moves in. memory_bytes: for rows; a sample gets a quarter of it. SHF_E_NO_MEMORY. */
shf_status shf_vector_sharder_new(struct shf_vector_options *options, enum shf_metric metric, uint64_t memory_bytes,
                                  struct shf_vector_sharder **out, struct shf_error **error);
/* Gives back the memory of sample and table, which nobody needs any more. */
void shf_vector_sharder_clear(struct shf_vector_sharder *sharder);
void shf_vector_sharder_free(struct shf_vector_sharder *sharder); /* NULL is fine */

/* Whether shf_vector_sharder_place decides; else each row says, or an expression. */
bool shf_vector_sharder_decides(const struct shf_vector_sharder *sharder);
/*
 * The dimension is known: hyperplanes that were not given are drawn, a sample begins. Again it does nothing. SHF_E_NO_MEMORY,
 * SHF_E_LIMIT (the memory does not hold as many rows as there are shards).
 */
shf_status shf_vector_sharder_begin(struct shf_vector_sharder *sharder, uint32_t dimension, struct shf_error **error);
/* Rows for the sample, where there is one: first how many, all or none of them. SHF_E_NO_MEMORY. */
shf_status shf_vector_sharder_expect(struct shf_vector_sharder *sharder, size_t count, struct shf_error **error);
void shf_vector_sharder_see(struct shf_vector_sharder *sharder, const uint8_t *id, size_t id_size, const float *vector);
void shf_vector_sharder_drop_sample(struct shf_vector_sharder *sharder);
/* num_dbs centroids that were found; copied. SHF_E_NO_MEMORY. */
shf_status shf_vector_sharder_set_centroids(struct shf_vector_sharder *sharder, const float *centroids,
                                            uint32_t dimension, struct shf_error **error);

/* The shards of vectors; with a table, which was not taken. `context` is the sharder. */
void shf_vector_sharder_place(const void *context, const float *const *vectors, size_t count, uint32_t *shards);

/* What is to be uploaded, the caller's to shf_free; once. */
char *shf_vector_sharder_take_table(struct shf_vector_sharder *sharder);

/* Name of the table's object in the directory of the run's tables; NULL = the strategy has none. */
const char *shf_vector_sharder_table_name(const struct shf_vector_sharder *sharder);

#endif
