/*
 * What the blocks of an SST are compressed with, unpacked within limits and charged to a budget. Pure.
 *
 * SHF_LIMIT_SLATEDB_BLOCK_BYTES is the most that a block may have. Up to SHF_LIMIT_SLATEDB_SMALL_BYTES it may come from
 * however few bytes (a large value of zeros is a sound row); above, from at least one for SHF_LIMIT_ZSTD_RATIO.
 */
#ifndef SHF_FORMATS_SLATEDB_UNPACK_H
#define SHF_FORMATS_SLATEDB_UNPACK_H

#include "base/budget.h"
#include "base/error.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes charged to a budget; all zeros = none. */
struct shf_slatedb_memory {
    uint8_t *data;
    size_t size, capacity;
    struct shf_budget *budget;
};
/*
 * Room for `capacity` bytes; what is there stays. SHF_E_NO_MEMORY, SHF_E_INVALID (never fits). `what` is for the
 * message.
 */
shf_status shf_slatedb_memory_grow(struct shf_slatedb_memory *memory, size_t capacity, const char *what,
                                   struct shf_error **error);
void shf_slatedb_memory_free(struct shf_slatedb_memory *memory);

/*
 * For unpacking one block after the other: keeps the context of zstd (some 100 KB, not charged), of which making one
 * takes longer than unpacking a usual block. {.budget = ...} to begin; one thread at a time.
 */
struct shf_slatedb_unpacker {
    struct shf_budget *budget;
    struct ZSTD_DCtx_s *zstd; /* made when it is wanted */
};
void shf_slatedb_unpacker_free(struct shf_slatedb_unpacker *unpacker); /* can be used again */

/*
 * codec: enum shf_slatedb_codec; SHF_SLATEDB_PLAIN copies. *out, charged to the unpacker's budget, is written on success
 * only. SHF_E_CORRUPT: undecodable, or bytes follow; SHF_E_LIMIT; SHF_E_NO_MEMORY. The messages want the name of the
 * part before them.
 */
shf_status shf_slatedb_unpack(struct shf_slatedb_unpacker *unpacker, uint8_t codec, const uint8_t *stored, size_t size,
                              struct shf_slatedb_memory *out, struct shf_error **error);

#endif
