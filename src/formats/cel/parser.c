/* Text to tree: operators. */
#include "formats/cel/parser.h"

#include <string.h>

shf_status shf_cel_parser_take(struct shf_cel_parser *parser) {
    return shf_cel_token_next(parser->cel, &parser->offset, &parser->token, parser->error);
}

bool shf_cel_parser_is(const struct shf_cel_parser *parser, const char *text) {
    return shf_cel_token_is(&parser->token, text);
}

shf_status(shf_cel_parser_unexpected)(struct shf_cel_parser *parser, const char *wanted) {
    if (parser->token.kind == SHF_CEL_TOKEN_END) {
        return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                             "the expression ends where %s should be", wanted);
    }
    return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error, "here should be %s", wanted);
}

shf_status shf_cel_parser_expect(struct shf_cel_parser *parser, const char *sign, const char *wanted) {
    return shf_cel_parser_is(parser, sign) ? shf_cel_parser_take(parser) : shf_cel_parser_unexpected(parser, wanted);
}

struct shf_cel_node *shf_cel_node_new(struct shf_cel *cel, enum shf_cel_op op, size_t offset,
                                      struct shf_cel_node *children) {
    struct shf_cel_node *made = shf_cel_alloc(&cel->memory, 1, sizeof *made);
    uint32_t count = 0;
    if (!made) return NULL;
    memset(made, 0, sizeof *made);
    for (struct shf_cel_node *child = children; child; child = child->next) count++;
    made->op = op;
    made->offset = (uint32_t)offset;
    made->count = count;
    made->height = made->weight = 1;
    if (count == 0) return made;
    made->children = shf_cel_alloc(&cel->memory, count, sizeof(struct shf_cel_node *));
    if (!made->children) return NULL;
    for (uint32_t i = 0; i < count; i++, children = children->next) {
        made->children[i] = children;
        made->weight += children->weight;
        if (children->height >= made->height) made->height = children->height + 1;
    }
    return made;
}

static shf_status too_deep(struct shf_cel_parser *parser, size_t offset) {
    return shf_cel_error(parser->cel, offset, SHF_E_INVALID, parser->error,
                         "the expression is nested more than %u deep; make it simpler", SHF_LIMIT_CEL_DEPTH);
}

shf_status shf_cel_parser_make(struct shf_cel_parser *parser, enum shf_cel_op op, size_t offset,
                               struct shf_cel_node *children, struct shf_cel_node **out) {
    struct shf_cel_node *made = shf_cel_node_new(parser->cel, op, offset, children);
    if (!made) return shf_cel_no_memory(parser->error);
    if (made->height > SHF_LIMIT_CEL_DEPTH) return too_deep(parser, offset);
    *out = made;
    return SHF_OK;
}

bool shf_cel_parser_at_number(const struct shf_cel_parser *parser) {
    return parser->token.kind == SHF_CEL_TOKEN_INT || parser->token.kind == SHF_CEL_TOKEN_DOUBLE;
}

/* ---- operators ---- */

/* An even number of signs says nothing; a lone minus before a number belongs to the number. */
static shf_status parse_unary(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    struct shf_cel_token first = parser->token;
    size_t offset = first.offset, behind = parser->offset, count = 0;
    const char *sign = shf_cel_parser_is(parser, "!") ? "!" : shf_cel_parser_is(parser, "-") ? "-" : NULL;
    for (; sign && shf_cel_parser_is(parser, sign); count++) {
        shf_status status = shf_cel_parser_take(parser);
        if (status) return status;
    }
    if (count == 1 && *sign == '-' && shf_cel_parser_at_number(parser)) { /* back: parse_literal takes both */
        parser->token = first;
        parser->offset = behind;
        count = 0;
    }
    shf_status status = shf_cel_parse_member(parser, out);
    if (status || count % 2 == 0) return status;
    return shf_cel_parser_make(parser, *sign == '!' ? SHF_CEL_OP_NOT : SHF_CEL_OP_NEGATE, offset, *out, out);
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

static const struct binary *operator_here(const struct shf_cel_parser *parser, unsigned level) {
    for (size_t i = 0; i < OPERATORS; i++) {
        if (operators[i].level == level && shf_cel_parser_is(parser, operators[i].sign)) return &operators[i];
    }
    return NULL;
}

/* Operators of this level and tighter ones; calls itself once a level. && and || take any number of operands at once. */
static shf_status parse_binary(struct shf_cel_parser *parser, unsigned level, struct shf_cel_node **out) {
    const struct binary *found;
    shf_status status = level > TIGHTEST ? parse_unary(parser, out) : parse_binary(parser, level + 1, out);
    if (level > TIGHTEST) return status;
    while (!status && (found = operator_here(parser, level))) {
        size_t offset = parser->token.offset;
        struct shf_cel_chain chain;
        shf_cel_chain_begin(&chain);
        shf_cel_chain_add(&chain, *out);
        do {
            struct shf_cel_node *operand = NULL;
            if ((status = shf_cel_parser_take(parser)) || (status = parse_binary(parser, level + 1, &operand)))
                return status;
            shf_cel_chain_add(&chain, operand);
        } while (level <= 2 && shf_cel_parser_is(parser, found->sign));
        status = shf_cel_parser_make(parser, found->op, offset, chain.first, out);
    }
    return status;
}

static shf_status parse_condition(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    shf_status status = parse_binary(parser, 1, out);
    if (status || !shf_cel_parser_is(parser, "?")) return status;
    struct shf_cel_node *condition = *out;
    size_t offset = parser->token.offset;
    if ((status = shf_cel_parser_take(parser)) || (status = parse_binary(parser, 1, &condition->next))) return status;
    if (shf_cel_parser_is(parser, "?")) {
        return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                             "put the ?: between ? and : in parentheses");
    }
    if ((status = shf_cel_parser_expect(parser, ":", "a colon and what holds otherwise"))) return status;
    if ((status = shf_cel_parse_expression(parser, &condition->next->next))) return status;
    return shf_cel_parser_make(parser, SHF_CEL_OP_CONDITION, offset, condition, out);
}

shf_status shf_cel_parse_expression(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    if (parser->depth >= SHF_LIMIT_CEL_DEPTH) return too_deep(parser, parser->token.offset);
    parser->depth++;
    shf_status status = parse_condition(parser, out);
    parser->depth--;
    return status;
}

shf_status shf_cel_parse(struct shf_cel *cel, struct shf_error **error) {
    struct shf_cel_parser parser = {.cel = cel, .error = error};
    shf_status status = shf_cel_parser_take(&parser);
    if (!status) status = shf_cel_parse_expression(&parser, &cel->root);
    if (!status && parser.token.kind != SHF_CEL_TOKEN_END)
        status = shf_cel_parser_unexpected(&parser, "an operator or the end");
    return status;
}
