/* Evaluation: a walk over the typed tree, as deep as the tree is high, which is bounded. */
#include "formats/cel/evaluate.h"

bool shf_cel_fail(struct shf_cel_run *run, const struct shf_cel_node *node, enum shf_cel_failure failure) {
    run->failure = failure;
    run->place = node;
    return false;
}

bool shf_cel_charge(struct shf_cel_run *run, const struct shf_cel_node *node, uint64_t steps) {
    run->steps += steps; /* each charge is far below 2^63, and the first beyond the limit is the last */
    return run->steps <= SHF_LIMIT_CEL_STEPS || shf_cel_fail(run, node, SHF_CEL_FAILED_STEPS);
}

void *shf_cel_run_alloc(struct shf_cel_run *run, const struct shf_cel_node *node, size_t count, size_t size) {
    void *out = shf_cel_alloc(&run->scratch->memory, count, size);
    if (out) return out;
    (void)shf_cel_fail(run, node, shf_cel_memory_failure(&run->scratch->memory, count, size));
    return NULL;
}

bool shf_cel_absorb(struct shf_cel_run *run) {
    if (run->failure > SHF_CEL_FAILED_FOR_ALL) return false;
    run->failure = SHF_CEL_FAILED_NOT;
    return true;
}

static bool run_column(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    *out = run->columns[node->slot];
    if (out->type == SHF_CEL_ABSENT || out->type == SHF_CEL_MISFIT)
        return shf_cel_fail(run, node, SHF_CEL_FAILED_COLUMN);
    return true;
}

/*
 * && and ||: the first operand that decides is the answer, whether one before it failed or not; otherwise a failure is.
 * Operands behind the one that decides are not looked at.
 */
static bool run_logic(struct shf_cel_run *run, const struct shf_cel_node *node, bool decisive, struct shf_cel_value *out) {
    enum shf_cel_failure failure = SHF_CEL_FAILED_NOT;
    const struct shf_cel_node *place = NULL;
    out->type = SHF_CEL_BOOL;
    for (uint32_t i = 0; i < node->count; i++) {
        struct shf_cel_value value;
        if (shf_cel_run_node(run, node->children[i], &value)) {
            if (value.as.boolean != decisive) continue;
            out->as.boolean = decisive;
            return true;
        }
        if (!failure) failure = run->failure, place = run->place;
        if (!shf_cel_absorb(run)) return false;
    }
    out->as.boolean = !decisive;
    return !failure || shf_cel_fail(run, place, failure);
}

static bool run_not(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    if (!shf_cel_run_node(run, node->children[0], out)) return false;
    out->as.boolean = !out->as.boolean;
    return true;
}

/* Follows the chosen branches of ?: without calling itself for them. */
static const struct shf_cel_node *choose(struct shf_cel_run *run, const struct shf_cel_node *node) {
    while (node->op == SHF_CEL_OP_CONDITION) {
        struct shf_cel_value condition;
        if (!shf_cel_run_node(run, node->children[0], &condition)) return NULL;
        node = node->children[condition.as.boolean ? 1 : 2];
    }
    return node;
}

bool shf_cel_run_node(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    if (node->op == SHF_CEL_OP_CONDITION && !(node = choose(run, node))) return false;
    switch (node->op) {
    case SHF_CEL_OP_CONSTANT: *out = node->constant; return true;
    case SHF_CEL_OP_COLUMN: return run_column(run, node, out);
    case SHF_CEL_OP_LOCAL: *out = run->locals[node->slot]; return true;
    case SHF_CEL_OP_AND: return run_logic(run, node, false, out);
    case SHF_CEL_OP_OR: return run_logic(run, node, true, out);
    case SHF_CEL_OP_NOT: return run_not(run, node, out);
    case SHF_CEL_OP_EQUAL:
    case SHF_CEL_OP_NOT_EQUAL:
    case SHF_CEL_OP_LESS:
    case SHF_CEL_OP_LESS_EQUAL:
    case SHF_CEL_OP_GREATER:
    case SHF_CEL_OP_GREATER_EQUAL: return shf_cel_run_relation(run, node, out);
    case SHF_CEL_OP_LIST:
    case SHF_CEL_OP_MAP:
    case SHF_CEL_OP_SELECT:
    case SHF_CEL_OP_HAS:
    case SHF_CEL_OP_INDEX_LIST:
    case SHF_CEL_OP_INDEX_MAP:
    case SHF_CEL_OP_IN_LIST:
    case SHF_CEL_OP_IN_MAP:
    case SHF_CEL_OP_ADD_LIST: return shf_cel_run_container(run, node, out);
    case SHF_CEL_OP_ALL:
    case SHF_CEL_OP_EXISTS:
    case SHF_CEL_OP_EXISTS_ONE:
    case SHF_CEL_OP_TRANSFORM:
    case SHF_CEL_OP_FILTER: return shf_cel_run_comprehension(run, node, out);
    case SHF_CEL_OP_CONCATENATE: return shf_cel_run_concatenation(run, node, out);
    case SHF_CEL_OP_SAME: return shf_cel_run_node(run, node->children[0], out);
    case SHF_CEL_OP_SIZE:
    case SHF_CEL_OP_CONTAINS:
    case SHF_CEL_OP_STARTS_WITH:
    case SHF_CEL_OP_ENDS_WITH:
    case SHF_CEL_OP_MATCHES:
    case SHF_CEL_OP_SHARD_HASH: return shf_cel_run_function(run, node, out);
    case SHF_CEL_OP_TO_INT:
    case SHF_CEL_OP_TO_UINT:
    case SHF_CEL_OP_TO_DOUBLE:
    case SHF_CEL_OP_TO_STRING:
    case SHF_CEL_OP_TO_BYTES:
    case SHF_CEL_OP_TO_BOOL: return shf_cel_run_conversion(run, node, out);
    default: return shf_cel_run_arithmetic(run, node, out);
    }
}

shf_status shf_cel_evaluate(const struct shf_cel *cel, const struct shf_cel_value *columns,
                            struct shf_cel_scratch *scratch, struct shf_cel_value *out, struct shf_error **error) {
    struct shf_cel_run run;
    struct shf_cel_value result;
    shf_cel_scratch_reset(scratch);
    run.columns = columns;
    run.scratch = scratch;
    run.failure = SHF_CEL_FAILED_NOT;
    run.place = NULL;
    run.iterations = 0;
    run.steps = 0; /* the locals are written before they are read */
    bool is_ok = shf_cel_run_node(&run, cel->root, &result);
    scratch->steps += cel->root->weight + run.steps;
    if (!is_ok) return shf_cel_run_error(cel, &run, error);
    *out = result;
    return SHF_OK;
}
