/*
 * The nearest centroid of each of many vectors. What comes out is what snapshot/vector_router.h gives: the kernels of
 * searches, which add in another order, only leave out centroids that are too far off to matter.
 */
#ifndef SHF_WRITER_NEAREST_H
#define SHF_WRITER_NEAREST_H

#include "snapshot/vector_router.h"

#include <stddef.h>

/*
 * `centroids`: those of the router, as float32 (float32 is what they were made from); metric cosine or l2. Vectors are finite;
 * their shards are written to `shards`. Any number of threads.
 */
void shf_nearest_find(const struct shf_vector_router *router, const float *centroids, const float *const *vectors,
                      size_t count, uint32_t *shards);

#endif
