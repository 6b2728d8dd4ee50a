/* Routing cases that were run through the reference: host values in, a shard or a class of error out. */
#include "cel_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* False for what no host of this library can give: None, and integers beyond 64 bits. */
static bool host_value(const char *name, const json_t *json, shf_context_value *out, uint8_t **memory) {
    const char *kind = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)json)), *text;
    const json_t *value = json_object_get(json, kind);
    *out = (shf_context_value){.name = name};
    text = json_string_value(value);
    if (strcmp(kind, "int") == 0) {
        bool is_large =
            text[0] != '-' && (strlen(text) > 19 || (strlen(text) == 19 && strcmp(text, "9223372036854775807") > 0));
        if (strcmp(text, "18446744073709551616") == 0) return false;
        out->kind = is_large ? SHF_CONTEXT_UINT : SHF_CONTEXT_INT;
        if (is_large) out->as.uint_value = strtoull(text, NULL, 10);
        if (!is_large) out->as.int_value = strtoll(text, NULL, 10);
    } else if (strcmp(kind, "float") == 0) {
        out->kind = SHF_CONTEXT_DOUBLE;
        out->as.double_value = strtod(text, NULL);
    } else if (strcmp(kind, "bool") == 0) {
        out->kind = SHF_CONTEXT_BOOL;
        out->as.int_value = json_is_true(value);
    } else if (strcmp(kind, "str") == 0) {
        out->kind = SHF_CONTEXT_TEXT;
        out->as.bytes = (shf_slice){text, json_string_length(value)};
    } else if (strcmp(kind, "bytes") == 0) {
        out->kind = SHF_CONTEXT_BYTES;
        *memory = from_hex(text, &out->as.bytes.size);
        out->as.bytes.data = *memory;
    } else {
        assert_string_equal(kind, "none");
        return false;
    }
    return true;
}

/* The host value as a key, bound the other way, must be the same. */
static void check_key(enum shf_cel_type type, const shf_context_value *host, const struct shf_cel_value *wanted) {
    shf_key key = {0};
    struct shf_cel_value bound;
    if (host->kind == SHF_CONTEXT_BOOL || host->kind == SHF_CONTEXT_DOUBLE) return;
    if (host->kind == SHF_CONTEXT_INT) key = shf_key_from_int(host->as.int_value);
    if (host->kind == SHF_CONTEXT_UINT) key = shf_key_from_uint(host->as.uint_value);
    if (host->kind == SHF_CONTEXT_TEXT) key = shf_key_from_text(host->as.bytes.data, host->as.bytes.size);
    if (host->kind == SHF_CONTEXT_BYTES) key = shf_key_from_bytes(host->as.bytes.data, host->as.bytes.size);
    (void)shf_cel_bind_key(type, &key, &bound);
    assert_int_equal(bound.type, wanted->type);
    if (bound.type == SHF_CEL_STRING || bound.type == SHF_CEL_BYTES) {
        assert_int_equal(bound.as.text.size, wanted->as.text.size);
        if (bound.as.text.size) assert_memory_equal(bound.as.text.data, wanted->as.text.data, bound.as.text.size);
    }
}

static const char *outcome(const json_t *line, const struct shf_cel_router *router, const struct shf_cel_value *columns,
                           uint32_t *shard) {
    struct shf_cel_scratch scratch;
    struct shf_cel_value token;
    struct shf_error *error = NULL;
    const char *class = NULL;
    const json_t *wanted = json_object_get(json_object_get(line, "expect"), "token");
    shf_cel_scratch_init(&scratch);
    token.type = SHF_CEL_ABSENT;
    shf_status status = shf_cel_route(router, columns, &scratch, shard, &token, &error);
    if (status) {
        const char *message = shf_error_message(error);
        assert_int_equal(status, SHF_E_ROUTING);
        class = strstr(message, "gives shard")            ? "shard_range"
                : strstr(message, "no number of a shard") ? "not_integer"
                                                          : "eval";
    } else if (*shard == SHF_CEL_UNKNOWN_TOKEN) {
        class = "unknown_token";
        expect_error(shf_cel_unknown_token(&token, &error), &error, SHF_E_ROUTING,
                     "is none of the snapshot's routing values");
    }
    if (wanted && !value_is(&token, wanted)) fail_msg("%s: another token", text_of(line, "id"));
    shf_error_free(error);
    shf_cel_scratch_free(&scratch);
    return class;
}

/* The class of the error, or NULL and the shard. */
static const char *route_case(const json_t *line, uint32_t *shard) {
    struct shf_cel_column columns[MOST_COLUMNS];
    struct shf_cel_value values[MOST_COLUMNS], routing[16];
    size_t count = columns_from_json(json_object_get(line, "columns"), columns);
    const json_t *list = json_object_get(line, "routing_values"), *hosts = json_object_get(line, "context");
    struct shf_cel_router *router = NULL;
    struct shf_error *error = NULL;
    uint8_t *memory[MOST_COLUMNS] = {NULL};
    shf_context_value context[MOST_COLUMNS];
    shf_routing_context all = {sizeof all, 0, context};
    const char *class, *name, *text = text_of(line, "expr");
    json_t *host;
    for (size_t i = 0; i < json_array_size(list); i++) routing[i] = value_from_json(json_array_get(list, i));
    shf_status status = shf_cel_router_new(
        text, json_string_length(json_object_get(line, "expr")), columns, count, json_is_array(list) ? routing : NULL,
        json_array_size(list), (uint32_t)json_integer_value(json_object_get(line, "num_dbs")), &router, &error);
    if (status) {
        assert_int_equal(status, SHF_E_INVALID);
        class = strstr(shf_error_message(error), "names no shard") ? "result_type" : "compile";
        shf_error_free(error);
        return class;
    }
    json_object_foreach((json_t *)(uintptr_t)hosts, name, host) {
        if (!host_value(name, host, &context[all.count], &memory[all.count])) {
            context[all.count].kind = 99; /* a kind that fits nowhere */
        }
        all.count++;
    }
    (void)shf_cel_bind_context(shf_cel_router_expression(router), &all, values);
    for (uint32_t i = 0; i < all.count && count == 1; i++) {
        if (strcmp(context[i].name, columns[0].name) == 0) check_key(columns[0].type, &context[i], &values[0]);
    }
    bool needs_context = strcmp(text_of(line, "call"), "key_only") == 0 && !shf_cel_router_takes_key(router);
    class = needs_context ? "needs_context" : outcome(line, router, values, shard);
    for (size_t i = 0; i < MOST_COLUMNS; i++) free(memory[i]);
    shf_cel_router_free(router);
    return class;
}

static void test_cases(void **state) {
    size_t index;
    json_t *line;
    bool is_whole;
    (void)state;
    json_t *cases = load_cases("routing.json", &is_whole);
    assert_true(json_array_size(cases) >= 60);
    if (is_whole) assert_int_equal(json_array_size(cases), 204);
    json_array_foreach(cases, index, line) {
        uint32_t shard = 0;
        const json_t *expect = json_object_get(line, "expect");
        const char *wanted = text_of(expect, "error"), *class = route_case(line, &shard);
        if (!wanted != !class || (wanted && strcmp(wanted, class) != 0)) {
            fail_msg("%s: %s, not %s", text_of(line, "id"), class ? class : "a shard", wanted ? wanted : "a shard");
        }
        if (!wanted && shard != json_integer_value(json_object_get(expect, "shard")))
            fail_msg("%s: shard %u", text_of(line, "id"), shard);
        free_values();
    }
    json_decref(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
