#include "io/body_file.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static shf_status take_buffers(struct shf_body_file *file, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(file->runtime);
    file->buffer_bytes = SHF_BODY_BUFFER_BYTES;
    if (!shf_budget_take(budget, 2 * (uint64_t)file->buffer_bytes)) {
        file->buffer_bytes = SHF_BODY_SMALL_BUFFER_BYTES;
        if (!shf_budget_take(budget, 2 * (uint64_t)file->buffer_bytes)) {
            return shf_error_set(error, SHF_E_NO_MEMORY,
                                 "%s: what is left of memory_budget_bytes has no room for a download's buffers",
                                 file->url);
        }
    }
    file->buffers = shf_alloc_array(2, file->buffer_bytes);
    if (file->buffers) return SHF_OK;
    shf_budget_give(budget, 2 * (uint64_t)file->buffer_bytes);
    return shf_error_set(error, SHF_E_NO_MEMORY, "%s: no memory for a download's buffers", file->url);
}

shf_status shf_body_file_begin(struct shf_body_file *file, struct shf_error **error) {
    assert(!file->writing);
    shf_status status = file->buffers ? SHF_OK : take_buffers(file, error);
    if (status) return status;
    if (!file->md5) file->md5 = EVP_MD_CTX_new();
    if (file->wants_sha256 && !file->sha256) file->sha256 = EVP_MD_CTX_new();
    if (!file->md5 || (file->wants_sha256 && !file->sha256))
        return shf_error_set(error, SHF_E_NO_MEMORY, "%s: no memory for a download's digest", file->url);
    file->restart = true;
    file->filled = 0;
    file->offset = 0;
    return SHF_OK;
}

void shf_body_file_close(struct shf_body_file *file) {
    assert(!file->writing);
    if (file->buffers) shf_budget_give(shf_rt_budget(file->runtime), 2 * (uint64_t)file->buffer_bytes);
    shf_free(file->buffers);
    EVP_MD_CTX_free(file->md5);
    EVP_MD_CTX_free(file->sha256);
    shf_error_free(file->error);
    file->buffers = NULL;
    file->md5 = file->sha256 = NULL;
    file->error = NULL;
}

/* ---- worker ---- */

static shf_status begin_anew(struct shf_body_file *file) {
    file->restart = false;
    if (EVP_DigestInit_ex(file->md5, EVP_md5(), NULL) != 1) { /* OpenSSL may be built or set up without MD5 */
        EVP_MD_CTX_free(file->md5);
        file->md5 = NULL;
    }
    if (file->sha256 && EVP_DigestInit_ex(file->sha256, EVP_sha256(), NULL) != 1) {
        return shf_error_set(&file->error, SHF_E_NO_MEMORY, "%s: no memory for a download's digest", file->url);
    }
    if (shf_fs_truncate(file->fd, 0) == 0) return SHF_OK;
    return shf_fs_error(&file->error, SHF_E_LOCAL, errno, "%s: cannot empty its local file", file->url);
}

static shf_status write_now(struct shf_body_file *file, const uint8_t *data) {
    if (shf_fs_write(file->fd, data, file->write_size, file->offset) != 0) {
        return shf_fs_error(&file->error, SHF_E_LOCAL, errno, "%s: cannot write its local file at byte %" PRIu64,
                            file->url, file->offset);
    }
    if ((file->md5 && EVP_DigestUpdate(file->md5, data, file->write_size) != 1) ||
        (file->sha256 && EVP_DigestUpdate(file->sha256, data, file->write_size) != 1)) {
        return shf_error_set(&file->error, SHF_E_NO_MEMORY, "%s: no memory for a download's digest", file->url);
    }
    file->offset += file->write_size;
    return SHF_OK;
}

static void written(struct shf_task *task) {
    struct shf_body_file *file = SHF_CONTAINER(task, struct shf_body_file, task);
    file->writing = false;
    file->status = file->write_status;
    file->idle(file);
}

static void write_buffer(struct shf_task *task) {
    struct shf_body_file *file = SHF_CONTAINER(task, struct shf_body_file, task);
    const uint8_t *data = file->buffers + (size_t)(1 - file->filling) * file->buffer_bytes;
    shf_status status = file->restart ? begin_anew(file) : SHF_OK;
    if (!status) status = write_now(file, data);
    file->write_status = status;
    task->run = written;
    shf_rt_post_loop(file->runtime, task);
}

/* ---- loop thread ---- */

static void start_write(struct shf_body_file *file) {
    file->write_size = file->filled;
    file->filled = 0;
    file->filling = 1 - file->filling;
    file->writing = true;
    file->task.run = write_buffer;
    shf_rt_post_worker(file->runtime, &file->task);
}

bool shf_body_file_add(struct shf_body_file *file, const uint8_t *data, size_t size) {
    assert(size <= file->buffer_bytes);
    if (file->filled + size > file->buffer_bytes) {
        if (file->writing) return false;
        start_write(file);
    }
    memcpy(file->buffers + (size_t)file->filling * file->buffer_bytes + file->filled, data, size);
    file->filled += size;
    return true;
}

bool shf_body_file_flush(struct shf_body_file *file) {
    if (file->writing) return false;
    if (file->status || (file->filled == 0 && !file->restart)) return true;
    start_write(file);
    return false;
}

bool shf_body_file_md5(struct shf_body_file *file, uint8_t out[16]) {
    unsigned size = 16;
    return file->md5 && EVP_DigestFinal_ex(file->md5, out, &size) == 1 && size == 16;
}

bool shf_body_file_sha256(struct shf_body_file *file, uint8_t out[32]) {
    unsigned size = 32;
    return file->sha256 && EVP_DigestFinal_ex(file->sha256, out, &size) == 1 && size == 32;
}
