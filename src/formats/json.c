#include "formats/json.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"

#include <string.h>

#define MAX_INTEGER_DIGITS 18    /* always within 64 bits */
#define MAX_DECIMAL_EXPONENT 307 /* 9.99e307 is within a double */

/* The one pass over the text that makes it what jansson reads. */
struct cleaner {
    const char *at, *end;
    struct shf_text *out;
    size_t depth, values;
};

static bool starts_with(const struct cleaner *c, const char *word) {
    size_t size = strlen(word);
    return (size_t)(c->end - c->at) >= size && memcmp(c->at, word, size) == 0;
}

static int hex_digit(char c) {
    if (shf_ascii_is_digit(c)) return c - '0';
    char lower = shf_ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Value of \uXXXX at p, or -1. */
static int escape_at(const char *p, const char *end) {
    int value = 0;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool is_surrogate(int unit, int first) { return unit >= first && unit < first + 0x400; }

/* At a backslash within a string. */
static void clean_escape(struct cleaner *c) {
    int unit = escape_at(c->at, c->end);
    size_t size = unit >= 0 ? 6 : 2;
    if (is_surrogate(unit, 0xd800) && is_surrogate(escape_at(c->at + 6, c->end), 0xdc00)) {
        size = 12;
    } else if (is_surrogate(unit, 0xd800) || is_surrogate(unit, 0xdc00)) {
        shf_text_add_string(c->out, "\\ufffd");
        c->at += size;
        return;
    }
    if (size > (size_t)(c->end - c->at)) size = (size_t)(c->end - c->at);
    shf_text_add(c->out, c->at, size);
    c->at += size;
}

static void clean_string(struct cleaner *c) {
    const char *from = c->at++;
    while (c->at < c->end && *c->at != '"') {
        if (*c->at != '\\') {
            c->at++;
            continue;
        }
        shf_text_add(c->out, from, (size_t)(c->at - from));
        clean_escape(c);
        from = c->at;
    }
    if (c->at < c->end) c->at++;
    shf_text_add(c->out, from, (size_t)(c->at - from));
}

static bool is_number_char(char c) { return shf_ascii_is_digit(c) || strchr("+-.eE", c); }

/* Decimal exponent of the first significant digit: 1e5, 123456 and 0.1e6 have 5. Good enough to tell what overflows. */
static int64_t magnitude(const char *p, const char *end) {
    int64_t exponent = 0, before = 0, zeros = 0;
    bool is_negative = false, has_point = false, is_significant = false;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') has_point = true;
        if (!shf_ascii_is_digit(*p)) continue;
        if (*p != '0') is_significant = true;
        if (!has_point && is_significant) before++;
        if (has_point && !is_significant) zeros++;
    }
    if (!is_significant) return 0;
    for (; p < end; p++) {
        if (*p == '-') is_negative = true;
        if (shf_ascii_is_digit(*p) && exponent < 1000000000) exponent = exponent * 10 + (*p - '0');
    }
    return (is_negative ? -exponent : exponent) + (before ? before - 1 : -1 - zeros);
}

static void clean_number(struct cleaner *c) {
    const char *from = c->at;
    bool is_integer = true;
    if (starts_with(c, "-Infinity")) {
        shf_text_add_string(c->out, "null");
        c->at += strlen("-Infinity");
        return;
    }
    for (; c->at < c->end && *c->at && is_number_char(*c->at); c->at++) {
        if (strchr(".eE", *c->at)) is_integer = false;
    }
    size_t size = (size_t)(c->at - from);
    int64_t small;
    if (magnitude(from, c->at) > MAX_DECIMAL_EXPONENT) {
        shf_text_add_string(c->out, "null");
        return;
    }
    shf_text_add(c->out, from, size);
    if (is_integer && size > MAX_INTEGER_DIGITS && !shf_integer_parse(from, size, &small)) {
        shf_text_add_string(c->out, ".0");
    }
}

/* Counts what opens, ends and separates values; false when it is too much. */
static bool count_structure(struct cleaner *c) {
    bool opens = *c->at == '[' || *c->at == '{';
    if (opens) c->depth++;
    if ((*c->at == ']' || *c->at == '}') && c->depth > 0) c->depth--;
    if (opens || *c->at == ',') c->values++;
    return c->depth <= SHF_LIMIT_JSON_DEPTH && c->values <= SHF_LIMIT_JSON_VALUES;
}

/* False when the text is nested too deep or has too many values. */
static bool clean(struct cleaner *c) {
    while (c->at < c->end) {
        if (*c->at == '"') {
            clean_string(c);
        } else if (*c->at == '-' || shf_ascii_is_digit(*c->at)) {
            clean_number(c);
        } else if (starts_with(c, "NaN") || starts_with(c, "Infinity")) {
            c->at += *c->at == 'N' ? strlen("NaN") : strlen("Infinity");
            shf_text_add_string(c->out, "null");
        } else {
            if (!count_structure(c)) return false;
            shf_text_add(c->out, c->at++, 1);
        }
    }
    return true;
}

shf_status shf_json_parse(const char *text, size_t size, shf_status code, json_t **out, struct shf_error **error) {
    struct shf_text cleaned = {0};
    struct cleaner cleaner = {.at = text, .end = text + size, .out = &cleaned};
    json_error_t problem;
    if (size > SHF_LIMIT_JSON_BYTES) {
        return shf_error_set(error, code, "JSON of %zu bytes; at most %u are read", size, SHF_LIMIT_JSON_BYTES);
    }
    bool is_bounded = clean(&cleaner);
    if (!is_bounded || cleaned.failed) {
        shf_text_free(&cleaned);
        if (is_bounded) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for JSON of %zu bytes", size);
        if (cleaner.depth > SHF_LIMIT_JSON_DEPTH)
            return shf_error_set(error, code, "JSON nested deeper than %u levels", SHF_LIMIT_JSON_DEPTH);
        return shf_error_set(error, code, "JSON of more than %u values", SHF_LIMIT_JSON_VALUES);
    }
    json_t *json = json_loadb(cleaned.data ? cleaned.data : "", cleaned.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &problem);
    shf_text_free(&cleaned);
    if (json) {
        *out = json;
        return SHF_OK;
    }
    /* jansson says nothing at all when most of its allocations fail; that is not the text's fault. */
    if (problem.text[0] == '\0' || json_error_code(&problem) == json_error_out_of_memory) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for JSON of %zu bytes", size);
    }
    return shf_error_set(error, code, "broken JSON: %s (line %d, column %d)", problem.text, problem.line, problem.column);
}

static int append(const char *buffer, size_t size, void *data) {
    struct shf_text *text = data;
    shf_text_add(text, buffer, size);
    return text->failed ? -1 : 0;
}

char *shf_json_text(const json_t *json) {
    struct shf_text text = {0};
    if (json_dump_callback(json, append, &text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_SORT_KEYS) != 0) {
        text.failed = true; /* jansson's own memory may be what was missing */
    }
    return shf_text_take(&text);
}

shf_status shf_json_string(const json_t *json, const char *name, shf_status code, char **out, struct shf_error **error) {
    *out = NULL;
    if (!json_is_string(json)) return SHF_OK;
    const char *text = json_string_value(json);
    size_t size = json_string_length(json);
    if (memchr(text, '\0', size)) return shf_error_set(error, code, "%s holds a NUL character", name);
    *out = shf_strndup(text, size);
    return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %s", name);
}

/* ---- integers ---- */

bool shf_integer_from_real(double real, int64_t *out) {
    if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0)) return false; /* NaN too */
    int64_t integer = (int64_t)real;
    if ((double)integer != real) return false;
    *out = integer;
    return true;
}

bool shf_integer_parse(const char *text, size_t size, int64_t *out) {
    const char *p = text, *end = text + size;
    while (p < end && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) p++;
    while (end > p && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r'))) end--;
    bool is_negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    const char *digits = p;
    int64_t value = 0;
    for (; p < end && shf_ascii_is_digit(*p); p++) {
        int64_t digit = is_negative ? '0' - *p : *p - '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value)) return false;
    }
    if (p == digits) return false;
    if (p < end && *p == '.') {
        p++;
        if (p == end) return false;
        while (p < end && *p == '0') p++;
    }
    if (p != end) return false;
    *out = value;
    return true;
}

bool shf_json_integer(const json_t *json, int64_t *out) {
    if (json_is_integer(json)) {
        *out = json_integer_value(json);
        return true;
    }
    if (json_is_boolean(json)) {
        *out = json_is_true(json);
        return true;
    }
    if (json_is_real(json)) return shf_integer_from_real(json_real_value(json), out);
    return json_is_string(json) && shf_integer_parse(json_string_value(json), json_string_length(json), out);
}
