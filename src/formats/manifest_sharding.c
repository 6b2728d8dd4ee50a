/* build_meta.sharding: the one object in which unknown keys are refused. */
#include "base/alloc.h"
#include "formats/manifest_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_MANIFEST, "build_meta, column sharding: %s", what);
}

static shf_status check_keys(json_t *json, struct shf_error **error) {
    static const char *const known[] = {"strategy", "hash_algorithm", "cel_expr", "cel_columns", "routing_values"};
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) is_known |= strcmp(key, known[i]) == 0;
        if (!is_known)
            return shf_error_set(error, SHF_E_MANIFEST, "build_meta, column sharding: unknown key \"%.64s\"", key);
    }
    return SHF_OK;
}

static bool is_text(const json_t *json, const char *text) {
    return json_is_string(json) && json_string_length(json) == strlen(text) && strcmp(json_string_value(json), text) == 0;
}

static bool is_given(const json_t *json, const char *key) {
    const json_t *value = json_object_get(json, key);
    return value && !json_is_null(value);
}

/* ---- routing values ---- */

struct token {
    int64_t integer;
    const char *text; /* NULL = integer */
    size_t size;
};

static int compare_tokens(const void *left, const void *right) {
    const struct token *a = left, *b = right;
    if (!a->text) return a->integer < b->integer ? -1 : a->integer > b->integer;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

static shf_status read_token(const json_t *value, const struct token *first, struct token *out, struct shf_error **error) {
    *out = (struct token){0};
    if (json_is_string(value)) {
        out->text = json_string_value(value);
        out->size = json_string_length(value);
    } else if (!shf_json_integer(value, &out->integer)) {
        return bad(error, "a routing value is neither an integer of 64 bits nor a text");
    }
    if (first && !first->text != !out->text) return bad(error, "the routing values are not of one type");
    return SHF_OK;
}

static shf_status check_tokens(const json_t *values, size_t count, struct shf_error **error) {
    struct token *tokens = shf_alloc_zero(count, sizeof *tokens);
    shf_status status = SHF_OK;
    if (!tokens) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu routing values", count);
    for (size_t i = 0; i < count && !status; i++) {
        status = read_token(json_array_get(values, i), i ? tokens : NULL, &tokens[i], error);
    }
    if (!status) qsort(tokens, count, sizeof *tokens, compare_tokens);
    for (size_t i = 1; i < count && !status; i++) {
        if (compare_tokens(&tokens[i - 1], &tokens[i]) == 0) status = bad(error, "a routing value occurs twice");
    }
    shf_free(tokens);
    return status;
}

static shf_status check_routing_values(const json_t *values, uint32_t num_dbs, struct shf_error **error) {
    if (!values || json_is_null(values)) return SHF_OK;
    if (!json_is_array(values)) return bad(error, "routing_values is no list");
    size_t count = json_array_size(values);
    if (num_dbs != (count ? count : 1)) {
        return shf_error_set(error, SHF_E_MANIFEST, "build_meta: num_dbs is %" PRIu32 " with %zu routing values",
                             num_dbs, count);
    }
    return count ? check_tokens(values, count, error) : SHF_OK;
}

/* ---- strategies ---- */

static shf_status read_cel(const json_t *json, struct shf_manifest *manifest, struct shf_error **error) {
    const json_t *expression = json_object_get(json, "cel_expr");
    json_t *columns = json_object_get(json, "cel_columns");
    const char *key;
    json_t *type;
    if (!json_is_string(expression) || json_string_length(expression) == 0) return bad(error, "cel needs a cel_expr");
    if (!json_is_object(columns) || json_object_size(columns) == 0) return bad(error, "cel needs cel_columns");
    json_object_foreach(columns, key, type) {
        if (!json_is_string(type)) return bad(error, "a type in cel_columns is no text");
    }
    shf_status status = check_routing_values(json_object_get(json, "routing_values"), manifest->num_dbs, error);
    if (status) return status;
    manifest->sharding = SHF_SHARD_BY_CEL;
    return shf_json_string(expression, "cel_expr", SHF_E_MANIFEST, &manifest->cel_expr, error);
}

shf_status shf_manifest_read_sharding(json_t *json, struct shf_manifest *manifest, struct shf_error **error) {
    if (!json_is_object(json)) return bad(error, "it is no JSON object");
    shf_status status = check_keys(json, error);
    if (status) return status;
    const json_t *strategy = json_object_get(json, "strategy");
    if (!is_text(json_object_get(json, "hash_algorithm"), "xxh3_64"))
        return bad(error, "hash_algorithm is not xxh3_64");
    if (strategy && is_text(strategy, "cel")) return read_cel(json, manifest, error);
    if (strategy && !is_text(strategy, "hash")) return bad(error, "strategy is neither hash nor cel");
    if (is_given(json, "cel_expr") || is_given(json, "cel_columns") || is_given(json, "routing_values")) {
        return bad(error, "hash takes no cel_expr, cel_columns and routing_values");
    }
    manifest->sharding = SHF_SHARD_BY_HASH;
    return SHF_OK;
}
