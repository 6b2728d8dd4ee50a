/* Encodings of values and of definition levels in formats 2.1 and 2.2 as LanceDB writes them; all others are refused by name. */
#include "formats/lance/column_priv.h"

#include <inttypes.h>

enum encoding {
    FLAT = 1,
    VARIABLE = 2,
    OUT_OF_LINE = 4,
    INLINE = 5,
    FSST = 6,
    RUNS = 8,
    GENERAL = 10,
    FIXED_SIZE_LIST = 11
};
static const char *const encodings[] = {"nothing",
                                        "flat",
                                        "variable",
                                        "constant",
                                        "out-of-line bitpacking",
                                        "inline bitpacking",
                                        "fsst",
                                        "dictionary",
                                        "run length",
                                        "byte stream split",
                                        "general",
                                        "fixed size list",
                                        "packed struct",
                                        "variable packed struct",
                                        "range",
                                        "delta"};

enum { SCHEME_LZ4 = 1, SCHEME_ZSTD = 2 };

static shf_status bad(struct shf_error **error) { return shf_lance_page_bad(error, "its encoding is malformed"); }

static shf_status refuse(struct shf_error **error, const char *where, uint32_t kind) {
    return shf_lance_refuse_encoding(error, where, encodings, sizeof encodings / sizeof encodings[0], kind);
}

shf_status shf_lance_refuse_feature(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_UNSUPPORTED, "%s are not read", what);
}

/* ---- encodings of values ---- */

/* Flat{bits, compression} */
static shf_status check_flat(struct shf_protobuf body, uint64_t bits, struct shf_error **error) {
    struct shf_protobuf_field field;
    uint64_t found = 0;
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) found = shf_protobuf_number(&body, &field);
        if (field.number == 2) return shf_lance_refuse_feature(error, "compressed flat values");
    }
    if (body.is_bad) return bad(error);
    if (found == bits) return SHF_OK;
    return shf_error_set(error, SHF_E_UNSUPPORTED,
                         "flat values of %" PRIu64 " bits are not read here, only of %" PRIu64, found, bits);
}

static shf_status expect_flat(struct shf_protobuf message, uint64_t bits, const char *where, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    return kind == FLAT ? check_flat(body, bits, error) : refuse(error, where, kind);
}

/* InlineBitpacking{bits, compression} */
static shf_status check_inline(struct shf_protobuf body, uint64_t bits, struct shf_error **error) {
    struct shf_protobuf_field field;
    uint64_t found = 0;
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) found = shf_protobuf_number(&body, &field);
        if (field.number == 2) return shf_lance_refuse_feature(error, "compressed bit-packed values");
    }
    if (body.is_bad) return bad(error);
    if (found == bits) return SHF_OK;
    return shf_error_set(error, SHF_E_UNSUPPORTED,
                         "values packed from %" PRIu64 " bits are not read here, only from %" PRIu64, found, bits);
}

/* Variable{offsets, compression}: offsets of 32 bits. */
static shf_status check_variable(struct shf_protobuf body, struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_protobuf offsets = {0};
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) offsets = shf_protobuf_message(&body, &field);
        if (field.number == 2) return shf_lance_refuse_feature(error, "compressed variable values");
    }
    if (body.is_bad) return bad(error);
    return expect_flat(offsets, 32, "of offsets", error);
}

/* General{compression{scheme, level}, encoding}: the scheme, and what is compressed. */
static shf_status read_general(struct shf_protobuf body, uint64_t *scheme, struct shf_protobuf *inner,
                               struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_protobuf compression = {0};
    *scheme = 0;
    *inner = (struct shf_protobuf){0};
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) compression = shf_protobuf_message(&body, &field);
        if (field.number == 3) *inner = shf_protobuf_message(&body, &field);
    }
    while (shf_protobuf_next(&compression, &field)) {
        if (field.number == 1) *scheme = shf_protobuf_number(&compression, &field);
    }
    return body.is_bad || compression.is_bad ? bad(error) : SHF_OK;
}

static shf_status refuse_scheme(struct shf_error **error, const char *where, uint64_t scheme) {
    if (scheme == SCHEME_LZ4 || scheme == SCHEME_ZSTD) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "the compression %s is not read %s",
                             scheme == SCHEME_LZ4 ? "LZ4" : "zstd", where);
    }
    return shf_error_set(error, SHF_E_UNSUPPORTED, "the compression number %" PRIu64 " is not read %s", scheme, where);
}

/* Variable, or FSST over it, or (full-zip) zstd over it. */
shf_status shf_lance_read_texts(struct shf_protobuf message, bool may_be_zstd, struct shf_lance_page *page,
                                struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body, inner = {0};
    struct shf_protobuf_field field;
    struct shf_cursor symbols = {0};
    uint64_t scheme;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    if (kind == VARIABLE) return check_variable(body, error);
    if (kind == FSST) {
        while (shf_protobuf_next(&body, &field)) {
            if (field.number == 1) symbols = shf_protobuf_bytes(&body, &field);
            if (field.number == 2) inner = shf_protobuf_message(&body, &field);
        }
        if (body.is_bad) return bad(error);
        status = shf_lance_symbols_check(symbols.at, symbols.left, error);
        page->packing = SHF_LANCE_FSST;
        page->symbols = symbols.at;
    } else if (kind == GENERAL) {
        status = read_general(body, &scheme, &inner, error);
        if (!status && (scheme != SCHEME_ZSTD || !may_be_zstd))
            status = refuse_scheme(error, "over texts here", scheme);
        page->packing = SHF_LANCE_ZSTD;
    } else {
        return refuse(error, "of texts", kind);
    }
    if (!status) status = shf_lance_choice(inner, &kind, &body, error);
    if (status) return status;
    return kind == VARIABLE ? check_variable(body, error) : refuse(error, "within a compressed one", kind);
}

/* FixedSizeList{items, encoding, has_validity} of floats. */
shf_status shf_lance_read_vectors(struct shf_protobuf message, uint32_t dimension, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body, items = {0};
    struct shf_protobuf_field field;
    uint64_t found = 0;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    if (kind != FIXED_SIZE_LIST) return refuse(error, "of vectors", kind);
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) found = shf_protobuf_number(&body, &field);
        if (field.number == 2) items = shf_protobuf_message(&body, &field);
        if (field.number == 3 && shf_protobuf_number(&body, &field) != 0) {
            return shf_lance_refuse_feature(error, "vectors with null elements");
        }
    }
    if (body.is_bad) return bad(error);
    if (found != dimension)
        return shf_lance_page_bad(error, "its vectors have another dimension than the manifest says");
    return expect_flat(items, 32, "of the elements of vectors", error);
}

shf_status shf_lance_read_dictionary(struct shf_protobuf message, struct shf_lance_page *page, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body, inner;
    uint64_t scheme;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    page->has_dictionary = true;
    if (kind == GENERAL) {
        status = read_general(body, &scheme, &inner, error);
        if (!status && scheme != SCHEME_LZ4) status = refuse_scheme(error, "over a dictionary", scheme);
        if (!status) status = shf_lance_choice(inner, &kind, &body, error);
        if (status) return status;
        page->is_lz4 = true;
    }
    return kind == VARIABLE ? check_variable(body, error) : refuse(error, "of a dictionary", kind);
}

shf_status shf_lance_read_indices(struct shf_protobuf message, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    return kind == INLINE ? check_inline(body, 32, error) : refuse(error, "of the indices of a dictionary", kind);
}

/* ---- levels ---- */

static shf_status read_out_of_line(struct shf_protobuf body, struct shf_lance_levels *out, struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_protobuf inner = {0};
    uint64_t bits = 0, width = 0;
    uint32_t kind;
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) bits = shf_protobuf_number(&body, &field);
        if (field.number == 3) inner = shf_protobuf_message(&body, &field);
    }
    if (body.is_bad) return bad(error);
    shf_status status = shf_lance_choice(inner, &kind, &body, error);
    if (status) return status;
    if (kind != FLAT) return refuse(error, "within bit-packed levels", kind);
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) width = shf_protobuf_number(&body, &field);
        if (field.number == 2) return shf_lance_refuse_feature(error, "compressed levels");
    }
    if (body.is_bad || bits != 16 || width > 16) return bad(error);
    *out = (struct shf_lance_levels){SHF_LANCE_LEVELS_GROUPS, (uint32_t)width};
    return SHF_OK;
}

static shf_status check_runs(struct shf_protobuf body, struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_protobuf values = {0}, lengths = {0};
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) values = shf_protobuf_message(&body, &field);
        if (field.number == 2) lengths = shf_protobuf_message(&body, &field);
    }
    if (body.is_bad) return bad(error);
    shf_status status = expect_flat(values, 16, "of the values of runs", error);
    return status ? status : expect_flat(lengths, 8, "of the lengths of runs", error);
}

shf_status shf_lance_read_levels(struct shf_protobuf message, struct shf_lance_levels *out, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body;
    shf_status status = shf_lance_choice(message, &kind, &body, error);
    if (status) return status;
    switch (kind) {
    case FLAT: out->coding = SHF_LANCE_LEVELS_PLAIN; return check_flat(body, 16, error);
    case OUT_OF_LINE: return read_out_of_line(body, out, error);
    case INLINE: out->coding = SHF_LANCE_LEVELS_GROUP; return check_inline(body, 16, error);
    case RUNS: out->coding = SHF_LANCE_LEVELS_RUNS; return check_runs(body, error);
    default: return refuse(error, "of definition levels", kind);
    }
}
