/* The wire format of protobuf: https://protobuf.dev/programming-guides/encoding/ */
#include "formats/lance/protobuf.h"

#include <string.h>

#define VARINT_BYTES 10u

static bool read_varint(struct shf_cursor *c, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES; i++) {
        uint8_t byte;
        if (!shf_cursor_u8(c, &byte)) return false;
        if (i == VARINT_BYTES - 1 && byte > 1) return false; /* more than 64 bits */
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        *out = value;
        return true;
    }
    return false;
}

struct shf_protobuf shf_protobuf_of(const void *data, size_t size) {
    return (struct shf_protobuf){.rest = shf_cursor_of(data, size)};
}

static bool read_field(struct shf_cursor *c, struct shf_protobuf_field *out) {
    uint64_t tag, size;
    uint32_t narrow;
    const uint8_t *bytes;
    if (!read_varint(c, &tag) || tag >> 3 == 0 || tag >> 32 != 0) return false;
    *out = (struct shf_protobuf_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case SHF_PROTOBUF_VARINT: out->type = SHF_PROTOBUF_VARINT; return read_varint(c, &out->value);
    case SHF_PROTOBUF_64_BITS: out->type = SHF_PROTOBUF_64_BITS; return shf_cursor_u64le(c, &out->value);
    case SHF_PROTOBUF_BYTES:
        out->type = SHF_PROTOBUF_BYTES;
        if (!read_varint(c, &size) || size > c->left || !shf_cursor_bytes(c, (size_t)size, &bytes)) return false;
        out->bytes = shf_cursor_of(bytes, (size_t)size);
        return true;
    case SHF_PROTOBUF_32_BITS:
        out->type = SHF_PROTOBUF_32_BITS;
        if (!shf_cursor_u32le(c, &narrow)) return false;
        out->value = narrow;
        return true;
    default: return false;
    }
}

bool shf_protobuf_next(struct shf_protobuf *message, struct shf_protobuf_field *out) {
    if (message->is_bad || message->rest.left == 0) return false;
    if (read_field(&message->rest, out)) return true;
    message->is_bad = true;
    return false;
}

uint64_t shf_protobuf_number(struct shf_protobuf *message, const struct shf_protobuf_field *field) {
    if (field->type == SHF_PROTOBUF_VARINT) return field->value;
    message->is_bad = true;
    return 0;
}

struct shf_cursor shf_protobuf_bytes(struct shf_protobuf *message, const struct shf_protobuf_field *field) {
    if (field->type == SHF_PROTOBUF_BYTES) return field->bytes;
    message->is_bad = true;
    return (struct shf_cursor){0};
}

struct shf_protobuf shf_protobuf_message(struct shf_protobuf *message, const struct shf_protobuf_field *field) {
    return (struct shf_protobuf){.rest = shf_protobuf_bytes(message, field)};
}

bool shf_protobuf_list_next(struct shf_protobuf *message, const struct shf_protobuf_field *field,
                            struct shf_protobuf_list *list, uint64_t *out) {
    if (message->is_bad) return false;
    if (!list->has_begun) {
        list->has_begun = true;
        if (field->type == SHF_PROTOBUF_VARINT) {
            *out = field->value;
            return true;
        }
        list->rest = shf_protobuf_bytes(message, field);
    }
    if (list->rest.left == 0) return false;
    if (read_varint(&list->rest, out)) return true;
    message->is_bad = true;
    return false;
}

bool shf_protobuf_is_text(struct shf_cursor bytes, const char *text) {
    size_t size = strlen(text);
    return bytes.left == size && (size == 0 || memcmp(bytes.at, text, size) == 0);
}
