/* One sorted source of a scan: the WAL, an L0 SST, a run. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_SCAN_PRIV_H
#define SHF_FORMATS_SLATEDB_SCAN_PRIV_H

#include "formats/slatedb/scan.h"

struct shf_scan_cursor {
    /* The WAL: */
    const struct shf_slatedb_sorted *wal;
    uint64_t next_row;
    /* SSTs: */
    const struct shf_slatedb_segment *segment;
    uint32_t next_sst, sst_end, sst;
    struct shf_slatedb_table *table; /* of sst; NULL = the next SST is to be opened */
    uint32_t next_block;
    struct shf_slatedb_block block;
    struct shf_slatedb_rows rows;
    bool has_block;
    /* The row where it stands. */
    struct shf_slatedb_row row;
};

struct shf_scan_place { /* where the bytes are */
    const struct shf_slatedb_manifest *manifest;
    struct shf_slatedb_bytes_source *source;
    struct shf_slatedb_unpacker *unpacker; /* and the budget */
};

/* *done: it has no row any more. */
shf_status shf_scan_cursor_next(struct shf_scan_cursor *cursor, const struct shf_scan_place *place, bool *done,
                                struct shf_error **error);
void shf_scan_cursor_close(struct shf_scan_cursor *cursor);

#endif
