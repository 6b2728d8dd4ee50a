/* Expressions by themselves: what compiles, what comes out, what is refused, and allocations that fail. */
#include "unit/formats/failing_alloc.h"

#include <shardyfusion/shardyfusion.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static shf_column_info column(const char *name, uint32_t kind) {
    shf_column_info made;
    SHF_INIT(&made);
    made.name = name;
    made.kind = kind;
    return made;
}

static shf_expression *compiled(const char *text) {
    const shf_column_info columns[] = {column("k", SHF_CONTEXT_INT),    column("u", SHF_CONTEXT_UINT),
                                       column("d", SHF_CONTEXT_DOUBLE), column("b", SHF_CONTEXT_BOOL),
                                       column("s", SHF_CONTEXT_TEXT),   column("y", SHF_CONTEXT_BYTES)};
    shf_expression *expression = NULL;
    shf_error *error = NULL;
    shf_status status = shf_expression_compile(text, columns, 6, &expression, &error);
    if (status) fail_msg("%s: %s", text, shf_error_message(error));
    assert_null(error);
    return expression;
}

static void refused(const char *text, const shf_column_info *columns, size_t count, const char *message) {
    shf_expression *expression = NULL;
    shf_error *error = NULL;
    assert_int_equal(shf_expression_compile(text, columns, count, &expression, &error), SHF_E_INVALID);
    assert_non_null(error);
    if (!strstr(shf_error_message(error), message)) fail_msg("\"%s\" is not in: %s", message, shf_error_message(error));
    assert_null(expression);
    shf_error_free(error);
    assert_int_equal(shf_expression_compile(text, columns, count, &expression, NULL), SHF_E_INVALID);
}

static const shf_context_value values[] = {
    {.name = "other", .kind = 0}, /* fits no column, and is none */
    {.name = "k", .kind = SHF_CONTEXT_INT, .as.int_value = -7},
    {.name = "u", .kind = SHF_CONTEXT_UINT, .as.uint_value = UINT64_MAX},
    {.name = "d", .kind = SHF_CONTEXT_DOUBLE, .as.double_value = 0.5},
    {.name = "b", .kind = SHF_CONTEXT_BOOL, .as.int_value = 1},
    {.name = "s", .kind = SHF_CONTEXT_TEXT, .as.bytes = {"eu", 2}},
    {.name = "y", .kind = SHF_CONTEXT_BYTES, .as.bytes = {"\xff\x00z", 3}},
};
static const shf_routing_context whole = {sizeof whole, sizeof values / sizeof *values, values};

static shf_context_value evaluated(shf_expression *expression) {
    shf_context_value value;
    shf_error *error = NULL;
    shf_status status = shf_expression_evaluate(expression, &whole, &value, &error);
    if (status) fail_msg("%s", shf_error_message(error));
    assert_null(error);
    assert_null(value.name);
    return value;
}

static void bytes_are(shf_context_value value, uint32_t kind, const char *wanted) {
    assert_int_equal(value.kind, kind);
    assert_int_equal(value.as.bytes.size, strlen(wanted));
    assert_memory_equal(value.as.bytes.data, wanted, strlen(wanted));
}

static void test_results(void **state) {
    (void)state;
    shf_expression *expression = compiled("k % 4");
    shf_context_value value = evaluated(expression);
    assert_int_equal(value.kind, SHF_CONTEXT_INT);
    assert_int_equal(value.as.int_value, -3);
    shf_expression_free(expression);
    expression = compiled("b && d < 1.0 ? u : 0u");
    value = evaluated(expression);
    assert_int_equal(value.kind, SHF_CONTEXT_UINT);
    assert_true(value.as.uint_value == UINT64_MAX);
    shf_expression_free(expression);
    expression = compiled("s + \":\" + string(k)");
    for (int i = 0; i < 3; i++) bytes_are(evaluated(expression), SHF_CONTEXT_TEXT, "eu:-7"); /* as often as wanted */
    shf_expression_free(expression);
    expression = compiled("y");
    bytes_are(evaluated(expression), SHF_CONTEXT_BYTES, "\xff"); /* up to the NUL byte */
    shf_expression_free(expression);
    expression = compiled("shard_hash(\"hello\") % 1000u");
    assert_int_equal(evaluated(expression).as.uint_value, UINT64_C(10760762337991515389) % 1000);
    shf_expression_free(expression);
}

static void test_failures_of_evaluation(void **state) {
    (void)state;
    shf_context_value value = {.kind = 77};
    shf_error *error = NULL;
    shf_expression *expression = compiled("10 / k");
    const shf_context_value zero = {.name = "k", .kind = SHF_CONTEXT_INT},
                            wrong = {.name = "k", .kind = SHF_CONTEXT_TEXT};
    const shf_routing_context contexts[] = {{sizeof whole, 1, &zero}, {sizeof whole, 1, &wrong}, {sizeof whole, 0, NULL}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(shf_expression_evaluate(expression, &contexts[i], &value, &error), SHF_E_ROUTING);
        assert_non_null(strstr(shf_error_message(error), "k"));
        shf_error_free(error);
        assert_int_equal(shf_expression_evaluate(expression, &contexts[i], &value, NULL), SHF_E_ROUTING);
    }
    const shf_routing_context senseless = {sizeof whole, 1, NULL};
    assert_int_equal(shf_expression_evaluate(expression, &senseless, &value, &error), SHF_E_INVALID);
    assert_int_equal(shf_expression_evaluate(expression, NULL, &value, &error), SHF_E_INVALID);
    assert_int_equal(shf_expression_evaluate(NULL, &whole, &value, &error), SHF_E_INVALID);
    assert_int_equal(shf_expression_evaluate(expression, &whole, NULL, &error), SHF_E_INVALID);
    assert_int_equal(value.kind, 77);
    assert_int_equal(evaluated(expression).as.int_value, -1); /* none of that spoils it */
    shf_expression_free(expression);
    shf_expression_free(NULL);
}

static void test_what_does_not_compile(void **state) {
    (void)state;
    const shf_column_info fine[] = {column("k", SHF_CONTEXT_INT)};
    const shf_column_info nameless[] = {column(NULL, SHF_CONTEXT_INT)}, kindless[] = {column("k", 7)},
                          twice[] = {column("k", SHF_CONTEXT_INT), column("k", SHF_CONTEXT_TEXT)};
    shf_column_info sizeless = column("k", SHF_CONTEXT_INT);
    sizeless.struct_size = 0;
    refused("k +", fine, 1, "the expression ends");
    refused("k % 4u", fine, 1, "offset");
    refused("k > 1", fine, 1, "of type bool, which names no shard");
    refused("j", fine, 1, "there is no column \"j\"");
    refused("k", NULL, 0, "there is no column \"k\"");
    refused("k", nameless, 1, "has no name");
    refused("k", kindless, 1, "has the kind 7");
    refused("k", twice, 2, "column k is given twice");
    refused("k", &sizeless, 1, "SHF_INIT");
    refused("k", fine, 100000, "100000 columns");
    shf_expression *expression = NULL;
    assert_int_equal(shf_expression_compile(NULL, fine, 1, &expression, NULL), SHF_E_INVALID);
    assert_int_equal(shf_expression_compile("k", NULL, 1, &expression, NULL), SHF_E_INVALID);
    assert_int_equal(shf_expression_compile("k", fine, 1, NULL, NULL), SHF_E_INVALID);
    assert_int_equal(shf_expression_compile("3", NULL, 0, &expression, NULL), SHF_OK);
    assert_int_equal(evaluated(expression).as.int_value, 3);
    shf_expression_free(expression);
}

/* Compiles and evaluates, with whatever fails. */
static shf_status all(void) {
    const shf_column_info columns[] = {column("s", SHF_CONTEXT_TEXT)};
    shf_expression *expression = NULL;
    shf_error *error = NULL;
    shf_context_value value;
    shf_status status =
        shf_expression_compile("[s + s, s].map(x, x + x + x)[0].size() + 1", columns, 1, &expression, &error);
    if (!status) status = shf_expression_evaluate(expression, &whole, &value, &error);
    if (!status) assert_int_equal(value.as.int_value, 13);
    shf_error_free(error);
    shf_expression_free(expression);
    return status;
}

static void test_allocations_that_fail(void **state) {
    (void)state;
    unsigned n = 0;
    for (shf_status status = SHF_E_NO_MEMORY; status; assert_int_equal(alloc_live(), 0)) {
        alloc_fail_at(++n);
        status = all();
        assert_true(status == SHF_OK || status == SHF_E_NO_MEMORY);
    }
    alloc_normal();
    assert_true(n > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_failures_of_evaluation),
        cmocka_unit_test(test_what_does_not_compile),
        cmocka_unit_test(test_allocations_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
