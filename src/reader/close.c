/* Closing: refuse what comes, let what runs end (or cancel it), then drop the state. */
#include "reader/reader.h"

#include "base/alloc.h"

struct shf_close_op {
    struct shf_op op;          /* first */
    struct shf_reader *reader; /* retained */
    struct shf_task task;
    struct shf_wait wait;
    struct shf_close_op *next;
};

static void destroy(struct shf_op *op) { shf_free(op); }

void shf_reader_shut(struct shf_reader *reader, bool cancel) {
    (void)pthread_mutex_lock(&reader->mutex);
    reader->closed = true;
    struct shf_snapshot *snapshot = reader->snapshot;
    reader->snapshot = NULL;
    for (struct shf_reader_op *op = cancel ? reader->active : NULL; op; op = op->next) {
        shf_cancel_request(op->op.cancel);
    }
    (void)pthread_mutex_unlock(&reader->mutex);
    shf_snapshot_drop(snapshot);
    if (cancel) shf_rt_sweep(reader->runtime);
}

static bool is_idle(struct shf_reader *reader) {
    (void)pthread_mutex_lock(&reader->mutex);
    bool idle = reader->active_count == 0;
    (void)pthread_mutex_unlock(&reader->mutex);
    return idle;
}

static void idle_task(struct shf_task *task) {
    struct shf_reader *reader = SHF_CONTAINER(task, struct shf_reader, idle_task);
    atomic_store(&reader->idle_posted, false);
    while (reader->closers && is_idle(reader)) shf_wait_end(reader->runtime, &reader->closers->wait, SHF_OK);
    shf_reader_drop(reader);
}

void shf_reader_announce_idle(struct shf_reader *reader) {
    if (atomic_exchange(&reader->idle_posted, true)) return;
    (void)shf_reader_retain(reader);
    reader->idle_task.run = idle_task;
    shf_rt_post_loop(reader->runtime, &reader->idle_task);
}

static void woken(struct shf_wait *wait, shf_status reason) {
    struct shf_close_op *close = SHF_CONTAINER(wait, struct shf_close_op, wait);
    struct shf_reader *reader = close->reader;
    for (struct shf_close_op **at = &reader->closers; *at; at = &(*at)->next) {
        if (*at != close) continue;
        *at = close->next;
        break;
    }
    shf_op_finish(&close->op, reason, NULL);
    shf_reader_drop(reader);
}

static void begin(struct shf_task *task) {
    struct shf_close_op *close = SHF_CONTAINER(task, struct shf_close_op, task);
    struct shf_reader *reader = close->reader;
    if (is_idle(reader)) {
        shf_op_finish(&close->op, SHF_OK, NULL);
        shf_reader_drop(reader);
        return;
    }
    close->next = reader->closers;
    reader->closers = close;
    close->wait = (struct shf_wait){.deadline_ns = close->op.deadline_ns, .cancel = close->op.cancel, .wake = woken};
    shf_wait_begin(reader->runtime, &close->wait);
}

shf_status shf_reader_close(struct shf_reader *reader, int mode, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_close_op *close = shf_alloc_zero(1, sizeof *close);
    if (!close) return SHF_E_NO_MEMORY;
    shf_status status =
        shf_op_begin(&close->op, reader->runtime, SHF_OP_CLOSE, submission, reader->source->timeout_ms, destroy);
    if (status) {
        shf_free(close);
        return status;
    }
    if (id) *id = close->op.id;
    close->reader = shf_reader_retain(reader);
    close->task.run = begin;
    shf_reader_shut(reader, mode == SHF_CLOSE_CANCEL);
    shf_rt_post_loop(reader->runtime, &close->task);
    return SHF_OK;
}
