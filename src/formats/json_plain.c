/*
 * Recognising an ordinary JSON object without making anything of it. What has a rare form (\u escapes, long numbers, deep
 * nesting) is not recognised, whether right or wrong: the parser judges it.
 */
#include "formats/json_object.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

#define MOST_LEVELS 64u
#define MOST_DIGITS 18u         /* of an integer: fits into 64 bits */
#define MOST_EXPONENT_DIGITS 2u /* fits into a double */

struct scan {
    const uint8_t *at, *end;
    uint8_t seen; /* all bytes of strings, by OR */
};

static void skip_space(struct scan *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r')) {
        scan->at++;
    }
}

static bool take(struct scan *scan, uint8_t byte) {
    if (scan->at == scan->end || *scan->at != byte) return false;
    scan->at++;
    return true;
}

/* The rest of a string, behind its first quote. */
static bool take_string(struct scan *scan) {
    while (scan->at < scan->end) {
        uint8_t byte = *scan->at++;
        if (byte == '"') return true;
        if (byte < 0x20) return false;
        scan->seen |= byte;
        if (byte != '\\') continue;
        if (scan->at == scan->end || *scan->at == '\0' || !strchr("\"\\/bfnrt", *scan->at)) return false;
        scan->at++;
    }
    return false;
}

static size_t take_digits(struct scan *scan) {
    const uint8_t *begin = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') scan->at++;
    return (size_t)(scan->at - begin);
}

static bool take_number(struct scan *scan) {
    (void)take(scan, '-');
    bool is_zero = scan->at < scan->end && *scan->at == '0';
    size_t digits = take_digits(scan);
    if (digits == 0 || digits > MOST_DIGITS || (is_zero && digits > 1)) return false;
    if (take(scan, '.') && take_digits(scan) == 0) return false;
    if (!take(scan, 'e') && !take(scan, 'E')) return true;
    if (!take(scan, '-')) (void)take(scan, '+');
    digits = take_digits(scan);
    return digits > 0 && digits <= MOST_EXPONENT_DIGITS;
}

static bool take_word(struct scan *scan, const char *word, size_t size) {
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) return false;
    scan->at += size;
    return true;
}

static bool take_scalar(struct scan *scan) {
    if (take(scan, '"')) return take_string(scan);
    return take_word(scan, "true", 4) || take_word(scan, "false", 5) || take_word(scan, "null", 4) || take_number(scan);
}

/* What comes before a value: the comma, the key. */
static bool take_lead(struct scan *scan, bool is_first, bool is_object) {
    if (!is_first && !take(scan, ',')) return false;
    skip_space(scan);
    if (!is_object) return true;
    if (!take(scan, '"') || !take_string(scan)) return false;
    skip_space(scan);
    if (!take(scan, ':')) return false;
    skip_space(scan);
    return true;
}

bool shf_json_is_plain_object(const void *text, size_t size) {
    if (size == 0) return false;
    struct scan scan = {text, (const uint8_t *)text + size, 0};
    uint64_t objects = 1; /* a bit a level, the innermost last: 1 = an object, 0 = an array */
    uint32_t depth = 1;
    bool is_first = true;
    skip_space(&scan);
    if (!take(&scan, '{')) return false;
    while (depth > 0) {
        skip_space(&scan);
        if (take(&scan, objects & 1 ? '}' : ']')) {
            objects >>= 1;
            depth--;
            is_first = false;
            continue;
        }
        if (!take_lead(&scan, is_first, objects & 1)) return false;
        bool is_object = take(&scan, '{');
        is_first = is_object || take(&scan, '[');
        if (is_first) {
            if (depth++ == MOST_LEVELS) return false;
            objects = objects << 1 | is_object;
        } else if (!take_scalar(&scan)) {
            return false;
        }
    }
    skip_space(&scan);
    return scan.at == scan.end && (scan.seen < 0x80 || shf_utf8_valid(text, size));
}
