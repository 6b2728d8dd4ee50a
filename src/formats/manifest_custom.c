/* build_meta.custom: user fields, and the two entries that describe shards. Only its being an object is validated. */
#include "base/alloc.h"
#include "formats/manifest_priv.h"

#include <string.h>

/* A text as it is, another value as its JSON, so that an error can name it; *out stays NULL for null and nothing. */
static shf_status take_text(const json_t *vector, const char *key, char **out, struct shf_error **error) {
    const json_t *value = json_object_get(vector, key);
    if (!value || json_is_null(value)) return SHF_OK;
    if (json_is_string(value)) return shf_json_string(value, key, SHF_E_MANIFEST, out, error);
    *out = shf_json_text(value);
    return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for custom.vector");
}

static shf_status take_params(const json_t *vector, char **out, struct shf_error **error) {
    const json_t *value = json_object_get(vector, "index_params");
    *out = json_is_object(value) ? shf_json_text(value) : shf_strdup("{}");
    return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for custom.vector");
}

static enum shf_metric metric_of(const char *text) {
    static const enum shf_metric known[] = {SHF_METRIC_COSINE, SHF_METRIC_L2, SHF_METRIC_DOT};
    for (size_t i = 0; text && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(text, shf_metric_name(known[i])) == 0) return known[i];
    }
    return 0;
}

static shf_status read_vector(const json_t *json, struct shf_manifest_vector *vector, struct shf_error **error) {
    const json_t *dimension = json_object_get(json, "dim");
    vector->unified = json_is_true(json_object_get(json, "unified"));
    if (json_is_integer(dimension)) {
        json_int_t value = json_integer_value(dimension);
        vector->dimension = value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    }
    shf_status status = take_text(json, "metric", &vector->metric_text, error);
    if (!status) status = take_text(json, "index_type", &vector->index_type, error);
    if (!status) status = take_text(json, "quantization", &vector->quantization, error);
    if (!status) status = take_text(json, "backend", &vector->backend, error);
    if (!status) status = take_text(json, "kv_backend", &vector->kv_backend, error);
    if (!status) status = take_params(json, &vector->index_params, error);
    if (status) return status;
    vector->metric = metric_of(vector->metric_text);
    if (!vector->index_type) vector->index_type = shf_strdup("hnsw");
    return vector->index_type ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for custom.vector");
}

shf_status shf_manifest_read_custom(const json_t *json, struct shf_manifest *manifest, struct shf_error **error) {
    if (!json) return SHF_OK; /* NULL and empty text mean {} */
    if (!json_is_object(json))
        return shf_error_set(error, SHF_E_MANIFEST, "build_meta, column custom: it is no JSON object");
    const json_t *vector = json_object_get(json, "vector");
    manifest->has_sidecar = json_is_object(json_object_get(json, "sqlite_sidecar"));
    manifest->has_vector = json_is_object(vector); /* anything else is a field of the user's */
    return manifest->has_vector ? read_vector(vector, &manifest->vector, error) : SHF_OK;
}
