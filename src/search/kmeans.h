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
 * What comes out depends on rows and options alone, to the bit: not on how many threads ran the pieces or in what order, nor
 * on the instruction set. The nearest centroid is the one whose sum of squares, as kernel.h computes it in float64, is the
 * least; of equal ones the first. Bounds and float32 only save work. Neither call can fail; all memory is taken by
 * shf_kmeans_new and charged to the budget: beside the rows up to 4 * (clusters / 32 + 5) bytes a row (at most 84), without
 * `initial` 18 + 8 * (2 + ln(clusters)), if that is more; and some 24 bytes a value of the centroids.
 *
 * Rounds end when no row changes its cluster, after `rounds`, or when no value of a centroid changed by more than 1e-6 +
 * 1e-5 of itself, as in the reference (which then returns the centroids before the change; these are the ones after it).
 *
 * Rows must be finite; beyond that their size does not matter: where float32 would overflow or lose too much, float64 decides,
 * and takes several times as long.
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
    const float *initial; /* clusters * dimension: begin with these; NULL = k-means++. Not needed after the first phase */
    struct shf_budget *budget;
};

/* SHF_E_NO_MEMORY, SHF_E_INVALID (fewer rows than clusters, more than 2^31 - 1 rows, 0 of something). */
shf_status shf_kmeans_new(const struct shf_kmeans_options *options, struct shf_kmeans **out, struct shf_error **error);
void shf_kmeans_free(struct shf_kmeans *kmeans); /* NULL is fine */

uint32_t shf_kmeans_pieces(const struct shf_kmeans *kmeans); /* of the present phase; 0 = it is over */
void shf_kmeans_run(struct shf_kmeans *kmeans, uint32_t piece);
void shf_kmeans_advance(struct shf_kmeans *kmeans);

/*
 * When it is over: clusters * dimension floats, live as long as kmeans. A cluster without rows keeps its centroid, as in the
 * reference: after k-means++ that happens when there are fewer different rows than clusters, and next to never otherwise. So
 * does, with `spherical`, a cluster whose rows add up to zero.
 */
const float *shf_kmeans_centroids(const struct shf_kmeans *kmeans);
double shf_kmeans_inertia(const struct shf_kmeans *kmeans); /* sum of squared distances to the nearest centroid */
uint32_t shf_kmeans_rounds(const struct shf_kmeans *kmeans);

#endif
