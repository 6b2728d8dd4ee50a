/* The type checker: operators, indexes, `in`, comprehensions. */
#include "formats/cel/check.h"

#define KINDS ((size_t)SHF_CEL_BYTES + 1) /* the scalars, by type */

static shf_status no_operator(struct shf_cel_check *check, const struct shf_cel_node *node, const char *wanted) {
    char left[SHF_CEL_TYPE_NAME_BYTES], right[SHF_CEL_TYPE_NAME_BYTES] = "";
    shf_cel_term_name(&check->types, node->children[0]->type, left);
    if (node->count > 1) shf_cel_term_name(&check->types, node->children[1]->type, right);
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error, "this operator takes %s, not %s%s%s",
                         wanted, left, node->count > 1 ? " and " : "", right);
}

static shf_status check_operands(struct shf_cel_check *check, const struct shf_cel_node *node) {
    return shf_cel_check_same(check, node, node->children[0]->type, node->children[1]->type,
                              "the two sides must be of one type");
}

/* ---- arithmetic ---- */

/* One operator by the type of its operands; 0 (a name) where there is none. */
static const struct arithmetic {
    const char *wanted;
    enum shf_cel_op op;
    enum shf_cel_op typed[KINDS];
} arithmetic[] = {
    {"int, uint, double, string, bytes or lists",
     SHF_CEL_OP_ADD,
     {[SHF_CEL_INT] = SHF_CEL_OP_ADD_INT,
      [SHF_CEL_UINT] = SHF_CEL_OP_ADD_UINT,
      [SHF_CEL_DOUBLE] = SHF_CEL_OP_ADD_DOUBLE,
      [SHF_CEL_STRING] = SHF_CEL_OP_CONCATENATE,
      [SHF_CEL_BYTES] = SHF_CEL_OP_CONCATENATE}},
    {"int, uint or double",
     SHF_CEL_OP_SUBTRACT,
     {[SHF_CEL_INT] = SHF_CEL_OP_SUBTRACT_INT, [SHF_CEL_UINT] = SHF_CEL_OP_SUBTRACT_UINT, [SHF_CEL_DOUBLE] = SHF_CEL_OP_SUBTRACT_DOUBLE}},
    {"int, uint or double",
     SHF_CEL_OP_MULTIPLY,
     {[SHF_CEL_INT] = SHF_CEL_OP_MULTIPLY_INT, [SHF_CEL_UINT] = SHF_CEL_OP_MULTIPLY_UINT, [SHF_CEL_DOUBLE] = SHF_CEL_OP_MULTIPLY_DOUBLE}},
    {"int, uint or double",
     SHF_CEL_OP_DIVIDE,
     {[SHF_CEL_INT] = SHF_CEL_OP_DIVIDE_INT, [SHF_CEL_UINT] = SHF_CEL_OP_DIVIDE_UINT, [SHF_CEL_DOUBLE] = SHF_CEL_OP_DIVIDE_DOUBLE}},
    {"int or uint", SHF_CEL_OP_MODULO, {[SHF_CEL_INT] = SHF_CEL_OP_MODULO_INT, [SHF_CEL_UINT] = SHF_CEL_OP_MODULO_UINT}},
    {"int or double",
     SHF_CEL_OP_NEGATE,
     {[SHF_CEL_INT] = SHF_CEL_OP_NEGATE_INT, [SHF_CEL_DOUBLE] = SHF_CEL_OP_NEGATE_DOUBLE}},
};

/* (a + b) + c of texts is one node, whose result is written once. */
static shf_status flatten_concatenation(struct shf_cel_check *check, struct shf_cel_node *node) {
    struct shf_cel_node *left = node->children[0], **children;
    if (left->op != SHF_CEL_OP_CONCATENATE) return SHF_OK;
    children = shf_cel_alloc(&check->cel->memory, (size_t)left->count + 1, sizeof(struct shf_cel_node *));
    if (!children) return shf_cel_no_memory(check->error);
    for (uint32_t i = 0; i < left->count; i++) children[i] = left->children[i];
    children[left->count] = node->children[1];
    node->count = left->count + 1;
    node->children = children;
    return SHF_OK;
}

static shf_status check_arithmetic(struct shf_cel_check *check, struct shf_cel_node *node) {
    const struct arithmetic *row = arithmetic;
    while (row->op != node->op) row++; /* is there: shf_cel_check_operator looked */
    shf_status status = node->count > 1 ? check_operands(check, node) : SHF_OK;
    if (status) return status;
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[0]);
    node->operand = kind;
    node->type = node->children[0]->type;
    if (kind == SHF_CEL_LIST && node->op == SHF_CEL_OP_ADD) {
        node->op = SHF_CEL_OP_ADD_LIST;
        return SHF_OK;
    }
    if (kind >= KINDS || !row->typed[kind]) return no_operator(check, node, row->wanted);
    node->op = row->typed[kind];
    return node->op == SHF_CEL_OP_CONCATENATE ? flatten_concatenation(check, node) : SHF_OK;
}

/* ---- relations ---- */

static shf_status check_order(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_status status = check_operands(check, node);
    if (status) return status;
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[0]);
    node->operand = kind;
    node->type = SHF_CEL_BOOL;
    return kind < KINDS ? SHF_OK : no_operator(check, node, "bool, int, uint, double, string or bytes");
}

static shf_status check_equality(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_status status = check_operands(check, node);
    node->operand = shf_cel_check_kind(check, node->children[0]);
    node->type = SHF_CEL_BOOL;
    return status;
}

static shf_status check_in(struct shf_cel_check *check, struct shf_cel_node *node) {
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[1]);
    if (kind != SHF_CEL_LIST && kind != SHF_CEL_MAP) return no_operator(check, node, "a list or a map on its right");
    node->op = kind == SHF_CEL_LIST ? SHF_CEL_OP_IN_LIST : SHF_CEL_OP_IN_MAP;
    node->type = SHF_CEL_BOOL;
    return shf_cel_check_same(check, node, node->children[0]->type,
                              shf_cel_term_first(&check->types, node->children[1]->type),
                              "what is looked for and what it is looked for in must be of one type");
}

static shf_status check_index(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_cel_term container = node->children[0]->type;
    enum shf_cel_type kind = shf_cel_term_kind(&check->types, container);
    bool is_list = kind == SHF_CEL_LIST;
    if (!is_list && kind != SHF_CEL_MAP) return no_operator(check, node, "a list or a map before the brackets");
    node->op = is_list ? SHF_CEL_OP_INDEX_LIST : SHF_CEL_OP_INDEX_MAP;
    node->type = is_list ? shf_cel_term_first(&check->types, container) : shf_cel_term_second(&check->types, container);
    return shf_cel_check_same(
        check, node, is_list ? (shf_cel_term)SHF_CEL_INT : shf_cel_term_first(&check->types, container),
        node->children[1]->type,
        is_list ? "the index of a list must be an int" : "the key must be of the type of the map's keys");
}

shf_status shf_cel_check_operator(struct shf_cel_check *check, struct shf_cel_node *node) {
    switch (node->op) {
    case SHF_CEL_OP_EQUAL:
    case SHF_CEL_OP_NOT_EQUAL: return check_equality(check, node);
    case SHF_CEL_OP_LESS:
    case SHF_CEL_OP_LESS_EQUAL:
    case SHF_CEL_OP_GREATER:
    case SHF_CEL_OP_GREATER_EQUAL: return check_order(check, node);
    case SHF_CEL_OP_IN: return check_in(check, node);
    case SHF_CEL_OP_INDEX: return check_index(check, node);
    default: return check_arithmetic(check, node);
    }
}

/* ---- comprehensions ---- */

static shf_status check_body(struct shf_cel_check *check, struct shf_cel_node *node) {
    struct shf_cel_node *last = node->children[node->count - 1];
    bool transforms = node->op == SHF_CEL_OP_TRANSFORM;
    shf_status status = SHF_OK;
    for (uint32_t i = 1; i < node->count && !status; i++) {
        struct shf_cel_node *child = node->children[i];
        status = shf_cel_check_node(check, child);
        if (!status && !(transforms && child == last)) {
            status = shf_cel_check_same(check, child, SHF_CEL_BOOL, child->type,
                                        "what a macro asks of each item must be bool");
        }
    }
    if (status) return status;
    shf_cel_term range = node->children[0]->type;
    node->type = SHF_CEL_BOOL;
    if (transforms) node->type = shf_cel_term_list(&check->types, last->type);
    if (node->op == SHF_CEL_OP_FILTER)
        node->type = shf_cel_term_list(&check->types, shf_cel_term_first(&check->types, range));
    return shf_cel_check_limits(check, node);
}

shf_status shf_cel_check_comprehension(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_status status = shf_cel_check_node(check, node->children[0]);
    if (status) return status;
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[0]);
    if (kind != SHF_CEL_LIST && kind != SHF_CEL_MAP) return no_operator(check, node, "a list or a map");
    if (check->local_count == SHF_LIMIT_CEL_DEPTH) {
        return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                             "more than %u macros are nested; make the expression simpler", SHF_LIMIT_CEL_DEPTH);
    }
    node->operand = kind;
    node->slot = check->local_count;
    check->locals[check->local_count].name = node->name;
    check->locals[check->local_count++].type = shf_cel_term_first(&check->types, node->children[0]->type);
    status = check_body(check, node);
    check->local_count--;
    return status;
}
