/*
 * A large object, in parts: POST ?uploads, several PUTs at a time, POST ?uploadId with the list of the parts, and a look at
 * what came of it. Each step is a call with its own attempts. An upload that fails is aborted, after its request was told.
 * Everything here runs on the loop thread.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "io/s3_priv.h"
#include "rt/wait.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_AT_A_TIME 4u
#define PART_STEP_BYTES (UINT64_C(1) << 20) /* parts are multiples of it */
#define ABORT_MS 30000                      /* what an abort may take; the server's own rules remove what is left */

struct part {
    struct upload *upload; /* of the part under way; NULL: none is */
    struct shf_store_request request;
    struct shf_s3_step step;
};

struct upload {
    struct shf_store *store;           /* retained */
    struct shf_store_request *request; /* NULL once it was told */
    char *key, *url, *upload_id;       /* url: s3://bucket/key */
    uint64_t part_bytes;
    uint32_t part_count, begun, running;
    char **etags; /* one a part */
    struct part parts[PARTS_AT_A_TIME];
    struct part single; /* the steps that are alone */
    struct shf_text list;
    struct shf_cancel cancel; /* ends the steps: the request's token, or another step's failure */
    struct shf_wait wait;     /* for the request's token */
    bool is_complete;         /* the server said so */
    char *etag;
    bool condition_ignored;
    shf_status status;
    struct shf_error *error;
    struct shf_task task;
};

/* ---- the end ---- */

static void free_upload(struct upload *upload) {
    struct shf_store *store = upload->store;
    shf_runtime *runtime = store->runtime;
    shf_store_request_clear(&upload->single.request);
    for (uint32_t i = 0; upload->etags && i < upload->part_count; i++) shf_free(upload->etags[i]);
    shf_free((void *)upload->etags);
    shf_free(upload->key);
    shf_free(upload->url);
    shf_free(upload->upload_id);
    shf_free(upload->etag);
    shf_text_free(&upload->list);
    shf_error_free(upload->error);
    shf_free(upload);
    shf_store_release(store);
    shf_rt_background_end(runtime);
}

static void tell(struct upload *upload) {
    struct shf_store_request *request = upload->request;
    upload->request = NULL;
    request->status = upload->status;
    request->error = upload->error;
    upload->error = NULL;
    if (request->error && !*shf_error_object(request->error)) shf_error_set_object(request->error, upload->url);
    if (!upload->status) {
        request->etag = upload->etag;
        upload->etag = NULL;
        request->object_size = request->data_size;
        request->condition_ignored = upload->condition_ignored;
    }
    request->internal = NULL;
    request->done(request);
}

/* The next step that is alone; `request` is what it has beyond key and token. */
static void start_single(struct upload *upload, enum shf_s3_step_kind kind, struct shf_store_request request) {
    struct part *single = &upload->single;
    shf_store_request_clear(&single->request);
    single->upload = upload;
    single->step = (struct shf_s3_step){.kind = kind, .upload_id = upload->upload_id};
    request.key = upload->key;
    request.body_fd = -1;
    single->request = request;
    shf_s3_call_start(upload->store, &single->request, kind ? &single->step : NULL);
}

static void aborted(struct shf_store_request *request) {
    struct upload *upload = SHF_CONTAINER(request, struct part, request)->upload;
    if (request->status) {
        shf_log_write(shf_rt_log(upload->store->runtime), SHF_LOG_WARNING,
                      "parts of an upload that failed may be left on the server: %s", shf_error_message(request->error));
    }
    free_upload(upload);
}

static void finish(struct upload *upload) {
    bool abandons = upload->status && upload->upload_id && !upload->is_complete;
    shf_wait_end(upload->store->runtime, &upload->wait, SHF_OK);
    if (!upload->status && !(upload->request->version = shf_strdup(upload->etag))) {
        upload->status = shf_error_set(&upload->error, SHF_E_NO_MEMORY, "no memory for the ETag of %s", upload->url);
    }
    tell(upload);
    if (!abandons) {
        free_upload(upload);
        return;
    }
    const struct shf_store_request request = {
        .verb = SHF_STORE_DELETE, .deadline_ns = shf_deadline_after_ms(ABORT_MS), .done = aborted};
    start_single(upload, SHF_S3_ABORT, request);
}

/* Takes the failure of a step; the first one counts. */
static void take_failure(struct upload *upload, struct shf_store_request *request) {
    if (!request->status || upload->status) return;
    upload->status = request->status;
    upload->error = request->error;
    request->error = NULL;
}

static shf_status no_memory(struct upload *upload) {
    return shf_error_set(&upload->error, SHF_E_NO_MEMORY, "no memory to write %s in parts", upload->url);
}

/* ---- what came of it ---- */

/* S3's ETag of an object in parts: the MD5 of the MD5s of its parts, and their number. False when theirs are none. */
static bool expected_etag(const struct upload *upload, char out[64]) {
    uint8_t digest[16];
    char text[2 * sizeof digest + 1];
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    bool ok = md5 && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1;
    for (uint32_t i = 0; ok && i < upload->part_count; i++) {
        const char *etag = upload->etags[i];
        ok = strlen(etag) == 34 && strspn(etag + 1, "0123456789abcdef") == 32;
        for (size_t at = 0; ok && at < sizeof digest; at++) {
            const char pair[] = {etag[1 + 2 * at], etag[2 + 2 * at], '\0'};
            digest[at] = (uint8_t)strtoul(pair, NULL, 16);
        }
        ok = ok && EVP_DigestUpdate(md5, digest, sizeof digest) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(md5, digest, NULL) == 1;
    EVP_MD_CTX_free(md5);
    if (!ok) return false;
    shf_hex_encode(digest, sizeof digest, text);
    (void)snprintf(out, 64, "\"%s-%" PRIu32 "\"", text, upload->part_count);
    return true;
}

static void looked(struct shf_store_request *head) {
    struct upload *upload = SHF_CONTAINER(head, struct part, request)->upload;
    char expected[64];
    bool fits = !head->status && head->object_size == upload->request->data_size;
    if (!upload->is_complete) { /* upload->status is the failure of the completion */
        if (fits && head->etag && expected_etag(upload, expected) && strcmp(head->etag, expected) == 0) {
            upload->is_complete = true;
            upload->status = SHF_OK;
            shf_error_free(upload->error);
            upload->error = NULL;
        }
    } else if (head->status) {
        take_failure(upload, head);
        shf_error_prefix(&upload->error, "it was written, but could not be looked at");
    } else if (!fits) {
        upload->status =
            shf_error_set(&upload->error, SHF_E_STORE_RETRY,
                          "%s was written with %" PRIu64 " bytes, but the server tells of %" PRIu64 "; try again",
                          upload->url, upload->request->data_size, head->object_size);
    }
    if (!upload->status && !upload->etag) {
        upload->etag = head->etag;
        head->etag = NULL;
        if (!upload->etag) {
            upload->status = shf_error_set(&upload->error, SHF_E_STORE, "%s: the server tells no ETag", upload->url);
        }
    }
    finish(upload);
}

static void completed(struct shf_store_request *request) {
    struct part *single = SHF_CONTAINER(request, struct part, request);
    struct upload *upload = single->upload;
    upload->is_complete = request->status == SHF_OK;
    take_failure(upload, request);
    upload->etag = request->etag;
    request->etag = NULL;
    upload->condition_ignored = request->condition_ignored;
    int32_t http = request->status ? shf_error_http_status(upload->error) : 0;
    bool was_lost = single->step.was_sent_again && (http == 404 || http == 412); /* an attempt before may have done it */
    if (!upload->is_complete && !was_lost) {
        finish(upload);
        return;
    }
    const struct shf_store_request head = {
        .verb = SHF_STORE_HEAD, .deadline_ns = upload->request->deadline_ns, .cancel = &upload->cancel, .done = looked};
    start_single(upload, 0, head);
}

static void add_etag(struct shf_text *list, const char *etag) {
    for (; *etag; etag++) {
        switch (*etag) {
        case '&': shf_text_add_string(list, "&amp;"); break;
        case '<': shf_text_add_string(list, "&lt;"); break;
        case '>': shf_text_add_string(list, "&gt;"); break;
        case '"': shf_text_add_string(list, "&quot;"); break;
        default: shf_text_add(list, etag, 1); break;
        }
    }
}

static void complete(struct upload *upload) {
    struct shf_text *list = &upload->list;
    shf_text_add_string(list, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (uint32_t i = 0; i < upload->part_count; i++) {
        shf_text_format(list, "<Part><PartNumber>%" PRIu32 "</PartNumber><ETag>", i + 1);
        add_etag(list, upload->etags[i]);
        shf_text_add_string(list, "</ETag></Part>");
    }
    shf_text_add_string(list, "</CompleteMultipartUpload>");
    if (list->failed) {
        upload->status = no_memory(upload);
        finish(upload);
        return;
    }
    const struct shf_store_request request = {.verb = SHF_STORE_PUT,
                                              .data = list->data,
                                              .data_size = list->size,
                                              .if_version = upload->request->if_version,
                                              .deadline_ns = upload->request->deadline_ns,
                                              .cancel = &upload->cancel,
                                              .done = completed};
    start_single(upload, SHF_S3_COMPLETE, request);
}

/* ---- parts ---- */

static void go_on(struct upload *upload);

static void part_ended(struct shf_store_request *request) {
    struct part *part = SHF_CONTAINER(request, struct part, request);
    struct upload *upload = part->upload;
    part->upload = NULL;
    upload->running--;
    if (request->status) {
        if (!upload->status) shf_error_prefix(&request->error, "part %u of %u", part->step.part, upload->part_count);
        take_failure(upload, request);
        shf_cancel_request(&upload->cancel); /* the others are of no use */
        shf_rt_sweep(upload->store->runtime);
    } else {
        upload->etags[part->step.part - 1] = request->etag;
        request->etag = NULL;
    }
    shf_store_request_clear(request);
    go_on(upload);
}

static void start_part(struct upload *upload, struct part *part) {
    const struct shf_store_request *whole = upload->request;
    uint64_t offset = upload->part_bytes * upload->begun, left = whole->data_size - offset;
    part->upload = upload;
    part->step = (struct shf_s3_step){
        .kind = SHF_S3_PART, .upload_id = upload->upload_id, .part = upload->begun + 1, .offset = offset};
    part->request = (struct shf_store_request){.verb = SHF_STORE_PUT,
                                               .key = upload->key,
                                               .body_fd = -1,
                                               .data = whole->data,
                                               .data_size = left < upload->part_bytes ? left : upload->part_bytes,
                                               .source_fd = whole->source_fd,
                                               .has_source = whole->has_source,
                                               .deadline_ns = whole->deadline_ns,
                                               .cancel = &upload->cancel,
                                               .done = part_ended};
    upload->begun++;
    upload->running++;
    shf_s3_call_start(upload->store, &part->request, &part->step);
}

static void go_on(struct upload *upload) {
    for (uint32_t i = 0; i < PARTS_AT_A_TIME && !upload->status && upload->begun < upload->part_count; i++) {
        if (!upload->parts[i].upload) start_part(upload, &upload->parts[i]);
    }
    if (upload->running) return;
    if (upload->status) {
        finish(upload);
    } else {
        complete(upload);
    }
}

/* ---- the beginning ---- */

static void begun(struct shf_store_request *request) {
    struct part *single = SHF_CONTAINER(request, struct part, request);
    struct upload *upload = single->upload;
    upload->upload_id = single->step.new_upload_id;
    single->step.new_upload_id = NULL;
    take_failure(upload, request);
    if (upload->status) {
        finish(upload);
    } else {
        go_on(upload);
    }
}

static void user_cancelled(struct shf_wait *wait, shf_status reason) {
    struct upload *upload = SHF_CONTAINER(wait, struct upload, wait);
    if (reason != SHF_E_CANCELLED) return; /* the end */
    shf_cancel_request(&upload->cancel);
    shf_rt_sweep(upload->store->runtime);
}

static void begin(struct shf_task *task) {
    struct upload *upload = SHF_CONTAINER(task, struct upload, task);
    const struct shf_store_request request = {.verb = SHF_STORE_PUT,
                                              .content_type = upload->request->content_type,
                                              .if_version = upload->request->if_version,
                                              .deadline_ns = upload->request->deadline_ns,
                                              .cancel = &upload->cancel,
                                              .done = begun};
    upload->wait =
        (struct shf_wait){.deadline_ns = SHF_DEADLINE_NONE, .cancel = upload->request->cancel, .wake = user_cancelled};
    shf_wait_begin(upload->store->runtime, &upload->wait);
    start_single(upload, SHF_S3_BEGIN, request);
}

/* As few parts as may be, of the store's size or, where there would be too many, of the next one up. */
static void divide(struct upload *upload, uint64_t size, uint64_t part_bytes) {
    uint64_t least = (size + SHF_S3_MOST_PARTS - 1) / SHF_S3_MOST_PARTS;
    least = (least + PART_STEP_BYTES - 1) / PART_STEP_BYTES * PART_STEP_BYTES;
    upload->part_bytes = size / SHF_S3_MOST_PARTS >= part_bytes ? least : part_bytes;
    upload->part_count = (uint32_t)((size + upload->part_bytes - 1) / upload->part_bytes);
}

void shf_s3_upload_start(struct shf_store *store, struct shf_store_request *request) {
    const struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    struct upload *upload = shf_alloc_zero(1, sizeof *upload);
    struct shf_text url = {0};
    shf_text_format(&url, "%s/%s", store->root_url, request->key);
    char *key = shf_strdup(request->key), *object_url = shf_text_take(&url);
    if (upload) divide(upload, request->data_size, s3->part_bytes);
    if (upload) upload->etags = shf_alloc_zero(upload->part_count, sizeof *upload->etags);
    if (!upload || !key || !object_url || !upload->etags) {
        if (upload) shf_free((void *)upload->etags);
        shf_free(upload);
        shf_free(key);
        shf_free(object_url);
        shf_s3_no_memory(store, request);
        return;
    }
    shf_rt_background_begin(store->runtime);
    upload->store = shf_store_retain(store);
    upload->request = request;
    upload->key = key;
    upload->url = object_url;
    shf_cancel_init(&upload->cancel);
    request->internal = upload;
    upload->task.run = begin;
    shf_rt_post_loop(store->runtime, &upload->task);
}
