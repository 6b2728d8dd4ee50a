/* Regular expressions: RE2's syntax and RE2's answers, which were asked for with the reference. */
#include "cel_support.h"

#include <stdio.h>
#include <string.h>

struct match {
    const char *pattern, *subject;
};

static shf_status match(const struct match *pair, bool *out, struct shf_error **error) {
    char text[2048];
    struct row row = usual_row();
    struct shf_cel_value value;
    struct shf_cel_scratch scratch;
    struct shf_cel *cel = NULL;
    row.columns[4].as.text = (shf_slice){pair->subject, strlen(pair->subject)};
    (void)snprintf(text, sizeof text, "s.matches(r\"%s\")", pair->pattern);
    shf_status status = try_compile(text, &cel, error);
    if (status) return status;
    shf_cel_scratch_init(&scratch);
    status = shf_cel_evaluate(cel, row.columns, &scratch, &value, error);
    if (!status) *out = value.as.boolean;
    shf_cel_scratch_free(&scratch);
    shf_cel_free(cel);
    return status;
}

static void expect_matches(const struct match *pairs, size_t count, bool wanted) {
    for (size_t i = 0; i < count; i++) {
        struct shf_error *error = NULL;
        bool found;
        shf_status status = match(&pairs[i], &found, &error);
        if (status) fail_msg("%s: %s", pairs[i].pattern, shf_error_message(error));
        if (found != wanted)
            fail_msg("%s with %s: %s", pairs[i].pattern, pairs[i].subject, found ? "matches" : "does not match");
    }
}

static void test_matches(void **state) {
    (void)state;
    static const struct match yes[] = {
        {"", ""},
        {"ub", "hubba"},
        {"^a$|^b$", "b"},
        {"^[a-m]", "kate"},
        {"a{2,3}$", "baaa"},
        {"x{0}", ""},
        {"(a|b)+?c", "abac"},
        {"^.$", "\xc3\xa9"},
        {"[^a]", "\n"},
        {"(?s)a.b", "a\nb"},
        {"(?m)^b$", "a\nb\nc"},
        {"(?m)^$", "a\n"},
        {"(?m)a$", "a\nb"},
        {"(?m)(^)*x", "x"},
        {"(?m:a$)\\nb$", "a\nb"},
        {"(?m)(?-m)b$", "a\nb"},
        {"a(?m)$|^b", "c\nb"},
        {"(?i)STRASSE", "strasse"},
        {"(?i)k", "\xe2\x84\xaa"},
        {"(?i)\\w", "\xc5\xbf"},
        {"(?i:A)b", "ab"},
        {"\\d\\s\\w", "1 a"},
        {"[\\d-]", "-"},
        {"[]a]", "]"},
        {"[a-]", "-"},
        {"[[:alpha:]_]", "_"},
        {"\\x41\\x{e9}\\101", "A\xc3\xa9"
                              "A"},
        {"\\bfoo\\b", "a foo b"},
        {"\\Bo", "foo"},
        {"\\Aa\\z", "a"},
        {"(?P<n>a)(?<m>b)", "ab"},
        {"a{,2}", "a{,2}"},
        {"a{x", "a{x"},
        {"\\.\\-\\_", ".-_"},
        {"^*a", "a"},
        {"()", "x"},
        {"a||b", ""},
        {"(?U)a+", "a"},
        {"[\\x{1f400}-\\x{1f4ff}]", "\xf0\x9f\x90\xb1"},
        {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"},
        {"(a*)*$", "aaab"},
        {"[\\D]", "a"},
        {"[^\\S]", " "},
    };
    static const struct match no[] = {
        {"^ub", "hubba"},
        {"a$", "a\n"},
        {"a.b", "a\nb"},
        {"^b$", "a\nb"},
        {"(?m)(?-m)a$", "a\nb"},
        {"(?m:^x)$", "a\nx\n"},
        {"(?m)^$", "a"},
        {"\\d", "\xd9\xa1"},
        {"\\w", "\xc3\xa9"},
        {"\\s", "\v"},
        {"[[:alpha:]]", "\xc3\xa9"},
        {"[^\xc3\xa9]", "\xc3\xa9"},
        {"\\bo", "foo"},
        {"(?i)(?-i)a", "A"},
        {"x{2,}", "x"},
        {"[[:digit:][:upper:]]", "a"},
        {"^(a|ab)$", "abb"},
    };
    expect_matches(yes, sizeof yes / sizeof yes[0], true);
    expect_matches(no, sizeof no / sizeof no[0], false);
}

/* No pattern of RE2: an error of evaluation, as there. */
static void test_invalid(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "(",      ")",         "a**",         "a+*",   "a{2}{3}", "*a",    "(*a)",    "|*",        "{2}",    "a{1001}",
        "a{3,2}", "a{0,1001}", "[a",          "[a-",   "[",       "[b-a]", "[a-\\d]", "[[:foo:]]", "\\1",    "(a)\\1",
        "\\Z",    "\\y",       "\\x{110000}", "\\x1",  "\\x{}",   "(?=a)", "(?!a)",   "(?<=a)",    "(?<!a)", "(?>a)",
        "(?#a)",  "(?P=n)",    "(?R)",        "(?x)a", "(?i-)",   "(?i",   "(?P<n",   "(?P<>a)",   "(?",     "a*+",
        "\\k<n>", "\\g1",      "\\K",         "\\R",   "\\X",     "\\h",   "\\N",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct shf_error *error = NULL;
        bool found;
        struct match pair = {patterns[i], "a"};
        shf_status status = match(&pair, &found, &error);
        if (status != SHF_E_ROUTING) fail_msg("%s: %d", patterns[i], (int)status);
        expect_error(status, &error, SHF_E_ROUTING, "no valid regular expression");
    }
}

/* RE2 has it, this has not: refused when compiled. */
static void test_unsupported(void **state) {
    (void)state;
    static const char *const patterns[] = {"\\pL",         "\\p{Greek}", "\\PN",   "\\C",   "\\Qa\\E",
                                           "[[:^alpha:]]", "[\\W]",      "a(?i)*", "[\\pL]"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct shf_error *error = NULL;
        bool found;
        struct match pair = {patterns[i], "a"};
        expect_error(match(&pair, &found, &error), &error, SHF_E_INVALID, "not supported");
    }
    char deep[512] = "", large[1200];
    struct shf_error *error = NULL;
    bool found;
    for (int i = 0; i < 101; i++) strcat(deep, "(");
    for (int i = 0; i < 101; i++) strcat(deep, ")");
    expect_error(match(&(struct match){deep, ""}, &found, &error), &error, SHF_E_INVALID,
                 "groups that are nested so deeply");
    memset(large, 'a', sizeof large);
    large[1025] = '\0';
    expect_error(match(&(struct match){large, ""}, &found, &error), &error, SHF_E_INVALID, "more than 1024 bytes");
}

/* What makes other matchers go back for ever. */
static void test_time(void **state) {
    (void)state;
    static const char *const patterns[] = {"(a*)*b",        "(a|aa)+$b", "(a|a)*b", "((a{0,10}){0,10}){0,10}b",
                                           "(.*.*.*.*.*)x", "(x+x+)+y"};
    static char subject[60001];
    memset(subject, 'a', 60000);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct shf_error *error = NULL;
        bool found = true;
        shf_status status = match(&(struct match){patterns[i], subject}, &found, &error);
        if (status) {
            expect_error(status, &error, SHF_E_ROUTING, "too large to be matched");
        } else {
            assert_false(found);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_invalid),
                                       cmocka_unit_test(test_unsupported), cmocka_unit_test(test_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
