/* Tokens of a CEL expression. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_LEXER_H
#define SHF_FORMATS_CEL_LEXER_H

#include "formats/cel/cel_priv.h"

enum shf_cel_token_kind {
    SHF_CEL_TOKEN_END,
    SHF_CEL_TOKEN_NAME,    /* also the reserved words */
    SHF_CEL_TOKEN_KEYWORD, /* true false null in */
    SHF_CEL_TOKEN_INT,     /* digits, decimal or 0x */
    SHF_CEL_TOKEN_UINT,    /* the same with u */
    SHF_CEL_TOKEN_DOUBLE,
    SHF_CEL_TOKEN_STRING, /* with prefix and quotes */
    SHF_CEL_TOKEN_BYTES,
    SHF_CEL_TOKEN_SIGN
};

struct shf_cel_token {
    enum shf_cel_token_kind kind;
    uint32_t offset;
    shf_slice text;
};

/* Takes the next token from *offset on. */
shf_status shf_cel_token_next(const struct shf_cel *cel, size_t *offset, struct shf_cel_token *out,
                              struct shf_error **error);
bool shf_cel_token_is(const struct shf_cel_token *token, const char *text); /* a sign or a keyword */

/* The value of a number, with a minus before it or not. */
shf_status shf_cel_number(const struct shf_cel *cel, const struct shf_cel_token *token, bool is_negative,
                          struct shf_cel_value *out, struct shf_error **error);
/* The value of a string or bytes literal, in the memory of the expression. */
shf_status shf_cel_quoted(struct shf_cel *cel, const struct shf_cel_token *token, struct shf_cel_value *out,
                          struct shf_error **error);

#endif
