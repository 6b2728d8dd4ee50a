/* The parser, between its files. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_PARSER_H
#define SHF_FORMATS_CEL_PARSER_H

#include "formats/cel/lexer.h"

/* Every level of nesting is counted; so the depth of the parser's calls is bounded by SHF_LIMIT_CEL_DEPTH. */
struct shf_cel_parser {
    struct shf_cel *cel;
    struct shf_cel_token token; /* not yet taken */
    size_t offset;              /* behind it */
    unsigned depth;
    struct shf_error **error;
};

shf_status shf_cel_parser_take(struct shf_cel_parser *parser);
/* The token is this sign or keyword. */
bool shf_cel_parser_is(const struct shf_cel_parser *parser, const char *text);
/* It is a number that may have a minus. */
bool shf_cel_parser_at_number(const struct shf_cel_parser *parser);
shf_status shf_cel_parser_unexpected(struct shf_cel_parser *parser, const char *wanted);
#define shf_cel_parser_unexpected(...) shf_failed(shf_cel_parser_unexpected(__VA_ARGS__))
/* Takes the sign, which must be there. */
shf_status shf_cel_parser_expect(struct shf_cel_parser *parser, const char *sign, const char *wanted);
shf_status shf_cel_parser_make(struct shf_cel_parser *parser, enum shf_cel_op op, size_t offset,
                               struct shf_cel_node *children, struct shf_cel_node **out);

shf_status shf_cel_parse_expression(struct shf_cel_parser *parser, struct shf_cel_node **out);
/* A name, call, literal or parentheses, and all .f, .f() and [i] behind it. */
shf_status shf_cel_parse_member(struct shf_cel_parser *parser, struct shf_cel_node **out);

/* Siblings in order. */
struct shf_cel_chain {
    struct shf_cel_node *first, **end;
};

static inline void shf_cel_chain_begin(struct shf_cel_chain *chain) {
    chain->first = NULL;
    chain->end = &chain->first;
}

static inline void shf_cel_chain_add(struct shf_cel_chain *chain, struct shf_cel_node *added) {
    *chain->end = added;
    chain->end = &added->next;
}

#endif
