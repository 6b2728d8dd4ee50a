/*
 * The vectors of one shard laid out for scanning: a file of our own, derived from the shard and kept beside it in the
 * local cache, mapped and shared by processes. Little-endian. All sections begin at multiples of 64 bytes:
 *
 *   header (4,096 bytes)    magic, version, dimension, rows, section offsets, identity of the shard, checksum of the header
 *   vectors                 rows * dimension float32, row after row without gaps
 *   norms                   rows float64: Euclidean norm of each row, as the search kernels compute it
 *   rowids                  rows int64
 */
#ifndef SHF_FORMATS_VECTOR_LAYOUT_H
#define SHF_FORMATS_VECTOR_LAYOUT_H

#include "base/error.h"

#include <stdint.h>

struct shf_vector_layout {
    uint32_t dimension;
    uint64_t rows;
    uint64_t vectors_offset, norms_offset, rowids_offset, total_size;
};

/* Computes the offsets for dimension and rows. SHF_E_LIMIT when sizes overflow. */
shf_status shf_vector_layout_plan(uint32_t dimension, uint64_t rows, struct shf_vector_layout *out,
                                  struct shf_error **error);

/* Writes the header into bytes (at least 4,096). */
void shf_vector_layout_write_header(const struct shf_vector_layout *layout, const uint8_t identity[32], uint8_t *bytes);

/* Checks a file's header against its size and the identity of the shard. SHF_E_INDEX when it is not that shard's layout. */
shf_status shf_vector_layout_open(const uint8_t *bytes, uint64_t size, const uint8_t identity[32],
                                  struct shf_vector_layout *out, struct shf_error **error);

#endif
