/* Inspection of a pinned snapshot, and health: no I/O. */
#include "api/call.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "snapshot/routing.h"

static const char *orelse(const char *text, const char *otherwise) { return text ? text : otherwise; }

shf_status shf_reader_snapshot(shf_reader *reader, shf_snapshot **out) {
    if (!reader || !out) return SHF_E_INVALID;
    if (shf_rt_forked(reader->runtime)) return SHF_E_FORKED;
    bool closed;
    struct shf_snapshot *snapshot = shf_reader_pin(reader, &closed);
    if (!snapshot) return SHF_E_CLOSED;
    shf_rt_handle_add(reader->runtime);
    *out = snapshot;
    return SHF_OK;
}

void shf_snapshot_release(shf_snapshot *snapshot) {
    if (!snapshot) return;
    if (!shf_rt_forked(snapshot->runtime)) shf_rt_handle_drop(snapshot->runtime);
    shf_snapshot_drop(snapshot);
}

shf_status shf_snapshot_describe(const shf_snapshot *snapshot, shf_snapshot_info *out) {
    if (!snapshot || !out) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    const struct shf_manifest *manifest = snapshot->manifest;
    const shf_snapshot_info info = {.struct_size = sizeof info,
                                    .kind = snapshot->kind,
                                    .num_dbs = manifest->num_dbs,
                                    .sharding = (uint32_t)manifest->sharding,
                                    .run_id = manifest->run_id,
                                    .manifest_ref = snapshot->manifest_ref,
                                    .created_at = manifest->created_at,
                                    .key_encoding = shf_key_encoding_name(manifest->key_encoding),
                                    .hash_algorithm = "xxh3_64",
                                    .created_at_us = manifest->created_at_us,
                                    .published_at_us = snapshot->published_at_us,
                                    .row_count = manifest->row_count,
                                    .custom = orelse(manifest->custom, "{}")};
    return shf_struct_fill(out, &info, sizeof info);
}

shf_status shf_snapshot_shard(const shf_snapshot *snapshot, uint32_t shard, shf_shard_info *out) {
    if (!snapshot || !out || shard >= snapshot->manifest->num_dbs) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    const struct shf_manifest_shard *row = shf_manifest_find_shard(snapshot->manifest, shard);
    shf_shard_info info = {.struct_size = sizeof info, .shard = shard, .is_empty = !row || !row->db_url};
    if (row) {
        info.attempt = row->attempt;
        info.row_count = row->row_count;
        info.db_bytes = row->db_bytes;
        info.min_key = row->min_key;
        info.max_key = row->max_key;
        info.db_url = row->db_url;
        info.checkpoint_id = row->checkpoint_id;
        info.writer_info = row->writer_info;
    }
    return shf_struct_fill(out, &info, sizeof info);
}

shf_status shf_snapshot_column(const shf_snapshot *snapshot, uint32_t index, shf_column_info *out) {
    static const uint32_t kinds[] = {
        [SHF_CEL_INT] = SHF_CONTEXT_INT,   [SHF_CEL_UINT] = SHF_CONTEXT_UINT,   [SHF_CEL_DOUBLE] = SHF_CONTEXT_DOUBLE,
        [SHF_CEL_BOOL] = SHF_CONTEXT_BOOL, [SHF_CEL_STRING] = SHF_CONTEXT_TEXT, [SHF_CEL_BYTES] = SHF_CONTEXT_BYTES};
    if (!snapshot || !out) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    const struct shf_cel_router *router = snapshot->router ? snapshot->router->cel : snapshot->cel;
    if (!router) return SHF_E_INVALID;
    const struct shf_cel *cel = shf_cel_router_expression(router);
    if (index >= shf_cel_column_count(cel)) return SHF_E_INVALID;
    const shf_column_info info = {.struct_size = sizeof info,
                                  .kind = kinds[shf_cel_column_type(cel, index)],
                                  .name = shf_cel_column_name(cel, index)};
    return shf_struct_fill(out, &info, sizeof info);
}

shf_status shf_snapshot_vectors(const shf_snapshot *snapshot, shf_vector_info *out) {
    if (!snapshot || !out || !snapshot->manifest->has_vector) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    const struct shf_manifest_vector *vector = &snapshot->manifest->vector;
    const struct shf_vector_router *router = snapshot->router; /* of a vector-only one */
    const char *found = snapshot->vectors == SHF_VECTORS_LANCE ? "lancedb" : "sqlite-vec";
    const shf_vector_info info = {.struct_size = sizeof info,
                                  .dimension = vector->dimension,
                                  .metric = shf_metric_name(vector->metric),
                                  .index_type = orelse(vector->index_type, "hnsw"),
                                  .quantization = vector->quantization,
                                  .index_params = orelse(vector->index_params, "{}"),
                                  .backend = router ? found : orelse(vector->backend, "lancedb"),
                                  .kv_backend = router ? NULL : orelse(vector->kv_backend, "slatedb"),
                                  .sharding_strategy = router ? shf_vector_strategy_name(router->strategy) : NULL,
                                  .num_probes = router ? router->num_probes : 0};
    return shf_struct_fill(out, &info, sizeof info);
}

shf_status shf_snapshot_shards_for_keys(const shf_snapshot *snapshot, const shf_key *keys, size_t count,
                                        const shf_routing_context *context, uint32_t *shards, shf_error **error) {
    struct shf_routing routing;
    shf_status status = SHF_OK;
    if (error) *error = NULL;
    if (!snapshot || (count && (!keys || !shards)) || count > SHF_LIMIT_KEYS_PER_CALL) return SHF_E_INVALID;
    if (shf_context_check(context)) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    if (snapshot->kind == SHF_KIND_VECTOR_ONLY) {
        return shf_error_set(error, SHF_E_INVALID, "%s is a vector-only snapshot: no key leads to a shard",
                             snapshot->manifest_ref);
    }
    shf_routing_begin(&routing, snapshot->manifest->num_dbs, snapshot->cel, context);
    for (size_t i = 0; i < count && !status; i++) {
        status = shf_routing_of_key(&routing, &keys[i], &shards[i], error);
        if (!status && shards[i] == SHF_CEL_UNKNOWN_TOKEN) status = shf_routing_unknown(&routing, error);
        if (status && count > 1) shf_error_prefix(error, "key %zu", i);
    }
    shf_routing_end(&routing);
    return status;
}

shf_status shf_snapshot_route_key(const shf_snapshot *snapshot, const shf_key *key, const shf_routing_context *context,
                                  uint32_t *shard, shf_error **error) {
    return shf_snapshot_shards_for_keys(snapshot, key, 1, context, shard, error);
}

static shf_status check_route(const shf_snapshot *snapshot, const float *vector, uint32_t dimension, shf_error **error) {
    if (!snapshot->router) {
        return shf_error_set(error, SHF_E_INVALID, "%s is %s: only those of vector-only snapshots are routed by vectors",
                             snapshot->manifest_ref, shf_snapshot_kind_text(snapshot));
    }
    if (!vector || dimension == snapshot->router->dimension) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "the vector has %u dimensions, the vectors of this snapshot have %u",
                         dimension, snapshot->router->dimension);
}

shf_status shf_snapshot_route_vector(const shf_snapshot *snapshot, const float *vector, uint32_t dimension,
                                     const shf_routing_context *context, uint32_t num_probes, uint32_t *shards,
                                     uint32_t capacity, uint32_t *count, shf_error **error) {
    if (error) *error = NULL;
    if (!snapshot || !count || (capacity && !shards) || shf_context_check(context)) return SHF_E_INVALID;
    if (shf_rt_forked(snapshot->runtime)) return SHF_E_FORKED;
    shf_status status = check_route(snapshot, vector, dimension, error);
    if (status) return status;
    uint32_t most = shf_vector_router_most(snapshot->router, num_probes), found = 0;
    struct shf_vector_probe *scratch = shf_alloc_array(most, sizeof *scratch);
    uint32_t *chosen = shf_alloc_array(most, sizeof *chosen);
    if (scratch && chosen) {
        status = shf_vector_route(snapshot->router, vector, context, num_probes, scratch, chosen, &found, error);
    } else {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory to choose among %u shards", most);
    }
    if (!status) *count = found;
    if (!status && found > capacity) {
        status = shf_error_set(error, SHF_E_INVALID, "%u shards were chosen, there is room for %u", found, capacity);
    }
    for (uint32_t i = 0; i < found && !status; i++) shards[i] = chosen[i];
    shf_free(scratch);
    shf_free(chosen);
    return status;
}

static uint32_t count_open(const struct shf_snapshot *snapshot) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) count += shf_shard_is_ready(snapshot->shards[i]);
    return count;
}

shf_status shf_health(shf_reader *reader, int64_t staleness_threshold_ms, shf_health_info *out) {
    if (!reader || !out) return SHF_E_INVALID;
    if (shf_rt_forked(reader->runtime)) return SHF_E_FORKED;
    bool closed;
    struct shf_snapshot *snapshot = shf_reader_pin(reader, &closed);
    shf_health_info info = {.struct_size = sizeof info, .status = SHF_UNHEALTHY, .is_closed = closed};
    if (snapshot) {
        int64_t age_us = shf_clock_wall_us() - snapshot->published_at_us;
        bool stale = staleness_threshold_ms > 0 && age_us / 1000 > staleness_threshold_ms;
        info.num_shards = snapshot->manifest->num_dbs;
        info.manifest_age_seconds = (double)age_us / 1e6;
        info.open_shards = count_open(snapshot);
        if (!closed) info.status = stale ? SHF_DEGRADED : SHF_HEALTHY;
        shf_snapshot_drop(snapshot);
    }
    return shf_struct_fill(out, &info, sizeof info);
}
