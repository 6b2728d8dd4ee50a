/*
 * Operation objects: what the public API calls shf_op. A kind of operation embeds struct shf_op as its first
 * member, begins it at submit, and finishes it once from any thread. Then it belongs to the caller.
 */
#ifndef SHF_RT_OP_H
#define SHF_RT_OP_H

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "rt/runtime.h"

#include <pthread.h>

enum shf_op_kind {
    SHF_OP_OPEN = 1,
    SHF_OP_GET,
    SHF_OP_MULTI_GET,
    SHF_OP_SEARCH,
    SHF_OP_BATCH_SEARCH,
    SHF_OP_REFRESH,
    SHF_OP_CLOSE,
    SHF_OP_HISTORY,
    SHF_OP_WRITER_OPEN,
    SHF_OP_WRITE,
    SHF_OP_PUBLISH,
    SHF_OP_WRITER_CLOSE
};

/* A thread that waits for one operation without a queue. Lives on its stack. */
struct shf_op_waiter {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    struct shf_op *finished; /* under mutex */
    struct shf_op *answered; /* by the waiting thread itself, before it waits */
};
#define SHF_OP_WAITER_INIT                                                                                             \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL }

/* Where a completion goes: a queue, or a waiting thread. */
struct shf_submission {
    shf_cq *cq;
    struct shf_op_waiter *waiter;
    void *tag;
    int64_t timeout_ms; /* as in shf_call */
    bool in_call_only;  /* with a waiter: what the call can not answer itself is not begun: SHF_WOULD_WAIT */
};

struct shf_op {
    shf_runtime *runtime;
    enum shf_op_kind kind;
    uint32_t slot;
    shf_op_id id;
    shf_cq *cq;
    struct shf_op_waiter *waiter;
    void *tag;
    struct shf_cancel *cancel; /* in the slot */
    int64_t deadline_ns, accepted_ns, finished_ns;
    shf_status status;
    struct shf_error *error;
    struct shf_op *next;                /* in the queue */
    void (*destroy)(struct shf_op *op); /* frees the results and the op itself */
};

/*
 * Accepts an operation: reserves its slot and its place in the queue. SHF_E_BUSY when either is full; nothing is
 * held then. default_timeout_ms replaces a timeout of 0.
 */
shf_status shf_op_begin(struct shf_op *op, shf_runtime *runtime, enum shf_op_kind kind,
                        const struct shf_submission *submission, int64_t default_timeout_ms,
                        void (*destroy)(struct shf_op *op));

/*
 * Accepts and delivers an operation that its own call has answered, without a look at the clock. One that a thread waits
 * for takes no slot: it has no id (0), and nobody could cancel it. `error` moves to the op. Errors as of shf_op_begin; the
 * op is not begun then, and keeps nothing. id may be NULL.
 */
shf_status shf_op_answer(struct shf_op *op, shf_runtime *runtime, enum shf_op_kind kind,
                         const struct shf_submission *submission, shf_status status, struct shf_error *error,
                         void (*destroy)(struct shf_op *op), shf_op_id *id);

/* Delivers it. `error` moves to the op (NULL: made from the status). Nothing may touch the op afterwards. */
void shf_op_finish(struct shf_op *op, shf_status status, struct shf_error *error);

/* SHF_OK, or why the operation must stop now. */
shf_status shf_op_check(const struct shf_op *op, struct shf_error **error);

/* Waits for the operation that was begun with `waiter`, and gives it. */
struct shf_op *shf_op_wait(struct shf_op_waiter *waiter);

/* ---- shared with the queue and the runtime ---- */

struct shf_op_slot {
    struct shf_cancel cancel;
    _Atomic(shf_cq *) cq;
    atomic_uint next; /* free list: index + 1, 0 = end */
    uint32_t generation;
};
struct shf_op_table {
    struct shf_op_slot *slots;
    uint32_t count;
    atomic_uint touched;             /* slots that were ever in use; memory beyond them is not even written to */
    atomic_uint_least64_t free_head; /* tag * 2^32 + index + 1 */
    atomic_uint used;                /* operations accepted and not yet released, those without a slot too */
};
#define SHF_OP_NO_SLOT UINT32_MAX
bool shf_op_table_init(struct shf_op_table *table, uint32_t count);
/* The slot that an id names, or NULL when there was never such an operation. */
struct shf_op_slot *shf_op_slot_of(const struct shf_op_table *table, shf_op_id id);
struct shf_op_table *shf_rt_op_table(shf_runtime *runtime);

bool shf_cq_reserve(shf_cq *cq);
void shf_cq_unreserve(shf_cq *cq);
void shf_cq_push(shf_cq *cq, struct shf_op *op);

#endif
