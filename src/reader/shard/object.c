#include "reader/shard/object.h"

#include "base/alloc.h"
#include "base/text.h"
#include "reader/shard/shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *shf_store_url_of(const struct shf_store *store, const char *key) {
    const char *root = store->root_url;
    size_t length = strlen(root);
    struct shf_text url = {0};
    shf_text_add(&url, root, length);
    if (length == 0 || root[length - 1] != '/') shf_text_add_string(&url, "/");
    shf_text_add_string(&url, key);
    return shf_text_take(&url);
}

static shf_runtime *runtime_of(const struct shf_object *object) { return object->shard->source->runtime; }

void shf_object_clear(struct shf_object *object) {
    shf_store_request_clear(&object->request);
    shf_buf_release(object->file.buf);
    shf_error_free(object->error);
    shf_free(object->url);
    shf_free(object->etag);
    shf_free(object->key);
    *object = (struct shf_object){0};
}

/* On a worker. */
static void end(struct shf_object *object, shf_status status) {
    object->status = status;
    if (object->error && object->url && !*shf_error_object(object->error)) {
        shf_error_set_object(object->error, object->url);
    }
    shf_store_request_clear(&object->request);
    object->done(object);
}

/* ---- download ---- */

/* The object was replaced since HEAD looked at it. */
static bool is_replaced(const struct shf_store_request *request) {
    return request->status == SHF_E_LIMIT ||
           (request->status == SHF_E_STORE && shf_error_http_status(request->error) == 412);
}

/* What the writer told of it in the manifest. */
static bool is_as_written(const struct shf_object *object) {
    const struct shf_store_request *request = &object->request;
    if (!object->expected_sha256) return true;
    if (request->body_size != object->expected_size) return false;
    return !request->has_sha256 || memcmp(request->received_sha256, object->expected_sha256, 32) == 0;
}

static shf_status not_as_written(struct shf_object *object) {
    const struct shf_store_request *request = &object->request;
    char wanted[65], got[65] = "unknown";
    shf_hex_encode(object->expected_sha256, 32, wanted);
    if (request->has_sha256) shf_hex_encode(request->received_sha256, sizeof request->received_sha256, got);
    return shf_error_set(&object->error, SHF_E_CORRUPT,
                         "%s has %" PRIu64 " bytes with SHA-256 %s; the manifest tells of %" PRIu64
                         " bytes with SHA-256 %s: it was damaged or replaced",
                         object->url, request->body_size, got, object->expected_size, wanted);
}

/* An ETag that is an MD5 (not of a multipart upload) must be that of the bytes. SHF_E_STORE_RETRY; SHF_E_CORRUPT when it is not what the manifest tells of. */
static shf_status verify_download(struct shf_object *object) {
    const struct shf_store_request *request = &object->request;
    if (is_replaced(request)) {
        return shf_error_set(&object->error, SHF_E_STORE_RETRY,
                             "%s: the store sent another object than it had told of (ETag %s, %" PRIu64 " bytes): %s",
                             object->url, object->etag ? object->etag : "unknown", object->size,
                             shf_error_message(request->error));
    }
    if (request->body_size != object->size) {
        return shf_error_set(&object->error, SHF_E_STORE_RETRY,
                             "%s: received %" PRIu64 " bytes of %" PRIu64 "; try again", object->url,
                             request->body_size, object->size);
    }
    if (!is_as_written(object)) return not_as_written(object);
    if (!request->has_md5 || !object->etag) return SHF_OK;
    size_t length = strlen(object->etag);
    if (length != 34 || strspn(object->etag + 1, "0123456789abcdefABCDEF") != 32) return SHF_OK;
    char digest[33];
    shf_hex_encode(request->md5, sizeof request->md5, digest);
    if (shf_ascii_equal_ignore_case(object->etag + 1, 32, digest)) return SHF_OK;
    return shf_error_set(&object->error, SHF_E_STORE_RETRY,
                         "%s: the bytes received have MD5 %s, the store's ETag says %s; try again", object->url, digest,
                         object->etag);
}

static void ask_head(struct shf_object *object);

/* What came is not what HEAD told of: replaced in between, or damaged on its way. A second look is worth it, a third is not. */
static void start_again(struct shf_object *object) {
    shf_log_write(shf_rt_log(runtime_of(object)), SHF_LOG_WARNING, "asking once more: %s",
                  shf_error_message(object->error));
    shf_error_free(object->error);
    object->error = NULL;
    object->asked_again = true;
    object->needs_download = false;
    ask_head(object);
}

static void commit_task(struct shf_task *task) {
    struct shf_object *object = SHF_CONTAINER(task, struct shf_object, task);
    shf_status status = object->request.status;
    bool differs = false;
    if (!status || is_replaced(&object->request)) {
        status = verify_download(object);
        differs = status != SHF_OK;
    } else {
        object->error = object->request.error;
        object->request.error = NULL;
    }
    if (status) {
        shf_disk_cache_abort(&object->writer);
        if (differs && !object->asked_again) {
            start_again(object);
            return;
        }
    } else {
        object->downloaded_bytes = object->request.body_size;
        status = shf_disk_cache_commit(&object->writer, &object->identity, object->kind, &object->file, &object->error);
    }
    end(object, status);
}

static void downloaded(struct shf_store_request *request) {
    struct shf_object *object = SHF_CONTAINER(request, struct shf_object, request);
    object->task.run = commit_task;
    shf_rt_post_worker(runtime_of(object), &object->task);
}

static void start_download(struct shf_object *object) {
    struct shf_store_request *request = &object->request;
    shf_store_request_clear(request);
    request->if_match = object->etag;
    request->max_bytes = object->size;
    request->body_fd = object->writer.fd;
    request->wants_sha256 = object->expected_sha256 != NULL;
    shf_shard_ask(object->shard, request, SHF_STORE_GET, object->key, object->cancel, downloaded);
}

/* ---- what is it, and is it here? ---- */

static shf_status make_identity(struct shf_object *object) {
    const struct shf_shard *shard = object->shard;
    const struct shf_store_request *head = &object->request;
    char size[24], inode[24], modified[24];
    (void)snprintf(size, sizeof size, "%" PRIu64, head->object_size);
    (void)snprintf(inode, sizeof inode, "%" PRIu64, head->inode);
    (void)snprintf(modified, sizeof modified, "%" PRId64, head->modified_ns);
    const char *parts[] = {object->kind, shard->store->endpoint ? shard->store->endpoint : "",
                           object->url,  shard->checkpoint_id ? shard->checkpoint_id : "",
                           size,         object->etag ? object->etag : "",
                           inode,        modified};
    return shf_cache_key_make(parts, sizeof parts / sizeof parts[0], &object->identity, &object->error);
}

static shf_status map_in_place(struct shf_object *object, const char *path) {
    shf_status status = shf_map_file(runtime_of(object), path, &object->file, &object->error);
    if (!status && object->file.buf->size != object->size) {
        status = shf_error_set(&object->error, SHF_E_STORE_RETRY, "%s changed its size while it was opened; try again",
                               object->url);
    }
    return status;
}

/* A private copy of a local file, or the start of a download. */
static shf_status bring_in(struct shf_object *object, struct shf_disk_cache *cache, const char *path) {
    shf_status status = shf_disk_cache_begin(cache, &object->writer, &object->error);
    if (status) return status;
    if (!path) {
        object->needs_download = true;
        return SHF_OK;
    }
    status = shf_copy_file(path, object->writer.fd, &object->error);
    if (status) {
        shf_disk_cache_abort(&object->writer);
        return status;
    }
    return shf_disk_cache_commit(&object->writer, &object->identity, object->kind, &object->file, &object->error);
}

static shf_status locate(struct shf_object *object) {
    const struct shf_shard *shard = object->shard;
    struct shf_disk_cache *cache;
    bool found = false;
    char *path = NULL;
    shf_status status = shf_shard_check_cancelled(object->cancel, &object->error);
    if (!status && object->size == 0) {
        status =
            shf_error_set(&object->error, SHF_E_CORRUPT, "%s is empty; it was damaged, or never written", object->url);
    }
    if (!status) status = make_identity(object);
    if (status) return status;
    if (shard->store->class->local_path) path = shard->store->class->local_path(shard->store, object->key);
    if (path && !(shard->source->flags & SHF_OPEN_PRIVATE_COPY)) {
        status = map_in_place(object, path);
        goto done;
    }
    status = shf_source_cache(shard->source, &cache, &object->error);
    if (!status)
        status = shf_disk_cache_find(cache, &object->identity, object->kind, &found, &object->file, &object->error);
    if (!status && !found) status = bring_in(object, cache, path);
done:
    shf_free(path);
    return status;
}

static void locate_task(struct shf_task *task) {
    struct shf_object *object = SHF_CONTAINER(task, struct shf_object, task);
    shf_status status = object->request.status;
    if (status) {
        object->error = object->request.error;
        object->request.error = NULL;
    } else {
        object->size = object->request.object_size;
        shf_free(object->etag);
        object->etag = object->request.etag;
        object->request.etag = NULL;
        status = locate(object);
    }
    if (!status && object->needs_download) {
        start_download(object);
    } else {
        end(object, status);
    }
}

static void headed(struct shf_store_request *request) {
    struct shf_object *object = SHF_CONTAINER(request, struct shf_object, request);
    object->task.run = locate_task;
    shf_rt_post_worker(runtime_of(object), &object->task);
}

static void ask_head(struct shf_object *object) {
    struct shf_store_request *request = &object->request;
    shf_store_request_clear(request);
    request->body_fd = -1;
    shf_shard_ask(object->shard, request, SHF_STORE_HEAD, object->key, object->cancel, headed);
}

static void no_memory_task(struct shf_task *task) {
    struct shf_object *object = SHF_CONTAINER(task, struct shf_object, task);
    end(object, shf_error_set(&object->error, SHF_E_NO_MEMORY, "no memory for the name of an object"));
}

void shf_object_start(struct shf_object *object) {
    object->url = object->key ? shf_store_url_of(object->shard->store, object->key) : NULL;
    if (object->url) {
        ask_head(object);
        return;
    }
    object->task.run = no_memory_task;
    shf_rt_post_worker(runtime_of(object), &object->task);
}
