/*
 * The keys of a shard in a SlateDB database: the WAL's rows sorted in a file of the local cache, the SSTs mapped, their
 * indices and filters in memory (charged to the budget). Once open it is immutable, but for notes of which blocks were
 * found whole: any number of threads.
 */
#ifndef SHF_READER_SHARD_SLATEDB_H
#define SHF_READER_SHARD_SLATEDB_H

#include "formats/slatedb/get.h"
#include "formats/slatedb/wal.h"
#include "reader/shard/newest.h"
#include "reader/shard/object.h"

/* An SST that is there. */
struct shf_slatedb_table_file {
    struct shf_mapped_file file;
    struct shf_slatedb_table *table;
    atomic_uchar *whole; /* a bit for each block: its checksum was right */
};

struct shf_slatedb {
    struct shf_budget *budget; /* of the runtime */
    struct shf_slatedb_manifest *manifest;
    struct shf_mapped_file wal_file; /* no buf: the WAL has no objects */
    struct shf_slatedb_sorted wal;
    struct shf_slatedb_table_file *tables; /* each SST once */
    uint32_t table_count;
    uint32_t *table_of; /* of each place in manifest->ssts */
    uint64_t charged_bytes;
};

/* Opens the tables over the files that are mapped. Worker. */
shf_status shf_slatedb_open_tables(struct shf_slatedb *slatedb, struct shf_error **error);
void shf_slatedb_free(struct shf_slatedb *slatedb); /* NULL is fine */

/* A value, or that there is none. */
struct shf_slatedb_value {
    bool is_there;
    struct shf_slatedb_bytes value;
    struct shf_buf *mapping;        /* that the value lies in, borrowed; NULL: */
    struct shf_slatedb_block block; /* it lies in this unpacked block, to be closed once it has been copied */
};
/* Any thread. Allocates only where blocks are compressed. SHF_E_CORRUPT, SHF_E_UNSUPPORTED, SHF_E_LIMIT, SHF_E_NO_MEMORY. */
shf_status shf_slatedb_look_up(const struct shf_slatedb *slatedb, const void *key, size_t key_size,
                               struct shf_slatedb_value *out, struct shf_error **error);

/*
 * Opening one, a chain of steps:
 *
 *   loop    the newest manifest                                                    (newest.h)
 *   worker  parse; loop: list wal/; worker: which objects are to be replayed
 *   worker  their rows are in the cache, sorted: map them
 *   loop    else GET the objects, some at a time -> worker: replay; the last one: sort, write, map
 *   loop    bring the SSTs in (object.h) -> worker: open their tables
 *
 * An object that is gone by then was replaced by a writer, or by its compaction: from the beginning, once.
 */
struct shf_slatedb_opening {
    /* in */
    const struct shf_shard *shard;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_slatedb_opening *opening); /* once, on a worker */
    /* Before that, any thread: it will fail, and is worth cancelling. */
    void (*failing)(struct shf_slatedb_opening *opening);

    /* out */
    shf_status status;
    struct shf_error *error;  /* the receiver's */
    bool is_absent;           /* with SHF_E_NOT_FOUND: there is no manifest */
    struct shf_slatedb *made; /* the receiver's */
    uint64_t downloaded_bytes;

    /* own */
    struct shf_task task;
    struct shf_newest newest;
    struct shf_slatedb_wal_load *wal;
    struct shf_object_group group;
    bool asked_again;
};
void shf_slatedb_opening_start(struct shf_slatedb_opening *opening); /* any thread */

/* ---- within: slatedb_wal.c, slatedb_replay.c ---- */

/* What the WAL adds; `opening->made` has its manifest. Then shf_slatedb_opening_go_on, on a worker. */
void shf_slatedb_wal_start(struct shf_slatedb_opening *opening);
void shf_slatedb_wal_load_free(struct shf_slatedb_wal_load *load); /* NULL is fine */
/* The first object that could not be had. Any thread. */
void shf_slatedb_opening_lacks(struct shf_slatedb_opening *opening, shf_status status);
/* Goes on with the SSTs, or ends. Worker. */
void shf_slatedb_opening_go_on(struct shf_slatedb_opening *opening, shf_status status, struct shf_error *error);

#endif
