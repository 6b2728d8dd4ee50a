/* Payloads: what is recognised without a parser must be what the parser takes. */
#include "formats/json_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool parser_takes(const char *text, size_t size) {
    json_t *json = json_loadb(size ? text : "", size, JSON_ALLOW_NUL, NULL);
    bool is_object = json_is_object(json);
    json_decref(json);
    return is_object;
}

static const char *const objects[] = {
    "{}",
    " {\n\t\"a\" : [ ] , \"b\":{}\r}  ",
    "{\"section\": \"admin\", \"summary\": \"simple top-like I/O monitor\"}",
    "{\"n\": [0, -1, 12.5, 1e5, 1E-7, -0.0e+12, 123456789012345678], \"t\": [true, false, null]}",
    "{\"deep\": [[[[{\"x\": [{\"y\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}]}]]]]}",
    "{\"\": \"\xc3\xbc \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80\"}",
};

static void test_plain_objects_are_recognised(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        assert_true(shf_json_is_plain_object(objects[i], strlen(objects[i])));
        assert_true(parser_takes(objects[i], strlen(objects[i])));
        assert_int_equal(shf_json_check_object(objects[i], strlen(objects[i]), NULL), SHF_OK);
    }
}

/* Right, but left to the parser. */
static void test_rare_objects_are_taken(void **state) {
    (void)state;
    static const char *const rare[] = {"{\"a\": \"\\u00e9\\ud83d\\ude00\"}", "{\"a\": 1e100}",
                                       "{\"a\": 9223372036854775807}"};
    for (size_t i = 0; i < sizeof rare / sizeof rare[0]; i++) {
        assert_false(shf_json_is_plain_object(rare[i], strlen(rare[i])));
        assert_int_equal(shf_json_check_object(rare[i], strlen(rare[i]), NULL), SHF_OK);
    }
}

static void test_others_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "[]",
                                        "7",
                                        "null",
                                        "\"a\"",
                                        "{",
                                        "}",
                                        "{]",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{a:1}",
                                        "{\"a\":01}",
                                        "{\"a\":1.}",
                                        "{\"a\":.5}",
                                        "{\"a\":+1}",
                                        "{\"a\":NaN}",
                                        "{\"a\":1}x",
                                        "{}{}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":\"\n\"}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":\"\xc0\x80\"}",
                                        "{\"a\":1e999}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct shf_error *error = NULL;
        assert_false(shf_json_is_plain_object(texts[i], strlen(texts[i])));
        assert_int_equal(shf_json_check_object(texts[i], strlen(texts[i]), &error), SHF_E_INVALID);
        assert_non_null(error);
        shf_error_free(error);
    }
}

static void test_depth(void **state) {
    (void)state;
    for (size_t depth = 60; depth < 70; depth++) {
        char text[512];
        size_t size = 0;
        memcpy(text, "{\"a\":", 5);
        size = 5;
        for (size_t i = 1; i < depth; i++) text[size++] = '[';
        for (size_t i = 1; i < depth; i++) text[size++] = ']';
        text[size++] = '}';
        assert_int_equal(shf_json_is_plain_object(text, size), depth <= 64);
        assert_int_equal(shf_json_check_object(text, size, NULL), SHF_OK);
        text[size - 2] = '}'; /* closes an array */
        assert_false(shf_json_is_plain_object(text, size));
    }
}

static void test_what_is_recognised_is_what_the_parser_takes(void **state) {
    (void)state;
    static const char bytes[] = "{}[]:,\"\\ 019.eE+-tfn\xc3\xbc\xff\n\0u";
    size_t recognised = 0, refused = 0;
    srand(20261126); /* NOLINT: the same texts every time */
    for (int round = 0; round < 60000; round++) {
        char text[160];
        const char *from = objects[(size_t)rand() % (sizeof objects / sizeof objects[0])];
        size_t size = strlen(from);
        memcpy(text, from, size);
        for (int change = rand() % 3; change >= 0; change--)
            text[(size_t)rand() % size] = bytes[(size_t)rand() % (sizeof bytes - 1)];
        if (rand() % 4 == 0) size = (size_t)rand() % (size + 1);
        bool is_plain = shf_json_is_plain_object(text, size), is_taken = parser_takes(text, size);
        if (is_plain) assert_true(is_taken);
        assert_int_equal(shf_json_check_object(text, size, NULL) == SHF_OK, is_taken);
        recognised += is_plain;
        refused += !is_taken;
    }
    assert_true(recognised > 2000);
    assert_true(refused > 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_objects_are_recognised),
        cmocka_unit_test(test_rare_objects_are_taken),
        cmocka_unit_test(test_others_are_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_what_is_recognised_is_what_the_parser_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
