#include "writer/writer.h"

#include "base/alloc.h"
#include "writer/write.h"

shf_status shf_writer_new(struct shf_writer_setup *setup, struct shf_writer **out) {
    struct shf_writer *writer = shf_alloc_zero(1, sizeof *writer);
    if (!writer) return SHF_E_NO_MEMORY;
    atomic_init(&writer->references, 1);
    writer->runtime = shf_rt_retain(setup->runtime);
    writer->setup = *setup;
    *setup = (struct shf_writer_setup){0};
    writer->scratch = (struct shf_scratch){.parent_fd = -1, .fd = -1, .lock_fd = -1};
    (void)pthread_mutex_init(&writer->mutex, NULL);
    writer->key_encoding = writer->setup.key_encoding;
    writer->dimension = writer->setup.dimension;
    writer->pending_tail = &writer->pending;
    atomic_init(&writer->progress.phase, SHF_PHASE_WRITE);
    atomic_init(&writer->progress.num_dbs, writer->setup.num_dbs);
    shf_rt_handle_add(writer->runtime);
    *out = writer;
    return SHF_OK;
}

struct shf_writer *shf_writer_retain(struct shf_writer *writer) {
    atomic_fetch_add_explicit(&writer->references, 1, memory_order_relaxed);
    return writer;
}

void shf_writer_drop(struct shf_writer *writer) {
    if (!writer || atomic_fetch_sub_explicit(&writer->references, 1, memory_order_acq_rel) != 1) return;
    shf_rows_free(writer->rows);
    shf_claim_free(&writer->claim);
    shf_lease_free(&writer->lease);
    shf_writer_setup_free(&writer->setup);
    shf_error_free(writer->failure);
    (void)pthread_mutex_destroy(&writer->mutex);
    shf_rt_release(writer->runtime);
    shf_free(writer);
}

void shf_writer_drop_handle(struct shf_writer *writer) {
    shf_runtime *runtime = writer->runtime;
    if (shf_rt_forked(runtime)) { /* threads and files are the parent's; its rows may be in the middle of being sorted */
        shf_scratch_forget(&writer->scratch);
        writer->rows = NULL;
        shf_writer_drop(writer);
        return;
    }
    shf_writer_shut(writer);
    shf_rt_handle_drop(runtime);
    shf_writer_drop(writer);
}

uint64_t shf_writer_spilled_bytes(const struct shf_writer *writer) {
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&writer->mutex;
    (void)pthread_mutex_lock(mutex);
    struct shf_rows_totals totals = {.spilled_bytes = writer->spilled_bytes};
    if (writer->rows) shf_rows_totals_get(writer->rows, &totals);
    (void)pthread_mutex_unlock(mutex);
    return totals.spilled_bytes;
}

void shf_writer_fail_locked(struct shf_writer *writer, const struct shf_error *error) {
    if (writer->failed) return;
    writer->failed = true;
    writer->failure = shf_error_clone(error);
    atomic_store(&writer->progress.phase, SHF_PHASE_FAILED);
}
