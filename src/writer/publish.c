/*
 * Publishing:
 *
 *   workers centroids are found, where vectors shard and none are given                 publish_train.c
 *   worker  what is left of the rows is sorted; the number of shards is known           rows
 *   worker  shards are built and hashed, loop: and uploaded, some at a time             build.c
 *   worker  no two keys have the same id                                                ids.c
 *   loop    the lease is renewed; manifest, then _CURRENT, then what failed is deleted  announce.c
 *   loop    the run record says how it ended
 */
#include "writer/publish.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

#include <inttypes.h>

static void destroy(struct shf_op *op) {
    struct shf_publish_op *publish = SHF_CONTAINER(op, struct shf_publish_op, op);
    for (uint32_t i = 0; publish->results && i < publish->num_dbs; i++) shf_shard_result_free(&publish->results[i]);
    shf_free(publish->results);
    shf_free(publish->jobs);
    shf_free(publish->run_id);
    shf_free(publish->manifest_ref);
    shf_free(publish->run_record);
    shf_writer_drop(publish->writer);
    shf_free(publish);
}

struct shf_cancel *shf_publish_op_cancel(struct shf_publish_op *publish) {
    return publish->op.cancel;
}

void shf_publish_note(struct shf_publish_op *publish, shf_status status, struct shf_error *error) {
    if (publish->status) {
        shf_error_free(error);
    } else {
        publish->status = status;
        publish->error = error;
    }
}

/* ---- the end ---- */

/* A lease that was lost, or rows that could not be kept, are the reason behind a cancellation. */
static void find_reason(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    (void)pthread_mutex_lock(&writer->mutex);
    if (writer->failed && publish->status == SHF_E_CANCELLED) {
        shf_error_free(publish->error);
        publish->error = shf_error_clone(writer->failure);
        publish->status = shf_error_code(publish->error);
    }
    (void)pthread_mutex_unlock(&writer->mutex);
}

static void deliver(struct shf_lease *lease) {
    struct shf_writer *writer = SHF_CONTAINER(lease, struct shf_writer, lease);
    (void)pthread_mutex_lock(&writer->mutex);
    struct shf_publish_op *publish = writer->publishing;
    writer->publishing = NULL;
    if (publish->status) shf_writer_fail_locked(writer, publish->error);
    (void)pthread_mutex_unlock(&writer->mutex);
    struct shf_error *error = publish->error;
    publish->error = NULL;
    (void)shf_writer_retain(writer);
    shf_op_finish(&publish->op, publish->status, error);
    shf_writer_publish_over(writer);
    shf_writer_drop(writer);
}

static void end_record(struct shf_writer *writer) {
    const struct shf_publish_op *publish = writer->publishing;
    if (publish->status) {
        shf_lease_end(&writer->lease, SHF_RUN_FAILED, NULL, shf_status_name(publish->status),
                      shf_error_message(publish->error), deliver);
    } else {
        shf_lease_end(&writer->lease, SHF_RUN_SUCCEEDED, publish->manifest_ref, NULL, NULL, deliver);
    }
}

static void free_parts(struct shf_publish_op *publish) {
    shf_rows_merge_free(publish->id_merge);
    shf_rows_free(publish->ids);
    shf_errand_end(&publish->errand);
    shf_free(publish->manifest);
    shf_free(publish->manifest_key);
    shf_vector_table_free(&publish->table);
    publish->id_merge = NULL;
    publish->ids = NULL;
    publish->manifest = NULL;
    publish->manifest_key = NULL;
}

void shf_publish_succeed(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    publish->info.spilled_bytes = shf_writer_spilled_bytes(writer);
    publish->info.publish_ns = shf_clock_monotonic_ns() - publish->phase_began_ns;
    atomic_store(&writer->progress.phase, SHF_PHASE_DONE);
    free_parts(publish);
    shf_writer_drop_work(writer, end_record);
}

/* Rows of ids may still be sorted. */
static void ids_stopped(void *context) {
    struct shf_publish_op *publish = context;
    shf_rt_post_loop(publish->writer->runtime, &publish->task);
}

static void end_failed(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    free_parts(publish);
    find_reason(publish);
    shf_writer_drop_work(publish->writer, end_record);
}

void shf_publish_fail(struct shf_publish_op *publish) {
    publish->task.run = end_failed;
    if (publish->ids) {
        shf_rows_stop(publish->ids, ids_stopped);
    } else {
        end_failed(&publish->task);
    }
}

/* ---- the beginning ---- */

static void sorted(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    if (publish->status) {
        shf_publish_fail(publish);
    } else {
        shf_publish_build(publish);
    }
}

static void rows_sorted(void *context, shf_status status, struct shf_error *error) {
    struct shf_publish_op *publish = ((struct shf_writer *)context)->publishing;
    if (status) shf_publish_note(publish, status, error);
    publish->task.run = sorted;
    shf_rt_post_loop(publish->writer->runtime, &publish->task);
}

static void warn_of_cut(const struct shf_writer *writer) {
    shf_log_write(shf_rt_log(writer->runtime), SHF_LOG_WARNING,
                  "%" PRIu64 " of %" PRIu64 " rows of %s have a routing value with a NUL byte: what follows it has no "
                  "say in the choice of their shard",
                  writer->rows_cut, writer->row_count, writer->setup.location.url);
}

static shf_status count_shards(struct shf_publish_op *publish, uint32_t *num_dbs) {
    struct shf_writer *writer = publish->writer;
    const struct shf_writer_setup *setup = &writer->setup;
    publish->info.rows_cut = writer->rows_cut;
    if (writer->rows_cut) warn_of_cut(writer);
    if (setup->sharder) return shf_sharder_finish(setup->sharder, num_dbs, &publish->error);
    *num_dbs = setup->num_dbs;
    if (setup->num_dbs) return SHF_OK;
    uint64_t most = setup->max_keys_per_shard;
    uint64_t count = writer->row_count / most + (writer->row_count % most ? 1 : 0);
    if (count > SHF_LIMIT_WRITER_SHARDS) {
        return shf_error_set(&publish->error, SHF_E_LIMIT,
                             "%" PRIu64 " rows at %" PRIu64 " a shard make %" PRIu64 " shards; at most %u",
                             writer->row_count, most, count, SHF_LIMIT_WRITER_SHARDS);
    }
    *num_dbs = count ? (uint32_t)count : 1;
    return SHF_OK;
}

static shf_status plan(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    const struct shf_writer_setup *setup = &writer->setup;
    shf_status status = count_shards(publish, &publish->num_dbs);
    if (status) return status;
    if (setup->vectors && setup->vectors->trains) status = shf_publish_check_training(publish);
    if (status) return status;
    if (shf_writer_has_vectors(writer) && !writer->dimension) {
        return shf_error_set(
            &publish->error, SHF_E_INVALID,
            "a %s snapshot without rows has no dimension yet: set it in the options, or give a file of "
            "vectors that tells it",
            setup->is_unified ? "unified" : "vector-only");
    }
    if (setup->vectors) status = shf_vector_sharder_begin(setup->vectors, writer->dimension, &publish->error);
    if (status) return status;
    publish->results = shf_alloc_zero(publish->num_dbs, sizeof *publish->results);
    if (!publish->results) return shf_error_set(&publish->error, SHF_E_NO_MEMORY, "no memory for a plan of shards");
    if (!writer->key_encoding) writer->key_encoding = SHF_ENCODING_UTF8;
    atomic_store(&writer->progress.num_dbs, publish->num_dbs);
    return SHF_OK;
}

void shf_publish_sort(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    atomic_store(&writer->progress.phase, SHF_PHASE_SORT);
    if (writer->rows) {
        shf_rows_finish(writer->rows, publish->num_dbs, publish->op.cancel, rows_sorted);
    } else {
        shf_publish_build(publish);
    }
}

static void sort(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    struct shf_writer *writer = publish->writer;
    publish->phase_began_ns = shf_clock_monotonic_ns();
    shf_status status = shf_op_check(&publish->op, &publish->error);
    (void)pthread_mutex_lock(&writer->mutex);
    if (writer->failed) {
        shf_error_free(publish->error);
        publish->error = shf_error_clone(writer->failure);
        status = shf_error_code(publish->error);
    }
    if (!status) status = plan(publish);
    (void)pthread_mutex_unlock(&writer->mutex);
    publish->status = status;
    if (status) {
        shf_publish_fail(publish);
        return;
    }
    if (writer->setup.vectors && writer->setup.vectors->trains) {
        shf_publish_train(publish);
    } else {
        shf_publish_sort(publish);
    }
}

void shf_publish_begin(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    (void)pthread_mutex_lock(&writer->mutex);
    bool begun = publish->begun;
    publish->begun = true;
    (void)pthread_mutex_unlock(&writer->mutex);
    if (begun) return;
    publish->task.run = sort;
    shf_rt_post_loop(writer->runtime, &publish->task);
}

static shf_status enter(struct shf_publish_op *publish, const struct shf_submission *submission, bool *waits) {
    struct shf_writer *writer = publish->writer;
    if (writer->closed) return SHF_E_CLOSED;
    if (writer->publish_called) return SHF_E_STATE;
    shf_status status = shf_op_begin(&publish->op, writer->runtime, SHF_OP_PUBLISH, submission, -1, destroy);
    if (status) return status;
    writer->publish_called = true;
    writer->publishing = publish;
    *waits = writer->pending != NULL;
    return SHF_OK;
}

shf_status shf_writer_publish(struct shf_writer *writer, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_submission patient = *submission;
    bool waits = false;
    if (patient.timeout_ms == 0) patient.timeout_ms = -1;
    struct shf_publish_op *publish = shf_alloc_zero(1, sizeof *publish);
    if (!publish) return SHF_E_NO_MEMORY;
    publish->writer = writer;
    publish->run_id = shf_strdup(writer->setup.run_id);
    (void)pthread_mutex_lock(&writer->mutex);
    shf_status status = publish->run_id ? enter(publish, &patient, &waits) : SHF_E_NO_MEMORY;
    if (!status && id) *id = publish->op.id;
    if (!status) (void)shf_writer_retain(writer);
    (void)pthread_mutex_unlock(&writer->mutex);
    if (status) {
        shf_free(publish->run_id);
        shf_free(publish);
        return status;
    }
    if (!waits) shf_publish_begin(publish); /* else the last write that waits begins it */
    return SHF_OK;
}
