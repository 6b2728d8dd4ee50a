/*
 * The fields of custom.vector that say which shards of a vector-only snapshot a query visits. A strategy that nobody knows
 * and a number of probes that is none are for whoever opens the snapshot to refuse; here only what could not be stored.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_priv.h"

#include <stdlib.h>
#include <string.h>

static const char *const strategies[] = {NULL, "cluster", "lsh", "explicit", "cel"};

const char *shf_vector_strategy_name(enum shf_vector_strategy strategy) {
    return strategy >= SHF_VECTORS_BY_CLUSTER && strategy <= SHF_VECTORS_BY_CEL ? strategies[strategy] : "unknown";
}

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_MANIFEST, "build_meta, column custom: vector.%s", what);
}

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for custom.vector");
}

static void read_strategy(struct shf_manifest_routing *routing) {
    const char *text = routing->strategy_text;
    if (!text) routing->strategy = SHF_VECTORS_BY_ID;
    for (int i = SHF_VECTORS_BY_CLUSTER; text && i <= SHF_VECTORS_BY_CEL; i++) {
        if (strcmp(text, strategies[i]) == 0) routing->strategy = (enum shf_vector_strategy)i;
    }
}

static void read_probes(const json_t *value, struct shf_manifest_routing *routing) {
    int64_t probes = 1;
    if (value && !json_is_null(value) && !shf_json_integer(value, &probes)) probes = 0;
    routing->num_probes = probes < 1 ? 0 : probes > UINT32_MAX ? UINT32_MAX : (uint32_t)probes;
}

/* ---- columns ---- */

static shf_status read_columns(const json_t *vector, struct shf_manifest_routing *routing, struct shf_error **error) {
    json_t *columns = json_object_get(vector, "cel_columns"), *type;
    const char *name;
    if (!columns || json_is_null(columns)) return SHF_OK;
    if (!json_is_object(columns)) return bad(error, "cel_columns is no JSON object");
    size_t count = json_object_size(columns);
    if (count > SHF_LIMIT_ROUTING_COLUMNS) {
        return shf_error_set(error, SHF_E_LIMIT, "custom.vector.cel_columns has %zu columns; at most %u are read",
                             count, SHF_LIMIT_ROUTING_COLUMNS);
    }
    if (count == 0) return SHF_OK;
    routing->cel_columns = shf_alloc_zero(count, sizeof *routing->cel_columns);
    if (!routing->cel_columns) return no_memory(error);
    json_object_foreach(columns, name, type) {
        struct shf_manifest_cel_column *column = &routing->cel_columns[routing->cel_column_count++];
        if (!json_is_string(type)) return bad(error, "cel_columns has a type that is no text");
        column->name = shf_strdup(name);
        if (!column->name) return no_memory(error);
        shf_status status = shf_json_string(type, "custom.vector.cel_columns", SHF_E_MANIFEST, &column->type, error);
        if (status) return status;
    }
    return SHF_OK;
}

/* ---- routing values ---- */

static int digit_of(char c) {
    char lower = shf_ascii_lower(c);
    return shf_ascii_is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* {"__bytes_hex__": "00ff"}: JSON knows no bytes. */
static shf_status read_bytes(const json_t *value, struct shf_manifest_token *out, struct shf_error **error) {
    const json_t *hex = json_object_get(value, "__bytes_hex__");
    size_t size = json_string_length(hex);
    const char *digits = json_string_value(hex);
    if (json_object_size(value) != 1 || !digits || size % 2) {
        return bad(error, "routing_values has an object that is not {\"__bytes_hex__\": ...}");
    }
    out->kind = SHF_TOKEN_BYTES;
    out->size = size / 2;
    out->data = shf_alloc_zero(out->size + 1, 1);
    if (!out->data) return no_memory(error);
    for (size_t i = 0; i < out->size; i++) {
        int high = digit_of(digits[2 * i]), low = digit_of(digits[2 * i + 1]);
        if (high < 0 || low < 0) return bad(error, "routing_values has bytes that are not hexadecimal");
        out->data[i] = (char)(high * 16 + low);
    }
    return SHF_OK;
}

static shf_status read_token(const json_t *value, struct shf_manifest_token *out, struct shf_error **error) {
    if (json_is_object(value)) return read_bytes(value, out, error);
    if (json_is_string(value)) {
        out->kind = SHF_TOKEN_TEXT;
        out->size = json_string_length(value);
        out->data = shf_alloc_zero(out->size + 1, 1);
        if (!out->data) return no_memory(error);
        memcpy(out->data, json_string_value(value), out->size);
        return SHF_OK;
    }
    out->kind = SHF_TOKEN_INTEGER;
    if (shf_json_integer(value, &out->integer)) return SHF_OK;
    return bad(error, "routing_values has one that is neither an integer of 64 bits, a text nor bytes");
}

static int compare_tokens(const void *left, const void *right) {
    const struct shf_manifest_token *a = *(const struct shf_manifest_token *const *)left;
    const struct shf_manifest_token *b = *(const struct shf_manifest_token *const *)right;
    if (a->kind == SHF_TOKEN_INTEGER) return a->integer < b->integer ? -1 : a->integer > b->integer;
    int order = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    return order ? order : a->size < b->size ? -1 : a->size > b->size;
}

static shf_status check_unique(const struct shf_manifest_routing *routing, struct shf_error **error) {
    uint32_t count = routing->routing_value_count;
    const struct shf_manifest_token **order = shf_alloc_array(count, sizeof(struct shf_manifest_token *));
    shf_status status = SHF_OK;
    if (!order) return no_memory(error);
    for (uint32_t i = 0; i < count; i++) order[i] = &routing->routing_values[i];
    qsort(order, count, sizeof(struct shf_manifest_token *), compare_tokens);
    for (uint32_t i = 1; i < count && !status; i++) {
        if (compare_tokens(&order[i - 1], &order[i]) == 0) status = bad(error, "routing_values has a value twice");
    }
    shf_free(order);
    return status;
}

static shf_status read_values(const json_t *vector, struct shf_manifest_routing *routing, struct shf_error **error) {
    const json_t *values = json_object_get(vector, "routing_values");
    if (!values || json_is_null(values)) return SHF_OK;
    if (!json_is_array(values)) return bad(error, "routing_values is no list");
    size_t count = json_array_size(values);
    if (count > SHF_LIMIT_SHARDS) {
        return shf_error_set(error, SHF_E_LIMIT, "custom.vector.routing_values has %zu values; at most %u are read",
                             count, SHF_LIMIT_SHARDS);
    }
    routing->has_routing_values = true;
    if (count == 0) return SHF_OK;
    routing->routing_values = shf_alloc_zero(count, sizeof *routing->routing_values);
    if (!routing->routing_values) return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct shf_manifest_token *token = &routing->routing_values[routing->routing_value_count++];
        shf_status status = read_token(json_array_get(values, i), token, error);
        if (status) return status;
        if (token->kind != routing->routing_values[0].kind) return bad(error, "routing_values are not of one type");
    }
    return check_unique(routing, error);
}

shf_status shf_manifest_read_routing(const json_t *vector, struct shf_manifest_routing *routing,
                                     struct shf_error **error) {
    shf_status status = shf_manifest_take_text(vector, "sharding_strategy", &routing->strategy_text, error);
    if (!status) status = shf_manifest_take_text(vector, "centroids_ref", &routing->centroids_ref, error);
    if (!status) status = shf_manifest_take_text(vector, "hyperplanes_ref", &routing->hyperplanes_ref, error);
    if (!status) status = shf_manifest_take_text(vector, "cel_expr", &routing->cel_expr, error);
    if (!status) status = read_columns(vector, routing, error);
    if (!status) status = read_values(vector, routing, error);
    if (status) return status;
    read_strategy(routing);
    read_probes(json_object_get(vector, "num_probes"), routing);
    return SHF_OK;
}

void shf_manifest_free_routing(struct shf_manifest_routing *routing) {
    for (uint32_t i = 0; i < routing->cel_column_count; i++) {
        shf_free(routing->cel_columns[i].name);
        shf_free(routing->cel_columns[i].type);
    }
    for (uint32_t i = 0; i < routing->routing_value_count; i++) shf_free(routing->routing_values[i].data);
    shf_free(routing->cel_columns);
    shf_free(routing->routing_values);
    shf_free(routing->strategy_text);
    shf_free(routing->centroids_ref);
    shf_free(routing->hyperplanes_ref);
    shf_free(routing->cel_expr);
}
