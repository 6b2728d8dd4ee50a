/* Copying a JSON value: no recursion, a byte a level of nesting. */
#include "cli/build/build_scan.h"

#include "cli/memory.h"
#include "cli/utf8.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of the objects that are open, as written to `out`: equal strings have equal text there. */
struct name {
    size_t offset, size;
};

struct copy {
    struct cli_scan *scan;
    struct cli_out *out;
    bool python;
    unsigned depth;
    unsigned char is_object[CLI_SCAN_DEPTH];
    size_t first_name[CLI_SCAN_DEPTH]; /* of each level, in `names` */
    struct name *names;
    size_t name_count, name_capacity;
};

void cli_python_repr(double value, char out[CLI_REPR_BYTES]) {
    char text[CLI_REPR_BYTES], digits[20];
    int precision = fabs(value) < DBL_MIN ? 0 : 14; /* a subnormal may need fewer than 15 digits */
    do {
        snprintf(text, sizeof text, "%.*e", precision, value);
    } while (strtod(text, NULL) != value && ++precision < 17);
    const char *p = text;
    size_t count = 0;
    for (p += *p == '-'; *p != 'e'; p++) {
        if (*p != '.') digits[count++] = *p;
    }
    long exponent = strtol(p + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0') count--;
    digits[count] = '\0';
    const char *sign = signbit(value) ? "-" : "";
    if (exponent < -4 || exponent >= 16) {
        snprintf(out, CLI_REPR_BYTES, "%s%c%s%se%c%02ld", sign, digits[0], count > 1 ? "." : "", digits + 1,
                 exponent < 0 ? '-' : '+', labs(exponent));
    } else if (exponent < 0) {
        snprintf(out, CLI_REPR_BYTES, "%s0.%.*s%s", sign, (int)(-exponent - 1), "000", digits);
    } else {
        size_t whole = (size_t)exponent + 1, given = count < whole ? count : whole;
        snprintf(out, CLI_REPR_BYTES, "%s%.*s%.*s.%s", sign, (int)given, digits, (int)(whole - given),
                 "0000000000000000", count > whole ? digits + whole : "0");
    }
}

/* ASCII, as Python writes it. */
static void python_string(struct cli_out *out, const char *data, size_t size) {
    const unsigned char *p = (const unsigned char *)data, *end = p + size;
    cli_out_char(out, '"');
    while (p < end) {
        const unsigned char *plain = p;
        while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') p++;
        cli_out_bytes(out, plain, (size_t)(p - plain));
        if (p == end) break;
        uint32_t point = 0;
        p += cli_utf8_next(p, (size_t)(end - p), &point); /* it was decoded before: it is valid */
        const char *letter = point && point < 0x80 ? strchr("\"\"\\\\\nn\rr\tt\ff\bb", (int)point) : NULL;
        if (letter)
            cli_out_bytes(out, (const char[2]){'\\', letter[1]}, 2);
        else if (point < 0x10000)
            cli_out_format(out, "\\u%04x", (unsigned)point);
        else
            cli_out_format(out, "\\u%04x\\u%04x", 0xd800 + (unsigned)((point - 0x10000) >> 10),
                           0xdc00 + (unsigned)(point & 0x3ff));
    }
    cli_out_char(out, '"');
}

static const char *copy_string(struct copy *c) {
    const char *start = c->scan->at;
    char *data;
    size_t size;
    if (c->python) {
        const char *wrong = cli_scan_string(c->scan, &data, &size);
        if (!wrong) python_string(c->out, data, size);
        return wrong;
    }
    /* The escapes are to stay: the text goes out before it is decoded in place. */
    size_t before = c->out->size, rest = (size_t)(c->scan->end - start), length = 1;
    while (length < rest && start[length] != '"') length += start[length] == '\\' && length + 1 < rest ? 2 : 1;
    cli_out_bytes(c->out, start, length < rest ? length + 1 : rest);
    const char *wrong = cli_scan_string(c->scan, &data, &size);
    if (wrong) c->out->size = before;
    return wrong;
}

static const char *copy_number(struct copy *c) {
    const char *text;
    size_t size;
    bool integer;
    const char *wrong = cli_scan_number(c->scan, &text, &size, &integer);
    if (wrong) return "not JSON";
    if (!c->python || (integer && !(size == 2 && !memcmp(text, "-0", 2)))) {
        cli_out_bytes(c->out, text, size);
        return NULL;
    }
    char repr[CLI_REPR_BYTES];
    double value = strtod(text, NULL); /* a byte that ends it follows */
    if (!isfinite(value)) return "a number that float64 does not hold";
    cli_python_repr(value, repr);
    cli_out_string(c->out, integer ? "0" : repr); /* -0 is an integer, and 0 to Python */
    return NULL;
}

static const char *copy_scalar(struct copy *c) {
    static const char *const words[] = {"true", "false", "null"};
    if (*c->scan->at == '"') return copy_string(c);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(c->scan->end - c->scan->at) < size || memcmp(c->scan->at, words[i], size) != 0) continue;
        cli_out_bytes(c->out, words[i], size);
        c->scan->at += size;
        return NULL;
    }
    return copy_number(c);
}

static const char *copy_name(struct copy *c) {
    size_t before = c->out->size;
    cli_scan_blanks(c->scan);
    if (c->scan->at == c->scan->end || *c->scan->at != '"') return "not JSON: a member's name is missing";
    const char *wrong = copy_string(c);
    if (wrong) return wrong;
    if (c->python) {
        if (c->name_count == c->name_capacity) {
            c->name_capacity = c->name_capacity ? c->name_capacity * 2 : 16;
            c->names = cli_realloc_array(c->names, c->name_capacity, sizeof *c->names);
        }
        c->names[c->name_count++] = (struct name){before, c->out->size - before};
    }
    if (!cli_scan_take(c->scan, ':')) return "not JSON: ':' is missing";
    cli_out_string(c->out, c->python ? ": " : ":");
    return NULL;
}

static int by_text(const void *left, const void *right, void *text) {
    const struct name *a = left, *b = right;
    const char *base = text;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return memcmp(base + a->offset, base + b->offset, a->size);
}

/* Forgets the names of the innermost object; true when one stood there twice. */
static bool close_names(struct copy *c) {
    size_t first = c->first_name[c->depth - 1], count = c->name_count - first;
    bool twice = false;
    if (count > 1) qsort_r(c->names + first, count, sizeof *c->names, by_text, c->out->data);
    for (size_t i = first + 1; i < c->name_count; i++) {
        twice |= !by_text(&c->names[i - 1], &c->names[i], c->out->data);
    }
    c->name_count = first;
    return twice;
}

/* After a value: closes what ends here, or goes on to the next member. *more says whether a value follows. */
static const char *after_value(struct copy *c, bool *more) {
    while (c->depth) {
        bool object = c->is_object[c->depth - 1];
        if (cli_scan_take(c->scan, ',')) {
            cli_out_string(c->out, c->python ? ", " : ",");
            *more = true;
            return object ? copy_name(c) : NULL;
        }
        if (!cli_scan_take(c->scan, object ? '}' : ']')) return "not JSON: ',' or a closing bracket is missing";
        if (object && close_names(c)) return "a member stands twice in one object";
        cli_out_char(c->out, object ? '}' : ']');
        c->depth--;
    }
    *more = false;
    return NULL;
}

/* A scalar, an empty container, or the opening of one: *opened then says that a value inside it follows. */
static const char *begin_value(struct copy *c, bool *opened) {
    *opened = false;
    cli_scan_blanks(c->scan);
    if (c->scan->at == c->scan->end) return "not JSON: it ends within a value";
    char bracket = *c->scan->at;
    if (bracket != '{' && bracket != '[') return copy_scalar(c);
    if (c->depth == CLI_SCAN_DEPTH) return "nested more than 512 deep";
    bool object = bracket == '{';
    cli_out_char(c->out, bracket);
    c->scan->at++;
    if (cli_scan_take(c->scan, object ? '}' : ']')) {
        cli_out_char(c->out, object ? '}' : ']');
        return NULL;
    }
    c->first_name[c->depth] = c->name_count;
    c->is_object[c->depth++] = object;
    *opened = true;
    return object ? copy_name(c) : NULL;
}

const char *cli_scan_copy(struct cli_scan *scan, enum cli_scan_style style, struct cli_out *out) {
    struct copy c = {.scan = scan, .out = out, .python = style == CLI_SCAN_PYTHON};
    const char *wrong = NULL;
    for (bool more = true; more && !wrong;) {
        bool opened = false;
        wrong = begin_value(&c, &opened);
        if (!wrong && !opened) wrong = after_value(&c, &more);
    }
    free(c.names);
    return wrong;
}
