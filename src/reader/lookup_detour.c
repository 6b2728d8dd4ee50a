/* Lookups that were not answered in their call: shards are opened first, the keys are looked up on a worker, in blocks. */
#include "reader/lookup_priv.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <string.h>

void shf_lookup_detour_free(struct shf_lookup_op *lookup) {
    struct shf_lookup_detour *detour = lookup->detour;
    shf_budget_give(shf_rt_budget(lookup->base.op.runtime), detour->charged_bytes); /* the reader may be gone */
    shf_free(detour->keys);
    shf_free(detour->key_bytes);
    shf_free(detour->needed);
    shf_free(detour);
}

/* ---- on a worker ---- */

static shf_status look_up_block(struct shf_lookup_op *lookup, size_t first, size_t count, struct shf_error **error) {
    struct shf_lookup_detour *detour = lookup->detour;
    struct shf_wanted_key wanted[SHF_LOOKUP_BLOCK];
    shf_status status = shf_op_check(&lookup->base.op, error);
    if (status) return status;
    for (size_t i = 0; i < count; i++) {
        const struct shf_pending_key *key = &detour->keys[first + i];
        wanted[i] = (struct shf_wanted_key){shf_lookup_shard(lookup->base.snapshot, key->shard),
                                            detour->key_bytes + key->offset, key->size};
    }
    return shf_lookup_block(lookup, first, wanted, count, error);
}

/* With a place, which it gives back. */
static void look_up_all(struct shf_lookup_op *lookup) {
    struct shf_error *error = NULL;
    shf_status status = SHF_OK;
    for (size_t first = 0; first < lookup->count && !status; first += SHF_LOOKUP_BLOCK) {
        size_t left = lookup->count - first;
        status = look_up_block(lookup, first, left < SHF_LOOKUP_BLOCK ? left : SHF_LOOKUP_BLOCK, &error);
    }
    shf_limiter_done(&lookup->base.reader->source->limiter, SHF_PLACE_WORK);
    shf_reader_finish(&lookup->base, status, error);
}

static void work(struct shf_task *task) { look_up_all(SHF_CONTAINER(task, struct shf_lookup_op, base.task)); }

static void shards_ready(struct shf_shard_group *group) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(group, struct shf_lookup_detour, group)->lookup;
    if (group->status) {
        shf_reader_finish(&lookup->base, group->status, group->error);
    } else {
        shf_reader_work(&lookup->base, work, NULL);
    }
}

static void open_shards(struct shf_task *task) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(task, struct shf_lookup_op, base.task);
    shf_shard_group_start(&lookup->detour->group);
}

static shf_status list_needed(struct shf_lookup_op *lookup, struct shf_error **error);

/* Routes what the call left; then goes on as after the call. */
static void route(struct shf_task *task) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(task, struct shf_lookup_op, base.task);
    struct shf_error *error = NULL;
    shf_status status = shf_lookup_route_kept(lookup, &error);
    if (!status) status = list_needed(lookup, &error);
    if (!status && lookup->detour->group.count == 0) {
        look_up_all(lookup);
        return;
    }
    shf_limiter_done(&lookup->base.reader->source->limiter, SHF_PLACE_WORK);
    if (status) {
        shf_reader_finish(&lookup->base, status, error);
        return;
    }
    lookup->base.task.run = open_shards;
    shf_rt_post_loop(lookup->base.op.runtime, &lookup->base.task);
}

/* ---- within the call ---- */

/* Bytes that it needs as stored. */
static size_t size_of(const struct shf_lookup_keys *keys, size_t index) {
    if (keys->snapshot) return keys->stored[index].size;
    const shf_key *key = &keys->keys[index];
    return key->kind == SHF_KEY_TEXT || key->kind == SHF_KEY_BYTES ? key->as.bytes.size : sizeof(uint64_t);
}

/* Everything whose size the caller decides. */
static shf_status charge(struct shf_lookup_op *lookup, size_t key_bytes, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(lookup->base.reader->runtime);
    uint64_t bytes = key_bytes + lookup->count * (sizeof(struct shf_pending_key) + sizeof(struct shf_lookup_value));
    if (!shf_budget_take(budget, bytes)) {
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "%zu keys need %" PRIu64 " bytes, which do not fit the memory budget (%" PRIu64
                             " of %" PRIu64 " bytes in use); ask for fewer at a time or raise memory_budget_bytes",
                             lookup->count, bytes, (uint64_t)atomic_load(&budget->used_bytes), budget->limit_bytes);
    }
    lookup->detour->charged_bytes = bytes;
    return SHF_OK;
}

static shf_status copy_key(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, size_t index,
                           struct shf_routing *routing, size_t *used, struct shf_error **error) {
    struct shf_lookup_detour *detour = lookup->detour;
    struct shf_stored_key stored;
    struct shf_pending_key *pending = &detour->keys[index];
    shf_status status = shf_lookup_locate(lookup, keys, index, routing, &pending->shard, &stored, error);
    if (status) return status;
    pending->offset = *used;
    pending->size = stored.bytes.size;
    pending->kind = 0;
    if (pending->size) memcpy(detour->key_bytes + *used, stored.bytes.data, pending->size);
    *used += pending->size;
    return SHF_OK;
}

static shf_status keep_keys(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, struct shf_error **error) {
    size_t used = 0;
    shf_status status = SHF_OK;
    for (size_t i = 0; i < lookup->count && !status; i++) {
        lookup->detour->keys[i] = (struct shf_pending_key){.offset = used, .size = size_of(keys, i)};
        used += size_of(keys, i);
        status = shf_lookup_keep_key(lookup, &keys->keys[i], i, error);
    }
    return status;
}

/* Copies routes and stored keys, since the caller's memory may go. */
static shf_status copy_keys(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, struct shf_error **error) {
    struct shf_lookup_detour *detour = lookup->detour;
    struct shf_routing routing;
    size_t total = 0, used = 0;
    for (size_t i = 0; i < lookup->count; i++) {
        if (!shf_add(total, size_of(keys, i), &total) || total > PTRDIFF_MAX) {
            return shf_error_set(error, SHF_E_INVALID, "key %zu: its size is absurd", i);
        }
    }
    shf_status status = charge(lookup, total, error);
    if (status) return status;
    detour->keys = shf_alloc_array(lookup->count, sizeof *detour->keys);
    detour->key_bytes = shf_alloc(total);
    if (!detour->keys || !detour->key_bytes) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu keys", lookup->count);
    }
    if (shf_lookup_routes_later(lookup, keys)) return keep_keys(lookup, keys, error);
    shf_lookup_begin_routing(lookup, keys, &routing);
    for (size_t i = 0; i < lookup->count && !status; i++) status = copy_key(lookup, keys, i, &routing, &used, error);
    shf_routing_end(&routing);
    return status;
}

/* The shards among the keys' that are not open yet. */
static shf_status list_needed(struct shf_lookup_op *lookup, struct shf_error **error) {
    const struct shf_snapshot *snapshot = lookup->base.snapshot;
    struct shf_lookup_detour *detour = lookup->detour;
    uint32_t count = 0;
    bool *wanted = shf_alloc_zero(snapshot->shard_count, sizeof *wanted);
    detour->needed = shf_alloc_array(snapshot->shard_count, sizeof(struct shf_shard *));
    if (!wanted || !detour->needed) {
        shf_free(wanted);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u shards", snapshot->shard_count);
    }
    for (size_t i = 0; i < lookup->count; i++) {
        uint32_t id = detour->keys[i].shard;
        uint32_t index = id == SHF_CEL_UNKNOWN_TOKEN ? SHF_NO_SHARD : snapshot->index_of[id];
        if (index == SHF_NO_SHARD || wanted[index] || shf_shard_is_ready(snapshot->shards[index])) continue;
        wanted[index] = true;
        detour->needed[count++] = snapshot->shards[index];
    }
    shf_free(wanted);
    detour->group.shards = detour->needed;
    detour->group.count = count;
    return SHF_OK;
}

static shf_status prepare(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, struct shf_error **error) {
    const struct shf_source *source = lookup->base.reader->source;
    struct shf_lookup_detour *detour = shf_alloc_zero(1, sizeof *detour);
    if (!detour) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a lookup");
    lookup->detour = detour;
    detour->lookup = lookup;
    shf_status status = copy_keys(lookup, keys, error);
    if (!status && !shf_lookup_routes_later(lookup, keys)) status = list_needed(lookup, error);
    if (status) return status;
    detour->group.runtime = source->runtime;
    detour->group.deadline_ns = lookup->base.op.deadline_ns;
    detour->group.cancel = lookup->base.op.cancel;
    detour->group.done = shards_ready;
    return SHF_OK;
}

void shf_lookup_go_on_elsewhere(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys) {
    struct shf_error *error = NULL;
    shf_status status = prepare(lookup, keys, &error);
    if (status) {
        shf_reader_finish(&lookup->base, status, error);
        return;
    }
    if (!shf_reader_activate(&lookup->base)) return;
    if (shf_lookup_routes_later(lookup, keys)) {
        shf_reader_work(&lookup->base, route, NULL);
    } else if (lookup->detour->group.count == 0) {
        shf_reader_work(&lookup->base, work, NULL);
    } else {
        lookup->base.task.run = open_shards;
        shf_rt_post_loop(lookup->base.reader->runtime, &lookup->base.task);
    }
}
