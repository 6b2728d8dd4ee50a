/*
 * Full-zip and constant pages of texts. Full-zip: buffer 0 has the rows back to back, [byte of level] then, unless null, u32
 * length and the text; buffer 1 has the offset of each, and the end, in as many bytes as its size says.
 */
#include "formats/lance/column_priv.h"

#include <inttypes.h>

static uint64_t load_offset(const uint8_t *offsets, uint64_t width, uint64_t index) {
    uint64_t offset = 0;
    for (uint64_t i = 0; i < width; i++) offset |= (uint64_t)offsets[index * width + i] << (8 * i);
    return offset;
}

static shf_status row_range(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                            uint64_t *start, uint64_t *end, struct shf_error **error) {
    uint64_t size = page->buffers[1].size, width = size / (page->rows + 1);
    const uint8_t *offsets;
    if (width * (page->rows + 1) != size) return shf_lance_page_bad(error, "it has not as many offsets as rows");
    if (width != 1 && width != 2 && width != 4 && width != 8) {
        return shf_error_set(error, SHF_E_CORRUPT, "its offsets have %" PRIu64 " bytes each", width);
    }
    shf_status status = shf_lance_page_bytes(column, page, 1, row * width, 2 * width, &offsets, error);
    if (status) return status;
    *start = load_offset(offsets, width, 0);
    *end = load_offset(offsets, width, 1);
    return *start <= *end ? SHF_OK : shf_lance_page_bad(error, "a text ends before it begins");
}

shf_status shf_lance_full_zip_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                   uint64_t row, struct shf_lance_text *text, struct shf_error **error) {
    uint64_t start = 0, end = 0;
    const uint8_t *bytes;
    uint32_t length;
    shf_status status = row_range(column, page, row, &start, &end, error);
    if (!status) status = shf_lance_page_bytes(column, page, 0, start, end - start, &bytes, error);
    if (status) return status;
    struct shf_cursor c = shf_cursor_of(bytes, (size_t)(end - start));
    if (page->levels.coding != SHF_LANCE_NO_LEVELS) {
        status = shf_lance_level_at(&page->levels, c.at, c.left, 1, 0, &text->is_null, error);
        if (status) return status;
        (void)shf_cursor_skip(&c, 1); /* its level was there */
        if (text->is_null) return c.left == 0 ? SHF_OK : shf_lance_page_bad(error, "a null has a text");
    }
    if (!shf_cursor_u32le(&c, &length) || length != c.left) {
        return shf_lance_page_bad(error, "a text has not the length that stands before it");
    }
    return shf_lance_text_set(page, c.at, length, text, error);
}

/* The value of a constant page: u32 number of buffers, u32 size of each; offsets {0, n} of 32 bits, n bytes. */
static shf_status constant_value(const uint8_t *bytes, uint64_t size, const uint8_t **out, uint64_t *out_size,
                                 struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(bytes, (size_t)size);
    uint32_t buffers, offset_bytes, text_bytes, first, last;
    if (!shf_cursor_u32le(&c, &buffers) || buffers != 2 || !shf_cursor_u32le(&c, &offset_bytes) || offset_bytes != 8 ||
        !shf_cursor_u32le(&c, &text_bytes) || !shf_cursor_u32le(&c, &first) || !shf_cursor_u32le(&c, &last)) {
        return shf_lance_page_bad(error, "its value is no text");
    }
    if (first != 0 || last != text_bytes || text_bytes > c.left) {
        return shf_lance_page_bad(error, "its value has another size than it says");
    }
    *out = c.at;
    *out_size = text_bytes;
    return SHF_OK;
}

/* Room for a bit a row is there only after the runs are long enough for all rows: at most 255 rows for 3 bytes. */
shf_status shf_lance_constant_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                      struct shf_error **error) {
    const uint8_t *bytes;
    uint64_t size, bits_size = page->rows / 8 + 1;
    void *bits;
    if (page->null_bits) return SHF_OK;
    shf_status status = shf_lance_page_buffer(column, page, 2, &bytes, &size, error);
    if (status) return status;
    if (page->rows / UINT8_MAX > size) return shf_lance_page_bad(error, "its definition levels are cut");
    status = shf_lance_column_alloc(column, (size_t)bits_size, 1, "the nulls of a Lance page", &bits, error);
    if (status) return status;
    status = shf_lance_level_bits(bytes, size, page->rows, bits, error);
    if (status) {
        shf_lance_column_free(column, bits, bits_size);
        return status;
    }
    page->null_bits = bits;
    return SHF_OK;
}

shf_status shf_lance_constant_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                   uint64_t row, struct shf_lance_text *text, struct shf_error **error) {
    const uint8_t *bytes;
    uint64_t size;
    text->is_null = !page->has_value;
    if (text->is_null) return SHF_OK;
    if (page->levels.coding == SHF_LANCE_LEVELS_RUNS) {
        if (!page->null_bits) return shf_error_set(error, SHF_E_INTERNAL, "it was not prepared");
        text->is_null = page->null_bits[row >> 3] >> (row & 7) & 1;
        if (text->is_null) return SHF_OK;
    } else if (page->levels.coding != SHF_LANCE_NO_LEVELS) {
        shf_status status = shf_lance_page_buffer(column, page, 2, &bytes, &size, error);
        if (!status) {
            status = shf_lance_level_at(&page->levels, bytes, size, page->rows, row, &text->is_null, error);
        }
        if (status || text->is_null) return status;
    }
    shf_status status = shf_lance_page_buffer(column, page, 0, &bytes, &size, error);
    if (!status) status = constant_value(bytes, size, &bytes, &size, error);
    return status ? status : shf_lance_text_set(page, bytes, size, text, error);
}
