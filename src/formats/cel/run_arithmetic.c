/* Evaluation: arithmetic and relations. */
#include "formats/cel/evaluate.h"

static bool run_int(struct shf_cel_run *run, const struct shf_cel_node *node, int64_t a, int64_t b, int64_t *out) {
    bool overflows = false;
    switch (node->op) {
    case SHF_CEL_OP_ADD_INT: overflows = __builtin_add_overflow(a, b, out); break;
    case SHF_CEL_OP_SUBTRACT_INT: overflows = __builtin_sub_overflow(a, b, out); break;
    case SHF_CEL_OP_MULTIPLY_INT: overflows = __builtin_mul_overflow(a, b, out); break;
    case SHF_CEL_OP_DIVIDE_INT:
        if (b == 0) return shf_cel_fail(run, node, SHF_CEL_FAILED_DIVISION);
        overflows = a == INT64_MIN && b == -1;
        if (!overflows) *out = a / b;
        break;
    default:
        if (b == 0) return shf_cel_fail(run, node, SHF_CEL_FAILED_MODULO);
        overflows = a == INT64_MIN && b == -1;
        if (!overflows) *out = a % b;
        break;
    }
    return !overflows || shf_cel_fail(run, node, SHF_CEL_FAILED_OVERFLOW);
}

static bool run_uint(struct shf_cel_run *run, const struct shf_cel_node *node, uint64_t a, uint64_t b, uint64_t *out) {
    bool overflows = false;
    switch (node->op) {
    case SHF_CEL_OP_ADD_UINT: overflows = __builtin_add_overflow(a, b, out); break;
    case SHF_CEL_OP_SUBTRACT_UINT: overflows = __builtin_sub_overflow(a, b, out); break;
    case SHF_CEL_OP_MULTIPLY_UINT: overflows = __builtin_mul_overflow(a, b, out); break;
    case SHF_CEL_OP_DIVIDE_UINT:
        if (b == 0) return shf_cel_fail(run, node, SHF_CEL_FAILED_DIVISION);
        *out = a / b;
        break;
    default:
        if (b == 0) return shf_cel_fail(run, node, SHF_CEL_FAILED_MODULO);
        *out = a % b;
        break;
    }
    return !overflows || shf_cel_fail(run, node, SHF_CEL_FAILED_OVERFLOW);
}

/* IEEE 754: a division by zero is no error. */
__attribute__((no_sanitize("float-divide-by-zero"))) static double run_double(enum shf_cel_op op, double a, double b) {
    switch (op) {
    case SHF_CEL_OP_ADD_DOUBLE: return a + b;
    case SHF_CEL_OP_SUBTRACT_DOUBLE: return a - b;
    case SHF_CEL_OP_MULTIPLY_DOUBLE: return a * b;
    default: return a / b;
    }
}

static bool run_negation(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    if (!shf_cel_run_node(run, node->children[0], out)) return false;
    if (node->op == SHF_CEL_OP_NEGATE_DOUBLE) {
        out->as.real = -out->as.real;
        return true;
    }
    if (out->as.integer == INT64_MIN) return shf_cel_fail(run, node, SHF_CEL_FAILED_OVERFLOW);
    out->as.integer = -out->as.integer;
    return true;
}

bool shf_cel_run_arithmetic(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value a, b;
    if (node->count == 1) return run_negation(run, node, out);
    if (!shf_cel_run_node(run, node->children[0], &a) || !shf_cel_run_node(run, node->children[1], &b)) return false;
    out->type = node->operand;
    if (node->operand == SHF_CEL_INT) return run_int(run, node, a.as.integer, b.as.integer, &out->as.integer);
    if (node->operand == SHF_CEL_UINT) return run_uint(run, node, a.as.uinteger, b.as.uinteger, &out->as.uinteger);
    out->as.real = run_double(node->op, a.as.real, b.as.real);
    return true;
}

static bool run_order(enum shf_cel_op op, int order) {
    switch (op) {
    case SHF_CEL_OP_LESS: return order == -1;
    case SHF_CEL_OP_LESS_EQUAL: return order <= 0;
    case SHF_CEL_OP_GREATER: return order == 1;
    default: return order == 0 || order == 1; /* not 2, which has a NaN */
    }
}

bool shf_cel_run_relation(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value a, b;
    if (!shf_cel_run_node(run, node->children[0], &a) || !shf_cel_run_node(run, node->children[1], &b)) return false;
    out->type = SHF_CEL_BOOL;
    uint64_t steps = 0;
    if (node->op != SHF_CEL_OP_EQUAL && node->op != SHF_CEL_OP_NOT_EQUAL) {
        if (a.type == SHF_CEL_STRING || a.type == SHF_CEL_BYTES) steps = a.as.text.size / SHF_CEL_BYTES_A_STEP;
        out->as.boolean = run_order(node->op, shf_cel_compare(&a, &b));
        return shf_cel_charge(run, node, steps);
    }
    bool is_equal = shf_cel_values_are_equal(&a, &b, &steps);
    out->as.boolean = is_equal == (node->op == SHF_CEL_OP_EQUAL);
    return shf_cel_charge(run, node, steps);
}
