#include "formats/sqlite_token.h"

#include "base/text.h"

#include <string.h>

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool is_word(char c) {
    return shf_ascii_is_digit(c) || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'z') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static const char *skip_blank(const char *p) {
    for (;;) { /* bounded by the text */
        if (is_space(*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            p = end ? end + 2 : p + strlen(p);
        } else {
            return p;
        }
    }
}

/* First byte after a quoted token; a doubled quote stands for itself. */
static const char *quoted_end(const char *p) {
    char close = *p == '[' ? ']' : *p;
    for (p++; *p; p++) {
        if (*p != close) continue;
        if (close == ']' || p[1] != close) return p + 1;
        p++;
    }
    return p;
}

static struct shf_token next(const char **sql, const char *quotes) {
    const char *start = skip_blank(*sql), *p = start;
    struct shf_token token = {SHF_TOKEN_SIGN, start, 0};
    if (*p == '\0') {
        token.kind = SHF_TOKEN_END;
    } else if (strchr(quotes, *p)) {
        token.kind = SHF_TOKEN_QUOTED;
        p = quoted_end(p);
    } else if (is_word(*p)) {
        token.kind = shf_ascii_is_digit(*p) ? SHF_TOKEN_NUMBER : SHF_TOKEN_WORD;
        while (is_word(*p)) p++;
    } else {
        p++;
    }
    token.size = (size_t)(p - start);
    *sql = p;
    return token;
}

struct shf_token shf_token_next(const char **sql) {
    return next(sql, "\"'`[");
}
struct shf_token shf_token_next_unbracketed(const char **sql) {
    return next(sql, "\"'`");
}

bool shf_token_is(const struct shf_token *token, char sign) {
    return token->kind == SHF_TOKEN_SIGN && token->text[0] == sign;
}

bool shf_token_is_word(const struct shf_token *token, const char *word) {
    return token->kind == SHF_TOKEN_WORD && shf_ascii_equal_ignore_case(token->text, token->size, word);
}

bool shf_token_is_name(const struct shf_token *token, const char *name) {
    if (token->kind == SHF_TOKEN_WORD) return shf_ascii_equal_ignore_case(token->text, token->size, name);
    if (token->kind != SHF_TOKEN_QUOTED || token->size < 2) return false;
    char close = token->text[0] == '[' ? ']' : token->text[0];
    const char *p = token->text + 1, *end = token->text + token->size - 1;
    for (; p < end && *name; p++, name++) {
        if (*p == close) p++; /* the first of a doubled pair */
        if (p >= end || shf_ascii_lower(*p) != shf_ascii_lower(*name)) return false;
    }
    return p == end && *name == '\0';
}
