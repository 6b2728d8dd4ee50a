/* The language: lexis, operators, types, functions, errors. Answers are the reference's where it has one. */
#include "cel_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_lexis(void **state) {
    (void)state;
    expect_int("0x1F + -0x1f", 0);
    expect_int("--5", 5);
    expect_int("---5", -5);
    expect_uint("--5u", 5);
    expect_int("k // the rest is no part of it\n\t\r\f % 4", 3);
    expect_int("-9223372036854775808", INT64_MIN);
    expect_uint("18446744073709551615U", UINT64_MAX);
    expect_bool("1e3 == 1000.0 && .5 == 5e-1 && 1.5E+1 == 15.0", true);
    expect_text("'a' + \"b\" + r'\\n' + '''c'd''' + \"\"\"\"e\"\"\"", "ab\\nc'd\"e");
    expect_text("'\\x41\\101\\u00e9\\U0001F431\\t\\`'", "AA\xc3\xa9\xf0\x9f\x90\xb1\t`");
    expect_text("'''a\r\nb\rc'''", "a\nb\nc"); /* line ends of all systems are one */
    expect_bool("b'\\xff\xc3\xa9' == b'\\377\\303\\251' && B'' == br''", true);
    expect_bool("true != false && null == null", true);
    expect_int(".k + [k,][0] + {'a': 1,}.a + size([,]) + size({,})", 15);
}

static void test_lexis_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "'\\q'",
        "'\\400'",
        "'\\u12'",
        "'\\ud800'",
        "'\\U00110000'",
        "b'\\u0041'",
        "'a",
        "\"a\nb\"",
        "'''a''",
        "r'\\'",
        "rb'a'",
        "0X1",
        "1.",
        "1_0",
        "#",
        "k &",
        "a`b`",
        "9223372036854775808",
        "-9223372036854775809",
        "--9223372036854775808",
        "18446744073709551616u",
        "1e999",
        "0xfffffffffffffffff",
        "$k",
        "'\\",
        "\v k",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) expect_refused(texts[i], "at offset");
    expect_refused("k + \xff", "not valid UTF-8");
    expect_refused("'\\q'", "at offset 1 (\"\\q'\"): this escape does not exist");
    expect_refused("m.`a`", "back-quotes are not supported");
}

static void test_grammar(void **state) {
    (void)state;
    expect_int("1 + 2 * 3 - 4 / 2", 5);
    expect_int("10 - 3 - 2", 5);
    expect_int("-k % 4", -3);
    expect_bool("!!b && !(k == 3) || false", true);
    expect_bool("1 < 2 == true", true);
}

static void test_grammar_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the expression ends where a value should be"},
        {"k %", "(its end): the expression ends where a value should be"},
        {"k 4", "here should be an operator or the end"},
        {"(k", "closing parenthesis"},
        {"[1", "comma or the closing bracket"},
        {"[,1]", "the closing bracket"},
        {"[1][0", "closing bracket"},
        {"{1}", "a colon"},
        {"size(s,)", "another argument"},
        {"b ? k", "a colon and what holds otherwise"},
        {"b ? b ? 1 : 2 : 3", "put the ?: between ? and : in parentheses"},
        {"package % 4", "this word is reserved"},
        {"k.", "the name of a field"},
        {"k.in", "the name of a field"},
        {"-!b", "here should be a value"},
        {"in", "here should be a value"},
        {".5.", "the name of a field"},
        {".(k)", "here should be a name"},
        {"[?k]", "optional entries"},
        {"s.?x", "optional fields"},
        {"k{a: 1}", "messages are not supported"},
        {"google.protobuf.Int32Value{value: 1}", "messages are not supported"},
        {"[1].all(x + 1, true)", "must be a plain name"},
        {"[1].all(.x, true)", "must be a plain name"},
        {"has(k)", "has() takes a field"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_refused(cases[i].text, cases[i].message);
}

static void test_types_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"k % 4u", "at offset 2 (\"% 4u\"): the two sides must be of one type (int and uint); convert one"},
        {"shard_hash(k) % 4", "(uint and int)"},
        {"k < 2.5", "(int and double)"},
        {"k == '1'", "(int and string)"},
        {"k in ['a']", "(int and string)"},
        {"-u", "takes int or double, not uint"},
        {"d % d", "takes int or uint, not double and double"},
        {"b + b", "takes int, uint, double, string, bytes or lists, not bool"},
        {"[1] < [2]", "takes bool, int"},
        {"null < null", "takes bool, int"},
        {"k && b", "must be bool (bool and int)"},
        {"!k", "must be bool"},
        {"k ? 1 : 2", "the condition before ? must be bool"},
        {"b ? 1 : 'a'", "both results of ?: must be of one type"},
        {"other", "there is no column \"other\"; declare it in cel_columns"},
        {"type(k)", "type() is not supported"},
        {"timestamp('2020-01-01T00:00:00Z').getHours() % 4", "timestamp() is not supported"},
        {"duration('1s') == duration('2s')", "duration() is not supported"},
        {"dyn(k)", "dyn() is not supported"},
        {"int == int", "types as values are not supported"},
        {"nosuch(k)", "there is no function nosuch()"},
        {"cel.bind(x, 1, x)", "there is no column \"cel\""},
        {"size(k)", "size() takes a string, bytes, a list or a map, not int"},
        {"int(b)", "int() takes int, uint, double or string, not bool"},
        {"shard_hash(d)", "shard_hash() takes int, uint, string or bytes, not double"},
        {"shard_hash(k, k)", "shard_hash() is called as f(x) with 1 argument"},
        {"k.shard_hash()", "is called as f(x)"},
        {"startsWith(s, 'a')", "is called as x.f() with 1 argument"},
        {"size()", "f(x) or x.f()"},
        {"s.startsWith(k)", "the argument must be a string"},
        {"s.field", "a value of type string has no fields"},
        {"has(k.field)", "a value of type int has no fields"},
        {"{1: 2}.field", "the keys of this map are no strings"},
        {"[1]['a']", "the index of a list must be an int"},
        {"{'a': 1}[1]", "the key must be of the type"},
        {"k[0]", "a list or a map before the brackets"},
        {"1 in 2", "a list or a map on its right"},
        {"[1, 'a']", "lists of several types are not supported"},
        {"{'a': 1, 'b': 'c'}", "maps of several types are not supported"},
        {"{'a': 1, 2: 3}", "maps of several types are not supported"},
        {"{'a': [1]} + {'a': [1]}", "not map(string, list(int)) and map(string, list(int))"},
        {"[].map(x, size(x))", "size() takes a string, bytes, a list or a map, not ?"},
        {"[].exists(x, x > x)", "not ? and ?"},
        {"[].map(x, x[0])", "a list or a map before the brackets"},
        {"[1].all(x, x)", "what a macro asks of each item must be bool"},
        {"[1].filter(x, 1)", "must be bool"},
        {"[1].map(x, 1, 2)", "must be bool"},
        {"k.exists(x, true)", "takes a list or a map, not int"},
        {"[[1], [[1]]]", "list(int)"},
        {"[].exists(x, x == [x])", "one type"},
        {"s.matches(s)", "takes only a string literal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_refused(cases[i].text, cases[i].message);
}

static void test_semantics(void **state) {
    (void)state;
    expect_int("-7 / 2", -3);
    expect_int("-7 % 2", -1);
    expect_bool("0.0 / 0.0 == 0.0 / 0.0 || 0.0 / 0.0 < 1.0 || 0.0 / 0.0 >= 1.0", false);
    expect_bool("1.0 / 0.0 > 1e308 && -1.0 / 0.0 < -1e308", true);
    expect_int("size('na\xc3\xafve') * 100 + size(b'na\xc3\xafve')", 506);
    expect_bool("b'a' < b'ab' && 'Z' < 'a' && false < true && 'z' < '\xc3\xa9'", true);
    expect_bool("1 / 0 == 1 && false", false);
    expect_bool("true || 1 / 0 == 1", true);
    expect_bool("1 / 0 == 1 || true", true);
    expect_bool("[0, 2].exists(x, 4 / x == 2)", true);
    expect_bool("[0, 2].all(x, 4 / x == 3)", false);
    expect_bool("[[1, 2], [3]] == [[1] + [2], [3]] && {'a': [1]} != {'a': [2]}", true);
    expect_bool("{'a': 1, 'b': 2} == {'b': 2, 'a': 1} && {'a': 1} != {'b': 1} && {'a': 1} != {}", true);
    expect_bool("{'b': 1, 'a': 2}.all(x, x in ['a', 'b']) && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]", true);
    expect_int("[k].map(k, [k].map(k, k + 1)[0])[0] + [1].map(x, .k)[0]", 15);
    expect_bool("k in [1, 2, 3, 4, 5, 6, 7, 8, 9] && !(k in [10, 11, 12, 13, 14, 15, 16, 17, 18])", true);
    expect_bool("s in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'text'] && 0.5 in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, "
                "7.0, 8.0, 0.5]",
                true);
    expect_int("{'a':1,'b':2,'c':3,'d':4,'e':5,'f':6,'g':7,'h':8,'i':9,'text':10}[s]", 10);
    expect_int("{k:1,8:2,9:3,10:4,11:5,12:6,13:7,14:8,15:9,16:10}[16]", 10);
    expect_bool("u < 8u && !(8u < u) && u <= 7u && [].all(x, x.startsWith('a')) && [].map(x, x / 2) == []", true);
    expect_bool("has({'a': 1}.a) && !has({'a': 1}.b)", true);
    expect_bool("'abc'.contains('') && 'abc'.contains('bc') && !'abc'.contains('cb') && ''.endsWith('')", true);
    expect_uint("shard_hash('')", UINT64_C(3244421341483603138));
    expect_uint("shard_hash('hello')", UINT64_C(10760762337991515389));
    expect_bool(
        "shard_hash(k) == shard_hash(u) && shard_hash(b'a') == shard_hash('a') && shard_hash(k) != shard_hash(8)", true);
}

static void test_conversions(void **state) {
    (void)state;
    expect_int("int(' +5 ') + int('-7') + int(-1.9) + int(3u)", 0);
    expect_uint("uint(' 5') + uint(1.9) + uint(3) + uint(-0.0)", 9);
    expect_bool(
        "double(' -1.5e1 ') == -15.0 && double('INF') > 1e308 && double('-infinity') < 0.0 && double('1.') == 1.0", true);
    expect_bool("double('nan') != double('NaN') && bool('t') && !bool('FALSE') && double(18446744073709551615u) == "
                "1.8446744073709552e19",
                true);
    expect_text("string(k) + string(u) + string(b) + string(-9223372036854775808) + string(y == y)",
                "77true-9223372036854775808true");
    expect_text(
        "string(3.0) + ' ' + string(0.1) + ' ' + string(100000.0) + ' ' + string(1e6) + ' ' + string(1234567.0)",
        "3 0.1 100000 1e+06 1.234567e+06");
    expect_text("string(0.00001) + ' ' + string(0.0001) + ' ' + string(-0.0) + ' ' + string(5e-324) + ' ' + "
                "string(1.7976931348623157e308)",
                "1e-05 0.0001 -0 5e-324 1.7976931348623157e+308");
    expect_text("string(1.0 / 0.0) + ' ' + string(-1.0 / 0.0) + ' ' + string(double('nan'))", "inf -inf nan");
    /* Powers of two have more room above than below. */
    expect_text("string(9007199254740993.0) + ' ' + string(5.684341886080802e-14) + ' ' + string(9.5367431640625e-07)",
                "9.007199254740992e+15 5.684341886080802e-14 9.5367431640625e-07");
    expect_bool("bytes('\xc3\xa9') == b'\\303\\251' && string(b'\\303\\251') == '\xc3\xa9' && bytes(y) == y", true);
}

static void test_failures(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"1 / (k - 7)", "at offset 2 (\"/ (k - 7)\"): division by zero"},
        {"1u % (u - 7u)", "modulo by zero"},
        {"9223372036854775800 + k + k", "out of range"},
        {"u - 8u", "out of range"},
        {"-9223372036854775807 - k", "out of range"},
        {"k * 9223372036854775807", "out of range"},
        {"-(k - 8 - 9223372036854775807)", "out of range"},
        {"(k - 8 - 9223372036854775807) / -1", "out of range"},
        {"(k - 8 - 9223372036854775807) % -1", "out of range"},
        {"[1][k]", "no such index"},
        {"[1][-k]", "no such index"},
        {"{'a': 1}[s]", "no such key"},
        {"{'a': 1}.b", "no such key"},
        {"{s: 1, 'text': 2}['a']", "is repeated"},
        {"{1:1,2:2,3:3,4:4,5:5,6:6,7:7,8:8,9:9,k:1}[1]", "is repeated"},
        {"{d: 1}[d]", "must be an int, uint, bool or string"},
        {"{y: 1}[y]", "must be an int, uint, bool or string"},
        {"int(u + 9223372036854775807u)", "out of the range of the type"},
        {"int(d * 2e19)", "out of the range of the type"},
        {"int(-9223372036854775808.0)", "out of the range of the type"},
        {"uint(-d)", "out of the range of the type"},
        {"uint(d / 0.0 - d / 0.0)", "out of the range of the type"},
        {"uint(-k)", "out of the range of the type"},
        {"int(s)", "no such number"},
        {"int('0x10')", "no such number"},
        {"uint('-0')", "no such number"},
        {"double('1e')", "no such number"},
        {"double('')", "no such number"},
        {"bool('TrUe')", "neither true nor false"},
        {"string(y)", "not valid UTF-8"},
        {"shard_hash(u + 9223372036854775807u)", "shard_hash takes a uint of at most"},
        {"s.matches('(')", "no valid regular expression"},
        {"s.matches('\\\\')", "no valid regular expression"},
        {"[1][1 / 0]", "division by zero"},
        {"{1: 2}[1 / 0]", "division by zero"},
        {"double('1.2.3')", "no such number"},
        {"1 / 0 == 1 || false", "division by zero"},
        {"[0, 2].exists_one(x, 4 / x == 2)", "division by zero"},
        {"[2, 0].map(x, 4 / x)", "division by zero"},
        {"[1 / 0].size()", "division by zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) expect_failure(cases[i].text, cases[i].message);
}

static void test_columns(void **state) {
    struct row row = usual_row();
    struct shf_cel_value value;
    struct shf_error *error = NULL;
    (void)state;
    row.columns[0].type = SHF_CEL_ABSENT;
    expect_error(try_evaluate("u == 7u ? k : 1", &row, &value, &error), &error, SHF_E_ROUTING,
                 "no column \"k\" (int), which the expression reads at offset 10");
    expect_ok(try_evaluate("u == 8u ? k : 1", &row, &value, &error), error);
    expect_ok(try_evaluate("k == 1 || b", &row, &value, &error), error);
    row.columns[0] = (struct shf_cel_value){SHF_CEL_MISFIT, {.misfit = SHF_CEL_MISFIT_RANGE}};
    expect_error(try_evaluate("k", &row, &value, &error), &error, SHF_E_ROUTING,
                 "column \"k\" is no int: its value is out of the range");
    row.columns[4] = (struct shf_cel_value){SHF_CEL_MISFIT, {.misfit = SHF_CEL_MISFIT_UTF8}};
    expect_error(try_evaluate("s", &row, &value, &error), &error, SHF_E_ROUTING, "not valid UTF-8");
    row.columns[5] = (struct shf_cel_value){SHF_CEL_MISFIT, {.misfit = SHF_CEL_MISFIT_KIND}};
    expect_error(try_evaluate("y", &row, &value, &error), &error, SHF_E_ROUTING, "of another type");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexis),           cmocka_unit_test(test_lexis_refused), cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_grammar_refused), cmocka_unit_test(test_types_refused), cmocka_unit_test(test_semantics),
        cmocka_unit_test(test_conversions),     cmocka_unit_test(test_failures),      cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
