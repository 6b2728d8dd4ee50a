#include "io/s3_outcome.h"

#include "base/clock.h"

#include <stdio.h>
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

int64_t shf_s3_retry_after_ms(const char *header) {
    size_t digits = strspn(header, "0123456789");
    int64_t seconds = 0;
    if (digits && !header[digits]) {
        for (size_t i = 0; i < digits && seconds < LONGEST_RETRY_AFTER_S; i++)
            seconds = seconds * 10 + (header[i] - '0');
    } else if (*header) {
        time_t date = curl_getdate(header, NULL); /* knows no locale and keeps no state */
        if (date == -1) return 0;
        seconds = (int64_t)date - shf_clock_wall_us() / 1000000;
    }
    if (seconds < 0) return 0;
    return (seconds > LONGEST_RETRY_AFTER_S ? LONGEST_RETRY_AFTER_S : seconds) * 1000;
}

static bool is(const struct shf_s3_problem *problem, const char *code) { return strcmp(problem->code, code) == 0; }

/* A name only that can not lead to another's host, and not out of the part of AWS that the caller chose. */
static bool lies_elsewhere(const struct shf_s3_call *call, const struct shf_s3_problem *problem, char out[64]) {
    long http = call->http.http_status;
    const char *region = *call->http.bucket_region ? call->http.bucket_region : problem->region;
    if (http != 301 && http != 307 && http != 308 && http != 400 && http != 403) return false;
    bool same_part = (strncmp(region, "cn-", 3) == 0) == (strncmp(call->region, "cn-", 3) == 0);
    if (!shf_s3_region_is_plain(region) || !same_part || strcmp(region, call->region) == 0) return false;
    (void)snprintf(out, 64, "%s", region);
    return true;
}

/* versitygw says it with HTTP 404, which else would mean that nothing is there. */
static bool is_unknown_key_id(const struct shf_s3_problem *problem) {
    return is(problem, "InvalidAccessKeyId") || is(problem, "XAdminUserNotFound");
}

static const char *judge_access(const struct shf_s3_call *call, const struct shf_s3_problem *problem) {
    if (is(problem, "RequestTimeTooSkewed")) return "the clocks of this machine and of the server differ; set this one";
    if (is_unknown_key_id(problem)) return "the server does not know the access key id";
    if (is(problem, "SignatureDoesNotMatch")) return "check the secret access key";
    if (is(problem, "InvalidToken")) return "check the session token";
    return call->request->verb == SHF_STORE_PUT      ? "check that the credentials may write"
           : call->request->verb == SHF_STORE_DELETE ? "check that the credentials may delete"
                                                     : "check the credentials and what they may read";
}

/* The server verified the body and found another, or not all of it. */
static bool is_damaged(const struct shf_s3_problem *problem) {
    return is(problem, "BadDigest") || is(problem, "XAmzContentSHA256Mismatch") || is(problem, "IncompleteBody");
}

static bool names_condition(const struct shf_s3_problem *problem) {
    static const char *const names[] = {"If-Match", "If-None-Match", "if-match", "if-none-match"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strstr(problem->header, names[i]) || strstr(problem->message, names[i])) return true;
    }
    return false;
}

/* What only requests that write are told; NULL: nothing of the kind. */
static const char *judge_write(const struct shf_s3_call *call, long http, const struct shf_s3_problem *problem,
                               struct shf_s3_outcome *out) {
    bool is_conditional = shf_s3_put_is_conditional(call);
    out->status = SHF_E_STORE;
    if (is_conditional && (http == 501 || (http == 400 && names_condition(problem)))) {
        out->is_condition_unknown = true;
        return "the server knows no conditions";
    }
    if (http == 501) return "the server does not know such a request";
    if (http == 409 && shf_s3_call_is(call, SHF_S3_COMPLETE)) { /* the parts are of no use any more */
        out->status = SHF_E_STORE_RETRY;
        return "another request got in between; write it anew";
    }
    if ((http == 409 && (is(problem, "ConditionalRequestConflict") || is(problem, "OperationAborted"))) ||
        (http == 400 && is_damaged(problem))) {
        out->status = SHF_E_STORE_RETRY;
        out->is_retryable = true;
        return http == 409 ? "another request got in between" : "the server received something else than was sent";
    }
    if (http == 412 || (is_conditional && http == 404 && is(problem, "NoSuchKey"))) {
        return shf_s3_call_was_sent_again(call)
                   ? "the object is not what it was, or an attempt before this one wrote it"
               : http == 412 && call->request->if_version && !*call->request->if_version
                   ? "there is an object already"
                   : "the object is not what it was: its ETag differs";
    }
    if (http == 404 && is(problem, "NoSuchUpload")) {
        out->status = SHF_E_STORE_RETRY;
        return "the server does not know the upload any more; write it anew";
    }
    return NULL;
}

/* Status code, and what a person can do about it. */
static const char *judge(const struct shf_s3_call *call, long http, const struct shf_s3_problem *problem,
                         struct shf_s3_outcome *out) {
    bool writes = call->request->verb == SHF_STORE_PUT || call->request->verb == SHF_STORE_DELETE;
    if (is(problem, "ExpiredToken") || is(problem, "TokenRefreshRequired") || is(problem, "ExpiredTokenException")) {
        out->status = SHF_E_ACCESS;
        out->is_expired = true;
        return "the credentials have expired; give fresh ones";
    }
    const char *advice = writes ? judge_write(call, http, problem, out) : NULL;
    if (advice) return advice;
    if (http == 408 || http == 429 || (http >= 500 && http < 600) || is(problem, "RequestTimeout") ||
        is(problem, "SlowDown")) {
        out->status = SHF_E_STORE_RETRY;
        out->is_retryable = true;
        return "the server failed for now";
    }
    out->status = SHF_E_STORE;
    if (lies_elsewhere(call, problem, out->other_region)) return "the bucket lies in another region; set region to ";
    if (http == 401 || http == 403 || is(problem, "InvalidToken") || is_unknown_key_id(problem)) {
        out->status = SHF_E_ACCESS;
        return judge_access(call, problem);
    }
    if (http == 404) {
        out->status = SHF_E_NOT_FOUND;
        return is(problem, "NoSuchBucket") || writes   ? "there is no such bucket"
               : call->request->verb == SHF_STORE_LIST ? "there is no such bucket, or the endpoint is another's"
               : call->request->verb == SHF_STORE_HEAD ? "there is no such object, or no such bucket"
                                                       : "there is no such object";
    }
    if (http >= 300 && http < 400)
        return "it points elsewhere, which is not followed; check endpoint_url, region and addressing";
    if (http == 412) return "the object is not what it was: its ETag differs";
    if (http == 416) return "the object is shorter than the range that was asked for";
    return "the request was refused; check endpoint_url, region and addressing";
}

static const char *verb_of(const struct shf_s3_call *call) {
    static const char *const steps[] = {"PUT", "PUT (beginning)", "PUT (part)", "PUT (completion)", "PUT"};
    switch (call->request->verb) {
    case SHF_STORE_HEAD: return "HEAD";
    case SHF_STORE_LIST: return "LIST";
    case SHF_STORE_DELETE: return call->step ? "DELETE (upload)" : "DELETE";
    case SHF_STORE_PUT: return call->step ? steps[call->step->kind] : "PUT";
    default: return "GET";
    }
}

static void transport_failed(const struct shf_s3_call *call, struct shf_s3_outcome *out) {
    out->status = call->http.status;
    out->is_retryable = call->http.status == SHF_E_STORE_RETRY;
    const char *endpoint = call->store->config.endpoint;
    if (out->status == SHF_E_STORE) {
        (void)shf_error_set(&out->error, out->status, "%s %s: %s; check endpoint_url and ca_bundle", verb_of(call),
                            call->object_url, call->http.problem);
    } else if (out->is_retryable) {
        (void)shf_error_set(&out->error, out->status, "%s %s: %s (endpoint %s)", verb_of(call), call->object_url,
                            call->http.problem, endpoint ? endpoint : "of AWS");
    } else {
        (void)shf_error_set(&out->error, out->status, "%s %s: %s", verb_of(call), call->object_url, call->http.problem);
    }
}

/* By its first bytes: what came after them may have been cut. */
static bool repeats(const char *text, const char *secret) {
    char beginning[17];
    if (!secret) return false;
    (void)snprintf(beginning, sizeof beginning, "%s", secret);
    return strstr(text, beginning) != NULL;
}

/* A server that repeats what we sent must not get a secret into a log. */
static bool tells_secret(const char *text, const struct shf_credentials *credentials) {
    return repeats(text, credentials->secret_access_key) || repeats(text, credentials->session_token) ||
           strstr(text, "AWS4-HMAC");
}

static void hide_secrets(const struct shf_s3_call *call, struct shf_s3_problem *problem) {
    if (!call->credentials) return;
    if (tells_secret(problem->code, call->credentials)) problem->code[0] = '\0';
    if (tells_secret(problem->message, call->credentials))
        (void)snprintf(problem->message, sizeof problem->message, "(hidden)");
}

/* S3 begins to answer a completion before it knows how that ends: HTTP 200, and then an error in the body. */
static bool is_completed(const struct shf_s3_call *call) {
    struct shf_s3_upload_answer answer;
    return shf_s3_upload_answer_parse(call->text.size ? call->text.data : "", call->text.size, &answer) == SHF_OK &&
           answer.is_complete;
}

/* The HTTP status that the code in such a body has elsewhere. What is no error body at all was cut, or is not S3's. */
static long meant_status(const struct shf_s3_problem *problem) {
    static const struct {
        const char *code;
        long http;
    } known[] = {{"", 500},
                 {"InternalError", 500},
                 {"SlowDown", 503},
                 {"ServiceUnavailable", 503},
                 {"RequestTimeout", 408},
                 {"PreconditionFailed", 412},
                 {"ConditionalRequestConflict", 409},
                 {"OperationAborted", 409},
                 {"NotImplemented", 501},
                 {"AccessDenied", 403},
                 {"NoSuchUpload", 404},
                 {"NoSuchKey", 404},
                 {"NoSuchBucket", 404}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (is(problem, known[i].code)) return known[i].http;
    }
    return 400;
}

void shf_s3_outcome_of(const struct shf_s3_call *call, struct shf_s3_outcome *out) {
    struct shf_s3_problem problem = {"", "", "", ""};
    long http = call->http.http_status;
    memset(out, 0, sizeof *out);
    if (call->http.status) {
        transport_failed(call, out);
        return;
    }
    bool completes = call->sink == SHF_S3_SINK_ANSWER && shf_s3_call_is(call, SHF_S3_COMPLETE);
    if (call->sink != SHF_S3_SINK_PROBLEM && !completes) return;
    shf_s3_problem_parse(call->text.size ? call->text.data : "", call->text.size, &problem);
    if (completes) {
        if (is_completed(call)) return;
        http = meant_status(&problem);
    }
    /* What is not there needs not to be deleted. */
    if (call->request->verb == SHF_STORE_DELETE && http == 404 && !is(&problem, "NoSuchBucket") &&
        !is_unknown_key_id(&problem)) {
        return;
    }
    hide_secrets(call, &problem);
    const char *advice = judge(call, http, &problem, out);
    char said[sizeof problem.code + sizeof problem.message + 8] = "";
    if (*problem.code) (void)snprintf(said, sizeof said, " %s (%s)", problem.code, problem.message);
    (void)shf_error_set(&out->error, out->status, "%s %s: HTTP %ld%s: %s%s", verb_of(call), call->object_url,
                        call->http.http_status, said, advice, out->other_region);
    bool is_condition = shf_s3_put_is_conditional(call) && http == 404 && is(&problem, "NoSuchKey");
    shf_error_set_http_status(out->error, is_condition ? 412 : (int32_t)http);
    out->retry_after_ms = shf_s3_retry_after_ms(call->http.retry_after);
}
