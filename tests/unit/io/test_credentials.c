/* What a credential_process prints, and sets of credentials. Renewal is tested with the store: test_s3_credentials.c. */
#include "support.h"

#include "base/clock.h"
#include "io/credentials.h"

#include <stdio.h>
#include <string.h>

#define KEYS "\"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"hush/+=\""

static struct shf_credentials *parse_good(const char *json) {
    struct shf_credentials *made = NULL;
    struct shf_error *error = NULL;
    if (shf_credentials_parse(json, strlen(json), &made, &error)) fail_msg("%s: %s", json, shf_error_message(error));
    return made;
}

static void expect_refused(const char *json, size_t size) {
    struct shf_credentials *made = NULL;
    struct shf_error *error = NULL;
    if (shf_credentials_parse(json, size, &made, &error) != SHF_E_ACCESS) fail_msg("accepted: %s", json);
    assert_null(made);
    assert_null(strstr(shf_error_message(error), "hush"));
    support_expect_error(error, SHF_E_ACCESS, "not JSON with Version 1");
}

static void test_good(void **state) {
    (void)state;
    struct shf_credentials *c = parse_good("{\"Version\": 1, " KEYS "}\n");
    assert_string_equal(c->access_key_id, "AKID");
    assert_string_equal(c->secret_access_key, "hush/+=");
    assert_null(c->session_token);
    assert_true(c->expires_at_us == INT64_MAX);
    shf_credentials_release(c);
    c = parse_good("{" KEYS ", \"Other\": [1, {}], \"SessionToken\": \"tok==\", \"Version\": 1,"
                   "\"Expiration\": \"2026-11-24T12:00:00Z\"}");
    assert_string_equal(c->session_token, "tok==");
    assert_true(c->expires_at_us == INT64_C(1795521600000000));
    struct shf_credentials *same = shf_credentials_retain(c);
    shf_credentials_release(c);
    assert_string_equal(same->access_key_id, "AKID"); /* still held */
    shf_credentials_release(same);
    shf_credentials_release(NULL);
    c = parse_good("{\"Version\": 1, " KEYS ", \"SessionToken\": \"\"}");
    assert_null(c->session_token);
    shf_credentials_release(c);
}

static void test_times(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2026-11-24T12:00:00.123456789Z", 1795521600},
                {"2026-11-24t12:00:00z", 1795521600},
                {"2026-11-24 12:00:00+00:00", 1795521600},
                {"2026-11-24T14:30:00+02:30", 1795521600},
                {"2026-11-24T14:30:00+0230", 1795521600},
                {"2026-11-24T04:00:00-08:00", 1795521600},
                {"2024-02-29T23:59:60Z", 1709251200},
                {"9999-12-31T23:59:59Z", INT64_C(253402300799)}};
    static const char *const bad[] = {"",
                                      "2026-11-24",
                                      "2026-11-24T12:00:00",
                                      "2026-11-24T12:00:00Zx",
                                      "2026-13-24T12:00:00Z",
                                      "2026-11-32T12:00:00Z",
                                      "2026-11-24T24:00:00Z",
                                      "2026-11-24T12:60:00Z",
                                      "2026-11-24T12:00:61Z",
                                      "26-11-24T12:00:00Z",
                                      "2026-11-24T12:00:00+2:00",
                                      "2026-11-24T12:00:00+24:00",
                                      "2026-11-24T12:00:00+00:60",
                                      " 2026-11-24T12:00:00Z",
                                      "1795521600"};
    for (size_t i = 0; i < SUPPORT_COUNT(good); i++) {
        char json[256];
        (void)snprintf(json, sizeof json, "{\"Version\": 1, " KEYS ", \"Expiration\": \"%s\"}", good[i].text);
        struct shf_credentials *c = parse_good(json);
        assert_true(c->expires_at_us == good[i].seconds * 1000000);
        shf_credentials_release(c);
    }
    for (size_t i = 0; i < SUPPORT_COUNT(bad); i++) {
        char json[256];
        (void)snprintf(json, sizeof json, "{\"Version\": 1, " KEYS ", \"Expiration\": \"%s\"}", bad[i]);
        expect_refused(json, strlen(json));
    }
}

static void test_bad(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "\"hush\"",
        "{" KEYS "}",
        "{\"Version\": 2, " KEYS "}",
        "{\"Version\": \"1\", " KEYS "}",
        "{\"Version\": 1.0, " KEYS "}",
        "{\"Version\": 1, \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"AKID\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"\", \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"AKID\", \"SecretAccessKey\": \"\"}",
        "{\"Version\": 1, \"AccessKeyId\": 7, \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"AK\\r\\nX-Evil: 1\", \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"A K\", \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, \"AccessKeyId\": \"A\\u00e9\", \"SecretAccessKey\": \"hush\"}",
        "{\"Version\": 1, " KEYS ", \"SessionToken\": \"hush\\nX-Evil: 1\"}",
        "{\"Version\": 1, " KEYS ", \"Version\": 1}",
        "{\"Version\": 1, " KEYS "} trailing",
        "{\"Version\": 1, " KEYS,
        "{\"version\": 1, \"accessKeyId\": \"AKID\", \"secretAccessKey\": \"hush\"}",
        "\xef\xbb\xbf{\"Version\": 1, " KEYS "}",
    };
    for (size_t i = 0; i < SUPPORT_COUNT(texts); i++) expect_refused(texts[i], strlen(texts[i]));
    static const char with_nul[] = "{\"Version\": 1, " KEYS "}\0";
    expect_refused(with_nul, sizeof with_nul);
    static const char escaped_nul[] =
        "{\"Version\": 1, \"AccessKeyId\": \"AK\\u0000ID\", \"SecretAccessKey\": \"hush\"}";
    expect_refused(escaped_nul, strlen(escaped_nul));
}

/* Of the wrong kind: not taken for absent, since a token that is left out makes every request fail without a word. */
static void test_fields_of_the_wrong_kind(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"Version\": 1, " KEYS ", \"SessionToken\": 7}",
                                        "{\"Version\": 1, " KEYS ", \"Expiration\": 1795521600}",
                                        "{\"Version\": 1, " KEYS ", \"Expiration\": {}}"};
    for (size_t i = 0; i < SUPPORT_COUNT(texts); i++) expect_refused(texts[i], strlen(texts[i]));
    shf_credentials_release(parse_good("{\"Version\": 1, " KEYS ", \"SessionToken\": null, \"Expiration\": null}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_fields_of_the_wrong_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
