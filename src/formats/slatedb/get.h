/*
 * A lookup in a SlateDB database whose bytes may not be there yet: it goes as far as it can, and then says what it
 * needs. So the same code works over mapped files, over memory and over range requests. Pure; allocates nothing. One
 * thread at a time.
 *
 *     shf_slatedb_get_begin(&get, manifest, wal, key);
 *     for (;;) {
 *         status = shf_slatedb_get_step(&get, &answer, &error);
 *         if (status || answer == SHF_SLATEDB_FOUND || answer == SHF_SLATEDB_ABSENT) break;
 *         if (answer == SHF_SLATEDB_NEEDS_TABLE) get.table = ...the table of SST get.sst, from the range get.offset, get.size;
 *         if (answer == SHF_SLATEDB_NEEDS_BLOCK) get.block = ...block get.block_number of it, from the range;
 *     }
 *
 * Order (newest first, the first hit counts): the WAL, the L0 SSTs, the runs, of a run the SSTs from left to right. A
 * miss costs no read where first and last keys, or the filter of a table that is there, exclude the key.
 */
#ifndef SHF_FORMATS_SLATEDB_GET_H
#define SHF_FORMATS_SLATEDB_GET_H

#include "formats/slatedb/block.h"
#include "formats/slatedb/manifest.h"
#include "formats/slatedb/sorted.h"

enum shf_slatedb_answer { SHF_SLATEDB_FOUND, SHF_SLATEDB_ABSENT, SHF_SLATEDB_NEEDS_TABLE, SHF_SLATEDB_NEEDS_BLOCK };

struct shf_slatedb_get {
    /* Given by the caller; both must stay until the next step, the block until its value has been used. */
    const struct shf_slatedb_table *table;
    const struct shf_slatedb_block *block;
    /* What is needed: */
    uint32_t sst;          /* in manifest->ssts */
    uint32_t block_number; /* SHF_SLATEDB_NEEDS_BLOCK */
    uint64_t offset, size; /* in the object of the SST; size is at least 1 */
    /* What was found; a view of the block or of the WAL. */
    struct shf_slatedb_row row;
    /* Its own: */
    const struct shf_slatedb_manifest *manifest;
    const struct shf_slatedb_sorted *wal;
    const struct shf_slatedb_segment *segment;
    struct shf_slatedb_bytes key;
    enum shf_slatedb_get_stage { SHF_GET_WAL, SHF_GET_NEXT_SST, SHF_GET_TABLE, SHF_GET_BLOCK, SHF_GET_OVER } stage;
    uint32_t list;              /* the next one of the segment: L0 SSTs, then runs */
    uint32_t next_sst, sst_end; /* of this list */
    uint32_t block_end;
    bool has_hash;
    uint64_t hash;
};

/* All borrowed until the end of the lookup. wal: NULL = it has no rows. */
void shf_slatedb_get_begin(struct shf_slatedb_get *get, const struct shf_slatedb_manifest *manifest,
                           const struct shf_slatedb_sorted *wal, struct shf_slatedb_bytes key);
/*
 * SHF_E_UNSUPPORTED: the newest row of the key is a merge operand, or has flags that are not known; SHF_E_CORRUPT.
 * Then, and after FOUND or ABSENT, the lookup is over.
 */
shf_status shf_slatedb_get_step(struct shf_slatedb_get *get, enum shf_slatedb_answer *answer, struct shf_error **error);

#endif
