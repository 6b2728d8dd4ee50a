/*
 * get and multi_get. Keys whose shards are open are answered inside the call: route, encode, look the mapped b-tree up,
 * queue the completion. Larger calls, and keys of shards that are still to be opened, go on elsewhere (lookup_detour.c).
 */
#include "reader/lookup_priv.h"

#include "base/alloc.h"
#include "reader/shard/separators.h"
#include "reader/value_buf.h"

#include <assert.h>
#include <string.h>

static void destroy(struct shf_op *op) {
    struct shf_lookup_op *lookup = SHF_CONTAINER(op, struct shf_lookup_op, base.op);
    for (size_t i = 0; i < lookup->count; i++) {
        if (lookup->values[i].owns_buf) shf_buf_release(lookup->values[i].buf);
    }
    if (lookup->detour) shf_lookup_detour_free(lookup);
    if (lookup->values != &lookup->one) shf_free(lookup->values);
    shf_snapshot_drop(lookup->base.snapshot);
    shf_free(lookup);
}

/* ---- looking up ---- */

static shf_status take_value(const struct shf_shard *shard, const struct shf_kv_value *found,
                             struct shf_lookup_value *out, struct shf_error **error) {
    if (found->in_place) {
        *out = (struct shf_lookup_value){found->in_place, (size_t)found->size, shard->file.buf, false};
        return SHF_OK;
    }
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

static shf_status look_up_in_slatedb(const struct shf_shard *shard, const struct shf_wanted_key *wanted,
                                     struct shf_lookup_value *out, struct shf_error **error) {
    struct shf_slatedb_value found;
    shf_status status = shf_slatedb_look_up(shard->slatedb, wanted->bytes, wanted->size, &found, error);
    if (status || !found.is_there) return status;
    if (found.mapping) {
        *out = (struct shf_lookup_value){found.value.data, found.value.size, found.mapping, false};
        return SHF_OK;
    }
    struct shf_buf *buf = shf_value_buf_new(shard->source->runtime, found.value.size, error);
    if (buf) {
        if (buf->size) memcpy(buf->data, found.value.data, buf->size);
        *out = (struct shf_lookup_value){buf->data, buf->size, buf, true};
    }
    shf_slatedb_block_close(&found.block);
    return buf ? SHF_OK : SHF_E_NO_MEMORY;
}

/* Names the shard, and which of several keys it was. */
static shf_status failed(const struct shf_lookup_op *lookup, const struct shf_shard *shard, size_t key,
                         shf_status status, struct shf_error **error) {
    shf_error_prefix(error, "%s", shf_shard_keys_url(shard));
    shf_error_set_shard(*error, shard->id);
    shf_error_set_object(*error, shf_shard_keys_url(shard));
    if (lookup->count > 1) shf_error_prefix(error, "key %zu", key);
    return status;
}

static shf_status look_up_one(struct shf_lookup_op *lookup, size_t index, const struct shf_wanted_key *wanted,
                              struct shf_error **error) {
    struct shf_shard *shard = wanted->shard;
    struct shf_kv_value found;
    bool is_there = false;
    if (!shard) return SHF_OK;
    if (shard->slatedb) {
        shf_status status = look_up_in_slatedb(shard, wanted, &lookup->values[index], error);
        return status ? failed(lookup, shard, index, status, error) : SHF_OK;
    }
    shf_status status =
        shf_kv_get(&shard->kv, shf_shard_separators(shard, 1), wanted->bytes, wanted->size, &is_there, &found, error);
    if (!status && is_there) status = take_value(shard, &found, &lookup->values[index], error);
    return status ? failed(lookup, shard, index, status, error) : SHF_OK;
}

shf_status shf_lookup_block(struct shf_lookup_op *lookup, size_t first, const struct shf_wanted_key *wanted,
                            size_t count, struct shf_error **error) {
    struct shf_kv_probe probes[SHF_LOOKUP_BLOCK];
    uint32_t index_of[SHF_LOOKUP_BLOCK]; /* of a probe in wanted */
    size_t probe_count = 0, bad = 0;
    assert(count <= SHF_LOOKUP_BLOCK);
    if (count == 1) return look_up_one(lookup, first, wanted, error);
    for (size_t i = 0; i < count; i++) {
        struct shf_shard *shard = wanted[i].shard;
        if (!shard) continue;
        if (shard->slatedb) {
            shf_status status = look_up_one(lookup, first + i, &wanted[i], error);
            if (status) return status;
            continue;
        }
        struct shf_kv_probe *probe = &probes[probe_count];
        probe->kv = &shard->kv;
        probe->separators = shf_shard_separators(shard, 1);
        probe->key = wanted[i].bytes;
        probe->key_size = wanted[i].size;
        index_of[probe_count++] = (uint32_t)i;
    }
    shf_status status = shf_kv_get_many(probes, probe_count, &bad, error);
    for (size_t p = 0; p < probe_count && !status; p++) {
        if (!probes[p].found) continue;
        bad = p;
        status = take_value(wanted[index_of[p]].shard, &probes[p].value, &lookup->values[first + index_of[p]], error);
    }
    if (!status) return SHF_OK;
    return failed(lookup, wanted[index_of[bad]].shard, first + index_of[bad], status, error);
}

void shf_lookup_begin_routing(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys,
                              struct shf_routing *routing) {
    const struct shf_snapshot *snapshot = lookup->base.snapshot;
    shf_routing_begin(routing, snapshot->manifest->num_dbs, snapshot->cel, keys->context);
}

/* Under CEL a key that no shard has need not fit the encoding: it is just not found. */
static shf_status locate(const struct shf_manifest *manifest, const shf_key *key, struct shf_routing *routing,
                         uint32_t *shard, struct shf_stored_key *stored, struct shf_error **error) {
    if (routing->cel) {
        stored->bytes = (shf_slice){"", 0};
        shf_status status = shf_routing_of_key(routing, key, shard, error);
        if (status || *shard == SHF_CEL_UNKNOWN_TOKEN) return status;
        return shf_key_encode(manifest->key_encoding, key, stored, error);
    }
    shf_status status = shf_key_encode(manifest->key_encoding, key, stored, error);
    return status ? status : shf_routing_of_key(routing, key, shard, error);
}

shf_status shf_lookup_locate(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, size_t index,
                             struct shf_routing *routing, uint32_t *shard, struct shf_stored_key *stored,
                             struct shf_error **error) {
    if (keys->snapshot) {
        *shard = keys->shard;
        stored->bytes = keys->stored[index];
        return SHF_OK;
    }
    return shf_lookup_locate_key(lookup, &keys->keys[index], index, routing, shard, stored, error);
}

shf_status shf_lookup_locate_key(const struct shf_lookup_op *lookup, const shf_key *key, size_t index,
                                 struct shf_routing *routing, uint32_t *shard, struct shf_stored_key *stored,
                                 struct shf_error **error) {
    shf_status status = locate(lookup->base.snapshot->manifest, key, routing, shard, stored, error);
    if (status && lookup->count > 1) shf_error_prefix(error, "key %zu", index);
    return status;
}

/* ---- in the call ---- */

/* Routes all keys; *ready says whether every shard is open, and that expressions took no long time. */
static shf_status locate_all(const struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys,
                             struct shf_wanted_key *wanted, struct shf_stored_key *stored, bool *ready,
                             struct shf_error **error) {
    struct shf_routing routing;
    shf_status status = SHF_OK;
    shf_lookup_begin_routing(lookup, keys, &routing);
    *ready = true;
    for (size_t i = 0; i < lookup->count && *ready; i++) {
        uint32_t id;
        status = shf_lookup_locate(lookup, keys, i, &routing, &id, &stored[i], error);
        if (status) break;
        struct shf_shard *shard = shf_lookup_shard(lookup->base.snapshot, id);
        *ready = (!shard || shf_shard_is_ready(shard)) &&
                 (i + 1 == lookup->count || shf_routing_steps(&routing) <= SHF_LOOKUP_STEPS);
        wanted[i] = (struct shf_wanted_key){shard, stored[i].bytes.data, stored[i].bytes.size};
    }
    shf_routing_end(&routing);
    return status;
}

/* Answers all keys if every shard is open; *answered says so. */
static shf_status answer_in_call(struct shf_lookup_op *lookup, const struct shf_lookup_keys *keys, bool *answered,
                                 struct shf_error **error) {
    struct shf_wanted_key wanted[SHF_LOOKUP_BLOCK];
    struct shf_stored_key stored[SHF_LOOKUP_BLOCK];
    shf_status status = locate_all(lookup, keys, wanted, stored, answered, error);
    if (status || !*answered) return status;
    return shf_lookup_block(lookup, 0, wanted, lookup->count, error);
}

static struct shf_lookup_op *make(struct shf_reader *reader, const struct shf_lookup_keys *keys, shf_status *status) {
    size_t count = keys->count;
    struct shf_lookup_op *lookup = shf_alloc(sizeof *lookup);
    *status = SHF_E_NO_MEMORY;
    if (!lookup) return NULL;
    lookup->one = (struct shf_lookup_value){NULL, 0, NULL, false};
    lookup->values = count > 1 ? shf_alloc_zero(count, sizeof *lookup->values) : &lookup->one;
    lookup->count = count;
    lookup->detour = NULL;
    if (lookup->values) *status = shf_reader_pin_for(reader, keys->snapshot, &lookup->base);
    if (*status == SHF_OK) return lookup;
    if (lookup->values != &lookup->one) shf_free(lookup->values);
    shf_free(lookup);
    return NULL;
}

shf_status shf_reader_lookup(struct shf_reader *reader, enum shf_op_kind kind, const struct shf_lookup_keys *keys,
                             const struct shf_submission *submission, shf_op_id *id) {
    struct shf_error *error = NULL;
    bool answered = false;
    shf_status accepted, status = SHF_OK;
    if (submission->in_call_only && keys->count > SHF_LOOKUP_BLOCK) return SHF_WOULD_WAIT;
    struct shf_lookup_op *lookup = make(reader, keys, &accepted);
    if (!lookup) return accepted;
    struct shf_op *op = &lookup->base.op;
    if (lookup->base.snapshot->kind == SHF_KIND_VECTOR_ONLY) {
        status = shf_error_set(&error, SHF_E_INVALID, "%s is a vector-only snapshot: it has no keys to look up",
                               lookup->base.snapshot->manifest_ref);
    }
    if (!status && keys->count <= SHF_LOOKUP_BLOCK) status = answer_in_call(lookup, keys, &answered, &error);
    if (status || answered) {
        accepted = shf_op_answer(op, reader->runtime, kind, submission, status, error, destroy, id);
        if (accepted) {
            shf_error_free(error);
            destroy(op);
        }
        return accepted;
    }
    if (submission->in_call_only) {
        destroy(op);
        return SHF_WOULD_WAIT;
    }
    accepted = shf_op_begin(op, reader->runtime, kind, submission, reader->source->timeout_ms, destroy);
    if (accepted) {
        destroy(op);
        return accepted;
    }
    if (id) *id = op->id;
    shf_lookup_go_on_elsewhere(lookup, keys);
    return SHF_OK;
}
