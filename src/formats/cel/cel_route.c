#include "formats/cel/cel_route.h"

#include "formats/cel/evaluate.h"
#include "formats/cel/numbers.h"

#include "base/alloc.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

struct shf_cel_router {
    struct shf_cel *cel;
    uint32_t num_dbs;
    bool is_categorical;
    struct shf_cel_memory memory; /* of the routing values */
    struct shf_cel_list values;
    enum shf_cel_type value_type;
};

/* ---- making one ---- */

static bool is_token(enum shf_cel_type type) {
    return type == SHF_CEL_INT || type == SHF_CEL_UINT || type == SHF_CEL_STRING || type == SHF_CEL_BYTES;
}

static shf_status copy_value(struct shf_cel_router *router, const struct shf_cel_value *value,
                             struct shf_cel_value *out, struct shf_error **error) {
    if (value->type != router->value_type || value->type == SHF_CEL_UINT || !is_token(value->type)) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the routing values are not all int, all string or all bytes; write the manifest anew");
    }
    *out = *value;
    if (value->type == SHF_CEL_INT) return SHF_OK;
    void *data = shf_cel_alloc(&router->memory, value->as.text.size, 1);
    if (!data) return shf_cel_no_memory(error);
    if (value->as.text.size) memcpy(data, value->as.text.data, value->as.text.size);
    out->as.text.data = data;
    return SHF_OK;
}

static shf_status copy_values(struct shf_cel_router *router, const struct shf_cel_value *values, size_t count,
                              struct shf_error **error) {
    if (count > router->num_dbs) {
        return shf_error_set(error, SHF_E_INVALID,
                             "there are %zu routing values for %" PRIu32 " shards; write the manifest anew", count,
                             router->num_dbs);
    }
    struct shf_cel_value *copies = shf_cel_alloc(&router->memory, count, sizeof *copies);
    if (!copies) return shf_cel_no_memory(error);
    if (count) router->value_type = values[0].type;
    for (size_t i = 0; i < count; i++) {
        shf_status status = copy_value(router, &values[i], &copies[i], error);
        if (status) return status;
    }
    router->values = (struct shf_cel_list){.items = copies, .count = count};
    /* A map's rules for keys would refuse bytes; so this is a list, and repetition is looked for here. */
    if (shf_cel_list_index(&router->values, false, &router->memory)) return shf_cel_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        size_t index;
        uint64_t steps = 0;
        if (shf_cel_list_find(&router->values, false, &copies[i], &index, &steps) && index != i) {
            return shf_error_set(error, SHF_E_INVALID,
                                 "routing values %zu and %zu are the same; write the manifest anew", index, i);
        }
    }
    return SHF_OK;
}

static shf_status check_result(const struct shf_cel *cel, struct shf_error **error) {
    enum shf_cel_type type = shf_cel_result_type(cel);
    if (is_token(type)) return SHF_OK;
    return shf_error_set(
        error, SHF_E_INVALID,
        "the result of the CEL expression is of type %s, which names no shard; it must be int, uint, string or bytes",
        type == SHF_CEL_OTHER ? "unknown" : shf_cel_type_name(type));
}

shf_status shf_cel_router_new(const char *text, size_t size, const struct shf_cel_column *columns, size_t column_count,
                              const struct shf_cel_value *routing_values, size_t routing_count, uint32_t num_dbs,
                              struct shf_cel_router **out, struct shf_error **error) {
    struct shf_cel_router *router = shf_alloc_zero(1, sizeof *router);
    if (!router) return shf_cel_no_memory(error);
    router->num_dbs = num_dbs;
    router->is_categorical = routing_values != NULL;
    router->memory.most = SHF_LIMIT_CEL_MEMORY_BYTES;
    shf_status status = shf_cel_compile(text, size, columns, column_count, &router->cel, error);
    if (!status) status = check_result(router->cel, error);
    if (!status && routing_values) status = copy_values(router, routing_values, routing_count, error);
    if (status) {
        shf_cel_router_free(router);
        return status;
    }
    *out = router;
    return SHF_OK;
}

void shf_cel_router_free(struct shf_cel_router *router) {
    if (!router) return;
    shf_cel_free(router->cel);
    shf_cel_memory_free(&router->memory);
    shf_free(router);
}

const struct shf_cel *shf_cel_router_expression(const struct shf_cel_router *router) { return router->cel; }

bool shf_cel_router_takes_key(const struct shf_cel_router *router) {
    return shf_cel_column_count(router->cel) == 1 && strcmp(shf_cel_column_name(router->cel, 0), "key") == 0;
}

/* ---- routing ---- */

/* The token as the routing values would have it; false when it is of a type that none of them has. */
static bool comparable(const struct shf_cel_router *router, const struct shf_cel_value *token, struct shf_cel_value *out) {
    *out = *token;
    out->type = router->value_type;
    if (token->type == router->value_type) return true;
    if (token->type == SHF_CEL_UINT) return router->value_type == SHF_CEL_INT && token->as.uinteger <= INT64_MAX;
    /* Bytes become text in a manifest: there, their UTF-8 is what they are found by. */
    return token->type == SHF_CEL_BYTES && router->value_type == SHF_CEL_STRING;
}

static uint32_t find_value(const struct shf_cel_router *router, const struct shf_cel_value *token) {
    struct shf_cel_value wanted;
    size_t index;
    uint64_t steps = 0;
    if (router->values.count == 0 || !comparable(router, token, &wanted)) return SHF_CEL_UNKNOWN_TOKEN;
    return shf_cel_list_find(&router->values, false, &wanted, &index, &steps) ? (uint32_t)index : SHF_CEL_UNKNOWN_TOKEN;
}

#define SHOWN_BYTES 48u
/* The token for a message. */
static void describe(const struct shf_cel_value *token, char out[SHOWN_BYTES + 8]) {
    memset(out, 0, SHOWN_BYTES + 8);
    if (token->type == SHF_CEL_INT) {
        (void)shf_cel_int_to_text(token->as.integer, out);
        return;
    }
    if (token->type == SHF_CEL_UINT) {
        (void)shf_cel_uint_to_text(token->as.uinteger, out);
        return;
    }
    size_t size = token->as.text.size < SHOWN_BYTES ? token->as.text.size : SHOWN_BYTES, at = 0;
    const char *data = shf_cel_bytes(token->as.text);
    bool is_plain = token->type == SHF_CEL_STRING;
    out[at++] = '"';
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        out[at++] = (char)((uint8_t)c < 0x20 || c == 0x7f || (!is_plain && (uint8_t)c >= 0x80) ? '?' : c);
    }
    shf_utf8_trim_end(out);
    at = strlen(out);
    memcpy(out + at, token->as.text.size > size ? "...\"" : "\"", token->as.text.size > size ? 5 : 2);
}

shf_status shf_cel_unknown_token(const struct shf_cel_value *token, struct shf_error **error) {
    char shown[SHOWN_BYTES + 8];
    describe(token, shown);
    return shf_error_set(error, SHF_E_ROUTING,
                         "the routing token %s is none of the snapshot's routing values; no shard has such rows", shown);
}

static shf_status direct(const struct shf_cel_router *router, const struct shf_cel_value *token, uint32_t *shard,
                         struct shf_error **error) {
    char shown[SHOWN_BYTES + 8];
    uint64_t number = token->as.uinteger;
    bool is_text = token->type == SHF_CEL_STRING || token->type == SHF_CEL_BYTES, is_shard = true;
    const char *data = is_text ? shf_cel_bytes(token->as.text) : NULL;
    if (is_text) {
        bool is_number = token->as.text.size > 0;
        for (size_t i = 0; i < token->as.text.size; i++) is_number = is_number && shf_ascii_is_digit(data[i]);
        if (!is_number) {
            describe(token, shown);
            return shf_error_set(error, SHF_E_ROUTING,
                                 "the routing token %s is no number of a shard; the expression must give digits alone",
                                 shown);
        }
        is_shard = shf_cel_digits(data, token->as.text.size, 10, &number);
    } else if (token->type == SHF_CEL_INT) {
        is_shard = token->as.integer >= 0;
    }
    if (is_shard && number < router->num_dbs) {
        *shard = (uint32_t)number;
        return SHF_OK;
    }
    describe(token, shown);
    return shf_error_set(error, SHF_E_ROUTING,
                         "the expression gives shard %s, and there are %" PRIu32
                         "; it must stay below, as with %% %" PRIu32,
                         shown, router->num_dbs, router->num_dbs);
}

shf_status shf_cel_route(const struct shf_cel_router *router, const struct shf_cel_value *columns,
                         struct shf_cel_scratch *scratch, uint32_t *shard, struct shf_cel_value *token,
                         struct shf_error **error) {
    struct shf_cel_value result;
    shf_status status = shf_cel_evaluate(router->cel, columns, scratch, &result, error);
    if (status) return status;
    if (token) *token = result;
    if (!router->is_categorical) return direct(router, &result, shard, error);
    *shard = find_value(router, &result);
    return SHF_OK;
}
