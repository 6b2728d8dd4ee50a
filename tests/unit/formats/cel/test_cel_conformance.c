/*
 * The conformance suite of CEL, as far as it concerns the subset. Tiers core and regex pass; every other case has the
 * suite's value or is refused when it is compiled. Origin: cel-spec, Apache License 2.0.
 */
#include "cel_support.h"

#include <stdio.h>
#include <string.h>

struct counts {
    unsigned cases, passed, refused;
};

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static void evaluate_case(const json_t *line, const struct shf_cel *cel, const struct shf_cel_column *columns,
                          size_t count) {
    struct shf_cel_value values[MOST_COLUMNS] = {{0}}, result;
    struct shf_cel_scratch scratch;
    struct shf_error *error = NULL;
    const json_t *bindings = json_object_get(line, "bindings"), *expect = json_object_get(line, "expect");
    const json_t *wanted = json_object_get(expect, "value");
    for (size_t i = 0; i < count; i++) {
        const json_t *bound = json_object_get(bindings, columns[i].name);
        if (bound) values[i] = value_from_json(bound);
    }
    shf_cel_scratch_init(&scratch);
    shf_status status = shf_cel_evaluate(cel, values, &scratch, &result, &error);
    if (wanted && status) fail_msg("%s: %s", text_of(line, "id"), shf_error_message(error));
    if (wanted && !value_is(&result, wanted))
        fail_msg("%s: %s has another value", text_of(line, "id"), text_of(line, "expr"));
    if (json_object_get(expect, "error") && !status)
        fail_msg("%s: %s has a value", text_of(line, "id"), text_of(line, "expr"));
    if (status) assert_int_equal(status, SHF_E_ROUTING);
    shf_error_free(error);
    shf_cel_scratch_free(&scratch);
}

static void run_case(const json_t *line, struct counts *counts, bool may_be_refused) {
    struct shf_cel_column columns[MOST_COLUMNS];
    size_t count = columns_from_json(json_object_get(line, "env"), columns);
    struct shf_error *error = NULL;
    struct shf_cel *cel = NULL;
    const char *text = text_of(line, "expr");
    shf_status status =
        shf_cel_compile(text, json_string_length(json_object_get(line, "expr")), columns, count, &cel, &error);
    counts->cases++;
    if (status) {
        if (!may_be_refused) fail_msg("%s: %s", text_of(line, "id"), shf_error_message(error));
        assert_int_equal(status, SHF_E_INVALID);
        assert_non_null(strstr(shf_error_message(error), "at offset"));
        shf_error_free(error);
        counts->refused++;
        return;
    }
    evaluate_case(line, cel, columns, count);
    shf_cel_free(cel);
    counts->passed++;
}

static void run_tier(const json_t *cases, const char *tier, bool may_be_refused, struct counts *counts) {
    size_t index;
    json_t *line;
    json_array_foreach(cases, index, line) {
        if (strcmp(text_of(line, "tier"), tier) != 0) continue;
        if (json_object_get(line, "container")) continue; /* names with a prefix that nothing here sets */
        run_case(line, counts, may_be_refused);
        free_values();
    }
    (void)fprintf(stderr, "tier %s: %u cases, %u passed, %u refused\n", tier, counts->cases, counts->passed,
                  counts->refused);
}

static void test_suite(void **state) {
    struct counts core = {0}, regex = {0}, dynamic = {0}, extended = {0};
    bool is_whole;
    (void)state;
    json_t *cases = load_cases("conformance.json", &is_whole);
    run_tier(cases, "core", false, &core);
    run_tier(cases, "regex", false, &regex);
    run_tier(cases, "dyn", true, &dynamic);
    run_tier(cases, "extended", true, &extended);
    if (is_whole) {
        assert_int_equal(core.passed, 678);
        assert_int_equal(regex.passed, 9);
        assert_int_equal(dynamic.cases, 210);
        assert_int_equal(extended.cases, 118);
    }
    assert_true(core.passed >= 80);
    assert_true(regex.passed >= 9);
    assert_true(dynamic.refused > 0);
    json_decref(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_suite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
