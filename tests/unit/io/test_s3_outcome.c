/* What answers mean: final or worth another attempt, how long to wait, and what is said about them. */
#include "support.h"

#include "base/clock.h"
#include "io/s3_outcome.h"

#include <stdio.h>
#include <string.h>

#define SECRET "hush-secret-key-0123456789"
#define TOKEN "hush-session-token-0123456789"

static struct shf_s3_store store;
static struct shf_store_request request;
static struct shf_credentials credentials = {.secret_access_key = (char *)SECRET, .session_token = (char *)TOKEN};

static int64_t wall_us;
static uint32_t random_word;
static int64_t fake_wall(void) { return wall_us; }
static bool fake_random(void *out, size_t size) {
    memcpy(out, &random_word, size);
    return random_word != 7;
}

static int begin(void **state) {
    (void)state;
    static const struct shf_clock_seam seam = {.wall_us = fake_wall, .random_bytes = fake_random};
    shf_clock_set_seam(&seam);
    wall_us = INT64_C(1795521600) * 1000000; /* 2026-11-24T12:00:00Z */
    random_word = 0;
    memset(&store, 0, sizeof store);
    memset(&request, 0, sizeof request);
    request.verb = SHF_STORE_GET;
    return 0;
}

static int end(void **state) {
    (void)state;
    shf_clock_set_seam(NULL);
    return 0;
}

/* An answer with an error body. */
static struct shf_s3_call answer(long http_status, const char *body) {
    struct shf_s3_call call = {.store = &store, .request = &request, .credentials = &credentials};
    call.http.http_status = http_status;
    call.object_url = (char *)"s3://bucket/key";
    call.sink = SHF_S3_SINK_PROBLEM;
    (void)snprintf(call.region, sizeof call.region, "us-east-1");
    shf_text_add_string(&call.text, body);
    return call;
}

static struct shf_s3_outcome judge(struct shf_s3_call *call) {
    struct shf_s3_outcome outcome;
    memset(&outcome, 0x55, sizeof outcome);
    shf_s3_outcome_of(call, &outcome);
    shf_text_free(&call->text);
    assert_int_equal(shf_error_code(outcome.error), outcome.status);
    assert_int_equal(outcome.error != NULL, outcome.status != SHF_OK);
    return outcome;
}

#define CODE(code) "<Error><Code>" code "</Code><Message>why</Message></Error>"

static const struct {
    long http;
    const char *body;
    shf_status status;
    bool is_retryable, is_expired;
    const char *part;
} answers[] = {
    {301, "", SHF_E_STORE, false, false, "points elsewhere"},
    {302, "", SHF_E_STORE, false, false, "points elsewhere"},
    {304, "", SHF_E_STORE, false, false, "points elsewhere"},
    {307, CODE("TemporaryRedirect"), SHF_E_STORE, false, false, "points elsewhere"},
    {400, CODE("InvalidRequest"), SHF_E_STORE, false, false, "InvalidRequest (why): the request was refused"},
    {400, CODE("RequestTimeout"), SHF_E_STORE_RETRY, true, false, "RequestTimeout"},
    {400, CODE("ExpiredToken"), SHF_E_ACCESS, false, true, "have expired"},
    {403, CODE("ExpiredToken"), SHF_E_ACCESS, false, true, "have expired"},
    {400, CODE("TokenRefreshRequired"), SHF_E_ACCESS, false, true, "have expired"},
    {400, CODE("InvalidToken"), SHF_E_ACCESS, false, false, "check the session token"},
    {400, CODE("SlowDown"), SHF_E_STORE_RETRY, true, false, "SlowDown"},
    {401, "", SHF_E_ACCESS, false, false, "check the credentials"},
    {403, "", SHF_E_ACCESS, false, false, "check the credentials"},
    {403, CODE("AccessDenied"), SHF_E_ACCESS, false, false, "AccessDenied (why): check the credentials"},
    {403, CODE("InvalidAccessKeyId"), SHF_E_ACCESS, false, false, "does not know the access key"},
    {403, CODE("SignatureDoesNotMatch"), SHF_E_ACCESS, false, false, "check the secret access key"},
    {403, CODE("RequestTimeTooSkewed"), SHF_E_ACCESS, false, false, "clocks"},
    {404, "", SHF_E_NOT_FOUND, false, false, "no such object"},
    {404, CODE("NoSuchKey"), SHF_E_NOT_FOUND, false, false, "NoSuchKey (why): there is no such object"},
    {404, CODE("NoSuchBucket"), SHF_E_NOT_FOUND, false, false, "no such bucket"},
    {405, "", SHF_E_STORE, false, false, "refused"},
    {408, "", SHF_E_STORE_RETRY, true, false, "for now"},
    {409, "", SHF_E_STORE, false, false, "refused"},
    {412, CODE("PreconditionFailed"), SHF_E_STORE, false, false, "ETag differs"},
    {416, CODE("InvalidRange"), SHF_E_STORE, false, false, "shorter than the range"},
    {429, "", SHF_E_STORE_RETRY, true, false, "for now"},
    {500, CODE("InternalError"), SHF_E_STORE_RETRY, true, false, "InternalError"},
    {502, "<html>Bad Gateway</html>", SHF_E_STORE_RETRY, true, false, "HTTP 502: the server"},
    {503, CODE("SlowDown"), SHF_E_STORE_RETRY, true, false, "SlowDown"},
    {504, "", SHF_E_STORE_RETRY, true, false, "for now"},
    {599, "", SHF_E_STORE_RETRY, true, false, "for now"},
    {600, "", SHF_E_STORE, false, false, "refused"},
};

static void test_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < SUPPORT_COUNT(answers); i++) {
        struct shf_s3_call call = answer(answers[i].http, answers[i].body);
        struct shf_s3_outcome outcome = judge(&call);
        if (outcome.status != answers[i].status || outcome.is_retryable != answers[i].is_retryable ||
            outcome.is_expired != answers[i].is_expired) {
            fail_msg("HTTP %ld %s: status %d", answers[i].http, answers[i].body, outcome.status);
        }
        assert_int_equal(shf_error_http_status(outcome.error), answers[i].http);
        assert_non_null(strstr(shf_error_message(outcome.error), "GET s3://bucket/key: HTTP "));
        support_expect_error(outcome.error, answers[i].status, answers[i].part);
    }
}

static void test_success(void **state) {
    (void)state;
    static const long statuses[] = {200, 206};
    for (size_t i = 0; i < SUPPORT_COUNT(statuses); i++) {
        struct shf_s3_call call = answer(statuses[i], "");
        call.sink = SHF_S3_SINK_MEMORY;
        assert_int_equal(judge(&call).status, SHF_OK);
    }
}

static void test_verbs(void **state) {
    (void)state;
    request.verb = SHF_STORE_HEAD;
    struct shf_s3_call call = answer(404, "");
    support_expect_error(judge(&call).error, SHF_E_NOT_FOUND,
                         "HEAD s3://bucket/key: HTTP 404: there is no such object, or");
    request.verb = SHF_STORE_LIST;
    call = answer(404, "");
    support_expect_error(judge(&call).error, SHF_E_NOT_FOUND, "LIST s3://bucket/key: HTTP 404: there is no such bucket");
}

static void test_what_went_wrong_on_the_way(void **state) {
    (void)state;
    static const struct {
        shf_status status;
        bool is_retryable;
        const char *part;
    } cases[] = {{SHF_E_STORE_RETRY, true, "GET s3://bucket/key: it broke (endpoint of AWS)"},
                 {SHF_E_STORE, false, "it broke; check endpoint_url and ca_bundle"},
                 {SHF_E_DEADLINE, false, "GET s3://bucket/key: it broke"},
                 {SHF_E_CANCELLED, false, "it broke"},
                 {SHF_E_NO_MEMORY, false, "it broke"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_s3_call call = answer(200, "");
        call.http.status = cases[i].status;
        (void)snprintf(call.http.problem, sizeof call.http.problem, "it broke");
        struct shf_s3_outcome outcome = judge(&call);
        assert_int_equal(outcome.is_retryable, cases[i].is_retryable);
        support_expect_error(outcome.error, cases[i].status, cases[i].part);
    }
    store.config.endpoint = (char *)"http://h:1";
    struct shf_s3_call call = answer(0, "");
    call.http.status = SHF_E_STORE_RETRY;
    support_expect_error(judge(&call).error, SHF_E_STORE_RETRY, "(endpoint http://h:1)");
}

/* Where a bucket lies: only names that can not lead to another's host. */
static void test_regions(void **state) {
    (void)state;
    static const struct {
        long http;
        const char *header, *body, *region;
    } cases[] = {
        {301, "eu-west-1", "", "eu-west-1"},
        {307, "eu-west-1", "", "eu-west-1"},
        {308, "eu-west-1", "", "eu-west-1"},
        {400, "", "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-2</Region></Error>", "eu-west-2"},
        {403, "eu-west-1", "<Error><Region>eu-west-2</Region></Error>", "eu-west-1"},
        {404, "eu-west-1", "", ""},
        {500, "eu-west-1", "", ""},
        {301, "us-east-1", "", ""}, /* that is where it was looked for */
        {301, "", "", ""},
        {301, "cn-north-1", "", ""}, /* another part of AWS */
        {301, "evil.example/x", "", ""},
        {301, "eu@evil", "", ""},
        {301, "EU-WEST-1", "", ""},
        {301, "-eu", "", ""},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        struct shf_s3_call call = answer(cases[i].http, cases[i].body);
        (void)snprintf(call.http.bucket_region, sizeof call.http.bucket_region, "%s", cases[i].header);
        struct shf_s3_outcome outcome = judge(&call);
        assert_string_equal(outcome.other_region, cases[i].region);
        if (*cases[i].region) assert_non_null(strstr(shf_error_message(outcome.error), cases[i].region));
        shf_error_free(outcome.error);
    }
}

/* A server that repeats what it was sent. */
static void test_secrets_are_hidden(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "<Error><Code>X</Code><Message>you sent " SECRET "</Message></Error>",
        "<Error><Code>X</Code><Message>token " TOKEN " is bad</Message></Error>",
        "<Error><Code>X</Code><Message>AWS4-HMAC-SHA256 Credential=hush</Message></Error>",
        "<Error><Code>" SECRET "</Code><Message>m</Message></Error>",
        "<Error><Code>" TOKEN "</Code><Message>m</Message></Error>",
    };
    for (size_t i = 0; i < SUPPORT_COUNT(bodies); i++) {
        struct shf_s3_call call = answer(403, bodies[i]);
        struct shf_s3_outcome outcome = judge(&call);
        if (strstr(shf_error_message(outcome.error), "hush")) fail_msg("%s", shf_error_message(outcome.error));
        support_expect_error(outcome.error, SHF_E_ACCESS, "HTTP 403");
    }
    struct shf_s3_call call = answer(403, CODE("AccessDenied")); /* and what is harmless is told */
    support_expect_error(judge(&call).error, SHF_E_ACCESS, "AccessDenied (why)");
}

static void test_retry_after(void **state) {
    (void)state;
    static const struct {
        const char *header;
        int64_t ms;
    } cases[] = {{"", 0},
                 {"0", 0},
                 {"7", 7000},
                 {"300", 300000},
                 {"301", 300000},
                 {"99999999999999999999999999", 300000},
                 {"-1", 0},
                 {"7s", 0},
                 {"soon", 0},
                 {"Tue, 24 Nov 2026 12:00:09 GMT", 9000},
                 {"Tue, 24 Nov 2026 11:59:59 GMT", 0}, /* past */
                 {"Tue, 24 Nov 2026 13:00:00 GMT", 300000},
                 {"Tuesday, 24-Nov-26 12:00:05 GMT", 5000}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        if (shf_s3_retry_after_ms(cases[i].header) != cases[i].ms) {
            fail_msg("%s: %lld", cases[i].header, (long long)shf_s3_retry_after_ms(cases[i].header));
        }
    }
    struct shf_s3_call call = answer(503, "");
    (void)snprintf(call.http.retry_after, sizeof call.http.retry_after, "2");
    struct shf_s3_outcome outcome = judge(&call);
    assert_int_equal(outcome.retry_after_ms, 2000);
    shf_error_free(outcome.error);
}

static void test_pauses(void **state) {
    (void)state;
    static const struct {
        uint32_t attempts;
        int64_t most;
    } cases[] = {{1, 200}, {2, 400}, {3, 800}, {4, 1600}, {5, 3200}, {6, 4000}, {7, 4000}, {100, 4000}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        random_word = 0;
        assert_int_equal(shf_s3_pause_ms(cases[i].attempts, 0), 0);
        assert_int_equal(shf_s3_pause_ms(cases[i].attempts, 5000), 5000);
        random_word = UINT32_MAX / 2;
        assert_in_range(shf_s3_pause_ms(cases[i].attempts, 0), cases[i].most / 2 - 1, cases[i].most / 2);
        random_word = UINT32_MAX;
        assert_int_equal(shf_s3_pause_ms(cases[i].attempts, 0), cases[i].most);
        assert_int_equal(shf_s3_pause_ms(cases[i].attempts, 100), cases[i].most);
        random_word = 7; /* no randomness: the longest */
        assert_int_equal(shf_s3_pause_ms(cases[i].attempts, 0), cases[i].most);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_answers),     TEST(test_success),
        TEST(test_verbs),       TEST(test_what_went_wrong_on_the_way),
        TEST(test_regions),     TEST(test_secrets_are_hidden),
        TEST(test_retry_after), TEST(test_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
