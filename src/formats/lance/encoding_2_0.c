/* Encodings of format 2.0 as LanceDB writes them for texts and vectors; all others are refused by name. */
#include "formats/lance/column_priv.h"

enum encoding { FLAT = 1, NULLABLE = 2, FIXED_SIZE_LIST = 3, BINARY = 6, DICTIONARY = 7 };
enum { NULLABLE_NO_NULLS = 1 };

static const char *const encodings[] = {"nothing",
                                        "flat",
                                        "nullable",
                                        "fixed size list",
                                        "list",
                                        "struct",
                                        "binary",
                                        "dictionary",
                                        "fsst",
                                        "packed struct",
                                        "bitpacked",
                                        "fixed size binary",
                                        "bitpacked for non-negative",
                                        "constant"};

static shf_status refuse(struct shf_error **error, const char *where, uint32_t kind) {
    return shf_lance_refuse_encoding(error, where, encodings, sizeof encodings / sizeof encodings[0], kind);
}

/* One encoding, and what is in it when it only says that there are no nulls. */
static shf_status peel(struct shf_protobuf message, uint32_t *kind, struct shf_protobuf *body, struct shf_error **error) {
    shf_status status = shf_lance_choice(message, kind, body, error);
    if (status || *kind != NULLABLE) return status;
    struct shf_protobuf no_nulls, values;
    uint32_t unused;
    status = shf_lance_choice(*body, kind, &no_nulls, error);
    if (status) return status;
    if (*kind != NULLABLE_NO_NULLS) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "the encoding nullable with %s is not read",
                             *kind == 2 ? "some nulls" : "all nulls");
    }
    status = shf_lance_choice(no_nulls, &unused, &values, error);
    return status ? status : shf_lance_choice(values, kind, body, error);
}

static shf_status read_buffer(struct shf_protobuf message, const struct shf_lance_page *page, uint32_t *out,
                              struct shf_error **error) {
    struct shf_protobuf_field field;
    uint64_t index = 0, place = 0;
    while (shf_protobuf_next(&message, &field)) {
        if (field.number == 1) index = shf_protobuf_number(&message, &field);
        if (field.number == 2) place = shf_protobuf_number(&message, &field);
    }
    if (message.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    if (place != 0) return shf_error_set(error, SHF_E_UNSUPPORTED, "buffers outside of the page are not read");
    if (index >= page->buffer_count) return shf_lance_page_bad(error, "its encoding names a buffer that is not there");
    *out = (uint32_t)index;
    return SHF_OK;
}

/* Plain values of this width in one buffer. */
static shf_status read_flat(struct shf_protobuf message, uint64_t bits, const struct shf_lance_page *page,
                            uint32_t *out, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body, buffer = {0};
    struct shf_protobuf_field field;
    uint64_t found = 0;
    bool is_packed = false;
    shf_status status = peel(message, &kind, &body, error);
    if (status) return status;
    if (kind != FLAT) return refuse(error, "within another encoding", kind);
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) found = shf_protobuf_number(&body, &field);
        if (field.number == 2) buffer = shf_protobuf_message(&body, &field);
        if (field.number == 3) is_packed = shf_protobuf_bytes(&body, &field).left > 0;
    }
    if (body.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    if (is_packed) return shf_error_set(error, SHF_E_UNSUPPORTED, "compressed flat values are not read");
    if (found != bits) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "flat values of %llu bits are not read here, only of %llu",
                             (unsigned long long)found, (unsigned long long)bits);
    }
    return read_buffer(buffer, page, out, error);
}

/* ---- vectors ---- */

static shf_status parse_vectors(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body, items = {0};
    struct shf_protobuf_field field;
    uint64_t found = 0;
    bool has_validity = false;
    shf_status status = peel(message, &kind, &body, error);
    if (status) return status;
    if (kind != FIXED_SIZE_LIST) return refuse(error, "of vectors", kind);
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) found = shf_protobuf_number(&body, &field);
        if (field.number == 2) items = shf_protobuf_message(&body, &field);
        if (field.number == 3) has_validity = shf_protobuf_number(&body, &field) != 0;
    }
    if (body.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    if (has_validity) return shf_error_set(error, SHF_E_UNSUPPORTED, "vectors with null elements are not read");
    if (found != dimension)
        return shf_lance_page_bad(error, "its vectors have another dimension than the manifest says");
    page->shape = SHF_LANCE_PLAIN;
    status = read_flat(items, 32, page, &page->values_buffer, error);
    if (status) return status;
    if (page->buffers[page->values_buffer].size != page->rows * dimension * sizeof(float)) {
        return shf_lance_page_bad(error, "the size of its buffer is not rows * dimension * 4");
    }
    return SHF_OK;
}

/* ---- texts ---- */

static shf_status parse_binary(struct shf_protobuf body, uint64_t rows, struct shf_lance_page *page,
                               struct shf_error **error) {
    struct shf_protobuf ends = {0}, bytes = {0};
    struct shf_protobuf_field field;
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) ends = shf_protobuf_message(&body, &field);
        if (field.number == 2) bytes = shf_protobuf_message(&body, &field);
        if (field.number == 3) page->null_adjustment = shf_protobuf_number(&body, &field);
    }
    if (body.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    if (page->null_adjustment == 0) return shf_lance_page_bad(error, "its encoding does not say what a null is");
    shf_status status = read_flat(ends, 64, page, &page->ends_buffer, error);
    if (!status) status = read_flat(bytes, 8, page, &page->bytes_buffer, error);
    if (status) return status;
    uint64_t size = page->buffers[page->ends_buffer].size;
    return size % 8 == 0 && size / 8 == rows ? SHF_OK
                                             : shf_lance_page_bad(error, "it has not as many ends of texts as texts");
}

static shf_status parse_dictionary(struct shf_protobuf body, struct shf_lance_page *page, struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf indices = {0}, items = {0}, binary;
    struct shf_protobuf_field field;
    while (shf_protobuf_next(&body, &field)) {
        if (field.number == 1) indices = shf_protobuf_message(&body, &field);
        if (field.number == 2) items = shf_protobuf_message(&body, &field);
        if (field.number == 3) page->item_count = shf_protobuf_number(&body, &field);
    }
    if (body.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    shf_status status = read_flat(indices, 8, page, &page->values_buffer, error);
    if (status) return status;
    if (page->buffers[page->values_buffer].size != page->rows) {
        return shf_lance_page_bad(error, "it has not as many indices as rows");
    }
    status = peel(items, &kind, &binary, error);
    if (status) return status;
    if (kind != BINARY) return refuse(error, "of a dictionary", kind);
    return parse_binary(binary, page->item_count, page, error);
}

shf_status shf_lance_encoding_2_0(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                  struct shf_error **error) {
    uint32_t kind;
    struct shf_protobuf body;
    if (dimension) return parse_vectors(dimension, message, page, error);
    shf_status status = peel(message, &kind, &body, error);
    if (status) return status;
    switch (kind) {
    case BINARY: page->shape = SHF_LANCE_BINARY; return parse_binary(body, page->rows, page, error);
    case DICTIONARY: page->shape = SHF_LANCE_DICTIONARY; return parse_dictionary(body, page, error);
    default: return refuse(error, "of texts", kind);
    }
}
