/*
 * All keys of a SlateDB database in order, with their newest values: a merge of the WAL, every L0 SST and every run.
 * For verification and tests: everything must be there (mapped, or in memory). Pure. One thread at a time.
 *
 * Sources come in the order in which a lookup asks them, so the two agree on every database. Memory, charged to the
 * budget: for every L0 SST and every run of a segment one index and one block at a time.
 */
#ifndef SHF_FORMATS_SLATEDB_SCAN_H
#define SHF_FORMATS_SLATEDB_SCAN_H

#include "formats/slatedb/block.h"
#include "formats/slatedb/manifest.h"
#include "formats/slatedb/sorted.h"

/* Gives bytes of SST number `sst` of the manifest; they stay as long as the scan. */
struct shf_slatedb_bytes_source {
    shf_status (*read)(struct shf_slatedb_bytes_source *source, uint32_t sst, uint64_t offset, uint64_t size,
                       const uint8_t **bytes, struct shf_error **error);
};

struct shf_slatedb_scan;

/* All borrowed until the end. wal: NULL = it has no rows. SHF_E_NO_MEMORY, SHF_E_INVALID. */
shf_status shf_slatedb_scan_new(const struct shf_slatedb_manifest *manifest, const struct shf_slatedb_sorted *wal,
                                struct shf_slatedb_bytes_source *source, struct shf_budget *budget,
                                struct shf_slatedb_scan **out, struct shf_error **error);
/*
 * The next key that is there; the row is good until the next call. SHF_E_CORRUPT (keys out of order, too),
 * SHF_E_UNSUPPORTED (the newest row of a key is a merge operand), SHF_E_LIMIT, SHF_E_NO_MEMORY, the source's errors: it
 * can only be freed then.
 */
shf_status shf_slatedb_scan_next(struct shf_slatedb_scan *scan, bool *done, struct shf_slatedb_row *row,
                                 struct shf_error **error);
void shf_slatedb_scan_free(struct shf_slatedb_scan *scan); /* NULL is fine */

#endif
