/* The metadata of a column: its pages, where their buffers lie, how they are encoded. */
#include "formats/lance/column.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "formats/lance/column_priv.h"
#include "formats/lance/memory_priv.h"

#include <inttypes.h>
#include <string.h>

enum { COLUMN_ENCODING = 1, COLUMN_PAGE = 2 };
enum { PAGE_OFFSETS = 1, PAGE_SIZES = 2, PAGE_ROWS = 3, PAGE_ENCODING = 4 };
enum { ENCODING_INDIRECT = 1, ENCODING_DIRECT = 2 };
enum { COLUMN_VALUES = 1 };

shf_status shf_lance_page_bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s", what);
}

void shf_lance_page_prefix(const struct shf_lance_column *column, const struct shf_lance_page *page,
                           struct shf_error **error) {
    if (!error) return;
    shf_error_prefix(error,
                     "column %" PRIu32 ", page of %" PRIu64 " rows from %" PRIu64 " (bytes from offset %" PRIu64 ")",
                     column->number, page->rows, page->first_row, page->buffer_count ? page->buffers[0].offset : 0);
}

/* ---- encodings ---- */

shf_status shf_lance_choice(struct shf_protobuf message, uint32_t *kind, struct shf_protobuf *body,
                            struct shf_error **error) {
    struct shf_protobuf_field field;
    *kind = 0;
    *body = (struct shf_protobuf){0};
    while (shf_protobuf_next(&message, &field)) {
        *kind = field.number;
        *body = shf_protobuf_message(&message, &field);
    }
    return message.is_bad ? shf_lance_page_bad(error, "its encoding is malformed") : SHF_OK;
}

shf_status shf_lance_refuse_encoding(struct shf_error **error, const char *where, const char *const *names,
                                     size_t count, uint32_t kind) {
    if (kind < count) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "the encoding \"%s\" %s is not read", names[kind], where);
    }
    return shf_error_set(error, SHF_E_UNSUPPORTED, "the encoding number %" PRIu32 " %s is not read", kind, where);
}

/* Encoding{direct{Any{type_url, value}}}: the value, when it has this type. */
static shf_status open_encoding(struct shf_protobuf message, const char *type, struct shf_protobuf *out,
                                struct shf_error **error) {
    struct shf_protobuf_field field;
    struct shf_protobuf direct, any;
    struct shf_cursor url = {0};
    uint32_t kind;
    shf_status status = shf_lance_choice(message, &kind, &direct, error);
    if (status) return status;
    if (kind != ENCODING_DIRECT) {
        return shf_error_set(error, SHF_E_UNSUPPORTED, "%s is not read",
                             kind == ENCODING_INDIRECT ? "an encoding that lies elsewhere in the file"
                                                       : "a page without an encoding");
    }
    status = shf_lance_choice(direct, &kind, &any, error);
    if (status) return status;
    *out = (struct shf_protobuf){0};
    while (shf_protobuf_next(&any, &field)) {
        if (field.number == 1) url = shf_protobuf_bytes(&any, &field);
        if (field.number == 2) *out = shf_protobuf_message(&any, &field);
    }
    if (any.is_bad) return shf_lance_page_bad(error, "its encoding is malformed");
    if (shf_protobuf_is_text(url, type)) return SHF_OK;
    return shf_error_set(error, SHF_E_UNSUPPORTED, "its encoding is not of the type %s, the only one that is read here",
                         type);
}

static shf_status check_column_encoding(struct shf_protobuf message, struct shf_error **error) {
    static const char *const names[] = {"nothing", "values", "zone index", "blob"};
    struct shf_protobuf encoding, body;
    uint32_t kind;
    shf_status status = open_encoding(message, "/lance.encodings.ColumnEncoding", &encoding, error);
    if (!status) status = shf_lance_choice(encoding, &kind, &body, error);
    if (status) return status;
    if (kind == COLUMN_VALUES) return SHF_OK;
    return shf_lance_refuse_encoding(error, "of a column", names, sizeof names / sizeof names[0], kind);
}

/* ---- pages ---- */

struct page_message {
    struct shf_protobuf message, encoding;
    struct shf_protobuf_field offsets, sizes;
    bool has_encoding;
};

static shf_status read_buffers(const struct shf_lance_file *file, struct page_message *parts,
                               struct shf_lance_page *page, uint64_t *bytes, struct shf_error **error) {
    struct shf_protobuf_list offsets = {0}, sizes = {0};
    uint64_t offset, size;
    for (;;) { /* bounded by SHF_LANCE_PAGE_BUFFERS */
        bool has_offset = shf_protobuf_list_next(&parts->message, &parts->offsets, &offsets, &offset);
        bool has_size = shf_protobuf_list_next(&parts->message, &parts->sizes, &sizes, &size);
        if (parts->message.is_bad) return shf_lance_page_bad(error, "the list of its buffers is malformed");
        if (has_offset != has_size) return shf_lance_page_bad(error, "it has not as many sizes as buffers");
        if (!has_offset) return SHF_OK;
        if (page->buffer_count == SHF_LANCE_PAGE_BUFFERS) {
            return shf_error_set(error, SHF_E_UNSUPPORTED, "pages of more than %u buffers are not read",
                                 SHF_LANCE_PAGE_BUFFERS);
        }
        if (offset > file->source.size || size > file->source.size - offset) {
            return shf_error_set(error, SHF_E_CORRUPT,
                                 "its buffer of %" PRIu64 " bytes at offset %" PRIu64 " is not within the file", size,
                                 offset);
        }
        page->buffers[page->buffer_count++] = (struct shf_lance_range){offset, size};
        *bytes += size;
        if (*bytes > file->source.size) { /* buffers that are shared could multiply the file */
            return shf_lance_page_bad(error, "the buffers of the column are larger than the file");
        }
    }
}

static shf_status parse_page(const struct shf_lance_column *column, struct shf_protobuf message,
                             struct shf_lance_page *page, uint64_t *bytes, struct shf_error **error) {
    struct page_message parts = {.message = message};
    struct shf_protobuf_field field;
    struct shf_protobuf encoding;
    bool is_2_0 = column->file->footer.version == SHF_LANCE_2_0;
    parts.offsets.type = parts.sizes.type = SHF_PROTOBUF_BYTES;
    while (shf_protobuf_next(&parts.message, &field)) {
        switch (field.number) {
        case PAGE_OFFSETS: parts.offsets = field; break;
        case PAGE_SIZES: parts.sizes = field; break;
        case PAGE_ROWS: page->rows = shf_protobuf_number(&parts.message, &field); break;
        case PAGE_ENCODING: parts.encoding = shf_protobuf_message(&parts.message, &field); break;
        default: break;
        }
    }
    if (parts.message.is_bad) return shf_lance_page_bad(error, "its message is malformed");
    if (page->rows == 0 || page->rows > column->file->rows - page->first_row) {
        return shf_lance_page_bad(error, "its number of rows is not what is left of the file's");
    }
    shf_status status = read_buffers(column->file, &parts, page, bytes, error);
    if (status) return status;
    status = open_encoding(parts.encoding, is_2_0 ? "/lance.encodings.ArrayEncoding" : "/lance.encodings21.PageLayout",
                           &encoding, error);
    if (status) return status;
    return is_2_0 ? shf_lance_encoding_2_0(column->dimension, encoding, page, error)
                  : shf_lance_encoding_2_1(column->dimension, encoding, page, error);
}

static shf_status count_pages(struct shf_lance_column *column, struct shf_protobuf message, struct shf_error **error) {
    struct shf_protobuf_field field;
    shf_status status = SHF_OK;
    while (!status && shf_protobuf_next(&message, &field)) {
        if (field.number == COLUMN_PAGE) column->page_count++;
        if (field.number != COLUMN_ENCODING) continue;
        status = check_column_encoding(shf_protobuf_message(&message, &field), error);
    }
    if (!status && message.is_bad) return shf_lance_page_bad(error, "its metadata is malformed");
    if (!status && column->page_count > SHF_LIMIT_LANCE_PAGES) {
        return shf_error_set(error, SHF_E_LIMIT, "it has %zu pages; at most %u are read", column->page_count,
                             SHF_LIMIT_LANCE_PAGES);
    }
    return status;
}

static shf_status parse_pages(struct shf_lance_column *column, struct shf_protobuf message, struct shf_error **error) {
    struct shf_protobuf_field field;
    uint64_t rows = 0, bytes = 0;
    size_t at = 0;
    while (at < column->page_count && shf_protobuf_next(&message, &field)) {
        if (field.number != COLUMN_PAGE) continue;
        struct shf_lance_page *page = &column->pages[at++];
        page->first_row = rows;
        shf_status status = parse_page(column, shf_protobuf_message(&message, &field), page, &bytes, error);
        if (status) {
            if (error) shf_error_prefix(error, "page %zu", at - 1);
            return status;
        }
        rows += page->rows;
    }
    if (rows != column->file->rows) {
        return shf_error_set(error, SHF_E_CORRUPT, "its pages have %" PRIu64 " rows, the file has %" PRIu64, rows,
                             column->file->rows);
    }
    return SHF_OK;
}

shf_status shf_lance_column_open(struct shf_lance_column *column, const struct shf_lance_file *file, uint32_t number,
                                 uint32_t dimension, struct shf_error **error) {
    struct shf_lance_column opened = {.file = file, .number = number, .dimension = dimension};
    const uint8_t *data;
    size_t size;
    void *pages = NULL;
    shf_status status = shf_lance_file_column(file, number, &data, &size, error);
    if (status) return status;
    struct shf_protobuf message = shf_protobuf_of(data, size);
    status = count_pages(&opened, message, error);
    if (!status) {
        status = shf_lance_column_alloc(&opened, opened.page_count, sizeof *opened.pages, "the pages of a Lance column",
                                        &pages, error);
    }
    opened.pages = pages;
    if (!status) status = parse_pages(&opened, message, error);
    if (status) {
        if (error) shf_error_prefix(error, "Lance file: column %" PRIu32, number);
        shf_lance_column_close(&opened);
        return status;
    }
    *column = opened;
    return SHF_OK;
}

void shf_lance_column_close(struct shf_lance_column *column) {
    for (size_t i = 0; column->pages && i < column->page_count; i++) {
        shf_free(column->pages[i].chunks);
        shf_free(column->pages[i].null_bits);
        shf_free(column->pages[i].unpacked_dictionary);
    }
    shf_free(column->pages);
    if (column->file) shf_lance_memory_give(column->file->budget, column->charged_bytes);
    *column = (struct shf_lance_column){0};
}

shf_status shf_lance_column_alloc(struct shf_lance_column *column, size_t count, size_t size, const char *what,
                                  void **out, struct shf_error **error) {
    return shf_lance_memory_zero(column->file->budget, count, size, what, out, &column->charged_bytes, error);
}

void shf_lance_column_free(struct shf_lance_column *column, void *memory, uint64_t bytes) {
    if (memory) shf_lance_memory_free(column->file->budget, memory, bytes, &column->charged_bytes);
}

/* ---- preparing ---- */

static bool has_null_bits(const struct shf_lance_page *page) {
    return page->shape == SHF_LANCE_CONSTANT && page->levels.coding == SHF_LANCE_LEVELS_RUNS;
}

shf_status shf_lance_column_prepare(struct shf_lance_column *column, struct shf_error **error) {
    uint64_t unpacked = 0;
    for (size_t i = 0; i < column->page_count; i++) {
        struct shf_lance_page *page = &column->pages[i];
        shf_status status = SHF_OK;
        if (page->shape == SHF_LANCE_MINI_BLOCK) status = shf_lance_mini_block_prepare(column, page, error);
        if (has_null_bits(page)) status = shf_lance_constant_prepare(column, page, error);
        if (!status && page->has_dictionary) status = shf_lance_dictionary_prepare(column, page, &unpacked, error);
        if (!status) continue;
        shf_lance_page_prefix(column, page, error);
        return status;
    }
    return SHF_OK;
}

/* Which buffers preparing reads: the words of a mini-block's chunks, its dictionary, a constant page's runs. */
static bool is_index(const struct shf_lance_page *page, uint32_t buffer) {
    if (has_null_bits(page)) return buffer == 2;
    return page->shape == SHF_LANCE_MINI_BLOCK && (buffer == 0 || (buffer == 2 && page->has_dictionary));
}

size_t shf_lance_column_ranges(const struct shf_lance_column *column, enum shf_lance_ranges which,
                               struct shf_lance_range *out, size_t room) {
    size_t count = 0;
    for (size_t i = 0; i < column->page_count; i++) {
        const struct shf_lance_page *page = &column->pages[i];
        for (uint32_t buffer = 0; buffer < page->buffer_count; buffer++) {
            if (page->buffers[buffer].size == 0) continue;
            if (which == SHF_LANCE_RANGES_INDEX && !is_index(page, buffer)) continue;
            if (count < room) out[count] = page->buffers[buffer];
            count++;
        }
    }
    return count;
}

/* ---- buffers ---- */

shf_status shf_lance_page_buffer(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                 uint32_t buffer, const uint8_t **out, uint64_t *size, struct shf_error **error) {
    *size = page->buffers[buffer].size;
    return shf_lance_source_get(&column->file->source, page->buffers[buffer].offset, *size, "its buffer", out, error);
}

shf_status shf_lance_page_bytes(const struct shf_lance_column *column, const struct shf_lance_page *page, uint32_t buffer,
                                uint64_t offset, uint64_t size, const uint8_t **out, struct shf_error **error) {
    const struct shf_lance_range *range = &page->buffers[buffer];
    if (offset > range->size || size > range->size - offset) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "%" PRIu64 " bytes at %" PRIu64 " of buffer %" PRIu32 ", which has %" PRIu64, size, offset,
                             buffer, range->size);
    }
    return shf_lance_source_get(&column->file->source, range->offset + offset, size, "its buffer", out, error);
}
