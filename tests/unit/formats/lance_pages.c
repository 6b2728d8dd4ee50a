#include "lance_pages.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

/* ---- encodings ---- */

struct bytes number(uint32_t field, uint64_t value) {
    struct bytes out = {.size = 0};
    put_number(&out, field, value);
    return out;
}
struct bytes flat(uint64_t bits) {
    struct bytes inner = number(1, bits);
    return wrap(1, &inner);
}
struct bytes variable(void) {
    struct bytes offsets = flat(32), inner = wrap(1, &offsets);
    return wrap(2, &inner);
}
/* KIND{1 number, field encoding} */
struct bytes with(uint32_t kind, uint64_t value, uint32_t field, const struct bytes *encoding) {
    struct bytes inner = number(1, value);
    put_message(&inner, field, encoding);
    return wrap(kind, &inner);
}
struct bytes general(uint64_t scheme) {
    struct bytes compression = number(1, scheme), texts = variable(), inner = wrap(1, &compression);
    put_message(&inner, 3, &texts);
    return wrap(10, &inner);
}
struct bytes fsst(void) {
    uint8_t table[SHF_LANCE_SYMBOLS_BYTES] = {1, 0, 0, 1};
    struct bytes inner = {.size = 0}, texts = variable();
    shf_store_u32le(table + 4, 0x46535354);
    memcpy(table + 8, "abc", 3);
    table[16] = 3;
    put_bytes(&inner, 1, table, sizeof table);
    put_message(&inner, 2, &texts);
    return wrap(6, &inner);
}
struct bytes runs(uint64_t value_bits, uint64_t length_bits) {
    struct bytes values = flat(value_bits), lengths = flat(length_bits), inner = wrap(1, &values);
    put_message(&inner, 2, &lengths);
    return wrap(8, &inner);
}

/* ---- layouts ---- */

/* A mini-block page of 2.2 with one chunk of three rows, the second one null when there are levels. */
void make_mini(struct page_made *page, const struct bytes *levels, const struct bytes *level_bytes,
               const struct bytes *values, const struct bytes *value_bytes) {
    struct bytes layout = {.size = 0}, *chunk = &page->buffers[1];
    *page = (struct page_made){.version = 2, .rows = 3, .buffer_count = 2};
    if (levels) put_message(&layout, 2, levels);
    put_message(&layout, 3, values);
    put_bytes(&layout, 6, levels ? "\3" : "\1", 1);
    put_number(&layout, 7, 1);
    put_number(&layout, 9, 3);
    put_number(&layout, 10, 1);
    page->encoding = wrap(1, &layout);
    put_u16(chunk, levels ? 3 : 0);
    if (levels) put_u16(chunk, (uint16_t)level_bytes->size);
    put_u32(chunk, (uint32_t)value_bytes->size);
    put_pad(chunk, 8);
    if (levels) put(chunk, level_bytes->data, level_bytes->size);
    put_pad(chunk, 8);
    put(chunk, value_bytes->data, value_bytes->size);
    put_pad(chunk, 8);
    put_u32(&page->buffers[0], (uint32_t)(chunk->size / 8 - 1) << 4);
}

struct bytes three_texts(const char *first, const char *second, const char *third) {
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

struct bytes plain_levels(void) {
    struct bytes out = {.size = 0};
    put_u16(&out, 0);
    put_u16(&out, 1);
    put_u16(&out, 0);
    return out;
}

/* A full-zip page; buffers to be filled. */
void make_zip(struct page_made *page, unsigned version, uint64_t rows, uint64_t level_bits, uint64_t value_bits,
              const struct bytes *values) {
    struct bytes layout = {.size = 0};
    *page = (struct page_made){.version = version, .rows = rows, .buffer_count = value_bits ? 1 : 2};
    if (level_bits) put_number(&layout, 2, level_bits);
    put_number(&layout, value_bits ? 3 : 4, value_bits ? value_bits : 32);
    put_number(&layout, 5, rows);
    put_number(&layout, 6, rows);
    put_message(&layout, 7, values);
    put_bytes(&layout, 8, level_bits ? "\3" : "\1", 1);
    page->encoding = wrap(3, &layout);
}

void put_row(struct page_made *page, const char *control, size_t control_size, const void *text, size_t size) {
    if (page->buffers[1].size == 0) put_u64(&page->buffers[1], 0);
    if (control_size) put(&page->buffers[0], control, control_size);
    if (text) put_u32(&page->buffers[0], (uint32_t)size);
    if (text) put(&page->buffers[0], text, size);
    put_u64(&page->buffers[1], page->buffers[0].size);
}

void make_dictionary(struct page_made *page, const struct bytes *dictionary_encoding, const struct bytes *dictionary,
                     uint64_t items, const uint8_t *indices) {
    struct bytes layout = {.size = 0}, value = number(1, 32), values = wrap(5, &value), *chunk = &page->buffers[1];
    *page = (struct page_made){.version = 2, .rows = 3, .buffer_count = 3};
    put_message(&layout, 3, &values);
    put_message(&layout, 4, dictionary_encoding);
    put_number(&layout, 5, items);
    put_bytes(&layout, 6, "\1", 1);
    put_number(&layout, 7, 1);
    put_number(&layout, 9, 3);
    put_number(&layout, 10, 1);
    page->encoding = wrap(1, &layout);
    put_u16(chunk, 0);
    put_u32(chunk, 4 + 2 * 128);
    put_pad(chunk, 8);
    put_u32(chunk, 2); /* bits */
    for (unsigned i = 0; i < 64; i++)
        put_u32(chunk, i < 3 ? indices[i] : 0); /* values 0 to 31 begin the words of the lanes */
    put_pad(chunk, 8);
    put_u32(&page->buffers[0], (uint32_t)(chunk->size / 8 - 1) << 4);
    page->buffers[2] = *dictionary;
}

struct bytes no_nulls(const struct bytes *encoding) {
    struct bytes inner = wrap(1, encoding), choice = wrap(1, &inner);
    return wrap(2, &choice);
}
struct bytes old_flat(uint64_t bits, uint64_t buffer) {
    struct bytes inner = number(1, bits), place = number(1, buffer);
    put_message(&inner, 2, &place);
    struct bytes choice = wrap(1, &inner);
    return no_nulls(&choice);
}

/* ---- reading one ---- */

shf_status open_bytes(struct opened *opened, uint32_t dimension, uint64_t budget_bytes, struct shf_error **error) {
    shf_budget_init(&opened->budget, budget_bytes);
    opened->exact = malloc(opened->bytes.size); /* so that the sanitizer sees a read past the end */
    memcpy(opened->exact, opened->bytes.data, opened->bytes.size);
    opened->column = (struct shf_lance_column){0};
    struct shf_lance_source source = shf_lance_source_of(opened->exact, opened->bytes.size);
    shf_status status = shf_lance_file_open(&opened->file, &source, error);
    opened->file.budget = &opened->budget;
    if (!status) status = shf_lance_column_open(&opened->column, &opened->file, 0, dimension, error);
    if (!status) status = shf_lance_column_prepare(&opened->column, error);
    return status;
}

shf_status open_page(struct opened *opened, const struct page_made *page, uint32_t dimension, struct shf_error **error) {
    make_file(page, &opened->bytes);
    return open_bytes(opened, dimension, UINT64_C(1) << 32, error);
}

void close_page(struct opened *opened) {
    shf_lance_column_close(&opened->column);
    assert_int_equal(opened->budget.used_bytes, 0);
    free(opened->exact);
}
