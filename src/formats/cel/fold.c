/* Subtrees without variables are evaluated once, when the expression is compiled. */
#include "formats/cel/evaluate.h"

#include <string.h>

#define MOST_FOLDED_STEPS 1000000u /* of all folding; what is left is evaluated each time */

struct fold {
    struct shf_cel *cel;
    struct shf_cel_scratch scratch;
    uint64_t steps;
    struct shf_error **error;
};

/*
 * Into the memory of the expression. What an operation makes anew is its text or its list; the items of the list are
 * those of constants, which are there already.
 */
static bool keep_value(struct shf_cel *cel, struct shf_cel_value *value) {
    struct shf_cel_memory *memory = &cel->memory;
    if (value->type == SHF_CEL_STRING || value->type == SHF_CEL_BYTES) {
        uint8_t *data = shf_cel_alloc(memory, value->as.text.size, 1);
        if (!data) return false;
        if (value->as.text.size) memcpy(data, value->as.text.data, value->as.text.size);
        value->as.text.data = data;
        return true;
    }
    bool is_map = value->type == SHF_CEL_MAP;
    if (value->type != SHF_CEL_LIST && !is_map) return true;
    const struct shf_cel_list *made = value->as.list;
    size_t count = made->count * (is_map ? 2 : 1);
    struct shf_cel_list *list = shf_cel_alloc(memory, 1, sizeof *list);
    struct shf_cel_value *items = list ? shf_cel_alloc(memory, count, sizeof *items) : NULL;
    if (!items) return false;
    if (count) memcpy(items, made->items, count * sizeof *items);
    *list = (struct shf_cel_list){.items = items, .count = made->count};
    value->as.list = list;
    return shf_cel_list_index(list, is_map, memory) == SHF_CEL_FAILED_NOT;
}

/* Not comprehensions, whose work does not depend on the length of the text alone; nor what fails when it is evaluated. */
static bool can_be_folded(const struct shf_cel_node *node) {
    if (node->op == SHF_CEL_OP_CONSTANT || node->op == SHF_CEL_OP_COLUMN || node->op == SHF_CEL_OP_LOCAL) return false;
    if (node->op >= SHF_CEL_OP_ALL && node->op <= SHF_CEL_OP_FILTER) return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->children[i]->op != SHF_CEL_OP_CONSTANT) return false;
    }
    return true;
}

static shf_status fold(struct fold *folding, struct shf_cel_node *node) {
    shf_status status = SHF_OK;
    for (uint32_t i = 0; i < node->count && !status; i++)
        status = fold(folding, node->children[i]); /* depth: node->height */
    bool is_enough = folding->steps > MOST_FOLDED_STEPS || folding->cel->memory.taken > SHF_LIMIT_CEL_MEMORY_BYTES / 2;
    if (status || is_enough || !can_be_folded(node)) return status;
    struct shf_cel_run run = {.scratch = &folding->scratch};
    struct shf_cel_value value;
    shf_cel_scratch_reset(&folding->scratch);
    bool is_good = shf_cel_run_node(&run, node, &value);
    folding->steps += run.steps + node->count;
    if (!is_good) return run.failure == SHF_CEL_FAILED_MEMORY ? shf_cel_no_memory(folding->error) : SHF_OK;
    if (!keep_value(folding->cel, &value)) return shf_cel_no_memory(folding->error);
    node->constant = value;
    node->op = SHF_CEL_OP_CONSTANT;
    node->count = 0;
    node->weight = 1;
    return SHF_OK;
}

shf_status shf_cel_fold(struct shf_cel *cel, struct shf_error **error) {
    struct fold all = {.cel = cel, .error = error};
    shf_cel_scratch_init(&all.scratch);
    shf_status status = fold(&all, cel->root);
    shf_cel_scratch_free(&all.scratch);
    return status;
}
