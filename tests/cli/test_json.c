#include "cli_test.h"

#include "cli/codec.h"
#include "cli/json.h"
#include "cli/number.h"
#include "cli/out.h"
#include "cli/utf8.h"

#include <math.h>
#include <stdio.h>

static void writer(void **state) {
    struct cli_out out;
    struct cli_json json;
    (void)state;
    for (int pretty = 0; pretty < 2; pretty++) {
        cli_out_init(&out, -1);
        cli_json_init(&json, &out, pretty);
        cli_json_begin(&json, '{');
        cli_json_member_string(&json, "op", "get");
        cli_json_member_string(&json, "nothing", NULL);
        cli_json_name(&json, "list");
        cli_json_begin(&json, '[');
        cli_json_i64(&json, INT64_MIN);
        cli_json_u64(&json, UINT64_MAX);
        cli_json_double(&json, NAN);
        cli_json_double(&json, INFINITY);
        cli_json_double(&json, -INFINITY);
        cli_json_bool(&json, true);
        cli_json_begin(&json, '{');
        cli_json_end(&json, '}');
        cli_json_end(&json, ']');
        cli_json_end(&json, '}');
        assert_string_equal(out.data, pretty ? "{\n  \"op\": \"get\",\n  \"nothing\": null,\n  \"list\": [\n"
                                               "    -9223372036854775808,\n    18446744073709551615,\n    null,\n"
                                               "    \"inf\",\n    \"-inf\",\n    true,\n    {}\n  ]\n}"
                                             : "{\"op\":\"get\",\"nothing\":null,\"list\":[-9223372036854775808,"
                                               "18446744073709551615,null,\"inf\",\"-inf\",true,{}]}");
        cli_out_free(&out);
    }
}

static void strings(void **state) {
    struct cli_out out;
    static const char text[] = "a\"\\\n\t\r\x01\x7f\0é🙂\xff\xc3";
    (void)state;
    cli_out_init(&out, -1);
    cli_json_quote(&out, text, sizeof text - 1);
    assert_string_equal(out.data, "\"a\\\"\\\\\\n\\t\\r\\u0001\\u007f\\u0000é🙂\xef\xbf\xbd\xef\xbf\xbd\"");
    cli_out_free(&out);
}

static void printable(void **state) {
    struct cli_out out;
    static const char text[] = "a\n\033[31m\tб\xc2\x9b\xff";
    (void)state;
    cli_out_init(&out, -1);
    cli_out_printable(&out, text, sizeof text - 1);
    assert_string_equal(out.data, "a\\n\\x1b[31m\\tб\\xc2\\x9b\\xff");
    cli_out_free(&out);
}

static void doubles_read_back(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.0, "0.0"},
                 {-0.0, "-0.0"},
                 {1.0, "1.0"},
                 {0.1, "0.1"},
                 {1.0 / 3.0, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {5.950654029846191, "5.950654029846191"},
                 {1e300, "1e+300"},
                 {5e-324, "4.94065645841247e-324"},
                 {123456789012345680.0, "1.2345678901234568e+17"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CLI_DOUBLE_TEXT_BYTES];
        cli_double_text(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        assert_true(strtod(text, NULL) == cases[i].value);
    }
}

static char *clean(const char *text, unsigned *replaced) {
    struct cli_out out;
    *replaced = 0;
    cli_out_init(&out, -1);
    if (cli_json_clean(&out, text, strlen(text), replaced)) return out.data;
    cli_out_free(&out);
    return NULL;
}

static void cleaning_keeps_json(void **state) {
    static const struct {
        const char *text, *wanted;
        unsigned replaced;
    } cases[] = {
        {"{}", "{}", 0},
        {" [ ] ", "[]", 0},
        {"{ \"a\" : [ 1 , 2.50e+1, {\"b\":null} ] ,\n \"c\" : \" x \\u00e9 \" }",
         "{\"a\":[1,2.50e+1,{\"b\":null}],\"c\":\" x \\u00e9 \"}", 0},
        {"{\"a\": NaN, \"b\": [Infinity, -Infinity]}", "{\"a\":null,\"b\":[null,null]}", 3},
        {"-0.5", "-0.5", 0},
        {"\"NaN\"", "\"NaN\"", 0},
        {"true", "true", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned replaced;
        char *text = clean(cases[i].text, &replaced);
        assert_non_null(text);
        assert_string_equal(text, cases[i].wanted);
        assert_int_equal(replaced, cases[i].replaced);
        free(text);
    }
}

static void cleaning_refuses_the_rest(void **state) {
    static const char *const cases[] = {
        "",      " ",       "{",         "}",      "[1,]",     "[,1]", "{\"a\"}", "{\"a\":}",  "{\"a\":1,}", "{a:1}",
        "{1:2}", "01",      "1.",        ".5",     "+1",       "1e",   "-",       "tru",       "nan",        "inf",
        "\"",    "\"\\x\"", "\"\\u12\"", "\"\n\"", "\"\xff\"", "1 2",  "[1}",     "{\"a\":1]", "[1 2]",      "'a'"};
    unsigned replaced;
    char deep[CLI_JSON_CLEAN_DEPTH + 2];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (clean(cases[i], &replaced)) fail_msg("'%s' was taken for JSON", cases[i]);
    }
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_null(clean(deep, &replaced));
}

static void base64_and_hex(void **state) {
    static const char *const plain[] = {"", "h", "hi", "hid", "hide", "hideo", "hideou"};
    static const char *const coded[] = {"", "aA==", "aGk=", "aGlk", "aGlkZQ==", "aGlkZW8=", "aGlkZW91"};
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zg===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zg==Zg==", "Z-_="};
    struct cli_out out;
    char *bytes;
    size_t size;
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        cli_out_init(&out, -1);
        cli_out_string(&out, "");
        cli_base64_encode(&out, plain[i], strlen(plain[i]));
        assert_string_equal(out.data, coded[i]);
        cli_out_free(&out);
        assert_true(cli_base64_decode(coded[i], strlen(coded[i]), &bytes, &size));
        assert_int_equal(size, strlen(plain[i]));
        assert_memory_equal(bytes, plain[i], size);
        free(bytes);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(cli_base64_decode(wrong[i], strlen(wrong[i]), &bytes, &size));
    }
    assert_true(cli_hex_decode("00fFa9", 6, &bytes, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "\x00\xff\xa9", 3);
    free(bytes);
    assert_false(cli_hex_decode("0", 1, &bytes, &size));
    assert_false(cli_hex_decode("0g", 2, &bytes, &size));
}

static void numbers_are_strict(void **state) {
    uint64_t u = 7;
    int64_t i = 7;
    double d = 7;
    int64_t ms = 7;
    (void)state;
    assert_true(cli_parse_u64("18446744073709551615", 20, &u) && u == UINT64_MAX);
    assert_false(cli_parse_u64("18446744073709551616", 20, &u));
    assert_false(cli_parse_u64("", 0, &u) || cli_parse_u64("-1", 2, &u) || cli_parse_u64(" 1", 2, &u));
    assert_true(cli_parse_i64("-9223372036854775808", 20, &i) && i == INT64_MIN);
    assert_false(cli_parse_i64("9223372036854775808", 19, &i) || cli_parse_i64("-", 1, &i) || cli_parse_i64("1x", 2, &i));
    assert_true(cli_parse_double("-1.5e3", 6, &d) && d == -1500.0);
    assert_true(cli_parse_double(".5", 2, &d) && d == 0.5);
    assert_false(cli_parse_double("nan", 3, &d) || cli_parse_double("inf", 3, &d) || cli_parse_double("0x1", 3, &d) ||
                 cli_parse_double("1e999", 5, &d) || cli_parse_double(" 1", 2, &d) || cli_parse_double(".", 1, &d) ||
                 cli_parse_double("1e", 2, &d));
    assert_true(cli_parse_seconds("2.5", &ms) && ms == 2500);
    assert_true(cli_parse_seconds("0.0001", &ms) && ms == 1);
    assert_false(cli_parse_seconds("-1", &ms) || cli_parse_seconds("31536001", &ms) || cli_parse_seconds("1s", &ms));
}

static void times(void **state) {
    char text[CLI_TIME_TEXT_BYTES];
    (void)state;
    cli_time_text(INT64_C(1795332567506796), text);
    assert_string_equal(text, "2026-11-22T07:29:27.506796+00:00");
    cli_time_text(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999+00:00");
}

static void utf8(void **state) {
    (void)state;
    assert_true(cli_utf8_valid("aé日🙂\0z", 12));
    assert_false(cli_utf8_valid("\xc0\x80", 2));
    assert_false(cli_utf8_valid("\xed\xa0\x80", 3));
    assert_false(cli_utf8_valid("\xf4\x90\x80\x80", 4));
    assert_false(cli_utf8_valid("\xe2\x82", 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer),
        cmocka_unit_test(strings),
        cmocka_unit_test(printable),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(cleaning_keeps_json),
        cmocka_unit_test(cleaning_refuses_the_rest),
        cmocka_unit_test(base64_and_hex),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(times),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
