/* The URL, headers and signature of one attempt. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/s3_priv.h"
#include "io/sigv4.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_SIGNED_HEADERS 4u

struct target {
    struct shf_text origin; /* scheme://host[:port] */
    struct shf_text host;
    struct shf_text path, query;
};

static void free_target(struct target *target) {
    shf_text_free(&target->origin);
    shf_text_free(&target->host);
    shf_text_free(&target->path);
    shf_text_free(&target->query);
}

static void set_origin(const struct shf_s3_call *call, struct target *target) {
    const struct shf_s3_config *config = &call->store->config;
    const char *bucket = call->store->bucket;
    const char *scheme = "https", *host, *prefix = "";
    struct shf_text aws = {0};
    size_t host_size;
    if (config->endpoint) {
        scheme = strncmp(config->endpoint, "https:", 6) == 0 ? "https" : "http";
        host = strstr(config->endpoint, "://") + 3;
        host_size = strcspn(host, "/");
        prefix = host + host_size;
    } else {
        shf_text_format(&aws, "s3.%s.amazonaws.com", call->region);
        host = aws.data ? aws.data : "";
        host_size = strlen(host);
    }
    if (config->virtual_host) shf_text_format(&target->host, "%s.", bucket);
    shf_text_add(&target->host, host, host_size);
    shf_text_format(&target->origin, "%s://%s", scheme, target->host.data ? target->host.data : "");
    shf_sigv4_encode(&target->path, prefix, true);
    if (!config->virtual_host) shf_text_format(&target->path, "/%s", bucket);
    if (aws.failed) target->host.failed = true;
    shf_text_free(&aws);
}

static void set_path(const struct shf_s3_call *call, struct target *target) {
    const struct shf_store_request *request = call->request;
    if (request->verb != SHF_STORE_LIST) {
        shf_text_add_string(&target->path, "/");
        shf_sigv4_encode(&target->path, request->key, true);
        return;
    }
    if (target->path.size == 0) shf_text_add_string(&target->path, "/");
    if (call->page.continuation) {
        shf_text_add_string(&target->query, "continuation-token=");
        shf_sigv4_encode(&target->query, call->page.continuation, false);
        shf_text_add_string(&target->query, "&");
    }
    shf_text_add_string(&target->query, "delimiter=%2F&encoding-type=url&list-type=2&prefix=");
    shf_sigv4_encode(&target->query, request->key, false);
}

static bool add_header(struct curl_slist **list, const char *name, const char *value) {
    struct shf_text line = {0};
    shf_text_format(&line, "%s: %s", name, value);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.data);
    shf_text_free(&line);
    if (longer) *list = longer;
    return longer != NULL;
}

static bool sign(const struct shf_s3_call *call, const struct target *target, struct curl_slist **list) {
    const struct shf_credentials *credentials = call->credentials;
    char date_time[17];
    struct shf_text authorization = {0};
    shf_sigv4_date_time(shf_clock_wall_us(), date_time);
    const struct shf_sigv4_header headers[MOST_SIGNED_HEADERS] = {{"host", target->host.data},
                                                                  {"x-amz-content-sha256", shf_sigv4_empty_payload},
                                                                  {"x-amz-date", date_time},
                                                                  {"x-amz-security-token", credentials->session_token}};
    const struct shf_sigv4_input input = {.method = call->http.method,
                                          .path = target->path.data,
                                          .query = target->query.data ? target->query.data : "",
                                          .headers = headers,
                                          .header_count = credentials->session_token ? 4 : 3,
                                          .payload_hash = shf_sigv4_empty_payload,
                                          .access_key_id = credentials->access_key_id,
                                          .secret_access_key = credentials->secret_access_key,
                                          .region = call->region,
                                          .service = "s3",
                                          .date_time = date_time};
    bool ok = shf_sigv4_authorization(&input, &authorization);
    for (size_t i = 1; ok && i < input.header_count; i++) ok = add_header(list, headers[i].name, headers[i].value);
    ok = ok && add_header(list, "Authorization", authorization.data);
    shf_text_free(&authorization);
    return ok;
}

static bool make_headers(struct shf_s3_call *call, const struct target *target) {
    const struct shf_store_request *request = call->request;
    struct curl_slist *list = NULL;
    char range[64];
    bool ok = add_header(&list, "Host", target->host.data);
    if (ok && call->credentials) ok = sign(call, target, &list);
    if (ok && request->verb == SHF_STORE_GET && request->has_range) {
        (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, request->range_offset,
                       request->range_offset + request->range_size - 1);
        ok = add_header(&list, "Range", range);
    }
    if (ok && request->verb == SHF_STORE_GET && request->if_match) ok = add_header(&list, "If-Match", request->if_match);
    call->http.headers = list; /* freed with the call, also on failure */
    return ok;
}

shf_status shf_s3_request_make(struct shf_s3_call *call, struct shf_error **error) {
    struct target target = {0};
    struct shf_text url = {0};
    curl_slist_free_all(call->http.headers);
    shf_free(call->url);
    call->http.headers = NULL;
    call->http.method = call->request->verb == SHF_STORE_HEAD ? "HEAD" : "GET";
    set_origin(call, &target);
    set_path(call, &target);
    bool ok = !target.origin.failed && !target.host.failed && !target.path.failed && !target.query.failed;
    if (ok) {
        shf_text_format(&url, "%s%s%s%s", target.origin.data, target.path.data, target.query.size ? "?" : "",
                        target.query.size ? target.query.data : "");
    }
    call->url = ok ? shf_text_take(&url) : NULL;
    ok = call->url && make_headers(call, &target);
    free_target(&target);
    call->http.url = call->url;
    return ok ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a request to %s", call->object_url);
}
