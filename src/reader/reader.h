/*
 * The reader object: which state it serves, which operations run on it, and its end.
 *
 * The pointer to the served state is taken under a mutex (a reference is added), never across I/O. Everything that
 * waits (opening, refreshing, closing) is a chain of steps on the loop thread.
 */
#ifndef SHF_READER_READER_H
#define SHF_READER_READER_H

#include "reader/state.h"
#include "rt/op.h"

#include <pthread.h>

struct shf_reader_op;
struct shf_load_op;
struct shf_close_op;

struct shf_reader {
    atomic_uint references; /* the caller's, and one an active operation */
    shf_runtime *runtime;   /* retained */
    struct shf_source *source;
    pthread_mutex_t mutex;
    struct {                           /* under mutex */
        struct shf_snapshot *snapshot; /* NULL before the first and after closing */
        bool closed;
        uint32_t active_count;
        struct shf_reader_op *active;
    };
    struct {                          /* loop thread only */
        bool loading;                 /* an open or refresh has its turn */
        struct shf_load_op *turns;    /* refreshes that wait for theirs, in order */
        struct shf_close_op *closers; /* closes that wait for the last operation */
    };
    struct shf_task idle_task; /* posted when the last operation of a closed reader ended */
    atomic_bool idle_posted;
};

/* Base of every operation on a reader. */
struct shf_reader_op {
    struct shf_op op; /* first */
    struct shf_reader *reader;
    struct shf_snapshot *snapshot; /* pinned until the operation is released */
    struct shf_reader_op *previous, *next;
    bool is_active;
    struct shf_task task;
    /* while it waits for a place among the reader's shard operations: */
    struct shf_turn turn;
    void (*work)(struct shf_task *task);
    void (*refused)(struct shf_reader_op *op, shf_status status);
};

/* A reader that serves nothing yet; counts as a handle of the runtime until shf_reader_release. The source moves in. */
shf_status shf_reader_new(struct shf_source *source, struct shf_reader **out);
struct shf_reader *shf_reader_retain(struct shf_reader *reader);
void shf_reader_drop(struct shf_reader *reader);

/* Pins the state that an operation runs on: `given`, which is one of this reader, or NULL = the served one. SHF_E_CLOSED. */
shf_status shf_reader_pin_for(struct shf_reader *reader, struct shf_snapshot *given, struct shf_reader_op *op);

/*
 * Accepts an operation and pins the state that it runs on. SHF_E_CLOSED, SHF_E_BUSY; the op is not begun then.
 */
shf_status shf_reader_enter(struct shf_reader *reader, struct shf_reader_op *op, enum shf_op_kind kind,
                            const struct shf_submission *submission, void (*destroy)(struct shf_op *op));

/* Before an operation goes to another thread: from now on closing waits for it. False (and the op is finished with SHF_E_CLOSED) when it came too late. */
bool shf_reader_activate(struct shf_reader_op *op);

/* Finishes an operation; the last one of a closing reader lets the closes complete after it. */
void shf_reader_finish(struct shf_reader_op *op, shf_status status, struct shf_error *error);

/*
 * Runs `work` with the operation's task on a worker, once the reader has a place for it, which `work` gives back with
 * shf_limiter_done. When its time ends before that, `refused`, which is to finish the operation, is called on the loop thread;
 * NULL: it is just finished. Any thread; the operation is active.
 */
void shf_reader_work(struct shf_reader_op *op, void (*work)(struct shf_task *task),
                     void (*refused)(struct shf_reader_op *op, shf_status status));

/* Serves `snapshot` (moved in) from now on; dropped instead when the reader is closed: SHF_E_CLOSED. */
shf_status shf_reader_serve(struct shf_reader *reader, struct shf_snapshot *snapshot);

/* Tells the loop that a closed reader may be idle (close.c). */
void shf_reader_announce_idle(struct shf_reader *reader);

/* Closes without waiting: later calls are refused, running operations cancelled. */
void shf_reader_shut(struct shf_reader *reader, bool cancel);

/* The served state, retained, or NULL. *closed may be NULL. */
struct shf_snapshot *shf_reader_pin(struct shf_reader *reader, bool *closed);

/* ---- operations; arguments were checked by api ---- */

shf_status shf_reader_open(struct shf_source *source, const struct shf_submission *submission, shf_op_id *id);
/* given (or NULL: what _CURRENT names) moves in where the operation is accepted. */
shf_status shf_reader_refresh(struct shf_reader *reader, struct shf_manifest_given *given,
                              const struct shf_submission *submission, shf_op_id *id);
shf_status shf_reader_close(struct shf_reader *reader, int mode, const struct shf_submission *submission, shf_op_id *id);
shf_status shf_reader_history(struct shf_source *source, uint32_t limit, const struct shf_submission *submission,
                              shf_op_id *id);
/* What is looked up: keys that are routed and encoded, in what is served; or stored bytes in one shard of a snapshot. */
struct shf_lookup_keys {
    size_t count;
    const shf_key *keys;
    const shf_routing_context *context;
    struct shf_snapshot *snapshot; /* NULL: the three before, else the two after */
    const shf_slice *stored;
    uint32_t shard; /* id */
};
/* SHF_WOULD_WAIT only for a submission that is in_call_only. */
shf_status shf_reader_lookup(struct shf_reader *reader, enum shf_op_kind kind, const struct shf_lookup_keys *keys,
                             const struct shf_submission *submission, shf_op_id *id);
shf_status shf_reader_search(struct shf_reader *reader, enum shf_op_kind kind, const shf_query *queries, size_t count,
                             const struct shf_submission *submission, shf_op_id *id);

#endif
