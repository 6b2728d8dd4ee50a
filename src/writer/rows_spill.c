/* Writing a block to a run: in sorted order, or as it is while the number of shards is not known. */
#include "writer/rows_priv.h"

#define RAW_FILE_BLOCKS 64u /* so many blocks go to one file: it is freed when all are distributed */

/*
 * A row larger than a block is written as soon as it can be; a block when somebody had to wait for one, and from then on
 * when none is free: so one is written while the last is filled, and what fits in memory stays there.
 */
struct shf_rows_block *shf_rows_spill_choose(struct shf_rows *rows) {
    bool distributing = rows->distribution.is_started && !rows->distribution.is_over;
    struct shf_rows_block *oldest = NULL;
    if (rows->big.state == SHF_ROWS_SORTED || rows->big.state == SHF_ROWS_FULL) return &rows->big;
    if (!rows->was_full || rows->free_count > 0 || shf_rows_can_map(rows)) return NULL;
    if (rows->is_finishing && !distributing) return NULL;
    for (uint32_t i = 0; i < rows->block_count; i++) {
        struct shf_rows_block *block = &rows->blocks[i];
        if (block->state != SHF_ROWS_SORTED && block->state != SHF_ROWS_FULL) continue;
        if (!oldest || block->age < oldest->age) oldest = block;
    }
    return oldest;
}

void shf_rows_add_run(struct shf_rows *rows, struct shf_rows_run *run) {
    run->next = rows->runs;
    rows->runs = run;
    rows->run_count++;
    rows->level_counts[run->level]++;
}

static shf_status write_sorted(struct shf_rows *rows, size_t *left, struct shf_error **error) {
    struct shf_rows_spill *spill = &rows->spill;
    const struct shf_rows_block *block = spill->block;
    struct shf_rows_entry *entries = shf_rows_entries(block);
    shf_status status = spill->next == 0 ? shf_rows_file_open(&spill->file, rows, rows->buffers.memory, error) : SHF_OK;
    while (!status && spill->next<block->count && * left> 0) {
        struct shf_rows_entry entry = entries[spill->next];
        if (block->count - spill->next > 8) {
            const uint8_t *soon = shf_rows_at(block->memory, entries[spill->next + 8].place);
            __builtin_prefetch(soon);
            __builtin_prefetch(soon + 64);
            __builtin_prefetch(soon + 128);
        }
        /* Entries that are written are not needed any more: the sections take their place. */
        uint32_t count = spill->section_count;
        if (count == 0 || entries[count - 1].shard != entry.shard) {
            entries[count] = (struct shf_rows_entry){.word = spill->file.size + spill->file.filled, .shard = entry.shard};
            spill->section_count++;
        }
        const uint8_t *row = shf_rows_at(block->memory, entry.place);
        size_t size = (size_t)shf_rows_size_of(row, rows->vector_size);
        status = shf_rows_file_append(&spill->file, row, size, error);
        *left -= size < *left ? size : *left;
        spill->next++;
    }
    return status;
}

static shf_status write_raw(struct shf_rows *rows, size_t *left, struct shf_error **error) {
    struct shf_rows_spill *spill = &rows->spill;
    const struct shf_rows_block *block = spill->block;
    shf_status status = rows->raw_file.fd < 0 ? shf_rows_file_open(&rows->raw_file, rows, NULL, error) : SHF_OK;
    size_t size = block->used - spill->next < *left ? block->used - spill->next : *left;
    if (!status) status = shf_rows_file_append(&rows->raw_file, block->memory + spill->next, size, error);
    spill->next += size;
    *left -= size;
    return status;
}

/* The rows are written. */
static shf_status end_file(struct shf_rows *rows, struct shf_rows_run **out, struct shf_error **error) {
    struct shf_rows_spill *spill = &rows->spill;
    if (!spill->is_raw) {
        return shf_rows_file_finish(&spill->file, shf_rows_entries(spill->block), spill->section_count, out, error);
    }
    if (rows->raw_file.size < (uint64_t)RAW_FILE_BLOCKS * rows->block_size) return SHF_OK;
    return shf_rows_file_finish(&rows->raw_file, NULL, 0, out, error);
}

static void end_spill(struct shf_rows *rows, struct shf_rows_run *run) {
    struct shf_rows_spill *spill = &rows->spill;
    struct shf_rows_block *block = spill->block;
    bool is_raw = spill->is_raw;
    if (block == &rows->big) shf_rows_block_unmap(block); /* its state belongs to the spill until now */
    (void)pthread_mutex_lock(&rows->mutex);
    block->state = block == &rows->big ? SHF_ROWS_UNMAPPED : SHF_ROWS_FREE;
    rows->free_count += block != &rows->big;
    rows->is_room = true;
    spill->block = NULL;
    spill->next = 0;
    spill->section_count = 0;
    if (run && is_raw) {
        run->next = rows->raw_runs;
        rows->raw_runs = run;
    } else if (run) {
        shf_rows_add_run(rows, run);
    }
    (void)pthread_mutex_unlock(&rows->mutex);
}

void shf_rows_spill_run(struct shf_task *task) {
    struct shf_rows *rows = SHF_CONTAINER(task, struct shf_rows, spill.task);
    struct shf_rows_spill *spill = &rows->spill;
    struct shf_rows_run *run = NULL;
    struct shf_error *error = NULL;
    size_t left = SHF_ROWS_SLICE_BYTES;
    if (shf_rows_should_end(rows)) {
        shf_rows_task_end(rows);
        return;
    }
    shf_status status = spill->is_raw ? write_raw(rows, &left, &error) : write_sorted(rows, &left, &error);
    size_t end = spill->is_raw ? spill->block->used : spill->block->count;
    if (!status && spill->next < end) {
        shf_rt_post_worker(rows->options.runtime, task);
        return;
    }
    if (!status) status = end_file(rows, &run, &error);
    if (status) {
        shf_rows_fail(rows, status, error);
    } else {
        end_spill(rows, run);
    }
    shf_rows_task_end(rows);
}
