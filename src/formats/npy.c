#include "formats/npy.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define SHORT_PREFIX 10u /* magic, version, two bytes of length; from version 2.0 on four */

/* ---- the header: a Python dictionary of three entries, each once, in any order ---- */

struct header {
    struct shf_cursor text;
    struct shf_npy *npy;
    bool has_type, has_order, has_shape;
};

static char peek(const struct shf_cursor *c) { return c->left ? (char)*c->at : '\0'; }

static void skip_blanks(struct shf_cursor *c) {
    while (c->left && strchr(" \t\r\n\f", *c->at) && *c->at) (void)shf_cursor_skip(c, 1);
}

/* A character, blanks before it left out. */
static bool take(struct shf_cursor *c, char wanted) {
    skip_blanks(c);
    return peek(c) == wanted && shf_cursor_skip(c, 1);
}

static bool take_word(struct shf_cursor *c, const char *word) {
    size_t size = strlen(word);
    skip_blanks(c);
    if (c->left < size || memcmp(c->at, word, size) != 0) return false;
    return shf_cursor_skip(c, size);
}

/* A text without escapes: no name and no type that is read has one. */
static bool take_text(struct shf_cursor *c, shf_slice *out) {
    skip_blanks(c);
    char quote = peek(c);
    if ((quote != '\'' && quote != '"') || !shf_cursor_skip(c, 1)) return false;
    const uint8_t *begin = c->at;
    while (c->left && peek(c) != quote && peek(c) != '\\' && peek(c) != '\n') (void)shf_cursor_skip(c, 1);
    *out = (shf_slice){begin, (size_t)(c->at - begin)};
    return peek(c) == quote && shf_cursor_skip(c, 1);
}

static bool is_text(shf_slice text, const char *wanted) {
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

static bool take_number(struct shf_cursor *c, uint64_t *out) {
    skip_blanks(c);
    if (!shf_ascii_is_digit(peek(c))) return false;
    for (*out = 0; shf_ascii_is_digit(peek(c)); (void)shf_cursor_skip(c, 1)) {
        if (__builtin_mul_overflow(*out, UINT64_C(10), out)) return false;
        if (__builtin_add_overflow(*out, (uint64_t)(*c->at - '0'), out)) return false;
    }
    return true;
}

static shf_status damaged(struct shf_error **error) {
    return shf_error_set(error, SHF_E_CORRUPT,
                         "its header is not that of an array: 'descr', 'fortran_order' and 'shape' "
                         "are wanted, each once");
}

static shf_status read_type(struct header *header, struct shf_error **error) {
    shf_slice text;
    if (header->has_type) return damaged(error);
    if (!take_text(&header->text, &text)) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "its 'descr' is not that of a plain array of floats");
    }
    const char *type = text.data;
    header->has_type = true;
    if (text.size != 3 || (type[0] != '<' && type[0] != '>') || type[1] != 'f' ||
        (type[2] != '2' && type[2] != '4' && type[2] != '8')) {
        return shf_error_set(
            error, SHF_E_UNSUPPORTED,
            "its type is \"%.*s\"; float16, float32 and float64 are read (<f2, <f4, <f8, >f2, >f4, >f8)",
            (int)(text.size < 20 ? text.size : 20), type);
    }
    header->npy->is_big_endian = type[0] == '>';
    header->npy->item_bytes = (unsigned)(type[2] - '0');
    return SHF_OK;
}

static shf_status read_order(struct header *header, struct shf_error **error) {
    if (header->has_order) return damaged(error);
    header->has_order = true;
    header->npy->is_fortran = take_word(&header->text, "True");
    return header->npy->is_fortran || take_word(&header->text, "False") ? SHF_OK : damaged(error);
}

/* "(3, 8)"; a comma behind the last number may be there, and must be after a single one. */
static shf_status read_shape(struct header *header, struct shf_error **error) {
    struct shf_cursor *c = &header->text;
    uint64_t sizes[2] = {0}, more;
    unsigned count = 0;
    if (header->has_shape || !take(c, '(')) return damaged(error);
    header->has_shape = true;
    while (!take(c, ')')) {
        if (!take_number(c, count < 2 ? &sizes[count] : &more)) return damaged(error);
        count++;
        if (take(c, ',')) continue;
        if (!take(c, ')')) return damaged(error);
        break;
    }
    if (count != 2) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "it has %u dimensions; rows of vectors have two", count);
    }
    header->npy->rows = sizes[0];
    header->npy->columns = sizes[1];
    return SHF_OK;
}

static shf_status read_header(struct header *header, struct shf_error **error) {
    if (!take(&header->text, '{')) return damaged(error);
    while (!take(&header->text, '}')) {
        shf_slice name;
        shf_status status;
        if (!take_text(&header->text, &name) || !take(&header->text, ':')) return damaged(error);
        if (is_text(name, "descr")) {
            status = read_type(header, error);
        } else if (is_text(name, "fortran_order")) {
            status = read_order(header, error);
        } else if (is_text(name, "shape")) {
            status = read_shape(header, error);
        } else {
            status = damaged(error);
        }
        if (status) return status;
        if (take(&header->text, ',')) continue;
        if (!take(&header->text, '}')) return damaged(error);
        break;
    }
    skip_blanks(&header->text);
    bool is_whole = header->has_type && header->has_order && header->has_shape && header->text.left == 0;
    return is_whole ? SHF_OK : damaged(error);
}

/* ---- the file ---- */

/* Leaves the items in *c. */
static shf_status split(struct shf_cursor *c, struct shf_cursor *text, struct shf_error **error) {
    const uint8_t *prefix, *header;
    uint32_t length;
    if (!shf_cursor_bytes(c, SHORT_PREFIX, &prefix) || memcmp(prefix, MAGIC, sizeof MAGIC - 1) != 0) {
        return shf_error_set(error, SHF_E_CORRUPT, "it is no .npy file");
    }
    if (prefix[6] < 1 || prefix[6] > 3 || prefix[7] != 0) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "version %u.%u of the .npy format; 1.0, 2.0 and 3.0 are read",
                             prefix[6], prefix[7]);
    }
    length = (uint32_t)prefix[8] | (uint32_t)prefix[9] << 8;
    if (prefix[6] > 1) {
        const uint8_t *high;
        if (!shf_cursor_bytes(c, 2, &high)) return shf_error_set(error, SHF_E_CORRUPT, "it ends within its header");
        length |= (uint32_t)high[0] << 16 | (uint32_t)high[1] << 24;
    }
    if (length > SHF_LIMIT_NPY_HEADER_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "its header has %" PRIu32 " bytes; at most %u are read", length,
                             SHF_LIMIT_NPY_HEADER_BYTES);
    }
    if (!shf_cursor_bytes(c, length, &header)) return shf_error_set(error, SHF_E_CORRUPT, "it ends within its header");
    *text = shf_cursor_of(header, length);
    return SHF_OK;
}

shf_status shf_npy_parse(const void *data, size_t size, struct shf_npy *out, struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(data, size);
    struct shf_npy npy = {0};
    struct header header = {.npy = &npy};
    uint64_t bytes;
    shf_status status = split(&c, &header.text, error);
    if (!status) status = read_header(&header, error);
    if (status) return status;
    if (__builtin_mul_overflow(npy.rows, npy.columns, &bytes) ||
        __builtin_mul_overflow(bytes, (uint64_t)npy.item_bytes, &bytes) || bytes != c.left) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "it says %" PRIu64 " rows of %" PRIu64 " float%u, but %zu bytes follow its header",
                             npy.rows, npy.columns, npy.item_bytes * 8, c.left);
    }
    npy.items = c.at;
    *out = npy;
    return SHF_OK;
}

/* ---- the items ---- */

/* IEEE 754 binary16. */
static double from_half(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023), magnitude;
    if (exponent == 31) {
        magnitude = fraction > 0 ? NAN : INFINITY;
    } else {
        magnitude = exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24);
    }
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double item_at(const struct shf_npy *npy, const uint8_t *at) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < npy->item_bytes; i++) {
        bits = bits << 8 | at[npy->is_big_endian ? i : npy->item_bytes - 1 - i];
    }
    if (npy->item_bytes == 2) return from_half(bits);
    if (npy->item_bytes == 4) {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof value);
        return value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void shf_npy_read(const struct shf_npy *npy, double *out) {
    const uint64_t row_step = npy->is_fortran ? 1 : npy->columns, column_step = npy->is_fortran ? npy->rows : 1;
    for (uint64_t row = 0; row < npy->rows; row++) {
        for (uint64_t column = 0; column < npy->columns; column++) {
            uint64_t place = row * row_step + column * column_step;
            *out++ = item_at(npy, npy->items + place * npy->item_bytes);
        }
    }
}
