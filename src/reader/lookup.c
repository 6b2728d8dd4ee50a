/*
 * get and multi_get. A key whose shard is open is answered inside the call: route, encode, walk the mapped b-tree,
 * queue the completion. Larger calls, and keys of shards that are still to be opened, go to a worker.
 */
#include "base/alloc.h"
#include "reader/results.h"
#include "reader/value_buf.h"
#include "snapshot/router.h"

#include <string.h>

#define KEYS_ANSWERED_IN_CALL 64u /* a few microseconds of work at most */

struct shf_pending_key {
    uint32_t shard;      /* id */
    size_t offset, size; /* of the stored key in key_bytes */
};

static void destroy(struct shf_op *op) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(op, struct shf_lookup_op, base.op);
    for (size_t i = 0; i < lookup->count; i++) {
        if (lookup->values[i].owns_buf) shf_buf_release(lookup->values[i].buf);
    }
    if (lookup->values != &lookup->one) shf_free(lookup->values);
    shf_free(lookup->pending);
    shf_free(lookup->key_bytes);
    shf_free(lookup->needed);
    shf_snapshot_drop(lookup->base.snapshot);
    shf_free(lookup);
}

static shf_status copy_value(const struct shf_shard *shard, const struct shf_kv_value *found,
                             struct shf_lookup_value *out, struct shf_error **error) {
    struct shf_buf *buf = shf_value_buf_new(shard->source->runtime, found->size, error);
    if (!buf) return SHF_E_NO_MEMORY;
    shf_status status = shf_kv_value_copy(&shard->kv, found, buf->data, error);
    if (status) {
        shf_buf_release(buf);
        return status;
    }
    *out = (struct shf_lookup_value){buf->data, buf->size, buf, true};
    return SHF_OK;
}

/* One key of an open shard. Leaves *out zero when the key is absent. */
static shf_status look_up(const struct shf_shard *shard, const void *key, size_t size, struct shf_lookup_value *out,
                          struct shf_error **error) {
    struct shf_kv_value found;
    bool is_there;
    shf_status status = shf_kv_get(&shard->kv, NULL, key, size, &is_there, &found, error);
    if (!status && is_there) {
        if (found.in_place) {
            *out = (struct shf_lookup_value){found.in_place, (size_t)found.size, shard->file.buf, false};
        } else {
            status = copy_value(shard, &found, out, error);
        }
    }
    if (status && error && *error) {
        shf_error_prefix(error, "%s", shard->object_url);
        shf_error_set_shard(*error, shard->id);
        shf_error_set_object(*error, shard->object_url);
    }
    return status;
}

static shf_status locate(const struct shf_snapshot *snapshot, const shf_key *key, const shf_routing_context *context,
                         uint32_t *shard, struct shf_stored_key *stored, struct shf_error **error) {
    shf_status status = shf_key_encode(snapshot->manifest->key_encoding, key, stored, error);
    return status ? status : shf_route(snapshot->manifest, key, context, shard, error);
}

/* ---- in the call ---- */

/* Answers all keys if every shard is open; *answered says so. */
static shf_status answer_in_call(struct shf_lookup_op *lookup, const shf_key *keys, const shf_routing_context *context,
                                 bool *answered, struct shf_error **error) {
    const struct shf_snapshot *snapshot = lookup->base.snapshot;
    *answered = false;
    for (size_t i = 0; i < lookup->count; i++) {
        struct shf_stored_key stored;
        uint32_t id;
        shf_status status = locate(snapshot, &keys[i], context, &id, &stored, error);
        if (!status) {
            const struct shf_shard *shard = shf_snapshot_shard_of(snapshot, id);
            if (!shard) continue;
            if (!shf_shard_is_ready(shard)) return SHF_OK;
            status = look_up(shard, stored.bytes.data, stored.bytes.size, &lookup->values[i], error);
        }
        if (status) {
            if (lookup->count > 1) shf_error_prefix(error, "key %zu", i);
            return status;
        }
    }
    *answered = true;
    return SHF_OK;
}

/* ---- on a worker ---- */

static void work(struct shf_task *task) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(task, struct shf_lookup_op, base.task);
    struct shf_error *error = NULL;
    shf_status status = SHF_OK;
    for (size_t i = 0; i < lookup->count && !status; i++) {
        const struct shf_pending_key *key = &lookup->pending[i];
        const struct shf_shard *shard = shf_snapshot_shard_of(lookup->base.snapshot, key->shard);
        if (i % 256 == 0) status = shf_op_check(&lookup->base.op, &error);
        if (status || !shard || lookup->values[i].buf) continue;
        status = look_up(shard, lookup->key_bytes + key->offset, key->size, &lookup->values[i], &error);
        if (status && lookup->count > 1) shf_error_prefix(&error, "key %zu", i);
    }
    shf_limiter_done(&lookup->base.reader->source->limiter, SHF_PLACE_WORK);
    shf_reader_finish(&lookup->base, status, error);
}

static void shards_ready(struct shf_shard_group *group) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(group, struct shf_lookup_op, group);
    if (group->status) {
        shf_reader_finish(&lookup->base, group->status, group->error);
        return;
    }
    shf_reader_work(&lookup->base, work);
}

static void open_shards(struct shf_task *task) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(task, struct shf_lookup_op, base.task);
    shf_shard_group_start(&lookup->group);
}

/* Copies routes and stored keys, since the caller's memory may go. */
static shf_status copy_keys(struct shf_lookup_op *lookup, const shf_key *keys, const shf_routing_context *context,
                            struct shf_error **error) {
    size_t total = 0, used = 0;
    for (size_t i = 0; i < lookup->count; i++) {
        bool is_bytes = keys[i].kind == SHF_KEY_TEXT || keys[i].kind == SHF_KEY_BYTES;
        if (!shf_add(total, is_bytes ? keys[i].as.bytes.size : sizeof(uint64_t), &total)) {
            return shf_error_set(error, SHF_E_INVALID, "key %zu: its size is absurd", i);
        }
    }
    lookup->pending = shf_alloc_zero(lookup->count, sizeof *lookup->pending);
    lookup->key_bytes = shf_alloc(total);
    if (!lookup->pending || !lookup->key_bytes) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu keys", lookup->count);
    }
    for (size_t i = 0; i < lookup->count; i++) {
        struct shf_stored_key stored;
        struct shf_pending_key *pending = &lookup->pending[i];
        shf_status status = locate(lookup->base.snapshot, &keys[i], context, &pending->shard, &stored, error);
        if (status) {
            shf_error_prefix(error, "key %zu", i);
            return status;
        }
        pending->offset = used;
        pending->size = stored.bytes.size;
        if (pending->size) memcpy(lookup->key_bytes + used, stored.bytes.data, pending->size);
        used += pending->size;
    }
    return SHF_OK;
}

/* The shards among the keys' that are not open yet. */
static shf_status list_needed(struct shf_lookup_op *lookup, struct shf_error **error) {
    const struct shf_snapshot *snapshot = lookup->base.snapshot;
    struct shf_source *source = lookup->base.reader->source;
    uint32_t count = 0;
    bool *wanted = shf_alloc_zero(snapshot->shard_count, sizeof *wanted);
    lookup->needed = shf_alloc_zero(snapshot->shard_count, sizeof(struct shf_shard *));
    if (!wanted || !lookup->needed) {
        shf_free(wanted);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u shards", snapshot->shard_count);
    }
    for (size_t i = 0; i < lookup->count; i++) {
        uint32_t index = snapshot->index_of[lookup->pending[i].shard];
        if (index == SHF_NO_SHARD || wanted[index] || shf_shard_is_ready(snapshot->shards[index])) continue;
        wanted[index] = true;
        lookup->needed[count++] = snapshot->shards[index];
    }
    shf_free(wanted);
    lookup->group = (struct shf_shard_group){.runtime = source->runtime,
                                             .shards = lookup->needed,
                                             .count = count,
                                             .deadline_ns = lookup->base.op.deadline_ns,
                                             .cancel = lookup->base.op.cancel,
                                             .done = shards_ready};
    return SHF_OK;
}

static void go_on_elsewhere(struct shf_lookup_op *lookup, const shf_key *keys, const shf_routing_context *context) {
    struct shf_error *error = NULL;
    shf_status status = copy_keys(lookup, keys, context, &error);
    if (!status) status = list_needed(lookup, &error);
    if (status) {
        shf_reader_finish(&lookup->base, status, error);
        return;
    }
    if (!shf_reader_activate(&lookup->base)) return;
    if (lookup->group.count == 0) {
        shf_reader_work(&lookup->base, work);
    } else {
        lookup->base.task.run = open_shards;
        shf_rt_post_loop(lookup->base.reader->runtime, &lookup->base.task);
    }
}

shf_status shf_reader_lookup(struct shf_reader *reader, enum shf_op_kind kind, const shf_key *keys, size_t count,
                             const shf_routing_context *context, const struct shf_submission *submission, shf_op_id *id) {
    struct shf_lookup_op *lookup = shf_alloc_zero(1, sizeof *lookup);
    if (!lookup) return SHF_E_NO_MEMORY;
    lookup->values = count > 1 ? shf_alloc_zero(count, sizeof *lookup->values) : &lookup->one;
    lookup->count = count;
    shf_status status =
        lookup->values ? shf_reader_enter(reader, &lookup->base, kind, submission, destroy) : SHF_E_NO_MEMORY;
    if (status) {
        if (lookup->values != &lookup->one) shf_free(lookup->values);
        shf_free(lookup);
        return status;
    }
    if (id) *id = lookup->base.op.id;
    struct shf_error *error = NULL;
    bool answered = false;
    if (count <= KEYS_ANSWERED_IN_CALL) {
        status = answer_in_call(lookup, keys, context, &answered, &error);
        if (status || answered) {
            shf_reader_finish(&lookup->base, status, error);
            return SHF_OK;
        }
    }
    go_on_elsewhere(lookup, keys, context);
    return SHF_OK;
}
