/* https://flatbuffers.dev/internals/ */
#include "formats/lance/flatbuffer.h"

#include "base/cursor.h"

#define VTABLE_HEADER_BYTES 4u

static bool is_within(size_t size, size_t at, size_t bytes) { return at <= size && bytes <= size - at; }

static uint16_t load_u16le(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

/* A table begins with the signed distance back to its vtable: u16 bytes of it, u16 bytes of the table, u16 a field. */
static bool open_table(const uint8_t *data, size_t size, size_t at, struct shf_flatbuffer_table *out) {
    if (size > INT32_MAX || !is_within(size, at, 4)) return false;
    int64_t vtable = (int64_t)at - (int32_t)shf_load_u32le(data + at);
    if (vtable < 0 || !is_within(size, (size_t)vtable, VTABLE_HEADER_BYTES)) return false;
    unsigned vtable_bytes = load_u16le(data + vtable), own_size = load_u16le(data + vtable + 2);
    if (vtable_bytes < VTABLE_HEADER_BYTES || !is_within(size, (size_t)vtable, vtable_bytes)) return false;
    if (!is_within(size, at, own_size)) return false;
    *out = (struct shf_flatbuffer_table){.data = data,
                                         .size = size,
                                         .at = at,
                                         .fields = (size_t)vtable + VTABLE_HEADER_BYTES,
                                         .count = (vtable_bytes - VTABLE_HEADER_BYTES) / 2,
                                         .own_size = own_size};
    return true;
}

bool shf_flatbuffer_root(const uint8_t *data, size_t size, struct shf_flatbuffer_table *out) {
    return size >= 4 && open_table(data, size, shf_load_u32le(data), out);
}

/* Where the value of a field lies; *at 0: the table does not have it. */
static bool find_field(const struct shf_flatbuffer_table *table, unsigned field, size_t bytes, size_t *at) {
    *at = 0;
    if (field >= table->count) return true;
    unsigned offset = load_u16le(table->data + table->fields + (size_t)field * 2);
    if (offset == 0) return true;
    if (!is_within(table->own_size, offset, bytes)) return false;
    *at = table->at + offset;
    return true;
}

bool shf_flatbuffer_number(const struct shf_flatbuffer_table *table, unsigned field, unsigned bytes, uint64_t missing,
                           uint64_t *out) {
    size_t at;
    if (!find_field(table, field, bytes, &at)) return false;
    *out = at ? 0 : missing;
    for (unsigned i = 0; at && i < bytes; i++) *out |= (uint64_t)table->data[at + i] << (8 * i);
    return true;
}

/* A field that says how far on something lies. */
static bool follow(const struct shf_flatbuffer_table *table, unsigned field, size_t *at) {
    if (!find_field(table, field, 4, at)) return false;
    if (*at == 0) return true;
    uint32_t distance = shf_load_u32le(table->data + *at);
    if (distance == 0 || !is_within(table->size, *at, distance)) return false;
    *at += distance;
    return true;
}

bool shf_flatbuffer_child(const struct shf_flatbuffer_table *table, unsigned field, bool *found,
                          struct shf_flatbuffer_table *out) {
    size_t at;
    if (!follow(table, field, &at)) return false;
    *found = at != 0;
    return at == 0 || open_table(table->data, table->size, at, out);
}

bool shf_flatbuffer_vector(const struct shf_flatbuffer_table *table, unsigned field, size_t element_bytes,
                           const uint8_t **out, uint32_t *count) {
    size_t at;
    *out = NULL;
    *count = 0;
    if (!follow(table, field, &at)) return false;
    if (at == 0) return true;
    if (!is_within(table->size, at, 4)) return false;
    uint32_t elements = shf_load_u32le(table->data + at);
    if (elements > (table->size - at - 4) / element_bytes) return false;
    *out = table->data + at + 4;
    *count = elements;
    return true;
}

bool shf_flatbuffer_element(const struct shf_flatbuffer_table *table, unsigned field, uint32_t index,
                            struct shf_flatbuffer_table *out) {
    const uint8_t *offsets;
    uint32_t count;
    if (!shf_flatbuffer_vector(table, field, 4, &offsets, &count) || index >= count) return false;
    size_t at = (size_t)(offsets - table->data) + (size_t)index * 4;
    uint32_t distance = shf_load_u32le(table->data + at);
    return is_within(table->size, at, distance) && open_table(table->data, table->size, at + distance, out);
}
