/*
 * Opening a shard, a chain of steps on two kinds of thread:
 *
 *   loop    wait for a place among the reader's shard operations
 *   loop    HEAD of shard.db: size, ETag (or inode and time)          -> identity
 *   worker  in place (file://), or found in the cache: map and parse  -> ready
 *   loop    else GET with If-Match, streamed into a temporary
 *   worker  verify, put in place, map, parse                          -> ready; or not what HEAD told of: once more
 *   loop    tell the waiters
 *
 * The opening belongs to no operation: it goes on while at least one waiter is interested, and is cancelled when the
 * last one leaves.
 */
#include "reader/shard.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "reader/shard_separators.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct shf_shard_opening {
    struct shf_shard *shard; /* retained */
    struct shf_cancel cancel;
    struct shf_turn turn; /* among the reader's shard operations */
    bool has_place;
    struct shf_store_request request;
    struct shf_task worker, loop;
    struct shf_cache_key identity;
    struct shf_cache_writer writer;
    bool is_writing;
    uint64_t size; /* of the object, from HEAD */
    char *etag;
    struct shf_shard_waiter *waiters;
    uint64_t downloaded_bytes;
    bool needs_download, asked_again;
    shf_status status;
    struct shf_error *error;
};

struct shf_shard *shf_shard_retain(struct shf_shard *shard) {
    atomic_fetch_add_explicit(&shard->references, 1, memory_order_relaxed);
    return shard;
}

static void close_files(struct shf_shard *shard) {
    shf_buf_release(shard->layout_file.buf);
    shf_buf_release(shard->file.buf);
    shard->layout_file.buf = NULL;
    shard->file.buf = NULL;
}

void shf_shard_release(struct shf_shard *shard) {
    if (!shard || atomic_fetch_sub_explicit(&shard->references, 1, memory_order_acq_rel) != 1) return;
    shf_shard_free_separators(shard);
    close_files(shard);
    shf_free(shard->directory_key);
    shf_free(shard->object_key);
    shf_free(shard->object_url);
    shf_free(shard->checkpoint_id);
    shf_source_release(shard->source);
    shf_free(shard);
}

/* ---- the end: back on the loop, tell everybody ---- */

static shf_status begin_opening(struct shf_shard *shard, struct shf_error **error);

/* Somebody came after the last waiter had left and the opening was being cancelled: begin again for them. */
static bool begin_again(struct shf_shard_opening *opening) {
    struct shf_shard *shard = opening->shard;
    if (!opening->status || !opening->waiters || !shf_cancel_requested(&opening->cancel)) return false;
    shf_error_free(opening->error);
    opening->error = NULL;
    opening->status = begin_opening(shard, &opening->error);
    if (opening->status) return false; /* they were not cancelled: there is no memory */
    shard->opening->waiters = opening->waiters;
    opening->waiters = NULL;
    return true;
}

static void finish(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, loop);
    struct shf_shard *shard = opening->shard;
    shf_runtime *runtime = shard->source->runtime;
    shard->opening = NULL;
    if (opening->has_place) shf_limiter_done(&shard->source->limiter, SHF_PLACE_OPENING);
    if (opening->status) close_files(shard);
    atomic_store_explicit(&shard->state, opening->status ? SHF_SHARD_IDLE : SHF_SHARD_READY, memory_order_release);
    (void)begin_again(opening);
    if (opening->waiters) opening->waiters->downloaded_bytes = opening->downloaded_bytes;
    if (opening->error) {
        shf_error_prefix(&opening->error, "shard %u", shard->id);
        shf_error_set_shard(opening->error, shard->id);
        if (!*shf_error_object(opening->error)) shf_error_set_object(opening->error, shard->object_url);
    }
    while (opening->waiters) {
        struct shf_shard_waiter *waiter = opening->waiters;
        opening->waiters = waiter->next;
        waiter->error = shf_error_clone(opening->error);
        shf_wait_end(runtime, &waiter->wait, opening->status);
    }
    shf_error_free(opening->error);
    shf_free(opening->etag);
    shf_store_request_clear(&opening->request);
    shf_free(opening);
    shf_shard_release(shard);
    shf_rt_background_end(runtime);
}

static void finish_soon(struct shf_shard_opening *opening, shf_status status) {
    opening->status = status;
    opening->loop.run = finish;
    shf_rt_post_loop(opening->shard->source->runtime, &opening->loop);
}

static shf_status check_cancelled(struct shf_shard_opening *opening) {
    if (!shf_cancel_requested(&opening->cancel)) return SHF_OK;
    return shf_error_set(&opening->error, SHF_E_CANCELLED, "opening was cancelled: nobody waits for it any more");
}

/* ---- download ---- */

/* The object was replaced since HEAD looked at it. */
static bool is_replaced(const struct shf_store_request *request) {
    return request->status == SHF_E_LIMIT ||
           (request->status == SHF_E_STORE && shf_error_http_status(request->error) == 412);
}

/* What the writer told of it in the manifest. */
static bool is_as_written(const struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    const struct shf_store_request *request = &opening->request;
    if (!shard->has_object) return true;
    if (request->body_size != shard->object_size) return false;
    return !request->has_sha256 ||
           memcmp(request->received_sha256, shard->object_sha256, sizeof shard->object_sha256) == 0;
}

static shf_status not_as_written(struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    const struct shf_store_request *request = &opening->request;
    char wanted[65], got[65] = "unknown";
    shf_hex_encode(shard->object_sha256, sizeof shard->object_sha256, wanted);
    if (request->has_sha256) shf_hex_encode(request->received_sha256, sizeof request->received_sha256, got);
    return shf_error_set(&opening->error, SHF_E_CORRUPT,
                         "%s has %" PRIu64 " bytes with SHA-256 %s; the manifest tells of %" PRIu64
                         " bytes with SHA-256 %s: it was damaged or replaced",
                         shard->object_url, request->body_size, got, shard->object_size, wanted);
}

/* An ETag that is an MD5 (not of a multipart upload) must be that of the bytes. SHF_E_STORE_RETRY; SHF_E_CORRUPT when it is not what the manifest tells of. */
static shf_status verify_download(struct shf_shard_opening *opening) {
    const struct shf_store_request *request = &opening->request;
    if (is_replaced(request)) {
        return shf_error_set(&opening->error, SHF_E_STORE_RETRY,
                             "%s: the store sent another object than it had told of (ETag %s, %" PRIu64 " bytes): %s",
                             opening->shard->object_url, opening->etag ? opening->etag : "unknown", opening->size,
                             shf_error_message(request->error));
    }
    if (request->body_size != opening->size) {
        return shf_error_set(&opening->error, SHF_E_STORE_RETRY,
                             "%s: received %" PRIu64 " bytes of %" PRIu64 "; try again", opening->shard->object_url,
                             request->body_size, opening->size);
    }
    if (!is_as_written(opening)) return not_as_written(opening);
    if (!request->has_md5 || !opening->etag) return SHF_OK;
    size_t length = strlen(opening->etag);
    if (length != 34 || strspn(opening->etag + 1, "0123456789abcdefABCDEF") != 32) return SHF_OK;
    char digest[33];
    shf_hex_encode(request->md5, sizeof request->md5, digest);
    if (shf_ascii_equal_ignore_case(opening->etag + 1, 32, digest)) return SHF_OK;
    return shf_error_set(&opening->error, SHF_E_STORE_RETRY,
                         "%s: the bytes received have MD5 %s, the store's ETag says %s; try again",
                         opening->shard->object_url, digest, opening->etag);
}

static void ask_again(struct shf_task *task);

/* What came is not what HEAD told of: replaced in between, or damaged on its way. A second look is worth it, a third is not. */
static void start_again(struct shf_shard_opening *opening) {
    shf_log_write(shf_rt_log(opening->shard->source->runtime), SHF_LOG_WARNING, "asking once more: %s",
                  shf_error_message(opening->error));
    shf_error_free(opening->error);
    opening->error = NULL;
    opening->asked_again = true;
    opening->needs_download = false;
    opening->loop.run = ask_again;
    shf_rt_post_loop(opening->shard->source->runtime, &opening->loop);
}

static void commit_download(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, worker);
    struct shf_shard *shard = opening->shard;
    shf_status status = opening->request.status;
    bool differs = false;
    if (!status || is_replaced(&opening->request)) {
        status = verify_download(opening);
        differs = status != SHF_OK;
    } else {
        opening->error = opening->request.error;
        opening->request.error = NULL;
    }
    if (status) {
        shf_disk_cache_abort(&opening->writer);
        if (differs && !opening->asked_again) {
            start_again(opening);
            return;
        }
    } else {
        opening->downloaded_bytes = opening->request.body_size;
        status = shf_disk_cache_commit(&opening->writer, &opening->identity, "shard", &shard->file, &opening->error);
        if (!status) status = shf_shard_parse(shard, &opening->identity, &opening->error);
    }
    finish_soon(opening, status);
}

static void downloaded(struct shf_store_request *request) {
    struct shf_shard_opening *opening = SHF_CONTAINER(request, struct shf_shard_opening, request);
    opening->worker.run = commit_download;
    shf_rt_post_worker(opening->shard->source->runtime, &opening->worker);
}

static void start_download(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, loop);
    struct shf_store_request *request = &opening->request;
    shf_store_request_clear(request);
    request->verb = SHF_STORE_GET;
    request->key = opening->shard->object_key;
    request->if_match = opening->etag;
    request->max_bytes = opening->size;
    request->body_fd = opening->writer.fd;
    request->wants_sha256 = opening->shard->has_object;
    request->deadline_ns = SHF_DEADLINE_NONE; /* bounded by the store's inactivity limit */
    request->cancel = &opening->cancel;
    request->done = downloaded;
    shf_store_submit(opening->shard->store, request);
}

/* ---- what is it, and is it here? ---- */

static shf_status make_identity(struct shf_shard_opening *opening) {
    const struct shf_shard *shard = opening->shard;
    const struct shf_store_request *head = &opening->request;
    char size[24], inode[24], modified[24];
    (void)snprintf(size, sizeof size, "%" PRIu64, head->object_size);
    (void)snprintf(inode, sizeof inode, "%" PRIu64, head->inode);
    (void)snprintf(modified, sizeof modified, "%" PRId64, head->modified_ns);
    const char *parts[] = {"shard.db",
                           shard->store->endpoint ? shard->store->endpoint : "",
                           shard->object_url,
                           shard->checkpoint_id ? shard->checkpoint_id : "",
                           size,
                           opening->etag ? opening->etag : "",
                           inode,
                           modified};
    return shf_cache_key_make(parts, sizeof parts / sizeof parts[0], &opening->identity, &opening->error);
}

static shf_status map_in_place(struct shf_shard_opening *opening, const char *path) {
    struct shf_shard *shard = opening->shard;
    shf_status status = shf_map_file(shard->source->runtime, path, &shard->file, &opening->error);
    if (!status && shard->file.buf->size != opening->size) {
        status = shf_error_set(&opening->error, SHF_E_STORE_RETRY, "%s changed its size while it was opened; try again",
                               shard->object_url);
    }
    return status;
}

/* A private copy of a local file, or the start of a download. */
static shf_status bring_in(struct shf_shard_opening *opening, struct shf_disk_cache *cache, const char *path) {
    struct shf_shard *shard = opening->shard;
    shf_status status = shf_disk_cache_begin(cache, &opening->writer, &opening->error);
    if (status) return status;
    if (!path) {
        opening->needs_download = true;
        return SHF_OK;
    }
    status = shf_copy_file(path, opening->writer.fd, &opening->error);
    if (status) {
        shf_disk_cache_abort(&opening->writer);
        return status;
    }
    return shf_disk_cache_commit(&opening->writer, &opening->identity, "shard", &shard->file, &opening->error);
}

static shf_status locate(struct shf_shard_opening *opening) {
    struct shf_shard *shard = opening->shard;
    struct shf_disk_cache *cache;
    bool found = false;
    char *path = NULL;
    shf_status status = check_cancelled(opening);
    if (!status && opening->size == 0) {
        status = shf_error_set(&opening->error, SHF_E_CORRUPT, "%s is empty: it is no database", shard->object_url);
    }
    if (!status) status = make_identity(opening);
    if (status) return status;
    if (shard->store->class->local_path) path = shard->store->class->local_path(shard->store, shard->object_key);
    if (path && !(shard->source->flags & SHF_OPEN_PRIVATE_COPY)) {
        status = map_in_place(opening, path);
        goto done;
    }
    status = shf_source_cache(shard->source, &cache, &opening->error);
    if (!status)
        status = shf_disk_cache_find(cache, &opening->identity, "shard", &found, &shard->file, &opening->error);
    if (!status && !found) status = bring_in(opening, cache, path);
done:
    shf_free(path);
    return status;
}

static void locate_task(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, worker);
    shf_status status = locate(opening);
    if (!status && opening->needs_download) {
        opening->loop.run = start_download;
        shf_rt_post_loop(opening->shard->source->runtime, &opening->loop);
        return;
    }
    if (!status) status = shf_shard_parse(opening->shard, &opening->identity, &opening->error);
    finish_soon(opening, status);
}

/* No shard.db: say so, or say which other kind of database lies there. */
static void listed(struct shf_store_request *request) {
    struct shf_shard_opening *opening = SHF_CONTAINER(request, struct shf_shard_opening, request);
    for (size_t i = 0; !request->status && i < request->name_count; i++) {
        if (strcmp(request->names[i], "manifest/") != 0) continue;
        shf_error_free(opening->error);
        opening->error = NULL;
        opening->status = shf_error_set(&opening->error, SHF_E_UNSUPPORTED,
                                        "%s holds a SlateDB database; this version reads SQLite shards only",
                                        opening->shard->object_url);
        break;
    }
    finish_soon(opening, opening->status);
}

static void list_directory(struct shf_shard_opening *opening) {
    struct shf_store_request *request = &opening->request;
    shf_store_request_clear(request);
    request->verb = SHF_STORE_LIST;
    request->key = opening->shard->directory_key;
    request->deadline_ns = SHF_DEADLINE_NONE;
    request->cancel = &opening->cancel;
    request->done = listed;
    shf_store_submit(opening->shard->store, request);
}

static void headed(struct shf_store_request *request) {
    struct shf_shard_opening *opening = SHF_CONTAINER(request, struct shf_shard_opening, request);
    if (request->status) {
        opening->status = request->status;
        opening->error = request->error;
        request->error = NULL;
        if (request->status == SHF_E_NOT_FOUND) {
            list_directory(opening);
        } else {
            finish_soon(opening, opening->status);
        }
        return;
    }
    opening->size = request->object_size;
    shf_free(opening->etag);
    opening->etag = request->etag;
    request->etag = NULL;
    opening->worker.run = locate_task;
    shf_rt_post_worker(opening->shard->source->runtime, &opening->worker);
}

static void ask_head(struct shf_shard_opening *opening) {
    struct shf_store_request *request = &opening->request;
    request->verb = SHF_STORE_HEAD;
    request->key = opening->shard->object_key;
    request->body_fd = -1;
    request->deadline_ns = SHF_DEADLINE_NONE;
    request->cancel = &opening->cancel;
    request->done = headed;
    shf_store_submit(opening->shard->store, request);
}

static void ask_again(struct shf_task *task) {
    struct shf_shard_opening *opening = SHF_CONTAINER(task, struct shf_shard_opening, loop);
    shf_store_request_clear(&opening->request);
    ask_head(opening);
}

static void turn_came(struct shf_turn *turn, shf_status status) {
    struct shf_shard_opening *opening = SHF_CONTAINER(turn, struct shf_shard_opening, turn);
    opening->has_place = status == SHF_OK;
    if (opening->has_place) {
        ask_head(opening);
    } else {
        finish_soon(opening, check_cancelled(opening));
    }
}

static shf_status begin_opening(struct shf_shard *shard, struct shf_error **error) {
    struct shf_shard_opening *opening = shf_alloc_zero(1, sizeof *opening);
    if (!opening) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to open shard %u", shard->id);
    opening->shard = shf_shard_retain(shard);
    shf_cancel_init(&opening->cancel);
    shard->opening = opening;
    atomic_store_explicit(&shard->state, SHF_SHARD_OPENING, memory_order_relaxed);
    shf_rt_background_begin(shard->source->runtime);
    opening->turn = (struct shf_turn){.wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &opening->cancel},
                                      .place = SHF_PLACE_OPENING,
                                      .begin = turn_came};
    shf_limiter_wait(&shard->source->limiter, &opening->turn);
    return SHF_OK;
}

/* ---- waiters ---- */

static void waiter_woken(struct shf_wait *wait, shf_status reason) {
    struct shf_shard_waiter *waiter = SHF_CONTAINER(wait, struct shf_shard_waiter, wait);
    struct shf_shard_opening *opening = waiter->shard->opening;
    for (struct shf_shard_waiter **at = opening ? &opening->waiters : NULL; at && *at; at = &(*at)->next) {
        if (*at != waiter) continue;
        *at = waiter->next; /* left early: deadline or cancelled */
        if (!opening->waiters) {
            shf_cancel_request(&opening->cancel);
            shf_rt_sweep(waiter->shard->source->runtime);
        }
        break;
    }
    if (reason == SHF_E_DEADLINE && !waiter->error) {
        (void)shf_error_set(&waiter->error, reason,
                            "the time given to the operation ended while shard %u was being opened", waiter->shard->id);
    } else if (reason == SHF_E_CANCELLED && !waiter->error) {
        (void)shf_error_set(&waiter->error, reason, "cancelled while shard %u was being opened", waiter->shard->id);
    }
    struct shf_error *error = waiter->error;
    waiter->error = NULL;
    waiter->done(waiter, reason, error);
}

void shf_shard_wait(struct shf_shard *shard, struct shf_shard_waiter *waiter) {
    waiter->shard = shard;
    waiter->error = NULL;
    waiter->next = NULL;
    waiter->downloaded_bytes = 0;
    if (shf_shard_is_ready(shard)) {
        waiter->done(waiter, SHF_OK, NULL);
        return;
    }
    if (!shard->opening) {
        struct shf_error *error = NULL;
        shf_status status = begin_opening(shard, &error);
        if (status) {
            waiter->done(waiter, status, error);
            return;
        }
    }
    waiter->next = shard->opening->waiters;
    shard->opening->waiters = waiter;
    waiter->wait.wake = waiter_woken;
    shf_wait_begin(shard->source->runtime, &waiter->wait);
}
