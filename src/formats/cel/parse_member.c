/* Names, calls, literals, selections, indexes. */
#include "formats/cel/parser.h"

/* ---- lists of expressions ---- */

/* Expressions and commas up to the closing sign, which is taken; a comma before it only in literals. */
static shf_status parse_list(struct shf_cel_parser *parser, const char *close, bool is_literal, bool is_map,
                             struct shf_cel_chain *chain) {
    shf_status status;
    struct shf_cel_node *item;
    while (!shf_cel_parser_is(parser, close)) {
        if (shf_cel_parser_is(parser, "?")) {
            return shf_cel_error(parser->cel, parser->token.offset, SHF_E_INVALID, parser->error,
                                 "optional entries are not supported; leave out the ?");
        }
        if ((status = shf_cel_parse_expression(parser, &item))) return status;
        shf_cel_chain_add(chain, item);
        if (is_map) {
            if ((status = shf_cel_parser_expect(parser, ":", "a colon and the value of the entry"))) return status;
            if ((status = shf_cel_parse_expression(parser, &item))) return status;
            shf_cel_chain_add(chain, item);
        }
        if (shf_cel_parser_is(parser, close)) break;
        if ((status = shf_cel_parser_expect(parser, ",", "a comma or the closing bracket"))) return status;
        if (shf_cel_parser_is(parser, close) && !is_literal)
            return shf_cel_parser_unexpected(parser, "another argument");
    }
    return shf_cel_parser_take(parser);
}

/* ---- members ---- */

static shf_status parse_arguments(struct shf_cel_parser *parser, struct shf_cel_node *target, shf_slice name,
                                  size_t offset, struct shf_cel_node **out) {
    struct shf_cel_chain chain;
    shf_status status = shf_cel_parser_take(parser); /* the parenthesis */
    shf_cel_chain_begin(&chain);
    if (target) shf_cel_chain_add(&chain, target);
    if (!status) status = parse_list(parser, ")", false, false, &chain);
    if (!status) status = shf_cel_parser_make(parser, SHF_CEL_OP_CALL, offset, chain.first, out);
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

static shf_status parse_name(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    bool is_root = shf_cel_parser_is(parser, ".");
    shf_status status = is_root ? shf_cel_parser_take(parser) : SHF_OK;
    struct shf_cel_token name = parser->token;
    if (status) return status;
    if (name.kind != SHF_CEL_TOKEN_NAME) return shf_cel_parser_unexpected(parser, "a name");
    if (is_reserved(name.text)) {
        return shf_cel_error(parser->cel, name.offset, SHF_E_INVALID, parser->error,
                             "this word is reserved; a column of this name can not be used");
    }
    if ((status = shf_cel_parser_take(parser))) return status;
    if (shf_cel_parser_is(parser, "(")) {
        status = parse_arguments(parser, NULL, name.text, name.offset, out);
    } else {
        status = shf_cel_parser_make(parser, SHF_CEL_OP_NAME, name.offset, NULL, out);
        if (!status) (*out)->name = name.text;
    }
    if (!status) (*out)->is_root = is_root;
    return status;
}

static shf_status parse_literal(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    struct shf_cel_token token = parser->token;
    bool is_negative = shf_cel_parser_is(parser, "-");
    shf_status status = is_negative ? shf_cel_parser_take(parser) : SHF_OK;
    if (!status) status = shf_cel_parser_make(parser, SHF_CEL_OP_CONSTANT, token.offset, NULL, out);
    if (status) return status;
    struct shf_cel_value *value = &(*out)->constant;
    token = parser->token;
    if (is_negative && !shf_cel_parser_at_number(parser)) return shf_cel_parser_unexpected(parser, "a number");
    switch (token.kind) {
    case SHF_CEL_TOKEN_INT:
    case SHF_CEL_TOKEN_UINT:
    case SHF_CEL_TOKEN_DOUBLE: status = shf_cel_number(parser->cel, &token, is_negative, value, parser->error); break;
    case SHF_CEL_TOKEN_STRING:
    case SHF_CEL_TOKEN_BYTES: status = shf_cel_quoted(parser->cel, &token, value, parser->error); break;
    case SHF_CEL_TOKEN_KEYWORD:
        if (shf_cel_parser_is(parser, "in")) return shf_cel_parser_unexpected(parser, "a value");
        value->type = shf_cel_parser_is(parser, "null") ? SHF_CEL_NULL : SHF_CEL_BOOL;
        value->as.boolean = shf_cel_parser_is(parser, "true");
        break;
    default: return shf_cel_parser_unexpected(parser, "a value");
    }
    return status ? status : shf_cel_parser_take(parser);
}

static shf_status parse_primary(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    size_t offset = parser->token.offset;
    struct shf_cel_chain chain;
    shf_cel_chain_begin(&chain);
    bool is_map = shf_cel_parser_is(parser, "{"), is_list = shf_cel_parser_is(parser, "[");
    if (shf_cel_parser_is(parser, "(")) {
        shf_status status = shf_cel_parser_take(parser);
        if (!status) status = shf_cel_parse_expression(parser, out);
        return status ? status : shf_cel_parser_expect(parser, ")", "a closing parenthesis");
    }
    if (is_map || is_list) {
        shf_status status = shf_cel_parser_take(parser);
        if (!status && shf_cel_parser_is(parser, ",")) { /* [,] is an empty list */
            status = shf_cel_parser_take(parser);
            if (!status && !shf_cel_parser_is(parser, is_map ? "}" : "]"))
                status = shf_cel_parser_unexpected(parser, "the closing bracket");
        }
        if (!status) status = parse_list(parser, is_map ? "}" : "]", true, is_map, &chain);
        return status ? status
                      : shf_cel_parser_make(parser, is_map ? SHF_CEL_OP_MAP : SHF_CEL_OP_LIST, offset, chain.first, out);
    }
    if (parser->token.kind == SHF_CEL_TOKEN_NAME || shf_cel_parser_is(parser, ".")) return parse_name(parser, out);
    return parse_literal(parser, out);
}

static shf_status parse_selection(struct shf_cel_parser *parser, struct shf_cel_node *target, struct shf_cel_node **out) {
    shf_status status = shf_cel_parser_take(parser); /* the dot */
    struct shf_cel_token name = parser->token;
    if (status) return status;
    if (shf_cel_parser_is(parser, "?"))
        return shf_cel_error(parser->cel, name.offset, SHF_E_INVALID, parser->error,
                             "optional fields are not supported; leave out the ?");
    if (name.kind != SHF_CEL_TOKEN_NAME) return shf_cel_parser_unexpected(parser, "the name of a field or function");
    if ((status = shf_cel_parser_take(parser))) return status;
    if (shf_cel_parser_is(parser, "(")) return parse_arguments(parser, target, name.text, name.offset, out);
    status = shf_cel_parser_make(parser, SHF_CEL_OP_SELECT, name.offset, target, out);
    if (!status) (*out)->name = name.text;
    return status;
}

shf_status shf_cel_parse_member(struct shf_cel_parser *parser, struct shf_cel_node **out) {
    shf_status status = parse_primary(parser, out);
    while (!status) { /* bounded by the text */
        struct shf_cel_node *target = *out;
        size_t offset = parser->token.offset;
        if (shf_cel_parser_is(parser, ".")) {
            status = parse_selection(parser, target, out);
        } else if (shf_cel_parser_is(parser, "[")) {
            status = shf_cel_parser_take(parser);
            if (!status) status = shf_cel_parse_expression(parser, &target->next);
            if (!status) status = shf_cel_parser_expect(parser, "]", "a closing bracket");
            if (!status) status = shf_cel_parser_make(parser, SHF_CEL_OP_INDEX, offset, target, out);
        } else if (shf_cel_parser_is(parser, "{") && (target->op == SHF_CEL_OP_NAME || target->op == SHF_CEL_OP_SELECT)) {
            return shf_cel_error(parser->cel, offset, SHF_E_INVALID, parser->error,
                                 "messages are not supported; use a map");
        } else {
            break;
        }
    }
    return status;
}
