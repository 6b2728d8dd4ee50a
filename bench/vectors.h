/* Queries and their true neighbours. */
#ifndef BENCH_VECTORS_H
#define BENCH_VECTORS_H

#include "bench/ours.h"

#include <stddef.h>

#define BENCH_DIMENSION 384u
#define BENCH_TOP_K 10u
#define BENCH_QUERIES 256u

struct bench_vectors {
    float (*queries)[BENCH_DIMENSION];
    int64_t (*truth)[BENCH_TOP_K];
};

/* Of the part `vectors` of the data, or of another one named. */
bool bench_vectors_load(struct bench_vectors *vectors, const char *data);
bool bench_vectors_load_part(struct bench_vectors *vectors, const char *data, const char *part);
void bench_vectors_free(struct bench_vectors *vectors);

shf_query bench_query(const struct bench_vectors *vectors, unsigned index);

/* Of the true ten of queries [first, first + count), the share that is among `ids` (ten a query). */
double bench_recall(const struct bench_vectors *vectors, unsigned first, unsigned count, const int64_t *ids);

/* Ids of a finished search, BENCH_TOP_K a query; absent ones are -1. */
void bench_hits(const shf_op *op, size_t query, int64_t *ids);

#endif
