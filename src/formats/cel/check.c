/* The type checker: names, literals, selection, logic. */
#include "formats/cel/check.h"

#include <string.h>

enum shf_cel_type shf_cel_check_kind(const struct shf_cel_check *check, const struct shf_cel_node *node) {
    return shf_cel_term_kind(&check->types, node->type);
}

shf_status shf_cel_check_limits(struct shf_cel_check *check, const struct shf_cel_node *node) {
    if (check->types.is_out_of_memory) return shf_cel_no_memory(check->error);
    if (!check->types.is_too_complex) return SHF_OK;
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                         "the types here are too deeply nested; make the expression simpler");
}

shf_status shf_cel_check_same(struct shf_cel_check *check, const struct shf_cel_node *node, shf_cel_term wanted,
                              shf_cel_term found, const char *otherwise) {
    char left[SHF_CEL_TYPE_NAME_BYTES], right[SHF_CEL_TYPE_NAME_BYTES];
    if (shf_cel_term_unify(&check->types, wanted, found)) return SHF_OK;
    shf_status status = shf_cel_check_limits(check, node);
    if (status) return status;
    shf_cel_term_name(&check->types, wanted, left);
    shf_cel_term_name(&check->types, found, right);
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                         "%s (%s and %s); convert one, as in int(x), uint(x), string(x), or write 4u for a uint",
                         otherwise, left, right);
}

/* ---- names ---- */

static bool slices_are_equal(shf_slice a, shf_slice b) {
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static shf_cel_term column_term(struct shf_cel_check *check, const struct shf_cel_column_copy *column) {
    if (column->type == SHF_CEL_LIST) return shf_cel_term_list(&check->types, (shf_cel_term)column->element);
    if (column->type == SHF_CEL_MAP) {
        return shf_cel_term_map(&check->types, (shf_cel_term)column->key, (shf_cel_term)column->element);
    }
    return (shf_cel_term)column->type;
}

static shf_status unknown_name(struct shf_cel_check *check, const struct shf_cel_node *node) {
    static const char *const types[] = {"bool", "int", "uint",      "double", "string", "bytes",
                                        "list", "map", "null_type", "type",   "google"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (shf_cel_slice_is(node->name, types[i])) {
            return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                                 "types as values are not supported; compare values");
        }
    }
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                         "there is no column \"%.*s\"; declare it in cel_columns, or use one that is there",
                         (int)(node->name.size < 64 ? node->name.size : 64), (const char *)node->name.data);
}

static shf_status check_name(struct shf_cel_check *check, struct shf_cel_node *node) {
    const struct shf_cel *cel = check->cel;
    for (uint32_t i = check->local_count; i > 0 && !node->is_root; i--) { /* the innermost first */
        if (!slices_are_equal(check->locals[i - 1].name, node->name)) continue;
        node->op = SHF_CEL_OP_LOCAL;
        node->slot = i - 1;
        node->type = check->locals[i - 1].type;
        return SHF_OK;
    }
    for (size_t i = 0; i < cel->column_count; i++) {
        if (!shf_cel_slice_is(node->name, cel->columns[i].name)) continue;
        node->op = SHF_CEL_OP_COLUMN;
        node->slot = (uint32_t)i;
        node->type = column_term(check, &cel->columns[i]);
        return SHF_OK;
    }
    return unknown_name(check, node);
}

/* ---- literals ---- */

static shf_status check_list(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_cel_term element = node->count ? node->children[0]->type : shf_cel_term_variable(&check->types);
    for (uint32_t i = 1; i < node->count; i++) {
        shf_status status =
            shf_cel_check_same(check, node->children[i], element, node->children[i]->type,
                               "lists of several types are not supported: this element differs from the first");
        if (status) return status;
    }
    node->type = shf_cel_term_list(&check->types, element);
    return SHF_OK;
}

static shf_status check_map(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_cel_term key = node->count ? node->children[0]->type : shf_cel_term_variable(&check->types);
    shf_cel_term value = node->count ? node->children[1]->type : shf_cel_term_variable(&check->types);
    for (uint32_t i = 2; i < node->count; i++) {
        const struct shf_cel_node *child = node->children[i];
        shf_status status =
            shf_cel_check_same(check, child, i % 2 ? value : key, child->type,
                               "maps of several types are not supported: this entry differs from the first");
        if (status) return status;
    }
    node->type = shf_cel_term_map(&check->types, key, value);
    return SHF_OK;
}

/* m.name and has(m.name): maps with string keys alone have fields. */
static shf_status check_select(struct shf_cel_check *check, struct shf_cel_node *node) {
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[0]);
    char name[SHF_CEL_TYPE_NAME_BYTES];
    if (kind != SHF_CEL_MAP) {
        shf_cel_term_name(&check->types, node->children[0]->type, name);
        return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                             "a value of type %s has no fields; only maps with string keys have", name);
    }
    shf_status status =
        shf_cel_check_same(check, node, SHF_CEL_STRING, shf_cel_term_first(&check->types, node->children[0]->type),
                           "the keys of this map are no strings");
    node->type = node->op == SHF_CEL_OP_HAS ? SHF_CEL_BOOL : shf_cel_term_second(&check->types, node->children[0]->type);
    return status;
}

/* ---- logic ---- */

static shf_status check_logic(struct shf_cel_check *check, struct shf_cel_node *node) {
    node->type = SHF_CEL_BOOL;
    for (uint32_t i = 0; i < node->count; i++) {
        shf_status status = shf_cel_check_same(check, node->children[i], SHF_CEL_BOOL, node->children[i]->type,
                                               "the operands of &&, || and ! must be bool");
        if (status) return status;
    }
    return SHF_OK;
}

static shf_status check_condition(struct shf_cel_check *check, struct shf_cel_node *node) {
    struct shf_cel_node *const *children = node->children;
    node->type = children[1]->type;
    shf_status status =
        shf_cel_check_same(check, children[0], SHF_CEL_BOOL, children[0]->type, "the condition before ? must be bool");
    if (status) return status;
    return shf_cel_check_same(check, node, children[1]->type, children[2]->type,
                              "both results of ?: must be of one type");
}

static bool is_comprehension(enum shf_cel_op op) { return op >= SHF_CEL_OP_ALL && op <= SHF_CEL_OP_FILTER; }

shf_status shf_cel_check_node(struct shf_cel_check *check, struct shf_cel_node *node) {
    shf_status status = SHF_OK;
    if (is_comprehension(node->op)) return shf_cel_check_comprehension(check, node);
    for (uint32_t i = 0; i < node->count && !status; i++)
        status = shf_cel_check_node(check, node->children[i]); /* depth: node->height */
    if (status) return status;
    switch (node->op) {
    case SHF_CEL_OP_NAME: status = check_name(check, node); break;
    case SHF_CEL_OP_CALL: status = shf_cel_check_call(check, node); break;
    case SHF_CEL_OP_CONSTANT: node->type = (shf_cel_term)node->constant.type; break;
    case SHF_CEL_OP_LIST: status = check_list(check, node); break;
    case SHF_CEL_OP_MAP: status = check_map(check, node); break;
    case SHF_CEL_OP_SELECT:
    case SHF_CEL_OP_HAS: status = check_select(check, node); break;
    case SHF_CEL_OP_AND:
    case SHF_CEL_OP_OR:
    case SHF_CEL_OP_NOT: status = check_logic(check, node); break;
    case SHF_CEL_OP_CONDITION: status = check_condition(check, node); break;
    default: status = shf_cel_check_operator(check, node); break;
    }
    return status ? status : shf_cel_check_limits(check, node);
}

shf_status shf_cel_check(struct shf_cel *cel, struct shf_error **error) {
    struct shf_cel_check check = {.cel = cel, .error = error};
    if (!shf_cel_types_init(&check.types)) return shf_cel_no_memory(error);
    shf_status status = shf_cel_check_node(&check, cel->root);
    if (!status) cel->result_type = shf_cel_check_kind(&check, cel->root);
    shf_cel_types_free(&check.types);
    return status;
}
