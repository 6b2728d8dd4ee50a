#include "lance_make.h"

#include "base/cursor.h"

#include <assert.h>
#include <string.h>

void put(struct bytes *out, const void *data, size_t size) {
    assert(size <= sizeof out->data - out->size);
    if (size) memcpy(out->data + out->size, data, size);
    out->size += size;
}
void put_text(struct bytes *out, const char *text) { put(out, text, strlen(text)); }
void put_u16(struct bytes *out, uint16_t value) { put(out, (uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)}, 2); }
void put_u32(struct bytes *out, uint32_t value) {
    uint8_t bytes[4];
    shf_store_u32le(bytes, value);
    put(out, bytes, sizeof bytes);
}
void put_u64(struct bytes *out, uint64_t value) {
    uint8_t bytes[8];
    shf_store_u64le(bytes, value);
    put(out, bytes, sizeof bytes);
}
void put_pad(struct bytes *out, size_t alignment) {
    while (out->size % alignment != 0) put(out, "\xfe", 1);
}

void put_varint(struct bytes *out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) put(out, (uint8_t[]){(uint8_t)(value | 0x80)}, 1);
    put(out, (uint8_t[]){(uint8_t)value}, 1);
}
void put_number(struct bytes *out, uint32_t field, uint64_t value) {
    put_varint(out, field << 3);
    put_varint(out, value);
}
void put_bytes(struct bytes *out, uint32_t field, const void *data, size_t size) {
    put_varint(out, field << 3 | 2);
    put_varint(out, size);
    put(out, data, size);
}
void put_string(struct bytes *out, uint32_t field, const char *text) { put_bytes(out, field, text, strlen(text)); }
void put_message(struct bytes *out, uint32_t field, const struct bytes *message) {
    put_bytes(out, field, message->data, message->size);
}
struct bytes wrap(uint32_t field, const struct bytes *message) {
    struct bytes out = {.size = 0};
    put_message(&out, field, message);
    return out;
}

void make_file(const struct page_made *page, struct bytes *out) {
    struct bytes any = {.size = 0}, message = {.size = 0}, offsets = {.size = 0}, sizes = {.size = 0};
    out->size = 0;
    for (unsigned i = 0; i < page->buffer_count; i++) {
        put_varint(&offsets, out->size);
        put_varint(&sizes, page->buffers[i].size);
        put(out, page->buffers[i].data, page->buffers[i].size);
    }
    put_string(&any, 1, page->version == 0 ? "/lance.encodings.ArrayEncoding" : "/lance.encodings21.PageLayout");
    put_message(&any, 2, &page->encoding);
    struct bytes direct = wrap(1, &any), encoding = wrap(2, &direct);
    put_message(&message, 1, &offsets);
    put_message(&message, 2, &sizes);
    put_number(&message, 3, page->rows);
    put_message(&message, 4, &encoding);
    uint64_t descriptor = out->size;
    put_number(out, 2, page->rows);
    uint64_t metadata = out->size;
    put_message(out, 2, &message);
    uint64_t tables = out->size;
    put_u64(out, metadata);
    put_u64(out, tables - metadata);
    put_u64(out, descriptor);
    put_u64(out, metadata - descriptor);
    put_u64(out, metadata);
    put_u64(out, tables);
    put_u64(out, tables + 16);
    put_u32(out, 1);
    put_u32(out, 1);
    put_u16(out, page->version == 0 ? 0 : 2);
    put_u16(out, page->version == 0 ? 3 : (uint16_t)page->version);
    put_text(out, "LANC");
}
