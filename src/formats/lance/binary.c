/* Texts of format 2.0: the end of each as 64 bits, and the texts; or few of those, and a byte a row that chooses one. */
#include "formats/lance/column_priv.h"

#include <inttypes.h>

/* A null's end is above all others; less the adjustment it is where the text, an empty one, would end. */
static uint64_t true_end(const struct shf_lance_page *page, uint64_t end, bool *is_null) {
    *is_null = end >= page->null_adjustment;
    return *is_null ? end - page->null_adjustment : end;
}

static shf_status binary_at(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t index,
                            struct shf_lance_text *text, struct shf_error **error) {
    const uint8_t *ends, *bytes;
    uint64_t before = index > 0, start = 0;
    bool unused;
    shf_status status =
        shf_lance_page_bytes(column, page, page->ends_buffer, (index - before) * 8, (1 + before) * 8, &ends, error);
    if (status) return status;
    if (before) start = true_end(page, shf_load_u64le(ends), &unused);
    uint64_t end = true_end(page, shf_load_u64le(ends + before * 8), &text->is_null);
    if (end < start) return shf_lance_page_bad(error, "a text ends before it begins");
    if (text->is_null) return SHF_OK;
    status = shf_lance_page_bytes(column, page, page->bytes_buffer, start, end - start, &bytes, error);
    return status ? status : shf_lance_text_set(page, bytes, end - start, text, error);
}

shf_status shf_lance_binary_text(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                                 struct shf_lance_text *text, struct shf_error **error) {
    const uint8_t *choice;
    if (page->shape == SHF_LANCE_BINARY) return binary_at(column, page, row, text, error);
    shf_status status = shf_lance_page_bytes(column, page, page->values_buffer, row, 1, &choice, error);
    if (status) return status;
    text->is_null = *choice == 0;
    if (text->is_null) return SHF_OK;
    if (*choice > page->item_count) {
        return shf_error_set(error, SHF_E_CORRUPT, "text %u of a dictionary of %" PRIu64, *choice - 1u, page->item_count);
    }
    return binary_at(column, page, *choice - 1u, text, error);
}
