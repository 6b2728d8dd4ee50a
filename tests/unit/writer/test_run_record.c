#include "base/alloc.h"
#include "writer/run_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define LEASE_US INT64_C(1795735398323760)

static char *write_record(const struct shf_run_record *record, size_t *size) {
    char *text = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(shf_run_record_write(record, &text, size, &error), SHF_OK);
    return text;
}

static void test_written_as_the_python_project_does(void **state) {
    (void)state;
    size_t size;
    const struct shf_run_record record = {.status = SHF_RUN_RUNNING,
                                          .run_id = "0123",
                                          .s3_prefix = "s3://bucket/it's",
                                          .started_at_us = LEASE_US - 600000000,
                                          .updated_at_us = LEASE_US - 600000000,
                                          .lease_expires_at_us = LEASE_US};
    char *text = write_record(&record, &size);
    assert_string_equal(text, "db_path_template: 'db={db_id:05d}'\n"
                              "error_message: null\n"
                              "error_type: null\n"
                              "format_version: 1\n"
                              "lease_expires_at: '2026-11-26T23:23:18.323760Z'\n"
                              "manifest_ref: null\n"
                              "run_id: '0123'\n"
                              "s3_prefix: 's3://bucket/it''s'\n"
                              "shard_prefix: 'shards'\n"
                              "started_at: '2026-11-26T23:13:18.323760Z'\n"
                              "status: running\n"
                              "updated_at: '2026-11-26T23:13:18.323760Z'\n"
                              "writer_type: libshardyfusion\n");
    shf_free(text);
}

/* Texts of errors come from everywhere. */
static void test_any_message_can_be_written_and_read(void **state) {
    (void)state;
    static const char *const messages[] = {"",       "null", "a: b", "two\nlines", "tab\tand \"quotes\" and 'others'",
                                           "ü 日本", "- x",  "# y",  "%",          "\x01 control"};
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct shf_run_record record = {.status = SHF_RUN_FAILED,
                                        .run_id = "r",
                                        .s3_prefix = "s3://b/p",
                                        .error_type = "store",
                                        .error_message = messages[i],
                                        .started_at_us = 1,
                                        .updated_at_us = 2,
                                        .lease_expires_at_us = 3};
        size_t size;
        struct shf_run_state read;
        struct shf_error *error = NULL;
        char *text = write_record(&record, &size);
        assert_int_equal(shf_run_record_read(text, size, &read, &error), SHF_OK);
        assert_int_equal(read.status, SHF_RUN_FAILED);
        assert_int_equal(read.started_at_us, 1);
        assert_int_equal(read.lease_expires_at_us, 3);
        shf_free(text);
    }
}

static void refused(const char *text, const char *why) {
    struct shf_run_state read;
    struct shf_error *error = NULL;
    assert_int_equal(shf_run_record_read(text, strlen(text), &read, &error), SHF_E_STATE);
    assert_non_null(strstr(shf_error_message(error), why));
    shf_error_free(error);
}

static void test_what_is_no_record_is_refused(void **state) {
    (void)state;
    refused("", "no mapping");
    refused("[1, 2]", "no mapping");
    refused("status: [", "no YAML");
    refused("status: done\n", "its status is none of");
    refused("a: b\n", "its status is none of");
    refused("status: running\n", "started_at is no date");
    refused("status: running\nstarted_at: soon\n", "started_at is no date");
    refused("status: running\nstarted_at: '2026-01-01T00:00:00Z'\nlease_expires_at: null\n",
            "lease_expires_at is no date");
}

static void test_names_of_records(void **state) {
    (void)state;
    static const char name[] = "2026-11-22T07:23:18.067886Z_run_id=abc_0123456789abcdef0123456789abcdef/";
    assert_true(shf_run_record_is_of(name, "abc"));
    assert_false(shf_run_record_is_of(name, "ab"));
    assert_false(shf_run_record_is_of(name, "abc_"));
    assert_false(shf_run_record_is_of("2026_run_id=abc_0123456789abcdef0123456789abcdef", "abc"));
    assert_false(shf_run_record_is_of("2026_run_id=abc_0123456789abcdef0123456789abcde/", "abc"));
    assert_false(shf_run_record_is_of("abc", "abc"));
}

/* What the fuzzer begins with: whatever it is, it is read or refused. */
static void test_corpus(void **state) {
    (void)state;
    int seen = 0;
    DIR *corpus = opendir("fuzz/corpus/run_record");
    const struct dirent *entry;
    assert_non_null(corpus);
    while ((entry = readdir(corpus)) != NULL) {
        char path[512], data[4096];
        (void)snprintf(path, sizeof path, "fuzz/corpus/run_record/%s", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!file) continue;
        size_t size = fread(data, 1, sizeof data, file);
        (void)fclose(file);
        struct shf_run_state read;
        struct shf_error *error = NULL;
        shf_status status = shf_run_record_read(data, size, &read, &error);
        assert_int_equal(status, strstr(entry->d_name, "peer") || strstr(entry->d_name, "short") ||
                                         strstr(entry->d_name, "flow")
                                     ? SHF_OK
                                     : SHF_E_STATE);
        shf_error_free(error);
        seen++;
    }
    (void)closedir(corpus);
    assert_true(seen >= 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_as_the_python_project_does),
        cmocka_unit_test(test_any_message_can_be_written_and_read),
        cmocka_unit_test(test_what_is_no_record_is_refused),
        cmocka_unit_test(test_names_of_records),
        cmocka_unit_test(test_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
