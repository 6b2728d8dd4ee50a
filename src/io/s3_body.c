/* Where an answer's body goes, and whether the answer is the one that was asked for. */
#include "base/alloc.h"
#include "base/limits.h"
#include "io/s3_priv.h"
#include "io/store_body.h"

#include <inttypes.h>
#include <string.h>

#define LARGEST_PROBLEM 65536u

static bool refuse(struct shf_s3_call *call, shf_status status) {
    call->status = status;
    shf_error_set_http_status(call->error, (int32_t)call->http.http_status);
    return false;
}

static bool read_digits(const char **text, uint64_t *out) {
    uint64_t value = 0;
    if (!shf_ascii_is_digit(**text)) return false;
    for (; shf_ascii_is_digit(**text); (*text)++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(**text - '0'), &value)) return false;
    }
    *out = value;
    return true;
}

/* "bytes FIRST-LAST/TOTAL" (RFC 9110, 14.4). */
static bool read_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total) {
    if (strncmp(text, "bytes ", 6) != 0) return false;
    text += 6;
    if (!read_digits(&text, first) || *text++ != '-') return false;
    if (!read_digits(&text, last) || *text++ != '/') return false;
    return read_digits(&text, total) && !*text && *first <= *last && *last < *total;
}

static bool check_range(struct shf_s3_call *call) {
    const struct shf_store_request *request = call->request;
    const char *told = call->http.content_range;
    uint64_t wanted_last = request->range_offset + (request->range_size - 1), first, last, total;
    if (call->http.http_status != 206) {
        return refuse(call,
                      shf_error_set(&call->error, SHF_E_STORE,
                                    "%s: the server does not know ranges: it answered HTTP %ld to a request for one",
                                    call->object_url, call->http.http_status));
    }
    if (!read_content_range(told, &first, &last, &total) || first != request->range_offset || last > wanted_last) {
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE,
                                          "%s: asked for bytes %" PRIu64 " to %" PRIu64 ", the server sent \"%s\"",
                                          call->object_url, request->range_offset, wanted_last, told));
    }
    if (last < wanted_last) {
        return refuse(call,
                      shf_error_set(&call->error, SHF_E_STORE,
                                    "%s has %" PRIu64 " bytes: it is shorter than the range %" PRIu64 " to %" PRIu64,
                                    call->object_url, total, request->range_offset, wanted_last));
    }
    call->request->object_size = total;
    return true;
}

static bool check_length(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    int64_t length = call->http.content_length;
    if (request->has_range) {
        call->expected = request->range_size;
        if (length < 0 || (uint64_t)length == request->range_size) return true;
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE,
                                          "%s: the server sent %" PRId64 " bytes for a range of %" PRIu64,
                                          call->object_url, length, request->range_size));
    }
    if (length < 0) { /* without it a cut connection would look like a whole object */
        return refuse(
            call, shf_error_set(&call->error, SHF_E_STORE, "%s: the server does not tell its size", call->object_url));
    }
    if ((uint64_t)length > request->max_bytes) {
        return refuse(call, shf_error_set(&call->error, SHF_E_LIMIT,
                                          "%s has %" PRId64 " bytes, at most %" PRIu64 " are read here",
                                          call->object_url, length, request->max_bytes));
    }
    request->object_size = call->expected = (uint64_t)length;
    return true;
}

static bool begin_object(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    if (request->has_range) {
        if (!check_range(call)) return false;
    } else if (call->http.http_status != 200) {
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE, "%s: unexpected HTTP status %ld", call->object_url,
                                          call->http.http_status));
    }
    if (!check_length(call)) return false;
    shf_status status;
    if (request->body_fd >= 0) {
        call->sink = SHF_S3_SINK_FILE;
        status = shf_body_file_begin(&call->file, &call->error);
        if (status) call->sink = SHF_S3_SINK_NONE;
    } else {
        call->sink = SHF_S3_SINK_MEMORY;
        shf_buf_release(call->body); /* of an attempt before */
        call->body = NULL;
        status =
            shf_store_body_new(call->store->base.runtime, call->expected, call->object_url, &call->body, &call->error);
    }
    return status ? refuse(call, status) : true;
}

static bool is_good(const struct shf_s3_call *call) {
    long http = call->http.http_status;
    bool writes = call->request->verb == SHF_STORE_PUT || call->request->verb == SHF_STORE_DELETE;
    return writes ? http >= 200 && http <= 204 : http == 200 || http == 206;
}

bool shf_s3_body_begin(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    call->expected = UINT64_MAX;
    call->body_used = 0;
    if (!is_good(call)) {
        call->sink = SHF_S3_SINK_PROBLEM;
        return true;
    }
    switch (call->request->verb) {
    case SHF_STORE_GET: return begin_object(call);
    case SHF_STORE_LIST: call->sink = SHF_S3_SINK_PAGE; return true;
    case SHF_STORE_PUT:
        if (shf_s3_call_is(call, SHF_S3_BEGIN) || shf_s3_call_is(call, SHF_S3_COMPLETE))
            call->sink = SHF_S3_SINK_ANSWER;
        return true;
    default: return true;
    }
}

/* A page of a listing, another answer in XML, or an error body; charged, since many may come at once. */
static bool add_text(struct shf_s3_call *call, const uint8_t *data, size_t size) {
    if (!shf_budget_take(shf_rt_budget(call->store->base.runtime), size)) return false;
    call->text_charged += size;
    shf_text_add(&call->text, (const char *)data, size);
    return !call->text.failed;
}

void shf_s3_body_drop_text(struct shf_s3_call *call) {
    shf_text_free(&call->text);
    shf_budget_give(shf_rt_budget(call->store->base.runtime), call->text_charged);
    call->text_charged = 0;
}

static enum shf_http_take take_page(struct shf_s3_call *call, const uint8_t *data, size_t size) {
    if (call->text.size + size > SHF_LIMIT_XML_BYTES) {
        (void)refuse(call, shf_error_set(&call->error, SHF_E_LIMIT, "%s: a page of the listing has more than %u bytes",
                                         call->object_url, SHF_LIMIT_XML_BYTES));
        return SHF_HTTP_STOP;
    }
    if (add_text(call, data, size)) return SHF_HTTP_TOOK;
    (void)refuse(call, shf_error_set(&call->error, SHF_E_NO_MEMORY, "%s: no memory for a page of the listing",
                                     call->object_url));
    return SHF_HTTP_STOP;
}

/* The rest of a long one is not looked at: it is none that is understood. */
static enum shf_http_take take_answer(struct shf_s3_call *call, const uint8_t *data, size_t size) {
    if (call->text.size + size > LARGEST_PROBLEM || add_text(call, data, size)) return SHF_HTTP_TOOK;
    (void)refuse(call, shf_error_set(&call->error, SHF_E_NO_MEMORY, "%s: no memory for the answer", call->object_url));
    return SHF_HTTP_STOP;
}

enum shf_http_take shf_s3_body_take(struct shf_http_request *http, const uint8_t *data, size_t size) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    bool is_object = call->sink == SHF_S3_SINK_FILE || call->sink == SHF_S3_SINK_MEMORY;
    if (is_object && size > call->expected - call->body_used) {
        (void)refuse(call, shf_error_set(&call->error, SHF_E_STORE,
                                         "%s: the server sends more bytes than were asked for", call->object_url));
        return SHF_HTTP_STOP;
    }
    switch (call->sink) {
    case SHF_S3_SINK_FILE:
        if (call->file.status) return SHF_HTTP_STOP;
        if (!shf_body_file_add(&call->file, data, size)) return SHF_HTTP_PAUSE;
        break;
    case SHF_S3_SINK_MEMORY: memcpy(call->body->data + call->body_used, data, size); break;
    case SHF_S3_SINK_PAGE: return take_page(call, data, size);
    case SHF_S3_SINK_ANSWER: return take_answer(call, data, size);
    case SHF_S3_SINK_PROBLEM: /* the rest of a long one is not looked at, nor what finds no memory */
        if (call->text.size + size <= LARGEST_PROBLEM && !call->text.failed) (void)add_text(call, data, size);
        return SHF_HTTP_TOOK;
    case SHF_S3_SINK_NONE: return SHF_HTTP_TOOK;
    }
    call->body_used += size;
    return SHF_HTTP_TOOK;
}

bool shf_s3_body_is_whole(struct shf_s3_call *call) {
    if (call->sink != SHF_S3_SINK_FILE && call->sink != SHF_S3_SINK_MEMORY) return true;
    if (call->body_used == call->expected) return true;
    return refuse(call, shf_error_set(&call->error, SHF_E_STORE, "%s: the server sent %" PRIu64 " of %" PRIu64 " bytes",
                                      call->object_url, call->body_used, call->expected));
}
