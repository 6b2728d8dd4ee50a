/* Listing manifests: needs no reader, so that a prefix whose current manifest is broken can be looked at. */
#include "base/alloc.h"
#include "reader/results.h"

static void destroy(struct shf_op *op) {
    struct shf_history_op *history = SHF_CONTAINER(op, struct shf_history_op, op);
    shf_manifest_listing_clear(&history->listing);
    shf_source_release(history->source);
    shf_free(history);
}

static void listed(struct shf_manifest_listing *listing) {
    struct shf_history_op *history = SHF_CONTAINER(listing, struct shf_history_op, listing);
    struct shf_error *error = listing->error;
    listing->error = NULL;
    shf_op_finish(&history->op, listing->status, error);
}

static void connected(struct shf_task *task) {
    struct shf_history_op *history = SHF_CONTAINER(task, struct shf_history_op, task);
    if (history->status) {
        shf_op_finish(&history->op, history->status, history->error);
        return;
    }
    history->listing = (struct shf_manifest_listing){.store = history->source->store,
                                                     .location = &history->source->location,
                                                     .deadline_ns = history->op.deadline_ns,
                                                     .cancel = history->op.cancel,
                                                     .done = listed};
    shf_manifest_listing_start(&history->listing);
}

static void connect_task(struct shf_task *task) {
    struct shf_history_op *history = SHF_CONTAINER(task, struct shf_history_op, task);
    history->status = shf_source_connect(history->source, &history->error);
    history->task.run = connected;
    shf_rt_post_loop(history->op.runtime, &history->task);
}

shf_status shf_reader_history(struct shf_source *source, uint32_t limit, const struct shf_submission *submission,
                              shf_op_id *id) {
    struct shf_history_op *history = shf_alloc_zero(1, sizeof *history);
    shf_status status = SHF_E_NO_MEMORY;
    if (history) {
        status = shf_op_begin(&history->op, source->runtime, SHF_OP_HISTORY, submission, source->timeout_ms, destroy);
    }
    if (status) {
        shf_free(history);
        shf_source_release(source);
        return status;
    }
    if (id) *id = history->op.id;
    history->source = source;
    history->limit = limit;
    history->task.run = connect_task;
    shf_rt_post_worker(source->runtime, &history->task);
    return SHF_OK;
}
