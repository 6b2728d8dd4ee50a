/* Redirects, regions and listings: where the next request of a call goes. */
#include "s3_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE(inner) "<ListBucketResult>" inner "</ListBucketResult>"

static void expect_line(struct s3_test *test, unsigned n, const char *line) {
    const char *request = scripted_server_request(test->server, n);
    if (strncmp(request, line, strlen(line)) != 0) fail_msg("%s: %.200s", line, request);
}

static const struct scripted_answer ok = {.status = 200, .body = "hello"};

/* In the same bucket: followed once, signed anew. */
static void test_a_redirect_in_the_bucket(void **state) {
    (void)state;
    struct s3_test test;
    struct support_call call;
    s3_begin(&test, &ok, 1);
    char *headers = support_path("Location: %s/bucket/other/k%%65y+1?x=y\r\n", test.endpoint);
    const struct scripted_answer script[] = {{.status = 307, .headers = headers}, ok};
    scripted_server_script(test.server, script, 2);
    s3_open(&test);
    s3_expect_body((s3_get(&test, &call), &call), "hello");
    assert_int_equal(scripted_server_requests(test.server), 2);
    expect_line(&test, 1, "GET /bucket/other/key%2B1 HTTP/1.1\r\n");
    char *first = s3_header(scripted_server_request(test.server, 0), "authorization");
    char *second = s3_header(scripted_server_request(test.server, 1), "authorization");
    assert_true(first && second);
    assert_string_not_equal(first, second);
    free(first);
    free(second);
    support_call_clear(&call);
    /* Again and again: one is followed, the next is an error. */
    scripted_server_script(test.server, script, 1);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE, "HTTP 307: it points elsewhere");
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    free(headers);
    s3_end(&test);
}

/* Credentials never go to another host, scheme, port or bucket. */
static void test_redirects_that_are_refused(void **state) {
    (void)state;
    static const char *const elsewhere[] = {
        "http://127.0.0.2:%d/bucket/key",
        "https://127.0.0.1:%d/bucket/key",
        "http://127.0.0.1:%d0/bucket/key",
        "http://127.0.0.1:%d/other/key",
        "http://127.0.0.1:%d/bucket2/key",
        "http://127.0.0.1:%d@evil.example/bucket/key",
        "http://user@127.0.0.1:%d/bucket/key",
        "http://127.0.0.1:%d/bucket/../other/key",
        "http://127.0.0.1:%d/bucket/%%2e%%2e/other/key",
        "http://127.0.0.1:%d/bucket/%%2E./x",
        "http://127.0.0.1:%d/bucket/a%%0ab",
        "http://127.0.0.1:%d/bucket/a%%zz",
        "http://127.0.0.1:%d/bucket/a%%4",
        "http://127.0.0.1:%d/",
        "//evil.example/bucket/key%d",
    };
    for (size_t i = 0; i < SUPPORT_COUNT(elsewhere); i++) {
        struct s3_test test;
        struct support_call call;
        char location[256], headers[300];
        s3_begin(&test, &ok, 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(location, sizeof location, elsewhere[i], scripted_server_port(test.server));
#pragma GCC diagnostic pop
        (void)snprintf(headers, sizeof headers, "Location: %s\r\n", location);
        const struct scripted_answer script[] = {{.status = 301, .headers = headers}, ok};
        scripted_server_script(test.server, script, 2);
        s3_open(&test);
        (void)s3_get(&test, &call);
        if (!call.request.status) fail_msg("followed %s: %s", location, scripted_server_request(test.server, 1));
        support_expect_failure(&call, SHF_E_STORE, "HTTP 301");
        assert_int_equal(scripted_server_requests(test.server), 1);
        support_call_clear(&call);
        s3_end(&test);
    }
}

/* A relative one stays on the host. */
static void test_a_relative_redirect(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{.status = 302, .headers = "Location: /bucket/b\r\n"},
                                                    {.status = 200, .body = "hello"}};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, script, 2);
    s3_expect_body((s3_get(&test, &call), &call), "hello");
    expect_line(&test, 1, "GET /bucket/b HTTP/1.1\r\n");
    support_call_clear(&call);
    s3_end(&test);
}

static void test_a_bucket_in_another_region(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{.status = 301,
                                                     .headers = "x-amz-bucket-region: eu-west-1\r\n",
                                                     .body = "<Error><Code>PermanentRedirect</Code></Error>"},
                                                    {.status = 503},
                                                    {.status = 200, .body = "hello"}};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, script, 3);
    s3_expect_body((s3_get(&test, &call), &call), "hello");
    for (unsigned i = 0; i < 3; i++) { /* also the attempt after the next failure */
        char *authorization = s3_header(scripted_server_request(test.server, i), "authorization");
        assert_non_null(strstr(authorization, i ? "/eu-west-1/s3/" : "/us-east-1/s3/"));
        free(authorization);
    }
    support_call_clear(&call);
    /* Sent on and on: once only, and the message names the region. */
    static const struct scripted_answer hither_and_thither[] = {
        {.status = 400, .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"},
        {.status = 400, .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-2</Region></Error>"}};
    scripted_server_script(test.server, hither_and_thither, 2);
    (void)s3_get(&test, &call);
    support_expect_failure(&call, SHF_E_STORE, "set region to eu-west-2");
    assert_int_equal(scripted_server_requests(test.server), 2);
    support_call_clear(&call);
    s3_end(&test);
}

static void test_a_listing_of_three_pages(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {.status = 200,
         .body = PAGE("<Contents><ETag>&quot;b&quot;</ETag><Key>p/b</Key></Contents><IsTruncated>true</IsTruncated>"
                      "<NextContinuationToken>1/+=&amp;</NextContinuationToken>")},
        {.status = 503},
        {.status = 200,
         .body = PAGE("<EncodingType>url</EncodingType><Contents><Key>p/a%2Bc</Key><ETag>%2B+</ETag></Contents>"
                      "<IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken>")},
        {.status = 200, .body = PAGE("<CommonPrefixes><Prefix>p/s/</Prefix></CommonPrefixes>")}};
    struct s3_test test;
    struct support_call call;
    s3_start(&test, script, 4);
    support_call_init(&call, SHF_STORE_LIST, "p/");
    call.request.max_bytes = 0;
    call.request.wants_versions = true;
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    assert_int_equal(call.request.name_count, 3);
    assert_string_equal(call.request.names[0], "a+c");
    assert_string_equal(call.request.names[1], "b");
    assert_string_equal(call.request.names[2], "s/");
    assert_string_equal(call.request.versions[0], "\"%2B+\"");
    assert_string_equal(call.request.versions[1], "\"b\"");
    assert_null(call.request.versions[2]);
    expect_line(&test, 0, "GET /bucket?delimiter=%2F&encoding-type=url&list-type=2&prefix=p%2F HTTP/1.1\r\n");
    expect_line(&test, 2,
                "GET /bucket?continuation-token=1%2F%2B%3D%26&delimiter=%2F&encoding-type=url&list-type=2&prefix=p%2F "
                "HTTP/1.1\r\n");
    expect_line(&test, 3, "GET /bucket?continuation-token=2&delimiter=");
    support_call_clear(&call);
    s3_end(&test);
}

static void test_listings_that_are_none(void **state) {
    (void)state;
    static const struct {
        struct scripted_answer answer;
        shf_status status;
        const char *part;
    } cases[] = {
        {{.status = 200, .body = "<html/>"}, SHF_E_STORE, "s3://bucket/p/: the answer is no S3 listing"},
        {{.status = 200, .body = ""}, SHF_E_STORE, "no S3 listing"},
        {{.status = 200, .body = PAGE("<IsTruncated>true</IsTruncated>")}, SHF_E_STORE, "names no next page"},
        {{.status = 200, .body = PAGE("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")},
         SHF_E_STORE,
         "names no next page"}, /* the same page for ever */
        {{.status = 200, .body = PAGE("<Contents><Key>q/x</Key><ETag>e</ETag></Contents>")},
         SHF_E_STORE,
         "not directly below the prefix"},
        {{.status = 404, .body = "<Error><Code>NoSuchBucket</Code></Error>"}, SHF_E_NOT_FOUND, "no such bucket"},
        {{.status = 403}, SHF_E_ACCESS, "LIST s3://bucket/p/"},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct s3_test test;
        struct support_call call;
        s3_start(&test, &cases[i].answer, 1);
        support_call_init(&call, SHF_STORE_LIST, "p/");
        call.request.wants_versions = true;
        (void)support_ask(test.store, &call);
        support_expect_failure(&call, cases[i].status, cases[i].part);
        assert_int_equal(call.request.name_count, 0);
        assert_null(call.request.names);
        assert_null(call.request.versions);
        support_call_clear(&call);
        s3_end(&test);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_redirect_in_the_bucket), cmocka_unit_test(test_redirects_that_are_refused),
        cmocka_unit_test(test_a_relative_redirect),      cmocka_unit_test(test_a_bucket_in_another_region),
        cmocka_unit_test(test_a_listing_of_three_pages), cmocka_unit_test(test_listings_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
