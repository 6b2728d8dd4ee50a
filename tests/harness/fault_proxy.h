/*
 * Stands before an S3 server and spoils answers as it is told to. Listens on 127.0.0.1 only, on a port of its own; a
 * thread takes connections, each has a thread. Requests are forwarded as they are (the Host header too, so signatures
 * stay valid), bodies too. A fault is chosen by method and target, once for each request.
 */
#ifndef SHF_TESTS_HARNESS_FAULT_PROXY_H
#define SHF_TESTS_HARNESS_FAULT_PROXY_H

#include <stdint.h>

enum fault_kind {
    FAULT_STATUS,        /* HTTP `number` with an S3 error body of code `text`, the server is not asked */
    FAULT_RESET,         /* the connection is reset after `number` bytes of the body (0: before the answer) */
    FAULT_STALL,         /* silence after `number` bytes of the body (0: before the answer) */
    FAULT_SLOW,          /* the body comes with `number` bytes a second */
    FAULT_TRUNCATE,      /* the connection ends after `number` bytes of the body, in good order */
    FAULT_LONGER,        /* `number` bytes more than the object has, Content-Length and all */
    FAULT_EXCESS,        /* `number` bytes behind the body, beyond Content-Length */
    FAULT_NO_LENGTH,     /* without Content-Length, up to the end of the connection */
    FAULT_FLIP,          /* the body's byte `number` is another */
    FAULT_ETAG,          /* another ETag: `text` */
    FAULT_CONTENT_RANGE, /* another Content-Range: `text` */
    FAULT_REDIRECT,      /* HTTP `number` to `text` (absolute, or a path on this proxy) */
    FAULT_WHOLE,         /* the Range header is dropped: 200 and all of it */
    FAULT_ANSWER,        /* HTTP `number` with the body `text`, the server is not asked */
    FAULT_CUT,  /* the connection is reset after `number` bytes of the request's body; the server is not asked */
    FAULT_DEAF, /* of the request's body `number` bytes are read, then nothing more; the server is not asked */
};

struct fault {
    enum fault_kind kind;
    const char *method; /* "GET", "PUT" ..., or NULL: all */
    const char *target; /* part of the request target (percent-encoded, with the query), or NULL: all */
    uint32_t skip;      /* so many fitting requests pass first */
    uint32_t times;     /* then so many are spoilt; 0 = all */
    uint64_t number;
    const char *text;
    const char *header; /* FAULT_STATUS: another header line, "Retry-After: 1" */
};

struct fault_proxy;

/* NULL after a line that says why. */
struct fault_proxy *fault_proxy_start(uint16_t server_port);
void fault_proxy_stop(struct fault_proxy *proxy);
const char *fault_proxy_endpoint(const struct fault_proxy *proxy);

#define FAULT_PROXY_MOST 16u
/* Replaces what was set before, and counts from 0 again. Of several that fit, the first one with times left is used. Strings are borrowed. */
void fault_proxy_set(struct fault_proxy *proxy, const struct fault *faults, uint32_t count);
void fault_proxy_heal(struct fault_proxy *proxy);
/* Requests since the last set or heal: all of them, those that were spoilt, and those with METHOD (or NULL) and a part of the target. */
uint32_t fault_proxy_requests(struct fault_proxy *proxy);
uint32_t fault_proxy_spoilt(struct fault_proxy *proxy);
uint32_t fault_proxy_requests_of(struct fault_proxy *proxy, const char *method, const char *target);
/* Connections taken since the start. */
uint32_t fault_proxy_connections(struct fault_proxy *proxy);

#endif
