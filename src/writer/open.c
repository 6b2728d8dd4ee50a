/*
 * Opening a writer:
 *
 *   worker  parse the URL, make the store, make the directory to work in
 *   loop    claim: _CURRENT, and whether the run id is free
 *   loop    write the run record; from then on the lease is renewed
 */
#include "writer/open.h"

#include "base/alloc.h"

#include <string.h>

#define PRECONDITION_FAILED 412

static void destroy(struct shf_op *op) {
    struct shf_writer_open_op *open = SHF_CONTAINER(op, struct shf_writer_open_op, op);
    if (open->writer) shf_writer_drop_handle(open->writer);
    shf_free(open);
}

/* A failed open has no writer to give: its handle goes first, else the runtime would be busy with it for a moment more. */
static void finish(struct shf_writer_open_op *open, shf_status status, struct shf_error *error) {
    if (status) {
        shf_writer_drop_handle(open->writer);
        open->writer = NULL;
    }
    shf_op_finish(&open->op, status, error);
}

static void lease_lost(struct shf_lease *lease) {
    struct shf_writer *writer = SHF_CONTAINER(lease, struct shf_writer, lease);
    (void)pthread_mutex_lock(&writer->mutex);
    shf_writer_fail_locked(writer, lease->error);
    if (writer->publishing) shf_cancel_request(shf_publish_op_cancel(writer->publishing));
    (void)pthread_mutex_unlock(&writer->mutex);
    shf_rt_sweep(writer->runtime);
}

static void end_opening(struct shf_writer *writer, shf_status status, struct shf_error *error) {
    struct shf_writer_open_op *open = writer->opening;
    writer->opening = NULL;
    finish(open, status, error);
}

static struct shf_writer_open_op *open_of(struct shf_errand *errand) {
    return SHF_CONTAINER(errand, struct shf_writer_open_op, errand);
}

static void fenced(struct shf_errand *errand) {
    struct shf_writer *writer = open_of(errand)->writer;
    struct shf_error *error = NULL;
    shf_status status = errand->status;
    if (status && shf_error_http_status(errand->request.error) == PRECONDITION_FAILED) {
        status = shf_error_set(&error, SHF_E_STATE, "run %s under %s is under way: its writer renewed its lease just now",
                               writer->setup.run_id, writer->setup.location.url);
    } else if (status) {
        error = shf_errand_take_error(errand);
    }
    shf_errand_end(errand);
    end_opening(writer, status, error);
}

/* Ends the record of the run that is gone on with: a writer that only slept sees that its lease is lost. */
static void fence(struct shf_writer_open_op *open) {
    struct shf_writer *writer = open->writer;
    struct shf_claim *claim = &writer->claim;
    const struct shf_run_record record = {.status = SHF_RUN_FAILED,
                                          .run_id = writer->setup.run_id,
                                          .s3_prefix = writer->setup.location.url,
                                          .error_type = shf_status_name(SHF_E_STATE),
                                          .error_message = "another writer goes on with this run",
                                          .started_at_us = writer->lease.started_at_us,
                                          .updated_at_us = writer->lease.started_at_us,
                                          .lease_expires_at_us = writer->lease.started_at_us};
    char *text = NULL, *key = claim->record_key;
    size_t size = 0;
    claim->record_key = NULL;
    open->errand =
        (struct shf_errand){.store = writer->setup.store, .cancel = open->op.cancel, .deadline_ns = open->op.deadline_ns};
    (void)shf_run_record_write(&record, &text, &size, NULL);
    shf_errand_put(&open->errand, key, text, size, SHF_RUN_RECORD_TYPE, claim->record_version, fenced);
}

/*
 * Two that begin, or go on with, a run of one id at once find neither shards nor records of the other, but each has written
 * a record before it looks again: one of them sees the other's at least, and nobody goes on beside another. It may be that
 * none of them does.
 */
static void looked_for_rivals(struct shf_claim *claim) {
    struct shf_writer *writer = SHF_CONTAINER(claim, struct shf_writer, claim);
    if (!claim->status && claim->record_key) {
        fence(writer->opening);
        return;
    }
    struct shf_error *error = claim->error;
    claim->error = NULL;
    end_opening(writer, claim->status, error);
}

static void lease_begun(struct shf_lease *lease) {
    struct shf_writer *writer = SHF_CONTAINER(lease, struct shf_writer, lease);
    struct shf_writer_open_op *open = writer->opening;
    struct shf_error *error = NULL;
    shf_status status = shf_op_check(&open->op, &error);
    if (status || !lease->key || !writer->setup.run_id_is_given) {
        end_opening(writer, status, error);
        return;
    }
    writer->claim.done = looked_for_rivals;
    shf_claim_look_for_rivals(&writer->claim, lease->key);
}

static void claimed(struct shf_claim *claim) {
    struct shf_writer *writer = SHF_CONTAINER(claim, struct shf_writer, claim);
    struct shf_error *error = claim->error;
    claim->error = NULL;
    if (claim->status || (writer->setup.flags & SHF_WRITE_DRY_RUN)) {
        end_opening(writer, claim->status, error);
        return;
    }
    writer->lease = (struct shf_lease){.runtime = writer->runtime,
                                       .store = writer->setup.store,
                                       .location = &writer->setup.location,
                                       .run_id = writer->setup.run_id,
                                       .lost = lease_lost};
    const struct shf_op *op = &writer->opening->op;
    const struct shf_lease_patience patience = {.cancel = op->cancel, .deadline_ns = op->deadline_ns};
    shf_lease_begin(&writer->lease, patience, lease_begun);
}

static void connected(struct shf_task *task) {
    struct shf_writer_open_op *open = SHF_CONTAINER(task, struct shf_writer_open_op, task);
    struct shf_writer *writer = open->writer;
    struct shf_error *error = open->error;
    open->error = NULL;
    if (open->status) {
        finish(open, open->status, error);
        return;
    }
    writer->opening = open;
    writer->claim = (struct shf_claim){.setup = &writer->setup, .done = claimed};
    shf_claim_start(&writer->claim, open->op.cancel, open->op.deadline_ns);
}

static void connect_task(struct shf_task *task) {
    struct shf_writer_open_op *open = SHF_CONTAINER(task, struct shf_writer_open_op, task);
    struct shf_writer_setup *setup = &open->writer->setup;
    bool is_dry = setup->flags & SHF_WRITE_DRY_RUN;
    open->status = shf_writer_setup_connect(setup, &open->error);
    if (!open->status) {
        open->status =
            shf_scratch_open(setup->local_root, is_dry ? NULL : &setup->location, &open->writer->scratch, &open->error);
    }
    open->task.run = connected;
    shf_rt_post_loop(open->writer->runtime, &open->task);
}

shf_status shf_writer_open_begin(struct shf_writer_setup *setup, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_submission patient = *submission;
    if (patient.timeout_ms == 0) patient.timeout_ms = -1; /* requests are bounded by inactivity */
    struct shf_writer_open_op *open = shf_alloc_zero(1, sizeof *open);
    shf_status status = open ? shf_writer_new(setup, &open->writer) : SHF_E_NO_MEMORY;
    if (status) {
        shf_free(open);
        shf_writer_setup_free(setup);
        return status;
    }
    shf_runtime *runtime = open->writer->runtime;
    status = shf_op_begin(&open->op, runtime, SHF_OP_WRITER_OPEN, &patient, -1, destroy);
    if (status) {
        shf_writer_drop_handle(open->writer);
        shf_free(open);
        return status;
    }
    if (id) *id = open->op.id;
    open->task.run = connect_task;
    shf_rt_post_worker(runtime, &open->task);
    return SHF_OK;
}
