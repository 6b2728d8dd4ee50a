/* file:///: requests are answered by a worker, delivered on the loop. */
#include "base/alloc.h"
#include "base/text.h"
#include "io/copy_file.h"
#include "io/fs.h"
#include "io/mapped_file.h"
#include "io/store_body.h"
#include "io/store_file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define READ_PIECE_BYTES (UINT64_C(8) << 20) /* between two looks at the token */

/* A segment ".." is refused here as well, whatever was checked before; a C string holds no NUL. */
static bool key_is_sane(const char *key) {
    if (key[0] == '/') return false;
    for (const char *segment = key;;) {
        size_t size = strcspn(segment, "/");
        if (size == 2 && segment[0] == '.' && segment[1] == '.') return false;
        if (!segment[size]) return true;
        segment += size + 1;
    }
}

static shf_status check_now(const struct shf_file_answer *answer) {
    return shf_copy_check(answer->request->cancel, answer->request->deadline_ns, answer->url, answer->error);
}

/* ---- HEAD and GET ---- */

static shf_status open_object(const struct shf_file_answer *answer, int *out, struct stat *found) {
    int fd = shf_fs_open(AT_FDCWD, answer->path, O_RDONLY | O_NONBLOCK, 0); /* NONBLOCK: a FIFO must not hang us */
    if (fd < 0) return shf_fs_error(answer->error, shf_fs_status(errno), errno, "cannot open %s", answer->url);
    shf_status status = SHF_OK;
    if (shf_fs.fstat(fd, found) != 0) {
        status = shf_fs_error(answer->error, SHF_E_LOCAL, errno, "cannot look at %s", answer->url);
    } else if (S_ISDIR(found->st_mode)) {
        status = shf_error_set(answer->error, SHF_E_NOT_FOUND, "%s is a directory, not an object", answer->url);
    } else if (!S_ISREG(found->st_mode)) {
        status = shf_error_set(answer->error, SHF_E_LOCAL, "%s is not a regular file", answer->url);
    }
    if (status) {
        shf_fs_close(fd);
        return status;
    }
    answer->request->object_size = (uint64_t)found->st_size;
    answer->request->modified_ns = shf_fs_modified_ns(found);
    answer->request->inode = (uint64_t)found->st_ino;
    answer->request->version = shf_file_version(found);
    if (!answer->request->version) {
        shf_fs_close(fd);
        return shf_error_set(answer->error, SHF_E_NO_MEMORY, "no memory to read %s", answer->url);
    }
    *out = fd;
    return SHF_OK;
}

/* Which bytes are asked for, of an object of this size. */
static shf_status choose_range(const struct shf_file_answer *answer, uint64_t *offset, uint64_t *size) {
    const struct shf_store_request *request = answer->request;
    *offset = request->has_range ? request->range_offset : 0;
    *size = request->has_range ? request->range_size : request->object_size;
    if (request->if_match) {
        shf_status status = shf_error_set(answer->error, SHF_E_STORE, "%s is not what it was: files have no ETag %s",
                                          answer->url, request->if_match);
        if (answer->error) shf_error_set_http_status(*answer->error, 412);
        return status;
    }
    if (*offset > request->object_size || *size > request->object_size - *offset) {
        return shf_error_set(answer->error, SHF_E_STORE,
                             "%s has %" PRIu64 " bytes: it is shorter than the range %" PRIu64 "+%" PRIu64, answer->url,
                             request->object_size, *offset, *size);
    }
    if (*size > request->max_bytes) {
        return shf_error_set(answer->error, SHF_E_LIMIT,
                             "%s: %" PRIu64 " bytes are more than the %" PRIu64 " allowed here", answer->url, *size,
                             request->max_bytes);
    }
    return SHF_OK;
}

static shf_status changed(const struct shf_file_answer *answer) {
    return shf_error_set(answer->error, SHF_E_STORE_RETRY, "%s changed while it was read; try again", answer->url);
}

static shf_status read_to_memory(const struct shf_file_answer *answer, int fd, uint64_t offset, uint64_t size) {
    struct shf_buf *body = NULL;
    struct shf_store_request *request = answer->request;
    shf_status status = shf_store_body_new(request->internal, size, answer->url, &body, answer->error);
    if (status) return status;
    uint64_t done = 0;
    while (!status && done < size) {
        status = check_now(answer);
        if (status) break;
        uint64_t piece = size - done < READ_PIECE_BYTES ? size - done : READ_PIECE_BYTES;
        ssize_t got = shf_fs_read(fd, body->data + done, (size_t)piece, offset + done);
        if (got < 0) {
            status = shf_fs_error(answer->error, shf_fs_status(errno), errno, "cannot read %s", answer->url);
        } else if ((uint64_t)got < piece) {
            status = changed(answer);
        } else {
            done += (uint64_t)got;
        }
    }
    if (status) {
        shf_buf_release(body);
        return status;
    }
    request->body = body;
    request->body_size = size;
    return SHF_OK;
}

static shf_status copy_to_file(const struct shf_file_answer *answer, int fd, uint64_t offset, uint64_t size) {
    struct shf_store_request *request = answer->request;
    const struct shf_copy copy = {.from = fd,
                                  .to = request->body_fd,
                                  .from_offset = offset,
                                  .size = size,
                                  .is_whole = !request->has_range,
                                  .cancel = request->cancel,
                                  .deadline_ns = request->deadline_ns};
    uint64_t copied = 0;
    shf_status status = shf_copy_run(&copy, answer->url, &copied, answer->error);
    if (status) return status;
    if (copied != size) return changed(answer);
    request->body_size = size;
    return SHF_OK;
}

/* Takes fd. */
static shf_status map(const struct shf_file_answer *answer, int fd, uint64_t size) {
    struct shf_store_request *request = answer->request;
    struct shf_mapped_file mapped;
    shf_status status = shf_mapped_file_new(request->internal, NULL, fd, size, answer->url, &mapped, answer->error);
    if (status) return status;
    request->body = mapped.buf;
    request->body_size = size;
    return SHF_OK;
}

static shf_status answer_get(const struct shf_file_answer *answer) {
    struct shf_store_request *request = answer->request;
    struct stat before;
    uint64_t offset, size;
    int fd;
    shf_status status = open_object(answer, &fd, &before);
    if (status) return status;
    status = choose_range(answer, &offset, &size);
    if (!status && request->may_map && request->body_fd < 0 && !request->has_range && size > 0) {
        return map(answer, fd, size);
    }
    if (!status && request->body_fd >= 0) {
        status = copy_to_file(answer, fd, offset, size);
    } else if (!status) {
        status = read_to_memory(answer, fd, offset, size);
    }
    if (!status) status = shf_copy_check_same(fd, &before, answer->url, "read", answer->error);
    shf_fs_close(fd);
    return status;
}

static shf_status answer_head(const struct shf_file_answer *answer) {
    struct stat found;
    int fd;
    shf_status status = open_object(answer, &fd, &found);
    if (!status) shf_fs_close(fd);
    return status;
}

/* ---- the way of a request ---- */

static shf_status dispatch(const struct shf_file_answer *answer) {
    struct shf_store_request *request = answer->request;
    if (!key_is_sane(request->key) || (request->verb != SHF_STORE_LIST && !request->key[0])) {
        return shf_error_set(answer->error, SHF_E_INVALID, "%s can not be the name of an object", answer->url);
    }
    shf_status status = check_now(answer);
    if (status) return status;
    switch (request->verb) {
    case SHF_STORE_GET: return answer_get(answer);
    case SHF_STORE_HEAD: return answer_head(answer);
    case SHF_STORE_LIST: return shf_file_list(answer);
    case SHF_STORE_PUT: return shf_file_put(answer);
    case SHF_STORE_DELETE: return shf_file_delete(answer);
    default: return shf_error_set(answer->error, SHF_E_INTERNAL, "%s: no such verb of a store", answer->url);
    }
}

static void deliver(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    request->internal = NULL;
    request->done(request);
}

static void answer_on_worker(struct shf_task *task) {
    struct shf_store_request *request = SHF_CONTAINER(task, struct shf_store_request, task);
    shf_runtime *runtime = request->internal;
    struct shf_rt_counters *counters = shf_rt_counters(runtime);
    struct shf_text url = {0};
    shf_text_format(&url, "file:///%s", request->key);
    struct shf_file_answer answer = {.request = request, .url = shf_text_take(&url), .error = &request->error};
    atomic_fetch_add_explicit(&counters->store_requests, 1, memory_order_relaxed);
    if (answer.url) {
        answer.path = answer.url + strlen("file://");
        request->status = dispatch(&answer);
        if (request->error) shf_error_set_object(request->error, answer.url);
    } else {
        request->status =
            shf_error_set(&request->error, SHF_E_NO_MEMORY, "no memory for a request to file:///%s", request->key);
    }
    shf_free(answer.url);
    if (request->status) { /* nothing half read goes out */
        shf_buf_release(request->body);
        shf_free(request->version);
        request->body = NULL;
        request->version = NULL;
        request->body_size = 0;
    }
    if (!request->status && request->verb == SHF_STORE_PUT) {
        atomic_fetch_add_explicit(&counters->uploaded_bytes, request->data_size, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&counters->downloaded_bytes, request->body_size, memory_order_relaxed);
    request->task.run = deliver;
    shf_rt_post_loop(runtime, &request->task);
}

static void submit(struct shf_store *store, struct shf_store_request *request) {
    request->internal = store->runtime; /* all that the answer needs: the store may be released meanwhile */
    request->task.run = answer_on_worker;
    shf_rt_post_worker(store->runtime, &request->task);
}

static char *local_path(struct shf_store *store, const char *key) {
    struct shf_text path = {0};
    (void)store;
    if (!key_is_sane(key)) return NULL;
    shf_text_format(&path, "/%s", key);
    return shf_text_take(&path);
}

static void destroy(struct shf_store *store) {
    shf_free(store->root_url);
    shf_free(store->endpoint);
    shf_free(store);
}

shf_status shf_store_file_new(shf_runtime *runtime, struct shf_store **out, struct shf_error **error) {
    static const struct shf_store_class class = {"file", submit, local_path, destroy, NULL};
    struct shf_store *store = shf_alloc_zero(1, sizeof *store);
    char *root_url = shf_strdup("file:///"), *endpoint = shf_strdup("");
    if (!store || !root_url || !endpoint) {
        shf_free(store);
        shf_free(root_url);
        shf_free(endpoint);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the file store");
    }
    store->class = &class;
    atomic_init(&store->references, 1);
    store->runtime = runtime;
    store->root_url = root_url;
    store->endpoint = endpoint;
    *out = store;
    return SHF_OK;
}
