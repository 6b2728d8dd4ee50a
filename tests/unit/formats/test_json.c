/* JSON as Python reads it, and integers. */
#include "support.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "formats/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses and writes again. */
static void expect_json(const char *text, const char *wanted) {
    json_t *json = NULL;
    struct shf_error *error = NULL;
    expect_ok(shf_json_parse(text, strlen(text), SHF_E_MANIFEST, &json, &error), error);
    char *written = shf_json_text(json);
    assert_non_null(written);
    assert_string_equal(written, wanted);
    shf_free(written);
    json_decref(json);
}

static void expect_broken(const char *text, size_t size, const char *message) {
    json_t *json = NULL;
    struct shf_error *error = NULL;
    expect_error(shf_json_parse(text, size, SHF_E_INDEX, &json, &error), &error, SHF_E_INDEX, message);
    assert_null(json);
}

static void test_read_as_python_does(void **state) {
    (void)state;
    expect_json("{}", "{}");
    expect_json(" [1, 2.5, \"x\", null, true] ", "[1, 2.5, \"x\", null, true]");
    expect_json("{\"b\": 1, \"a\": {\"d\": [], \"c\": \"\xc3\xa9\"}}",
                "{\"a\": {\"c\": \"\\u00E9\", \"d\": []}, \"b\": 1}");
    expect_json("{\"x\": NaN, \"y\": [Infinity, -Infinity]}", "{\"x\": null, \"y\": [null, null]}");
    expect_json("\"NaN Infinity -Infinity\"", "\"NaN Infinity -Infinity\"");
    expect_json("\"a \\\" NaN \\\\\"", "\"a \\\" NaN \\\\\"");
    expect_json("9223372036854775807", "9223372036854775807");
    expect_json("-9223372036854775808", "-9223372036854775808");
    expect_json("[18446744073709551615]", "[1.8446744073709552e19]");
    expect_json("[1e999, -1e400, 12345e305, 1e-999]", "[null, null, null, 0.0]");
    expect_json("[9.5e306, 0.00000001e310]", "[9.5000000000000006e306, 1.0000000000000001e302]");
    expect_json("\"\\ud83d\\ude00 \\ud800 \\udc00x \\ud800\\u0041\"", "\"\\uD83D\\uDE00 \\uFFFD \\uFFFDx \\uFFFDA\"");
    expect_json("\"\\u0000\"", "\"\\u0000\"");
    expect_json("{\"a\": 1, \"a\": 2}", "{\"a\": 2}");
    expect_json("5", "5");
}

static void expect_broken_text(const char *text) { expect_broken(text, strlen(text), "broken JSON"); }

static void test_broken(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"a\": }",
                                        "[1,]",
                                        "01",
                                        "-",
                                        "\"\\ud800",
                                        "nan",
                                        "+1",
                                        "{} {}",
                                        "\"\n\"",
                                        "NaNs",
                                        "\xef\xbb\xbf{}",
                                        "\"\xff\"",
                                        "tru",
                                        "\"\\x\"",
                                        "1.e5",
                                        "--1",
                                        "[1 2]",
                                        "{1: 2}",
                                        "\"\\",
                                        "000000000000000000000001",
                                        "\"\\u12\"",
                                        "\"abc"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) expect_broken_text(texts[i]);
    expect_broken("{}\0", 3, "broken JSON");
}

static void test_limits(void **state) {
    (void)state;
    char deep[2 * SHF_LIMIT_JSON_DEPTH + 4];
    memset(deep, '[', SHF_LIMIT_JSON_DEPTH);
    memset(deep + SHF_LIMIT_JSON_DEPTH, ']', SHF_LIMIT_JSON_DEPTH);
    json_t *json = NULL;
    struct shf_error *error = NULL;
    expect_ok(shf_json_parse(deep, 2 * SHF_LIMIT_JSON_DEPTH, SHF_E_MANIFEST, &json, &error), error);
    json_decref(json);
    memset(deep, '[', SHF_LIMIT_JSON_DEPTH + 1);
    expect_broken(deep, SHF_LIMIT_JSON_DEPTH + 1, "nested deeper than 256");
    size_t size = SHF_LIMIT_JSON_BYTES + 1;
    char *big = malloc(size);
    memset(big, ' ', size);
    expect_broken(big, size, "at most 16777216");
    big[0] = '[';
    for (size_t i = 1; i < 2 * SHF_LIMIT_JSON_VALUES; i += 2) memcpy(big + i, "1,", 2);
    memcpy(big + 2 * SHF_LIMIT_JSON_VALUES - 1, "1]", 2);
    expect_ok(shf_json_parse(big, 2 * SHF_LIMIT_JSON_VALUES + 1, SHF_E_MANIFEST, &json, &error), error);
    json_decref(json);
    memcpy(big + 2 * SHF_LIMIT_JSON_VALUES - 1, "1,1]", 4);
    expect_broken(big, 2 * SHF_LIMIT_JSON_VALUES + 3, "more than 131072 values");
    free(big);
}

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_integer;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"42", true, 42},
        {" -7\t", true, -7},
        {"+3", true, 3},
        {"3.0", true, 3},
        {"3.000", true, 3},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {" ", false, 0},
        {"-", false, 0},
        {"3.", false, 0},
        {"3.5", false, 0},
        {".0", false, 0},
        {"1e3", false, 0},
        {"0x10", false, 0},
        {"3 4", false, 0},
        {"four", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 0;
        assert_int_equal(shf_integer_parse(cases[i].text, strlen(cases[i].text), &value), cases[i].is_integer);
        if (cases[i].is_integer) assert_true(value == cases[i].value);
    }
    int64_t value;
    assert_true(shf_integer_from_real(-2.0, &value) && value == -2);
    assert_false(shf_integer_from_real(0.5, &value));
    assert_false(shf_integer_from_real(9223372036854775808.0, &value));
    assert_true(shf_integer_from_real(-9223372036854775808.0, &value) && value == INT64_MIN);
    assert_false(shf_integer_from_real(__builtin_nan(""), &value));
    assert_false(shf_integer_from_real(-__builtin_inf(), &value));
}

static int allocations_left;
static void *failing_allocate(size_t size) { return allocations_left-- > 0 ? malloc(size) : NULL; }

/* Whichever allocation fails, the text is not blamed for it. (Of a string jansson says that it is none; nothing helps.) */
static void test_parser_without_memory(void **state) {
    (void)state;
    json_malloc_t allocate;
    json_free_t release;
    json_get_alloc_funcs(&allocate, &release);
    shf_status status = SHF_E_NO_MEMORY;
    for (int allowed = 0; status && allowed < 50; allowed++) {
        struct shf_error *error = NULL;
        json_t *json = NULL;
        allocations_left = allowed;
        json_set_alloc_funcs(failing_allocate, free);
        status = shf_json_parse("[1, [{}, 2.5]]", 14, SHF_E_MANIFEST, &json, &error);
        json_set_alloc_funcs(allocate, release);
        if (status) {
            expect_error(status, &error, SHF_E_NO_MEMORY, "no memory for JSON of 14 bytes");
        } else {
            assert_true(allowed > 3);
            assert_true(json_is_array(json));
        }
        json_decref(json);
    }
    assert_int_equal(status, SHF_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_as_python_does),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_parser_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
