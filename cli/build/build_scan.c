#include "cli/build/build_scan.h"

#include "cli/utf8.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char not_utf8[] = "not UTF-8";
static const char bad_escape[] = "a wrong escape in a string";

void cli_scan_blanks(struct cli_scan *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n')) {
        scan->at++;
    }
}

bool cli_scan_take(struct cli_scan *scan, char c) {
    cli_scan_blanks(scan);
    if (scan->at == scan->end || *scan->at != c) return false;
    scan->at++;
    return true;
}

bool cli_scan_null(struct cli_scan *scan) {
    if (scan->end - scan->at < 4 || memcmp(scan->at, "null", 4) != 0) return false;
    scan->at += 4;
    return true;
}

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* A high bit for the bytes of `word` that are zero, and maybe for some above such a one. */
static uint64_t zeros(uint64_t word) { return (word - EVERY_BYTE(1)) & ~word & EVERY_BYTE(0x80); }

/* Bytes from `at` that stand for themselves: ASCII, no quote, backslash or control character. */
static const char *skip_plain(const char *at, const char *end) {
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t special = zeros(word ^ EVERY_BYTE('"')) | zeros(word ^ EVERY_BYTE('\\'));
        special |= (word | (word - EVERY_BYTE(0x20))) & EVERY_BYTE(0x80); /* a borrow only follows a real find */
        if (special) break;
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') at++;
    return at;
}

static bool hex4(const char *p, const char *end, uint32_t *out) {
    uint32_t value = 0;
    if (end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16) return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

/* What stands behind a backslash: *from moves behind it. */
static const char *escape(const char **from, const char *end, uint32_t *point) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *p = *from;
    if (p == end) return bad_escape;
    const char *letter = *p ? strchr(letters, *p) : NULL;
    if (letter) {
        *point = (unsigned char)meant[letter - letters];
        *from = p + 1;
        return NULL;
    }
    if (*p != 'u' || !hex4(p + 1, end, point)) return bad_escape;
    p += 5;
    if (*point >= 0xdc00 && *point < 0xe000) return "half of a surrogate pair in a string";
    if (*point >= 0xd800 && *point < 0xdc00) {
        uint32_t low;
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !hex4(p + 2, end, &low) || low < 0xdc00 || low > 0xdfff) {
            return "half of a surrogate pair in a string";
        }
        *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *from = p;
    return NULL;
}

/* One character that is not plain: an escape, or UTF-8. */
static const char *character(const char **from, const char *end, uint32_t *point) {
    if (**from == '\\') {
        (*from)++;
        return escape(from, end, point);
    }
    size_t length = cli_utf8_next((const unsigned char *)*from, (size_t)(end - *from), point);
    if (!length) return not_utf8;
    if (*point < 0x20) return "a control character in a string";
    *from += length;
    return NULL;
}

const char *cli_scan_string(struct cli_scan *scan, char **data, size_t *size) {
    if (scan->at == scan->end || *scan->at != '"') return "not a string";
    char *start = scan->at + 1, *to = start;
    const char *from = start, *end = scan->end;
    for (;;) {
        const char *stop = skip_plain(from, end);
        if (to != from) memmove(to, from, (size_t)(stop - from));
        to += stop - from;
        from = stop;
        if (from == end || *from == '"') break;
        uint32_t point;
        const char *wrong = character(&from, end, &point);
        if (wrong) {
            scan->at += from - scan->at;
            return wrong;
        }
        to += cli_utf8_encode(point, to);
    }
    scan->at += from - scan->at;
    if (scan->at == end) return "it ends within a string";
    scan->at++;
    *data = start;
    *size = (size_t)(to - start);
    return NULL;
}

const char *cli_scan_number(struct cli_scan *scan, const char **text, size_t *size, bool *integer) {
    const char *p = scan->at, *end = scan->end, *digits;
    *integer = true;
    if (p < end && *p == '-') p++;
    for (digits = p; p < end && *p >= '0' && *p <= '9';) p++;
    if (p == digits || (*digits == '0' && p - digits > 1)) return "not a number";
    if (p < end && *p == '.') {
        *integer = false;
        for (digits = ++p; p < end && *p >= '0' && *p <= '9';) p++;
        if (p == digits) return "not a number";
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *integer = false;
        if (++p < end && (*p == '+' || *p == '-')) p++;
        for (digits = p; p < end && *p >= '0' && *p <= '9';) p++;
        if (p == digits) return "not a number";
    }
    *text = scan->at;
    *size = (size_t)(p - scan->at);
    scan->at += *size;
    return NULL;
}

#define MOST_DIGITS 19 /* that always fit into 64 bits */
#define MOST_POWER 38
static const double powers[MOST_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
                                              1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29,
                                              1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38};

/*
 * The float32 of a number's text from its digits and its power of ten. Three roundings at most lie between the digits
 * and the double here, so the true value is nearer to it than 2^-50 of it; where both ends of that stretch are one
 * float32, that is the answer. Else (one in some millions, or a very large exponent): false.
 */
static bool quick_float(const char *text, size_t size, float *out) {
    const char *p = text, *end = text + size;
    uint64_t digits = 0;
    int count = 0, power = 0;
    bool negative = *p == '-';
    for (p += negative; p < end && *p >= '0' && *p <= '9'; p++) {
        digits = digits * 10 + (uint64_t)(*p - '0');
        count += digits != 0;
        if (count > MOST_DIGITS) return false;
    }
    if (p < end && *p == '.') {
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, power--) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            count += digits != 0;
            if (count > MOST_DIGITS || power < -MOST_POWER) return false;
        }
    }
    if (p < end) {
        int exponent = 0;
        bool below = *++p == '-';
        for (p += *p == '-' || *p == '+'; p < end; p++) {
            exponent = exponent * 10 + (*p - '0');
            if (exponent > 1000) return false;
        }
        power += below ? -exponent : exponent;
    }
    if (power < -MOST_POWER || power > MOST_POWER) return false;
    double value = power < 0 ? (double)digits / powers[-power] : (double)digits * powers[power];
    float low = (float)(value * (1 - 0x1p-50)), high = (float)(value * (1 + 0x1p-50));
    if (low != high) return false;
    *out = negative ? -low : low;
    return true;
}

const char *cli_scan_float(struct cli_scan *scan, float *out) {
    const char *text, *start = scan->at;
    size_t size;
    bool integer;
    const char *wrong = cli_scan_number(scan, &text, &size, &integer);
    if (wrong) return wrong;
    if (!quick_float(text, size, out)) *out = (float)strtod(text, NULL); /* a byte that ends it follows */
    if (isfinite(*out)) return NULL;
    scan->at -= scan->at - start;
    return "a number that float32 does not hold";
}
