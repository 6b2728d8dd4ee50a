/* Lookups: argument checks, the synchronous forms, the values. */
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

static shf_status check(const shf_reader *reader, const struct shf_lookup_keys *keys) {
    shf_status status = shf_reader_check(reader);
    if (!status) status = check_keys(keys->keys, keys->count);
    return status ? status : shf_context_check(keys->context);
}

shf_status shf_get(shf_reader *reader, const shf_key *key, const shf_routing_context *context, const shf_call *call,
                   shf_op_id *id) {
    const struct shf_lookup_keys keys = {.count = 1, .keys = key, .context = context};
    struct shf_submission submission;
    shf_status status = check(reader, &keys);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_lookup(reader, SHF_OP_GET, &keys, &submission, id);
}

shf_status shf_get_sync(shf_reader *reader, const shf_key *key, const shf_routing_context *context, int64_t timeout_ms,
                        shf_op **op) {
    const struct shf_lookup_keys keys = {.count = 1, .keys = key, .context = context};
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check(reader, &keys);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_GET, &keys, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_get_now(shf_reader *reader, const shf_key *key, const shf_routing_context *context, shf_op **op) {
    const struct shf_lookup_keys keys = {.count = 1, .keys = key, .context = context};
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_now_begin(&sync);
    shf_status status = check(reader, &keys);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_GET, &keys, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

/* No keys may be at no address. */
static struct shf_lookup_keys several(const shf_key *keys, size_t count, const shf_routing_context *context) {
    static const shf_key none;
    return (struct shf_lookup_keys){.count = count, .keys = count ? keys : &none, .context = context};
}

shf_status shf_multi_get(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                         const shf_call *call, shf_op_id *id) {
    const struct shf_lookup_keys all = several(keys, count, context);
    struct shf_submission submission;
    shf_status status = check(reader, &all);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &submission, id);
}

shf_status shf_multi_get_sync(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                              int64_t timeout_ms, shf_op **op) {
    const struct shf_lookup_keys all = several(keys, count, context);
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check(reader, &all);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_multi_get_now(shf_reader *reader, const shf_key *keys, size_t count, const shf_routing_context *context,
                             shf_op **op) {
    const struct shf_lookup_keys all = several(keys, count, context);
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_now_begin(&sync);
    shf_status status = check(reader, &all);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

/* ---- by stored bytes ---- */

static shf_status check_stored(const shf_reader *reader, const struct shf_lookup_keys *keys) {
    shf_status status = shf_reader_check(reader);
    if (status) return status;
    if (!keys->snapshot || keys->snapshot->source != reader->source) return SHF_E_INVALID;
    if (keys->shard >= keys->snapshot->manifest->num_dbs || keys->count > SHF_LIMIT_KEYS_PER_CALL) return SHF_E_INVALID;
    if (keys->count && !keys->stored) return SHF_E_INVALID;
    for (size_t i = 0; i < keys->count; i++) {
        if (!slice_is_sound(keys->stored[i])) return SHF_E_INVALID;
    }
    return SHF_OK;
}

/* An operation pins the snapshot, whose handle is const to the caller like everything that it shows. */
static struct shf_lookup_keys stored_keys(const shf_snapshot *snapshot, uint32_t shard, const shf_slice *keys,
                                          size_t count) {
    return (struct shf_lookup_keys){
        .count = count, .snapshot = (struct shf_snapshot *)(uintptr_t)snapshot, .stored = keys, .shard = shard};
}

shf_status shf_get_stored(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard, const shf_slice *keys,
                          size_t count, const shf_call *call, shf_op_id *id) {
    const struct shf_lookup_keys all = stored_keys(snapshot, shard, keys, count);
    struct shf_submission submission;
    shf_status status = check_stored(reader, &all);
    if (!status) status = shf_call_read(call, &submission);
    return status ? status : shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &submission, id);
}

shf_status shf_get_stored_sync(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard, const shf_slice *keys,
                               size_t count, int64_t timeout_ms, shf_op **op) {
    const struct shf_lookup_keys all = stored_keys(snapshot, shard, keys, count);
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    shf_status status = check_stored(reader, &all);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

shf_status shf_get_stored_now(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard, const shf_slice *keys,
                              size_t count, shf_op **op) {
    const struct shf_lookup_keys all = stored_keys(snapshot, shard, keys, count);
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_now_begin(&sync);
    shf_status status = check_stored(reader, &all);
    if (!status) status = shf_reader_lookup(reader, SHF_OP_MULTI_GET, &all, &sync.submission, NULL);
    return shf_sync_end(&sync, status, op);
}

/* ---- values ---- */

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
