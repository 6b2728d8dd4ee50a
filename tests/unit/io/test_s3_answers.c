/* What an S3 store asks, and which answers it takes for what was asked. */
#include "s3_support.h"

#include "io/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_header(const char *request, const char *name, const char *expected) {
    char *value = s3_header(request, name);
    if (!expected) assert_null(value);
    if (expected) {
        assert_non_null(value);
        assert_string_equal(value, expected);
    }
    free(value);
}

/* Signs what arrived once more, from the headers that arrived. */
static void expect_signature(const char *request, const char *path, const char *query, const char *token) {
    char *host = s3_header(request, "host"), *time = s3_header(request, "x-amz-date");
    char *authorization = s3_header(request, "authorization");
    assert_true(host && time && authorization);
    const struct shf_sigv4_header headers[] = {{"host", host},
                                               {"x-amz-content-sha256", shf_sigv4_empty_payload},
                                               {"x-amz-date", time},
                                               {"x-amz-security-token", token}};
    const struct shf_sigv4_input input = {.method = strncmp(request, "HEAD", 4) == 0 ? "HEAD" : "GET",
                                          .path = path,
                                          .query = query,
                                          .headers = headers,
                                          .header_count = token ? 4 : 3,
                                          .payload_hash = shf_sigv4_empty_payload,
                                          .access_key_id = "AKIDEXAMPLE",
                                          .region = "us-east-1",
                                          .service = "s3",
                                          .time = time};
    uint8_t key[SHF_SIGV4_KEY_BYTES];
    struct shf_text expected = {0};
    assert_true(shf_sigv4_derive_key("hush-secret", time, "us-east-1", "s3", key));
    assert_true(shf_sigv4_authorize(&input, key, &expected));
    assert_string_equal(authorization, expected.data);
    expect_header(request, "x-amz-content-sha256", shf_sigv4_empty_payload);
    expect_header(request, "x-amz-security-token", token);
    shf_text_free(&expected);
    free(host);
    free(time);
    free(authorization);
}

static const struct scripted_answer ok = {.status = 200, .body = "hello"};

static void test_a_signed_request(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &ok, 1);
    support_call_init(&call, SHF_STORE_GET, "a=b/c:d+e@f,g h/\xc3\xa9%.db");
    call.request.if_match = "\"etag\"";
    s3_expect_body((support_ask(test.store, &call), &call), "hello");
    const char *request = scripted_server_request(test.server, 0);
    static const char path[] = "/bucket/a%3Db/c%3Ad%2Be%40f%2Cg%20h/%C3%A9%25.db";
    char *line = support_path("GET %s HTTP/1.1\r\n", path);
    assert_int_equal(strncmp(request, line, strlen(line)), 0);
    expect_header(request, "host", test.endpoint + strlen("http://"));
    expect_header(request, "if-match", "\"etag\"");
    expect_header(request, "range", NULL);
    expect_header(request, "accept-encoding", "identity");
    expect_signature(request, path, "", NULL);
    assert_null(strstr(request, "hush"));
    free(line);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_a_session_token(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    test.options.session_token = "tok/en==";
    s3_open(&test);
    assert_int_equal(s3_get(&test, &call), SHF_OK);
    expect_signature(scripted_server_request(test.server, 0), "/bucket/key", "", "tok/en==");
    support_call_clear(&call);
    s3_end(&test);
}

static void test_anonymous(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    test.options.anonymous = 1;
    s3_open(&test);
    assert_int_equal(s3_get(&test, &call), SHF_OK);
    expect_header(scripted_server_request(test.server, 0), "authorization", NULL);
    expect_header(scripted_server_request(test.server, 0), "x-amz-date", NULL);
    support_call_clear(&call);
    s3_end(&test);
}

/* The bucket in the host name, and an endpoint with a path. */
static void test_addressing(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    char *endpoint = support_path("http://localhost:%d/some/path/", scripted_server_port(test.server));
    char *host = support_path("bucket.localhost:%d", scripted_server_port(test.server));
    test.options.endpoint_url = endpoint;
    test.options.addressing = SHF_ADDRESSING_VIRTUAL;
    s3_open(&test);
    assert_int_equal(s3_get(&test, &call), SHF_OK);
    const char *request = scripted_server_request(test.server, 0);
    assert_int_equal(strncmp(request, "GET /some/path/key ", 19), 0);
    expect_header(request, "host", host);
    expect_signature(request, "/some/path/key", "", NULL);
    assert_non_null(strstr(test.store->endpoint, "localhost"));
    assert_string_equal(test.store->root_url, "s3://bucket");
    support_call_clear(&call);
    free(endpoint);
    free(host);
    s3_end(&test);
}

static void test_head(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {.status = 200, .declared = 12345678901, .headers = "ETag: \"abc-2\"\r\n"},
        {.status = 200, .declared = SCRIPTED_NO_LENGTH}};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, script, 2);
    support_call_init(&call, SHF_STORE_HEAD, "key");
    call.request.max_bytes = 0;
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    assert_true(call.request.object_size == 12345678901);
    assert_string_equal(call.request.etag, "\"abc-2\"");
    assert_null(call.request.body);
    expect_signature(scripted_server_request(test.server, 0), "/bucket/key", "", NULL);
    support_call_clear(&call);
    support_call_init(&call, SHF_STORE_HEAD, "key");
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_STORE, "does not tell its size");
    support_call_clear(&call);
    s3_end(&test);
}

/* Answers to a request for bytes 10 to 14. */
static const struct {
    struct scripted_answer answer;
    shf_status status;
    const char *part; /* of the message, or the body */
} ranges[] = {
    {{.status = 206, .headers = "Content-Range: bytes 10-14/100\r\n", .body = "hello"}, SHF_OK, "hello"},
    {{.status = 206, .headers = "content-range:  bytes 10-14/15 \r\n", .body = "hello"}, SHF_OK, "hello"},
    {{.status = 206,
      .headers = "Content-Range: bytes 10-14/100\r\nTransfer-Encoding: chunked\r\n",
      .body = "5\r\nhello\r\n0\r\n\r\n",
      .declared = SCRIPTED_NO_LENGTH},
     SHF_OK,
     "hello"},
    {{.status = 200, .body = "hello"}, SHF_E_STORE, "does not know ranges"},
    {{.status = 206, .body = "hello"}, SHF_E_STORE, "the server sent \"\""},
    {{.status = 206, .headers = "Content-Range: bytes 11-15/100\r\n", .body = "hello"},
     SHF_E_STORE,
     "sent \"bytes 11-15/100\""},
    {{.status = 206, .headers = "Content-Range: bytes 0-4/100\r\n", .body = "hello"},
     SHF_E_STORE,
     "asked for bytes 10 to 14"},
    {{.status = 206, .headers = "Content-Range: bytes 10-15/100\r\n", .body = "hello!"},
     SHF_E_STORE,
     "asked for bytes 10 to 14"},
    {{.status = 206, .headers = "Content-Range: bytes 10-12/13\r\n", .body = "abc"},
     SHF_E_STORE,
     "has 13 bytes: it is shorter than the range"},
    {{.status = 206, .headers = "Content-Range: bytes 10-14/14\r\n", .body = "hello"}, SHF_E_STORE, "asked for bytes"},
    {{.status = 206, .headers = "Content-Range: bytes 10-14/*\r\n", .body = "hello"}, SHF_E_STORE, "asked for bytes"},
    {{.status = 206, .headers = "Content-Range: bytes 10-14/100x\r\n", .body = "hello"}, SHF_E_STORE, "asked for bytes"},
    {{.status = 206, .headers = "Content-Range: bytes 18446744073709551626-14/100\r\n", .body = "hello"},
     SHF_E_STORE,
     "asked for bytes"},
    {{.status = 206, .headers = "Content-Range: items 10-14/100\r\n", .body = "hello"}, SHF_E_STORE, "asked for bytes"},
    {{.status = 206, .headers = "Content-Range: bytes 10-14/100\r\n", .body = "hello!"},
     SHF_E_STORE,
     "sent 6 bytes for a range of 5"},
    {{.status = 206, .headers = "Content-Range: bytes 10-14/100\r\n", .body = "hell"},
     SHF_E_STORE,
     "sent 4 bytes for a range of 5"},
    {{.status = 206,
      .headers = "Content-Range: bytes 10-14/100\r\nTransfer-Encoding: chunked\r\n",
      .body = "6\r\nhello!\r\n0\r\n\r\n",
      .declared = SCRIPTED_NO_LENGTH},
     SHF_E_STORE,
     "more bytes than were asked for"},
    {{.status = 206,
      .headers = "Content-Range: bytes 10-14/100\r\nTransfer-Encoding: chunked\r\n",
      .body = "4\r\nhell\r\n0\r\n\r\n",
      .declared = SCRIPTED_NO_LENGTH},
     SHF_E_STORE,
     "sent 4 of 5 bytes"},
    {{.status = 416, .body = "<Error><Code>InvalidRange</Code></Error>"}, SHF_E_STORE, "shorter than the range"},
};

static void test_ranges(void **state) {
    (void)state;
    for (size_t i = 0; i < SUPPORT_COUNT(ranges); i++) {
        struct s3_test test;
        struct support_call call;
        s3_start(&test, &ranges[i].answer, 1);
        support_call_init(&call, SHF_STORE_GET, "key");
        call.request.has_range = true;
        call.request.range_offset = 10;
        call.request.range_size = 5;
        call.request.max_bytes = 5;
        (void)support_ask(test.store, &call);
        expect_header(scripted_server_request(test.server, 0), "range", "bytes=10-14");
        assert_int_equal(scripted_server_requests(test.server), 1); /* none of them is worth another attempt */
        if (ranges[i].status == SHF_OK) {
            s3_expect_body(&call, ranges[i].part);
            assert_true(call.request.object_size == (i == 1 ? 15u : 100u));
        } else {
            support_expect_failure(&call, ranges[i].status, ranges[i].part);
        }
        support_call_clear(&call);
        s3_end(&test);
    }
}

static void test_whole_objects(void **state) {
    (void)state;
    static const struct {
        struct scripted_answer answer;
        shf_status status;
        const char *part;
    } cases[] = {
        {{.status = 200, .body = "hello"}, SHF_OK, "hello"},
        {{.status = 200, .body = ""}, SHF_OK, ""},
        {{.status = 206, .headers = "Content-Range: bytes 0-4/5\r\n", .body = "hello"},
         SHF_E_STORE,
         "unexpected HTTP status 206"},
        {{.status = 200, .body = "hello!"}, SHF_E_LIMIT, "has 6 bytes, at most 5"},
        {{.status = 200, .body = "x", .declared = 5000000000}, SHF_E_LIMIT, "has 5000000000 bytes, at most 5"},
        {{.status = 200, .body = "hello", .declared = SCRIPTED_NO_LENGTH, .end = SCRIPTED_CLOSE},
         SHF_E_STORE,
         "does not tell its size"},
        {{.status = 200,
          .headers = "Transfer-Encoding: chunked\r\n",
          .body = "5\r\nhello\r\n0\r\n\r\n",
          .declared = SCRIPTED_NO_LENGTH},
         SHF_E_STORE,
         "does not tell its size"},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct s3_test test;
        struct support_call call;
        s3_start(&test, &cases[i].answer, 1);
        support_call_init(&call, SHF_STORE_GET, "key");
        call.request.max_bytes = 5;
        (void)support_ask(test.store, &call);
        if (cases[i].status == SHF_OK) {
            s3_expect_body(&call, cases[i].part);
            assert_int_equal(call.request.object_size, strlen(cases[i].part));
            assert_false(call.request.has_md5);
            assert_null(call.request.etag);
        } else {
            support_expect_failure(&call, cases[i].status, cases[i].part);
        }
        assert_int_equal(scripted_server_requests(test.server), 1);
        support_call_clear(&call);
        s3_end(&test);
    }
}

static void test_etags(void **state) {
    (void)state;
    static char long_etag[512];
    (void)snprintf(long_etag, sizeof long_etag, "ETag: \"%0300d\"\r\n", 0);
    const struct {
        const char *headers, *etag;
    } cases[] = {{"ETag: \"a\"\r\n", "\"a\""},
                 {"etag:W/\"a\" \r\n", "W/\"a\""},
                 {"ETAG:\t\"b c\"\t\r\n", "\"b c\""},
                 {long_etag, NULL},
                 {"X-ETag: \"a\"\r\n", NULL}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        const struct scripted_answer answer = {.status = 200, .headers = cases[i].headers, .body = "x"};
        struct s3_test test;
        struct support_call call;
        s3_start(&test, &answer, 1);
        assert_int_equal(s3_get(&test, &call), SHF_OK);
        if (cases[i].etag) {
            assert_string_equal(call.request.etag, cases[i].etag);
        } else {
            assert_null(call.request.etag);
        }
        support_call_clear(&call);
        s3_end(&test);
    }
}

static void test_if_match_fails(void **state) {
    (void)state;
    static const struct scripted_answer answer = {.status = 412,
                                                  .body = "<Error><Code>PreconditionFailed</Code></Error>"};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, &answer, 1);
    support_call_init(&call, SHF_STORE_GET, "key");
    call.request.if_match = "\"old\"";
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_STORE, "its ETag differs");
    assert_int_equal(shf_error_http_status(call.request.error), 412);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_what_can_not_be_asked(void **state) {
    (void)state;
    static const struct {
        struct shf_store_request request;
        shf_status status;
        const char *part;
    } cases[] = {
        {{.verb = SHF_STORE_GET, .key = ""}, SHF_E_INVALID, "name of an object"},
        {{.verb = SHF_STORE_HEAD, .key = "/k"}, SHF_E_INVALID, "name of an object"},
        {{.verb = SHF_STORE_LIST, .key = "k"}, SHF_E_INVALID, "does not end in a slash"},
        {{.verb = SHF_STORE_GET, .key = "k", .has_range = true}, SHF_E_INVALID, "range is empty"},
        {{.verb = SHF_STORE_GET, .key = "k", .has_range = true, .range_offset = UINT64_MAX, .range_size = 2},
         SHF_E_INVALID,
         "has no end"},
        {{.verb = SHF_STORE_GET, .key = "k", .has_range = true, .range_size = 6, .max_bytes = 5},
         SHF_E_LIMIT,
         "more than the 5"},
    };
    struct s3_test test;
    s3_start(&test, &ok, 1);
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct support_call call;
        support_call_init(&call, cases[i].request.verb, cases[i].request.key);
        call.request.has_range = cases[i].request.has_range;
        call.request.range_offset = cases[i].request.range_offset;
        call.request.range_size = cases[i].request.range_size;
        call.request.max_bytes = cases[i].request.max_bytes;
        (void)support_ask(test.store, &call);
        support_expect_failure(&call, cases[i].status, cases[i].part);
        support_call_clear(&call);
    }
    assert_int_equal(scripted_server_requests(test.server), 0);
    s3_end(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signed_request),
        cmocka_unit_test(test_a_session_token),
        cmocka_unit_test(test_anonymous),
        cmocka_unit_test(test_addressing),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_whole_objects),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_if_match_fails),
        cmocka_unit_test(test_what_can_not_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
