/* Evaluation: all, exists, exists_one, map, filter. */
#include "formats/cel/evaluate.h"

/* One iteration more, and the nodes that it may look at. */
static bool begin_item(struct shf_cel_run *run, const struct shf_cel_node *node) {
    if (++run->iterations > SHF_LIMIT_CEL_ITERATIONS) return shf_cel_fail(run, node, SHF_CEL_FAILED_ITERATIONS);
    return shf_cel_charge(run, node, node->weight);
}

static bool run_range(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_list **out) {
    struct shf_cel_value range;
    if (!shf_cel_run_node(run, node->children[0], &range)) return false;
    *out = range.as.list;
    return true;
}

static void set_item(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_list *range,
                     size_t i) {
    run->locals[node->slot] = range->items[node->operand == SHF_CEL_MAP ? 2 * i : i];
}

/* The predicate of one item; what it took of the scratch is given back, for a bool needs none. */
static bool run_predicate(struct shf_cel_run *run, const struct shf_cel_node *node, bool *out) {
    struct shf_cel_memory mark = run->scratch->memory;
    struct shf_cel_value value;
    bool is_good = shf_cel_run_node(run, node->children[1], &value);
    shf_cel_memory_return(&run->scratch->memory, &mark);
    if (is_good) *out = value.as.boolean;
    return is_good;
}

/* all and exists: as && and || over the items, with the same way of taking failures. */
static bool run_quantifier(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    bool decisive = node->op == SHF_CEL_OP_EXISTS, value;
    enum shf_cel_failure failure = SHF_CEL_FAILED_NOT;
    const struct shf_cel_node *place = NULL;
    const struct shf_cel_list *range;
    if (!run_range(run, node, &range)) return false;
    out->type = SHF_CEL_BOOL;
    for (size_t i = 0; i < range->count; i++) {
        if (!begin_item(run, node)) return false;
        set_item(run, node, range, i);
        if (run_predicate(run, node, &value)) {
            if (value != decisive) continue;
            out->as.boolean = decisive;
            return true;
        }
        if (!failure) failure = run->failure, place = run->place;
        if (!shf_cel_absorb(run)) return false;
    }
    out->as.boolean = !decisive;
    return !failure || shf_cel_fail(run, place, failure);
}

static bool run_exists_one(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    const struct shf_cel_list *range;
    size_t found = 0;
    bool value;
    if (!run_range(run, node, &range)) return false;
    for (size_t i = 0; i < range->count; i++) {
        if (!begin_item(run, node)) return false;
        set_item(run, node, range, i);
        if (!run_predicate(run, node, &value)) return false;
        found += value;
    }
    out->type = SHF_CEL_BOOL;
    out->as.boolean = found == 1;
    return true;
}

/* map and filter, which make a list. */
static bool run_list(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    bool filters = node->op == SHF_CEL_OP_FILTER || node->count == 3, value = true;
    const struct shf_cel_node *transformation = node->op == SHF_CEL_OP_FILTER ? NULL : node->children[node->count - 1];
    const struct shf_cel_list *range;
    size_t count = 0;
    if (!run_range(run, node, &range)) return false;
    struct shf_cel_value *items = shf_cel_run_alloc(run, node, range->count, sizeof *items);
    if (!items) return false;
    for (size_t i = 0; i < range->count; i++) {
        if (!begin_item(run, node)) return false;
        set_item(run, node, range, i);
        if (filters && !run_predicate(run, node, &value)) return false;
        if (!value) continue;
        if (!transformation) {
            items[count] = run->locals[node->slot];
        } else if (!shf_cel_run_node(run, transformation, &items[count])) {
            return false;
        }
        count++;
    }
    return shf_cel_run_list(run, node, items, count, out);
}

bool shf_cel_run_comprehension(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    if (node->op == SHF_CEL_OP_EXISTS_ONE) return run_exists_one(run, node, out);
    if (node->op == SHF_CEL_OP_ALL || node->op == SHF_CEL_OP_EXISTS) return run_quantifier(run, node, out);
    return run_list(run, node, out);
}
