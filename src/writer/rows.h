/*
 * Rows between shf_write and the shard files: collected in memory, sorted, spilled to sorted runs on the local disk when
 * memory is full, and read back shard by shard in ascending order of the stored key.
 *
 * Memory: rows are packed into blocks (mapped memory of equal size, given back to the system at the end) out of
 * options.memory_bytes, all charged to the runtime's budget when first used. While one block fills, workers sort those
 * that are full. When a row found no block free, the oldest sorted one is written to disk, and from then on whenever none
 * is free. So what fits in memory never touches the disk. A row larger than a block gets one of its own size, charged, for
 * as long as it takes to write it out. With a budget that others use up there are fewer blocks, one at least.
 *
 * Runs are files in the scratch directory, unlinked at once (nothing is left behind by a crash), written with pwrite (a
 * full disk is an error, not a signal) and read through a mapping, whose pages leave the process when they were read. When
 * there are more of a length than options.max_runs they are merged into a longer one. While the number of shards is not
 * known rows are written in the order of adding, and sorted when it is.
 *
 * Threads: add may be called from any thread; the rest from one at a time. Sorting and spilling are tasks of the runtime's
 * workers.
 */
#ifndef SHF_WRITER_ROWS_H
#define SHF_WRITER_ROWS_H

#include "base/cancel.h"
#include "base/error.h"
#include "rt/runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_rows;

#define SHF_ROWS_PLACE_BATCH 16u

struct shf_rows_options {
    shf_runtime *runtime;
    uint64_t memory_bytes;    /* for blocks, at least 1 MiB */
    uint32_t num_dbs;         /* 0 = told at the end: shf_rows_finish */
    uint32_t dimension;       /* floats a row; 0 = none */
    bool last_wins;           /* of equal keys the last added is given, else shf_rows_merge_next fails */
    int scratch_fd;           /* directory for runs, borrowed */
    const char *scratch_name; /* its path, for messages, borrowed */
    /*
     * Which shards rows of these vectors belong to, below num_dbs; NULL = hash mod num_dbs. Asked by workers when a block
     * is sorted, several at once; where num_dbs is told at the end not before. At most SHF_ROWS_PLACE_BATCH at a time.
     */
    void (*place)(const void *place_context, const float *const *vectors, size_t count, uint32_t *shards);
    const void *place_context;
    uint32_t max_runs; /* of one length: when there are more they are merged; 0 = 256, else at least 2 */
    /* Some worker, no lock held: blocks became free after an add answered SHF_E_BUSY, or the store failed. */
    void (*room)(void *context);
    void *context;
};

/* One row, borrowed for the call. Everything was checked. */
struct shf_rows_row {
    uint64_t hash;              /* of the key as routing sees it: its shard is hash mod num_dbs */
    uint64_t origin;            /* for messages about duplicates */
    const uint8_t *key, *value; /* stored key */
    uint32_t key_size, value_size;
    const void *vector; /* 4 * dimension bytes */
    bool id_is_key;     /* then the other id fields are not stored */
    bool id_is_text;
    int64_t id_integer;
    const char *id_text;
    uint32_t id_text_size;
    const char *payload; /* or NULL */
    uint32_t payload_size;
};

shf_status shf_rows_new(const struct shf_rows_options *options, struct shf_rows **out, struct shf_error **error);
/* Waits for no one: tasks under way are let go first (shf_rows_stop and its `stopped`). NULL is fine. */
void shf_rows_free(struct shf_rows *rows);

/*
 * Adds rows [0, count) in order; *added says how many were before memory was full (SHF_E_BUSY: go on with the rest after
 * `room`). SHF_E_NO_MEMORY, SHF_E_LIMIT, SHF_E_LOCAL: the store has failed for good. Several threads may add; the order
 * between them is that in which they get the lock.
 */
shf_status shf_rows_add(struct shf_rows *rows, const struct shf_rows_row *row, size_t count, size_t *added,
                        struct shf_error **error);

/*
 * No more rows: what is left is sorted, and with num_dbs unknown so far every row gets its shard (one more pass over what
 * was spilled). done runs on a worker or the caller's thread, once. num_dbs must be given where the options had 0.
 */
void shf_rows_finish(struct shf_rows *rows, uint32_t num_dbs, const struct shf_cancel *cancel,
                     void (*done)(void *context, shf_status status, struct shf_error *error));

/* Ends tasks under way soon; stopped runs on a worker or the caller's thread when none is left. Then free it. */
void shf_rows_stop(struct shf_rows *rows, void (*stopped)(void *context));

struct shf_rows_totals {
    uint64_t rows, bytes;   /* added; bytes of keys, values, vectors, ids, payloads */
    uint64_t spilled_bytes; /* written to runs, merges included */
};
void shf_rows_totals_get(const struct shf_rows *rows, struct shf_rows_totals *out); /* any thread */

/* After finish: what a shard holds, duplicates counted. */
#define SHF_ROWS_PAGE_SIZES 5u /* 4096, 8192, ..., 65536 */
struct shf_rows_shard {
    uint64_t rows;
    uint64_t fitting[SHF_ROWS_PAGE_SIZES]; /* rows that stay within their cell at that page size (shf_shard_row_fits) */
};
void shf_rows_shard_get(const struct shf_rows *rows, uint32_t shard, struct shf_rows_shard *out);

/* ---- reading a shard, after finish; merges of different shards may run at once on several threads ---- */

struct shf_rows_merge;
shf_status shf_rows_merge_new(struct shf_rows *rows, uint32_t shard, struct shf_rows_merge **out,
                              struct shf_error **error);
void shf_rows_merge_free(struct shf_rows_merge *merge);

/*
 * The next row in ascending order of (stored key); *done at the end. Views into memory or mapped runs, valid until the next
 * call (until the merge is freed, in fact). Of equal keys: with last_wins the last added, the others are added to *replaced;
 * else SHF_E_INVALID, with the origins in merge_conflict.
 */
shf_status shf_rows_merge_next(struct shf_rows_merge *merge, struct shf_rows_row *out, bool *done, uint64_t *replaced,
                               struct shf_error **error);
void shf_rows_merge_conflict(const struct shf_rows_merge *merge, uint64_t *first_origin, uint64_t *second_origin);

#endif
