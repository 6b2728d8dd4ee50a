/* The values of numbers and quoted literals. */
#include "formats/cel/lexer.h"
#include "formats/cel/numbers.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

/* ---- numbers ---- */

static shf_status number_is_too_large(const struct shf_cel *cel, const struct shf_cel_token *token, const char *range,
                                      struct shf_error **error) {
    return shf_cel_error(cel, token->offset, SHF_E_INVALID, error, "the number is out of range; %s", range);
}

static shf_status read_double(const struct shf_cel *cel, const struct shf_cel_token *token, bool is_negative,
                              struct shf_cel_value *out, struct shf_error **error) {
    double value;
    if (!shf_cel_decimal(token->text.data, token->text.size, &value) || isinf(value)) {
        return number_is_too_large(cel, token, "a double has at most about 1.8e308", error);
    }
    out->type = SHF_CEL_DOUBLE;
    out->as.real = is_negative ? -value : value;
    return SHF_OK;
}

shf_status shf_cel_number(const struct shf_cel *cel, const struct shf_cel_token *token, bool is_negative,
                          struct shf_cel_value *out, struct shf_error **error) {
    const char *text = token->text.data;
    size_t size = token->text.size;
    uint64_t value;
    if (token->kind == SHF_CEL_TOKEN_DOUBLE) return read_double(cel, token, is_negative, out, error);
    if (token->kind == SHF_CEL_TOKEN_UINT) size--;
    bool is_hex = size > 2 && text[1] == 'x';
    bool fits = is_hex ? shf_cel_digits(text + 2, size - 2, 16, &value) : shf_cel_digits(text, size, 10, &value);
    if (token->kind == SHF_CEL_TOKEN_UINT) {
        if (!fits) return number_is_too_large(cel, token, "a uint has at most 18446744073709551615", error);
        out->type = SHF_CEL_UINT;
        out->as.uinteger = value;
        return SHF_OK;
    }
    if (!fits || value > (uint64_t)INT64_MAX + is_negative) {
        return number_is_too_large(
            cel, token, "an int has -9223372036854775808 to 9223372036854775807; larger ones end in u", error);
    }
    out->type = SHF_CEL_INT;
    out->as.integer = is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return SHF_OK;
}

/* ---- strings and bytes ---- */

static size_t put_code_point(uint32_t c, uint8_t *out) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0) | c);
    return size;
}

/* One-letter escapes; 0 when the letter is none. */
static char simple_escape(char c) {
    static const char letters[] = "abfnrtv\"'\\?`", values[] = "\a\b\f\n\r\t\v\"'\\?`";
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? values[at - letters] : '\0';
}

/* What follows the backslash: the size of it and its value; false when it is no escape. */
static bool numeric_escape(const char *text, size_t left, bool is_bytes, size_t *size, uint32_t *value) {
    uint64_t number;
    char c = text[0];
    if (c >= '0' && c <= '3') {
        *size = 3;
        if (left < 3) return false;
        *value = 0;
        for (size_t i = 0; i < 3; i++) {
            if (text[i] < '0' || text[i] > '7') return false;
            *value = *value * 8 + (uint32_t)(text[i] - '0');
        }
        return true;
    }
    size_t digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || left < 1 + digits || (digits > 2 && is_bytes)) return false;
    if (!shf_cel_digits(text + 1, digits, 16, &number) || number > 0x10ffff || (number >= 0xd800 && number <= 0xdfff)) {
        return false;
    }
    *size = 1 + digits;
    *value = (uint32_t)number;
    return true;
}

static shf_status bad_escape(const struct shf_cel *cel, const char *at, bool is_bytes, struct shf_error **error) {
    return shf_cel_error(cel, (size_t)(at - cel->text), SHF_E_INVALID, error,
                         "this escape does not exist in %s; write \\\\ for a backslash", is_bytes ? "bytes" : "strings");
}

/* A character that is no escape; the line ends of all systems are one. */
static size_t put_plain(const char **text, const char *end, uint8_t *out) {
    char c = *(*text)++;
    if (c == '\r' && *text < end && **text == '\n') (*text)++;
    *out = (uint8_t)(c == '\r' ? '\n' : c);
    return 1;
}

shf_status shf_cel_quoted(struct shf_cel *cel, const struct shf_cel_token *token, struct shf_cel_value *out,
                          struct shf_error **error) {
    const char *text = token->text.data, *end = text + token->text.size;
    bool is_bytes = token->kind == SHF_CEL_TOKEN_BYTES, is_raw = false;
    for (; *text != '"' && *text != '\''; text++) is_raw = shf_ascii_lower(*text) == 'r';
    size_t quotes = (size_t)(end - text) >= 6 && text[1] == *text && text[2] == *text ? 3 : 1, size = 0, escape;
    text += quotes;
    end -= quotes;
    uint8_t *data = shf_cel_alloc(&cel->memory, (size_t)(end - text), 1); /* no escape is shorter than what it means */
    if (!data) return shf_cel_no_memory(error);
    while (text < end) {
        uint32_t value;
        if (*text != '\\') {
            size += put_plain(&text, end, data + size);
            continue;
        }
        const char *backslash = text++;
        if (text == end) return bad_escape(cel, backslash, is_bytes, error);
        if (is_raw) {
            data[size++] = '\\';
            data[size++] = (uint8_t)*text++;
            continue;
        }
        if (simple_escape(*text)) {
            data[size++] = (uint8_t)simple_escape(*text++);
            continue;
        }
        if (!numeric_escape(text, (size_t)(end - text), is_bytes, &escape, &value)) {
            return bad_escape(cel, backslash, is_bytes, error);
        }
        text += escape;
        if (is_bytes) {
            data[size++] = (uint8_t)value;
        } else {
            size += put_code_point(value, data + size);
        }
    }
    out->type = is_bytes ? SHF_CEL_BYTES : SHF_CEL_STRING;
    out->as.text = (shf_slice){data, size};
    return SHF_OK;
}
