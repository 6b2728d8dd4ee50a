/*
 * Finding centroids: k-means over the sample of a sharder. Its pieces are tasks of the runtime's workers; between them the
 * operation is looked at, whether it is cancelled or its time is over.
 */
#ifndef SHF_WRITER_TRAINING_H
#define SHF_WRITER_TRAINING_H

#include "rt/op.h"
#include "writer/vector_sharder.h"

#include <stdatomic.h>

struct shf_kmeans;
struct shf_training;

struct shf_training_worker {
    struct shf_task task;
    struct shf_training *training;
};

struct shf_training {
    /* in */
    const struct shf_op *op;
    shf_runtime *runtime;
    struct shf_vector_sharder *vectors; /* its sample is used up, and it gets the centroids */
    uint32_t dimension, rounds;
    void (*done)(struct shf_training *training); /* loop thread */

    /* out */
    shf_status status;
    struct shf_error *error;
    uint32_t row_count, rounds_done;
    double inertia;
    int64_t duration_ns;

    /* its own while it works */
    struct shf_task task;
    struct shf_kmeans *kmeans;
    struct shf_training_worker *workers;
    uint32_t worker_count, pieces;
    atomic_uint next_piece, active;
    int64_t began_ns;
};

void shf_training_start(struct shf_training *training);

#endif
