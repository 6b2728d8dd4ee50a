#include "io/s3_outcome.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PAUSE_MS 200
#define LONGEST_PAUSE_MS 4000
#define LONGEST_RETRY_AFTER_S 300

int64_t shf_s3_pause_ms(uint32_t attempts, int64_t retry_after_ms) {
    int64_t most = FIRST_PAUSE_MS;
    for (uint32_t i = 1; i < attempts && most < LONGEST_PAUSE_MS; i++) most *= 2;
    if (most > LONGEST_PAUSE_MS) most = LONGEST_PAUSE_MS;
    uint32_t random = 0;
    if (!shf_random_bytes(&random, sizeof random)) random = UINT32_MAX; /* no randomness: the longest pause */
    int64_t pause = most * (int64_t)random / UINT32_MAX;
    return pause > retry_after_ms ? pause : retry_after_ms;
}

/* Seconds only: S3 sends no dates. */
static int64_t read_retry_after(const char *text) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6 || text[digits]) return 0;
    long seconds = strtol(text, NULL, 10);
    return (seconds > LONGEST_RETRY_AFTER_S ? LONGEST_RETRY_AFTER_S : seconds) * INT64_C(1000);
}

static bool is(const struct shf_s3_problem *problem, const char *code) { return strcmp(problem->code, code) == 0; }

/* Status code, and what a person can do about it. */
static const char *judge(const struct shf_s3_call *call, const struct shf_s3_problem *problem, struct shf_s3_outcome *out) {
    long http = call->http.http_status;
    if (is(problem, "ExpiredToken") || is(problem, "TokenRefreshRequired") || is(problem, "ExpiredTokenException")) {
        out->status = SHF_E_ACCESS;
        out->is_expired = true;
        return "the credentials have expired";
    }
    if ((http == 301 || http == 307 || http == 308 || http == 400) && *call->http.bucket_region &&
        strcmp(call->http.bucket_region, call->region) != 0) {
        out->status = SHF_E_STORE;
        out->is_other_region = true;
        return "the bucket lies in another region; set region";
    }
    if (http == 408 || http == 429 || http >= 500 || is(problem, "RequestTimeout") || is(problem, "SlowDown")) {
        out->status = SHF_E_STORE_RETRY;
        out->is_retryable = true;
        return "the server failed for now";
    }
    if (http == 401 || http == 403) {
        out->status = SHF_E_ACCESS;
        return "check the credentials and what they may read";
    }
    if (http == 404) {
        out->status = SHF_E_NOT_FOUND;
        return is(problem, "NoSuchBucket") ? "there is no such bucket" : "there is no such object";
    }
    out->status = SHF_E_STORE;
    if (http >= 300 && http < 400) return "redirects are not followed; check endpoint_url, region and addressing";
    if (http == 412) return "the object is another one than it was a moment ago";
    if (http == 416) return "the object is shorter than the range that was asked for";
    return "the request was refused";
}

static void transport_failed(const struct shf_s3_call *call, struct shf_s3_outcome *out) {
    out->status = call->http.status;
    out->is_retryable = call->http.status == SHF_E_STORE_RETRY;
    const char *hint = out->is_retryable ? "; is the endpoint right and the server up?" : "";
    (void)shf_error_set(&out->error, out->status, "%s %s: %s%s", call->http.method, call->object_url, call->http.problem, hint);
}

void shf_s3_outcome_of(const struct shf_s3_call *call, struct shf_s3_outcome *out) {
    struct shf_s3_problem problem = {"", ""};
    memset(out, 0, sizeof *out);
    if (call->http.status) {
        transport_failed(call, out);
        return;
    }
    if (call->sink != SHF_S3_SINK_PROBLEM) return;
    shf_s3_problem_parse(call->text.size ? call->text.data : "", call->text.size, &problem);
    const char *advice = judge(call, &problem, out);
    char said[sizeof problem.code + sizeof problem.message + 8] = "";
    if (*problem.code) (void)snprintf(said, sizeof said, " %s (%s)", problem.code, problem.message);
    if (out->is_other_region) {
        (void)shf_error_set(&out->error, out->status, "%s %s: HTTP %ld%s: %s %s", call->http.method, call->object_url,
                            call->http.http_status, said, advice, call->http.bucket_region);
    } else {
        (void)shf_error_set(&out->error, out->status, "%s %s: HTTP %ld%s: %s", call->http.method, call->object_url,
                            call->http.http_status, said, advice);
    }
    shf_error_set_http_status(out->error, (int32_t)call->http.http_status);
    out->retry_after_ms = read_retry_after(call->http.retry_after);
}
