#include "io/body_source.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define HASH_PIECE_BYTES (UINT64_C(1) << 20) /* of memory, between two looks at the token */

shf_status shf_body_source_begin(struct shf_body_source *source, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(source->runtime);
    if (source->data || source->size == 0) return SHF_OK;
    source->buffer_bytes = SHF_SOURCE_BUFFER_BYTES;
    if (source->size <= SHF_SOURCE_SMALL_BUFFER_BYTES || !shf_budget_take(budget, 2 * (uint64_t)source->buffer_bytes)) {
        source->buffer_bytes = SHF_SOURCE_SMALL_BUFFER_BYTES;
        if (!shf_budget_take(budget, 2 * (uint64_t)source->buffer_bytes)) {
            return shf_error_set(error, SHF_E_NO_MEMORY,
                                 "%s: what is left of memory_budget_bytes has no room for an upload's buffers",
                                 source->url);
        }
    }
    source->buffers = shf_alloc_array(2, source->buffer_bytes);
    if (source->buffers) return SHF_OK;
    shf_budget_give(budget, 2 * (uint64_t)source->buffer_bytes);
    return shf_error_set(error, SHF_E_NO_MEMORY, "%s: no memory for an upload's buffers", source->url);
}

void shf_body_source_close(struct shf_body_source *source) {
    assert(!source->working);
    if (source->buffers) shf_budget_give(shf_rt_budget(source->runtime), 2 * (uint64_t)source->buffer_bytes);
    shf_free(source->buffers);
    shf_error_free(source->error);
    source->buffers = NULL;
    source->error = NULL;
}

/* ---- worker ---- */

static shf_status read_piece(struct shf_body_source *source, uint8_t *out, size_t size, uint64_t offset) {
    ssize_t got = shf_fs_read(source->fd, out, size, source->offset + offset);
    if (got == (ssize_t)size) return SHF_OK;
    if (got < 0) {
        return shf_fs_error(&source->work_error, SHF_E_LOCAL, errno, "%s: cannot read its source at byte %" PRIu64,
                            source->url, source->offset + offset);
    }
    return shf_error_set(&source->work_error, SHF_E_LOCAL,
                         "%s: its source ends at byte %" PRIu64 ", before the %" PRIu64 " that were to be written",
                         source->url, source->offset + offset + (uint64_t)got, source->offset + source->size);
}

static shf_status no_digest(struct shf_body_source *source) {
    return shf_error_set(&source->work_error, SHF_E_NO_MEMORY,
                         "%s: no memory for the digest of an upload, or OpenSSL "
                         "has none",
                         source->url);
}

static shf_status update_all(struct shf_body_source *source, EVP_MD_CTX *const contexts[2]) {
    for (uint64_t done = 0; done < source->size;) {
        uint64_t most = source->data ? HASH_PIECE_BYTES : source->buffer_bytes, left = source->size - done;
        size_t piece = (size_t)(left < most ? left : most);
        const uint8_t *bytes = source->data ? source->data + source->offset + done : source->buffers;
        if (shf_cancel_requested(source->cancel)) {
            return shf_error_set(&source->work_error, SHF_E_CANCELLED, "%s: cancelled", source->url);
        }
        shf_status status = source->data ? SHF_OK : read_piece(source, source->buffers, piece, done);
        if (status) return status;
        for (int i = 0; i < 2; i++) {
            if (contexts[i] && EVP_DigestUpdate(contexts[i], bytes, piece) != 1) return no_digest(source);
        }
        done += piece;
    }
    return SHF_OK;
}

static shf_status hash_all(struct shf_body_source *source) {
    EVP_MD_CTX *contexts[2] = {NULL, NULL};
    const EVP_MD *const kinds[2] = {source->wants_sha256 ? EVP_sha256() : NULL, source->wants_md5 ? EVP_md5() : NULL};
    uint8_t *const outs[2] = {source->sha256, source->md5};
    shf_status status = SHF_OK;
    for (int i = 0; !status && i < 2; i++) {
        if (!kinds[i]) continue;
        contexts[i] = EVP_MD_CTX_new();
        if (!contexts[i] || EVP_DigestInit_ex(contexts[i], kinds[i], NULL) != 1) status = no_digest(source);
    }
    if (!status) status = update_all(source, contexts);
    for (int i = 0; i < 2; i++) {
        if (!status && contexts[i] && EVP_DigestFinal_ex(contexts[i], outs[i], NULL) != 1) status = no_digest(source);
        EVP_MD_CTX_free(contexts[i]);
    }
    return status;
}

static void take_outcome(struct shf_body_source *source) {
    source->working = false;
    source->status = source->work_status;
    shf_error_free(source->error);
    source->error = source->work_error;
    source->work_error = NULL;
}

static void hashed(struct shf_task *task) {
    struct shf_body_source *source = SHF_CONTAINER(task, struct shf_body_source, task);
    take_outcome(source);
    source->idle(source);
}

static void hash_task(struct shf_task *task) {
    struct shf_body_source *source = SHF_CONTAINER(task, struct shf_body_source, task);
    source->work_status = hash_all(source);
    task->run = hashed;
    shf_rt_post_loop(source->runtime, task);
}

static void read_ahead(struct shf_body_source *source);

static void was_read(struct shf_task *task) {
    struct shf_body_source *source = SHF_CONTAINER(task, struct shf_body_source, task);
    if (source->is_stale) { /* a failure, too, is of what nobody wants any more */
        source->is_stale = source->working = false;
        shf_error_free(source->work_error);
        source->work_error = NULL;
    } else {
        take_outcome(source);
        if (!source->status) {
            source->ready[source->reading] = source->read_size;
            source->filling = 1 - source->reading;
        }
    }
    if (!source->status) read_ahead(source);
    source->idle(source);
}

static void read_task(struct shf_task *task) {
    struct shf_body_source *source = SHF_CONTAINER(task, struct shf_body_source, task);
    uint8_t *out = source->buffers + (size_t)source->reading * source->buffer_bytes;
    source->work_status = read_piece(source, out, source->read_size, source->read_offset);
    task->run = was_read;
    shf_rt_post_loop(source->runtime, task);
}

/* ---- loop thread ---- */

void shf_body_source_hash(struct shf_body_source *source, bool wants_sha256, bool wants_md5) {
    assert(!source->working);
    source->wants_sha256 = wants_sha256;
    source->wants_md5 = wants_md5;
    source->working = true;
    source->task.run = hash_task;
    shf_rt_post_worker(source->runtime, &source->task);
}

static void read_ahead(struct shf_body_source *source) {
    uint64_t left = source->size - source->taken;
    if (source->data || source->working || left == 0 || source->ready[source->filling]) return;
    source->reading = source->filling;
    source->read_size = (size_t)(left < source->buffer_bytes ? left : source->buffer_bytes);
    source->read_offset = source->taken;
    source->taken += source->read_size;
    source->working = true;
    source->task.run = read_task;
    shf_rt_post_worker(source->runtime, &source->task);
}

void shf_body_source_rewind(struct shf_body_source *source) {
    source->ready[0] = source->ready[1] = 0;
    source->giving = source->filling = 0;
    source->used = 0;
    source->given = source->taken = 0;
    source->is_stale = source->working;
    read_ahead(source);
}

size_t shf_body_source_give(struct shf_body_source *source, uint8_t *out, size_t room) {
    uint64_t left = source->size - source->given;
    size_t size = (size_t)(left < room ? left : room);
    if (source->status) return SHF_SOURCE_FAILED;
    if (size == 0) return 0;
    if (source->data) {
        memcpy(out, source->data + source->offset + source->given, size);
    } else {
        size_t here = source->ready[source->giving] - source->used;
        if (here == 0) return SHF_SOURCE_WAIT;
        if (size > here) size = here;
        memcpy(out, source->buffers + (size_t)source->giving * source->buffer_bytes + source->used, size);
        source->used += size;
        if (source->used == source->ready[source->giving]) {
            source->ready[source->giving] = 0;
            source->used = 0;
            source->giving = 1 - source->giving;
            read_ahead(source);
        }
    }
    source->given += size;
    return size;
}
