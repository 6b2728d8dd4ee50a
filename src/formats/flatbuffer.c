#include "formats/flatbuffer.h"

#include "base/cursor.h"

#include <inttypes.h>

struct shf_flat shf_flat_of(const uint8_t *data, size_t size) {
    struct shf_flat flat = {.data = data, .size = size};
    return flat;
}

shf_status shf_flat_status(const struct shf_flat *flat, const char *what, uint64_t base, struct shf_error **error) {
    if (!flat->failure) return SHF_OK;
    return shf_error_set(error, SHF_E_CORRUPT, "%s: offset %" PRIu64 ": %s", what, base + flat->failed_at, flat->failure);
}

static bool fail(struct shf_flat *flat, size_t at, const char *failure) {
    if (!flat->failure) {
        flat->failure = failure;
        flat->failed_at = at;
    }
    return false;
}

static bool has_bytes(const struct shf_flat *flat, size_t at, size_t size) {
    return at <= flat->size && size <= flat->size - at;
}

static uint16_t load_u16le(const uint8_t *p) { return (uint16_t)(p[0] | (unsigned)p[1] << 8); }

static bool open_table(struct shf_flat *flat, size_t at, struct shf_flat_table *out) {
    if (!has_bytes(flat, at, 4)) return fail(flat, at, "a table lies beyond the end");
    int64_t vtable = (int64_t)at - (int32_t)shf_load_u32le(flat->data + at);
    if (vtable < 0 || !has_bytes(flat, (size_t)vtable, 4)) return fail(flat, at, "a table's vtable lies outside");
    struct shf_flat_table table = {.flat = flat, .at = at, .vtable = (size_t)vtable};
    table.vtable_size = load_u16le(flat->data + vtable);
    table.table_size = load_u16le(flat->data + vtable + 2);
    if (table.vtable_size < 4 || table.vtable_size % 2 || !has_bytes(flat, (size_t)vtable, table.vtable_size)) {
        return fail(flat, (size_t)vtable, "the size of a vtable is wrong");
    }
    if (table.table_size < 4 || !has_bytes(flat, at, table.table_size)) {
        return fail(flat, at, "a table ends beyond the end");
    }
    *out = table;
    return true;
}

/* Place of a field of `width` bytes; false where it is absent. */
static bool find_field(const struct shf_flat_table *table, unsigned slot, unsigned width, size_t *out) {
    if (!table->flat || table->flat->failure || 4 + 2 * slot + 2 > table->vtable_size) return false;
    uint16_t offset = load_u16le(table->flat->data + table->vtable + 4 + (size_t)2 * slot);
    if (offset == 0) return false;
    if (offset < 4 || offset + width > table->table_size) {
        return fail(table->flat, table->at, "a field lies outside of its table");
    }
    *out = table->at + offset;
    return true;
}

/* Where the offset at `at` leads. */
static size_t follow(const struct shf_flat *flat, size_t at) { return at + shf_load_u32le(flat->data + at); }

bool shf_flat_root(struct shf_flat *flat, struct shf_flat_table *out) {
    *out = (struct shf_flat_table){0};
    if (flat->failure) return false;
    if (flat->size > UINT32_MAX || !has_bytes(flat, 0, 4)) return fail(flat, 0, "there is no root table");
    return open_table(flat, follow(flat, 0), out);
}

bool shf_flat_table(const struct shf_flat_table *table, unsigned slot, struct shf_flat_table *out) {
    size_t at;
    *out = (struct shf_flat_table){0};
    return find_field(table, slot, 4, &at) && open_table(table->flat, follow(table->flat, at), out);
}

static bool open_vector(const struct shf_flat_table *table, unsigned slot, size_t element_size,
                        struct shf_flat_vector *out) {
    size_t field;
    *out = (struct shf_flat_vector){0};
    if (!find_field(table, slot, 4, &field)) return false;
    struct shf_flat *flat = table->flat;
    size_t at = follow(flat, field);
    if (!has_bytes(flat, at, 4)) return fail(flat, field, "a vector lies beyond the end");
    uint32_t count = shf_load_u32le(flat->data + at);
    if (count > (flat->size - at - 4) / element_size) return fail(flat, at, "a vector ends beyond the end");
    *out = (struct shf_flat_vector){flat, at + 4, count};
    return true;
}

bool shf_flat_structs(const struct shf_flat_table *table, unsigned slot, size_t struct_bytes, const uint8_t **out,
                      uint32_t *count) {
    struct shf_flat_vector vector;
    bool is_there = open_vector(table, slot, struct_bytes, &vector);
    *out = is_there ? vector.flat->data + vector.at : NULL;
    *count = vector.count;
    return is_there;
}

bool shf_flat_bytes(const struct shf_flat_table *table, unsigned slot, const uint8_t **out, size_t *size) {
    uint32_t count;
    bool is_there = shf_flat_structs(table, slot, 1, out, &count);
    *size = count;
    return is_there;
}

bool shf_flat_tables(const struct shf_flat_table *table, unsigned slot, struct shf_flat_vector *out) {
    return open_vector(table, slot, 4, out);
}

bool shf_flat_table_at(const struct shf_flat_vector *vector, uint32_t index, struct shf_flat_table *out) {
    *out = (struct shf_flat_table){0};
    if (index >= vector->count || vector->flat->failure) return false;
    return open_table(vector->flat, follow(vector->flat, vector->at + (size_t)4 * index), out);
}

bool shf_flat_has(const struct shf_flat_table *table, unsigned slot) {
    size_t at;
    return find_field(table, slot, 1, &at);
}

uint64_t shf_flat_u64(const struct shf_flat_table *table, unsigned slot) {
    size_t at;
    return find_field(table, slot, 8, &at) ? shf_load_u64le(table->flat->data + at) : 0;
}

uint32_t shf_flat_u32(const struct shf_flat_table *table, unsigned slot) {
    size_t at;
    return find_field(table, slot, 4, &at) ? shf_load_u32le(table->flat->data + at) : 0;
}

uint16_t shf_flat_u16(const struct shf_flat_table *table, unsigned slot, uint16_t when_absent) {
    size_t at;
    return find_field(table, slot, 2, &at) ? load_u16le(table->flat->data + at) : when_absent;
}

uint8_t shf_flat_u8(const struct shf_flat_table *table, unsigned slot) {
    size_t at;
    return find_field(table, slot, 1, &at) ? table->flat->data[at] : 0;
}
