/* Text to tree. Every level of nesting is counted, so the depth of the calls here is bounded by SHF_LIMIT_CEL_DEPTH. */
#include "formats/cel/lexer.h"

#include <string.h>

struct parser {
    struct shf_cel *cel;
    struct shf_cel_token token; /* not yet taken */
    size_t offset;              /* behind it */
    unsigned depth;
    struct shf_error **error;
};

typedef struct shf_cel_node node;

static shf_status parse_expression(struct parser *parser, node **out);

static shf_status take(struct parser *parser) {
    return shf_cel_token_next(parser->cel, &parser->offset, &parser->token, parser->error);
}

static bool is(const struct parser *parser, const char *text) { return shf_cel_token_is(&parser->token, text); }

static shf_status unexpected(struct parser *parser, const char *wanted) {
    if (parser->token.kind == SHF_CEL_TOKEN_END) {
        return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                             "the expression ends where %s should be", wanted);
    }
    return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error, "here should be %s", wanted);
}

static shf_status expect(struct parser *parser, const char *sign, const char *wanted) {
    return is(parser, sign) ? take(parser) : unexpected(parser, wanted);
}

struct shf_cel_node *shf_cel_node_new(struct shf_cel *cel, enum shf_cel_op op, size_t offset,
                                      struct shf_cel_node *children) {
    node *made = shf_cel_alloc(&cel->memory, 1, sizeof *made);
    uint32_t count = 0;
    if (!made) return NULL;
    memset(made, 0, sizeof *made);
    for (node *child = children; child; child = child->next) count++;
    made->op = op;
    made->offset = (uint32_t)offset;
    made->count = count;
    made->height = made->weight = 1;
    if (count == 0) return made;
    made->children = shf_cel_alloc(&cel->memory, count, sizeof(node *));
    if (!made->children) return NULL;
    for (uint32_t i = 0; i < count; i++, children = children->next) {
        made->children[i] = children;
        made->weight += children->weight;
        if (children->height >= made->height) made->height = children->height + 1;
    }
    return made;
}

static shf_status too_deep(struct parser *parser, size_t offset) {
    return shf_cel_error(parser->cel, offset, SHF_E_INVALID, parser->error,
                         "the expression is nested more than %u deep; make it simpler", SHF_LIMIT_CEL_DEPTH);
}

static shf_status make(struct parser *parser, enum shf_cel_op op, size_t offset, node *children, node **out) {
    node *made = shf_cel_node_new(parser->cel, op, offset, children);
    if (!made) return shf_cel_no_memory(parser->error);
    if (made->height > SHF_LIMIT_CEL_DEPTH) return too_deep(parser, offset);
    *out = made;
    return SHF_OK;
}

/* ---- lists of expressions ---- */

struct chain {
    node *first, **end;
};

static void chain_begin(struct chain *chain) {
    chain->first = NULL;
    chain->end = &chain->first;
}

static void chain_add(struct chain *chain, node *added) {
    *chain->end = added;
    chain->end = &added->next;
}

/* Expressions and commas up to the closing sign, which is taken; a comma before it only in literals. */
static shf_status parse_list(struct parser *parser, const char *close, bool is_literal, bool is_map, struct chain *chain) {
    shf_status status;
    node *item;
    while (!is(parser, close)) {
        if (is(parser, "?")) {
            return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                                 "optional entries are not supported; leave out the ?");
        }
        if ((status = parse_expression(parser, &item))) return status;
        chain_add(chain, item);
        if (is_map) {
            if ((status = expect(parser, ":", "a colon and the value of the entry"))) return status;
            if ((status = parse_expression(parser, &item))) return status;
            chain_add(chain, item);
        }
        if (is(parser, close)) break;
        if ((status = expect(parser, ",", "a comma or the closing bracket"))) return status;
        if (is(parser, close) && !is_literal) return unexpected(parser, "another argument");
    }
    return take(parser);
}

/* ---- members ---- */

static shf_status parse_arguments(struct parser *parser, node *target, shf_slice name, size_t offset, node **out) {
    struct chain chain;
    shf_status status = take(parser); /* the parenthesis */
    chain_begin(&chain);
    if (target) chain_add(&chain, target);
    if (!status) status = parse_list(parser, ")", false, false, &chain);
    if (!status) status = make(parser, SHF_CEL_OP_CALL, offset, chain.first, out);
    if (status) return status;
    (*out)->name = name;
    (*out)->has_target = target != NULL;
    return shf_cel_expand_macro(parser->cel, *out, parser->error);
}

static bool is_reserved(shf_slice word) {
    static const char *const words[] = {"as",        "break",  "const",  "continue", "else", "for",
                                        "function",  "if",     "import", "let",      "loop", "package",
                                        "namespace", "return", "var",    "void",     "while"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (shf_cel_slice_is(word, words[i])) return true;
    }
    return false;
}

static shf_status parse_name(struct parser *parser, node **out) {
    bool is_root = is(parser, ".");
    shf_status status = is_root ? take(parser) : SHF_OK;
    struct shf_cel_token name = parser->token;
    if (status) return status;
    if (name.kind != SHF_CEL_TOKEN_NAME) return unexpected(parser, "a name");
    if (is_reserved(name.text)) {
        return shf_cel_error(parser->cel, name.offset, SHF_E_INVALID, parser->error,
                             "this word is reserved; a column of this name can not be used");
    }
    if ((status = take(parser))) return status;
    if (is(parser, "(")) {
        status = parse_arguments(parser, NULL, name.text, name.offset, out);
    } else {
        status = make(parser, SHF_CEL_OP_NAME, name.offset, NULL, out);
        if (!status) (*out)->name = name.text;
    }
    if (!status) (*out)->is_root = is_root;
    return status;
}

static bool is_signed_number(const struct parser *parser) {
    return parser->token.kind == SHF_CEL_TOKEN_INT || parser->token.kind == SHF_CEL_TOKEN_DOUBLE;
}

static shf_status parse_literal(struct parser *parser, node **out) {
    struct shf_cel_token token = parser->token;
    bool is_negative = is(parser, "-");
    shf_status status = is_negative ? take(parser) : SHF_OK;
    if (!status) status = make(parser, SHF_CEL_OP_CONSTANT, token.offset, NULL, out);
    if (status) return status;
    struct shf_cel_value *value = &(*out)->constant;
    token = parser->token;
    if (is_negative && !is_signed_number(parser)) return unexpected(parser, "a number");
    switch (token.kind) {
    case SHF_CEL_TOKEN_INT:
    case SHF_CEL_TOKEN_UINT:
    case SHF_CEL_TOKEN_DOUBLE: status = shf_cel_number(parser->cel, &token, is_negative, value, parser->error); break;
    case SHF_CEL_TOKEN_STRING:
    case SHF_CEL_TOKEN_BYTES: status = shf_cel_quoted(parser->cel, &token, value, parser->error); break;
    case SHF_CEL_TOKEN_KEYWORD:
        if (is(parser, "in")) return unexpected(parser, "a value");
        value->type = is(parser, "null") ? SHF_CEL_NULL : SHF_CEL_BOOL;
        value->as.boolean = is(parser, "true");
        break;
    default: return unexpected(parser, "a value");
    }
    return status ? status : take(parser);
}

static shf_status parse_primary(struct parser *parser, node **out) {
    size_t offset = parser->token.offset;
    struct chain chain;
    chain_begin(&chain);
    bool is_map = is(parser, "{"), is_list = is(parser, "[");
    if (is(parser, "(")) {
        shf_status status = take(parser);
        if (!status) status = parse_expression(parser, out);
        return status ? status : expect(parser, ")", "a closing parenthesis");
    }
    if (is_map || is_list) {
        shf_status status = take(parser);
        if (!status && is(parser, ",")) { /* [,] is an empty list */
            status = take(parser);
            if (!status && !is(parser, is_map ? "}" : "]")) status = unexpected(parser, "the closing bracket");
        }
        if (!status) status = parse_list(parser, is_map ? "}" : "]", true, is_map, &chain);
        return status ? status : make(parser, is_map ? SHF_CEL_OP_MAP : SHF_CEL_OP_LIST, offset, chain.first, out);
    }
    if (parser->token.kind == SHF_CEL_TOKEN_NAME || is(parser, ".")) return parse_name(parser, out);
    return parse_literal(parser, out);
}

static shf_status parse_selection(struct parser *parser, node *target, node **out) {
    shf_status status = take(parser); /* the dot */
    struct shf_cel_token name = parser->token;
    if (status) return status;
    if (is(parser, "?"))
        return shf_cel_error(parser->cel, name.offset, SHF_E_INVALID, parser->error,
                             "optional fields are not supported; leave out the ?");
    if (name.kind != SHF_CEL_TOKEN_NAME) return unexpected(parser, "the name of a field or function");
    if ((status = take(parser))) return status;
    if (is(parser, "(")) return parse_arguments(parser, target, name.text, name.offset, out);
    status = make(parser, SHF_CEL_OP_SELECT, name.offset, target, out);
    if (!status) (*out)->name = name.text;
    return status;
}

static shf_status parse_member(struct parser *parser, node **out) {
    shf_status status = parse_primary(parser, out);
    while (!status) { /* bounded by the text */
        node *target = *out;
        size_t offset = parser->token.offset;
        if (is(parser, ".")) {
            status = parse_selection(parser, target, out);
        } else if (is(parser, "[")) {
            status = take(parser);
            if (!status) status = parse_expression(parser, &target->next);
            if (!status) status = expect(parser, "]", "a closing bracket");
            if (!status) status = make(parser, SHF_CEL_OP_INDEX, offset, target, out);
        } else if (is(parser, "{") && (target->op == SHF_CEL_OP_NAME || target->op == SHF_CEL_OP_SELECT)) {
            return shf_cel_error(parser->cel, offset, SHF_E_INVALID, parser->error,
                                 "messages are not supported; use a map");
        } else {
            break;
        }
    }
    return status;
}

/* ---- operators ---- */

/* An even number of signs says nothing; a lone minus before a number belongs to the number. */
static shf_status parse_unary(struct parser *parser, node **out) {
    struct shf_cel_token first = parser->token;
    size_t offset = first.offset, behind = parser->offset, count = 0;
    const char *sign = is(parser, "!") ? "!" : is(parser, "-") ? "-" : NULL;
    for (; sign && is(parser, sign); count++) {
        shf_status status = take(parser);
        if (status) return status;
    }
    if (count == 1 && *sign == '-' && is_signed_number(parser)) { /* back: parse_literal takes both */
        parser->token = first;
        parser->offset = behind;
        count = 0;
    }
    shf_status status = parse_member(parser, out);
    if (status || count % 2 == 0) return status;
    return make(parser, *sign == '!' ? SHF_CEL_OP_NOT : SHF_CEL_OP_NEGATE, offset, *out, out);
}

static const struct binary {
    const char *sign;
    unsigned level; /* the higher, the tighter */
    enum shf_cel_op op;
} operators[] = {
    {"||", 1, SHF_CEL_OP_OR},         {"&&", 2, SHF_CEL_OP_AND},           {"<", 3, SHF_CEL_OP_LESS},
    {"<=", 3, SHF_CEL_OP_LESS_EQUAL}, {">=", 3, SHF_CEL_OP_GREATER_EQUAL}, {">", 3, SHF_CEL_OP_GREATER},
    {"==", 3, SHF_CEL_OP_EQUAL},      {"!=", 3, SHF_CEL_OP_NOT_EQUAL},     {"in", 3, SHF_CEL_OP_IN},
    {"+", 4, SHF_CEL_OP_ADD},         {"-", 4, SHF_CEL_OP_SUBTRACT},       {"*", 5, SHF_CEL_OP_MULTIPLY},
    {"/", 5, SHF_CEL_OP_DIVIDE},      {"%", 5, SHF_CEL_OP_MODULO},
};
#define OPERATORS (sizeof operators / sizeof operators[0])
#define TIGHTEST 5u

static const struct binary *operator_here(const struct parser *parser, unsigned level) {
    for (size_t i = 0; i < OPERATORS; i++) {
        if (operators[i].level == level && is(parser, operators[i].sign)) return &operators[i];
    }
    return NULL;
}

/* Operators of this level and tighter ones; calls itself once a level. && and || take any number of operands at once. */
static shf_status parse_binary(struct parser *parser, unsigned level, node **out) {
    const struct binary *found;
    shf_status status = level > TIGHTEST ? parse_unary(parser, out) : parse_binary(parser, level + 1, out);
    if (level > TIGHTEST) return status;
    while (!status && (found = operator_here(parser, level))) {
        size_t offset = parser->token.offset;
        struct chain chain;
        chain_begin(&chain);
        chain_add(&chain, *out);
        do {
            node *operand = NULL;
            if ((status = take(parser)) || (status = parse_binary(parser, level + 1, &operand))) return status;
            chain_add(&chain, operand);
        } while (level <= 2 && is(parser, found->sign));
        status = make(parser, found->op, offset, chain.first, out);
    }
    return status;
}

static shf_status parse_condition(struct parser *parser, node **out) {
    shf_status status = parse_binary(parser, 1, out);
    if (status || !is(parser, "?")) return status;
    node *condition = *out;
    size_t offset = parser->token.offset;
    if ((status = take(parser)) || (status = parse_binary(parser, 1, &condition->next))) return status;
    if (is(parser, "?")) {
        return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                             "put the ?: between ? and : in parentheses");
    }
    if ((status = expect(parser, ":", "a colon and what holds otherwise"))) return status;
    if ((status = parse_expression(parser, &condition->next->next))) return status;
    return make(parser, SHF_CEL_OP_CONDITION, offset, condition, out);
}

static shf_status parse_expression(struct parser *parser, node **out) {
    if (parser->depth >= SHF_LIMIT_CEL_DEPTH) return too_deep(parser, parser->token.offset);
    parser->depth++;
    shf_status status = parse_condition(parser, out);
    parser->depth--;
    return status;
}

shf_status shf_cel_parse(struct shf_cel *cel, struct shf_error **error) {
    struct parser parser = {.cel = cel, .error = error};
    shf_status status = take(&parser);
    if (!status) status = parse_expression(&parser, &cel->root);
    if (!status && parser.token.kind != SHF_CEL_TOKEN_END) status = unexpected(&parser, "an operator or the end");
    return status;
}
