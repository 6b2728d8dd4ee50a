/* Routing by expressions: keys, contexts, tokens, and what is wrong with each. */
#include "base/alloc.h"
#include "snapshot/routing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A manifest over these columns (at most two) and routing values, as far as routing looks at it. */
struct sharding {
    struct shf_manifest manifest;
    struct shf_manifest_cel_column columns[2];
    struct shf_cel_router *cel;
};

static shf_status compile(struct sharding *s, const char *expression, const char *name, const char *type,
                          const char *second, const char *second_type, struct shf_error **error) {
    s->columns[0] = (struct shf_manifest_cel_column){(char *)(uintptr_t)name, (char *)(uintptr_t)type};
    s->columns[1] = (struct shf_manifest_cel_column){(char *)(uintptr_t)second, (char *)(uintptr_t)second_type};
    s->manifest.sharding = SHF_SHARD_BY_CEL;
    if (!s->manifest.num_dbs) s->manifest.num_dbs = 4;
    s->manifest.cel.expression = (char *)(uintptr_t)expression;
    s->manifest.cel.columns = s->columns;
    s->manifest.cel.column_count = second ? 2 : 1;
    return shf_routing_compile(&s->manifest.cel, s->manifest.num_dbs, &s->cel, error);
}

static void expect(shf_status status, struct shf_error *error, shf_status wanted, const char *says) {
    if (status != wanted || (says && !strstr(shf_error_message(error), says))) {
        fail_msg("status %d (%d wanted): \"%s\" (\"%s\" wanted in it)", status, wanted,
                 error ? shf_error_message(error) : "", says ? says : "");
    }
    shf_error_free(error);
}

static void compiled(struct sharding *s, const char *expression, const char *name, const char *type, const char *second,
                     const char *second_type) {
    struct shf_error *error = NULL;
    shf_status status = compile(s, expression, name, type, second, second_type, &error);
    expect(status, error, SHF_OK, NULL);
}

/* Of one key, or (says) the failure. */
static uint32_t routed(const struct sharding *s, shf_key key, const shf_routing_context *context, shf_status wanted,
                       const char *says) {
    struct shf_routing routing;
    struct shf_error *error = NULL;
    uint32_t shard = 99;
    shf_routing_begin(&routing, s->manifest.num_dbs, s->cel, context);
    shf_status status = shf_routing_of_key(&routing, &key, &shard, &error);
    shf_routing_end(&routing);
    expect(status, error, wanted, says);
    return shard;
}

static shf_key text_key(const char *text) { return shf_key_from_text(text, strlen(text)); }

static shf_context_value integer(const char *name, int64_t value) {
    return (shf_context_value){.name = name, .kind = SHF_CONTEXT_INT, .as.int_value = value};
}
static shf_context_value text(const char *name, const char *value) {
    return (shf_context_value){.name = name, .kind = SHF_CONTEXT_TEXT, .as.bytes = {value, strlen(value)}};
}
static shf_routing_context context_of(const shf_context_value *values, uint32_t count) {
    return (shf_routing_context){sizeof(shf_routing_context), count, values};
}

static void test_key_alone(void **state) {
    (void)state;
    struct sharding s = {0};
    compiled(&s, "key % 4", "key", "int", NULL, NULL);
    assert_int_equal(routed(&s, shf_key_from_int(7), NULL, SHF_OK, NULL), 3);
    assert_int_equal(routed(&s, shf_key_from_uint(6), NULL, SHF_OK, NULL), 2);
    routed(&s, shf_key_from_int(-1), NULL, SHF_E_ROUTING, "gives shard -1, and there are 4");
    routed(&s, shf_key_from_uint(UINT64_MAX), NULL, SHF_E_ROUTING, "key");
    routed(&s, text_key("7"), NULL, SHF_E_ROUTING, "key");
    routed(&s, text_key("\xff"), NULL, SHF_E_INVALID, "UTF-8");
    routed(&s, (shf_key){.kind = 77}, NULL, SHF_E_INVALID, "kind 77");
    /* A context is taken alone. */
    const shf_context_value values[] = {integer("key", 5)};
    const shf_routing_context context = context_of(values, 1), nothing = context_of(NULL, 0);
    assert_int_equal(routed(&s, shf_key_from_int(7), &context, SHF_OK, NULL), 1);
    routed(&s, shf_key_from_int(7), &nothing, SHF_E_ROUTING, "key");
    shf_cel_router_free(s.cel);

    struct sharding all = {0};
    compiled(&all, "int(key % 4u)", "key", "uint", NULL, NULL);
    assert_int_equal(routed(&all, shf_key_from_uint(UINT64_MAX), NULL, SHF_OK, NULL), 3);
    routed(&all, shf_key_from_int(-1), NULL, SHF_E_ROUTING, "key");
    shf_cel_router_free(all.cel);

    struct sharding far = {0};
    compiled(&far, "key", "key", "int", NULL, NULL);
    assert_int_equal(routed(&far, shf_key_from_int(3), NULL, SHF_OK, NULL), 3);
    routed(&far, shf_key_from_int(4), NULL, SHF_E_ROUTING, "gives shard 4");
    routed(&far, shf_key_from_int(INT64_C(1) << 32), NULL, SHF_E_ROUTING, "gives shard 4294967296");
    shf_cel_router_free(far.cel);
}

static void test_contexts(void **state) {
    (void)state;
    struct sharding s = {0};
    compiled(&s, "region == 'eu' ? tier : 3", "region", "string", "tier", "int");
    const shf_context_value whole[] = {text("note", "x"), text("region", "eu"), integer("tier", 2)};
    const shf_routing_context both = context_of(whole, 3), no_tier = context_of(whole, 2),
                              no_region = context_of(whole + 2, 1);
    assert_int_equal(routed(&s, shf_key_from_int(1), &both, SHF_OK, NULL), 2);
    routed(&s, shf_key_from_int(1), NULL, SHF_E_INVALID, "routing_context with the columns region, tier");
    routed(&s, shf_key_from_int(1), &no_tier, SHF_E_ROUTING, "tier");
    routed(&s, shf_key_from_int(1), &no_region, SHF_E_ROUTING, "region");
    const shf_context_value elsewhere[] = {text("region", "us")}, wrong[] = {integer("region", 1), integer("tier", 1)};
    const shf_routing_context lazy = context_of(elsewhere, 1), kinds = context_of(wrong, 2);
    assert_int_equal(routed(&s, shf_key_from_int(1), &lazy, SHF_OK, NULL), 3); /* tier is not read */
    routed(&s, shf_key_from_int(1), &kinds, SHF_E_ROUTING, "region");
    shf_cel_router_free(s.cel);

    /* One column of another name than key needs a context, too. */
    struct sharding one = {0};
    compiled(&one, "region == 'eu' ? 0 : 1", "region", "string", NULL, NULL);
    routed(&one, text_key("eu"), NULL, SHF_E_INVALID, "columns region");
    assert_int_equal(routed(&one, text_key("k"), &lazy, SHF_OK, NULL), 1);
    shf_cel_router_free(one.cel);
}

static void test_tokens(void **state) {
    (void)state;
    const struct shf_cel_value values[] = {{SHF_CEL_STRING, {.text = {"eu", 2}}}, {SHF_CEL_STRING, {.text = {"", 0}}}};
    struct sharding s = {
        .manifest = {.num_dbs = 2, .cel = {.routing_values = (void *)(uintptr_t)values, .routing_count = 2}}};
    compiled(&s, "key", "key", "string", NULL, NULL);
    assert_int_equal(routed(&s, text_key("eu"), NULL, SHF_OK, NULL), 0);
    assert_int_equal(routed(&s, text_key(""), NULL, SHF_OK, NULL), 1);
    assert_int_equal(routed(&s, shf_key_from_text("eu\0x", 4), NULL, SHF_OK, NULL), 0); /* cut, as the writer does */
    struct shf_routing routing;
    struct shf_error *error = NULL;
    uint32_t shard;
    shf_key mars = text_key("mars");
    shf_routing_begin(&routing, s.manifest.num_dbs, s.cel, NULL);
    assert_int_equal(shf_routing_of_key(&routing, &mars, &shard, NULL), SHF_OK);
    assert_int_equal(shard, SHF_CEL_UNKNOWN_TOKEN);
    shf_status status = shf_routing_unknown(&routing, &error);
    expect(status, error, SHF_E_ROUTING, "\"mars\" is none of the snapshot's routing values");
    shf_routing_end(&routing);
    shf_cel_router_free(s.cel);

    struct sharding none = {.manifest = {.num_dbs = 1, .cel = {.routing_values = (void *)(uintptr_t)values}}};
    compiled(&none, "key", "key", "int", NULL, NULL);
    assert_int_equal(routed(&none, shf_key_from_int(0), NULL, SHF_OK, NULL), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(none.cel);
}

static void test_a_context_is_evaluated_once(void **state) {
    (void)state;
    struct sharding s = {0};
    compiled(&s, "tier", "tier", "int", NULL, NULL);
    shf_context_value values[] = {integer("tier", 2)};
    const shf_routing_context context = context_of(values, 1);
    struct shf_routing routing;
    uint32_t shard = 99;
    const shf_key key = shf_key_from_int(1), wrong = {.kind = 0};
    shf_routing_begin(&routing, s.manifest.num_dbs, s.cel, &context);
    assert_int_equal(shf_routing_of_key(&routing, &key, &shard, NULL), SHF_OK);
    assert_int_equal(shard, 2);
    values[0] = integer("tier", 3); /* would be seen by another evaluation */
    assert_int_equal(shf_routing_of_key(&routing, &key, &shard, NULL), SHF_OK);
    assert_int_equal(shf_routing_of_context(&routing, &shard, NULL), SHF_OK);
    assert_int_equal(shard, 2);
    assert_int_equal(shf_routing_of_key(&routing, &wrong, &shard, NULL), SHF_E_INVALID);
    shf_routing_end(&routing);
    shf_cel_router_free(s.cel);
}

static void test_hash(void **state) {
    (void)state;
    const struct shf_manifest manifest = {.num_dbs = 1, .sharding = SHF_SHARD_BY_HASH};
    struct sharding s = {.manifest = manifest};
    const shf_routing_context nothing = context_of(NULL, 0);
    assert_int_equal(routed(&s, shf_key_from_int(-7), &nothing, SHF_OK, NULL), 0);
}

static void test_what_does_not_compile(void **state) {
    (void)state;
    static const struct {
        const char *expression, *name, *type, *says;
    } wrong[] = {{"key %", "key", "int", "offset 5"},
                 {"other % 4", "key", "int", "offset 0"},
                 {"key % 4u", "key", "int", "offset"},
                 {"key", "key", "double", "type double"},
                 {"key == 1", "key", "int", "type bool"},
                 {"0", "key", "date", "column key of cel_columns has the type \"date\""},
                 {"0", "key", "", "known are int"}};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct sharding s = {0};
        struct shf_error *error = NULL;
        shf_status status = compile(&s, wrong[i].expression, wrong[i].name, wrong[i].type, NULL, NULL, &error);
        assert_null(s.cel);
        expect(status, error, SHF_E_INVALID, wrong[i].says);
    }
    char *deep = malloc(501);
    memset(deep, '(', 500);
    deep[500] = '\0';
    struct sharding s = {0};
    struct shf_error *error = NULL;
    shf_status status = compile(&s, deep, "key", "int", NULL, NULL, &error);
    expect(status, error, SHF_E_INVALID, "offset");
    free(deep);
    char *long_one = malloc(SHF_LIMIT_CEL_BYTES + 2);
    memset(long_one, '1', SHF_LIMIT_CEL_BYTES + 1);
    long_one[SHF_LIMIT_CEL_BYTES + 1] = '\0';
    error = NULL;
    status = compile(&s, long_one, "key", "int", NULL, NULL, &error);
    expect(status, error, SHF_E_INVALID, "make it shorter");
    free(long_one);
}

static unsigned left;
static void *count_down(size_t size) { return left-- == 0 ? NULL : malloc(size); }
static void *count_down_again(void *data, size_t size) { return left-- == 0 ? NULL : realloc(data, size); }
static const struct shf_alloc_seam failing = {count_down, count_down_again, NULL};

static void test_failing_allocations(void **state) {
    (void)state;
    bool done = false;
    unsigned at = 0;
    for (; !done && at < 1000; at++) {
        const struct shf_cel_value values[] = {{SHF_CEL_STRING, {.text = {"eu1", 3}}}};
        struct sharding s = {
            .manifest = {.num_dbs = 1, .cel = {.routing_values = (void *)(uintptr_t)values, .routing_count = 1}}};
        left = at;
        shf_alloc_set_seam(&failing);
        shf_status status = compile(&s, "region + string(tier)", "region", "string", "tier", "int", NULL);
        shf_alloc_set_seam(NULL);
        assert_true(status == SHF_OK || status == SHF_E_NO_MEMORY);
        assert_true((s.cel != NULL) == (status == SHF_OK));
        done = status == SHF_OK;
        shf_cel_router_free(s.cel);
    }
    assert_true(done && at > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_alone),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_a_context_is_evaluated_once),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_what_does_not_compile),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
