#include "rt/op.h"

#include "base/alloc.h"

#include <assert.h>

/* ---- the table of accepted operations: a lock-free free list of slots, tagged against reuse ---- */

bool shf_op_table_init(struct shf_op_table *table, uint32_t count) {
    table->slots = shf_alloc_array(count, sizeof *table->slots);
    table->count = count;
    return table->slots != NULL;
}

struct shf_op_slot *shf_op_slot_of(const struct shf_op_table *table, shf_op_id id) {
    uint32_t slot = (uint32_t)id, generation = (uint32_t)(id >> 32);
    if (generation == 0 || slot >= atomic_load_explicit(&table->touched, memory_order_acquire)) return NULL;
    return &table->slots[slot];
}

/* One that was never in use. An id that happens to name it before it is set up is made up, and finds nothing. */
static bool slot_touch(struct shf_op_table *table, uint32_t *out) {
    uint32_t index = atomic_load_explicit(&table->touched, memory_order_relaxed);
    do {
        if (index == table->count) return false;
    } while (!atomic_compare_exchange_weak_explicit(&table->touched, &index, index + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    struct shf_op_slot *slot = &table->slots[index];
    shf_cancel_init(&slot->cancel);
    atomic_store_explicit(&slot->cq, NULL, memory_order_relaxed);
    atomic_store_explicit(&slot->next, 0, memory_order_relaxed);
    slot->generation = 0;
    *out = index;
    return true;
}

static bool slot_take(struct shf_op_table *table, uint32_t *out) {
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_acquire);
    for (;;) {
        uint32_t link = (uint32_t)head;
        if (link == 0) return slot_touch(table, out);
        uint64_t next = atomic_load_explicit(&table->slots[link - 1].next, memory_order_relaxed);
        uint64_t tagged = ((head >> 32) + 1) << 32 | next;
        if (atomic_compare_exchange_weak_explicit(&table->free_head, &head, tagged, memory_order_acquire,
                                                  memory_order_acquire)) {
            *out = link - 1;
            return true;
        }
    }
}

static void slot_give(struct shf_op_table *table, uint32_t slot) {
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_relaxed);
    uint64_t tagged;
    do {
        atomic_store_explicit(&table->slots[slot].next, (uint32_t)head, memory_order_relaxed);
        tagged = ((head >> 32) + 1) << 32 | (slot + 1);
    } while (!atomic_compare_exchange_weak_explicit(&table->free_head, &head, tagged, memory_order_release,
                                                    memory_order_relaxed));
}

/* ---- life of an operation ---- */

/* Everything but a slot and the clock. */
static void set_up(struct shf_op *op, shf_runtime *runtime, enum shf_op_kind kind,
                   const struct shf_submission *submission, void (*destroy)(struct shf_op *op)) {
    op->runtime = runtime;
    op->kind = kind;
    op->slot = SHF_OP_NO_SLOT;
    op->id = 0;
    op->cq = submission->cq;
    op->waiter = submission->waiter;
    op->tag = submission->tag;
    op->cancel = NULL;
    op->deadline_ns = SHF_DEADLINE_NONE;
    op->accepted_ns = op->finished_ns = 0;
    op->status = SHF_OK;
    op->error = NULL;
    op->next = NULL;
    op->destroy = destroy;
    atomic_fetch_add_explicit(&shf_rt_op_table(runtime)->used, 1, memory_order_relaxed);
}

/* A slot, and a place in the queue. */
static shf_status take_places(struct shf_op_table *table, const struct shf_submission *submission, uint32_t *slot) {
    if (submission->cq && !shf_cq_reserve(submission->cq)) return SHF_E_BUSY;
    if (slot_take(table, slot)) return SHF_OK;
    if (submission->cq) shf_cq_unreserve(submission->cq);
    return SHF_E_BUSY;
}

static void enter_slot(struct shf_op *op, struct shf_op_table *table, uint32_t index) {
    struct shf_op_slot *slot = &table->slots[index];
    slot->generation++;
    shf_cancel_arm(&slot->cancel, slot->generation);
    atomic_store_explicit(&slot->cq, op->cq, memory_order_relaxed);
    op->slot = index;
    op->id = (uint64_t)slot->generation << 32 | index;
    op->cancel = &slot->cancel;
}

shf_status shf_op_begin(struct shf_op *op, shf_runtime *runtime, enum shf_op_kind kind,
                        const struct shf_submission *submission, int64_t default_timeout_ms,
                        void (*destroy)(struct shf_op *op)) {
    struct shf_op_table *table = shf_rt_op_table(runtime);
    uint32_t slot;
    shf_status status = take_places(table, submission, &slot);
    if (status) return status;
    set_up(op, runtime, kind, submission, destroy);
    enter_slot(op, table, slot);
    op->accepted_ns = shf_clock_monotonic_ns();
    int64_t timeout_ms = submission->timeout_ms ? submission->timeout_ms : default_timeout_ms;
    int64_t span;
    if (timeout_ms >= 0 && !__builtin_mul_overflow(timeout_ms, (int64_t)1000000, &span) &&
        __builtin_add_overflow(op->accepted_ns, span, &op->deadline_ns)) {
        op->deadline_ns = SHF_DEADLINE_NONE;
    }
    return SHF_OK;
}

shf_status shf_op_answer(struct shf_op *op, shf_runtime *runtime, enum shf_op_kind kind,
                         const struct shf_submission *submission, shf_status status, struct shf_error *error,
                         void (*destroy)(struct shf_op *op), shf_op_id *id) {
    struct shf_op_table *table = shf_rt_op_table(runtime);
    uint32_t slot = SHF_OP_NO_SLOT;
    if (submission->cq) {
        shf_status busy = take_places(table, submission, &slot);
        if (busy) return busy;
    }
    set_up(op, runtime, kind, submission, destroy);
    op->status = status;
    op->error = error;
    if (status && !error) (void)shf_error_set(&op->error, status, "%s", shf_status_text(status));
    if (!op->cq) {
        op->waiter->answered = op;
        return SHF_OK;
    }
    enter_slot(op, table, slot);
    if (id) *id = op->id;
    shf_cq_push(op->cq, op);
    return SHF_OK;
}

void shf_op_finish(struct shf_op *op, shf_status status, struct shf_error *error) {
    assert(op->finished_ns == 0);
    if (status && !error) (void)shf_error_set(&error, status, "%s", shf_status_text(status));
    op->status = status;
    op->error = error;
    op->finished_ns = shf_clock_monotonic_ns();
    if (op->cq) {
        shf_cq_push(op->cq, op);
        return;
    }
    struct shf_op_waiter *waiter = op->waiter;
    (void)pthread_mutex_lock(&waiter->mutex);
    waiter->finished = op;
    (void)pthread_cond_signal(&waiter->condition); /* under the lock: the waiter lives on the stack that it frees */
    (void)pthread_mutex_unlock(&waiter->mutex);
}

struct shf_op *shf_op_wait(struct shf_op_waiter *waiter) {
    if (waiter->answered) return waiter->answered;
    (void)pthread_mutex_lock(&waiter->mutex);
    while (!waiter->finished) (void)pthread_cond_wait(&waiter->condition, &waiter->mutex);
    (void)pthread_mutex_unlock(&waiter->mutex);
    return waiter->finished;
}

shf_status shf_op_check(const struct shf_op *op, struct shf_error **error) {
    if (shf_cancel_requested(op->cancel)) return shf_error_set(error, SHF_E_CANCELLED, "the operation was cancelled");
    if (shf_deadline_over(op->deadline_ns)) {
        return shf_error_set(error, SHF_E_DEADLINE,
                             "the time given to the operation is over; allow more with timeout_ms");
    }
    return SHF_OK;
}

void shf_op_release(struct shf_op *op) {
    if (!op) return;
    shf_runtime *runtime = op->runtime;
    bool forked = shf_rt_forked(runtime);
    uint32_t slot = op->slot;
    shf_error_free(op->error);
    op->destroy(op);
    if (forked) return; /* the table is a copy of the parent's, possibly caught in the middle of a change */
    struct shf_op_table *table = shf_rt_op_table(runtime);
    if (slot != SHF_OP_NO_SLOT) slot_give(table, slot);
    atomic_fetch_sub_explicit(&table->used, 1, memory_order_release);
}

shf_status shf_cancel(shf_runtime *runtime, shf_op_id id) {
    if (!runtime) return SHF_E_INVALID;
    if (shf_rt_forked(runtime)) return SHF_E_FORKED;
    struct shf_op_slot *slot = shf_op_slot_of(shf_rt_op_table(runtime), id);
    if (slot && shf_cancel_request_generation(&slot->cancel, (uint32_t)(id >> 32))) shf_rt_sweep(runtime);
    return SHF_OK;
}

void *shf_op_tag(const struct shf_op *op) { return op ? op->tag : NULL; }
shf_op_id shf_op_get_id(const struct shf_op *op) { return op ? op->id : 0; }
shf_status shf_op_status(const struct shf_op *op) { return op ? op->status : SHF_E_INVALID; }
const struct shf_error *shf_op_error(const struct shf_op *op) { return op ? op->error : NULL; }
int64_t shf_op_latency_ns(const struct shf_op *op) { return op ? op->finished_ns - op->accepted_ns : 0; }
