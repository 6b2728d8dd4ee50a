#include "reader/vector_parts.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "snapshot/vector_router.h"

#define NPY_PREFIX_BYTES 12u

shf_status shf_check_dimension(const struct shf_manifest_vector *vector, const char *ref, struct shf_error **error) {
    if (vector->dimension >= 1 && vector->dimension <= SHF_LIMIT_DIMENSION) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "%s: custom.vector.dim must be 1 to %u", ref, SHF_LIMIT_DIMENSION);
}

shf_status shf_refuse_metric(const struct shf_manifest_vector *vector, const char *ref, const char *known,
                             struct shf_error **error) {
    return shf_error_set(error, SHF_E_INVALID, "%s: custom.vector.metric is \"%s\"; %s", ref,
                         vector->metric_text ? vector->metric_text : "(absent)", known);
}

static shf_status check(const struct shf_manifest_vector *vector, const char *ref, struct shf_error **error) {
    const struct shf_manifest_routing *routing = &vector->routing;
    if (vector->is_empty) {
        return shf_error_set(error, SHF_E_STATE, "%s: custom.vector is empty: there is nothing to search", ref);
    }
    shf_status status = shf_check_dimension(vector, ref, error);
    if (status) return status;
    if (!vector->metric) return shf_refuse_metric(vector, ref, "known are cosine, l2 and dot_product", error);
    if (!routing->strategy) {
        return shf_error_set(error, SHF_E_INVALID,
                             "%s: custom.vector.sharding_strategy is \"%s\"; known are cluster, lsh, explicit and cel",
                             ref, routing->strategy_text);
    }
    if (routing->num_probes) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "%s: custom.vector.num_probes must be a whole number of at least 1", ref);
}

static void finish(struct shf_vector_parts *parts, shf_status status) {
    shf_store_request_clear(&parts->request);
    shf_free(parts->key);
    parts->key = NULL;
    parts->status = status;
    parts->done(parts);
}

/* Takes the failure of the request. */
static void fail(struct shf_vector_parts *parts) {
    parts->error = parts->request.error;
    parts->request.error = NULL;
    finish(parts, parts->request.status);
}

/* Asks for parts->key, which is resolved; place as from shf_location_resolve_data. */
static void ask(struct shf_vector_parts *parts, int place, enum shf_store_verb verb, uint64_t max_bytes,
                void (*done)(struct shf_store_request *request)) {
    const struct shf_source *source = parts->source;
    shf_store_request_clear(&parts->request);
    parts->request = (struct shf_store_request){.verb = verb,
                                                .key = parts->key,
                                                .max_bytes = max_bytes,
                                                .body_fd = -1,
                                                .deadline_ns = parts->deadline_ns,
                                                .cancel = parts->cancel,
                                                .done = done};
    shf_store_submit(place < 0 ? source->store : source->allowed_stores[place], &parts->request);
}

static shf_status resolve(struct shf_vector_parts *parts, const char *url, const char *what, int *place) {
    const struct shf_source *source = parts->source;
    shf_free(parts->key);
    parts->key = NULL;
    shf_status status = shf_location_resolve_data(&source->location, parts->manifest->s3_prefix, url, source->allowed,
                                                  source->allowed_count, &parts->key, place, &parts->error);
    if (status) shf_error_prefix(&parts->error, "%s", what);
    return status;
}

/* ---- what the shards are ---- */

static void shard_asked(struct shf_store_request *request) {
    struct shf_vector_parts *parts = SHF_CONTAINER(request, struct shf_vector_parts, request);
    if (request->status && request->status != SHF_E_NOT_FOUND) {
        fail(parts);
        return;
    }
    parts->vectors = request->status ? SHF_VECTORS_LANCE : SHF_VECTORS_VEC0;
    finish(parts, SHF_OK);
}

static void ask_for_shard(struct shf_vector_parts *parts) {
    const struct shf_manifest *manifest = parts->manifest;
    const char *url = NULL;
    for (uint32_t i = 0; i < manifest->shard_count && !url; i++) url = manifest->shards[i].db_url;
    parts->vectors = SHF_VECTORS_LANCE;
    if (!url) {
        finish(parts, SHF_OK);
        return;
    }
    struct shf_text key = {0};
    int place = -1;
    shf_status status = resolve(parts, url, "db_url of the first shard", &place);
    if (!status) {
        shf_text_format(&key, "%s/shard.db", parts->key);
        shf_free(parts->key);
        parts->key = shf_text_take(&key);
        if (!parts->key) status = shf_error_set(&parts->error, SHF_E_NO_MEMORY, "no memory for the name of a shard");
    }
    if (status) {
        finish(parts, status);
        return;
    }
    ask(parts, place, SHF_STORE_HEAD, 0, shard_asked);
}

/* ---- the table of the routing ---- */

static const char *table_name(const struct shf_vector_parts *parts) {
    bool is_cluster = parts->manifest->vector.routing.strategy == SHF_VECTORS_BY_CLUSTER;
    return is_cluster ? "centroids_ref" : "hyperplanes_ref";
}

static void table_there(struct shf_store_request *request) {
    struct shf_vector_parts *parts = SHF_CONTAINER(request, struct shf_vector_parts, request);
    if (request->status == SHF_E_NOT_FOUND) { /* without the file nobody knows where to search */
        shf_status status =
            shf_error_set(&parts->error, SHF_E_STATE, "%s: %s", table_name(parts), shf_error_message(request->error));
        shf_error_set_object(parts->error, parts->table_url);
        shf_error_free(request->error);
        request->error = NULL;
        finish(parts, status);
        return;
    }
    if (request->status) {
        shf_error_prefix(&request->error, "%s", table_name(parts));
        fail(parts);
        return;
    }
    parts->table = request->body;
    request->body = NULL;
    ask_for_shard(parts);
}

static void ask_for_table(struct shf_vector_parts *parts) {
    const struct shf_manifest *manifest = parts->manifest;
    const char *url = shf_vector_router_table_ref(manifest);
    bool is_cluster = manifest->vector.routing.strategy == SHF_VECTORS_BY_CLUSTER;
    uint64_t most_rows = is_cluster ? manifest->num_dbs : SHF_LIMIT_HASH_BITS;
    int place = -1;
    if (!url) {
        finish(parts, shf_error_set(&parts->error, SHF_E_STATE,
                                    "%s: custom.vector has no %s, without which nobody knows which shards to search",
                                    parts->manifest_ref, table_name(parts)));
        return;
    }
    shf_status status = resolve(parts, url, table_name(parts), &place);
    const struct shf_source *source = parts->source;
    const struct shf_location *location = place < 0 ? &source->location : &source->allowed[place];
    if (!status && !(parts->table_url = shf_location_key_url(location, parts->key))) {
        status = shf_error_set(&parts->error, SHF_E_NO_MEMORY, "no memory for the URL of %s", table_name(parts));
    }
    if (status) {
        finish(parts, status);
        return;
    }
    /* Fits: limits of shards and dimensions. One that is longer has another shape. */
    uint64_t most = NPY_PREFIX_BYTES + SHF_LIMIT_NPY_HEADER_BYTES + most_rows * manifest->vector.dimension * 8;
    ask(parts, place, SHF_STORE_GET, most, table_there);
}

void shf_vector_parts_start(struct shf_vector_parts *parts) {
    shf_status status = check(&parts->manifest->vector, parts->manifest_ref, &parts->error);
    if (status) {
        finish(parts, status);
    } else if (shf_vector_router_needs_table(parts->manifest)) {
        ask_for_table(parts);
    } else {
        ask_for_shard(parts);
    }
}

void shf_vector_parts_clear(struct shf_vector_parts *parts) {
    shf_store_request_clear(&parts->request);
    shf_buf_release(parts->table);
    shf_free(parts->table_url);
    shf_free(parts->key);
    shf_error_free(parts->error);
    *parts = (struct shf_vector_parts){0};
}
