#include "io/store_mem.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "io/copy_file.h"
#include "io/fs.h"
#include "io/store_body.h"
#include "io/store_names.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MD5_BYTES 16u

struct object {
    char *key, *etag;
    struct shf_buf *data;
};

struct mem_store {
    struct shf_store base;
    pthread_mutex_t mutex;  /* guards what follows */
    struct object *objects; /* sorted by the bytes of their keys */
    size_t count, capacity;
};

static struct mem_store *mem_of(struct shf_store *store) { return SHF_CONTAINER(store, struct mem_store, base); }

static bool md5_of(const void *data, size_t size, uint8_t out[MD5_BYTES]) {
    unsigned length = MD5_BYTES;
    return EVP_Digest(data, size, out, &length, EVP_md5(), NULL) == 1 && length == MD5_BYTES;
}

/* The index of the first object whose key is not below `key`. */
static size_t position_of(const struct mem_store *mem, const char *key) {
    size_t low = 0, high = mem->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(mem->objects[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct mem_store *mem, size_t index, const char *key) {
    return index < mem->count && strcmp(mem->objects[index].key, key) == 0;
}

static void object_free(struct object *object) {
    shf_free(object->key);
    shf_free(object->etag);
    shf_buf_release(object->data);
}

/* ---- putting ---- */

static char *md5_etag(const void *data, size_t size) {
    uint8_t md5[MD5_BYTES];
    char etag[2 * MD5_BYTES + 3] = "\"";
    if (!md5_of(data, size, md5)) return NULL;
    shf_hex_encode(md5, sizeof md5, etag + 1);
    memcpy(etag + 1 + 2 * MD5_BYTES, "\"", 2);
    return shf_strdup(etag);
}

static bool object_make(const char *key, const void *data, size_t size, const char *etag, struct object *out) {
    struct object object = {shf_strdup(key), etag ? shf_strdup(etag) : md5_etag(data, size), shf_buf_new(size)};
    if (!object.key || !object.etag || !object.data) {
        object_free(&object);
        return false;
    }
    if (size) memcpy(object.data->data, data, size);
    *out = object;
    return true;
}

static bool insert(struct mem_store *mem, const struct object *object) {
    size_t at = position_of(mem, object->key);
    if (is_at(mem, at, object->key)) {
        object_free(&mem->objects[at]);
        mem->objects[at] = *object;
        return true;
    }
    if (mem->count == mem->capacity) {
        size_t capacity = mem->capacity ? mem->capacity * 2 : 16;
        struct object *grown = shf_realloc_array(mem->objects, capacity, sizeof *grown);
        if (!grown) return false;
        mem->objects = grown;
        mem->capacity = capacity;
    }
    memmove(mem->objects + at + 1, mem->objects + at, (mem->count - at) * sizeof *mem->objects);
    mem->objects[at] = *object;
    mem->count++;
    return true;
}

shf_status shf_store_mem_put(struct shf_store *store, const char *key, const void *data, size_t size, const char *etag) {
    struct mem_store *mem = mem_of(store);
    struct object object;
    if (!object_make(key, data, size, etag, &object)) return SHF_E_NO_MEMORY;
    (void)pthread_mutex_lock(&mem->mutex);
    bool ok = insert(mem, &object);
    (void)pthread_mutex_unlock(&mem->mutex);
    if (!ok) object_free(&object);
    return ok ? SHF_OK : SHF_E_NO_MEMORY;
}

bool shf_store_mem_remove(struct shf_store *store, const char *key) {
    struct mem_store *mem = mem_of(store);
    (void)pthread_mutex_lock(&mem->mutex);
    size_t at = position_of(mem, key);
    bool found = is_at(mem, at, key);
    if (found) {
        object_free(&mem->objects[at]);
        mem->count--;
        memmove(mem->objects + at, mem->objects + at + 1, (mem->count - at) * sizeof *mem->objects);
    }
    (void)pthread_mutex_unlock(&mem->mutex);
    return found;
}

/* ---- answering ---- */

static shf_status fail(struct shf_store_request *request, shf_status status, int32_t http_status, const char *url,
                       const char *why) {
    (void)shf_error_set(&request->error, status, "%s %s", url, why);
    shf_error_set_http_status(request->error, http_status);
    return status;
}

/* The object as it is now: its data retained, its ETag in the request. */
static shf_status look_up(struct mem_store *mem, struct shf_store_request *request, const char *url,
                          struct shf_buf **out) {
    shf_status status = SHF_OK;
    (void)pthread_mutex_lock(&mem->mutex);
    size_t at = position_of(mem, request->key);
    const struct object *object = is_at(mem, at, request->key) ? &mem->objects[at] : NULL;
    if (!object) {
        status = fail(request, SHF_E_NOT_FOUND, 404, url, "does not exist");
    } else if (request->verb == SHF_STORE_GET && request->if_match && strcmp(request->if_match, object->etag) != 0) {
        status = fail(request, SHF_E_STORE, 412, url, "is not what it was: its ETag differs");
    } else if (!(request->etag = shf_strdup(object->etag)) || !(request->version = shf_strdup(object->etag))) {
        status = fail(request, SHF_E_NO_MEMORY, 0, url, "found no memory");
    } else {
        request->object_size = object->data->size;
        *out = shf_buf_retain(object->data);
    }
    (void)pthread_mutex_unlock(&mem->mutex);
    return status;
}

static shf_status hand_over(struct mem_store *mem, struct shf_store_request *request, const char *url,
                            const uint8_t *data, uint64_t size) {
    if (request->body_fd < 0) {
        shf_status status = shf_store_body_new(mem->base.runtime, size, url, &request->body, &request->error);
        if (status) return status;
        memcpy(request->body->data, data, (size_t)size);
    } else if (shf_fs_write(request->body_fd, data, (size_t)size, 0) != 0) {
        return shf_fs_error(&request->error, SHF_E_LOCAL, errno, "cannot write the local copy of %s", url);
    } else if (!request->has_range) {
        unsigned length = sizeof request->received_sha256;
        request->has_md5 = md5_of(data, (size_t)size, request->md5);
        request->has_sha256 = request->wants_sha256 &&
                              EVP_Digest(data, (size_t)size, request->received_sha256, &length, EVP_sha256(), NULL) == 1;
    }
    request->body_size = size;
    return SHF_OK;
}

static shf_status answer_object(struct mem_store *mem, struct shf_store_request *request, const char *url) {
    struct shf_buf *data = NULL;
    shf_status status = look_up(mem, request, url, &data);
    if (status || request->verb == SHF_STORE_HEAD) goto done;
    uint64_t offset = request->has_range ? request->range_offset : 0;
    uint64_t size = request->has_range ? request->range_size : data->size;
    if (offset > data->size || size > data->size - offset) {
        status = fail(request, SHF_E_STORE, 416, url, "is shorter than the range");
    } else if (size > request->max_bytes) {
        status = fail(request, SHF_E_LIMIT, 0, url, "is larger than is allowed here");
    } else {
        status = hand_over(mem, request, url, data->data + offset, size);
    }
done:
    shf_buf_release(data);
    return status;
}

/* ---- PUT and DELETE ---- */

static shf_status read_source(struct shf_store_request *request, const char *url, struct shf_buf **out) {
    struct shf_buf *data = request->data_size <= PTRDIFF_MAX ? shf_buf_new((size_t)request->data_size) : NULL;
    if (!data) return fail(request, SHF_E_NO_MEMORY, 0, url, "found no memory");
    ssize_t got = shf_fs_read(request->source_fd, data->data, data->size, 0);
    if (got == (ssize_t)data->size) {
        *out = data;
        return SHF_OK;
    }
    shf_buf_release(data);
    if (got < 0) return shf_fs_error(&request->error, SHF_E_LOCAL, errno, "cannot read the source of %s", url);
    return fail(request, SHF_E_LOCAL, 0, url, "was not written: its source is shorter than its size");
}

/* Under the mutex. S3 says 404 where an object was to be replaced and there is none; here as everywhere it is 412. */
static bool meets_condition(const struct mem_store *mem, const struct shf_store_request *request) {
    size_t at = position_of(mem, request->key);
    bool is_there = is_at(mem, at, request->key);
    if (!request->if_version) return true;
    if (!*request->if_version) return !is_there;
    return is_there && strcmp(request->if_version, mem->objects[at].etag) == 0;
}

static shf_status answer_put(struct mem_store *mem, struct shf_store_request *request, const char *url) {
    struct object object = {0};
    struct shf_buf *source = NULL;
    shf_status status = request->has_source ? read_source(request, url, &source) : SHF_OK;
    if (status) return status;
    const void *data = source ? source->data : request->data;
    bool ok = object_make(request->key, data ? data : "", (size_t)request->data_size, NULL, &object);
    shf_buf_release(source);
    if (ok) {
        request->etag = shf_strdup(object.etag);
        request->version = shf_strdup(object.etag);
    }
    if (!ok || !request->etag || !request->version) {
        if (ok) object_free(&object);
        return fail(request, SHF_E_NO_MEMORY, 0, url, "found no memory");
    }
    (void)pthread_mutex_lock(&mem->mutex);
    bool fits = meets_condition(mem, request);
    ok = fits && insert(mem, &object);
    (void)pthread_mutex_unlock(&mem->mutex);
    if (ok) {
        request->object_size = request->data_size;
        return SHF_OK;
    }
    object_free(&object);
    return fits ? fail(request, SHF_E_NO_MEMORY, 0, url, "found no memory")
                : fail(request, SHF_E_STORE, 412, url, "was not written: the object is not what it was");
}

/* ---- LIST ---- */

/* The names come sorted, except that "a/" stands for "a/...": doubles are neighbours. */
static bool add_name(struct shf_store_names *list, const char *name, const struct object *object) {
    size_t size = strcspn(name, "/");
    bool is_directory = name[size] == '/';
    if (is_directory) size++;
    const char *last = list->count ? list->names[list->count - 1] : NULL;
    if (!size || (last && strlen(last) == size && memcmp(last, name, size) == 0)) return true;
    bool has_version = list->wants_versions && !is_directory;
    char *version = has_version ? shf_strdup(object->etag) : NULL;
    if (has_version && !version) return false;
    return shf_store_names_add(list, shf_strndup(name, size), version);
}

static shf_status answer_list(struct mem_store *mem, struct shf_store_request *request, const char *url) {
    struct shf_store_names list = {.wants_versions = request->wants_versions};
    size_t prefix = strlen(request->key);
    bool ok = true;
    (void)pthread_mutex_lock(&mem->mutex);
    for (size_t i = position_of(mem, request->key); ok && i < mem->count; i++) {
        const struct object *object = &mem->objects[i];
        if (strncmp(object->key, request->key, prefix) != 0) break;
        ok = add_name(&list, object->key + prefix, object);
    }
    (void)pthread_mutex_unlock(&mem->mutex);
    if (ok) {
        shf_store_names_give(&list, request);
        return SHF_OK;
    }
    shf_store_names_free(&list);
    return fail(request, SHF_E_NO_MEMORY, 0, url, "could not be listed: no memory");
}

static shf_status answer(struct mem_store *mem, struct shf_store_request *request, const char *url) {
    shf_status status = shf_copy_check(request->cancel, request->deadline_ns, url, &request->error);
    if (status) return status;
    switch (request->verb) {
    case SHF_STORE_LIST: return answer_list(mem, request, url);
    case SHF_STORE_PUT: return answer_put(mem, request, url);
    case SHF_STORE_DELETE: (void)shf_store_mem_remove(&mem->base, request->key); return SHF_OK;
    default: return answer_object(mem, request, url);
    }
}

static void deliver(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    struct shf_store *store = request->internal;
    request->internal = NULL;
    request->done(request);
    shf_store_release(store);
}

static void answer_on_worker(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    struct shf_store *store = request->internal;
    struct mem_store *mem = mem_of(store);
    struct shf_text text = {0};
    shf_text_format(&text, "%s/%s", store->root_url, request->key);
    char *url = shf_text_take(&text);
    const char *name = url ? url : request->key;
    atomic_fetch_add_explicit(&shf_rt_counters(store->runtime)->store_requests, 1, memory_order_relaxed);
    shf_status status = answer(mem, request, name);
    if (request->error) shf_error_set_object(request->error, name);
    shf_free(url);
    request->status = status;
    if (!status && request->verb == SHF_STORE_PUT) {
        atomic_fetch_add_explicit(&shf_rt_counters(store->runtime)->uploaded_bytes, request->data_size,
                                  memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&shf_rt_counters(store->runtime)->downloaded_bytes, request->body_size,
                              memory_order_relaxed);
    request->task.run = deliver;
    shf_rt_post_loop(store->runtime, &request->task);
}

static void submit(struct shf_store *store, struct shf_store_request *request) {
    request->internal = shf_store_retain(store);
    request->task.run = answer_on_worker;
    shf_rt_post_worker(store->runtime, &request->task);
}

static void destroy(struct shf_store *store) {
    struct mem_store *mem = mem_of(store);
    for (size_t i = 0; i < mem->count; i++) object_free(&mem->objects[i]);
    (void)pthread_mutex_destroy(&mem->mutex);
    shf_free(mem->objects);
    shf_free(store->root_url);
    shf_free(store->endpoint);
    shf_free(mem);
}

shf_status shf_store_mem_new(shf_runtime *runtime, const char *root_url, struct shf_store **out,
                             struct shf_error **error) {
    static const struct shf_store_class class = {"mem", submit, NULL, destroy, NULL};
    struct mem_store *mem = shf_alloc_zero(1, sizeof *mem);
    char *url = shf_strdup(root_url), *endpoint = shf_strdup("mem");
    if (!mem || !url || !endpoint) {
        shf_free(mem);
        shf_free(url);
        shf_free(endpoint);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the store %s", root_url);
    }
    mem->base.class = &class;
    atomic_init(&mem->base.references, 1);
    mem->base.runtime = runtime;
    mem->base.root_url = url;
    mem->base.endpoint = endpoint;
    (void)pthread_mutex_init(&mem->mutex, NULL); /* does not fail on Linux with default attributes */
    *out = &mem->base;
    return SHF_OK;
}
