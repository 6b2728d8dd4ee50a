/* One store request against S3: attempts, retries, the end. Everything here runs on the loop thread. */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/s3_outcome.h"
#include "io/s3_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the end ---- */

static void free_call(struct shf_s3_call *call) {
    shf_s3_body_drop_text(call);
    curl_slist_free_all(call->http.headers);
    shf_free(call->url);
    shf_free(call->moved_path);
    shf_free(call->object_url);
    shf_credentials_forget(&call->waiter);
    shf_credentials_release(call->credentials);
    shf_credentials_release(call->refused);
    shf_error_free(call->error);
    shf_buf_release(call->body);
    shf_body_file_close(&call->file);
    shf_body_source_close(&call->source);
    shf_s3_listing_free(&call->listing);
    shf_store_release(&call->store->base);
    shf_free(call);
}

void shf_s3_call_finish(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    shf_runtime *runtime = call->store->base.runtime;
    request->status = call->status;
    request->error = call->error;
    call->error = NULL;
    if (request->error && !*shf_error_object(request->error)) shf_error_set_object(request->error, call->object_url);
    if (!call->status) {
        request->body = call->body;
        call->body = NULL;
        request->body_size = call->http.body_bytes;
    }
    request->was_sent_again = shf_s3_call_was_sent_again(call);
    if (call->step) call->step->was_sent_again = request->was_sent_again;
    free_call(call);
    request->internal = NULL;
    request->done(request);
    shf_rt_background_end(runtime);
}

static void fail(struct shf_s3_call *call, shf_status status) {
    call->status = status;
    shf_s3_call_finish(call);
}

/* ---- retries ---- */

static void give_up(struct shf_s3_call *call, struct shf_s3_outcome *outcome) {
    call->error = outcome->error;
    if (call->attempts > 1) shf_error_prefix(&call->error, "gave up after %u attempts", call->attempts);
    fail(call, outcome->status);
}

static void no_time_left(struct shf_s3_call *call, struct shf_s3_outcome *outcome) {
    shf_status status = shf_error_set(&call->error, SHF_E_DEADLINE, "no time is left for another attempt after %u: %s",
                                      call->attempts, shf_error_message(outcome->error));
    shf_error_set_http_status(call->error, shf_error_http_status(outcome->error));
    shf_error_free(outcome->error);
    fail(call, status);
}

static void try_again(struct shf_s3_call *call, struct shf_s3_outcome *outcome) {
    shf_runtime *runtime = call->store->base.runtime;
    int64_t pause_ms = shf_s3_pause_ms(call->attempts, outcome->retry_after_ms);
    int64_t until = shf_deadline_after_ms(pause_ms);
    if (call->attempts >= call->store->config.max_attempts) {
        give_up(call, outcome);
        return;
    }
    if (until >= call->request->deadline_ns) {
        no_time_left(call, outcome);
        return;
    }
    shf_log_write(shf_rt_log(runtime), SHF_LOG_INFO, "attempt %u failed, the next in %" PRId64 " ms: %s",
                  call->attempts, pause_ms, shf_error_message(outcome->error));
    shf_error_free(outcome->error);
    if (call->http.status) call->distrusts_connections = true;
    atomic_fetch_add_explicit(&shf_rt_counters(runtime)->store_retries, 1, memory_order_relaxed);
    shf_s3_call_send(call, until);
}

/* They have expired, or others were given while the refusal of these was on its way. */
static bool are_credentials_of_before(const struct shf_s3_call *call, const struct shf_s3_outcome *outcome) {
    return outcome->is_expired || (outcome->status == SHF_E_ACCESS &&
                                   shf_credentials_are_replaced(&call->store->credentials, call->credentials));
}

/*
 * Credentials of before are renewed once, a bucket that is elsewhere is asked there once, and a server that knows no
 * conditions is told none. True: it goes on.
 */
static bool mend(struct shf_s3_call *call, const struct shf_s3_outcome *outcome) {
    if (outcome->is_condition_unknown && !call->without_condition) {
        call->without_condition = true;
        call->store->knows_no_conditions = true;
    } else if (!call->renewed && call->credentials && are_credentials_of_before(call, outcome)) {
        call->renewed = true;
        call->refused = call->credentials;
        call->credentials = NULL;
    } else if (*outcome->other_region && !call->redirected) {
        call->redirected = true;
        (void)snprintf(call->region, sizeof call->region, "%s", outcome->other_region);
    } else if (call->http.location && !call->redirected &&
               (call->moved_path = shf_s3_moved_path(call, call->http.location)) != NULL) {
        call->redirected = true;
    } else {
        return false;
    }
    shf_log_write(shf_rt_log(call->store->base.runtime), SHF_LOG_INFO, "asking once more: %s",
                  shf_error_message(outcome->error));
    shf_error_free(outcome->error);
    shf_s3_call_send(call, 0);
    return true;
}

/* ---- an answer ---- */

static void succeed(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    if (request->verb == SHF_STORE_LIST) {
        shf_s3_list_take_page(call);
        return;
    }
    if (request->verb == SHF_STORE_HEAD) {
        if (call->http.content_length < 0) {
            fail(call,
                 shf_error_set(&call->error, SHF_E_STORE, "%s: the server does not tell its size", call->object_url));
            return;
        }
        request->object_size = (uint64_t)call->http.content_length;
    }
    if (request->verb == SHF_STORE_PUT) {
        call->status = shf_s3_put_take_answer(call, &call->error);
        shf_s3_call_finish(call);
        return;
    }
    if (*call->http.etag && request->verb != SHF_STORE_DELETE) {
        request->etag = shf_strdup(call->http.etag);
        request->version = shf_strdup(call->http.etag);
        if (!request->etag || !request->version) {
            fail(call, shf_error_set(&call->error, SHF_E_NO_MEMORY, "no memory for the ETag of %s", call->object_url));
            return;
        }
    }
    if (call->sink == SHF_S3_SINK_FILE && !request->has_range) {
        request->has_md5 = shf_body_file_md5(&call->file, request->md5);
        request->has_sha256 = request->wants_sha256 && shf_body_file_sha256(&call->file, request->received_sha256);
    }
    shf_s3_call_finish(call);
}

void shf_s3_call_settle(struct shf_s3_call *call) {
    struct shf_s3_outcome outcome = {0};
    if (call->status) { /* a step said why */
        shf_s3_call_finish(call);
        return;
    }
    if (call->file.status) {
        call->error = call->file.error;
        call->file.error = NULL;
        fail(call, call->file.status);
        return;
    }
    if (call->source.status) {
        call->error = call->source.error;
        call->source.error = NULL;
        fail(call, call->source.status);
        return;
    }
    shf_s3_outcome_of(call, &outcome);
    if (!outcome.status) {
        succeed(call);
    } else if (outcome.is_retryable) {
        try_again(call, &outcome);
    } else if (!mend(call, &outcome)) {
        call->error = outcome.error;
        fail(call, outcome.status);
    }
}

/* The body must be on disk before the answer counts, and no write may be under way at a retry. */
static void file_idle(struct shf_body_file *file) {
    struct shf_s3_call *call = SHF_CONTAINER(file, struct shf_s3_call, file);
    if (!call->http_over) {
        shf_http_resume(&call->http);
    } else if (call->status || call->http.status || shf_body_file_flush(file)) {
        shf_s3_call_settle(call);
    }
}

static void answered(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    shf_credentials_forget(&call->waiter);
    call->http_over = true;
    bool whole = !http->status && !call->status && !http->stopped && shf_s3_body_is_whole(call);
    bool is_written = call->sink != SHF_S3_SINK_FILE || (whole ? shf_body_file_flush(&call->file) : !call->file.writing);
    if (is_written && !call->source.working) shf_s3_call_settle(call); /* else one of them comes to be idle */
}

/* ---- attempts ---- */

static enum shf_http_ready refuse(struct shf_s3_call *call, shf_status status) {
    shf_error_prefix(&call->error, "%s", call->object_url);
    call->status = status;
    return SHF_HTTP_REFUSE;
}

/* As late as can be: a signature is good for some minutes, and the credentials may have changed while it waited. */
static enum shf_http_ready prepare(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    struct shf_s3_store *store = call->store;
    shf_status status = SHF_OK;
    shf_credentials_release(call->credentials);
    call->credentials = NULL;
    if (store->config.key_source != SHF_S3_KEYS_NONE) {
        switch (shf_credentials_get(&store->credentials, &call->waiter, call->refused, &call->credentials, &status,
                                    &call->error)) {
        case SHF_CREDENTIALS_WAIT: return SHF_HTTP_HOLD;
        case SHF_CREDENTIALS_FAILED: return refuse(call, status);
        case SHF_CREDENTIALS_READY: break;
        }
    }
    status = shf_s3_request_make(call, &call->error);
    if (status) return refuse(call, status);
    call->attempts++;
    return SHF_HTTP_SEND;
}

static void credentials_came(struct shf_credential_waiter *waiter) {
    shf_http_wake(&SHF_CONTAINER(waiter, struct shf_s3_call, waiter)->http);
}

void shf_s3_call_send(struct shf_s3_call *call, int64_t not_before_ns) {
    const struct shf_s3_config *config = &call->store->config;
    struct shf_http_request *http = &call->http;
    curl_slist_free_all(http->headers);
    http->headers = NULL;
    shf_s3_body_drop_text(call);
    call->sink = SHF_S3_SINK_NONE;
    call->http_over = false;
    call->waiter.wake = credentials_came;
    if (call->request->verb == SHF_STORE_PUT) shf_body_source_rewind(&call->source);
    http->not_before_ns = not_before_ns;
    http->ca_bundle = config->ca_bundle;
    http->insecure_skip_verify = config->insecure_skip_verify;
    http->fresh_connection = call->distrusts_connections;
    http->connect_timeout_ms = config->connect_timeout_ms;
    http->inactivity_ms = config->read_timeout_ms;
    http->deadline_ns = call->request->deadline_ns;
    http->cancel = call->request->cancel;
    http->prepare = prepare;
    http->give_body = shf_s3_put_give;
    http->rewind_body = shf_s3_put_rewind;
    http->begin_body = shf_s3_body_begin;
    http->take_body = shf_s3_body_take;
    http->done = answered;
    shf_http_start(call->store->base.runtime, http);
}

static bool is_header_line(const char *text) {
    while (*text >= ' ' && *text < 0x7f) text++;
    return !*text;
}

static shf_status check_put(const struct shf_s3_call *call, struct shf_error **error) {
    const struct shf_store_request *request = call->request;
    const char *type = request->content_type, *version = request->if_version;
    if ((type && (!*type || !is_header_line(type))) || (version && !is_header_line(version))) {
        return shf_error_set(error, SHF_E_INVALID, "%s: its content type or version has characters that none has",
                             call->object_url);
    }
    return SHF_OK;
}

static shf_status check(const struct shf_s3_call *call, struct shf_error **error) {
    const struct shf_store_request *request = call->request;
    size_t size = strlen(request->key);
    if (request->verb == SHF_STORE_LIST ? size && request->key[size - 1] != '/' : !size || request->key[0] == '/') {
        return shf_error_set(error, SHF_E_INVALID, "%s can not be %s", call->object_url,
                             request->verb == SHF_STORE_LIST ? "listed: its prefix does not end in a slash"
                                                             : "the name of an object");
    }
    if (request->verb == SHF_STORE_GET && request->has_range &&
        (!request->range_size || request->range_size - 1 > UINT64_MAX - request->range_offset)) {
        return shf_error_set(error, SHF_E_INVALID, "%s: the range is empty or has no end", call->object_url);
    }
    if (request->verb == SHF_STORE_GET && request->has_range && request->range_size > request->max_bytes) {
        return shf_error_set(error, SHF_E_LIMIT, "%s: %" PRIu64 " bytes are more than the %" PRIu64 " allowed here",
                             call->object_url, request->range_size, request->max_bytes);
    }
    return request->verb == SHF_STORE_PUT ? check_put(call, error) : SHF_OK;
}

static void begin(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    shf_status status = check(call, &call->error);
    if (status) {
        fail(call, status);
        return;
    }
    if (call->request->verb == SHF_STORE_PUT) {
        shf_s3_put_begin(call);
        return;
    }
    call->file = (struct shf_body_file){.runtime = call->store->base.runtime,
                                        .fd = call->request->body_fd,
                                        .wants_sha256 = call->request->wants_sha256,
                                        .url = call->object_url,
                                        .idle = file_idle};
    shf_s3_call_send(call, 0);
}

/* Without memory for a call there is only the request to say so with. */
static void deliver(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    shf_runtime *runtime = request->internal;
    request->internal = NULL;
    request->done(request);
    shf_rt_background_end(runtime);
}

void shf_s3_no_memory(struct shf_store *store, struct shf_store_request *request) {
    shf_rt_background_begin(store->runtime);
    request->status = shf_error_set(&request->error, SHF_E_NO_MEMORY, "no memory for a request to %s", store->root_url);
    request->internal = store->runtime;
    request->task.run = deliver;
    shf_rt_post_loop(store->runtime, &request->task);
}

void shf_s3_call_start(struct shf_store *store, struct shf_store_request *request, struct shf_s3_step *step) {
    struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    struct shf_s3_call *call = shf_alloc_zero(1, sizeof *call);
    struct shf_text url = {0};
    shf_text_format(&url, "s3://%s/%s", s3->bucket, request->key);
    char *object_url = shf_text_take(&url);
    if (!call || !object_url) {
        shf_free(call);
        shf_free(object_url);
        shf_s3_no_memory(store, request);
        return;
    }
    shf_rt_background_begin(store->runtime);
    (void)shf_store_retain(store);
    request->internal = call;
    call->store = s3;
    call->request = request;
    call->step = step;
    call->object_url = object_url;
    (void)snprintf(call->region, sizeof call->region, "%s", s3->config.region);
    call->task.run = begin;
    shf_rt_post_loop(store->runtime, &call->task);
}
