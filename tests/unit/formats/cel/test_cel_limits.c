/* What is bounded: nesting, length, iterations, steps, memory; and that every allocation may fail. */
#include "cel_support.h"

#include "base/limits.h"
#include "failing_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* before, `count` times part, middle, `count` times close; free() it. */
static char *repeated(const char *before, const char *part, size_t count, const char *middle, const char *close) {
    size_t size = strlen(before) + strlen(middle) + count * (strlen(part) + strlen(close)) + 1;
    char *text = malloc(size), *at = text;
    assert_non_null(text);
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < count; i++) at += sprintf(at, "%s", part);
    at += sprintf(at, "%s", middle);
    for (size_t i = 0; i < count; i++) at += sprintf(at, "%s", close);
    return text;
}

static void expect_depth(const char *before, const char *part, const char *middle, const char *close, size_t good,
                         size_t bad) {
    struct shf_cel *cel = NULL;
    struct shf_error *error = NULL;
    char *text = repeated(before, part, good, middle, close);
    expect_ok(try_compile(text, &cel, &error), error);
    shf_cel_free(cel);
    free(text);
    text = repeated(before, part, bad, middle, close);
    expect_refused(text, "nested more than 64 deep");
    free(text);
}

/* At least what the reference takes: 32 parentheses, 30 alternatives, 32 terms, 24 calls. */
static void test_depth(void **state) {
    (void)state;
    expect_depth("", "(", "7", ")", 63, 64);
    expect_depth("", "(", "7", ")", 63, 20000);
    expect_depth("", "b ? 1 : ", "2", "", 63, 64);
    expect_depth("k", " + k", "", "", 63, 64);
    expect_depth("k", " + k", "", "", 63, 20000);
    expect_depth("", "int(", "k", ")", 63, 64);
    expect_depth("", "[", "k", "]", 63, 20000);
    expect_depth("", "{1:", "k", "}", 63, 20000);
    expect_depth("", "!(", "b", ")", 63, 20000);
    expect_depth("[]", ".map(x, 1)", "", "", 62, 5000);
    expect_depth("[1]", "[0]", "", "", 1, 20000);
    expect_depth("", "[1].exists(x, ", "b", ")", 62, 5000);
}

/* Chains that are no nesting may be long. */
static void test_long_chains(void **state) {
    struct shf_cel *cel = NULL;
    struct shf_error *error = NULL;
    (void)state;
    static const char *const parts[] = {" || k == 7", " && b"};
    for (size_t i = 0; i < 2; i++) {
        char *text = repeated("b", parts[i], 500, "", "");
        expect_ok(try_compile(text, &cel, &error), error);
        shf_cel_free(cel);
        expect_bool(text, true);
        free(text);
    }
    char *text = repeated("", "!", 30000, "b", ""), *list = repeated("size([[]", ",[]", 20000, "])", "");
    expect_bool(text, true);
    expect_int(list, 20001);
    free(text);
    free(list);
}

static void test_length(void **state) {
    struct shf_cel *cel = NULL;
    struct shf_error *error = NULL;
    (void)state;
    char *text = repeated("k //", "\xc3\xa9", 99996, "", "");
    expect_ok(try_compile(text, &cel, &error), error);
    shf_cel_free(cel);
    free(text);
    text = repeated("k //", "\xc3\xa9", 99997, "", "");
    expect_refused(text, "has 100001 characters");
    free(text);
    text = repeated("k //", " ", 410000, "", "");
    expect_refused(text, "at most 409600 are read");
    free(text);
    struct shf_cel_column columns[SHF_LIMIT_CEL_COLUMNS + 1];
    for (size_t i = 0; i <= SHF_LIMIT_CEL_COLUMNS; i++) columns[i] = (struct shf_cel_column){"k", SHF_CEL_INT, 0, 0};
    expect_ok(shf_cel_compile("k", 1, columns, SHF_LIMIT_CEL_COLUMNS, &cel, &error), error);
    assert_int_equal(shf_cel_column_count(cel), SHF_LIMIT_CEL_COLUMNS);
    shf_cel_free(cel);
    expect_error(shf_cel_compile("k", 1, columns, SHF_LIMIT_CEL_COLUMNS + 1, &cel, &error), &error, SHF_E_INVALID,
                 "257 columns");
    columns[0].type = SHF_CEL_OTHER;
    expect_error(shf_cel_compile("k", 1, columns, 1, &cel, &error), &error, SHF_E_INVALID,
                 "column \"k\" of the CEL expression has no type");
}

/* Types may be deeper than the text. */
static void test_deep_types(void **state) {
    char text[8192] = "[1].exists(v0, ", *at = text + strlen(text);
    (void)state;
    for (int i = 1; i < 50; i++) at += sprintf(at, "[[[[v%d]]]].exists(v%d, ", i - 1, i);
    at += sprintf(at, "[] == [v49]");
    for (int i = 0; i < 50; i++) at += sprintf(at, ")");
    expect_refused(text, "the types here are too deeply nested");
}

/* More digits than a double can have still count: just above the middle of two. */
static void test_many_digits(void **state) {
    (void)state;
    const char *middle = "1.00000000000000011102230246251565404236316680908203125";
    char *above = repeated(middle, "0", 1000, "1 == 1.0000000000000002", ""),
         *at = repeated(middle, "0", 1000, " == 1.0", "");
    char *large = repeated("double('1", "0", 1000, "e-1000') == 1.0", ""),
         *nines = repeated("0.", "9", 1000, " == 1.0", "");
    expect_bool(above, true);
    expect_bool(at, true);
    expect_bool(large, true);
    expect_bool(nines, true);
    free(above);
    free(at);
    free(large);
    free(nines);
}

/* A list of ten, and comprehensions over it within each other. */
#define TEN "[0,1,2,3,4,5,6,7,8,9]"

static void test_iterations(void **state) {
    (void)state;
    expect_bool(TEN ".all(a, " TEN ".all(b, " TEN ".all(c, [1,2,3,4,5,6,7,8].size() > c - c)))", true);
    expect_failure(TEN ".all(a, " TEN ".all(b, " TEN ".all(c, " TEN ".all(d, d >= 0))))", "more than 10000 items");
    /* What is too much is not absorbed. */
    expect_failure(TEN ".all(a, " TEN ".all(b, " TEN ".all(c, " TEN ".all(d, d >= 0)))) || true",
                   "more than 10000 items");
}

static void test_steps(void **state) {
    (void)state;
    char *parts = repeated("", "", 0, "", ""), *list = repeated("[0", ",k", 4000, "]", ""), text[20000];
    free(parts);
    /* A list of 4001 is looked through for each of 4001 items; no hash table, for it is no constant. */
    (void)snprintf(text, sizeof text, "%s.all(a, !(a - 100 in %s))", list, list);
    expect_failure(text, "takes too many steps");
    free(list);
}

static void expect_scratch_error(const char *text, const struct row *row, const char *message) {
    struct shf_cel_value value;
    struct shf_error *error = NULL;
    shf_status status = try_evaluate(text, row, &value, &error);
    expect_error(status, &error, SHF_E_ROUTING, message);
}

static void expect_scratch_size(const char *text, const struct row *row, size_t wanted) {
    struct shf_cel_value value;
    struct shf_error *error = NULL;
    shf_status status = try_evaluate(text, row, &value, &error);
    expect_ok(status, error);
    assert_int_equal(value.as.integer, wanted);
}

static void test_scratch(void **state) {
    struct row row = usual_row();
    size_t size = 1u << 20;
    char *large = malloc(size);
    (void)state;
    assert_non_null(large);
    memset(large, 'x', size);
    row.columns[4].as.text = (shf_slice){large, size};
    expect_scratch_size("size(s + s)", &row, 2 * size);
    /* What a predicate took is given back after each item; what a list keeps is not. */
    expect_scratch_size("size(" TEN ".filter(x, " TEN ".all(y, size(s + s) > 0)))", &row, 10);
    expect_scratch_error(TEN ".map(x, s + s + s + s + s + s + s).size()", &row, "needs too much memory");
    expect_scratch_error(TEN ".map(x, s + s + s + s + s + s + s).size() == 1 || true", &row, "needs too much memory");
    expect_scratch_error("s.matches('x')", &row, "too large to be matched");
    free(large);
}

/* Scalars and short texts take nothing of the heap. */
static void test_no_allocation(void **state) {
    static const char *const texts[] = {"k % 4", "shard_hash(k) % 8u", "shard_hash(s + ':' + string(k)) % 8u",
                                        "string(d)", "k < 25 ? 0 : 1"};
    struct row row = usual_row();
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct shf_cel *cel = NULL;
        struct shf_error *error = NULL;
        struct shf_cel_scratch scratch;
        struct shf_cel_value value;
        expect_ok(try_compile(texts[i], &cel, &error), error);
        shf_cel_scratch_init(&scratch);
        alloc_fail_at(1);
        shf_status status = shf_cel_evaluate(cel, row.columns, &scratch, &value, &error);
        alloc_normal();
        expect_ok(status, error);
        shf_cel_scratch_free(&scratch);
        shf_cel_free(cel);
    }
}

/* ---- failing allocations ---- */

#define MANY "{'a':1,'b':2,'c':3,'d':4,'e':5,'f':6,'g':7,'h':8,'i':9,'text':10}"
static const char thorough[] =
    "s.matches('(?i)T[a-f]x+') && s in " MANY " && " MANY
    "[s + ''] > k && [k,k].map(x, string(x) + s + s + s).filter(y, y != '')"
    ".exists(z, z.size() > 3) && {s:k,'1':2,'2':2,'3':2,'4':2,'5':2,'6':2,'7':2,'8':2,'9':2}[s] == k";

/* 0 when it went well, 1 when it failed cleanly. */
static int once(const char *text) {
    struct row row = usual_row();
    struct shf_cel *cel = NULL;
    struct shf_error *error = NULL;
    struct shf_cel_scratch scratch;
    struct shf_cel_value value;
    shf_status status = try_compile(text, &cel, &error);
    if (!status) {
        shf_cel_scratch_init(&scratch);
        status = shf_cel_evaluate(cel, row.columns, &scratch, &value, &error);
        if (!status) assert_true(value.as.boolean);
        shf_cel_scratch_free(&scratch);
    }
    if (status) assert_int_equal(status, SHF_E_NO_MEMORY);
    shf_error_free(error);
    shf_cel_free(cel);
    return status != SHF_OK;
}

static void fail_each(const char *text, unsigned least) {
    unsigned failed = 0;
    for (unsigned n = 1; n < 200; n++) {
        alloc_fail_at(n);
        int result = once(text);
        unsigned left = alloc_live();
        alloc_normal();
        assert_int_equal(left, 0);
        if (!result) break;
        failed++;
    }
    assert_true(failed >= least && failed < 199);
}

static void test_failing_allocations(void **state) {
    (void)state;
    fail_each(thorough, 10);
    char *many_types = repeated("size([[]", ",[]", 300, "]) == 301", "");
    fail_each(many_types, 8);
    free(many_types);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_length),        cmocka_unit_test(test_deep_types),
        cmocka_unit_test(test_many_digits),   cmocka_unit_test(test_iterations),
        cmocka_unit_test(test_steps),         cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
