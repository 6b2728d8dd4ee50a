/* Error objects, the table of statuses, the log. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statuses: what types.h says, written out once more ---- */

static const struct {
    shf_status status;
    int32_t category;
    int retryable;
} all[] = {
    {SHF_E_INVALID, SHF_CATEGORY_CONFIG, 0},    {SHF_E_UNSUPPORTED, SHF_CATEGORY_CONFIG, 0},
    {SHF_E_ROUTING, SHF_CATEGORY_ROUTING, 0},   {SHF_E_MANIFEST, SHF_CATEGORY_MANIFEST, 0},
    {SHF_E_STATE, SHF_CATEGORY_STATE, 0},       {SHF_E_CLOSED, SHF_CATEGORY_STATE, 0},
    {SHF_E_FORKED, SHF_CATEGORY_STATE, 0},      {SHF_E_NOT_FOUND, SHF_CATEGORY_STORE, 0},
    {SHF_E_ACCESS, SHF_CATEGORY_STORE, 0},      {SHF_E_STORE, SHF_CATEGORY_STORE, 0},
    {SHF_E_STORE_RETRY, SHF_CATEGORY_STORE, 1}, {SHF_E_CORRUPT, SHF_CATEGORY_ADAPTER, 0},
    {SHF_E_INDEX, SHF_CATEGORY_INDEX, 0},       {SHF_E_BUSY, SHF_CATEGORY_LIMIT, 1},
    {SHF_E_NO_MEMORY, SHF_CATEGORY_LIMIT, 1},   {SHF_E_LIMIT, SHF_CATEGORY_LIMIT, 0},
    {SHF_E_DEADLINE, SHF_CATEGORY_DEADLINE, 1}, {SHF_E_CANCELLED, SHF_CATEGORY_CANCELLED, 0},
    {SHF_E_LOCAL, SHF_CATEGORY_STORE, 0},       {SHF_E_INTERNAL, SHF_CATEGORY_INTERNAL, 0},
};
enum { STATUSES = sizeof all / sizeof all[0] };

static void test_every_status_has_a_text_and_a_category(void **state) {
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        assert_int_equal(all[i].status, -(shf_status)i - 1); /* none left out */
        assert_int_equal(shf_status_category(all[i].status), all[i].category);
        assert_string_not_equal(shf_status_text(all[i].status), "unknown status");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(shf_status_text(all[i].status), shf_status_text(all[j].status));
        }
    }
    assert_string_equal(shf_status_text(SHF_OK), "success");
    assert_string_equal(shf_status_text(SHF_NOT_FOUND), "the key is absent");
    assert_int_equal(shf_status_category(SHF_OK), SHF_CATEGORY_NONE);
    assert_int_equal(shf_status_category(SHF_NOT_FOUND), SHF_CATEGORY_NONE);
    assert_string_not_equal(shf_status_text(SHF_WOULD_WAIT), "unknown status");
    assert_int_equal(shf_status_category(SHF_WOULD_WAIT), SHF_CATEGORY_NONE);
}

static void test_numbers_that_are_no_status(void **state) {
    (void)state;
    static const shf_status none[] = {3, -STATUSES - 1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(shf_status_text(none[i]), "unknown status");
        assert_int_equal(shf_status_category(none[i]), SHF_CATEGORY_INTERNAL);
    }
}

static void test_the_version_is_the_headers(void **state) {
    (void)state;
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", SHF_VERSION_MAJOR, SHF_VERSION_MINOR, SHF_VERSION_PATCH);
    assert_string_equal(shf_version(), text);
}

/* ---- errors ---- */

static void test_a_new_error(void **state) {
    (void)state;
    for (size_t i = 0; i < STATUSES; i++) {
        struct shf_error *error = NULL;
        assert_int_equal(shf_error_set(&error, all[i].status, "page %u of %s", 7u, "x.db"), all[i].status);
        assert_int_equal(shf_error_code(error), all[i].status);
        assert_int_equal(shf_error_category(error), all[i].category);
        assert_int_equal(shf_error_retryable(error), all[i].retryable);
        assert_string_equal(shf_error_message(error), "page 7 of x.db");
        assert_int_equal(shf_error_shard(error), -1);
        assert_int_equal(shf_error_http_status(error), 0);
        assert_string_equal(shf_error_object(error), "");
        shf_error_free(error);
    }
}

static void test_no_error(void **state) {
    (void)state;
    assert_int_equal(shf_error_set(NULL, SHF_E_BUSY, "nobody reads this"), SHF_E_BUSY);
    assert_int_equal(shf_error_code(NULL), SHF_OK);
    assert_int_equal(shf_error_category(NULL), SHF_CATEGORY_NONE);
    assert_int_equal(shf_error_retryable(NULL), 0);
    assert_string_equal(shf_error_message(NULL), "no error");
    assert_int_equal(shf_error_shard(NULL), -1);
    assert_int_equal(shf_error_http_status(NULL), 0);
    assert_string_equal(shf_error_object(NULL), "");
    assert_null(shf_error_clone(NULL));
    struct shf_error *none = NULL;
    shf_error_prefix(NULL, "x");
    shf_error_prefix(&none, "x");
    assert_null(none);
    shf_error_set_shard(NULL, 1);
    shf_error_set_http_status(NULL, 1);
    shf_error_set_object(NULL, "x");
    shf_error_set_retryable(NULL, 1);
    shf_error_free(NULL);
}

static void test_particulars_and_clones(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    (void)shf_error_set(&error, SHF_E_STORE, "100%% of %s", "it");
    shf_error_set_shard(error, 12);
    shf_error_set_http_status(error, 503);
    shf_error_set_object(error, "s3://b/first");
    shf_error_set_object(error, "s3://b/second");
    shf_error_set_object(error, NULL); /* keeps the last */
    shf_error_set_retryable(error, 8);
    shf_error_prefix(&error, "opening %s", "shard 12");
    struct shf_error *copy = shf_error_clone(error);
    shf_error_free(error);
    assert_int_equal(shf_error_code(copy), SHF_E_STORE);
    assert_string_equal(shf_error_message(copy), "opening shard 12: 100% of it");
    assert_int_equal(shf_error_shard(copy), 12);
    assert_int_equal(shf_error_http_status(copy), 503);
    assert_string_equal(shf_error_object(copy), "s3://b/second");
    assert_int_equal(shf_error_retryable(copy), 1);
    shf_error_set_retryable(copy, 0);
    assert_int_equal(shf_error_retryable(copy), 0);
    shf_error_free(copy);
}

static void test_long_messages_are_cut_between_characters(void **state) {
    (void)state;
    char text[2 * SHF_LIMIT_ERROR_MESSAGE];
    for (size_t shift = 0; shift < 4; shift++) {
        struct shf_error *error = NULL;
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) memcpy(text + i, "\xf0\x9f\xa6\x88", 5);
        (void)shf_error_set(&error, SHF_E_INVALID, "%s", text);
        size_t size = strlen(shf_error_message(error));
        assert_true(size < SHF_LIMIT_ERROR_MESSAGE && size > SHF_LIMIT_ERROR_MESSAGE - 5);
        assert_true(shf_utf8_valid(shf_error_message(error), size));
        shf_error_prefix(&error, "%s", "shard 1");
        assert_int_equal(strncmp(shf_error_message(error), "shard 1: ", 9), 0);
        size = strlen(shf_error_message(error));
        assert_true(size < SHF_LIMIT_ERROR_MESSAGE && size > SHF_LIMIT_ERROR_MESSAGE - 5);
        assert_true(shf_utf8_valid(shf_error_message(error), size));
        shf_error_prefix(&error, "%s", text); /* the prefix alone fills it */
        assert_true(shf_utf8_valid(shf_error_message(error), strlen(shf_error_message(error))));
        shf_error_free(error);
    }
}

/* ---- without memory ---- */

static int allowed; /* allocations that succeed before all fail */
static void *last_allocations(size_t size) { return allowed-- > 0 ? malloc(size) : NULL; }

static void test_errors_without_memory(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = last_allocations};
    shf_alloc_set_seam(&seam);
    for (int some = 0; some < 2; some++) { /* the object fails; its message fails */
        struct shf_error *error = NULL;
        allowed = some;
        assert_int_equal(shf_error_set(&error, SHF_E_CORRUPT, "page %d", 7), SHF_E_CORRUPT);
        assert_non_null(error);
        assert_int_equal(shf_error_code(error), SHF_E_CORRUPT);
        assert_int_equal(shf_error_retryable(error), 0);
        assert_string_equal(shf_error_message(error), shf_status_text(SHF_E_CORRUPT));
        /* Shared by everybody, so nothing sticks to it. */
        shf_error_set_shard(error, 5);
        shf_error_set_http_status(error, 404);
        shf_error_set_retryable(error, 1);
        shf_error_set_object(error, "s3://b/k");
        shf_error_prefix(&error, "prefix");
        assert_int_equal(shf_error_shard(error), -1);
        assert_int_equal(shf_error_http_status(error), 0);
        assert_int_equal(shf_error_retryable(error), 0);
        assert_string_equal(shf_error_object(error), "");
        assert_null(strstr(shf_error_message(error), "prefix"));
        struct shf_error *copy = shf_error_clone(error);
        assert_ptr_equal(copy, error); /* there is only the one of this code */
        shf_error_free(copy);
        shf_error_free(error);
        assert_int_equal(shf_error_code(error), SHF_E_CORRUPT); /* static: still there */
    }
    shf_alloc_set_seam(NULL);
}

static void test_every_code_without_memory(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = last_allocations};
    shf_alloc_set_seam(&seam);
    for (shf_status code = -1; code >= SHF_E_INTERNAL; code--) {
        struct shf_error *error = NULL;
        allowed = 0;
        assert_int_equal(shf_error_set(&error, code, "particulars"), code);
        assert_int_equal(shf_error_code(error), code);
        assert_int_equal(shf_error_category(error), shf_status_category(code));
        assert_int_equal(shf_error_retryable(error), code == SHF_E_STORE_RETRY || code == SHF_E_BUSY ||
                                                         code == SHF_E_NO_MEMORY || code == SHF_E_DEADLINE);
        assert_true(strlen(shf_error_message(error)) > 10);
        if (code == SHF_E_NO_MEMORY) assert_non_null(strstr(shf_error_message(error), "out of memory"));
    }
    shf_alloc_set_seam(NULL);
}

static void test_particulars_without_memory_keep_what_is_there(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = last_allocations};
    struct shf_error *error = NULL;
    (void)shf_error_set(&error, SHF_E_CORRUPT, "page 7");
    shf_error_set_object(error, "file:///a");
    shf_alloc_set_seam(&seam);
    allowed = 0;
    shf_error_prefix(&error, "shard 1");
    shf_error_set_object(error, "file:///b");
    shf_alloc_set_seam(NULL);
    assert_string_equal(shf_error_message(error), "page 7");
    assert_string_equal(shf_error_object(error), "file:///a");
    shf_error_free(error);
}

/* ---- log ---- */

struct line {
    int count, level;
    char text[2 * SHF_LIMIT_LOG_MESSAGE];
};

static void keep_line(void *context, int level, const char *text) {
    struct line *line = context;
    line->count++;
    line->level = level;
    (void)snprintf(line->text, sizeof line->text, "%s", text);
}

static void test_log_levels(void **state) {
    (void)state;
    struct line line = {0};
    const struct shf_log log = {keep_line, &line, SHF_LOG_WARNING};
    shf_log_write(&log, SHF_LOG_WARNING, "shard %d", 4);
    assert_int_equal(line.count, 1);
    assert_int_equal(line.level, SHF_LOG_WARNING);
    assert_string_equal(line.text, "shard 4");
    shf_log_write(&log, SHF_LOG_ERROR, "worse");
    assert_int_equal(line.count, 2);
    shf_log_write(&log, SHF_LOG_INFO, "chatter");
    assert_int_equal(line.count, 2);
    const struct shf_log silence = {NULL, &line, SHF_LOG_DEBUG};
    shf_log_write(&silence, SHF_LOG_ERROR, "x");
    shf_log_write(NULL, SHF_LOG_ERROR, "x");
    assert_int_equal(line.count, 2);
}

static void test_log_lines_are_cut(void **state) {
    (void)state;
    struct line line = {0};
    const struct shf_log log = {keep_line, &line, SHF_LOG_DEBUG};
    char text[2 * SHF_LIMIT_LOG_MESSAGE];
    for (size_t i = 0; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
    shf_log_write(&log, SHF_LOG_DEBUG, "a%s", text);
    size_t size = strlen(line.text);
    assert_true(size < SHF_LIMIT_LOG_MESSAGE && size > SHF_LIMIT_LOG_MESSAGE - 5);
    assert_true(shf_utf8_valid(line.text, size));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_a_text_and_a_category),
        cmocka_unit_test(test_numbers_that_are_no_status),
        cmocka_unit_test(test_the_version_is_the_headers),
        cmocka_unit_test(test_a_new_error),
        cmocka_unit_test(test_no_error),
        cmocka_unit_test(test_particulars_and_clones),
        cmocka_unit_test(test_long_messages_are_cut_between_characters),
        cmocka_unit_test(test_errors_without_memory),
        cmocka_unit_test(test_every_code_without_memory),
        cmocka_unit_test(test_particulars_without_memory_keep_what_is_there),
        cmocka_unit_test(test_log_levels),
        cmocka_unit_test(test_log_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
