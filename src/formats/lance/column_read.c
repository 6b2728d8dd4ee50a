/* Finding the page of a row, and reading from it. */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/lance/column_priv.h"
#include "formats/lance/memory_priv.h"
#include "formats/zstd_frame.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors are copied as the little-endian floats they are");

/* The page that has the row, which exists. */
static const struct shf_lance_page *page_of(const struct shf_lance_column *column, uint64_t row) {
    size_t low = 0, high = column->page_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (column->pages[middle].first_row <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &column->pages[low];
}

/* ---- vectors ---- */

static shf_status plain_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                                uint64_t count, float *out, struct shf_error **error) {
    uint64_t row_bytes = (uint64_t)column->dimension * sizeof(float);
    const uint8_t *bytes;
    shf_status status =
        shf_lance_page_bytes(column, page, page->values_buffer, row * row_bytes, count * row_bytes, &bytes, error);
    if (!status) memcpy(out, bytes, (size_t)(count * row_bytes));
    return status;
}

/* Full-zip with a byte of level before each vector. */
static shf_status zipped_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                                 uint64_t count, float *out, struct shf_error **error) {
    uint64_t row_bytes = (uint64_t)column->dimension * sizeof(float), stride = row_bytes + 1;
    const uint8_t *bytes;
    shf_status status = shf_lance_page_bytes(column, page, 0, row * stride, count * stride, &bytes, error);
    for (uint64_t i = 0; !status && i < count; i++, bytes += stride, out += column->dimension) {
        bool is_null;
        status = shf_lance_level_at(&page->levels, bytes, 1, 1, 0, &is_null, error);
        if (!status && is_null) {
            status = shf_error_set(error, SHF_E_INDEX, "row %" PRIu64 " has no vector", page->first_row + row + i);
        }
        if (!status) memcpy(out, bytes + 1, (size_t)row_bytes);
    }
    return status;
}

static shf_status page_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                               uint64_t count, float *out, struct shf_error **error) {
    if (page->shape == SHF_LANCE_MINI_BLOCK) {
        return shf_lance_mini_block_vectors(column, page, row, count, out, error);
    }
    if (page->shape == SHF_LANCE_FULL_ZIP && page->levels.coding != SHF_LANCE_NO_LEVELS) {
        return zipped_vectors(column, page, row, count, out, error);
    }
    return plain_vectors(column, page, row, count, out, error); /* values_buffer is 0 in a full-zip page */
}

shf_status shf_lance_column_vectors(const struct shf_lance_column *column, uint64_t first, uint64_t count, float *out,
                                    struct shf_error **error) {
    assert(column->dimension > 0 && first <= column->file->rows && count <= column->file->rows - first);
    if (count == 0) return SHF_OK;
    for (const struct shf_lance_page *page = page_of(column, first); count > 0; page++) { /* the rows exist */
        uint64_t row = first - page->first_row, part = page->rows - row;
        if (part > count) part = count;
        shf_status status = page_vectors(column, page, row, part, out, error);
        if (status) {
            shf_lance_page_prefix(column, page, error);
            return status;
        }
        out += part * column->dimension;
        first += part;
        count -= part;
    }
    return SHF_OK;
}

/* ---- texts ---- */

static const char unpacked_text[] = "unpacking a text of a Lance page";

static void free_room(struct shf_lance_text *text) {
    shf_free(text->room);
    shf_lance_memory_give(text->budget, text->room_size);
    text->room = NULL;
    text->room_size = 0;
}

static shf_status make_room(struct shf_lance_text *text, uint64_t size, struct shf_error **error) {
    void *room = NULL;
    uint64_t charged = 0;
    if (size <= text->room_size) return SHF_OK;
    free_room(text);
    shf_status status = shf_lance_memory_zero(text->budget, (size_t)size, 1, unpacked_text, &room, &charged, error);
    text->room = room;
    text->room_size = (size_t)charged;
    return status;
}

static uint64_t most_bytes(const struct shf_lance_text *text, const struct shf_lance_page *page) {
    uint64_t limit = page->packing == SHF_LANCE_NOT_PACKED ? SHF_LIMIT_VALUE_BYTES : SHF_LIMIT_LANCE_TEXT_BYTES;
    return text->max_bytes && text->max_bytes < limit ? text->max_bytes : limit;
}

static shf_status refuse_size(struct shf_lance_text *text, const char *what, uint64_t size, uint64_t most,
                              struct shf_error **error) {
    text->is_too_large = true;
    return shf_error_set(error, SHF_E_LIMIT, "%s %" PRIu64 " bytes; at most %" PRIu64 " are read", what, size, most);
}

static shf_status unpack_fsst(const struct shf_lance_page *page, const uint8_t *data, uint64_t size,
                              struct shf_lance_text *text, struct shf_error **error) {
    if (shf_lance_symbols_are_off(page->symbols)) {
        text->data = data;
        text->size = (size_t)size;
        return SHF_OK;
    }
    uint64_t most = most_bytes(text, page);
    if (size / 2 > most) return refuse_size(text, "a text of more than", size / 2, most, error); /* escapes are two */
    if (size > SHF_LIMIT_LANCE_TEXT_BYTES / SHF_LANCE_SYMBOL_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "a text of %" PRIu64 " bytes of FSST codes; at most %u are read", size,
                             SHF_LIMIT_LANCE_TEXT_BYTES / SHF_LANCE_SYMBOL_BYTES);
    }
    shf_status status = make_room(text, size * SHF_LANCE_SYMBOL_BYTES, error);
    if (status) return status;
    text->data = text->room ? text->room : data;
    if (shf_lance_symbols_decode(page->symbols, data, (size_t)size, text->room, &text->size)) return SHF_OK;
    return shf_lance_page_bad(error, "a text is no FSST code");
}

/* u64 size, then a zstd frame. */
static shf_status unpack_zstd(const uint8_t *data, uint64_t size, uint64_t most, struct shf_lance_text *text,
                              struct shf_error **error) {
    uint8_t *content = NULL;
    if (size < 8) return shf_lance_page_bad(error, "a compressed text is too short");
    uint64_t content_size = shf_load_u64le(data);
    if (shf_load_u32le(data) == UINT32_C(0xfd2fb528)) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "zstd frames without their size before them are not read");
    }
    if (content_size > most) return refuse_size(text, "a text declares to have", content_size, most, error);
    free_room(text);
    shf_status status = shf_lance_memory_take(text->budget, content_size, unpacked_text, error);
    if (status) return status;
    status = shf_zstd_value_unpack(data + 8, (size_t)(size - 8), content_size, &content, error);
    if (status) {
        shf_lance_memory_give(text->budget, content_size);
        return status;
    }
    text->data = text->room = content;
    text->size = text->room_size = (size_t)content_size;
    return SHF_OK;
}

shf_status shf_lance_text_set(const struct shf_lance_page *page, const uint8_t *data, uint64_t size,
                              struct shf_lance_text *text, struct shf_error **error) {
    shf_status status = SHF_OK;
    uint64_t most = most_bytes(text, page),
             most_stored = page->packing == SHF_LANCE_NOT_PACKED ? most : SHF_LIMIT_VALUE_BYTES;
    if (size > most_stored) return refuse_size(text, "a text of", size, most_stored, error);
    text->data = data;
    text->size = (size_t)size;
    if (page->packing == SHF_LANCE_FSST) status = unpack_fsst(page, data, size, text, error);
    if (page->packing == SHF_LANCE_ZSTD) status = unpack_zstd(data, size, most, text, error);
    if (status) return status;
    if (text->size > most) return refuse_size(text, "a text of", text->size, most, error);
    return shf_utf8_valid(text->data, text->size) ? SHF_OK : shf_lance_page_bad(error, "a text is not UTF-8");
}

static shf_status page_text(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                            struct shf_lance_text *text, struct shf_error **error) {
    switch (page->shape) {
    case SHF_LANCE_BINARY:
    case SHF_LANCE_DICTIONARY: return shf_lance_binary_text(column, page, row, text, error);
    case SHF_LANCE_MINI_BLOCK: return shf_lance_mini_block_text(column, page, row, text, error);
    case SHF_LANCE_FULL_ZIP: return shf_lance_full_zip_text(column, page, row, text, error);
    case SHF_LANCE_CONSTANT: return shf_lance_constant_text(column, page, row, text, error);
    case SHF_LANCE_PLAIN: break; /* vectors */
    }
    return shf_error_set(error, SHF_E_INTERNAL, "a column of vectors was asked for texts");
}

shf_status shf_lance_column_text(const struct shf_lance_column *column, uint64_t row, struct shf_lance_text *text,
                                 struct shf_error **error) {
    assert(column->dimension == 0 && row < column->file->rows);
    const struct shf_lance_page *page = page_of(column, row);
    if (!text->room) text->budget = column->file->budget;
    text->is_null = text->is_too_large = false;
    text->data = (const uint8_t *)"";
    text->size = 0;
    shf_status status = page_text(column, page, row - page->first_row, text, error);
    if (status && error) {
        shf_error_prefix(error, "row %" PRIu64, row);
        shf_lance_page_prefix(column, page, error);
    }
    return status;
}

void shf_lance_text_free(struct shf_lance_text *text) {
    free_room(text);
    shf_free(text->level_bits);
    *text = (struct shf_lance_text){.max_bytes = text->max_bytes};
}
