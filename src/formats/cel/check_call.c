/* The type checker: functions. */
#include "formats/cel/check.h"
#include "formats/cel/regex_priv.h"

#define TYPE(type) (1u << SHF_CEL_##type)

/* The subset's functions. Arguments count the target of x.f(). */
static const struct function {
    const char *name;
    unsigned arguments;
    bool is_global, is_member;
    unsigned first; /* types that the first argument may have; the second is a string */
    enum shf_cel_op op;
    enum shf_cel_type result;
    const char *wanted;
} functions[] = {
    {"size", 1, true, true, TYPE(STRING) | TYPE(BYTES) | TYPE(LIST) | TYPE(MAP), SHF_CEL_OP_SIZE, SHF_CEL_INT,
     "a string, bytes, a list or a map"},
    {"contains", 2, false, true, TYPE(STRING), SHF_CEL_OP_CONTAINS, SHF_CEL_BOOL, "strings"},
    {"startsWith", 2, false, true, TYPE(STRING), SHF_CEL_OP_STARTS_WITH, SHF_CEL_BOOL, "strings"},
    {"endsWith", 2, false, true, TYPE(STRING), SHF_CEL_OP_ENDS_WITH, SHF_CEL_BOOL, "strings"},
    {"matches", 2, true, true, TYPE(STRING), SHF_CEL_OP_MATCHES, SHF_CEL_BOOL, "strings"},
    {"int", 1, true, false, TYPE(INT) | TYPE(UINT) | TYPE(DOUBLE) | TYPE(STRING), SHF_CEL_OP_TO_INT, SHF_CEL_INT,
     "int, uint, double or string"},
    {"uint", 1, true, false, TYPE(INT) | TYPE(UINT) | TYPE(DOUBLE) | TYPE(STRING), SHF_CEL_OP_TO_UINT, SHF_CEL_UINT,
     "int, uint, double or string"},
    {"double", 1, true, false, TYPE(INT) | TYPE(UINT) | TYPE(DOUBLE) | TYPE(STRING), SHF_CEL_OP_TO_DOUBLE,
     SHF_CEL_DOUBLE, "int, uint, double or string"},
    {"string", 1, true, false, TYPE(INT) | TYPE(UINT) | TYPE(DOUBLE) | TYPE(BOOL) | TYPE(STRING) | TYPE(BYTES),
     SHF_CEL_OP_TO_STRING, SHF_CEL_STRING, "int, uint, double, bool, string or bytes"},
    {"bytes", 1, true, false, TYPE(STRING) | TYPE(BYTES), SHF_CEL_OP_TO_BYTES, SHF_CEL_BYTES, "string or bytes"},
    {"bool", 1, true, false, TYPE(BOOL) | TYPE(STRING), SHF_CEL_OP_TO_BOOL, SHF_CEL_BOOL, "bool or string"},
    {"shard_hash", 1, true, false, TYPE(INT) | TYPE(UINT) | TYPE(STRING) | TYPE(BYTES), SHF_CEL_OP_SHARD_HASH,
     SHF_CEL_UINT, "int, uint, string or bytes"},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* What CEL has and the subset has not. */
static const char *const unsupported[] = {
    "timestamp",  "duration",        "type",         "dyn",          "getFullYear", "getMonth",
    "getDate",    "getDayOfMonth",   "getDayOfWeek", "getDayOfYear", "getHours",    "getMinutes",
    "getSeconds", "getMilliseconds", "optional",
};

static shf_status no_function(struct shf_cel_check *check, const struct shf_cel_node *node, const struct function *found) {
    int size = (int)(node->name.size < 64 ? node->name.size : 64);
    const char *name = node->name.data;
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        if (!shf_cel_slice_is(node->name, unsupported[i])) continue;
        return shf_cel_error(
            check->cel, node->offset, SHF_E_INVALID, check->error,
            "%.*s() is not supported: timestamps, durations, types as values and dyn are no part of this subset of CEL",
            size, name);
    }
    if (!found) {
        return shf_cel_error(
            check->cel, node->offset, SHF_E_INVALID,
            check->error, "there is no function %.*s(); use one of size, contains, startsWith, endsWith, matches, int, uint, double, string, bytes, bool, shard_hash",
            size, name);
    }
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error,
                         "%.*s() is called as %s with %u argument%s", size, name,
                         found->is_member && !found->is_global   ? "x.f()"
                         : found->is_global && !found->is_member ? "f(x)"
                                                                 : "f(x) or x.f()",
                         found->arguments - (found->is_member && !found->is_global), found->arguments == 1 ? "" : "s");
}

static shf_status wrong_argument(struct shf_cel_check *check, const struct shf_cel_node *node,
                                 const struct function *function) {
    char name[SHF_CEL_TYPE_NAME_BYTES];
    shf_cel_term_name(&check->types, node->children[0]->type, name);
    return shf_cel_error(check->cel, node->offset, SHF_E_INVALID, check->error, "%s() takes %s, not %s", function->name,
                         function->wanted, name);
}

/* The pattern is compiled with the expression; so it must be known. */
static shf_status check_matches(struct shf_cel_check *check, struct shf_cel_node *node) {
    const struct shf_cel_node *pattern = node->children[1];
    if (pattern->op != SHF_CEL_OP_CONSTANT) {
        return shf_cel_error(check->cel, pattern->offset, SHF_E_INVALID, check->error,
                             "matches() takes only a string literal as its pattern here");
    }
    node->count = 1;
    return shf_cel_pattern_compile(check->cel, pattern, &node->pattern, check->error);
}

shf_status shf_cel_check_call(struct shf_cel_check *check, struct shf_cel_node *node) {
    const struct function *function = NULL;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (shf_cel_slice_is(node->name, functions[i].name)) function = &functions[i];
    }
    if (!function || node->count != function->arguments ||
        !(node->has_target ? function->is_member : function->is_global)) {
        return no_function(check, node, function);
    }
    enum shf_cel_type kind = shf_cel_check_kind(check, node->children[0]);
    if (kind == SHF_CEL_OTHER && (function->first & (function->first - 1)) == 0) { /* only one type can be meant */
        (void)shf_cel_term_unify(&check->types, SHF_CEL_STRING, node->children[0]->type);
        kind = shf_cel_check_kind(check, node->children[0]);
    }
    if (!(function->first >> kind & 1)) return wrong_argument(check, node, function);
    node->operand = kind;
    node->type = (shf_cel_term)function->result;
    bool is_conversion = function->op >= SHF_CEL_OP_TO_INT && function->op <= SHF_CEL_OP_TO_BOOL;
    node->op = is_conversion && kind == function->result ? SHF_CEL_OP_SAME : function->op;
    if (function->arguments == 2) {
        shf_status status = shf_cel_check_same(check, node->children[1], SHF_CEL_STRING, node->children[1]->type,
                                               "the argument must be a string");
        if (status) return status;
    }
    return node->op == SHF_CEL_OP_MATCHES ? check_matches(check, node) : SHF_OK;
}
