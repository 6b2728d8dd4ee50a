/* What is done when: sorting, spilling, merging and the end, as tasks of the workers. */
#include "writer/rows_priv.h"

static void post(struct shf_rows *rows, struct shf_task *task) {
    rows->active++;
    shf_rt_post_worker(rows->options.runtime, task);
}

void shf_rows_fail(struct shf_rows *rows, shf_status status, struct shf_error *error) {
    (void)pthread_mutex_lock(&rows->mutex);
    if (!rows->status) {
        rows->status = status;
        rows->error = error;
        error = NULL;
    }
    atomic_store(&rows->is_ended, true);
    (void)pthread_mutex_unlock(&rows->mutex);
    shf_error_free(error);
}

bool shf_rows_should_end(struct shf_rows *rows) {
    if (atomic_load_explicit(&rows->is_ended, memory_order_relaxed)) return true;
    if (!shf_cancel_requested(atomic_load(&rows->cancel))) return false;
    struct shf_error *error = NULL;
    shf_status status = shf_error_set(&error, SHF_E_CANCELLED, "cancelled while rows were sorted");
    shf_rows_fail(rows, status, error);
    return true;
}

bool shf_rows_can_map(const struct shf_rows *rows) { return rows->mapped_count < rows->block_limit; }

static void room_run(struct shf_task *task) {
    struct shf_rows *rows = SHF_CONTAINER(task, struct shf_rows, room_task);
    (void)pthread_mutex_lock(&rows->mutex);
    rows->room_posted = false;
    (void)pthread_mutex_unlock(&rows->mutex);
    rows->options.room(rows->options.context);
    shf_rows_task_end(rows);
}

/* Whoever was told to wait goes on: while finishing that is the distribution, which gets blocks only if all is well. */
static void tell_room(struct shf_rows *rows) {
    if (!rows->is_waiting || (!rows->status && !rows->is_room)) return;
    if (rows->is_finishing) {
        rows->is_waiting = false;
        post(rows, &rows->distribution.task);
    } else if (!rows->room_posted) {
        rows->is_waiting = false;
        rows->room_posted = true;
        post(rows, &rows->room_task);
    }
}

void shf_rows_schedule(struct shf_rows *rows) {
    struct shf_rows_distribution *distribution = &rows->distribution;
    tell_room(rows);
    if (rows->status) return;
    if (!rows->spill.block) {
        struct shf_rows_block *block = shf_rows_spill_choose(rows);
        if (block) {
            rows->spill.is_raw = block->state == SHF_ROWS_FULL;
            rows->spill.block = block;
            block->state = SHF_ROWS_SPILLING;
            post(rows, &rows->spill.task);
        }
    }
    if (!rows->merge.inputs && shf_rows_level_choose(rows)) post(rows, &rows->merge.task);
    if (!rows->is_finishing || distribution->is_started || (rows->spill.block && rows->spill.is_raw)) return;
    if (rows->raw_runs || rows->raw_file.fd >= 0) { /* no spill writes to it now */
        distribution->is_started = true;
        post(rows, &distribution->task);
    }
}

/* After finish nothing is added any more: blocks without rows go back at once. */
static void unmap_spare(struct shf_rows *rows) {
    for (uint32_t i = 0; i < rows->block_count; i++) {
        if (rows->blocks[i].state != SHF_ROWS_FREE) continue;
        shf_rows_block_unmap(&rows->blocks[i]);
        rows->blocks[i].state = SHF_ROWS_UNMAPPED;
        rows->mapped_count--;
        rows->free_count--;
    }
    shf_rows_block_unmap(&rows->buffers);
}

void shf_rows_settle(struct shf_rows *rows) {
    void (*done)(void *context, shf_status status, struct shf_error *error) = NULL;
    void (*stopped)(void *context) = NULL;
    void *done_context = rows->done_context, *stopped_context = rows->stopped_context;
    shf_status status = rows->status;
    struct shf_error *error = NULL;
    if (rows->active == 0) {
        done = rows->done;
        stopped = rows->stopped;
        rows->done = NULL;
        rows->stopped = NULL;
    }
    if (done) {
        if (status) error = shf_error_clone(rows->error);
        if (!status) unmap_spare(rows);
        rows->is_finished = true;
        atomic_store(&rows->cancel, NULL); /* the caller's, who is told now */
    }
    (void)pthread_mutex_unlock(&rows->mutex);
    if (done) done(done_context, status, error);
    if (stopped) stopped(stopped_context);
}

void shf_rows_task_end(struct shf_rows *rows) {
    (void)pthread_mutex_lock(&rows->mutex);
    shf_rows_schedule(rows);
    rows->active--;
    shf_rows_settle(rows);
}

/* ---- sorting ---- */

static void count_rows(struct shf_rows *rows, const struct shf_rows_block *block) {
    const struct shf_rows_entry *entries = shf_rows_entries(block);
    (void)pthread_mutex_lock(&rows->sums_mutex);
    for (size_t i = 0; i < block->count; i++) {
        struct shf_rows_shard *shard = &rows->shards[entries[i].shard];
        shard->rows++;
        for (uint32_t size = entries[i].place & 7; size < SHF_ROWS_PAGE_SIZES; size++) shard->fitting[size]++;
    }
    (void)pthread_mutex_unlock(&rows->sums_mutex);
}

static void sort_run(struct shf_task *task) {
    struct shf_rows_block *block = SHF_CONTAINER(task, struct shf_rows_block, task);
    struct shf_rows *rows = block->rows;
    if (!shf_rows_should_end(rows)) {
        if (!shf_rows_block_place_some(block)) {
            shf_rt_post_worker(rows->options.runtime, task);
            return;
        }
        shf_rows_block_sort(block);
        count_rows(rows, block);
        (void)pthread_mutex_lock(&rows->mutex);
        block->state = SHF_ROWS_SORTED;
        (void)pthread_mutex_unlock(&rows->mutex);
    }
    shf_rows_task_end(rows);
}

/* What all keys have in common: the blocks' first keys are compared with the very first one. */
static void note_common(struct shf_rows *rows, const struct shf_rows_block *block) {
    uint32_t most = block->common < SHF_ROWS_FIRST_KEY_BYTES ? block->common : SHF_ROWS_FIRST_KEY_BYTES;
    if (!rows->has_first_key) {
        rows->has_first_key = true;
        rows->common = most;
        if (most) memcpy(rows->first_key, block->first_key, most);
        return;
    }
    if (most > rows->common) most = rows->common;
    uint32_t common = 0;
    while (common < most && rows->first_key[common] == block->first_key[common]) common++;
    rows->common = common;
}

void shf_rows_block_close(struct shf_rows_block *block) {
    struct shf_rows *rows = block->rows;
    block->age = rows->next_age++;
    note_common(rows, block);
    block->state = SHF_ROWS_FULL;
    if (rows->num_dbs) shf_rows_block_post(block);
}

void shf_rows_block_post(struct shf_rows_block *block) {
    block->state = SHF_ROWS_SORTING;
    post(block->rows, &block->task);
}

void shf_rows_tasks_init(struct shf_rows *rows) {
    for (uint32_t i = 0; i < rows->block_count; i++) rows->blocks[i].task.run = sort_run;
    rows->big.task.run = sort_run;
    rows->spill.task.run = shf_rows_spill_run;
    rows->merge.task.run = shf_rows_level_run;
    rows->distribution.task.run = shf_rows_distribute_run;
    rows->room_task.run = room_run;
}
