/* The URL, headers and signature of one attempt. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/s3_priv.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define MOST_SIGNED_HEADERS 5u

/* All of them encoded as they are sent and signed. */
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

static bool is_made(const struct target *target) {
    return !target->origin.failed && !target->host.failed && !target->path.failed && !target->query.failed;
}

/* The host, and the path down to the bucket. */
static void set_bucket(const struct shf_s3_call *call, struct target *target) {
    const struct shf_s3_config *config = &call->store->config;
    const char *bucket = call->store->bucket, *scheme = "https", *host = "", *prefix = "";
    char *aws = NULL;
    if (config->endpoint) {
        host = strstr(config->endpoint, "://") + 3;
        prefix = host + strcspn(host, "/");
        if (strncmp(config->endpoint, "http:", 5) == 0) scheme = "http";
    } else {
        aws = shf_s3_aws_host(call->region);
        if (aws) host = aws;
        if (!aws) target->host.failed = true;
    }
    if (config->virtual_host) shf_text_format(&target->host, "%s.", bucket);
    shf_text_add(&target->host, host, strcspn(host, "/"));
    shf_text_format(&target->origin, "%s://%s", scheme, target->host.data ? target->host.data : "");
    shf_sigv4_encode(&target->path, prefix, true);
    if (!config->virtual_host) shf_text_format(&target->path, "/%s", bucket);
    shf_free(aws);
}

/* Names of the query are sorted. */
static void set_step(const struct shf_s3_step *step, struct shf_text *query) {
    if (step->kind == SHF_S3_BEGIN) {
        shf_text_add_string(query, "uploads=");
        return;
    }
    if (step->kind == SHF_S3_PART) shf_text_format(query, "partNumber=%" PRIu32 "&", step->part);
    shf_text_add_string(query, "uploadId=");
    shf_sigv4_encode(query, step->upload_id, false);
}

static const char *method_of(const struct shf_s3_call *call) {
    if (shf_s3_call_is(call, SHF_S3_BEGIN) || shf_s3_call_is(call, SHF_S3_COMPLETE)) return "POST";
    switch (call->request->verb) {
    case SHF_STORE_HEAD: return "HEAD";
    case SHF_STORE_PUT: return "PUT";
    case SHF_STORE_DELETE: return "DELETE";
    default: return "GET";
    }
}

static void set_object(const struct shf_s3_call *call, struct target *target) {
    const struct shf_store_request *request = call->request;
    if (call->moved_path) {
        shf_text_free(&target->path);
        shf_text_add_string(&target->path, call->moved_path);
    } else if (request->verb != SHF_STORE_LIST) {
        shf_text_add_string(&target->path, "/");
        shf_sigv4_encode(&target->path, request->key, true);
    } else if (target->path.size == 0) {
        shf_text_add_string(&target->path, "/");
    }
    if (call->step) set_step(call->step, &target->query);
    if (request->verb != SHF_STORE_LIST) return;
    if (call->listing.continuation) {
        shf_text_add_string(&target->query, "continuation-token=");
        shf_sigv4_encode(&target->query, call->listing.continuation, false);
        shf_text_add_string(&target->query, "&");
    }
    shf_text_add_string(&target->query, "delimiter=%2F&encoding-type=url&list-type=2&prefix=");
    shf_sigv4_encode(&target->query, request->key, false);
}

static bool add_header(struct curl_slist **list, const char *name, const char *value) {
    struct shf_text line = {0};
    const char *const parts[] = {name, ": ", value};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) shf_text_add_string(&line, parts[i]);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.data);
    shf_text_free(&line);
    if (longer) *list = longer;
    return longer != NULL;
}

void shf_s3_forget_key(struct shf_s3_store *store) {
    shf_credentials_release(store->key_credentials);
    store->key_credentials = NULL;
    OPENSSL_cleanse(store->key, sizeof store->key);
}

/* The signing key of the day; NULL when OpenSSL fails. */
static const uint8_t *signing_key(const struct shf_s3_call *call, const char *time) {
    struct shf_s3_store *store = call->store;
    if (store->key_credentials == call->credentials && memcmp(store->key_date, time, sizeof store->key_date) == 0 &&
        strcmp(store->key_region, call->region) == 0) {
        return store->key;
    }
    shf_s3_forget_key(store);
    if (!shf_sigv4_derive_key(call->credentials->secret_access_key, time, call->region, "s3", store->key)) return NULL;
    store->key_credentials = shf_credentials_retain(call->credentials);
    memcpy(store->key_date, time, sizeof store->key_date);
    (void)snprintf(store->key_region, sizeof store->key_region, "%s", call->region);
    return store->key;
}

static const char *content_type_of(const struct shf_s3_call *call) {
    const char *given = call->request->content_type;
    if (call->request->verb != SHF_STORE_PUT || shf_s3_call_is(call, SHF_S3_PART)) return NULL;
    if (shf_s3_call_is(call, SHF_S3_COMPLETE)) return "application/xml";
    return given ? given : "application/octet-stream";
}

static bool add_put_headers(const struct shf_s3_call *call, struct curl_slist **list) {
    const struct shf_store_request *request = call->request;
    const char *type = content_type_of(call);
    bool ok = add_header(list, "Expect", ""); /* no asking for permission first: it costs a round trip */
    if (ok && type) ok = add_header(list, "Content-Type", type);
    if (ok && *call->content_md5) ok = add_header(list, "Content-MD5", call->content_md5);
    if (!ok || !shf_s3_put_is_conditional(call)) return ok;
    return *request->if_version ? add_header(list, "If-Match", request->if_version)
                                : add_header(list, "If-None-Match", "*");
}

static bool sign(const struct shf_s3_call *call, const struct target *target, struct curl_slist **list) {
    const struct shf_credentials *credentials = call->credentials;
    char time[SHF_SIGV4_TIME_BYTES];
    struct shf_text authorization = {0};
    shf_sigv4_time(shf_clock_wall_us(), time);
    const char *type = content_type_of(call),
               *payload = *call->payload_hash ? call->payload_hash : shf_sigv4_empty_payload;
    const struct shf_sigv4_header all[MOST_SIGNED_HEADERS] = {{"content-type", type},
                                                              {"host", target->host.data},
                                                              {"x-amz-content-sha256", payload},
                                                              {"x-amz-date", time},
                                                              {"x-amz-security-token", credentials->session_token}};
    const struct shf_sigv4_header *headers = type ? all : all + 1;
    const struct shf_sigv4_input input = {.method = method_of(call),
                                          .path = target->path.data,
                                          .query = target->query.data ? target->query.data : "",
                                          .headers = headers,
                                          .header_count = (type ? 4u : 3u) + (credentials->session_token ? 1u : 0u),
                                          .payload_hash = payload,
                                          .access_key_id = credentials->access_key_id,
                                          .region = call->region,
                                          .service = "s3",
                                          .time = time};
    const uint8_t *key = signing_key(call, time);
    bool ok = key && shf_sigv4_authorize(&input, key, &authorization);
    for (size_t i = 2; ok && i < 2 + (credentials->session_token ? 3u : 2u); i++) {
        ok = add_header(list, all[i].name, all[i].value);
    }
    ok = ok && add_header(list, "Authorization", authorization.data);
    shf_text_free(&authorization);
    return ok;
}

static bool make_headers(struct shf_s3_call *call, const struct target *target) {
    const struct shf_store_request *request = call->request;
    struct curl_slist *list = NULL;
    char range[64];
    bool ok = add_header(&list, "Host", target->host.data) && add_header(&list, "Accept-Encoding", "identity");
    if (ok && call->credentials) ok = sign(call, target, &list);
    if (ok && request->verb == SHF_STORE_GET && request->has_range) {
        (void)snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, request->range_offset,
                       request->range_offset + (request->range_size - 1));
        ok = add_header(&list, "Range", range);
    }
    if (ok && request->verb == SHF_STORE_GET && request->if_match)
        ok = add_header(&list, "If-Match", request->if_match);
    if (ok && request->verb == SHF_STORE_PUT) ok = add_put_headers(call, &list);
    call->http.headers = list; /* freed with the call, also on failure */
    return ok;
}

shf_status shf_s3_request_make(struct shf_s3_call *call, struct shf_error **error) {
    struct target target = {0};
    struct shf_text url = {0};
    curl_slist_free_all(call->http.headers);
    shf_free(call->url);
    call->url = NULL;
    call->http.headers = NULL;
    call->http.method = method_of(call);
    call->http.has_body = call->request->verb == SHF_STORE_PUT;
    call->http.body_size = call->source.size;
    set_bucket(call, &target);
    set_object(call, &target);
    bool ok = is_made(&target);
    if (ok) {
        const char *const parts[] = {target.origin.data, target.path.data, target.query.size ? "?" : "",
                                     target.query.size ? target.query.data : ""};
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) shf_text_add_string(&url, parts[i]);
        call->url = shf_text_take(&url);
    }
    ok = call->url && make_headers(call, &target);
    free_target(&target);
    call->http.url = call->url;
    return ok ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the request");
}

/* ---- redirects ---- */

static int hex(char c) {
    char lower = shf_ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* %XX becomes its byte. False for a broken escape, a control character, or a segment that would climb. */
static bool decode_path(const char *text, size_t size, struct shf_text *out) {
    for (size_t i = 0; i < size; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = i + 2 < size ? hex(text[i + 1]) : -1, low = high < 0 ? -1 : hex(text[i + 2]);
            if (low < 0) return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f) return false;
        const char byte = (char)c;
        shf_text_add(out, &byte, 1);
    }
    if (out->failed || !out->size) return false;
    for (const char *segment = out->data; segment; segment = strchr(segment, '/')) {
        segment += *segment == '/';
        size_t length = strcspn(segment, "/");
        if (length && length <= 2 && strspn(segment, ".") >= length) return false;
    }
    return true;
}

/* The place of the credentials' use never changes but within the bucket: the same scheme, host, port and bucket. */
char *shf_s3_moved_path(const struct shf_s3_call *call, const char *location) {
    struct target target = {0};
    struct shf_text decoded = {0}, encoded = {0};
    char *found = NULL;
    set_bucket(call, &target);
    if (!is_made(&target) || strncmp(location, target.origin.data, target.origin.size) != 0) goto done;
    const char *path = location + target.origin.size;
    if (*path != '/' || !decode_path(path, strcspn(path, "?#"), &decoded)) goto done;
    shf_sigv4_encode(&encoded, decoded.data, true);
    if (encoded.failed || strncmp(encoded.data, target.path.data ? target.path.data : "", target.path.size) != 0)
        goto done;
    if (encoded.data[target.path.size] != '/' && encoded.data[target.path.size] != '\0') goto done;
    found = shf_text_take(&encoded);
done:
    shf_text_free(&decoded);
    shf_text_free(&encoded);
    free_target(&target);
    return found;
}
