/*
 * Signatures against the published ones: the examples of the S3 API reference ("Signature Calculations for the
 * Authorization Header") and the AWS Signature Version 4 test suite.
 */
#include "support.h"

#include "io/sigv4.h"

#include <stdlib.h>
#include <string.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* The account of the S3 reference's examples. */
static const char s3_id[] = "AKIAIOSFODNN7EXAMPLE", s3_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/* That of the test suite. */
static const char suite_id[] = "AKIDEXAMPLE", suite_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

static void expect(const struct shf_sigv4_input *input, const char *secret, const char *authorization) {
    uint8_t key[SHF_SIGV4_KEY_BYTES];
    struct shf_text out = {0};
    assert_true(shf_sigv4_derive_key(secret, input->time, input->region, input->service, key));
    assert_true(shf_sigv4_authorize(input, key, &out));
    assert_string_equal(out.data, authorization);
    shf_text_free(&out);
}

static struct shf_sigv4_input s3_input(const char *path, const char *query, const struct shf_sigv4_header *headers,
                                       size_t count) {
    return (struct shf_sigv4_input){.method = "GET",
                                    .path = path,
                                    .query = query,
                                    .headers = headers,
                                    .header_count = count,
                                    .payload_hash = shf_sigv4_empty_payload,
                                    .access_key_id = s3_id,
                                    .region = "us-east-1",
                                    .service = "s3",
                                    .time = "20130524T000000Z"};
}

static void test_s3_get_object_with_range(void **state) {
    (void)state;
    const struct shf_sigv4_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
                                               {"range", "bytes=0-9"},
                                               {"x-amz-content-sha256", EMPTY},
                                               {"x-amz-date", "20130524T000000Z"}};
    const struct shf_sigv4_input input = s3_input("/test.txt", "", headers, 4);
    expect(&input, s3_secret,
           "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
           "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
           "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_s3_queries(void **state) {
    (void)state;
    static const struct {
        const char *query, *signature;
    } cases[] = {{"lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
                 {"max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"}};
    const struct shf_sigv4_header headers[] = {
        {"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", EMPTY}, {"x-amz-date", "20130524T000000Z"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        const struct shf_sigv4_input input = s3_input("/", cases[i].query, headers, 3);
        char *expected =
            support_path("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                         "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s",
                         cases[i].signature);
        expect(&input, s3_secret, expected);
        free(expected);
    }
}

/* The key of the example, "test$file.text", goes through our own encoding. */
static void test_s3_put_object(void **state) {
    (void)state;
    static const char payload[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    const struct shf_sigv4_header headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                               {"host", "examplebucket.s3.amazonaws.com"},
                                               {"x-amz-content-sha256", payload},
                                               {"x-amz-date", "20130524T000000Z"},
                                               {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    struct shf_text path = {0};
    shf_sigv4_encode(&path, "/test$file.text", true);
    struct shf_sigv4_input input = s3_input(path.data, "", headers, 5);
    input.method = "PUT";
    input.payload_hash = payload;
    expect(&input, s3_secret,
           "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
           "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, "
           "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    shf_text_free(&path);
}

static void test_the_suite(void **state) {
    (void)state;
    static const struct {
        const char *path, *query, *signature;
    } cases[] = {{"/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"}, /* get-vanilla */
                 /* get-vanilla-query-order-key-case */
                 {"/", "Param1=value1&Param2=value2", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
                 {"/\xe1\x88\xb4", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"}, /* get-utf8 */
                 /* get-unreserved */
                 {"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
                  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"}};
    const struct shf_sigv4_header headers[] = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_text path = {0};
        shf_sigv4_encode(&path, cases[i].path, true);
        const struct shf_sigv4_input input = {.method = "GET",
                                              .path = path.data,
                                              .query = cases[i].query,
                                              .headers = headers,
                                              .header_count = 2,
                                              .payload_hash = shf_sigv4_empty_payload,
                                              .access_key_id = suite_id,
                                              .region = "us-east-1",
                                              .service = "service",
                                              .time = "20150830T123600Z"};
        char *expected =
            support_path("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                         "SignedHeaders=host;x-amz-date, Signature=%s",
                         cases[i].signature);
        expect(&input, suite_secret, expected);
        free(expected);
        shf_text_free(&path);
    }
}

/* "Deriving the signing key", the examples with their dates. */
static void test_derived_keys(void **state) {
    (void)state;
    static const struct {
        const char *time, *key;
    } cases[] = {{"20120215T000000Z", "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"},
                 {"20150830T123600Z", "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        uint8_t key[SHF_SIGV4_KEY_BYTES];
        char text[2 * sizeof key + 1];
        assert_true(shf_sigv4_derive_key(suite_secret, cases[i].time, "us-east-1", "iam", key));
        shf_hex_encode(key, sizeof key, text);
        assert_string_equal(text, cases[i].key);
    }
}

/* The reference has no example with a session token; this one is checked against itself: it must be signed. */
static void test_a_session_token_is_signed(void **state) {
    (void)state;
    struct shf_sigv4_header headers[] = {{"host", "b.s3.amazonaws.com"},
                                         {"x-amz-content-sha256", EMPTY},
                                         {"x-amz-date", "20130524T000000Z"},
                                         {"x-amz-security-token", "one"}};
    const struct shf_sigv4_input input = s3_input("/k", "", headers, 4);
    uint8_t key[SHF_SIGV4_KEY_BYTES];
    struct shf_text one = {0}, other = {0};
    assert_true(shf_sigv4_derive_key(s3_secret, input.time, input.region, input.service, key));
    assert_true(shf_sigv4_authorize(&input, key, &one));
    headers[3].value = "two";
    assert_true(shf_sigv4_authorize(&input, key, &other));
    assert_non_null(strstr(one.data, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
    assert_string_not_equal(one.data, other.data);
    assert_null(strstr(one.data, "one")); /* the token itself is not in the header's value */
    shf_text_free(&one);
    shf_text_free(&other);
}

static void test_encoding(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool keep_slashes;
        const char *encoded;
    } cases[] = {{"shards/db_id=00001/a.db", true, "shards/db_id%3D00001/a.db"},
                 {"shards/db_id=00001/a.db", false, "shards%2Fdb_id%3D00001%2Fa.db"},
                 {"a:b+c@d,e f", true, "a%3Ab%2Bc%40d%2Ce%20f"},
                 {"100%25 done?#&;", true, "100%2525%20done%3F%23%26%3B"},
                 {"stra\xc3\x9f"
                  "e/\xe6\x97\xa5\xe6\x9c\xac",
                  true, "stra%C3%9Fe/%E6%97%A5%E6%9C%AC"},
                 {"\x01\x7f\xff", true, "%01%7F%FF"},
                 {"//a//./..", true, "//a//./.."},
                 {"AZaz09-._~", false, "AZaz09-._~"},
                 {"!*'()", true, "%21%2A%27%28%29"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_text out = {0};
        shf_sigv4_encode(&out, cases[i].text, cases[i].keep_slashes);
        assert_false(out.failed);
        assert_string_equal(out.data, cases[i].encoded);
        shf_text_free(&out);
    }
    struct shf_text empty = {0};
    shf_sigv4_encode(&empty, "", true);
    assert_int_equal(empty.size, 0);
    shf_text_free(&empty);
}

static void test_times(void **state) {
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "19700101T000000Z"},
                 {INT64_C(1440938160000000), "20150830T123600Z"},
                 {INT64_C(1440938160999999), "20150830T123600Z"},
                 {INT64_C(1709210096000000), "20240229T123456Z"},
                 {INT64_C(253402300800) * 1000000, "19700101T000000Z"}, /* the year 10000 does not fit */
                 {INT64_MAX, "19700101T000000Z"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        char text[SHF_SIGV4_TIME_BYTES];
        shf_sigv4_time(cases[i].us, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s3_get_object_with_range),
        cmocka_unit_test(test_s3_queries),
        cmocka_unit_test(test_s3_put_object),
        cmocka_unit_test(test_the_suite),
        cmocka_unit_test(test_derived_keys),
        cmocka_unit_test(test_a_session_token_is_signed),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
