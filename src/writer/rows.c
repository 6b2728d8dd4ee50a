/* The store of rows: adding, and its beginning and end. See rows_tasks.c for what happens to full blocks. */
#include "writer/rows_priv.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#define SMALLEST_MEMORY (UINT64_C(1) << 20)

shf_status shf_rows_shards_new(struct shf_rows *rows, uint32_t num_dbs, struct shf_error **error) {
    uint64_t size = (uint64_t)num_dbs * sizeof *rows->shards;
    if (num_dbs == 0 || num_dbs > SHF_LIMIT_WRITER_SHARDS) {
        return shf_error_set(error, SHF_E_LIMIT, "%" PRIu32 " shards; there must be 1 to %u", num_dbs,
                             SHF_LIMIT_WRITER_SHARDS);
    }
    struct shf_rows_shard *shards = NULL;
    if (shf_budget_take(rows->budget, size)) {
        shards = shf_alloc_zero(num_dbs, sizeof *shards);
        if (!shards) shf_budget_give(rows->budget, size);
    }
    if (!shards) {
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "no memory to count the rows of %" PRIu32 " shards; raise memory_budget_bytes", num_dbs);
    }
    rows->shards = shards;
    rows->num_dbs = num_dbs;
    return SHF_OK;
}

static void init_fields(struct shf_rows *rows, const struct shf_rows_options *options) {
    rows->options = *options;
    if (rows->options.max_runs == 0) rows->options.max_runs = SHF_ROWS_MAX_RUNS;
    rows->budget = shf_rt_budget(options->runtime);
    rows->vector_size = options->dimension * 4;
    rows->buffer_size = shf_rows_buffer_size(options->memory_bytes);
    uint64_t memory = options->memory_bytes - 2 * rows->buffer_size;
    rows->block_size = shf_rows_block_size(memory);
    uint64_t count = memory / rows->block_size;
    rows->block_count = count < UINT16_MAX ? (uint32_t)count : UINT16_MAX;
    rows->block_limit = rows->block_count;
    rows->big.rows = rows;
    rows->buffers.rows = rows;
    rows->raw_file.fd = -1;
    rows->spill.file.fd = -1;
    rows->merge.file.fd = -1;
    atomic_init(&rows->cancel, NULL);
    atomic_init(&rows->is_ended, false);
    (void)pthread_mutex_init(&rows->adding, NULL);
    (void)pthread_mutex_init(&rows->mutex, NULL);
    (void)pthread_mutex_init(&rows->sums_mutex, NULL);
}

shf_status shf_rows_new(const struct shf_rows_options *options, struct shf_rows **out, struct shf_error **error) {
    if (options->memory_bytes < SMALLEST_MEMORY || options->dimension > SHF_LIMIT_DIMENSION || options->max_runs == 1) {
        return shf_error_set(error, SHF_E_INVALID,
                             "cannot sort rows of %" PRIu32 " floats in %" PRIu64
                             " bytes of memory; give at least %" PRIu64 " bytes, and at most %u floats a row",
                             options->dimension, options->memory_bytes, SMALLEST_MEMORY, SHF_LIMIT_DIMENSION);
    }
    struct shf_rows *rows = shf_alloc_zero(1, sizeof *rows);
    if (!rows) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a store of rows");
    init_fields(rows, options);
    shf_status status = SHF_OK;
    rows->blocks = shf_alloc_zero(rows->block_count, sizeof *rows->blocks);
    if (!rows->blocks) status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a store of rows");
    if (!status) status = shf_rows_block_map(&rows->buffers, 2 * rows->buffer_size, error);
    if (!status && options->num_dbs) status = shf_rows_shards_new(rows, options->num_dbs, error);
    if (status) {
        shf_rows_free(rows);
        return status;
    }
    for (uint32_t i = 0; i < rows->block_count; i++) rows->blocks[i].rows = rows;
    shf_rows_tasks_init(rows);
    *out = rows;
    return SHF_OK;
}

static void free_runs(struct shf_rows_run *run) {
    while (run) {
        struct shf_rows_run *next = run->next;
        shf_rows_run_free(run);
        run = next;
    }
}

void shf_rows_free(struct shf_rows *rows) {
    if (!rows) return;
    assert(rows->active == 0);
    shf_rows_level_drop(rows);
    free_runs(rows->merge.inputs);
    free_runs(rows->runs);
    free_runs(rows->raw_runs);
    if (rows->spill.file.rows) shf_rows_file_drop(&rows->spill.file);
    if (rows->raw_file.rows) shf_rows_file_drop(&rows->raw_file);
    for (uint32_t i = 0; rows->blocks && i < rows->block_count; i++) shf_rows_block_unmap(&rows->blocks[i]);
    shf_rows_block_unmap(&rows->big);
    shf_rows_block_unmap(&rows->buffers);
    shf_free(rows->blocks);
    if (rows->shards) shf_budget_give(rows->budget, (uint64_t)rows->num_dbs * sizeof *rows->shards);
    shf_free(rows->shards);
    shf_error_free(rows->error);
    (void)pthread_mutex_destroy(&rows->adding);
    (void)pthread_mutex_destroy(&rows->mutex);
    (void)pthread_mutex_destroy(&rows->sums_mutex);
    shf_free(rows);
}

/* ---- adding ---- */

/* mutex held. How the store failed. */
static shf_status failure(const struct shf_rows *rows, struct shf_error **error) {
    if (error) *error = shf_error_clone(rows->error);
    return shf_failed(rows->status);
}

static shf_status wait_for_room(struct shf_rows *rows) {
    rows->is_waiting = true;
    rows->is_room = false;
    shf_rows_schedule(rows);
    return SHF_E_BUSY;
}

static void begin_block(struct shf_rows_block *block) {
    block->state = SHF_ROWS_FILLING;
    block->used = 0;
    block->count = 0;
    block->placed = 0;
}

void shf_rows_close_current(struct shf_rows *rows) {
    if (!rows->current) return;
    shf_rows_block_close(rows->current);
    rows->current = NULL;
}

/* adding and mutex held. */
static shf_status next_block(struct shf_rows *rows, struct shf_error **error) {
    if (rows->status) return failure(rows, error);
    shf_rows_close_current(rows);
    enum shf_rows_block_state wanted = rows->free_count > 0 ? SHF_ROWS_FREE : SHF_ROWS_UNMAPPED;
    if (wanted == SHF_ROWS_UNMAPPED && !shf_rows_can_map(rows)) {
        rows->was_full = true;
        return wait_for_room(rows);
    }
    struct shf_rows_block *block = rows->blocks;
    while (block->state != wanted) block++;
    if (wanted == SHF_ROWS_UNMAPPED) {
        struct shf_error *problem = NULL;
        shf_status status = shf_rows_block_map(block, rows->block_size, &problem);
        if (status && rows->mapped_count > 0) { /* slower with fewer blocks, but it works */
            shf_error_free(problem);
            rows->block_limit = rows->mapped_count;
            rows->was_full = true;
            return wait_for_room(rows);
        }
        if (status) {
            if (error) *error = problem;
            if (!error) shf_error_free(problem);
            return status;
        }
        rows->mapped_count++;
    } else {
        rows->free_count--;
    }
    begin_block(block);
    rows->current = block;
    shf_rows_schedule(rows); /* perhaps it was the last */
    return SHF_OK;
}

/* adding and mutex held. A block for one row. */
static shf_status big_block(struct shf_rows *rows, uint64_t packed_size, struct shf_error **error) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = ((size_t)packed_size + sizeof(struct shf_rows_entry) + page - 1) / page * page;
    if (rows->status) return failure(rows, error);
    if (rows->big.state != SHF_ROWS_UNMAPPED) return wait_for_room(rows);
    shf_status status = shf_rows_block_map(&rows->big, size, error);
    if (status && error) shf_error_prefix(error, "a row of %" PRIu64 " bytes", packed_size);
    if (!status) begin_block(&rows->big);
    return status;
}

shf_status shf_rows_space(struct shf_rows *rows, uint64_t packed_size, struct shf_rows_block **out,
                          struct shf_error **error) {
    if (rows->current && shf_rows_block_takes(rows->current, packed_size)) {
        *out = rows->current;
        return SHF_OK;
    }
    bool is_big = packed_size > rows->block_size - sizeof(struct shf_rows_entry);
    (void)pthread_mutex_lock(&rows->mutex);
    shf_status status = is_big ? big_block(rows, packed_size, error) : next_block(rows, error);
    (void)pthread_mutex_unlock(&rows->mutex);
    if (!status) *out = is_big ? &rows->big : rows->current;
    return status;
}

void shf_rows_placed(struct shf_rows *rows, struct shf_rows_block *block, const uint8_t *packed) {
    shf_rows_block_common(block, shf_rows_key_of(packed, rows->vector_size));
    if (block != &rows->big) return;
    (void)pthread_mutex_lock(&rows->mutex);
    shf_rows_block_close(block);
    shf_rows_schedule(rows);
    (void)pthread_mutex_unlock(&rows->mutex);
}

static shf_status add_one(struct shf_rows *rows, const struct shf_rows_row *row, struct shf_error **error) {
    uint64_t size = shf_rows_packed_size(row, rows->vector_size);
    struct shf_rows_block *block = NULL;
    shf_status status = shf_rows_space(rows, size, &block, error);
    if (status) return status;
    uint8_t *out = shf_rows_block_place(block, size, row->hash, shf_rows_misfits(row->key_size, row->value_size));
    shf_rows_pack(row, rows->vector_size, rows->next_order++, out);
    shf_rows_placed(rows, block, out);
    return SHF_OK;
}

/* The first failure is for good; who waits for room learns it. */
static void fail_adding(struct shf_rows *rows, shf_status status, const struct shf_error *error) {
    shf_rows_fail(rows, status, shf_error_clone(error));
    (void)pthread_mutex_lock(&rows->mutex);
    shf_rows_schedule(rows);
    (void)pthread_mutex_unlock(&rows->mutex);
}

shf_status shf_rows_add(struct shf_rows *rows, const struct shf_rows_row *row, size_t count, size_t *added,
                        struct shf_error **error) {
    struct shf_error *problem = NULL;
    shf_status status = SHF_OK;
    size_t done = 0;
    uint64_t bytes = 0;
    (void)pthread_mutex_lock(&rows->adding);
    if (atomic_load(&rows->is_ended)) {
        (void)pthread_mutex_lock(&rows->mutex);
        status = failure(rows, &problem);
        (void)pthread_mutex_unlock(&rows->mutex);
    } else if (rows->is_finishing) { /* written with adding held */
        status = shf_error_set(&problem, SHF_E_INTERNAL, "a row is added after the last one");
    }
    while (!status && done < count) {
        status = add_one(rows, &row[done], &problem);
        if (!status) bytes += shf_rows_given_bytes(&row[done++], rows->vector_size);
    }
    if (status && status != SHF_E_BUSY) fail_adding(rows, status, problem);
    (void)pthread_mutex_unlock(&rows->adding);
    atomic_fetch_add_explicit(&rows->row_count, done, memory_order_relaxed);
    atomic_fetch_add_explicit(&rows->given_bytes, bytes, memory_order_relaxed);
    *added = done;
    if (status == SHF_E_BUSY) {
        return shf_error_set(error, SHF_E_BUSY, "the memory for rows is full; go on when the disk has caught up");
    }
    if (error) *error = problem;
    if (!error) shf_error_free(problem);
    return status;
}

void shf_rows_totals_get(const struct shf_rows *rows, struct shf_rows_totals *out) {
    *out = (struct shf_rows_totals){.rows = atomic_load_explicit(&rows->row_count, memory_order_relaxed),
                                    .bytes = atomic_load_explicit(&rows->given_bytes, memory_order_relaxed),
                                    .spilled_bytes = atomic_load_explicit(&rows->spilled_bytes, memory_order_relaxed)};
}

/* ---- the end ---- */

void shf_rows_finish(struct shf_rows *rows, uint32_t num_dbs, const struct shf_cancel *cancel,
                     void (*done)(void *context, shf_status status, struct shf_error *error)) {
    struct shf_error *error = NULL;
    (void)pthread_mutex_lock(&rows->adding);
    shf_status status = rows->num_dbs ? SHF_OK : shf_rows_shards_new(rows, num_dbs, &error);
    if (status) shf_rows_fail(rows, status, error);
    (void)pthread_mutex_lock(&rows->mutex);
    atomic_store(&rows->cancel, cancel);
    rows->done = done;
    rows->done_context = rows->options.context;
    rows->is_finishing = true;
    rows->is_waiting = false;
    if (!rows->status) {
        shf_rows_close_current(rows);
        for (uint32_t i = 0; i < rows->block_count; i++) {
            if (rows->blocks[i].state == SHF_ROWS_FULL) shf_rows_block_post(&rows->blocks[i]);
        }
        if (rows->big.state == SHF_ROWS_FULL) shf_rows_block_post(&rows->big);
    }
    shf_rows_schedule(rows);
    (void)pthread_mutex_unlock(&rows->adding);
    shf_rows_settle(rows);
}

void shf_rows_stop(struct shf_rows *rows, void (*stopped)(void *context)) {
    struct shf_error *error = NULL;
    shf_status status = shf_error_set(&error, SHF_E_CANCELLED, "the writer of these rows is being closed");
    shf_rows_fail(rows, status, error);
    (void)pthread_mutex_lock(&rows->mutex);
    rows->stopped = stopped;
    rows->stopped_context = rows->options.context;
    shf_rows_schedule(rows);
    shf_rows_settle(rows);
}

void shf_rows_shard_get(const struct shf_rows *rows, uint32_t shard, struct shf_rows_shard *out) {
    *out = rows->shards[shard];
}
