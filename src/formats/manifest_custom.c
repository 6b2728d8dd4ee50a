/* build_meta.custom: user fields, and the two entries that describe shards. Only its being an object is validated. */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_priv.h"

#include <stdio.h>
#include <string.h>

shf_status shf_manifest_take_text(const json_t *vector, const char *key, char **out, struct shf_error **error) {
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
    vector->is_empty = json_object_size(json) == 0;
    vector->unified = json_is_true(json_object_get(json, "unified"));
    if (json_is_integer(dimension)) {
        json_int_t value = json_integer_value(dimension);
        vector->dimension = value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    }
    shf_status status = shf_manifest_take_text(json, "metric", &vector->metric_text, error);
    if (!status) status = shf_manifest_take_text(json, "index_type", &vector->index_type, error);
    if (!status) status = shf_manifest_take_text(json, "quantization", &vector->quantization, error);
    if (!status) status = shf_manifest_take_text(json, "backend", &vector->backend, error);
    if (!status) status = shf_manifest_take_text(json, "kv_backend", &vector->kv_backend, error);
    if (!status) status = take_params(json, &vector->index_params, error);
    if (!status && !vector->unified) status = shf_manifest_read_routing(json, &vector->routing, error);
    if (status) return status;
    vector->metric = metric_of(vector->metric_text);
    if (!vector->metric_text && !vector->unified && !vector->is_empty) vector->metric = SHF_METRIC_COSINE;
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

/* ---- shf_objects ---- */

#define OBJECT_NAME "/shard.db"
#define MOST_SEGMENTS 16u /* of the path below the prefix: it has four, and those of the shard prefix */

static int digit_of(char c) {
    char lower = shf_ascii_lower(c);
    return shf_ascii_is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* "SIZE SHA256HEX". */
static bool read_object(const char *text, uint64_t *size, uint8_t sha256[32]) {
    *size = 0;
    if (!shf_ascii_is_digit(*text)) return false;
    for (; shf_ascii_is_digit(*text); text++) {
        if (__builtin_mul_overflow(*size, UINT64_C(10), size)) return false;
        if (__builtin_add_overflow(*size, (uint64_t)(*text - '0'), size)) return false;
    }
    if (*text++ != ' ' || strlen(text) != 64) return false;
    for (size_t i = 0; i < 32; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        sha256[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* The path is the end of the URL from one of its slashes on: the longest that is there. */
static const json_t *find_object(const json_t *objects, const char *db_url) {
    char path[SHF_LIMIT_URL_BYTES + sizeof OBJECT_NAME];
    const char *slashes[MOST_SEGMENTS];
    size_t size = strlen(db_url), count = 0;
    if (size > SHF_LIMIT_URL_BYTES) return NULL;
    (void)snprintf(path, sizeof path, "%s%s", db_url, OBJECT_NAME);
    for (size_t at = size; at > 0 && count < MOST_SEGMENTS; at--) {
        if (path[at - 1] == '/') slashes[count++] = path + at;
    }
    while (count > 0) {
        const json_t *found = json_object_get(objects, slashes[--count]);
        if (found) return found;
    }
    return NULL;
}

/* A hint for readers, not a rule of the format: what is malformed is as good as absent. */
void shf_manifest_match_objects(const json_t *objects, struct shf_manifest *manifest) {
    if (!json_is_object(objects) || json_object_size(objects) == 0) return;
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        struct shf_manifest_shard *shard = &manifest->shards[i];
        const json_t *found = shard->db_url ? find_object(objects, shard->db_url) : NULL;
        const char *text = json_string_value(found);
        shard->has_object = text && read_object(text, &shard->object_size, shard->sha256);
    }
}
