/*
 * RE2's syntax, checked and written anew so that PCRE2 understands the same by it: groups without captures, characters
 * by number, ASCII classes by their ranges. What RE2 does not have is invalid; what it has and nobody needs is refused.
 */
#include "formats/cel/regex_priv.h"

#include <string.h>

#define MOST_REPEATS 1000u /* RE2's own limit */

void shf_cel_regex_fail(struct shf_cel_regex *regex) {
    if (regex->state == SHF_CEL_REGEX_VALID) regex->state = SHF_CEL_REGEX_INVALID;
    regex->at = regex->end;
}

void shf_cel_regex_refuse(struct shf_cel_regex *regex, const char *what) {
    if (regex->state == SHF_CEL_REGEX_VALID) {
        regex->state = SHF_CEL_REGEX_UNSUPPORTED;
        regex->unsupported = what;
    }
    regex->at = regex->end;
}

void shf_cel_regex_put(struct shf_cel_regex *regex, uint32_t c) {
    shf_text_format(&regex->out, "\\x{%x}", (unsigned)c);
}

static size_t left(const struct shf_cel_regex *regex) { return (size_t)(regex->end - regex->at); }
static char look(const struct shf_cel_regex *regex, size_t ahead) {
    return ahead < left(regex) ? regex->at[ahead] : '\0';
}

/* ---- escapes ---- */

static bool is_hex(char c) { return shf_ascii_is_digit(c) || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'f'); }
static bool is_octal(char c) { return c >= '0' && c <= '7'; }
static uint32_t hex_value(char c) {
    return (uint32_t)(shf_ascii_is_digit(c) ? c - '0' : shf_ascii_lower(c) - 'a' + 10);
}

/* x7f, x{10ffff}, behind the x. */
static bool hexadecimal(struct shf_cel_regex *regex, uint32_t *out) {
    uint32_t value = 0;
    if (look(regex, 0) != '{') {
        if (!is_hex(look(regex, 0)) || !is_hex(look(regex, 1))) return false;
        *out = hex_value(regex->at[0]) * 16 + hex_value(regex->at[1]);
        regex->at += 2;
        return true;
    }
    const char *p = regex->at + 1;
    for (; p < regex->end && is_hex(*p); p++) {
        value = value * 16 + hex_value(*p);
        if (value > 0x10ffff) return false;
    }
    if (p == regex->at + 1 || p == regex->end || *p != '}') return false;
    regex->at = p + 1;
    *out = value;
    return true;
}

/* One digit that is not 0 would be a back-reference, which RE2 has not. */
static bool octal(struct shf_cel_regex *regex, char first, uint32_t *out) {
    if (first != '0' && !is_octal(look(regex, 0))) return false;
    *out = (uint32_t)(first - '0');
    for (int i = 0; i < 2 && is_octal(look(regex, 0)); i++) *out = *out * 8 + (uint32_t)(*regex->at++ - '0');
    return true;
}

bool shf_cel_regex_character(struct shf_cel_regex *regex, uint32_t *out) {
    static const char letters[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    if (left(regex) == 0) {
        shf_cel_regex_fail(regex);
        return false;
    }
    char c = *regex->at++;
    const char *simple = c ? strchr(letters, c) : NULL;
    bool is_good = true;
    if (simple) {
        *out = (uint32_t)values[simple - letters];
    } else if (c == 'x') {
        is_good = hexadecimal(regex, out);
    } else if (is_octal(c)) {
        is_good = octal(regex, c, out);
    } else if (c && strchr("pPCQE", c)) {
        shf_cel_regex_refuse(regex, "\\p, \\C, \\Q and \\E");
        return false;
    } else {
        bool is_word = shf_ascii_is_digit(c) || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'z');
        is_good = (uint8_t)c < 0x80 && !is_word;
        *out = (uint8_t)c;
    }
    if (!is_good) shf_cel_regex_fail(regex);
    return is_good;
}

static void escape(struct shf_cel_regex *regex) {
    char c = look(regex, 0);
    uint32_t value;
    regex->can_repeat = true;
    if (c && strchr("AzbB", c)) {
        shf_text_format(&regex->out, "(?:\\%c)", c); /* in a group: RE2 lets anchors be repeated */
        regex->at++;
    } else if (shf_cel_regex_perl_class(regex, c)) {
        regex->at++;
    } else if (shf_cel_regex_character(regex, &value)) {
        shf_cel_regex_put(regex, value);
    }
}

/* ---- repetition ---- */

static const char *read_count(const char *p, const char *end, uint32_t *out) {
    uint32_t value = 0;
    while (p < end && shf_ascii_is_digit(*p)) {
        if (value <= MOST_REPEATS) value = value * 10 + (uint32_t)(*p - '0');
        p++;
    }
    *out = value;
    return p;
}

/* The size of {2}, {2,} or {2,3}; 0 when the brace is a plain character. */
static size_t counted(const struct shf_cel_regex *regex, uint32_t *least, uint32_t *most) {
    const char *digits = regex->at + 1, *p = read_count(digits, regex->end, least);
    if (p == digits || p == regex->end) return 0;
    *most = *least;
    if (*p == ',') {
        digits = ++p;
        p = read_count(p, regex->end, most);
        if (p == digits) *most = *least;
    }
    return p < regex->end && *p == '}' ? (size_t)(p + 1 - regex->at) : 0;
}

static void repeat(struct shf_cel_regex *regex, size_t size) {
    if (regex->at == regex->flags_end) { /* to RE2, it repeats what is before the flags */
        shf_cel_regex_refuse(regex, "a repetition behind flags");
        return;
    }
    if (!regex->can_repeat) { /* nothing to repeat, or a second repetition */
        shf_cel_regex_fail(regex);
        return;
    }
    if (size < left(regex) && regex->at[size] == '?') size++;
    shf_text_add(&regex->out, regex->at, size);
    regex->at += size;
    regex->can_repeat = false;
}

static void plain(struct shf_cel_regex *regex) {
    char c = *regex->at++;
    regex->can_repeat = true;
    bool is_word =
        (uint8_t)c >= 0x80 || shf_ascii_is_digit(c) || (shf_ascii_lower(c) >= 'a' && shf_ascii_lower(c) <= 'z');
    if (is_word) {
        shf_text_add(&regex->out, &c, 1);
    } else {
        shf_cel_regex_put(regex, (uint8_t)c);
    }
}

static void brace(struct shf_cel_regex *regex) {
    uint32_t least, most;
    size_t size = counted(regex, &least, &most);
    if (size == 0) {
        plain(regex);
    } else if (least > MOST_REPEATS || most > MOST_REPEATS || most < least) {
        shf_cel_regex_fail(regex);
    } else {
        repeat(regex, size);
    }
}

/*
 * In groups, for RE2 lets anchors be repeated. With m, both are at the ends of lines, and a last line may be empty, which
 * PCRE2's second matcher does not see.
 */
static void anchor(struct shf_cel_regex *regex) {
    bool is_multiline = regex->is_multiline[regex->depth], is_begin = *regex->at++ == '^';
    regex->can_repeat = true;
    if (is_begin) {
        shf_text_add_string(&regex->out, is_multiline ? "(?:^|\\z(?<=\n))" : "(?:\\A)");
    } else {
        shf_text_add_string(&regex->out, is_multiline ? "(?:$)" : "(?:\\z)");
    }
}

static void step(struct shf_cel_regex *regex) {
    switch (*regex->at) {
    case '\\':
        regex->at++;
        escape(regex);
        break;
    case '[':
        regex->at++;
        regex->can_repeat = true;
        shf_cel_regex_class(regex);
        break;
    case '(': shf_cel_regex_open_group(regex); break;
    case ')': shf_cel_regex_close_group(regex); break;
    case '|':
        regex->at++;
        regex->can_repeat = false;
        shf_text_add_string(&regex->out, "|");
        break;
    case '*':
    case '+':
    case '?': repeat(regex, 1); break;
    case '{': brace(regex); break;
    case '^':
    case '$': anchor(regex); break;
    case '.':
        regex->at++;
        shf_text_add_string(&regex->out, ".");
        regex->can_repeat = true;
        break;
    default: plain(regex); break;
    }
}

void shf_cel_regex_translate(struct shf_cel_regex *regex) {
    while (regex->at < regex->end) step(regex);
    if (regex->depth) shf_cel_regex_fail(regex);
}
