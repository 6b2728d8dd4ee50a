/*
 * HTTP on the runtime's loop: libcurl's multi interface driven by libuv. One client a runtime, made at the first
 * request. Connections are kept and reused, at most SHF_HTTP_CONNECTIONS transfers run at a time, the others wait in
 * order. Loop thread only. Redirects are never followed here.
 *
 * A request is in the client from shf_http_start until done runs. It is parked (until a time, or until shf_http_wake),
 * then queued for a connection, then prepared (so that a signature is as young as can be) and sent. Wherever it is,
 * its deadline, its token and the end of the runtime end it.
 */
#ifndef SHF_IO_HTTP_CLIENT_H
#define SHF_IO_HTTP_CLIENT_H

#include "base/cancel.h"
#include "base/error.h"
#include "rt/runtime.h"

#include <curl/curl.h>

#define SHF_HTTP_CONNECTIONS 64u
#define SHF_HTTP_PIECE_BYTES (256u << 10) /* take_body gets at most this many bytes */
#define SHF_HTTP_LOCATION_BYTES 4096u

#define SHF_HTTP_GIVE_PAUSE ((size_t)-1)
#define SHF_HTTP_GIVE_STOP ((size_t)-2)

enum shf_http_ready { SHF_HTTP_SEND, SHF_HTTP_HOLD, SHF_HTTP_REFUSE };
enum shf_http_take { SHF_HTTP_TOOK, SHF_HTTP_PAUSE, SHF_HTTP_STOP };
enum shf_http_place { SHF_HTTP_NOWHERE, SHF_HTTP_PARKED, SHF_HTTP_QUEUED, SHF_HTTP_ACTIVE };

struct shf_http_request {
    /* in */
    int64_t not_before_ns;                      /* parked until then; 0 = now */
    uint32_t connect_timeout_ms, inactivity_ms; /* until the request goes out; longest silence from then on */
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    const char *ca_bundle; /* or NULL */
    bool insecure_skip_verify;
    bool fresh_connection; /* none that was kept: those may be what failed before */
    /* A connection is free: set method, url and headers. HOLD: park it until shf_http_wake. REFUSE: end it (as `stopped`). */
    enum shf_http_ready (*prepare)(struct shf_http_request *request);
    /*
     * Of a request with a body: the next bytes of it, 0 at the end. GIVE_PAUSE: none are ready, it is asked again after
     * shf_http_resume. GIVE_STOP ends the transfer (as `stopped`). rewind: from the first byte again, false when it can not.
     */
    size_t (*give_body)(struct shf_http_request *request, uint8_t *out, size_t room);
    bool (*rewind_body)(struct shf_http_request *request);
    /* All headers are there: false ends the transfer (as `stopped`). Also called for an answer without a body. */
    bool (*begin_body)(struct shf_http_request *request);
    /* A part of the body. PAUSE: nothing was taken, the same bytes come again after shf_http_resume. */
    enum shf_http_take (*take_body)(struct shf_http_request *request, const uint8_t *data, size_t size);
    void (*done)(struct shf_http_request *request);

    /* set by prepare; the owner's, kept until done or the next prepare */
    const char *method; /* GET, HEAD, PUT, POST or DELETE */
    bool has_body;      /* one is sent (it may be empty): body_size bytes */
    uint64_t body_size;
    const char *url; /* percent-encoded */
    struct curl_slist *headers;

    /* out */
    shf_status status; /* SHF_OK: an answer arrived whole, or `stopped`; STORE_RETRY, STORE, DEADLINE, CANCELLED, NO_MEMORY */
    bool stopped;      /* prepare, begin_body or take_body ended it */
    char problem[256]; /* what went wrong on the way, for a message; no secrets */
    long http_status;
    int64_t content_length;                                                 /* -1 = not told */
    char etag[256], content_range[128], retry_after[64], bucket_region[64]; /* "" = absent (or longer than is sensible) */
    char *location; /* where a 3xx points, absolute, or NULL; the client's, until done returned */
    uint64_t body_bytes;

    /* the client's own */
    shf_runtime *runtime;
    struct shf_http_client *client;
    enum shf_http_place place;
    struct shf_http_request *previous, *next;
    CURL *easy;
    char error_text[CURL_ERROR_SIZE];
    int64_t started_ns, last_activity_ns;
    bool connected, paused, begun, unwatched;
};

/* Fields of "in" are set; the others are set up here. done may run before this returns. */
void shf_http_start(shf_runtime *runtime, struct shf_http_request *request);
/* Ends a pause of the body, whichever way it goes. No-op when it is not paused. */
void shf_http_resume(struct shf_http_request *request);
/* Ends a hold: prepare is asked again. No-op when it is not parked. */
void shf_http_wake(struct shf_http_request *request);

/* Called on the loop thread when the runtime stops, before its requests end. For work that is not a request. */
struct shf_http_stop_hook {
    struct shf_http_stop_hook *previous, *next;
    void (*stop)(struct shf_http_stop_hook *hook);
};
void shf_http_hook_add(shf_runtime *runtime, struct shf_http_stop_hook *hook);
void shf_http_hook_remove(shf_runtime *runtime, struct shf_http_stop_hook *hook);

#endif
