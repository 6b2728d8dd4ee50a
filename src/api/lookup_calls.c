/* get and multi_get: argument checks, the synchronous forms, the values. */
#include "api/call.h"
#include "base/limits.h"

static bool slice_is_sound(shf_slice slice) { return slice.data != NULL || slice.size == 0; }

/* Kinds and ranges are the router's business; here only what could not even be read. */
static shf_status check_keys(const shf_key *keys, size_t count) {
    if (!keys || count > SHF_LIMIT_KEYS_PER_CALL) return SHF_E_INVALID;
    for (size_t i = 0; i < count; i++) {
        bool is_bytes = keys[i].kind == SHF_KEY_TEXT || keys[i].kind == SHF_KEY_BYTES;
        if (is_bytes && !slice_is_sound(keys[i].as.bytes)) return SHF_E_INVALID;
    }
    return SHF_OK;
}

static shf_status check(const shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context) {
    shf_status status = shf_reader_check(reader);
    if (!status) status = check_keys(keys, count);
    return status ? status : shf_context_check(context);
}

shf_status shf_get(shf_reader *reader, const shf_key *key, const shf_routing_context *context, const shf_call *call,
                   shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = check(reader, key, 1, context);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_lookup(reader, SHF_OP_GET, key, 1, context, &submission, id);
}

shf_status shf_get_sync(shf_reader *reader, const shf_key *key, const shf_routing_context *context, int64_t timeout_ms,
                        shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check(reader, key, 1, context);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_GET, key, 1, context, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_get_now(shf_reader *reader, const shf_key *key, const shf_routing_context *context, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_now_begin(&sync);
    shf_status status = check(reader, key, 1, context);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_GET, key, 1, context, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_multi_get(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                         const shf_call *call, shf_op_id *id) {
    static const shf_key none;
    struct shf_submission submission;
    shf_status status = check(reader, count ? keys : &none, count, context);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_lookup(reader, SHF_OP_MULTI_GET, keys, count, context, &submission, id);
}

shf_status shf_multi_get_sync(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                              int64_t timeout_ms, shf_op **op) {
    static const shf_key none;
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check(reader, count ? keys : &none, count, context);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, keys, count, context, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_multi_get_now(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                             shf_op **op) {
    static const shf_key none;
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_now_begin(&sync);
    shf_status status = check(reader, count ? keys : &none, count, context);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, keys, count, context, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

static const struct shf_lookup_op *lookup_of(const shf_op *op) {
    if (!op || (op->kind != SHF_OP_GET && op->kind != SHF_OP_MULTI_GET) || op->status) return NULL;
    return SHF_CONTAINER(op, struct shf_lookup_op, base.op);
}

size_t shf_op_value_count(const shf_op *op) {
    const struct shf_lookup_op *lookup = lookup_of(op);
    return lookup ? lookup->count : 0;
}

shf_status shf_op_value(const shf_op *op, size_t index, shf_value *out) {
    const struct shf_lookup_op *lookup = lookup_of(op);
    if (!lookup || !out || index >= lookup->count) return SHF_E_INVALID;
    const struct shf_lookup_value *found = &lookup->values[index];
    const shf_value value = {.struct_size = sizeof value,
                             .status = found->buf ? SHF_OK : SHF_NOT_FOUND,
                             .data = {found->data, found->size},
                             .buf = found->buf};
    return shf_struct_fill(out, &value, sizeof value);
}
