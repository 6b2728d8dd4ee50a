/*
 * Reading protobuf messages field by field, as they lie in memory: no message is built, nothing is allocated, and nothing
 * recurses; a message within a message is another reader. Groups are refused. Pure.
 *
 *     struct shf_protobuf message = shf_protobuf_of(data, size);
 *     struct shf_protobuf_field field;
 *     while (shf_protobuf_next(&message, &field)) {
 *         if (field.number == 3) version = shf_protobuf_number(&message, &field);
 *     }
 *     if (message.is_bad) ...
 *
 * A field whose number nobody asks for is skipped. One of another wire type than asked for makes the message bad.
 */
#ifndef SHF_FORMATS_LANCE_PROTOBUF_H
#define SHF_FORMATS_LANCE_PROTOBUF_H

#include "base/cursor.h"

enum shf_protobuf_type {
    SHF_PROTOBUF_VARINT = 0,
    SHF_PROTOBUF_64_BITS = 1,
    SHF_PROTOBUF_BYTES = 2,
    SHF_PROTOBUF_32_BITS = 5
};

struct shf_protobuf {
    struct shf_cursor rest;
    bool is_bad; /* it is malformed; reading has ended */
};

struct shf_protobuf_field {
    uint32_t number; /* 1..2^29-1 */
    enum shf_protobuf_type type;
    uint64_t value;          /* of a varint or of fixed bits */
    struct shf_cursor bytes; /* of a text, a message or packed numbers */
};

struct shf_protobuf shf_protobuf_of(const void *data, size_t size);
/* False at the end, and when the message is malformed. */
bool shf_protobuf_next(struct shf_protobuf *message, struct shf_protobuf_field *out);

/* The field as what it must be; 0 and nothing when it is not, which makes the message bad. */
uint64_t shf_protobuf_number(struct shf_protobuf *message, const struct shf_protobuf_field *field);
struct shf_cursor shf_protobuf_bytes(struct shf_protobuf *message, const struct shf_protobuf_field *field);
/* The same as a reader of the message that it is. */
struct shf_protobuf shf_protobuf_message(struct shf_protobuf *message, const struct shf_protobuf_field *field);

/*
 * Numbers of a repeated field: packed, or one in a field of its own. *list begins as {0} for each field; false after the last
 * one, and when they are malformed.
 */
struct shf_protobuf_list {
    bool has_begun;
    struct shf_cursor rest;
};
bool shf_protobuf_list_next(struct shf_protobuf *message, const struct shf_protobuf_field *field,
                            struct shf_protobuf_list *list, uint64_t *out);

/* Whether bytes are this text. */
bool shf_protobuf_is_text(struct shf_cursor bytes, const char *text);

#endif
