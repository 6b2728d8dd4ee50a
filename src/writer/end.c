/*
 * The end of a writer: what runs is cancelled, the run record says how it ended, rows and local files go. Begun by a close or
 * by the release of the handle, once; closes that come complete when it is over.
 */
#include "base/alloc.h"
#include "writer/write.h"

struct shf_writer_close_op {
    struct shf_op op; /* first */
    struct shf_writer *writer;
    struct shf_task task;
    struct shf_wait wait;
    struct shf_writer_close_op *next;
};

static void over(struct shf_task *task) {
    struct shf_writer *writer = SHF_CONTAINER(task, struct shf_writer, end_task);
    shf_runtime *runtime = writer->runtime;
    writer->ended = true;
    while (writer->closers) shf_wait_end(runtime, &writer->closers->wait, SHF_OK);
    shf_writer_drop(writer);
    shf_rt_background_end(runtime);
}

/* ---- rows and files ---- */

static void work_gone(struct shf_task *task) {
    struct shf_writer *writer = SHF_CONTAINER(task, struct shf_writer, work_task);
    writer->work_dropped(writer);
}

static void remove_files(struct shf_task *task) {
    struct shf_writer *writer = SHF_CONTAINER(task, struct shf_writer, work_task);
    uint64_t spilled = shf_writer_spilled_bytes(writer);
    (void)pthread_mutex_lock(&writer->mutex);
    struct shf_rows *rows = writer->rows;
    writer->rows = NULL;
    writer->spilled_bytes = spilled;
    if (writer->setup.vectors) shf_vector_sharder_clear(writer->setup.vectors); /* no task of the rows is left */
    (void)pthread_mutex_unlock(&writer->mutex);
    shf_rows_free(rows);
    shf_scratch_remove(&writer->scratch);
    task->run = work_gone;
    shf_rt_post_loop(writer->runtime, task);
}

static void rows_stopped(void *context) {
    struct shf_writer *writer = context;
    writer->work_task.run = remove_files;
    shf_rt_post_worker(writer->runtime, &writer->work_task);
}

void shf_writer_drop_work(struct shf_writer *writer, void (*then)(struct shf_writer *writer)) {
    writer->work_dropped = then;
    if (writer->rows) {
        shf_rows_stop(writer->rows, rows_stopped);
    } else {
        rows_stopped(writer);
    }
}

/* ---- the steps ---- */

static void record_ended(struct shf_lease *lease) {
    struct shf_writer *writer = SHF_CONTAINER(lease, struct shf_writer, lease);
    writer->end_task.run = over;
    shf_rt_post_loop(writer->runtime, &writer->end_task);
}

/* The record comes last: where a disk is full, there is room for it by then. */
static void end_record(struct shf_writer *writer) {
    if (writer->lease.ended || !writer->lease.runtime) { /* the publish said it, or there never was one */
        record_ended(&writer->lease);
    } else {
        shf_lease_end(&writer->lease, SHF_RUN_FAILED, NULL, shf_status_name(SHF_E_CLOSED),
                      "the writer was closed before it published", record_ended);
    }
}

/* Loop thread, when no publish runs any more. */
static void go_on(struct shf_writer *writer) { shf_writer_drop_work(writer, end_record); }

void shf_writer_publish_over(struct shf_writer *writer) {
    if (writer->ending) go_on(writer);
}

static void begin(struct shf_task *task) {
    struct shf_writer *writer = SHF_CONTAINER(task, struct shf_writer, end_task);
    writer->ending = true;
    shf_write_end_pending(writer, SHF_E_CLOSED);
    (void)pthread_mutex_lock(&writer->mutex);
    struct shf_publish_op *publish = writer->publishing;
    (void)pthread_mutex_unlock(&writer->mutex);
    if (publish) {
        shf_publish_begin(publish); /* where it waited for writes; it is cancelled, and comes back by publish_over */
    } else {
        go_on(writer);
    }
}

void shf_writer_shut(struct shf_writer *writer) {
    (void)pthread_mutex_lock(&writer->mutex);
    bool first = !writer->closed;
    writer->closed = true;
    if (writer->publishing) shf_cancel_request(shf_publish_op_cancel(writer->publishing));
    (void)pthread_mutex_unlock(&writer->mutex);
    if (!first) return;
    shf_rt_sweep(writer->runtime);
    shf_rt_background_begin(writer->runtime);
    (void)shf_writer_retain(writer);
    writer->end_task.run = begin;
    shf_rt_post_loop(writer->runtime, &writer->end_task);
}

/* ---- the operation ---- */

static void destroy(struct shf_op *op) { shf_free(op); }

static void woken(struct shf_wait *wait, shf_status reason) {
    struct shf_writer_close_op *close = SHF_CONTAINER(wait, struct shf_writer_close_op, wait);
    struct shf_writer *writer = close->writer;
    for (struct shf_writer_close_op **at = &writer->closers; *at; at = &(*at)->next) {
        if (*at != close) continue;
        *at = close->next;
        break;
    }
    shf_op_finish(&close->op, reason, NULL);
    shf_writer_drop(writer);
}

static void wait_for_end(struct shf_task *task) {
    struct shf_writer_close_op *close = SHF_CONTAINER(task, struct shf_writer_close_op, task);
    struct shf_writer *writer = close->writer;
    if (writer->ended) {
        shf_op_finish(&close->op, SHF_OK, NULL);
        shf_writer_drop(writer);
        return;
    }
    close->next = writer->closers;
    writer->closers = close;
    close->wait = (struct shf_wait){.deadline_ns = close->op.deadline_ns, .cancel = close->op.cancel, .wake = woken};
    shf_wait_begin(writer->runtime, &close->wait);
}

shf_status shf_writer_close_begin(struct shf_writer *writer, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_writer_close_op *close = shf_alloc_zero(1, sizeof *close);
    if (!close) return SHF_E_NO_MEMORY;
    shf_status status =
        shf_op_begin(&close->op, writer->runtime, SHF_OP_WRITER_CLOSE, submission, writer->setup.timeout_ms, destroy);
    if (status) {
        shf_free(close);
        return status;
    }
    if (id) *id = close->op.id;
    close->writer = shf_writer_retain(writer);
    close->task.run = wait_for_end;
    shf_writer_shut(writer);
    shf_rt_post_loop(writer->runtime, &close->task);
    return SHF_OK;
}
