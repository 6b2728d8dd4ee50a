/*
 * A data block of an SST: rows in the order of their keys, of one key the newest first (in a WAL object: in the order
 * in which they were written). Row versions 1 and 2. Pure; a block is read-only after opening: any number of threads.
 */
#ifndef SHF_FORMATS_SLATEDB_BLOCK_H
#define SHF_FORMATS_SLATEDB_BLOCK_H

#include "formats/slatedb/table.h"

enum shf_slatedb_row_kind { SHF_SLATEDB_VALUE, SHF_SLATEDB_TOMBSTONE, SHF_SLATEDB_MERGE };

/* Expiry is not read: readers of SlateDB do not apply it, only compaction does. */
struct shf_slatedb_row {
    struct shf_slatedb_bytes key; /* of a found row: the key that was asked for */
    struct shf_slatedb_bytes value;
    uint64_t seq;
    enum shf_slatedb_row_kind kind;
};

struct shf_slatedb_block {
    const uint8_t *data; /* unpacked */
    uint32_t version;
    uint32_t rows_size;               /* rows end here, offsets begin */
    uint32_t offset_count;            /* version 1: rows; 2: restart points */
    uint64_t offset;                  /* of the block in its file, for messages */
    struct shf_slatedb_memory memory; /* empty where data is of the caller's bytes */
};

/*
 * stored: just the bytes of shf_slatedb_table_block_range. Where the SST is not compressed the block is a view of them,
 * they must stay then. checked: these bytes passed here before (and can not have changed), so the checksum is not
 * computed again. SHF_E_CORRUPT, SHF_E_LIMIT, SHF_E_NO_MEMORY, SHF_E_INVALID (more than the budget has altogether).
 */
shf_status shf_slatedb_block_open(const struct shf_slatedb_info *info, const uint8_t *stored, size_t size,
                                  uint64_t offset, bool checked, struct shf_budget *budget,
                                  struct shf_slatedb_block *out, struct shf_error **error);
/* The same for a block after others. Also good after the unpacker was freed. */
shf_status shf_slatedb_block_open_with(const struct shf_slatedb_info *info, const uint8_t *stored, size_t size,
                                       uint64_t offset, bool checked, struct shf_slatedb_unpacker *unpacker,
                                       struct shf_slatedb_block *out, struct shf_error **error);
void shf_slatedb_block_close(struct shf_slatedb_block *block); /* zeroed is fine */

enum shf_slatedb_found {
    SHF_SLATEDB_BELOW,  /* every row's key is below: the next block may have it */
    SHF_SLATEDB_PASSED, /* a greater one came: it is not there */
    SHF_SLATEDB_HERE
};
/* The first row with this key. Allocates nothing. SHF_E_CORRUPT; SHF_E_UNSUPPORTED: flags that are not known. */
shf_status shf_slatedb_block_find(const struct shf_slatedb_block *block, struct shf_slatedb_bytes key,
                                  enum shf_slatedb_found *found, struct shf_slatedb_row *row, struct shf_error **error);

/*
 * All rows of a block in order. Zero it, set block. The row's key is good until the next call, its value as long as the
 * block.
 */
struct shf_slatedb_rows {
    const struct shf_slatedb_block *block;
    size_t at;
    uint32_t next; /* version 1 */
    uint8_t *key;  /* grows up to SHF_SLATEDB_KEY_BYTES; not charged to a budget */
    size_t key_size, key_capacity;
};
/* *done: there is none left. */
shf_status shf_slatedb_rows_next(struct shf_slatedb_rows *rows, bool *done, struct shf_slatedb_row *row,
                                 struct shf_error **error);
void shf_slatedb_rows_free(struct shf_slatedb_rows *rows);

#endif
