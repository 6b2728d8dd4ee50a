#include "io/body_file.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHARGE (2u * SHF_BODY_BUFFER_BYTES)

shf_status shf_body_file_open(struct shf_body_file *file, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(file->runtime);
    if (!shf_budget_take(budget, CHARGE)) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "%s: no room in the memory budget for a download's buffers", file->url);
    }
    file->buffers = shf_alloc(CHARGE);
    file->md5 = EVP_MD_CTX_new();
    if (!file->buffers || !file->md5) {
        shf_free(file->buffers);
        EVP_MD_CTX_free(file->md5);
        file->buffers = NULL;
        file->md5 = NULL;
        shf_budget_give(budget, CHARGE);
        return shf_error_set(error, SHF_E_NO_MEMORY, "%s: no memory for a download's buffers", file->url);
    }
    file->restart = true;
    return SHF_OK;
}

void shf_body_file_close(struct shf_body_file *file) {
    if (!file->buffers) return;
    shf_free(file->buffers);
    EVP_MD_CTX_free(file->md5);
    shf_error_free(file->error);
    file->buffers = NULL;
    file->md5 = NULL;
    file->error = NULL;
    shf_budget_give(shf_rt_budget(file->runtime), CHARGE);
}

void shf_body_file_restart(struct shf_body_file *file) {
    file->restart = true;
    file->filled = 0;
    file->offset = 0;
}

static shf_status begin_anew(struct shf_body_file *file) {
    file->restart = false;
    if (EVP_DigestInit_ex(file->md5, EVP_md5(), NULL) != 1) {
        return shf_error_set(&file->error, SHF_E_INTERNAL, "%s: OpenSSL has no MD5", file->url);
    }
    if (shf_fs_truncate(file->fd, 0) == 0) return SHF_OK;
    return shf_fs_error(&file->error, SHF_E_LOCAL, errno, "%s: cannot empty its local file", file->url);
}

static void written(struct shf_task *task) {
    struct shf_body_file *file = SHF_CONTAINER(task, struct shf_body_file, task);
    file->writing = false;
    file->status = file->write_status;
    file->idle(file);
}

static void write_buffer(struct shf_task *task) {
    struct shf_body_file *file = SHF_CONTAINER(task, struct shf_body_file, task);
    const uint8_t *data = file->buffers + (size_t)(1 - file->filling) * SHF_BODY_BUFFER_BYTES;
    shf_status status = file->restart ? begin_anew(file) : SHF_OK;
    if (!status && file->write_size) {
        if (shf_fs_write(file->fd, data, file->write_size, file->offset) != 0) {
            status = shf_fs_error(&file->error, SHF_E_LOCAL, errno, "%s: cannot write its local file at byte %" PRIu64, file->url,
                                  file->offset);
        } else {
            (void)EVP_DigestUpdate(file->md5, data, file->write_size); /* fails only without memory; the digest then differs */
            file->offset += file->write_size;
        }
    }
    file->write_status = status;
    task->run = written;
    shf_rt_post_loop(file->runtime, task);
}

static void start_write(struct shf_body_file *file) {
    file->write_size = file->filled;
    file->filled = 0;
    file->filling = 1 - file->filling;
    file->writing = true;
    file->task.run = write_buffer;
    shf_rt_post_worker(file->runtime, &file->task);
}

bool shf_body_file_add(struct shf_body_file *file, const uint8_t *data, size_t size) {
    if (file->filled + size > SHF_BODY_BUFFER_BYTES) {
        if (file->writing) return false;
        start_write(file);
    }
    memcpy(file->buffers + (size_t)file->filling * SHF_BODY_BUFFER_BYTES + file->filled, data, size);
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
    return EVP_DigestFinal_ex(file->md5, out, &size) == 1 && size == 16;
}
