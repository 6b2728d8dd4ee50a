/*
 * The rows of a replayed WAL in a form of our own: sorted, to be mapped, and shared by processes. A WAL is downloaded
 * and sorted once; a lookup in this form allocates nothing. Pure; read-only after opening: any number of threads.
 *
 *     header   72 bytes   magic "SHFSLWAL", u32 version 1, u32 size of the common prefix of all keys, u64 rows, u64 size of the
 *                         file, u64 replay_after_wal_id, u64 next_wal_id (the replay ended before it), u64 last_l0_seq,
 *                         u64 checksum of the rest, u64 checksum of the header up to here
 *     index    16 bytes a row: u64 the eight bytes of the key behind the common prefix (big-endian order, zeros at the end),
 *                         u64 offset of the row in the file
 *     rows     u16 key size, u8 kind (0 value, 1 tombstone, 2 merge operand), u8 zero, u32 value size, u64 sequence number, key, value
 *
 * Numbers are little-endian. Keys ascend strictly: of each key only the newest row is there. The first row begins where
 * the index ends, each next one where the one before ends, the last one ends the file. Checksums: XXH3-64 of the
 * header; of the rest, over pieces of SHF_SLATEDB_SORTED_PIECE bytes (the last one shorter): sum = XXH3-64(sum before,
 * XXH3-64(piece)), from 0.
 */
#ifndef SHF_FORMATS_SLATEDB_SORTED_H
#define SHF_FORMATS_SLATEDB_SORTED_H

#include "formats/slatedb/block.h"

#define SHF_SLATEDB_SORTED_VERSION 1u
#define SHF_SLATEDB_SORTED_HEADER 72u
#define SHF_SLATEDB_SORTED_PIECE 65536u

struct shf_slatedb_sorted {
    const uint8_t *data; /* borrowed */
    uint64_t size, row_count;
    uint64_t replay_after_wal_id, next_wal_id, last_l0_seq; /* what it was made from */
    uint64_t checksum;
    struct shf_slatedb_bytes prefix; /* of all keys */
};

/*
 * Looks at the header and the first row, whatever the number of rows. SHF_E_CORRUPT (another version, too: such a file
 * is made anew). Lookups check every place that they go to.
 */
shf_status shf_slatedb_sorted_open(const uint8_t *data, uint64_t size, struct shf_slatedb_sorted *out,
                                   struct shf_error **error);
/*
 * Reads everything: checksum, places, order. For a file that was just made or that nobody vouches for. SHF_E_CORRUPT.
 */
shf_status shf_slatedb_sorted_verify(const struct shf_slatedb_sorted *sorted, struct shf_error **error);

/* The row of a key. O(log rows). SHF_E_CORRUPT. */
shf_status shf_slatedb_sorted_find(const struct shf_slatedb_sorted *sorted, struct shf_slatedb_bytes key, bool *found,
                                   struct shf_slatedb_row *row, struct shf_error **error);
/* Row number `index`, below row_count. SHF_E_CORRUPT. */
shf_status shf_slatedb_sorted_row(const struct shf_slatedb_sorted *sorted, uint64_t index, struct shf_slatedb_row *row,
                                  struct shf_error **error);

/* Adds the next bytes of the part behind the header to its checksum: a whole piece, or the last one. */
uint64_t shf_slatedb_sorted_add(uint64_t sum, const uint8_t *piece, size_t size);

#endif
