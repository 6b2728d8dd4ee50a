#include "formats/cel/lexer.h"

#include "base/text.h"

#include <string.h>

static bool is_name_begin(char c) { return c == '_' || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'z'); }
static bool is_name(char c) { return is_name_begin(c) || shf_ascii_is_digit(c); }
static bool is_hex(char c) { return shf_ascii_is_digit(c) || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'f'); }

/* The text ends with a NUL, which is in no token; so looking one further is always allowed. */
static size_t skip_blank(const char *text, size_t size, size_t at) {
    while (at < size) {
        if (strchr(" \t\r\n\f", text[at]) && text[at]) {
            at++;
        } else if (text[at] == '/' && text[at + 1] == '/') {
            while (at < size && text[at] != '\n' && text[at] != '\r') at++;
        } else {
            break;
        }
    }
    return at;
}

/* ---- numbers ---- */

static size_t skip_digits(const char *text, size_t at) {
    while (shf_ascii_is_digit(text[at])) at++;
    return at;
}

static size_t skip_exponent(const char *text, size_t at) {
    size_t digits = at + 1;
    if (shf_ascii_lower(text[at]) != 'e') return at;
    if (text[digits] == '+' || text[digits] == '-') digits++;
    return shf_ascii_is_digit(text[digits]) ? skip_digits(text, digits) : at;
}

static size_t lex_number(const char *text, size_t at, enum shf_cel_token_kind *kind) {
    *kind = SHF_CEL_TOKEN_INT;
    if (text[at] == '0' && text[at + 1] == 'x' && is_hex(text[at + 2])) {
        at += 2;
        while (is_hex(text[at])) at++;
    } else {
        size_t end = skip_digits(text, at);
        if (text[end] == '.' && shf_ascii_is_digit(text[end + 1]))
            end = skip_digits(text, end + 1), *kind = SHF_CEL_TOKEN_DOUBLE;
        at = skip_exponent(text, end);
        if (at > end) *kind = SHF_CEL_TOKEN_DOUBLE;
    }
    if (*kind == SHF_CEL_TOKEN_INT && shf_ascii_lower(text[at]) == 'u') *kind = SHF_CEL_TOKEN_UINT, at++;
    return at;
}

/* ---- strings ---- */

/* The quotes that a literal with prefix begins with; 0 when there are none at `at`. */
static size_t quotes_at(const char *text, size_t at) {
    char quote = text[at];
    if (quote != '"' && quote != '\'') return 0;
    return text[at + 1] == quote && text[at + 2] == quote ? 3 : 1;
}

static bool literal_begins(const char *text, size_t at, size_t *prefix, bool *is_bytes, bool *is_raw) {
    size_t i = at;
    *is_bytes = shf_ascii_lower(text[i]) == 'b';
    i += *is_bytes;
    *is_raw = shf_ascii_lower(text[i]) == 'r';
    i += *is_raw;
    *prefix = i - at;
    return quotes_at(text, i) != 0;
}

static shf_status lex_quoted(const struct shf_cel *cel, size_t at, size_t prefix, bool is_raw, size_t *end,
                             struct shf_error **error) {
    const char *text = cel->text;
    size_t quotes = quotes_at(text, at + prefix), i = at + prefix + quotes;
    char quote = text[at + prefix];
    for (; i < cel->size; i++) {
        if (text[i] == '\\' && !is_raw) {
            i++; /* what follows is looked at when the literal is read */
        } else if (text[i] == quote && (quotes == 1 || (text[i + 1] == quote && text[i + 2] == quote))) {
            *end = i + quotes;
            return SHF_OK;
        } else if (quotes == 1 && (text[i] == '\n' || text[i] == '\r')) {
            break;
        }
    }
    return shf_cel_error(cel, at, SHF_E_INVALID, error,
                         "the literal does not end; put the closing %s (a literal over lines needs three quotes)",
                         quote == '"' ? "\" behind it" : "' behind it");
}

/* ---- tokens ---- */

static size_t lex_sign(const char *text, size_t at) {
    static const char *const pairs[] = {"&&", "||", "==", "!=", "<=", ">="};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strncmp(text + at, pairs[i], 2) == 0) return at + 2;
    }
    return text[at] && strchr("+-*/%!<>?:.,()[]{}", text[at]) ? at + 1 : at;
}

static bool is_keyword(shf_slice word) {
    return shf_cel_slice_is(word, "true") || shf_cel_slice_is(word, "false") || shf_cel_slice_is(word, "null") ||
           shf_cel_slice_is(word, "in");
}

shf_status shf_cel_token_next(const struct shf_cel *cel, size_t *offset, struct shf_cel_token *out,
                              struct shf_error **error) {
    const char *text = cel->text;
    size_t at = skip_blank(text, cel->size, *offset), end = at, prefix;
    bool is_bytes, is_raw;
    out->kind = SHF_CEL_TOKEN_END;
    out->offset = (uint32_t)at;
    if (at < cel->size && literal_begins(text, at, &prefix, &is_bytes, &is_raw)) {
        shf_status status = lex_quoted(cel, at, prefix, is_raw, &end, error);
        if (status) return status;
        out->kind = is_bytes ? SHF_CEL_TOKEN_BYTES : SHF_CEL_TOKEN_STRING;
    } else if (shf_ascii_is_digit(text[at]) || (text[at] == '.' && shf_ascii_is_digit(text[at + 1]))) {
        end = lex_number(text, at, &out->kind);
    } else if (is_name_begin(text[at])) {
        while (is_name(text[end])) end++;
        out->kind = is_keyword((shf_slice){text + at, end - at}) ? SHF_CEL_TOKEN_KEYWORD : SHF_CEL_TOKEN_NAME;
    } else if (at < cel->size) {
        end = lex_sign(text, at);
        out->kind = SHF_CEL_TOKEN_SIGN;
        if (end == at && text[at] == '`') {
            return shf_cel_error(cel, at, SHF_E_INVALID, error,
                                 "field names in back-quotes are not supported; write m[\"name\"]");
        }
        if (end == at)
            return shf_cel_error(cel, at, SHF_E_INVALID, error, "this character is no part of CEL; take it out");
    }
    out->text = (shf_slice){text + at, end - at};
    *offset = end;
    return SHF_OK;
}

bool shf_cel_slice_is(shf_slice slice, const char *text) {
    return strlen(text) == slice.size && memcmp(slice.data, text, slice.size) == 0;
}

bool shf_cel_token_is(const struct shf_cel_token *token, const char *text) {
    return (token->kind == SHF_CEL_TOKEN_SIGN || token->kind == SHF_CEL_TOKEN_KEYWORD) &&
           shf_cel_slice_is(token->text, text);
}
