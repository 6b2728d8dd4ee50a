#include "api/call.h"

shf_status shf_reader_check(const shf_reader *reader) {
    if (!reader) return SHF_E_INVALID;
    return shf_rt_forked(reader->runtime) ? SHF_E_FORKED : SHF_OK;
}

shf_status shf_call_read(const shf_call *call, struct shf_submission *out) {
    shf_call read;
    if (!call) return SHF_E_INVALID;
    shf_status status = shf_struct_copy(&read, sizeof read, call);
    if (status) return status;
    if (!read.cq || read.flags) return SHF_E_INVALID;
    *out = (struct shf_submission){.cq = read.cq, .tag = read.tag, .timeout_ms = read.timeout_ms};
    return SHF_OK;
}

shf_status shf_context_check(const shf_routing_context *context) {
    shf_routing_context read;
    if (!context) return SHF_OK;
    shf_status status = shf_struct_copy(&read, sizeof read, context);
    if (!status && read.count && !read.values) status = SHF_E_INVALID;
    return status;
}

void shf_sync_begin(struct shf_sync *sync, int64_t timeout_ms) {
    sync->waiter = (struct shf_op_waiter)SHF_OP_WAITER_INIT;
    sync->submission = (struct shf_submission){.waiter = &sync->waiter, .timeout_ms = timeout_ms};
}

void shf_now_begin(struct shf_sync *sync) {
    shf_sync_begin(sync, 0);
    sync->submission.in_call_only = true;
}

shf_status shf_sync_end(struct shf_sync *sync, shf_status submitted, shf_op **op) {
    *op = NULL;
    if (submitted) return submitted;
    shf_op *finished = shf_op_wait(&sync->waiter);
    *op = finished;
    return shf_op_status(finished);
}
