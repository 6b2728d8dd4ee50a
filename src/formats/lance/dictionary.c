/*
 * The dictionary of a mini-block page: u32 bits of an offset (32), u32 where the texts begin, the offsets (one more than
 * texts, from 0), the texts. Version 2.2 packs it: u32 size, an LZ4 block.
 */
#include "base/limits.h"
#include "formats/lance/column_priv.h"

#include <inttypes.h>
#include <lz4.h>

#define HEADER_BYTES 8u
#define LZ4_RATIO 255u /* no block unpacks to more */

static shf_status unpack(struct shf_lance_column *column, const uint8_t *data, uint64_t size, uint64_t *unpacked_bytes,
                         uint8_t **out, uint64_t *out_size, struct shf_error **error) {
    void *plain;
    if (size < 4 || size - 4 > LZ4_MAX_INPUT_SIZE) return shf_lance_page_bad(error, "its dictionary is cut");
    uint32_t plain_size = shf_load_u32le(data);
    if (plain_size > (size - 4) * LZ4_RATIO) return shf_lance_page_bad(error, "its dictionary is damaged");
    if (plain_size > SHF_LIMIT_LANCE_DICTIONARY_BYTES ||
        *unpacked_bytes + plain_size > SHF_LIMIT_LANCE_DICTIONARIES_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "its dictionary has %" PRIu32 " bytes; at most %u are read, and %u a column", plain_size,
                             SHF_LIMIT_LANCE_DICTIONARY_BYTES, SHF_LIMIT_LANCE_DICTIONARIES_BYTES);
    }
    shf_status status = shf_lance_column_alloc(column, plain_size, 1, "the dictionary of a Lance page", &plain, error);
    if (status) return status;
    *out = plain;
    *out_size = plain_size;
    *unpacked_bytes += plain_size;
    int got = LZ4_decompress_safe((const char *)data + 4, plain, (int)(size - 4), (int)plain_size);
    return got >= 0 && (uint32_t)got == plain_size ? SHF_OK : shf_lance_page_bad(error, "its dictionary is damaged");
}

static shf_status check(const uint8_t *data, uint64_t size, uint64_t item_count, struct shf_error **error) {
    if (size < HEADER_BYTES || shf_load_u32le(data) != 32) {
        return shf_lance_page_bad(error, "its dictionary has no offsets of 32 bits");
    }
    if (item_count >= (size - HEADER_BYTES) / 4 || shf_load_u32le(data + 4) != HEADER_BYTES + (item_count + 1) * 4) {
        return shf_lance_page_bad(error, "its dictionary has not as many texts as it says");
    }
    return SHF_OK;
}

shf_status shf_lance_dictionary_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                        uint64_t *unpacked_bytes, struct shf_error **error) {
    const uint8_t *data;
    uint8_t *unpacked = NULL;
    uint64_t size, unpacked_size = 0;
    if (page->dictionary) {
        if (page->unpacked_dictionary) *unpacked_bytes += page->dictionary_size;
        return SHF_OK;
    }
    shf_status status = shf_lance_page_buffer(column, page, 2, &data, &size, error);
    if (!status && page->is_lz4) {
        status = unpack(column, data, size, unpacked_bytes, &unpacked, &unpacked_size, error);
        data = unpacked;
        size = unpacked_size;
    }
    if (!status) status = check(data, size, page->item_count, error);
    if (status) {
        shf_lance_column_free(column, unpacked, unpacked_size);
        return status;
    }
    page->dictionary = data;
    page->dictionary_size = size;
    page->unpacked_dictionary = unpacked;
    return SHF_OK;
}

shf_status shf_lance_dictionary_text(const struct shf_lance_page *page, uint64_t index, struct shf_lance_text *text,
                                     struct shf_error **error) {
    if (!page->dictionary) return shf_error_set(error, SHF_E_INTERNAL, "it was not prepared");
    if (index >= page->item_count) {
        return shf_error_set(error, SHF_E_CORRUPT, "text %" PRIu64 " of a dictionary of %" PRIu64, index,
                             page->item_count);
    }
    uint64_t begin = HEADER_BYTES + (page->item_count + 1) * 4, room = page->dictionary_size - begin;
    const uint8_t *offsets = page->dictionary + HEADER_BYTES + index * 4;
    uint32_t start = shf_load_u32le(offsets), end = shf_load_u32le(offsets + 4);
    if (start > end || end > room) return shf_lance_page_bad(error, "a text is not within its dictionary");
    return shf_lance_text_set(page, page->dictionary + begin + start, end - start, text, error);
}
