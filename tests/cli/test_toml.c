#include "cli_test.h"

#include "cli/toml.h"

static char *parse(const char *text, struct cli_toml *toml) { return cli_toml_parse(text, strlen(text), toml); }

static void values_of_every_kind(void **state) {
    struct cli_toml toml;
    (void)state;
    assert_right(parse("\xef\xbb\xbf# a comment\r\n"
                       "top = 1\n"
                       "\n"
                       "[reader]   # with a comment\n"
                       "  text = \"a \\\"b\\\" # not a comment; nor this\\n\\u00e9\\U0001F642\\t\\\\\" # but this\n"
                       "literal = 'C:\\temp \"x\"'\n"
                       "empty=\"\"\n"
                       "yes = true\n"
                       "no = false# tight\n"
                       "number = -1_234\n"
                       "plus = +7\n"
                       "largest = 9223372036854775807\n"
                       "smallest = -9223372036854775808\n"
                       "zero = 0\n"
                       "colon-and_semi = \"a:b;c=d\"\n"
                       "[ spaced ]\n"
                       "[empty]",
                       &toml));
    assert_int_equal(toml.entry_count, 12);
    assert_string_equal(cli_toml_find(&toml, "reader", "text")->text,
                        "a \"b\" # not a comment; nor this\n\xc3\xa9\xf0\x9f\x99\x82\t\\");
    assert_int_equal(cli_toml_find(&toml, "reader", "text")->line, 5);
    assert_string_equal(cli_toml_find(&toml, "reader", "literal")->text, "C:\\temp \"x\"");
    assert_string_equal(cli_toml_find(&toml, "reader", "empty")->text, "");
    assert_true(cli_toml_find(&toml, "reader", "yes")->boolean);
    assert_false(cli_toml_find(&toml, "reader", "no")->boolean);
    assert_int_equal(cli_toml_find(&toml, "reader", "number")->integer, -1234);
    assert_int_equal(cli_toml_find(&toml, "reader", "plus")->integer, 7);
    assert_true(cli_toml_find(&toml, "reader", "largest")->integer == INT64_MAX);
    assert_true(cli_toml_find(&toml, "reader", "smallest")->integer == INT64_MIN);
    assert_string_equal(cli_toml_find(&toml, "reader", "colon-and_semi")->text, "a:b;c=d");
    assert_int_equal(cli_toml_find(&toml, "", "top")->integer, 1);
    assert_null(cli_toml_find(&toml, "reader", "top"));
    assert_true(cli_toml_has_section(&toml, "spaced"));
    assert_true(cli_toml_has_section(&toml, "empty"));
    assert_false(cli_toml_has_section(&toml, "other"));
    cli_toml_free(&toml);
}

static void a_long_value_is_whole(void **state) {
    char text[1200] = "[p]\ntoken = \"";
    struct cli_toml toml;
    (void)state;
    memset(text + strlen(text), 'x', 1000);
    strcat(text, "\"\n");
    assert_right(parse(text, &toml));
    assert_int_equal(strlen(cli_toml_find(&toml, "p", "token")->text), 1000);
    cli_toml_free(&toml);
}

static void what_is_not_flat_toml_names_its_line(void **state) {
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"a = 1\na = 2\n", "line 2: 'a' is there twice (first in line 1)"},
        {"[a]\n[b]\n[a]\n", "line 3: section [a] is there twice"},
        {"; ini comment\n", "line 1: a key is made of"},
        {"a: 1\n", "line 1: '=' expected"},
        {"a\n", "line 1: '=' expected"},
        {"a =\n", "line 1: a: no value"},
        {"a = # nothing\n", "line 1: a: no value"},
        {"= 1\n", "line 1: a key is made of"},
        {"\"a\" = 1\n", "line 1: a key is made of"},
        {"a.b = 1\n", "line 1: '=' expected"},
        {"[a.b]\n", "line 1: ']' expected"},
        {"[[a]]\n", "arrays of tables"},
        {"[]\n", "line 1: a section name is made of"},
        {"[a\n", "line 1: ']' expected"},
        {"[a] b\n", "only a comment may follow a section"},
        {"a = [1]\n", "a value is"},
        {"a = {b = 1}\n", "a value is"},
        {"a = 1.5\n", "a value is"},
        {"a = 0x10\n", "a value is"},
        {"a = 007\n", "a value is"},
        {"a = 1__0\n", "a value is"},
        {"a = _1\n", "a value is"},
        {"a = 9223372036854775808\n", "a value is"},
        {"a = True\n", "a value is"},
        {"a = 2026-11-22\n", "a value is"},
        {"a = bare\n", "a value is"},
        {"\n\na = \"open\n", "line 3: a: the string does not end"},
        {"a = 'open\n", "the string does not end"},
        {"a = \"x\\\"\n", "the string does not end"},
        {"a = \"\\q\"\n", "an escape"},
        {"a = \"\\u00\"\n", "an escape"},
        {"a = \"\\ud800\"\n", "an escape"},
        {"a = \"\\U00110000\"\n", "an escape"},
        {"a = \"\\u0000\"\n", "an escape"},
        {"a = \"\"\"x\"\"\"\n", "multi-line"},
        {"a = '''x'''\n", "multi-line"},
        {"a = \"x\" y\n", "only a comment may follow the value"},
        {"a = 1 2\n", "only a comment may follow the value"},
        {"a = \"x\ty\x01\"\n", "control character (0x01)"},
        {"a = \"\xff\"\n", "line 1: not UTF-8"},
        {"a23456789012345678901234567890123456789012345678x = 1\n", "a key of more than 48 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cli_toml toml;
        assert_wrong(parse(cases[i].text, &toml), cases[i].part);
    }
}

static void nul_bytes_and_size(void **state) {
    struct cli_toml toml;
    char *large = calloc(1, CLI_TOML_FILE_BYTES + 1);
    (void)state;
    assert_wrong(cli_toml_parse("a = \"\0\"\n", 8, &toml), "control character (0x00)");
    assert_wrong(cli_toml_parse(large, CLI_TOML_FILE_BYTES + 1, &toml), "larger than");
    assert_right(cli_toml_parse("", 0, &toml));
    assert_int_equal(toml.entry_count, 0);
    cli_toml_free(&toml);
    free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(a_long_value_is_whole),
        cmocka_unit_test(what_is_not_flat_toml_names_its_line),
        cmocka_unit_test(nul_bytes_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
