/* Open, refresh, close, history: argument checks, and the synchronous forms. */
#include "api/call.h"
#include "base/alloc.h"
#include "reader/open.h"

#define DEFAULT_HISTORY 10u

static shf_status read_source(shf_runtime *runtime, const shf_reader_options *options, struct shf_source **out) {
    if (!runtime || !options) return SHF_E_INVALID;
    if (shf_rt_forked(runtime)) return SHF_E_FORKED;
    return shf_source_new(runtime, options, out);
}

shf_status shf_open(shf_runtime *runtime, const shf_reader_options *options, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    struct shf_source *source;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = read_source(runtime, options, &source);
    return status ? status : shf_reader_open(source, &submission, id);
}

shf_status shf_open_sync(shf_runtime *runtime, const shf_reader_options *options, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    struct shf_source *source;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = read_source(runtime, options, &source);
    if (!status) status = shf_reader_open(source, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_op_take_reader(shf_op *op, shf_reader **out) {
    if (!op || !out || op->kind != SHF_OP_OPEN || op->status) return SHF_E_INVALID;
    struct shf_load_op *load = SHF_CONTAINER(op, struct shf_load_op, base.op);
    if (!load->owns_reader) return SHF_E_INVALID;
    load->owns_reader = false;
    *out = load->base.reader;
    return SHF_OK;
}

shf_status shf_op_open_info(const shf_op *op, shf_open_info *out) {
    if (!op || !out || (op->kind != SHF_OP_OPEN && op->kind != SHF_OP_REFRESH)) return SHF_E_INVALID;
    const struct shf_load_op *load = SHF_CONTAINER(op, struct shf_load_op, base.op);
    return shf_struct_fill(out, &load->info, sizeof load->info);
}

shf_status shf_refresh(shf_reader *reader, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_reader_check(reader);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_refresh(reader, NULL, &submission, id);
}

shf_status shf_refresh_sync(shf_reader *reader, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = shf_reader_check(reader);
    if (!status) status = shf_reader_refresh(reader, NULL, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_reader_set_credentials(shf_reader *reader, const char *access_key_id, const char *secret_access_key,
                                      const char *session_token) {
    bool closed;
    shf_status status = shf_reader_check(reader);
    if (status) return status;
    shf_snapshot_drop(shf_reader_pin(reader, &closed));
    if (closed) return SHF_E_CLOSED;
    return shf_source_set_credentials(reader->source, access_key_id, secret_access_key, session_token);
}

static shf_status refresh_to(shf_reader *reader, const char *manifest_ref, shf_slice manifest,
                             const struct shf_submission *submission, shf_op_id *id) {
    struct shf_manifest_given given = {0};
    shf_status status = shf_manifest_given_copy(reader->runtime, manifest_ref, manifest, &given);
    if (!status) status = shf_reader_refresh(reader, &given, submission, id);
    shf_manifest_given_free(&given);
    return status;
}

shf_status shf_refresh_to(shf_reader *reader, const char *manifest_ref, shf_slice manifest, const shf_call *call,
                          shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_reader_check(reader);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : refresh_to(reader, manifest_ref, manifest, &submission, id);
}

shf_status shf_refresh_to_sync(shf_reader *reader, const char *manifest_ref, shf_slice manifest, int64_t timeout_ms,
                               shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = shf_reader_check(reader);
    if (!status) status = refresh_to(reader, manifest_ref, manifest, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

static bool is_close_mode(int mode) { return mode == SHF_CLOSE_DRAIN || mode == SHF_CLOSE_CANCEL; }

shf_status shf_close(shf_reader *reader, int mode, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = is_close_mode(mode) ? shf_reader_check(reader) : SHF_E_INVALID;
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_close(reader, mode, &submission, id);
}

shf_status shf_close_sync(shf_reader *reader, int mode, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = is_close_mode(mode) ? shf_reader_check(reader) : SHF_E_INVALID;
    if (!status) status = shf_reader_close(reader, mode, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_history(shf_runtime *runtime, const shf_reader_options *options, uint32_t limit, const shf_call *call,
                       shf_op_id *id) {
    struct shf_submission submission;
    struct shf_source *source;
    shf_status status = shf_call_read(call, &submission);
    if (!status) status = read_source(runtime, options, &source);
    return status ? status : shf_reader_history(source, limit ? limit : DEFAULT_HISTORY, &submission, id);
}

shf_status shf_history_sync(shf_runtime *runtime, const shf_reader_options *options, uint32_t limit, int64_t timeout_ms,
                            shf_op **op) {
    struct shf_sync sync;
    struct shf_source *source;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = read_source(runtime, options, &source);
    if (!status) status = shf_reader_history(source, limit ? limit : DEFAULT_HISTORY, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

static const struct shf_history_op *history_of(const shf_op *op) {
    if (!op || op->kind != SHF_OP_HISTORY || op->status) return NULL;
    return SHF_CONTAINER(op, struct shf_history_op, op);
}

size_t shf_op_manifest_count(const shf_op *op) {
    const struct shf_history_op *history = history_of(op);
    if (!history) return 0;
    return history->listing.count < history->limit ? history->listing.count : history->limit;
}

shf_status shf_op_manifest(const shf_op *op, size_t index, shf_manifest_entry *out) {
    if (!out || index >= shf_op_manifest_count(op)) return SHF_E_INVALID;
    const struct shf_manifest_item *item = &history_of(op)->listing.items[index];
    const shf_manifest_entry entry = {.struct_size = sizeof entry,
                                      .offset = (uint32_t)index,
                                      .ref = item->ref,
                                      .run_id = item->run_id,
                                      .published_at_us = item->published_at_us};
    return shf_struct_fill(out, &entry, sizeof entry);
}
