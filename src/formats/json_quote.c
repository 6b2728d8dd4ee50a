#include "formats/json_quote.h"

#include "base/alloc.h"
#include "formats/manifest_build.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT 0xfffdu

static bool is_plain(uint8_t c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

/* The code point at `at`, moved on; a byte that begins none is taken alone. */
static uint32_t take_code_point(const uint8_t **at, const uint8_t *end) {
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    uint8_t lead = *(*at)++;
    unsigned more = lead >= 0xf0 && lead < 0xf8 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0x80) return lead;
    if (lead < 0xc2 || lead > 0xf4 || (size_t)(end - *at) < more) return REPLACEMENT;
    uint32_t value = lead & (0x3fu >> more);
    for (unsigned i = 0; i < more; i++) {
        if (((*at)[i] & 0xc0) != 0x80) return REPLACEMENT;
        value = value << 6 | ((*at)[i] & 0x3fu);
    }
    if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return REPLACEMENT;
    *at += more;
    return value;
}

/* The letter behind the backslash, or 0. */
static char short_escape(uint32_t c) {
    switch (c) {
    case '"':
    case '\\': return (char)c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

static char *put_unit(char *out, uint32_t unit) {
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) *out++ = digits[unit >> shift & 15];
    return out;
}

size_t shf_json_quoted_size(const char *text, size_t size) {
    const uint8_t *at = (const uint8_t *)text, *end = at + size;
    size_t quoted = 2;
    while (at < end) {
        if (is_plain(*at)) {
            at++;
            quoted++;
            continue;
        }
        uint32_t c = take_code_point(&at, end);
        quoted += short_escape(c) ? 2 : c > 0xffff ? 12 : 6;
    }
    return quoted;
}

void shf_json_quote_into(const char *text, size_t size, char *out) {
    const uint8_t *at = (const uint8_t *)text, *end = at + size;
    *out++ = '"';
    while (at < end) {
        if (is_plain(*at)) {
            *out++ = (char)*at++;
            continue;
        }
        uint32_t c = take_code_point(&at, end);
        if (short_escape(c)) {
            *out++ = '\\';
            *out++ = short_escape(c);
        } else if (c > 0xffff) {
            out = put_unit(out, 0xd7c0 + (c >> 10)); /* 0xd800 + ((c - 0x10000) >> 10) */
            out = put_unit(out, 0xdc00 + (c & 0x3ff));
        } else {
            out = put_unit(out, c);
        }
    }
    *out = '"';
}

char *shf_json_quote(const char *text, size_t size) {
    if (size > (SIZE_MAX - 3) / 6) return NULL;
    size_t quoted = shf_json_quoted_size(text, size);
    char *out = shf_alloc(quoted + 1);
    if (!out) return NULL;
    shf_json_quote_into(text, size, out);
    out[quoted] = '\0';
    return out;
}
