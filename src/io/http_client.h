/*
 * HTTP on the runtime's loop: libcurl's multi interface driven by libuv. One client a runtime, made at the first
 * request; connections are kept and reused, at most SHF_HTTP_CONNECTIONS at a time, further requests wait in order.
 * Loop thread only. Redirects are never followed here.
 */
#ifndef SHF_IO_HTTP_CLIENT_H
#define SHF_IO_HTTP_CLIENT_H

#include "base/cancel.h"
#include "base/error.h"
#include "rt/runtime.h"

#include <curl/curl.h>

#define SHF_HTTP_CONNECTIONS 64u
#define SHF_HTTP_HEADER_BYTES 1024u /* of one header value that is kept */

enum shf_http_take { SHF_HTTP_TOOK, SHF_HTTP_PAUSE, SHF_HTTP_STOP };

struct shf_http_request {
    /* in */
    const char *method; /* GET or HEAD */
    const char *url;    /* percent-encoded */
    struct curl_slist *headers;
    const char *ca_bundle; /* or NULL */
    bool insecure_skip_verify;
    uint32_t connect_timeout_ms;
    uint32_t inactivity_ms; /* longest silence */
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    /* All headers are there: false ends the transfer as SHF_HTTP_STOP does. */
    bool (*begin_body)(struct shf_http_request *request);
    /* A part of the body. PAUSE: nothing was taken, the same bytes come again after shf_http_resume. */
    enum shf_http_take (*take_body)(struct shf_http_request *request, const uint8_t *data, size_t size);
    void (*done)(struct shf_http_request *request);

    /* out */
    shf_status status;        /* SHF_OK: an answer arrived whole; STORE_RETRY, DEADLINE, CANCELLED, NO_MEMORY */
    bool stopped;             /* begin_body or take_body ended it; status is SHF_OK then */
    char problem[256];        /* what went wrong on the way, for a message; no secrets */
    long http_status;
    int64_t content_length;   /* -1 = not told */
    char etag[SHF_HTTP_HEADER_BYTES], content_range[128], retry_after[64], bucket_region[64];
    uint64_t body_bytes;

    /* own */
    shf_runtime *runtime;
    struct shf_http_client *client;
    CURL *easy;
    char error_text[CURL_ERROR_SIZE];
    int64_t last_activity_ns;
    bool paused, begun;
    struct shf_http_request *previous, *next;
};

void shf_http_start(shf_runtime *runtime, struct shf_http_request *request);
void shf_http_resume(struct shf_http_request *request);

#endif
