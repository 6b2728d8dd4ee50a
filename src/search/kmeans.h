/*
 * k-means: k-means++ (D. Arthur, S. Vassilvitskii, 2007, https://dl.acm.org/doi/10.5555/1283383.1283494; greedy, several
 * candidates a centroid), then Lloyd's rounds. A machine of phases, without threads of its own: each phase has pieces, which
 * may run at once on any threads; when all have run, one thread advances to the next phase.
 *
 *     while ((pieces = shf_kmeans_pieces(kmeans)) > 0) {
 *         for (piece = 0; piece < pieces; piece++) shf_kmeans_run(kmeans, piece);    in any order, in parallel
 *         shf_kmeans_advance(kmeans);
 *     }
 *
 * What comes out depends on rows, options and instruction set alone: not on how many threads ran the pieces. Neither call
 * can fail; all memory is taken by shf_kmeans_new and charged to the budget.
 */
#ifndef SHF_SEARCH_KMEANS_H
#define SHF_SEARCH_KMEANS_H

#include "base/budget.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct shf_kmeans;

struct shf_kmeans_options {
    float *rows; /* count * dimension finite floats, borrowed, 64-byte aligned. With `spherical` they are normalised in place,
                    rows of norm 0 stay as they are */
    uint64_t count;
    uint32_t dimension, clusters; /* clusters <= count, at least 1 */
    uint32_t rounds;              /* of Lloyd, at most; at least 1 */
    bool spherical; /* cosine: rows and centroids are normalised, so that the nearest by the sum of squares is the nearest by
                       cosine */
    uint64_t seed;
    const float *initial; /* clusters * dimension: begin with these; NULL = k-means++ */
    struct shf_budget *budget;
};

/* SHF_E_NO_MEMORY, SHF_E_INVALID (fewer rows than clusters). */
shf_status shf_kmeans_new(const struct shf_kmeans_options *options, struct shf_kmeans **out, struct shf_error **error);
void shf_kmeans_free(struct shf_kmeans *kmeans); /* NULL is fine */

uint32_t shf_kmeans_pieces(const struct shf_kmeans *kmeans); /* of the present phase; 0 = it is over */
void shf_kmeans_run(struct shf_kmeans *kmeans, uint32_t piece);
void shf_kmeans_advance(struct shf_kmeans *kmeans);

/* When it is over: clusters * dimension floats, live as long as kmeans. A cluster without rows keeps its centroid. */
const float *shf_kmeans_centroids(const struct shf_kmeans *kmeans);
double shf_kmeans_inertia(const struct shf_kmeans *kmeans); /* sum of squared distances to the nearest centroid */
uint32_t shf_kmeans_rounds(const struct shf_kmeans *kmeans);

#endif
