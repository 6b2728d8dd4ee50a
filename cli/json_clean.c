/* cli_json_clean: a JSON scanner that keeps its nesting in a bit per level instead of recursing. */
#include "cli/json.h"
#include "cli/utf8.h"

#include <string.h>

struct scanner {
    struct cli_out *out;
    const char *at, *end;
    unsigned depth;
    unsigned char is_object[CLI_JSON_CLEAN_DEPTH];
    unsigned replaced;
};

static void skip_blanks(struct scanner *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) s->at++;
}

static bool take_char(struct scanner *s, char c) {
    if (s->at == s->end || *s->at != c) return false;
    cli_out_char(s->out, c);
    s->at++;
    return true;
}

static bool four_hex(const char *p, const char *end) {
    if (end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
    }
    return true;
}

static bool take_string(struct scanner *s) {
    const char *p = s->at + 1;
    if (s->at == s->end || *s->at != '"') return false;
    while (p < s->end && *p != '"') {
        uint32_t point;
        if (*p == '\\') {
            if (++p == s->end || !*p || !strchr("\"\\/bfnrtu", *p)) return false;
            if (*p == 'u' && !four_hex(p + 1, s->end)) return false;
            p += *p == 'u' ? 5 : 1;
            continue;
        }
        size_t length = cli_utf8_next((const unsigned char *)p, (size_t)(s->end - p), &point);
        if (!length || point < 0x20) return false;
        p += length;
    }
    if (p == s->end) return false;
    cli_out_bytes(s->out, s->at, (size_t)(p + 1 - s->at));
    s->at = p + 1;
    return true;
}

static bool digits(const char **p, const char *end) {
    const char *start = *p;
    while (*p < end && **p >= '0' && **p <= '9') (*p)++;
    return *p > start;
}

static bool take_number(struct scanner *s) {
    const char *p = s->at;
    if (p < s->end && *p == '-') p++;
    if (p < s->end && *p == '0')
        p++;
    else if (!digits(&p, s->end))
        return false;
    if (p < s->end && *p == '.') {
        p++;
        if (!digits(&p, s->end)) return false;
    }
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-')) p++;
        if (!digits(&p, s->end)) return false;
    }
    cli_out_bytes(s->out, s->at, (size_t)(p - s->at));
    s->at = p;
    return true;
}

static bool take_word(struct scanner *s) {
    static const struct {
        const char *word, *written;
    } words[] = {{"true", "true"}, {"false", "false"},   {"null", "null"},
                 {"NaN", "null"},  {"Infinity", "null"}, {"-Infinity", "null"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i].word);
        if ((size_t)(s->end - s->at) < size || memcmp(s->at, words[i].word, size) != 0) continue;
        cli_out_string(s->out, words[i].written);
        s->replaced += i >= 3;
        s->at += size;
        return true;
    }
    return false;
}

/* `"name":` of an object. */
static bool take_name(struct scanner *s) {
    skip_blanks(s);
    if (!take_string(s)) return false;
    skip_blanks(s);
    return take_char(s, ':');
}

/* After a value: closes what ends here, or moves on to the next member. *more says whether a value follows. */
static bool after_value(struct scanner *s, bool *more) {
    while (s->depth) {
        bool object = s->is_object[s->depth - 1];
        skip_blanks(s);
        if (take_char(s, ',')) {
            *more = true;
            return !object || take_name(s);
        }
        if (!take_char(s, object ? '}' : ']')) return false;
        s->depth--;
    }
    *more = false;
    return true;
}

/* A scalar, an empty container, or the opening of a container; *opened says that a value inside it follows. */
static bool begin_value(struct scanner *s, bool *opened) {
    *opened = false;
    skip_blanks(s);
    if (s->at == s->end) return false;
    if (*s->at == '"') return take_string(s);
    if (*s->at != '{' && *s->at != '[') return take_word(s) || take_number(s);
    bool object = *s->at == '{';
    if (s->depth == CLI_JSON_CLEAN_DEPTH) return false;
    take_char(s, *s->at);
    skip_blanks(s);
    if (take_char(s, object ? '}' : ']')) return true;
    s->is_object[s->depth++] = object;
    *opened = true;
    return !object || take_name(s);
}

bool cli_json_clean(struct cli_out *out, const char *text, size_t size, unsigned *replaced) {
    struct scanner s = {.out = out, .at = text, .end = text + size};
    for (bool more = true; more;) {
        bool opened;
        if (!begin_value(&s, &opened)) return false;
        if (!opened && !after_value(&s, &more)) return false;
    }
    skip_blanks(&s);
    if (s.at != s.end) return false;
    *replaced += s.replaced;
    return true;
}
