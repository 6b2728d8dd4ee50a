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

static shf_status check_unique(struct token *tokens, size_t count, struct shf_error **error) {
    qsort(tokens, count, sizeof *tokens, compare_tokens);
    for (size_t i = 1; i < count; i++) {
        if (compare_tokens(&tokens[i - 1], &tokens[i]) == 0) return bad(error, "a routing value occurs twice");
    }
    return SHF_OK;
}

/* Copies them, in order. */
static shf_status keep_tokens(const struct token *tokens, size_t count, struct shf_manifest_cel *cel,
                              struct shf_error **error) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += tokens[i].size; /* fits: all of them are in one JSON text */
    cel->routing_values = shf_alloc_array(count ? count : 1, sizeof *cel->routing_values);
    cel->routing_text = shf_alloc(bytes ? bytes : 1);
    if (!cel->routing_values || !cel->routing_text) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu routing values", count);
    }
    char *text = cel->routing_text;
    for (size_t i = 0; i < count; i++) {
        struct shf_cel_value *value = &cel->routing_values[i];
        *value = (struct shf_cel_value){.type = tokens[i].text ? SHF_CEL_STRING : SHF_CEL_INT};
        if (!tokens[i].text) {
            value->as.integer = tokens[i].integer;
            continue;
        }
        if (tokens[i].size) memcpy(text, tokens[i].text, tokens[i].size);
        value->as.text = (shf_slice){text, tokens[i].size};
        text += tokens[i].size;
    }
    cel->routing_count = count;
    return SHF_OK;
}

static shf_status read_tokens(const json_t *values, size_t count, struct shf_manifest_cel *cel, struct shf_error **error) {
    struct token *tokens = shf_alloc_zero(count ? count : 1, sizeof *tokens);
    shf_status status = SHF_OK;
    if (!tokens) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu routing values", count);
    for (size_t i = 0; i < count && !status; i++) {
        status = read_token(json_array_get(values, i), i ? tokens : NULL, &tokens[i], error);
    }
    if (!status) status = keep_tokens(tokens, count, cel, error);
    if (!status) status = check_unique(tokens, count, error);
    shf_free(tokens);
    return status;
}

static shf_status read_routing_values(const json_t *values, struct shf_manifest *manifest, struct shf_error **error) {
    if (!values || json_is_null(values)) return SHF_OK;
    if (!json_is_array(values)) return bad(error, "routing_values is no list");
    size_t count = json_array_size(values);
    if (manifest->num_dbs != (count ? count : 1)) {
        return shf_error_set(error, SHF_E_MANIFEST, "build_meta: num_dbs is %" PRIu32 " with %zu routing values",
                             manifest->num_dbs, count);
    }
    return read_tokens(values, count, &manifest->cel, error);
}

/* ---- columns ---- */

static shf_status read_columns(json_t *json, struct shf_manifest_cel *cel, struct shf_error **error) {
    size_t count = json_object_size(json);
    const char *name;
    json_t *type;
    if (!json_is_object(json) || count == 0) return bad(error, "cel needs cel_columns");
    if (count > SHF_LIMIT_CEL_COLUMNS) {
        return shf_error_set(error, SHF_E_LIMIT, "build_meta, column sharding: %zu cel_columns; at most %u are read",
                             count, SHF_LIMIT_CEL_COLUMNS);
    }
    cel->columns = shf_alloc_zero(count, sizeof *cel->columns);
    if (!cel->columns) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
    json_object_foreach(json, name, type) {
        if (!json_is_string(type)) return bad(error, "a type in cel_columns is no text");
        struct shf_manifest_cel_column *column = &cel->columns[cel->column_count++];
        column->name = shf_strdup(name);
        if (!column->name) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
        shf_status status = shf_json_string(type, "cel_columns", SHF_E_MANIFEST, &column->type, error);
        if (status) return status;
    }
    return SHF_OK;
}

void shf_manifest_free_cel(struct shf_manifest_cel *cel) {
    for (size_t i = 0; i < cel->column_count; i++) {
        shf_free(cel->columns[i].name);
        shf_free(cel->columns[i].type);
    }
    shf_free(cel->columns);
    shf_free(cel->expression);
    shf_free(cel->routing_values);
    shf_free(cel->routing_text);
}

/* ---- strategies ---- */

static shf_status read_cel(const json_t *json, struct shf_manifest *manifest, struct shf_error **error) {
    const json_t *expression = json_object_get(json, "cel_expr");
    struct shf_manifest_cel *cel = &manifest->cel;
    if (!json_is_string(expression) || json_string_length(expression) == 0) return bad(error, "cel needs a cel_expr");
    shf_status status = read_columns(json_object_get(json, "cel_columns"), cel, error);
    if (!status) status = read_routing_values(json_object_get(json, "routing_values"), manifest, error);
    if (status) return status;
    manifest->sharding = SHF_SHARD_BY_CEL;
    return shf_json_string(expression, "cel_expr", SHF_E_MANIFEST, &cel->expression, error);
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
