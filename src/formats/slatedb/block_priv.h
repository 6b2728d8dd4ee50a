/* Rows as they lie in a block. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_BLOCK_PRIV_H
#define SHF_FORMATS_SLATEDB_BLOCK_PRIV_H

#include "base/cursor.h"
#include "formats/slatedb/block.h"

/* A row whose key is the first `shared` bytes of another one's, then suffix. */
struct shf_slatedb_stored_row {
    uint32_t shared;
    struct shf_slatedb_bytes suffix, value;
    uint64_t seq;
    enum shf_slatedb_row_kind kind;
    size_t end; /* where the next one begins */
};

/* The row at this place. SHF_E_CORRUPT, SHF_E_UNSUPPORTED. */
shf_status shf_slatedb_row_read(const struct shf_slatedb_block *block, size_t at, struct shf_slatedb_stored_row *out,
                                struct shf_error **error);
/*
 * Just the key of a restart point (version 2), for finding one among them: what lies behind the key, most often in
 * another cache line, is not looked at. SHF_E_CORRUPT.
 */
shf_status shf_slatedb_row_key(const struct shf_slatedb_block *block, size_t at, struct shf_slatedb_bytes *out,
                               struct shf_error **error);
shf_status shf_slatedb_row_refuse(const struct shf_slatedb_block *block, size_t at, const char *what,
                                  struct shf_error **error);

/* Offset number `index` of the block. */
static inline size_t shf_slatedb_block_offset(const struct shf_slatedb_block *block, uint32_t index) {
    return shf_load_u16be(block->data + block->rows_size + (size_t)2 * index);
}

#endif
