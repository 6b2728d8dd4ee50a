/*
 * The dictionary of a mini-block page: u32 bits of an offset (32), u32 where the texts begin, the offsets (one more than
 * texts, from 0), the texts. Version 2.2 packs it: u32 size, an LZ4 block.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "formats/lance/column_priv.h"

#include <inttypes.h>
#include <lz4.h>

#define HEADER_BYTES 8u
#define LZ4_RATIO 255u /* no block unpacks to more */

static shf_status unpack(struct shf_lance_page *page, const uint8_t *data, uint64_t size, uint64_t *unpacked_bytes,
                         struct shf_error **error) {
    if (size < 4 || size - 4 > LZ4_MAX_INPUT_SIZE) return shf_lance_page_bad(error, "its dictionary is cut");
    uint32_t plain_size = shf_load_u32le(data);
    if (plain_size > (size - 4) * LZ4_RATIO) return shf_lance_page_bad(error, "its dictionary is damaged");
    if (plain_size > SHF_LIMIT_LANCE_DICTIONARY_BYTES ||
        *unpacked_bytes + plain_size > SHF_LIMIT_LANCE_DICTIONARIES_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "its dictionary has %" PRIu32 " bytes; at most %u are read, and %u a column", plain_size,
                             SHF_LIMIT_LANCE_DICTIONARY_BYTES, SHF_LIMIT_LANCE_DICTIONARIES_BYTES);
    }
    uint8_t *plain = shf_alloc(plain_size);
    if (!plain) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to unpack %" PRIu32 " bytes", plain_size);
    shf_free(page->unpacked_dictionary);
    page->unpacked_dictionary = plain;
    *unpacked_bytes += plain_size;
    int got = LZ4_decompress_safe((const char *)data + 4, (char *)plain, (int)(size - 4), (int)plain_size);
    if (got < 0 || (uint32_t)got != plain_size) return shf_lance_page_bad(error, "its dictionary is damaged");
    page->dictionary_size = plain_size;
    return SHF_OK;
}

shf_status shf_lance_dictionary_prepare(const struct shf_lance_column *column, struct shf_lance_page *page,
                                        uint64_t *unpacked_bytes, struct shf_error **error) {
    const uint8_t *data;
    shf_status status = shf_lance_page_buffer(column, page, 2, &data, &page->dictionary_size, error);
    if (!status && page->is_lz4) {
        status = unpack(page, data, page->dictionary_size, unpacked_bytes, error);
        data = page->unpacked_dictionary;
    }
    if (status) return status;
    uint64_t size = page->dictionary_size;
    if (size < HEADER_BYTES || shf_load_u32le(data) != 32) {
        return shf_lance_page_bad(error, "its dictionary has no offsets of 32 bits");
    }
    if (page->item_count >= (size - HEADER_BYTES) / 4 ||
        shf_load_u32le(data + 4) != HEADER_BYTES + (page->item_count + 1) * 4) {
        return shf_lance_page_bad(error, "its dictionary has not as many texts as it says");
    }
    page->dictionary = data;
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
