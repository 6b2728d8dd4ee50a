/* Dates, and names of manifest directories. Expected values are from Python's datetime. */
#include "support.h"

#include "formats/manifest.h"
#include "formats/manifest_priv.h"

#include <string.h>

static void test_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-03-14T10:30:00.123456Z", INT64_C(1773484200123456)},
        {"2026-03-14T10:30:00Z", INT64_C(1773484200000000)},
        {"2026-03-14T10:30:00.1Z", INT64_C(1773484200100000)},
        {"2026-03-14T10:30:00.123456789Z", INT64_C(1773484200123456)},
        {"2026-03-14t10:30:00,5z", INT64_C(1773484200500000)},
        {"2026-03-14 10:30:00", INT64_C(1773484200000000)},
        {"2026-03-14_10:30", INT64_C(1773484200000000)},
        {"2026-03-14T12:30:00+02:00", INT64_C(1773484200000000)},
        {"2026-03-14T05:00:00-0530", INT64_C(1773484200000000)},
        {"2026-03-14", INT64_C(1773446400000000)},
        {"2000-02-29T23:59:59.999999Z", INT64_C(951868799999999)},
        {"1969-12-31T23:59:59Z", -1000000},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t us = -1;
        if (!shf_time_parse(good[i].text, strlen(good[i].text), &us)) fail_msg("%s", good[i].text);
        if (us != good[i].us) fail_msg("%s: %lld", good[i].text, (long long)us);
    }
}

static void test_no_dates(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "2026",
        "2026-3-14T10:30:00Z",
        "2026-13-14T10:30:00Z",
        "2026-00-14T10:30:00Z",
        "2026-02-29T10:30:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T10:30:00Z",
        "2026-03-14T24:00:00Z",
        "2026-03-14T10:60:00Z",
        "2026-03-14T10:30:60Z",
        "2026-03-14T10:30:00.Z",
        "2026-03-14T10:30:00.1234567890Z",
        "2026-03-14T10:30:00Zx",
        "2026-03-14T10:30:00+24:00",
        "2026-03-14T10:30:00+02",
        "2026-03-14T",
        "2026-03-14T10",
        "2026-03-14T10:3",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "-026-03-14T10:30:00Z",
        " 2026-03-14T10:30:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us;
        if (shf_time_parse(bad[i], strlen(bad[i]), &us)) fail_msg("%s", bad[i]);
    }
    int64_t us;
    assert_false(shf_time_parse("2026-03-14T10:30:00\0Z", 21, &us));
}

static void expect_epoch(const char *text, int64_t wanted) {
    int64_t us;
    assert_true(shf_time_parse_any(text, strlen(text), &us));
    assert_true(us == wanted);
}

static void test_epoch(void **state) {
    (void)state;
    int64_t us;
    expect_epoch("0", 0);
    expect_epoch("1773484200", INT64_C(1773484200000000));
    expect_epoch("1773484200.5", INT64_C(1773484200500000));
    expect_epoch("-1", -1000000);
    expect_epoch("1773484200123", INT64_C(1773484200123000)); /* milliseconds */
    expect_epoch("2026-03-14T10:30:00Z", INT64_C(1773484200000000));
    assert_false(shf_time_parse_any("1e9", 3, &us));
    assert_false(shf_time_parse_any("", 0, &us));
    assert_false(shf_time_parse_any("9999999999999999", 16, &us));
    assert_true(shf_time_from_number(1773484200.25, &us) && us == INT64_C(1773484200250000));
    assert_false(shf_time_from_number(__builtin_nan(""), &us));
    assert_false(shf_time_from_number(__builtin_inf(), &us));
}

static void test_directories(void **state) {
    (void)state;
    const char *name = "2026-11-22T07:27:37.717613Z_run_id=run-03-73", *run_id;
    size_t size;
    int64_t us;
    assert_true(shf_manifest_directory_parse(name, strlen(name), &us, &run_id, &size));
    assert_true(us == INT64_C(1795332457717613));
    assert_int_equal(size, 9);
    assert_memory_equal(run_id, "run-03-73", 9);
    static const char *const bad[] = {
        "2026-11-22T07:27:37.717613Z_run_id=",   "2026-11-22T07:27:37.717613Z_run_id=a/b",
        "2026-11-22T07:27:37.71761Z_run_id=abc", "2026-11-22T07:27:37Z_run_id=abcdefghij",
        "2026-11-22 07:27:37.717613Z_run_id=a",  "2026-13-22T07:27:37.717613Z_run_id=a",
        "2026-11-22T07:27:37.717613+_run_id=a",  "x2026-11-22T07:27:37.717613Z_run_id=a",
        "2026-11-22T07:27:37.717613Z_run-id=a",  "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (shf_manifest_directory_parse(bad[i], strlen(bad[i]), &us, &run_id, &size)) fail_msg("%s", bad[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates), cmocka_unit_test(test_no_dates),
                                       cmocka_unit_test(test_epoch), cmocka_unit_test(test_directories)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
