#include "cli/npy.h"

#include "cli/memory.h"
#include "cli/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

bool cli_npy_is(const void *data, size_t size) { return size >= sizeof magic && !memcmp(data, magic, sizeof magic); }

/* Bytes before the header text, 0 for a version that does not exist. */
static size_t prefix_bytes(const unsigned char *p) { return p[6] == 1 ? 10 : p[6] == 2 || p[6] == 3 ? 12 : 0; }

char *cli_npy_header_size(const void *data, size_t size, size_t *out) {
    const unsigned char *p = data;
    if (!cli_npy_is(data, size) || size < 10) return cli_strdup("not a .npy file");
    size_t prefix = prefix_bytes(p);
    if (!prefix) return cli_format("version %u of the .npy format is unknown", p[6]);
    if (size < prefix) return cli_strdup("the file ends within its header");
    size_t length = p[8] | (size_t)p[9] << 8;
    if (prefix == 12) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > CLI_NPY_HEADER_BYTES) return cli_format("a header of more than %u bytes", CLI_NPY_HEADER_BYTES);
    *out = prefix + length;
    return NULL;
}

/* What stands behind 'NAME': in the header's Python dictionary; NULL when it is not there. */
static const char *member(const char *header, const char *name) {
    char quoted[32];
    size_t size = strlen(name);
    quoted[0] = '\'';
    memcpy(quoted + 1, name, size);
    quoted[1 + size] = '\'';
    quoted[2 + size] = '\0';
    const char *at = strstr(header, quoted);
    if (!at) return NULL;
    at += size + 2;
    at += strspn(at, " \t");
    if (*at != ':') return NULL;
    at++;
    return at + strspn(at, " \t");
}

static char *parse_type(const char *descr, struct cli_npy *out) {
    if (!descr || *descr != '\'' || !strchr("<>=|", descr[1]) || !descr[1]) {
        return cli_strdup("its 'descr' is not that of a plain array");
    }
    size_t size = strcspn(descr + 1, "'");
    const char *kind = descr + 2;
    if (descr[1] == '|' || size != 3 || kind[0] != 'f' || !strchr("248", kind[1])) {
        return cli_format("its type is %.*s; float16, float32 and float64 are read", (int)(size > 20 ? 20 : size),
                          descr + 1);
    }
    out->big_endian = descr[1] == '>';
    out->item_bytes = (unsigned)(kind[1] - '0');
    return NULL;
}

/* "(3000, 384)", "(384,)": one or two dimensions. */
static char *parse_shape(const char *shape, struct cli_npy *out) {
    uint64_t sizes[2];
    unsigned count = 0;
    if (!shape || *shape != '(') return cli_strdup("it has no 'shape'");
    for (shape++; *shape && *shape != ')'; shape += strspn(shape, ", ")) {
        size_t size = strspn(shape, "0123456789");
        if (count == 2 || !cli_parse_u64(shape, size, &sizes[count])) {
            return cli_strdup("its 'shape' is not that of a vector or of rows of vectors");
        }
        count++;
        shape += size;
    }
    if (!count || *shape != ')') return cli_strdup("its 'shape' is not that of a vector or of rows of vectors");
    uint64_t dimension = sizes[count - 1];
    if (!dimension || dimension > CLI_NPY_MAX_DIMENSION) {
        return cli_format("vectors of %llu dimensions (1 to %u are read)", (unsigned long long)dimension,
                          CLI_NPY_MAX_DIMENSION);
    }
    out->rows = count == 2 ? sizes[0] : 1;
    out->dimension = (uint32_t)dimension;
    out->dimensions = count;
    return NULL;
}

char *cli_npy_parse(const void *data, size_t size, struct cli_npy *out) {
    struct cli_npy npy = {0};
    size_t header_size = 0;
    char *error = cli_npy_header_size(data, size, &header_size);
    if (error) return error;
    if (size < header_size) return cli_strdup("the file ends within its header");
    size_t prefix = prefix_bytes(data);
    char *header = cli_strndup((const char *)data + prefix, header_size - prefix);
    const char *order = member(header, "fortran_order");
    error = parse_type(member(header, "descr"), &npy);
    if (!error) error = parse_shape(member(header, "shape"), &npy);
    if (!error && (!order || (strncmp(order, "False", 5) != 0 && strncmp(order, "True", 4) != 0))) {
        error = cli_strdup("its 'fortran_order' is missing");
    }
    if (!error && order[0] == 'T' && npy.dimensions == 2) {
        error = cli_strdup("its rows are not contiguous (fortran_order); save numpy.ascontiguousarray(...) instead");
    }
    free(header);
    if (error) return error;
    npy.data_offset = header_size;
    *out = npy;
    return NULL;
}

/* IEEE 754 binary16. */
static float half_to_float(uint16_t half) {
    uint32_t exponent = half >> 10 & 31u, fraction = half & 1023u;
    if (exponent && exponent < 31) { /* the usual case: the same number with wider fields */
        uint32_t word = (half & 0x8000u) << 16 | (exponent + 112) << 23 | fraction << 13;
        float value;
        memcpy(&value, &word, sizeof value);
        return value;
    }
    float magnitude = !exponent ? ldexpf((float)fraction, -24) : fraction ? NAN : INFINITY;
    return half & 0x8000u ? -magnitude : magnitude;
}

static uint64_t load(const unsigned char *p, unsigned bytes, bool big_endian) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | p[big_endian ? i : bytes - 1 - i];
    return value;
}

bool cli_npy_row(const struct cli_npy *npy, const void *data, float *out) {
    const unsigned char *p = data;
    for (uint32_t i = 0; i < npy->dimension; i++, p += npy->item_bytes) {
        uint64_t bits = load(p, npy->item_bytes, npy->big_endian);
        if (npy->item_bytes == 2) {
            out[i] = half_to_float((uint16_t)bits);
        } else if (npy->item_bytes == 4) {
            uint32_t word = (uint32_t)bits;
            memcpy(&out[i], &word, sizeof word);
        } else {
            double wide;
            memcpy(&wide, &bits, sizeof wide);
            out[i] = (float)wide;
        }
        if (!isfinite(out[i])) return false;
    }
    return true;
}
