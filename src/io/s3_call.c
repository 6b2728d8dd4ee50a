/*
 * One store request against S3: credentials, attempts, retries, the end. Everything here runs on the loop thread, but
 * for the renewal of credentials and the tidying of a listing, which are worker tasks.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "io/s3_priv.h"
#include "io/s3_outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void attempt(struct shf_s3_call *call);

/* ---- the end ---- */

static void free_call(struct shf_s3_call *call) {
    curl_slist_free_all(call->http.headers);
    shf_free(call->url);
    shf_free(call->object_url);
    shf_credentials_release(call->credentials);
    shf_credentials_release(call->refused);
    shf_error_free(call->error);
    shf_text_free(&call->text);
    shf_buf_release(call->body);
    shf_body_file_close(&call->file);
    shf_s3_page_free(&call->page);
    shf_store_release(&call->store->base);
    shf_free(call);
}

/* call->status and call->error are the outcome. */
static void finish(struct shf_s3_call *call) {
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
    free_call(call);
    request->done(request);
    shf_rt_background_end(runtime);
}

static void fail(struct shf_s3_call *call, shf_status status) {
    call->status = status;
    finish(call);
}

/* ---- listings: more pages, then names relative to the prefix, sorted ---- */

static int compare_names(const void *a, const void *b) {
    char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static void tidied(struct shf_task *task) { finish(SHF_CONTAINER(task, struct shf_s3_call, task)); }

static void tidy(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    struct shf_s3_page *page = &call->page;
    size_t prefix = strlen(call->request->key), kept = 0;
    for (size_t i = 0; i < page->count; i++) {
        char *name = page->names[i];
        if (strncmp(name, call->request->key, prefix) != 0 || name[prefix] == '\0') { /* the prefix's own marker object */
            shf_free(name);
            continue;
        }
        memmove(name, name + prefix, strlen(name + prefix) + 1);
        page->names[kept++] = name;
    }
    if (kept) qsort(page->names, kept, sizeof *page->names, compare_names);
    call->request->names = page->names;
    call->request->name_count = kept;
    page->names = NULL;
    page->count = 0;
    task->run = tidied;
    shf_rt_post_loop(call->store->base.runtime, task);
}

static void take_page(struct shf_s3_call *call) {
    shf_status status = shf_s3_page_parse(call->text.size ? call->text.data : "", call->text.size, SHF_LIMIT_LIST_KEYS,
                                          &call->page, &call->error);
    if (status) {
        shf_error_prefix(&call->error, "%s", call->object_url);
        fail(call, status);
    } else if (call->page.is_truncated) {
        call->attempts = 0;
        attempt(call);
    } else {
        call->task.run = tidy;
        shf_rt_post_worker(call->store->base.runtime, &call->task);
    }
}

/* ---- retries ---- */

static void waited(struct shf_wait *wait, shf_status reason) {
    struct shf_s3_call *call = SHF_CONTAINER(wait, struct shf_s3_call, wait);
    if (reason != SHF_E_DEADLINE) { /* cancelled; the deadline of the wait is the end of the pause */
        fail(call, shf_error_set(&call->error, reason, "%s: cancelled between two attempts", call->object_url));
        return;
    }
    attempt(call);
}

static void try_again(struct shf_s3_call *call, struct shf_s3_outcome *outcome) {
    const struct shf_store_request *request = call->request;
    shf_runtime *runtime = call->store->base.runtime;
    int64_t pause_ms = shf_s3_pause_ms(call->attempts, outcome->retry_after_ms);
    int64_t until = shf_deadline_after_ms(pause_ms);
    if (call->attempts >= call->store->config.max_attempts) {
        shf_status status = outcome->status;
        call->error = outcome->error;
        if (call->attempts > 1) shf_error_prefix(&call->error, "gave up after %u attempts", call->attempts);
        fail(call, status);
        return;
    }
    if (until >= request->deadline_ns) {
        shf_status status = shf_error_set(&call->error, SHF_E_DEADLINE, "no time is left for another attempt after: %s",
                                          shf_error_message(outcome->error));
        shf_error_set_http_status(call->error, shf_error_http_status(outcome->error));
        shf_error_free(outcome->error);
        fail(call, status);
        return;
    }
    shf_log_write(shf_rt_log(runtime), SHF_LOG_INFO, "attempt %u failed, trying again in %" PRId64 " ms: %s", call->attempts,
                  pause_ms, shf_error_message(outcome->error));
    shf_error_free(outcome->error);
    atomic_fetch_add_explicit(&shf_rt_counters(runtime)->store_retries, 1, memory_order_relaxed);
    call->wait = (struct shf_wait){.deadline_ns = until, .cancel = request->cancel, .wake = waited};
    shf_wait_begin(runtime, &call->wait);
}

/* Expired credentials are renewed once, and a bucket of another region is asked there once. True: it goes on. */
static bool mend(struct shf_s3_call *call, const struct shf_s3_outcome *outcome) {
    if (outcome->is_expired && !call->renewed && call->store->config.credential_process) {
        call->renewed = true;
        shf_credentials_release(call->refused);
        call->refused = call->credentials;
        call->credentials = NULL;
    } else if (outcome->is_other_region && !call->redirected && !call->store->config.endpoint) {
        call->redirected = true;
        (void)snprintf(call->region, sizeof call->region, "%s", call->http.bucket_region);
    } else {
        return false;
    }
    shf_error_free(outcome->error);
    attempt(call);
    return true;
}

/* ---- an answer ---- */

static void succeed(struct shf_s3_call *call) {
    struct shf_store_request *request = call->request;
    if (request->verb == SHF_STORE_LIST) {
        take_page(call);
        return;
    }
    if (request->verb == SHF_STORE_HEAD) {
        if (call->http.content_length < 0) {
            fail(call, shf_error_set(&call->error, SHF_E_STORE, "%s: the server does not tell its size", call->object_url));
            return;
        }
        request->object_size = (uint64_t)call->http.content_length;
    }
    if (*call->http.etag && !(request->etag = shf_strdup(call->http.etag))) {
        fail(call, shf_error_set(&call->error, SHF_E_NO_MEMORY, "no memory for the ETag of %s", call->object_url));
        return;
    }
    if (call->sink == SHF_S3_SINK_FILE && !request->has_range) {
        request->has_md5 = shf_body_file_md5(&call->file, request->md5);
    }
    finish(call);
}

static void settle(struct shf_s3_call *call) {
    if (call->status) { /* a step said why */
        finish(call);
        return;
    }
    if (call->file.status) {
        call->error = call->file.error;
        call->file.error = NULL;
        fail(call, call->file.status);
        return;
    }
    struct shf_s3_outcome outcome = {0};
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
    } else if (shf_body_file_flush(file)) {
        settle(call);
    }
}

static void answered(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    call->http_over = true;
    bool whole = !http->status && !http->stopped;
    if (whole && !http->begun) whole = shf_s3_body_begin(http); /* there was no body */
    if (call->sink != SHF_S3_SINK_FILE) {
        settle(call);
    } else if (whole && !call->status) {
        if (shf_body_file_flush(&call->file)) settle(call);
    } else if (!call->file.writing) {
        settle(call);
    } /* else file_idle comes: it must not flush what is thrown away */
}

/* ---- attempts ---- */

static void send_attempt(struct shf_s3_call *call) {
    const struct shf_s3_config *config = &call->store->config;
    shf_status status = shf_s3_request_make(call, &call->error);
    if (status) {
        fail(call, status);
        return;
    }
    call->attempts++;
    call->sink = SHF_S3_SINK_NONE;
    call->http_over = false;
    call->http.ca_bundle = config->ca_bundle;
    call->http.insecure_skip_verify = config->insecure_skip_verify;
    call->http.connect_timeout_ms = config->connect_timeout_ms;
    call->http.inactivity_ms = config->read_timeout_ms;
    call->http.deadline_ns = call->request->deadline_ns;
    call->http.cancel = call->request->cancel;
    call->http.begin_body = shf_s3_body_begin;
    call->http.take_body = shf_s3_body_take;
    call->http.done = answered;
    shf_http_start(call->store->base.runtime, &call->http);
}

static void renewed(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    if (call->status) {
        shf_error_prefix(&call->error, "%s", call->object_url);
        finish(call);
    } else {
        send_attempt(call);
    }
}

static void renew(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    call->status = shf_credentials_renew(&call->store->credentials, call->refused, &call->credentials, &call->error);
    task->run = renewed;
    shf_rt_post_loop(call->store->base.runtime, task);
}

static void attempt(struct shf_s3_call *call) {
    shf_credentials_release(call->credentials);
    call->credentials = NULL;
    if (call->store->config.anonymous) {
        send_attempt(call);
        return;
    }
    call->credentials = shf_credentials_current(&call->store->credentials);
    if (call->credentials && call->credentials != call->refused) {
        send_attempt(call);
        return;
    }
    shf_credentials_release(call->credentials);
    call->credentials = NULL;
    call->task.run = renew;
    shf_rt_post_worker(call->store->base.runtime, &call->task);
}

static void begin(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    const struct shf_store_request *request = call->request;
    if (request->verb == SHF_STORE_GET && request->body_fd >= 0) {
        call->file = (struct shf_body_file){.runtime = call->store->base.runtime,
                                            .fd = request->body_fd,
                                            .url = call->object_url,
                                            .idle = file_idle};
        shf_status status = shf_body_file_open(&call->file, &call->error);
        if (status) {
            fail(call, status);
            return;
        }
    }
    attempt(call);
}

/* Without memory for a call there is only the request to say so with. */
static void no_memory(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    request->done(request);
}

void shf_s3_call_start(struct shf_store *store, struct shf_store_request *request) {
    struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    struct shf_s3_call *call = shf_alloc_zero(1, sizeof *call);
    struct shf_text url = {0};
    shf_text_format(&url, "s3://%s/%s", s3->bucket, request->key);
    char *object_url = shf_text_take(&url);
    if (!call || !object_url) {
        shf_free(call);
        shf_free(object_url);
        request->status = shf_error_set(&request->error, SHF_E_NO_MEMORY, "no memory for a request to s3://%s", s3->bucket);
        request->task.run = no_memory;
        shf_rt_post_loop(store->runtime, &request->task);
        return;
    }
    (void)shf_store_retain(store);
    shf_rt_background_begin(store->runtime);
    call->store = s3;
    call->request = request;
    call->object_url = object_url;
    (void)snprintf(call->region, sizeof call->region, "%s", s3->config.region);
    call->task.run = begin;
    shf_rt_post_loop(store->runtime, &call->task);
}
