/* Where an answer's body goes, and whether the answer is the one that was asked for. */
#include "base/limits.h"
#include "io/s3_priv.h"
#include "io/store_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_PROBLEM 65536u

static bool refuse(struct shf_s3_call *call, shf_status status) {
    call->status = status;
    return false;
}

/* "bytes FIRST-LAST/TOTAL", exactly as asked for. */
static bool check_range(struct shf_s3_call *call) {
    const struct shf_store_request *request = call->request;
    uint64_t first, last, total;
    int used = 0;
    if (call->http.http_status != 206) {
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE,
                                          "%s: the server ignored the range that was asked for (HTTP %ld)", call->object_url,
                                          call->http.http_status));
    }
    if (sscanf(call->http.content_range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64 "%n", &first, &last, &total, &used) != 3 ||
        call->http.content_range[used] || first != request->range_offset || last < first ||
        last - first + 1 != request->range_size || last >= total) {
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE,
                                          "%s: asked for bytes %" PRIu64 " to %" PRIu64 ", the server sent \"%s\": is the object shorter?",
                                          call->object_url, request->range_offset,
                                          request->range_offset + request->range_size - 1, call->http.content_range));
    }
    call->request->object_size = total;
    return true;
}

static bool begin_object(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    int64_t length = call->http.content_length;
    if (request->has_range ? !check_range(call) : call->http.http_status != 200) {
        if (call->status) return false;
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE, "%s: unexpected HTTP status %ld", call->object_url,
                                          call->http.http_status));
    }
    if (length < 0 || (request->has_range && (uint64_t)length != request->range_size)) {
        return refuse(call, shf_error_set(&call->error, SHF_E_STORE, "%s: the answer's length is not told or not the range's",
                                          call->object_url));
    }
    if ((uint64_t)length > request->max_bytes) {
        return refuse(call, shf_error_set(&call->error, SHF_E_LIMIT, "%s has %" PRId64 " bytes, at most %" PRIu64 " are read here",
                                          call->object_url, length, request->max_bytes));
    }
    if (!request->has_range) request->object_size = (uint64_t)length;
    if (request->body_fd >= 0) {
        call->sink = SHF_S3_SINK_FILE;
        shf_body_file_restart(&call->file);
        return true;
    }
    call->sink = SHF_S3_SINK_MEMORY;
    call->body_used = 0;
    shf_buf_release(call->body);
    call->body = NULL;
    shf_status status = shf_store_body_new(call->store->base.runtime, (uint64_t)length, call->object_url, &call->body, &call->error);
    return status ? refuse(call, status) : true;
}

bool shf_s3_body_begin(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    bool good = http->http_status == 200 || http->http_status == 206;
    call->text.size = 0;
    call->text.failed = false;
    if (!good) {
        call->sink = SHF_S3_SINK_PROBLEM;
        return true;
    }
    if (call->request->verb == SHF_STORE_HEAD) return true;
    if (call->request->verb == SHF_STORE_LIST) {
        call->sink = SHF_S3_SINK_PAGE;
        call->text.max_bytes = SHF_LIMIT_XML_BYTES;
        return true;
    }
    return begin_object(call);
}

enum shf_http_take shf_s3_body_take(struct shf_http_request *http, const uint8_t *data, size_t size) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    switch (call->sink) {
    case SHF_S3_SINK_FILE:
        if (call->file.status) return SHF_HTTP_STOP;
        return shf_body_file_add(&call->file, data, size) ? SHF_HTTP_TOOK : SHF_HTTP_PAUSE;
    case SHF_S3_SINK_MEMORY:
        if (size > call->body->size - call->body_used) {
            call->status = shf_error_set(&call->error, SHF_E_STORE, "%s: more bytes came than were announced", call->object_url);
            return SHF_HTTP_STOP;
        }
        memcpy(call->body->data + call->body_used, data, size);
        call->body_used += size;
        return SHF_HTTP_TOOK;
    case SHF_S3_SINK_PAGE:
        shf_text_add(&call->text, (const char *)data, size);
        if (!call->text.failed) return SHF_HTTP_TOOK;
        call->status = shf_error_set(&call->error, SHF_E_LIMIT, "%s: a page of the listing is too large", call->object_url);
        return SHF_HTTP_STOP;
    case SHF_S3_SINK_PROBLEM:
        if (call->text.size + size <= LARGEST_PROBLEM) shf_text_add(&call->text, (const char *)data, size);
        return SHF_HTTP_TOOK; /* the rest of a long one is not looked at */
    case SHF_S3_SINK_NONE:
        break;
    }
    return SHF_HTTP_TOOK;
}
