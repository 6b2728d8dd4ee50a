/* The router: which routing values it takes, what it finds, what it says; and host values as columns. */
#include "cel_support.h"

#include "failing_alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) ((struct shf_cel_value){SHF_CEL_STRING, {.text = {literal, sizeof(literal) - 1}}})
#define BYTES(literal) ((struct shf_cel_value){SHF_CEL_BYTES, {.text = {literal, sizeof(literal) - 1}}})
#define INT(value) ((struct shf_cel_value){SHF_CEL_INT, {.integer = (value)}})
#define UINT(value) ((struct shf_cel_value){SHF_CEL_UINT, {.uinteger = (value)}})

static const struct shf_cel_column one_of_each[] = {
    {"k", SHF_CEL_INT, 0, 0}, {"u", SHF_CEL_UINT, 0, 0}, {"s", SHF_CEL_STRING, 0, 0}, {"y", SHF_CEL_BYTES, 0, 0}};

static struct shf_cel_router *make(const char *text, const struct shf_cel_value *values, size_t count, uint32_t num_dbs) {
    struct shf_cel_router *router = NULL;
    struct shf_error *error = NULL;
    expect_ok(shf_cel_router_new(text, strlen(text), one_of_each, 4, values, count, num_dbs, &router, &error), error);
    return router;
}

static void expect_wrong(const char *text, const struct shf_cel_value *values, size_t count, uint32_t num_dbs,
                         const char *message) {
    struct shf_cel_router *router = NULL;
    struct shf_error *error = NULL;
    expect_error(shf_cel_router_new(text, strlen(text), one_of_each, 4, values, count, num_dbs, &router, &error),
                 &error, SHF_E_INVALID, message);
    assert_null(router);
}

static uint32_t route(const struct shf_cel_router *router, struct shf_cel_value value) {
    struct shf_cel_value columns[4] = {{0}};
    struct shf_cel_scratch scratch;
    struct shf_error *error = NULL;
    uint32_t shard = 99;
    columns[value.type == SHF_CEL_INT      ? 0
            : value.type == SHF_CEL_UINT   ? 1
            : value.type == SHF_CEL_STRING ? 2
                                           : 3] = value;
    shf_cel_scratch_init(&scratch);
    expect_ok(shf_cel_route(router, columns, &scratch, &shard, NULL, &error), error);
    shf_cel_scratch_free(&scratch);
    return shard;
}

static void test_making(void **state) {
    (void)state;
    const struct shf_cel_value mixed[] = {INT(1), TEXT("a")}, twice[] = {TEXT("a"), TEXT("b"), TEXT("a")},
                               wrong[] = {UINT(1)};
    expect_wrong("k > 1", NULL, 0, 2, "of type bool, which names no shard");
    expect_wrong("[]", NULL, 0, 2, "of type list");
    expect_wrong("[[]][0].size() == 0 ? null : null", NULL, 0, 2, "of type null");
    expect_wrong("[][0]", NULL, 0, 2, "of type unknown");
    expect_wrong("k +", NULL, 0, 2, "the expression ends");
    expect_wrong("s", mixed, 2, 2, "not all int, all string or all bytes");
    expect_wrong("s", wrong, 1, 1, "not all int, all string or all bytes");
    expect_wrong("s", twice, 3, 3, "routing values 0 and 2 are the same");
    expect_wrong("s", twice, 3, 2, "3 routing values for 2 shards");
}

static void test_many_values(void **state) {
    enum { COUNT = 3000 };
    static struct shf_cel_value values[COUNT];
    static char names[COUNT][12];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "v%d", i * 7);
        values[i] = (struct shf_cel_value){SHF_CEL_STRING, {.text = {names[i], strlen(names[i])}}};
    }
    struct shf_cel_router *router = make("s", values, COUNT, COUNT);
    for (int i = 0; i < COUNT; i++) assert_int_equal(route(router, values[i]), i);
    assert_int_equal(route(router, TEXT("v1")), SHF_CEL_UNKNOWN_TOKEN);
    assert_int_equal(route(router, TEXT("")), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
    for (int i = 0; i < COUNT; i++) values[i] = INT((int64_t)i * 1000003 - 1500000000);
    router = make("k", values, COUNT, COUNT);
    for (int i = 0; i < COUNT; i++) assert_int_equal(route(router, values[i]), i);
    assert_int_equal(route(router, INT(1)), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
}

static void test_types_of_tokens(void **state) {
    const struct shf_cel_value texts[] = {TEXT("a"), TEXT("\xc3\xa9")}, bytes[] = {BYTES("a"), BYTES("\xff")},
                               ints[] = {INT(-1), INT(5)};
    (void)state;
    struct shf_cel_router *router = make("y", texts, 2, 2); /* bytes become text in a manifest */
    assert_int_equal(route(router, BYTES("\xc3\xa9")), 1);
    assert_int_equal(route(router, BYTES("\xff")), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
    router = make("s", bytes, 2, 2);
    assert_int_equal(route(router, TEXT("a")), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
    router = make("u", ints, 2, 2);
    assert_int_equal(route(router, UINT(5)), 1);
    assert_int_equal(route(router, UINT(UINT64_MAX)), SHF_CEL_UNKNOWN_TOKEN); /* which is not -1 */
    shf_cel_router_free(router);
    router = make("s", ints, 2, 2);
    assert_int_equal(route(router, TEXT("5")), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
    router = make("s", texts, 0, 1);
    assert_int_equal(route(router, TEXT("a")), SHF_CEL_UNKNOWN_TOKEN);
    shf_cel_router_free(router);
}

static void test_direct(void **state) {
    static const struct {
        struct shf_cel_value value;
        const char *text, *message;
        uint32_t shard;
    } cases[] = {
        {INT(3), "k", NULL, 3},
        {UINT(0), "u", NULL, 0},
        {TEXT("2"), "s", NULL, 2},
        {TEXT("0003"), "s", NULL, 3},
        {BYTES("1"), "y", NULL, 1},
        {INT(-1), "k", "gives shard -1, and there are 4", 0},
        {INT(4), "k", "gives shard 4, and there are 4; it must stay below, as with % 4", 0},
        {UINT(UINT64_MAX), "u", "gives shard 18446744073709551615", 0},
        {TEXT("99999999999999999999"), "s", "gives shard \"99999999999999999999\"", 0},
        {TEXT(""), "s", "token \"\" is no number of a shard", 0},
        {TEXT("+1"), "s", "token \"+1\" is no number", 0},
        {TEXT("1_0"), "s", "is no number", 0},
        {BYTES("\xff\x01"), "y", "token \"??\" is no number", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shf_cel_router *router = make(cases[i].text, NULL, 0, 4);
        struct shf_cel_value columns[4] = {cases[i].value, cases[i].value, cases[i].value, cases[i].value};
        struct shf_cel_scratch scratch;
        struct shf_error *error = NULL;
        uint32_t shard = 99;
        shf_cel_scratch_init(&scratch);
        shf_status status = shf_cel_route(router, columns, &scratch, &shard, NULL, &error);
        if (cases[i].message) {
            expect_error(status, &error, SHF_E_ROUTING, cases[i].message);
            assert_int_equal(shard, 99);
        } else {
            expect_ok(status, error);
            assert_int_equal(shard, cases[i].shard);
        }
        shf_cel_scratch_free(&scratch);
        shf_cel_router_free(router);
    }
}

static void test_unknown_token(void **state) {
    struct shf_error *error = NULL;
    struct shf_cel_value long_text = TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9zzzz"),
                         line = TEXT("a\nb"), number = INT(-5);
    (void)state;
    expect_error(shf_cel_unknown_token(&long_text, &error), &error, SHF_E_ROUTING,
                 "token \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" is none");
    expect_error(shf_cel_unknown_token(&line, &error), &error, SHF_E_ROUTING, "token \"a?b\" is none");
    expect_error(shf_cel_unknown_token(&number, &error), &error, SHF_E_ROUTING, "token -5 is none");
}

static void test_takes_key(void **state) {
    static const struct shf_cel_column key[] = {{"key", SHF_CEL_INT, 0, 0}, {"a", SHF_CEL_INT, 0, 0}};
    static const struct {
        size_t first, count;
        bool wanted;
    } cases[] = {{0, 1, true}, {0, 2, false}, {1, 1, false}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct shf_cel_router *router = NULL;
        struct shf_error *error = NULL;
        expect_ok(shf_cel_router_new("1", 1, key + cases[i].first, cases[i].count, NULL, 0, 2, &router, &error), error);
        assert_true(shf_cel_router_takes_key(router) == cases[i].wanted);
        assert_string_equal(shf_cel_column_name(shf_cel_router_expression(router), 0), key[cases[i].first].name);
        shf_cel_router_free(router);
    }
}

/* ---- host values ---- */

static struct shf_cel_value bound(enum shf_cel_type type, uint32_t kind, uint64_t bits, const char *text, size_t size,
                                  bool *cut) {
    shf_context_value host = {.name = "x", .kind = kind};
    struct shf_cel_value value;
    if (text) {
        host.as.bytes = (shf_slice){text, size};
    } else {
        host.as.uint_value = bits;
    }
    *cut = shf_cel_bind(type, &host, &value);
    return value;
}

static void expect_bound(enum shf_cel_type type, uint32_t kind, uint64_t bits, enum shf_cel_type wanted,
                         uint64_t wanted_bits) {
    bool cut;
    struct shf_cel_value value = bound(type, kind, bits, NULL, 0, &cut);
    assert_int_equal(value.type, wanted);
    assert_false(cut);
    if (wanted == SHF_CEL_BOOL) {
        assert_int_equal(value.as.boolean, wanted_bits);
    } else if (wanted == SHF_CEL_MISFIT) {
        assert_int_equal(value.as.misfit, wanted_bits);
    } else {
        assert_true(value.as.uinteger == wanted_bits);
    }
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_bind_numbers(void **state) {
    const uint64_t minus = (uint64_t)-1;
    (void)state;
    expect_bound(SHF_CEL_INT, SHF_CONTEXT_INT, minus, SHF_CEL_INT, minus);
    expect_bound(SHF_CEL_INT, SHF_CONTEXT_UINT, 5, SHF_CEL_INT, 5);
    expect_bound(SHF_CEL_INT, SHF_CONTEXT_UINT, minus, SHF_CEL_MISFIT, SHF_CEL_MISFIT_RANGE);
    expect_bound(SHF_CEL_INT, SHF_CONTEXT_BOOL, 2, SHF_CEL_INT, 1);
    expect_bound(SHF_CEL_INT, SHF_CONTEXT_DOUBLE, bits_of(2), SHF_CEL_MISFIT, SHF_CEL_MISFIT_KIND);
    expect_bound(SHF_CEL_UINT, SHF_CONTEXT_INT, 5, SHF_CEL_UINT, 5);
    expect_bound(SHF_CEL_UINT, SHF_CONTEXT_INT, minus, SHF_CEL_MISFIT, SHF_CEL_MISFIT_RANGE);
    expect_bound(SHF_CEL_UINT, SHF_CONTEXT_UINT, minus, SHF_CEL_UINT, minus);
    expect_bound(SHF_CEL_UINT, SHF_CONTEXT_BOOL, 1, SHF_CEL_UINT, 1);
    expect_bound(SHF_CEL_DOUBLE, SHF_CONTEXT_DOUBLE, bits_of(0.5), SHF_CEL_DOUBLE, bits_of(0.5));
    expect_bound(SHF_CEL_DOUBLE, SHF_CONTEXT_INT, minus, SHF_CEL_DOUBLE, bits_of(-1));
    expect_bound(SHF_CEL_DOUBLE, SHF_CONTEXT_UINT, minus, SHF_CEL_DOUBLE, bits_of(18446744073709551616.0));
    expect_bound(SHF_CEL_DOUBLE, SHF_CONTEXT_BOOL, 1, SHF_CEL_DOUBLE, bits_of(1));
    expect_bound(SHF_CEL_BOOL, SHF_CONTEXT_BOOL, 1, SHF_CEL_BOOL, 1);
    expect_bound(SHF_CEL_BOOL, SHF_CONTEXT_INT, 1, SHF_CEL_MISFIT, SHF_CEL_MISFIT_KIND);
    expect_bound(SHF_CEL_BOOL, SHF_CONTEXT_UINT, minus, SHF_CEL_MISFIT, SHF_CEL_MISFIT_KIND);
    expect_bound(SHF_CEL_STRING, SHF_CONTEXT_INT, 1, SHF_CEL_MISFIT, SHF_CEL_MISFIT_KIND);
    expect_bound(SHF_CEL_INT, 99, 1, SHF_CEL_MISFIT, SHF_CEL_MISFIT_KIND);
}

static void expect_text_bound(enum shf_cel_type type, uint32_t kind, const char *text, size_t size, const char *wanted,
                              bool wanted_cut) {
    bool cut;
    struct shf_cel_value value = bound(type, kind, 0, text, size, &cut);
    assert_int_equal(value.type, wanted ? type : SHF_CEL_MISFIT);
    assert_true(cut == wanted_cut);
    if (!wanted) return;
    assert_int_equal(value.as.text.size, strlen(wanted));
    assert_memory_equal(value.as.text.data, wanted, strlen(wanted));
}

static void test_bind_texts(void **state) {
    (void)state;
    expect_text_bound(SHF_CEL_STRING, SHF_CONTEXT_TEXT, "eu", 2, "eu", false);
    expect_text_bound(SHF_CEL_STRING, SHF_CONTEXT_BYTES, "eu", 2, "eu", false);
    expect_text_bound(SHF_CEL_STRING, SHF_CONTEXT_TEXT, "a\0b", 3, "a", true);
    expect_text_bound(SHF_CEL_STRING, SHF_CONTEXT_BYTES, "a\0\xff", 3, "a", true);
    expect_text_bound(SHF_CEL_STRING, SHF_CONTEXT_BYTES, "\xff", 1, NULL, false);
    expect_text_bound(SHF_CEL_BYTES, SHF_CONTEXT_BYTES, "\xff\0b", 3, "\xff", true);
    expect_text_bound(SHF_CEL_BYTES, SHF_CONTEXT_BYTES, "\0", 1, "", true);
    expect_text_bound(SHF_CEL_BYTES, SHF_CONTEXT_TEXT, "eu", 2, NULL, false);
    expect_text_bound(SHF_CEL_INT, SHF_CONTEXT_TEXT, "2", 1, NULL, false);
    shf_key key = shf_key_from_bytes(NULL, 0);
    struct shf_cel_value value;
    assert_false(shf_cel_bind_key(SHF_CEL_BYTES, &key, &value));
    assert_int_equal(value.type, SHF_CEL_BYTES);
    assert_int_equal(value.as.text.size, 0);
    key.kind = 0;
    assert_false(shf_cel_bind_key(SHF_CEL_BYTES, &key, &value));
    assert_int_equal(value.type, SHF_CEL_MISFIT);
}

/* The last of one name counts; unknown names and missing ones are no matter. */
static void test_bind_context(void **state) {
    const shf_context_value hosts[] = {{"k", SHF_CONTEXT_INT, 0, {1}},
                                       {"x", SHF_CONTEXT_INT, 0, {2}},
                                       {"k", SHF_CONTEXT_INT, 0, {3}},
                                       {NULL, 1, 0, {4}},
                                       {"y", SHF_CONTEXT_BYTES, 0, {.bytes = {"a\0", 2}}}};
    const shf_routing_context context = {sizeof context, 5, hosts};
    struct shf_cel_value columns[4];
    (void)state;
    struct shf_cel_router *router = make("k", NULL, 0, 4);
    assert_true(shf_cel_bind_context(shf_cel_router_expression(router), &context, columns));
    assert_int_equal(columns[0].as.integer, 3);
    assert_int_equal(columns[1].type, SHF_CEL_ABSENT);
    assert_int_equal(columns[3].as.text.size, 1);
    shf_cel_router_free(router);
}

static void test_failing_allocations(void **state) {
    struct shf_cel_value values[20];
    static const char letters[] = "abcdefghijklmnopqrst";
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < 20; i++) values[i] = (struct shf_cel_value){SHF_CEL_STRING, {.text = {letters + i, 1}}};
    for (unsigned n = 1; n < 100; n++) {
        struct shf_cel_router *router = NULL;
        struct shf_error *error = NULL;
        alloc_fail_at(n);
        shf_status status = shf_cel_router_new("s + 'a'", 7, one_of_each, 4, values, 20, 20, &router, &error);
        shf_error_free(error);
        shf_cel_router_free(router);
        unsigned left = alloc_live();
        alloc_normal();
        assert_int_equal(left, 0);
        if (!status) break;
        assert_int_equal(status, SHF_E_NO_MEMORY);
        failed++;
    }
    assert_true(failed >= 4 && failed < 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),          cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_types_of_tokens), cmocka_unit_test(test_direct),
        cmocka_unit_test(test_unknown_token),   cmocka_unit_test(test_takes_key),
        cmocka_unit_test(test_bind_numbers),    cmocka_unit_test(test_bind_texts),
        cmocka_unit_test(test_bind_context),    cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
