/*
 * Mini-block pages: buffer 0 has a word for each chunk, buffer 1 the chunks. A chunk: u16 number of levels, [u16 size of the
 * levels], size of the values (16 or 32 bits), then levels and values, all at multiples of 8 from its beginning.
 */
#include "base/alloc.h"
#include "formats/lance/column_priv.h"

#include <inttypes.h>
#include <string.h>

/* ---- chunks ---- */

/* chunks: count + 1 */
static shf_status read_chunks(const struct shf_lance_column *column, const struct shf_lance_page *page,
                              const uint8_t *words, size_t count, struct shf_lance_chunk *chunks,
                              struct shf_error **error) {
    uint64_t offset = 0, row = 0, word_bytes = page->has_large_chunks ? 4 : 2;
    for (size_t i = 0; i < count; i++, words += word_bytes) {
        uint32_t word = word_bytes == 4 ? shf_load_u32le(words) : shf_lance_load_u16le(words);
        chunks[i] = (struct shf_lance_chunk){offset, row};
        offset += ((uint64_t)(word >> 4) + 1) * 8;
        row += i + 1 == count ? page->rows - row : UINT64_C(1) << (word & 15);
        if (row > page->rows || row == chunks[i].row) {
            return shf_lance_page_bad(error, "its chunks have not as many values as it has rows");
        }
        /* So that nobody makes room for more vectors than there can be. */
        if ((row - chunks[i].row) * column->dimension * sizeof(float) > offset - chunks[i].offset) {
            return shf_lance_page_bad(error, "a chunk is too small for its vectors");
        }
    }
    chunks[count] = (struct shf_lance_chunk){offset, row};
    /* The last chunk may be followed by what aligns the buffer. */
    return offset <= page->buffers[1].size ? SHF_OK
                                           : shf_lance_page_bad(error, "its chunks are larger than their buffer");
}

shf_status shf_lance_mini_block_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                        struct shf_error **error) {
    const uint8_t *words;
    uint64_t size, word_bytes = page->has_large_chunks ? 4 : 2;
    void *chunks;
    if (page->chunks) return SHF_OK;
    shf_status status = shf_lance_page_buffer(column, page, 0, &words, &size, error);
    if (status) return status;
    if (size == 0 || size % word_bytes != 0) return shf_lance_page_bad(error, "the list of its chunks is cut");
    size_t count = (size_t)(size / word_bytes), entry_bytes = sizeof *page->chunks;
    status = shf_lance_column_alloc(column, count + 1, entry_bytes, "the chunks of a Lance page", &chunks, error);
    if (status) return status;
    status = read_chunks(column, page, words, count, chunks, error);
    if (status) {
        shf_lance_column_free(column, chunks, (uint64_t)(count + 1) * entry_bytes);
        return status;
    }
    page->chunks = chunks;
    page->chunk_count = count;
    return SHF_OK;
}

struct chunk {
    uint64_t first, values; /* rows */
    const uint8_t *levels, *data;
    uint64_t level_bytes, data_bytes;
};

static bool take_aligned(struct shf_cursor *c, const uint8_t *begin, uint64_t size, const uint8_t **out) {
    size_t used = (size_t)(c->at - begin);
    return shf_cursor_skip(c, (8 - used % 8) % 8) && size <= c->left && shf_cursor_bytes(c, (size_t)size, out);
}

static bool parse_chunk(const struct shf_lance_page *page, const uint8_t *bytes, size_t size, struct chunk *out) {
    struct shf_cursor c = shf_cursor_of(bytes, size);
    const uint8_t *head;
    bool has_levels = page->levels.coding != SHF_LANCE_NO_LEVELS;
    if (!shf_cursor_bytes(&c, 2, &head)) return false;
    if (shf_lance_load_u16le(head) != (has_levels ? out->values : 0)) return false;
    if (has_levels) {
        if (!shf_cursor_bytes(&c, 2, &head)) return false;
        out->level_bytes = shf_lance_load_u16le(head);
    }
    if (!shf_cursor_bytes(&c, page->has_large_chunks ? 4 : 2, &head)) return false;
    out->data_bytes = page->has_large_chunks ? shf_load_u32le(head) : shf_lance_load_u16le(head);
    if (has_levels && !take_aligned(&c, bytes, out->level_bytes, &out->levels)) return false;
    return take_aligned(&c, bytes, out->data_bytes, &out->data);
}

/* The chunk that has the row. */
static shf_status find_chunk(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                             struct chunk *out, struct shf_error **error) {
    size_t low = 0, high = page->chunk_count;
    const uint8_t *bytes;
    if (!page->chunks) return shf_error_set(error, SHF_E_INTERNAL, "it was not prepared");
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (page->chunks[middle].row <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct shf_lance_chunk *chunk = &page->chunks[low];
    uint64_t size = chunk[1].offset - chunk->offset;
    *out = (struct chunk){.first = chunk->row, .values = chunk[1].row - chunk->row};
    shf_status status = shf_lance_page_bytes(column, page, 1, chunk->offset, size, &bytes, error);
    if (status) return status;
    if (parse_chunk(page, bytes, (size_t)size, out)) return SHF_OK;
    return shf_error_set(error, SHF_E_CORRUPT, "its chunk %zu is malformed", low);
}

#define LEVEL_BITS_BYTES (UINT16_MAX / 8 + 1) /* the number of levels has 16 bits */

/* A bit a row, in memory that is made where there is none yet. */
static shf_status decode_runs(const struct chunk *chunk, uint8_t **bits, struct shf_error **error) {
    if (!*bits) *bits = shf_alloc(LEVEL_BITS_BYTES);
    if (!*bits) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the levels of a chunk");
    memset(*bits, 0, LEVEL_BITS_BYTES);
    return shf_lance_level_bits(chunk->levels, chunk->level_bytes, chunk->values, *bits, error);
}

/* One row after the other must not take a walk through all runs each: there may be 20,000 of them, for 65,535 rows. */
static shf_status chunk_level(const struct shf_lance_page *page, const struct chunk *chunk, uint64_t index,
                              struct shf_lance_text *text, struct shf_error **error) {
    text->is_null = false;
    if (page->levels.coding == SHF_LANCE_NO_LEVELS) return SHF_OK;
    if (page->levels.coding != SHF_LANCE_LEVELS_RUNS || text->levels != chunk->levels) {
        text->levels = chunk->levels;
        text->levels_are_decoded = false;
        return shf_lance_level_at(&page->levels, chunk->levels, chunk->level_bytes, chunk->values, index,
                                  &text->is_null, error);
    }
    if (!text->levels_are_decoded) {
        shf_status status = decode_runs(chunk, &text->level_bits, error);
        if (status) return status;
        text->levels_are_decoded = true;
    }
    text->is_null = text->level_bits[index >> 3] >> (index & 7) & 1;
    return SHF_OK;
}

/* ---- texts ---- */

/* A group of 1,024 packed to the width that stands before it. */
static shf_status dictionary_index(const struct chunk *chunk, uint64_t index, uint32_t *out, struct shf_error **error) {
    if (chunk->values > SHF_LANCE_GROUP_VALUES || chunk->data_bytes < 4) {
        return shf_lance_page_bad(error, "the indices of a chunk are not one packed group");
    }
    uint32_t width = shf_load_u32le(chunk->data);
    if (width > 32 || chunk->data_bytes - 4 != SHF_LANCE_GROUP_BYTES(width)) {
        return shf_lance_page_bad(error, "the indices of a chunk have not the size that their width needs");
    }
    *out = shf_lance_unpack(chunk->data + 4, 32, width, (unsigned)index);
    return SHF_OK;
}

/* Offsets of 32 bits, one more than texts, which count from the beginning of the offsets; then the texts. */
static shf_status chunk_text(const struct shf_lance_page *page, const struct chunk *chunk, uint64_t index,
                             struct shf_lance_text *text, struct shf_error **error) {
    uint64_t table = (chunk->values + 1) * 4;
    if (table > chunk->data_bytes) return shf_lance_page_bad(error, "a chunk has not as many offsets as texts");
    uint32_t start = shf_load_u32le(chunk->data + index * 4), end = shf_load_u32le(chunk->data + index * 4 + 4);
    if (start < table || end < start || end > chunk->data_bytes) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "a text from %" PRIu32 " to %" PRIu32 " of a chunk of %" PRIu64 " bytes", start, end,
                             chunk->data_bytes);
    }
    return shf_lance_text_set(page, chunk->data + start, end - start, text, error);
}

shf_status shf_lance_mini_block_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                     uint64_t row, struct shf_lance_text *text, struct shf_error **error) {
    struct chunk chunk;
    uint32_t item = 0;
    shf_status status = find_chunk(column, page, row, &chunk, error);
    if (!status) status = chunk_level(page, &chunk, row - chunk.first, text, error);
    if (status || text->is_null) return status;
    if (!page->has_dictionary) return chunk_text(page, &chunk, row - chunk.first, text, error);
    status = dictionary_index(&chunk, row - chunk.first, &item, error);
    return status ? status : shf_lance_dictionary_text(page, item, text, error);
}

/* ---- vectors ---- */

static shf_status check_levels(const struct shf_lance_page *page, const struct chunk *chunk, uint64_t index,
                               uint64_t count, struct shf_error **error) {
    uint8_t *bits = NULL;
    shf_status status = SHF_OK;
    bool is_null = false;
    if (page->levels.coding == SHF_LANCE_LEVELS_RUNS) status = decode_runs(chunk, &bits, error);
    for (uint64_t row = index; !status && row < index + count; row++) {
        if (bits) {
            is_null = bits[row >> 3] >> (row & 7) & 1;
        } else {
            status = shf_lance_level_at(&page->levels, chunk->levels, chunk->level_bytes, chunk->values, row, &is_null,
                                        error);
        }
        if (status || !is_null) continue;
        status = shf_error_set(error, SHF_E_INDEX, "row %" PRIu64 " has no vector", page->first_row + chunk->first + row);
    }
    shf_free(bits);
    return status;
}

static shf_status chunk_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                const struct chunk *chunk, uint64_t index, uint64_t count, float *out,
                                struct shf_error **error) {
    uint64_t row_bytes = (uint64_t)column->dimension * sizeof(float);
    if (chunk->data_bytes != chunk->values * row_bytes) {
        return shf_lance_page_bad(error, "a chunk has not the size of its vectors");
    }
    if (page->levels.coding != SHF_LANCE_NO_LEVELS) {
        shf_status status = check_levels(page, chunk, index, count, error);
        if (status) return status;
    }
    memcpy(out, chunk->data + index * row_bytes, (size_t)(count * row_bytes));
    return SHF_OK;
}

shf_status shf_lance_mini_block_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                        uint64_t row, uint64_t count, float *out, struct shf_error **error) {
    while (count > 0) { /* every chunk has rows */
        struct chunk chunk;
        shf_status status = find_chunk(column, page, row, &chunk, error);
        if (status) return status;
        uint64_t index = row - chunk.first, part = chunk.values - index;
        if (part > count) part = count;
        status = chunk_vectors(column, page, &chunk, index, part, out, error);
        if (status) return status;
        out += part * column->dimension;
        row += part;
        count -= part;
    }
    return SHF_OK;
}
