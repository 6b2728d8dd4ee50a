#include "reader/reader.h"

#include "base/alloc.h"

shf_status shf_reader_new(struct shf_source *source, struct shf_reader **out) {
    struct shf_reader *reader = shf_alloc_zero(1, sizeof *reader);
    if (!reader) return SHF_E_NO_MEMORY;
    atomic_init(&reader->references, 1);
    reader->runtime = shf_rt_retain(source->runtime);
    reader->source = source;
    (void)pthread_mutex_init(&reader->mutex, NULL);
    shf_rt_handle_add(reader->runtime);
    shf_rt_background_begin(reader->runtime); /* the last steps of its operations outlive the caller's handle */
    *out = reader;
    return SHF_OK;
}

struct shf_reader *shf_reader_retain(struct shf_reader *reader) {
    atomic_fetch_add_explicit(&reader->references, 1, memory_order_relaxed);
    return reader;
}

void shf_reader_drop(struct shf_reader *reader) {
    if (!reader || atomic_fetch_sub_explicit(&reader->references, 1, memory_order_acq_rel) != 1) return;
    shf_runtime *runtime = reader->runtime;
    bool forked = shf_rt_forked(runtime);
    shf_snapshot_drop(reader->snapshot);
    shf_source_release(reader->source);
    if (!forked) (void)pthread_mutex_destroy(&reader->mutex);
    shf_free(reader);
    if (!forked) shf_rt_background_end(runtime);
    shf_rt_release(runtime);
}

void shf_reader_release(struct shf_reader *reader) {
    if (!reader) return;
    if (!shf_rt_forked(reader->runtime)) {
        shf_reader_shut(reader, true);
        shf_rt_handle_drop(reader->runtime);
    }
    shf_reader_drop(reader);
}

/* ---- operations come and go ---- */

shf_status shf_reader_pin_for(struct shf_reader *reader, struct shf_snapshot *given, struct shf_reader_op *op) {
    bool closed;
    struct shf_snapshot *snapshot = shf_reader_pin(reader, &closed);
    if (closed || !snapshot) {
        shf_snapshot_drop(snapshot);
        return SHF_E_CLOSED;
    }
    if (given) {
        shf_snapshot_drop(snapshot);
        snapshot = shf_snapshot_retain(given);
    }
    op->reader = reader;
    op->snapshot = snapshot;
    op->is_active = false;
    return SHF_OK;
}

shf_status shf_reader_enter(struct shf_reader *reader, struct shf_reader_op *op, enum shf_op_kind kind,
                            const struct shf_submission *submission, void (*destroy)(struct shf_op *op)) {
    shf_status status = shf_reader_pin_for(reader, NULL, op);
    if (status) return status;
    status = shf_op_begin(&op->op, reader->runtime, kind, submission, reader->source->timeout_ms, destroy);
    if (status) shf_snapshot_drop(op->snapshot);
    return status;
}

bool shf_reader_activate(struct shf_reader_op *op) {
    struct shf_reader *reader = op->reader;
    (void)pthread_mutex_lock(&reader->mutex);
    bool open = !reader->closed;
    if (open) {
        op->is_active = true;
        op->previous = NULL;
        op->next = reader->active;
        if (op->next) op->next->previous = op;
        reader->active = op;
        reader->active_count++;
        (void)shf_reader_retain(reader);
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    if (!open) shf_op_finish(&op->op, SHF_E_CLOSED, NULL);
    return open;
}

void shf_reader_finish(struct shf_reader_op *op, shf_status status, struct shf_error *error) {
    struct shf_reader *reader = op->reader;
    if (!op->is_active) {
        shf_op_finish(&op->op, status, error);
        return;
    }
    (void)pthread_mutex_lock(&reader->mutex);
    if (op->previous) {
        op->previous->next = op->next;
    } else {
        reader->active = op->next;
    }
    if (op->next) op->next->previous = op->previous;
    op->is_active = false;
    (void)pthread_mutex_unlock(&reader->mutex);
    shf_op_finish(&op->op, status, error); /* op is the caller's now */
    (void)pthread_mutex_lock(&reader->mutex);
    bool last = --reader->active_count == 0 && reader->closed;
    (void)pthread_mutex_unlock(&reader->mutex);
    if (last) shf_reader_announce_idle(reader);
    shf_reader_drop(reader);
}

static void place_given(struct shf_turn *turn, shf_status status) {
    struct shf_reader_op *op = SHF_CONTAINER(turn, struct shf_reader_op, turn);
    if (status && op->refused) {
        op->refused(op, status);
    } else if (status) {
        shf_reader_finish(op, status, NULL);
    } else {
        op->task.run = op->work;
        shf_rt_post_worker(op->op.runtime, &op->task);
    }
}

static void wait_for_place(struct shf_task *task) {
    struct shf_reader_op *op = SHF_CONTAINER(task, struct shf_reader_op, task);
    op->turn = (struct shf_turn){.wait = {.deadline_ns = op->op.deadline_ns, .cancel = op->op.cancel},
                                 .place = SHF_PLACE_WORK,
                                 .begin = place_given};
    shf_limiter_wait(&op->reader->source->limiter, &op->turn);
}

void shf_reader_work(struct shf_reader_op *op, void (*work)(struct shf_task *task),
                     void (*refused)(struct shf_reader_op *op, shf_status status)) {
    if (shf_limiter_try(&op->reader->source->limiter)) {
        op->task.run = work;
        shf_rt_post_worker(op->op.runtime, &op->task);
    } else {
        op->work = work;
        op->refused = refused;
        op->task.run = wait_for_place;
        shf_rt_post_loop(op->op.runtime, &op->task);
    }
}

shf_status shf_reader_serve(struct shf_reader *reader, struct shf_snapshot *snapshot) {
    (void)pthread_mutex_lock(&reader->mutex);
    bool closed = reader->closed;
    struct shf_snapshot *dropped = closed ? snapshot : reader->snapshot;
    if (!closed) reader->snapshot = snapshot;
    (void)pthread_mutex_unlock(&reader->mutex);
    shf_snapshot_drop(dropped);
    return closed ? SHF_E_CLOSED : SHF_OK;
}

struct shf_snapshot *shf_reader_pin(struct shf_reader *reader, bool *closed) {
    (void)pthread_mutex_lock(&reader->mutex);
    struct shf_snapshot *snapshot = reader->snapshot ? shf_snapshot_retain(reader->snapshot) : NULL;
    if (closed) *closed = reader->closed;
    (void)pthread_mutex_unlock(&reader->mutex);
    return snapshot;
}
