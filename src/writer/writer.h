/*
 * The writer object: what it was asked for, the rows that it holds, the operations on it, and its end.
 *
 * Rows are added on the caller's thread under the mutex; when memory is full a write waits in `pending` until a worker told
 * that there is room. Opening, publishing and closing are chains of steps on the loop thread, with work for workers between.
 */
#ifndef SHF_WRITER_WRITER_H
#define SHF_WRITER_WRITER_H

#include "rt/op.h"
#include "writer/claim.h"
#include "writer/lease.h"
#include "writer/rows.h"
#include "writer/scratch.h"
#include "writer/setup.h"

#include <pthread.h>

struct shf_writer_open_op;
struct shf_write_op;
struct shf_publish_op;
struct shf_writer_close_op;

struct shf_writer {
    atomic_uint references; /* the caller's, one an operation that runs, one for the end */
    shf_runtime *runtime;   /* retained */
    struct shf_writer_setup setup;
    struct shf_scratch scratch;
    struct shf_writer_open_op *opening; /* loop thread only; so are: */
    struct shf_claim claim;
    struct shf_lease lease;

    pthread_mutex_t mutex;
    struct {                                /* under mutex */
        struct shf_rows *rows;              /* made at the first row */
        enum shf_key_encoding key_encoding; /* 0 = not known yet */
        uint32_t dimension;                 /* likewise */
        uint32_t id_kind;                   /* SHF_ID_*; 0 = not known yet */
        bool ids_differ;                    /* some id is not the row's key */
        uint64_t row_count;
        uint64_t rows_cut;      /* whose routing value was cut at a NUL */
        uint64_t spilled_bytes; /* once the rows are gone; else they tell */
        struct shf_write_op *pending, **pending_tail;
        struct shf_publish_op *publishing; /* runs */
        bool publish_called, closed, failed;
        struct shf_error *failure; /* with failed */
    };
    struct shf_task drain_task;
    atomic_bool drain_posted;

    struct { /* for shf_writer_progress_get */
        atomic_uint phase, num_dbs, shards_done;
        atomic_uint_least64_t rows, bytes, rows_built, built_bytes, uploaded_bytes;
    } progress;

    struct { /* loop thread only: the end */
        struct shf_task end_task, work_task;
        void (*work_dropped)(struct shf_writer *writer);
        struct shf_writer_close_op *closers;
        bool ending, ended;
    };
};

/* The setup moves in. Counts as a handle of the runtime until shf_writer_drop_handle. */
shf_status shf_writer_new(struct shf_writer_setup *setup, struct shf_writer **out);
struct shf_writer *shf_writer_retain(struct shf_writer *writer);
void shf_writer_drop(struct shf_writer *writer);
/* The caller's reference: closes what was not closed. */
void shf_writer_drop_handle(struct shf_writer *writer);

/* The store of rows told that there is room, or that it failed. Any thread. */
void shf_writer_room(void *context);
/* Everything later ends with this error (cloned). Mutex held or not needed yet. */
void shf_writer_fail_locked(struct shf_writer *writer, const struct shf_error *error);

/* Each row has a vector. */
static inline bool shf_writer_has_vectors(const struct shf_writer *writer) {
    return writer->setup.is_unified || writer->setup.vectors;
}

/* Any thread. */
uint64_t shf_writer_spilled_bytes(const struct shf_writer *writer);

/* Refuses what comes and cancels what runs; any thread. `then` the end begins on the loop (end.c). */
void shf_writer_shut(struct shf_writer *writer);
/* Loop thread: gives up rows and local files, of which nobody makes use any more; `then` runs on the loop thread. */
void shf_writer_drop_work(struct shf_writer *writer, void (*then)(struct shf_writer *writer));
/* Loop thread: the publish is over. */
void shf_writer_publish_over(struct shf_writer *writer);
/* Workers and loop: pending writes are over, a publish that waited for them may begin (publish.c). */
void shf_publish_begin(struct shf_publish_op *publish);
/* Its token; mutex held. */
struct shf_cancel *shf_publish_op_cancel(struct shf_publish_op *publish);

/* ---- operations; arguments were checked by api ---- */

shf_status shf_writer_open_begin(struct shf_writer_setup *setup, const struct shf_submission *submission, shf_op_id *id);
shf_status shf_writer_write(struct shf_writer *writer, const shf_row *rows, size_t count,
                            const struct shf_submission *submission, shf_op_id *id);
shf_status shf_writer_publish(struct shf_writer *writer, const struct shf_submission *submission, shf_op_id *id);
shf_status shf_writer_close_begin(struct shf_writer *writer, const struct shf_submission *submission, shf_op_id *id);

#endif
