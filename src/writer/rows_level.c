/* Too many runs of a level are merged into one of the next. */
#include "writer/rows_priv.h"

#include "base/alloc.h"

bool shf_rows_level_choose(struct shf_rows *rows) {
    uint32_t level = 0, most = rows->options.max_runs;
    while (level + 1 < SHF_ROWS_LEVELS && rows->level_counts[level] <= most) level++;
    if (level + 1 == SHF_ROWS_LEVELS) return false;
    uint32_t taken = 0;
    for (struct shf_rows_run **at = &rows->runs; *at && taken < most;) {
        struct shf_rows_run *run = *at;
        if (run->level != level) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        run->next = rows->merge.inputs;
        rows->merge.inputs = run;
        taken++;
    }
    rows->level_counts[level] -= taken;
    rows->run_count -= taken;
    rows->merge.level = level;
    return true;
}

static shf_status begin(struct shf_rows *rows, struct shf_error **error) {
    struct shf_rows_level_merge *merge = &rows->merge;
    uint64_t sections = 0;
    (void)pthread_mutex_lock(&rows->mutex);
    uint32_t depth = rows->common; /* of keys in closed blocks, and these are of such */
    (void)pthread_mutex_unlock(&rows->mutex);
    shf_status status = shf_rows_tree_init(&merge->tree, rows, rows->options.max_runs, depth, error);
    if (status) return status;
    for (struct shf_rows_run *run = merge->inputs; run; run = run->next) {
        shf_rows_tree_add_run(&merge->tree, run, UINT32_MAX);
        sections += run->section_count;
    }
    shf_rows_tree_start(&merge->tree);
    uint32_t limit = sections < rows->num_dbs ? (uint32_t)sections : rows->num_dbs;
    if (shf_budget_take(rows->budget, limit * sizeof *merge->sections)) {
        merge->section_limit = limit; /* charged */
        merge->sections = shf_alloc_array(limit, sizeof *merge->sections);
    }
    if (!merge->sections) {
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "no memory for %u sections of a file of rows; raise memory_budget_bytes", limit);
    }
    return shf_rows_file_open(&merge->file, rows, rows->buffers.memory + rows->buffer_size, error);
}

static shf_status merge_some(struct shf_rows *rows, struct shf_error **error) {
    struct shf_rows_level_merge *merge = &rows->merge;
    size_t left = SHF_ROWS_SLICE_BYTES;
    shf_status status = SHF_OK;
    for (const struct shf_rows_source *top; !status && left > 0 && (top = shf_rows_tree_top(&merge->tree));) {
        size_t size = (size_t)shf_rows_size_of(top->row, rows->vector_size);
        uint32_t count = merge->section_count;
        if (count == 0 || merge->sections[count - 1].shard != top->shard) {
            merge->sections[count] =
                (struct shf_rows_entry){.word = merge->file.size + merge->file.filled, .shard = top->shard};
            merge->section_count++;
        }
        status = shf_rows_file_append(&merge->file, top->row, size, error);
        left -= size < left ? size : left;
        shf_rows_tree_pop(&merge->tree);
    }
    return status;
}

static void free_inputs(struct shf_rows_level_merge *merge) {
    while (merge->inputs) {
        struct shf_rows_run *run = merge->inputs;
        merge->inputs = run->next;
        shf_rows_run_free(run);
    }
}

void shf_rows_level_drop(struct shf_rows *rows) {
    struct shf_rows_level_merge *merge = &rows->merge;
    if (merge->tree.sources) shf_rows_tree_free(&merge->tree); /* tells the system of pages of inputs: before them */
    if (merge->file.rows) shf_rows_file_drop(&merge->file);
    shf_free(merge->sections);
    shf_budget_give(rows->budget, merge->section_limit * sizeof *merge->sections);
    merge->sections = NULL;
    merge->section_limit = 0;
    merge->section_count = 0;
    merge->file = (struct shf_rows_file){.fd = -1};
}

void shf_rows_level_run(struct shf_task *task) {
    struct shf_rows *rows = SHF_CONTAINER(task, struct shf_rows, merge.task);
    struct shf_rows_level_merge *merge = &rows->merge;
    struct shf_rows_run *run = NULL;
    struct shf_error *error = NULL;
    if (shf_rows_should_end(rows)) {
        shf_rows_task_end(rows);
        return;
    }
    shf_status status = merge->tree.sources ? SHF_OK : begin(rows, &error);
    if (!status) status = merge_some(rows, &error);
    if (!status && shf_rows_tree_top(&merge->tree)) {
        shf_rt_post_worker(rows->options.runtime, task);
        return;
    }
    if (!status) status = shf_rows_file_finish(&merge->file, merge->sections, merge->section_count, &run, &error);
    shf_rows_level_drop(rows);
    struct shf_rows_level_merge old = {.inputs = merge->inputs};
    free_inputs(&old);
    (void)pthread_mutex_lock(&rows->mutex);
    merge->inputs = NULL;
    if (run) {
        run->level = merge->level + 1;
        shf_rows_add_run(rows, run);
    }
    (void)pthread_mutex_unlock(&rows->mutex);
    if (status) shf_rows_fail(rows, status, error);
    shf_rows_task_end(rows);
}
