#include "reader/state.h"

#include "base/alloc.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

/* ---- what kind of snapshot this is; what is not known is refused by name ---- */

static shf_status decide_unified(const struct shf_manifest_vector *vector, const char *ref, struct shf_error **error) {
    if (vector->metric == SHF_METRIC_COSINE || vector->metric == SHF_METRIC_L2) return SHF_OK;
    return shf_refuse_metric(vector, ref, "sqlite-vec shards have cosine or l2", error);
}

static shf_status decide_composite(const struct shf_manifest_vector *vector, const char *ref, bool *keys_in_sqlite,
                                   struct shf_error **error) {
    const char *keys = vector->kv_backend ? vector->kv_backend : "slatedb";
    *keys_in_sqlite = strcmp(keys, "sqlite") == 0;
    if (!*keys_in_sqlite && strcmp(keys, "slatedb") != 0) {
        return shf_error_set(error, SHF_E_INVALID,
                             "%s names the key-value backend \"%s\" beside lancedb; known are slatedb and sqlite", ref,
                             keys);
    }
    if (vector->metric) return SHF_OK;
    return shf_refuse_metric(vector, ref, "known are cosine, l2 and dot_product", error);
}

/* What is wrong with the rest was found when its parts were loaded. */
static shf_status decide_vector_only(struct shf_snapshot *snapshot, const struct shf_vector_parts *parts,
                                     struct shf_error **error) {
    const struct shf_manifest *manifest = snapshot->manifest;
    snapshot->kind = SHF_KIND_VECTOR_ONLY;
    snapshot->keys = SHF_KEYS_NONE;
    snapshot->vectors = parts->vectors;
    if (snapshot->vectors == SHF_VECTORS_VEC0) {
        shf_status status = decide_unified(&manifest->vector, snapshot->manifest_ref, error);
        if (status) return status;
    }
    shf_slice table = {parts->table ? parts->table->data : NULL, parts->table ? parts->table->size : 0};
    shf_status status =
        shf_vector_router_new(manifest, table, shf_rt_budget(snapshot->runtime), &snapshot->router, error);
    if (status && manifest->vector.routing.strategy == SHF_VECTORS_BY_CEL) {
        shf_error_prefix(error, "%s", snapshot->manifest_ref);
    } else if (status && parts->table_url) {
        shf_error_prefix(error, "%s", parts->table_url);
        shf_error_set_object(error ? *error : NULL, parts->table_url);
    }
    return status;
}

/* Sets kind and formats. */
static shf_status decide(struct shf_snapshot *snapshot, const struct shf_vector_parts *parts, struct shf_error **error) {
    const struct shf_manifest *manifest = snapshot->manifest;
    const struct shf_manifest_vector *vector = &manifest->vector;
    const char *ref = snapshot->manifest_ref, *backend = vector->backend ? vector->backend : "lancedb";
    bool keys_in_sqlite = true;
    if (shf_is_vector_only(manifest)) return decide_vector_only(snapshot, parts, error);
    if (!manifest->has_vector) {
        snapshot->kind = SHF_KIND_KV_ONLY;
        snapshot->keys = SHF_KEYS_WHAT_IS_THERE;
        snapshot->vectors = SHF_VECTORS_NONE;
        return SHF_OK;
    }
    bool is_composite = strcmp(backend, "lancedb") == 0;
    if (!is_composite && strcmp(backend, "sqlite-vec") != 0) {
        return shf_error_set(error, SHF_E_INVALID,
                             "%s names the vector backend \"%s\"; known are sqlite-vec and lancedb", ref, backend);
    }
    shf_status status = shf_check_dimension(vector, ref, error);
    if (!status) {
        status =
            is_composite ? decide_composite(vector, ref, &keys_in_sqlite, error) : decide_unified(vector, ref, error);
    }
    snapshot->kind = is_composite ? SHF_KIND_COMPOSITE : SHF_KIND_UNIFIED;
    snapshot->keys = keys_in_sqlite ? SHF_KEYS_SQLITE : SHF_KEYS_SLATEDB;
    snapshot->vectors = is_composite ? SHF_VECTORS_LANCE : SHF_VECTORS_VEC0;
    return status;
}

/* The sharding of keys. */
static shf_status compile(struct shf_snapshot *snapshot, struct shf_error **error) {
    const struct shf_manifest *manifest = snapshot->manifest;
    if (snapshot->kind == SHF_KIND_VECTOR_ONLY || manifest->sharding != SHF_SHARD_BY_CEL) return SHF_OK;
    shf_status status = shf_routing_compile(&manifest->cel, manifest->num_dbs, &snapshot->cel, error);
    if (status) shf_error_prefix(error, "%s", snapshot->manifest_ref);
    return status;
}

/* ---- shards ---- */

static shf_status name_objects(struct shf_shard *shard, const char *key, struct shf_error **error) {
    struct shf_text directory = {0};
    shf_text_add_string(&directory, key);
    shf_text_add_string(&directory, "/");
    shard->directory_key = shf_text_take(&directory);
    char *object_key = shard->directory_key ? shf_shard_key_of(shard, "shard.db") : NULL;
    if (object_key) {
        shard->url = shf_store_url_of(shard->store, shard->directory_key);
        shard->object_url = shf_store_url_of(shard->store, object_key);
    }
    shf_free(object_key);
    if (shard->url && shard->object_url) return SHF_OK;
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for shard %u", shard->id);
}

static shf_status make_shard(struct shf_source *source, const struct shf_snapshot *snapshot,
                             const struct shf_manifest_shard *row, struct shf_shard **out, struct shf_error **error) {
    const struct shf_manifest *manifest = snapshot->manifest;
    char *key = NULL;
    int place = -1;
    shf_status status = shf_location_resolve_data(&source->location, manifest->s3_prefix, row->db_url, source->allowed,
                                                  source->allowed_count, &key, &place, error);
    if (status) {
        shf_error_prefix(error, "db_url of shard %u", row->db_id);
        shf_error_set_shard(error ? *error : NULL, row->db_id);
        return status;
    }
    struct shf_shard *shard = shf_alloc_zero(1, sizeof *shard);
    if (!shard) {
        shf_free(key);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for shard %u", row->db_id);
    }
    atomic_init(&shard->references, 1);
    atomic_init(&shard->state, SHF_SHARD_IDLE);
    shard->source = shf_source_retain(source);
    shard->store = place < 0 ? source->store : source->allowed_stores[place];
    shard->id = row->db_id;
    shard->keys = snapshot->keys;
    shard->vectors = snapshot->vectors;
    shard->use.is_counted = snapshot->kind == SHF_KIND_VECTOR_ONLY && source->open_shards.limit > 0;
    shard->dimension = manifest->vector.dimension;
    shard->metric = manifest->vector.metric;
    shard->has_object = row->has_object;
    shard->object_size = row->object_size;
    memcpy(shard->object_sha256, row->sha256, sizeof shard->object_sha256);
    status = name_objects(shard, key, error);
    if (!status && row->checkpoint_id && !(shard->checkpoint_id = shf_strdup(row->checkpoint_id))) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for shard %u", row->db_id);
    }
    shf_free(key);
    if (status) {
        shf_shard_release(shard);
        return status;
    }
    *out = shard;
    return SHF_OK;
}

/* Published objects are never written again, so the same object with the same checkpoint is the same shard. */
static bool same_shard(const struct shf_shard *a, const struct shf_shard *b) {
    assert(a->directory_key && b->directory_key);
    return a->store == b->store && a->keys == b->keys && a->vectors == b->vectors && a->dimension == b->dimension &&
           a->metric == b->metric && a->checkpoint_id && b->checkpoint_id &&
           strcmp(a->checkpoint_id, b->checkpoint_id) == 0 && strcmp(a->directory_key, b->directory_key) == 0;
}

static shf_status add_shard(struct shf_snapshot *snapshot, struct shf_source *source,
                            const struct shf_manifest_shard *row, const struct shf_snapshot *old, uint32_t *reused,
                            struct shf_error **error) {
    struct shf_shard *shard = NULL;
    shf_status status = make_shard(source, snapshot, row, &shard, error);
    if (status) return status;
    const struct shf_manifest *before = old ? old->manifest : NULL;
    struct shf_shard *kept = before && row->db_id < before->num_dbs ? shf_snapshot_shard_of(old, row->db_id) : NULL;
    if (kept && same_shard(kept, shard)) {
        shf_shard_release(shard);
        shard = shf_shard_retain(kept);
        (*reused)++;
    }
    snapshot->index_of[row->db_id] = snapshot->shard_count;
    snapshot->shards[snapshot->shard_count++] = shard;
    return SHF_OK;
}

static shf_status add_shards(struct shf_snapshot *snapshot, struct shf_source *source, const struct shf_snapshot *old,
                             uint32_t *reused, struct shf_error **error) {
    const struct shf_manifest *manifest = snapshot->manifest;
    snapshot->shards = shf_alloc_zero(manifest->shard_count, sizeof(struct shf_shard *));
    snapshot->index_of = shf_alloc_array(manifest->num_dbs, sizeof *snapshot->index_of);
    if (!snapshot->shards || !snapshot->index_of) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u shards", manifest->shard_count);
    }
    for (uint32_t i = 0; i < manifest->num_dbs; i++) snapshot->index_of[i] = SHF_NO_SHARD;
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        if (!manifest->shards[i].db_url) continue;
        shf_status status = add_shard(snapshot, source, &manifest->shards[i], old, reused, error);
        if (status) return status;
    }
    return SHF_OK;
}

shf_status shf_snapshot_new(struct shf_source *source, struct shf_manifest *manifest, char *manifest_ref,
                            int64_t published_at_us, const struct shf_vector_parts *parts, const struct shf_snapshot *old,
                            struct shf_snapshot **out, uint32_t *reused, struct shf_error **error) {
    struct shf_snapshot *snapshot = shf_alloc_zero(1, sizeof *snapshot);
    if (!snapshot) {
        shf_manifest_free(manifest);
        shf_free(manifest_ref);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a snapshot");
    }
    atomic_init(&snapshot->references, 1);
    snapshot->runtime = shf_rt_retain(source->runtime);
    snapshot->source = shf_source_retain(source);
    snapshot->manifest = manifest;
    snapshot->manifest_ref = manifest_ref;
    snapshot->published_at_us = published_at_us;
    *reused = 0;
    shf_status status = decide(snapshot, parts, error);
    if (!status) status = compile(snapshot, error);
    if (!status) status = add_shards(snapshot, source, old, reused, error);
    if (status) {
        shf_snapshot_drop(snapshot);
        return status;
    }
    *out = snapshot;
    return SHF_OK;
}

const char *shf_snapshot_kind_text(const struct shf_snapshot *snapshot) {
    switch (snapshot->kind) {
    case SHF_KIND_UNIFIED: return "a unified snapshot";
    case SHF_KIND_COMPOSITE: return "a composite snapshot";
    case SHF_KIND_VECTOR_ONLY: return "a vector-only snapshot";
    default: return "a key-value snapshot";
    }
}

struct shf_snapshot *shf_snapshot_retain(struct shf_snapshot *snapshot) {
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void shf_snapshot_drop(struct shf_snapshot *snapshot) {
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) shf_shard_release(snapshot->shards[i]);
    shf_free(snapshot->shards);
    shf_free(snapshot->index_of);
    shf_cel_router_free(snapshot->cel);
    shf_vector_router_free(snapshot->router);
    shf_manifest_free(snapshot->manifest);
    shf_free(snapshot->manifest_ref);
    shf_source_release(snapshot->source);
    shf_rt_release(snapshot->runtime);
    shf_free(snapshot);
}
