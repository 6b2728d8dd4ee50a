/* The writer: argument checks, results, and the synchronous forms. */
#include "api/call.h"
#include "base/limits.h"
#include "writer/open.h"
#include "writer/publish.h"
#include "writer/write.h"

static shf_status read_setup(shf_runtime *runtime, const shf_writer_options *options, struct shf_writer_setup *out) {
    if (!runtime || !options) return SHF_E_INVALID;
    if (shf_rt_forked(runtime)) return SHF_E_FORKED;
    return shf_writer_setup_read(runtime, options, out);
}

shf_status shf_writer_open(shf_runtime *runtime, const shf_writer_options *options, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    struct shf_writer_setup setup;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = read_setup(runtime, options, &setup);
    return status ? status : shf_writer_open_begin(&setup, &submission, id);
}

shf_status shf_writer_open_sync(shf_runtime *runtime, const shf_writer_options *options, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    struct shf_writer_setup setup;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = read_setup(runtime, options, &setup);
    if (!status) status = shf_writer_open_begin(&setup, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_op_take_writer(shf_op *op, shf_writer **out) {
    if (!op || !out || op->kind != SHF_OP_WRITER_OPEN || op->status) return SHF_E_INVALID;
    struct shf_writer_open_op *open = SHF_CONTAINER(op, struct shf_writer_open_op, op);
    if (!open->writer) return SHF_E_INVALID;
    *out = open->writer;
    open->writer = NULL;
    return SHF_OK;
}

const char *shf_writer_run_id(const shf_writer *writer) { return writer ? writer->setup.run_id : NULL; }

void shf_writer_release(shf_writer *writer) {
    if (writer) shf_writer_drop_handle(writer);
}

/* ---- rows ---- */

static shf_status check_write(const shf_writer *writer, const shf_row *rows, size_t count) {
    if (!writer || !rows || count < 1 || count > SHF_LIMIT_ROWS_PER_CALL || rows->struct_size < sizeof rows->struct_size) {
        return SHF_E_INVALID;
    }
    return shf_rt_forked(writer->runtime) ? SHF_E_FORKED : SHF_OK;
}

shf_status shf_write(shf_writer *writer, const shf_row *rows, size_t count, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = check_write(writer, rows, count);
    return status ? status : shf_writer_write(writer, rows, count, &submission, id);
}

shf_status shf_write_sync(shf_writer *writer, const shf_row *rows, size_t count, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check_write(writer, rows, count);
    if (!status) status = shf_writer_write(writer, rows, count, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_op_write_info(const shf_op *op, shf_write_info *out) {
    if (!op || !out || op->kind != SHF_OP_WRITE) return SHF_E_INVALID;
    const struct shf_write_op *write = SHF_CONTAINER(op, struct shf_write_op, op);
    const shf_write_info info = {.struct_size = sizeof info, .has_bad_row = write->has_bad_row, .bad_row = write->bad_row};
    return shf_struct_fill(out, &info, sizeof info);
}

/* ---- publish ---- */

static shf_status check_writer(const shf_writer *writer) {
    if (!writer) return SHF_E_INVALID;
    return shf_rt_forked(writer->runtime) ? SHF_E_FORKED : SHF_OK;
}

shf_status shf_publish(shf_writer *writer, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = check_writer(writer);
    return status ? status : shf_writer_publish(writer, &submission, id);
}

shf_status shf_publish_sync(shf_writer *writer, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check_writer(writer);
    if (!status) status = shf_writer_publish(writer, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

static const struct shf_publish_op *publish_of(const shf_op *op) {
    return op && op->kind == SHF_OP_PUBLISH ? SHF_CONTAINER(op, struct shf_publish_op, op) : NULL;
}

shf_status shf_op_publish_info(const shf_op *op, shf_publish_info *out) {
    const struct shf_publish_op *publish = publish_of(op);
    if (!publish || !out || op->status) return SHF_E_INVALID;
    shf_publish_info info = publish->info;
    info.struct_size = sizeof info;
    info.num_dbs = publish->num_dbs;
    info.run_id = publish->run_id;
    info.manifest_ref = publish->manifest_ref;
    info.run_record = publish->run_record;
    return shf_struct_fill(out, &info, sizeof info);
}

shf_status shf_op_publish_shard(const shf_op *op, uint32_t shard, shf_shard_info *out) {
    const struct shf_publish_op *publish = publish_of(op);
    if (!publish || !out || op->status || shard >= publish->num_dbs) return SHF_E_INVALID;
    const struct shf_shard_result *result = &publish->results[shard];
    const shf_shard_info info = {.struct_size = sizeof info,
                                 .shard = shard,
                                 .is_empty = result->rows == 0,
                                 .attempt = result->attempt,
                                 .row_count = result->rows,
                                 .db_bytes = result->db_bytes,
                                 .min_key = result->min_key,
                                 .max_key = result->max_key,
                                 .db_url = result->db_url,
                                 .checkpoint_id = result->rows ? result->checkpoint : NULL};
    return shf_struct_fill(out, &info, sizeof info);
}

const char *shf_op_publish_left_manifest(const shf_op *op) {
    const struct shf_publish_op *publish = publish_of(op);
    return publish && op->status && publish->manifest_is_left ? publish->manifest_ref : NULL;
}

shf_status shf_op_publish_conflict(const shf_op *op, shf_publish_conflict *out) {
    const struct shf_publish_op *publish = publish_of(op);
    if (!publish || !out || !publish->has_conflict) return SHF_E_INVALID;
    const shf_publish_conflict conflict = {.struct_size = sizeof conflict,
                                           .is_id = publish->conflict_is_id,
                                           .first_origin = publish->first_origin,
                                           .second_origin = publish->second_origin};
    return shf_struct_fill(out, &conflict, sizeof conflict);
}

/* ---- progress and close ---- */

shf_status shf_writer_progress_get(const shf_writer *writer, shf_writer_progress *out) {
    shf_status status = check_writer(writer);
    if (status || !out) return status ? status : SHF_E_INVALID;
    const shf_writer_progress progress = {.struct_size = sizeof progress,
                                          .phase = atomic_load(&writer->progress.phase),
                                          .num_dbs = atomic_load(&writer->progress.num_dbs),
                                          .shards_done = atomic_load(&writer->progress.shards_done),
                                          .rows = atomic_load(&writer->progress.rows),
                                          .bytes = atomic_load(&writer->progress.bytes),
                                          .spilled_bytes = shf_writer_spilled_bytes(writer),
                                          .rows_built = atomic_load(&writer->progress.rows_built),
                                          .built_bytes = atomic_load(&writer->progress.built_bytes),
                                          .uploaded_bytes = atomic_load(&writer->progress.uploaded_bytes)};
    return shf_struct_fill(out, &progress, sizeof progress);
}

shf_status shf_writer_close(shf_writer *writer, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = check_writer(writer);
    return status ? status : shf_writer_close_begin(writer, &submission, id);
}

shf_status shf_writer_close_sync(shf_writer *writer, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check_writer(writer);
    if (!status) status = shf_writer_close_begin(writer, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}
