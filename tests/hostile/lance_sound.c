#include "hostile/lance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- manifests ---- */

static const char *const column_names[LANCE_COLUMNS] = {"id", "vector", "payload"};
static const char *const objects[LANCE_COLUMNS] = {LANCE "data/id.lance", LANCE "data/vector.lance",
                                                   LANCE "data/payload.lance"};

const char *lance_column_name(enum lance_column column) { return objects[column]; }

static void put_field(struct bytes *out, const char *name, uint64_t id, const char *type) {
    struct bytes field = {.size = 0};
    put_number(&field, 1, 2);
    put_string(&field, 2, name);
    put_number(&field, 3, id);
    put_number(&field, 4, UINT64_MAX); /* -1: top level */
    put_string(&field, 5, type);
    put_message(out, 1, &field);
}

static void put_file(struct bytes *out, const struct lance_saying *say, unsigned number, unsigned column) {
    struct bytes file = {.size = 0}, columns = {.size = 0};
    char name[64];
    uint8_t id = (uint8_t)column;
    (void)snprintf(name, sizeof name, "%s.lance", column_names[column]);
    if (say->names_count) (void)snprintf(name, sizeof name, "%s-%u.lance", column_names[column], number);
    if (say->path && column == LANCE_ID) {
        put_bytes(&file, 1, say->path, say->path_size ? say->path_size : strlen(say->path));
    } else {
        put_string(&file, 1, name);
    }
    put_bytes(&file, 2, &id, 1);
    put_varint(&columns, column == LANCE_VECTOR ? say->column : 0);
    put_message(&file, 3, &columns);
    put_number(&file, 4, say->major ? say->major : 2);
    put_number(&file, 5, say->minor ? say->minor : 2);
    if (say->file_size) put_number(&file, 6, say->file_size);
    if (say->has_file_base) put_number(&file, 7, 1);
    put_message(out, 2, &file);
}

static struct bytes fragment_of(const struct lance_saying *say, unsigned number) {
    struct bytes fragment = {.size = 0}, deletions = {.size = 0};
    put_number(&fragment, 1, say->fragment_id + number);
    for (unsigned i = 0; i < LANCE_COLUMNS; i++) {
        if (i == LANCE_VECTOR && say->without_vectors) continue;
        put_file(&fragment, say, number, i);
    }
    if (say->twice) put_file(&fragment, say, number, LANCE_ID);
    if (say->has_deletions) {
        put_number(&deletions, 1, say->deletion_type);
        put_number(&deletions, 2, 5);
        put_number(&deletions, 3, 6);
        if (say->deleted) put_number(&deletions, 4, say->deleted);
        if (say->has_deletion_base) put_number(&deletions, 7, 0);
        put_message(&fragment, 3, &deletions);
    }
    put_number(&fragment, 4, say->rows ? say->rows : LANCE_ROWS);
    if (say->has_row_ids) put_bytes(&fragment, 5, "x", 1);
    struct bytes out = {.size = 0};
    put_message(&out, 2, &fragment);
    return out;
}

static struct bytes header_of(const struct lance_saying *say) {
    struct bytes out = {.size = 0}, format = {.size = 0};
    put_field(&out, say->id_name ? say->id_name : "id", 0, say->id_type ? say->id_type : "string");
    put_field(&out, say->vector_name ? say->vector_name : "vector", 1,
              say->vector_type ? say->vector_type : "fixed_size_list:float:4");
    put_field(&out, "payload", 2, say->payload_type ? say->payload_type : "string");
    put_number(&out, 3, say->version ? say->version : 1);
    put_number(&out, 9, say->reader_flags);
    if (say->has_base) put_bytes(&out, 18, "", 0);
    put_string(&format, 1, say->format ? say->format : "lance");
    put_string(&format, 2, say->data_version ? say->data_version : "2.2");
    if (!say->without_format) put_message(&out, 15, &format);
    return out;
}

uint8_t *lance_manifest(const struct lance_saying *say, size_t *size) {
    struct bytes header = header_of(say), tail = {.size = 0};
    unsigned count = say->fragments ? say->fragments : 1;
    size_t at = 4, room = 4 + header.size + (size_t)count * 400 + 64;
    uint8_t *out = malloc(room);
    memcpy(out + at, header.data, header.size);
    at += header.size;
    for (unsigned i = 0; i < count; i++) {
        struct bytes fragment = fragment_of(say, i);
        if (at + fragment.size + 64 > room) fail_msg("a fragment of %zu bytes", fragment.size);
        memcpy(out + at, fragment.data, fragment.size);
        at += fragment.size;
    }
    put_u32(&tail, (uint32_t)(at - 4));
    memcpy(out, tail.data, 4);
    tail.size = 0;
    put_u64(&tail, 0);
    put_u16(&tail, say->manifest_major);
    put_u16(&tail, say->manifest_minor ? say->manifest_minor : 2);
    put_text(&tail, "LANC");
    memcpy(out + at, tail.data, tail.size);
    *size = at + tail.size;
    return out;
}

void lance_try_manifest(const struct lance_saying *say, enum composite_wish wish, const char *text, const char *name) {
    size_t size;
    uint8_t *bytes = lance_manifest(say, &size);
    composite_try_one(COMPOSITE_VECTORS, wish, text, LANCE_MANIFEST, bytes, size, "manifest: %s", name);
    free(bytes);
}

/* ---- encodings ---- */

static struct bytes number(uint32_t field, uint64_t value) {
    struct bytes out = {.size = 0};
    put_number(&out, field, value);
    return out;
}

struct bytes lance_flat(uint64_t bits) {
    struct bytes inner = number(1, bits);
    return wrap(1, &inner);
}

struct bytes lance_variable(void) {
    struct bytes offsets = lance_flat(32), inner = wrap(1, &offsets);
    return wrap(2, &inner);
}

struct bytes lance_with(uint32_t kind, uint64_t value, uint32_t field, const struct bytes *encoding) {
    struct bytes inner = number(1, value);
    put_message(&inner, field, encoding);
    return wrap(kind, &inner);
}

struct bytes lance_vectors(uint64_t dimension) {
    struct bytes items = lance_flat(32);
    return lance_with(11, dimension, 2, &items);
}

struct bytes lance_general(uint64_t scheme) {
    struct bytes compression = number(1, scheme), texts = lance_variable(), inner = wrap(1, &compression);
    put_message(&inner, 3, &texts);
    return wrap(10, &inner);
}

struct bytes lance_mini_of(const struct bytes *levels, const struct bytes *values, uint64_t rows) {
    struct bytes layout = {.size = 0};
    if (levels) put_message(&layout, 2, levels);
    put_message(&layout, 3, values);
    put_bytes(&layout, 6, levels ? "\3" : "\1", 1);
    put_number(&layout, 7, 1);
    put_number(&layout, 9, rows);
    put_number(&layout, 10, 1);
    return wrap(1, &layout);
}

struct bytes lance_mini(const struct bytes *levels, const struct bytes *values) {
    return lance_mini_of(levels, values, LANCE_ROWS);
}

struct bytes lance_zip_of(uint64_t level_bits, uint64_t value_bits, const struct bytes *values, uint64_t rows) {
    struct bytes layout = {.size = 0};
    if (level_bits) put_number(&layout, 2, level_bits);
    put_number(&layout, value_bits ? 3 : 4, value_bits ? value_bits : 32);
    put_number(&layout, 5, rows);
    put_number(&layout, 6, rows);
    put_message(&layout, 7, values);
    put_bytes(&layout, 8, level_bits ? "\3" : "\1", 1);
    return wrap(3, &layout);
}

struct bytes lance_zip(uint64_t level_bits, uint64_t value_bits, const struct bytes *values) {
    return lance_zip_of(level_bits, value_bits, values, LANCE_ROWS);
}

struct bytes lance_chunk(const struct bytes *levels, const struct bytes *values) {
    struct bytes chunk = {.size = 0};
    put_u16(&chunk, levels ? LANCE_ROWS : 0);
    if (levels) put_u16(&chunk, (uint16_t)levels->size);
    put_u32(&chunk, (uint32_t)values->size);
    put_pad(&chunk, 8);
    if (levels) put(&chunk, levels->data, levels->size);
    put_pad(&chunk, 8);
    put(&chunk, values->data, values->size);
    put_pad(&chunk, 8);
    return chunk;
}

struct bytes lance_words(const struct bytes *chunk) {
    struct bytes out = {.size = 0};
    put_u32(&out, (uint32_t)(chunk->size / 8 - 1) << 4);
    return out;
}

struct bytes lance_texts(const char *first, const char *second, const char *third) {
    struct bytes out = {.size = 0};
    uint32_t at = 16;
    put_u32(&out, at);
    put_u32(&out, at += (uint32_t)strlen(first));
    put_u32(&out, at += (uint32_t)strlen(second));
    put_u32(&out, at + (uint32_t)strlen(third));
    put_text(&out, first);
    put_text(&out, second);
    put_text(&out, third);
    return out;
}

/* ---- files ---- */

static struct bytes page_message(const struct lance_page *page, const uint64_t *places) {
    struct bytes any = {.size = 0}, message = {.size = 0}, offsets = {.size = 0}, sizes = {.size = 0};
    for (unsigned i = 0; i < page->buffer_count; i++) {
        const struct lance_buffer *buffer = &page->buffers[i];
        put_varint(&offsets, buffer->told_offset ? buffer->told_offset : places[i]);
        put_varint(&sizes, buffer->told_size ? buffer->told_size : buffer->size);
    }
    put_string(&any, 1, page->version == 0 ? "/lance.encodings.ArrayEncoding" : "/lance.encodings21.PageLayout");
    put_message(&any, 2, &page->encoding);
    struct bytes direct = wrap(1, &any), encoding = wrap(2, &direct);
    put_message(&message, 1, &offsets);
    put_message(&message, 2, &sizes);
    put_number(&message, 3, page->rows);
    put_message(&message, 4, &encoding);
    struct bytes out = {.size = 0};
    put_message(&out, 2, &message);
    return out;
}

uint8_t *lance_file(const struct lance_page *page, size_t *size) {
    uint64_t places[4] = {0};
    size_t total = 0, times = page->times ? page->times : 1;
    for (unsigned i = 0; i < page->buffer_count; i++) {
        places[i] = total;
        total += page->buffers[i].size;
    }
    struct bytes message = page_message(page, places), end = {.size = 0}, descriptor = {.size = 0};
    put_number(&descriptor, 2, page->file_rows ? page->file_rows : page->rows);
    uint8_t *out = malloc(total + descriptor.size + times * message.size + 128);
    for (unsigned i = 0; i < page->buffer_count; i++) {
        if (page->buffers[i].size) memcpy(out + places[i], page->buffers[i].data, page->buffers[i].size);
    }
    uint64_t descriptor_at = total, metadata = total + descriptor.size, tables = metadata + times * message.size;
    memcpy(out + total, descriptor.data, descriptor.size);
    for (size_t i = 0; i < times; i++) memcpy(out + metadata + i * message.size, message.data, message.size);
    put_u64(&end, metadata);
    put_u64(&end, tables - metadata);
    put_u64(&end, descriptor_at);
    put_u64(&end, descriptor.size);
    put_u64(&end, metadata);
    put_u64(&end, tables);
    put_u64(&end, tables + 16);
    put_u32(&end, 1);
    put_u32(&end, 1);
    put_u16(&end, page->version == 0 ? 0 : 2);
    put_u16(&end, page->version == 0 ? 3 : (uint16_t)page->version);
    put_text(&end, "LANC");
    memcpy(out + tables, end.data, end.size);
    *size = (size_t)tables + end.size;
    return out;
}

void lance_try_page(enum lance_column column, const struct lance_page *page, enum composite_wish wish, const char *text,
                    const char *name) {
    size_t size;
    uint8_t *bytes = lance_file(page, &size);
    composite_try_one(COMPOSITE_VECTORS, wish, text, objects[column], bytes, size, "%s: %s", column_names[column], name);
    free(bytes);
}

static void put_column(enum lance_column column, const struct bytes *values, const struct bytes *encoding) {
    struct bytes chunk = lance_chunk(NULL, values), words = lance_words(&chunk);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    size_t size;
    page.encoding = lance_mini(NULL, encoding);
    page.buffers[0] = (struct lance_buffer){.data = words.data, .size = words.size};
    page.buffers[1] = (struct lance_buffer){.data = chunk.data, .size = chunk.size};
    uint8_t *bytes = lance_file(&page, &size);
    composite_put(objects[column], bytes, size);
    free(bytes);
}

void lance_make_sound(void) {
    static const float numbers[LANCE_ROWS][LANCE_DIMENSION] = {{1, 2, 3, 4}, {0, -1, 0.5f, 2}, {9, 9, 9, 9}};
    const struct lance_saying nothing = {0};
    struct bytes vectors = {.size = 0}, encoding = lance_vectors(LANCE_DIMENSION);
    size_t size;
    put(&vectors, numbers, sizeof numbers);
    put_column(LANCE_VECTOR, &vectors, &encoding);
    encoding = lance_variable();
    struct bytes texts = lance_texts("first", "second", "third");
    put_column(LANCE_ID, &texts, &encoding);
    texts = lance_texts("{\"n\": 1}", "{}", "{\"n\": 3}");
    put_column(LANCE_PAYLOAD, &texts, &encoding);
    uint8_t *bytes = lance_manifest(&nothing, &size);
    composite_put(LANCE_MANIFEST, bytes, size);
    free(bytes);
}
