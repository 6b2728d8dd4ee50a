/* Reading a shard: its parts of blocks and runs, merged. */
#include "writer/rows_priv.h"

#include "base/alloc.h"

#include <inttypes.h>

struct shf_rows_merge {
    struct shf_rows_tree tree;
    bool last_wins, is_conflict;
    uint64_t first_origin, second_origin;
};

/* mutex held, so that a stop beside it does no harm. */
static shf_status add_parts(struct shf_rows_tree *tree, const struct shf_rows *rows, uint32_t shard,
                            struct shf_error **error) {
    if (rows->status) {
        if (error) *error = shf_error_clone(rows->error);
        return shf_failed(rows->status);
    }
    if (!rows->is_finished || shard >= rows->num_dbs) {
        return shf_error_set(error, SHF_E_INTERNAL, "rows of shard %" PRIu32 " are asked for before they are sorted",
                             shard);
    }
    uint32_t parts = rows->run_count;
    for (uint32_t i = 0; i < rows->block_count; i++) parts += rows->blocks[i].state == SHF_ROWS_SORTED;
    shf_status status = shf_rows_tree_init(tree, rows, parts, rows->common, error);
    if (status) return status;
    for (struct shf_rows_run *run = rows->runs; run; run = run->next) shf_rows_tree_add_run(tree, run, shard);
    for (uint32_t i = 0; i < rows->block_count; i++) {
        if (rows->blocks[i].state == SHF_ROWS_SORTED) shf_rows_tree_add_block(tree, &rows->blocks[i], shard);
    }
    return SHF_OK;
}

shf_status shf_rows_merge_new(struct shf_rows *rows, uint32_t shard, struct shf_rows_merge **out,
                              struct shf_error **error) {
    struct shf_rows_merge *merge = shf_alloc_zero(1, sizeof *merge);
    if (!merge) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to read the rows of shard %" PRIu32, shard);
    merge->last_wins = rows->options.last_wins;
    (void)pthread_mutex_lock(&rows->mutex);
    shf_status status = add_parts(&merge->tree, rows, shard, error);
    (void)pthread_mutex_unlock(&rows->mutex);
    if (status) {
        shf_free(merge);
        return status;
    }
    shf_rows_tree_start(&merge->tree);
    *out = merge;
    return SHF_OK;
}

void shf_rows_merge_free(struct shf_rows_merge *merge) {
    if (!merge) return;
    shf_rows_tree_free(&merge->tree);
    shf_free(merge);
}

static bool is_same_key(const struct shf_rows_tree *tree, const uint8_t *a, const uint8_t *b) {
    return shf_rows_key_compare(shf_rows_key_of(a, tree->vector_size), shf_rows_key_of(b, tree->vector_size),
                                tree->depth) == 0;
}

static shf_status refuse(const struct shf_rows_merge *merge, struct shf_error **error) {
    return shf_error_set(error, SHF_E_INVALID,
                         "the rows with origins %" PRIu64 " and %" PRIu64
                         " have the same key; leave one out, or let the last one win",
                         merge->first_origin, merge->second_origin);
}

shf_status shf_rows_merge_next(struct shf_rows_merge *merge, struct shf_rows_row *out, bool *done, uint64_t *replaced,
                               struct shf_error **error) {
    struct shf_rows_tree *tree = &merge->tree;
    const struct shf_rows_source *top = shf_rows_tree_top(tree);
    if (merge->is_conflict) return refuse(merge, error);
    if (!top) {
        *done = true;
        return SHF_OK;
    }
    const uint8_t *row = top->row;
    uint64_t word = top->word, others = 0;
    shf_rows_tree_pop(tree);
    /* Equal keys come in the order of adding. */
    while ((top = shf_rows_tree_top(tree)) && top->word == word && is_same_key(tree, row, top->row)) {
        if (!merge->last_wins) {
            merge->is_conflict = true;
            merge->first_origin = shf_rows_head_of(row).origin;
            merge->second_origin = shf_rows_head_of(top->row).origin;
            return refuse(merge, error);
        }
        row = top->row;
        others++;
        shf_rows_tree_pop(tree);
    }
    shf_rows_unpack(row, tree->vector_size, out);
    *replaced += others;
    *done = false;
    return SHF_OK;
}

void shf_rows_merge_conflict(const struct shf_rows_merge *merge, uint64_t *first_origin, uint64_t *second_origin) {
    *first_origin = merge->first_origin;
    *second_origin = merge->second_origin;
}
