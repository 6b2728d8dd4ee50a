/* The number of shards is known at last: rows that were spilled before are added once more, with their shards. */
#include "writer/rows_priv.h"

static shf_status add_again(struct shf_rows *rows, const uint8_t *packed, struct shf_error **error) {
    struct shf_rows_head head = shf_rows_head_of(packed);
    uint64_t size = shf_rows_size_of(packed, rows->vector_size);
    struct shf_rows_block *block = NULL;
    shf_status status = shf_rows_space(rows, size, &block, error);
    if (status) return status;
    uint8_t *out = shf_rows_block_place(block, size, head.hash, shf_rows_misfits(head.key_size, head.value_size));
    memcpy(out, packed, size);
    shf_rows_placed(rows, block, out);
    return SHF_OK;
}

/* Where some blocks went to a file that is not full. */
static shf_status seal(struct shf_rows *rows, struct shf_error **error) {
    struct shf_rows_run *run = NULL;
    if (rows->raw_file.fd < 0) return SHF_OK;
    shf_status status = shf_rows_file_finish(&rows->raw_file, NULL, 0, &run, error);
    if (status) return status;
    (void)pthread_mutex_lock(&rows->mutex);
    run->next = rows->raw_runs;
    rows->raw_runs = run;
    (void)pthread_mutex_unlock(&rows->mutex);
    return SHF_OK;
}

static void drop_first(struct shf_rows *rows) {
    (void)pthread_mutex_lock(&rows->mutex);
    struct shf_rows_run *run = rows->raw_runs;
    rows->raw_runs = run->next;
    rows->distribution.at = 0;
    (void)pthread_mutex_unlock(&rows->mutex);
    shf_rows_run_free(run);
}

/* adding held. SHF_E_BUSY: the task is posted when a block is free, and may run already when the lock is let go. */
static shf_status distribute_some(struct shf_rows *rows, struct shf_error **error) {
    struct shf_rows_distribution *distribution = &rows->distribution;
    shf_status status = seal(rows, error);
    uint64_t left = SHF_ROWS_SLICE_BYTES;
    while (!status && rows->raw_runs && left > 0) {
        const struct shf_rows_run *run = rows->raw_runs;
        const uint8_t *row = run->memory + distribution->at;
        uint64_t size = shf_rows_size_of(row, rows->vector_size);
        status = add_again(rows, row, error);
        if (status) break;
        distribution->at += size;
        left -= size < left ? size : left;
        if (distribution->at == run->rows_end) drop_first(rows);
    }
    if (rows->raw_runs)
        shf_rows_run_drop(rows->raw_runs, 0, distribution->at); /* so that it does not look like memory in use */
    if (status || rows->raw_runs) return status;
    (void)pthread_mutex_lock(&rows->mutex);
    shf_rows_close_current(rows);
    distribution->is_over = true;
    (void)pthread_mutex_unlock(&rows->mutex);
    return SHF_OK;
}

void shf_rows_distribute_run(struct shf_task *task) {
    struct shf_rows *rows = SHF_CONTAINER(task, struct shf_rows, distribution.task);
    struct shf_error *error = NULL;
    shf_status status = SHF_OK;
    bool goes_on = false;
    if (!shf_rows_should_end(rows)) {
        (void)pthread_mutex_lock(&rows->adding);
        status = distribute_some(rows, &error);
        goes_on = !status && !rows->distribution.is_over;
        (void)pthread_mutex_unlock(&rows->adding);
    }
    if (goes_on) {
        shf_rt_post_worker(rows->options.runtime, task);
        return;
    }
    if (status && status != SHF_E_BUSY) shf_rows_fail(rows, status, error);
    shf_rows_task_end(rows);
}
