#include "formats/lance/source.h"

#include <inttypes.h>

struct shf_lance_source shf_lance_source_of(const void *data, size_t size) {
    return (struct shf_lance_source){.size = size, .data = size ? data : (const void *)""};
}

static bool is_within(uint64_t offset, uint64_t size, uint64_t begin, uint64_t room) {
    return offset >= begin && offset - begin <= room && size <= room - (offset - begin);
}

/* The last piece that does not begin behind the offset; their number where there is none. */
static size_t last_before(const struct shf_lance_source *source, uint64_t offset) {
    size_t low = 0, high = source->piece_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (source->pieces[middle].offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? low - 1 : source->piece_count;
}

const uint8_t *shf_lance_source_at(const struct shf_lance_source *source, uint64_t offset, uint64_t size) {
    if (!is_within(offset, size, 0, source->size)) return NULL;
    if (source->data) return source->data + offset;
    if (size == 0) return (const uint8_t *)"";
    size_t first = source->pieces_ascend ? last_before(source, offset) : 0;
    size_t end = source->pieces_ascend && first < source->piece_count ? first + 1 : source->piece_count;
    for (size_t i = first; i < end; i++) {
        const struct shf_lance_piece *piece = &source->pieces[i];
        if (is_within(offset, size, piece->offset, piece->size)) return piece->data + (offset - piece->offset);
    }
    return NULL;
}

shf_status shf_lance_source_get(const struct shf_lance_source *source, uint64_t offset, uint64_t size, const char *what,
                                const uint8_t **out, struct shf_error **error) {
    *out = shf_lance_source_at(source, offset, size);
    if (*out) return SHF_OK;
    if (!is_within(offset, size, 0, source->size)) {
        return shf_error_set(error, SHF_E_CORRUPT, "%s: %" PRIu64 " bytes at offset %" PRIu64 " of a file of %" PRIu64,
                             what, size, offset, source->size);
    }
    return shf_error_set(error, SHF_E_INVALID, "%s: %" PRIu64 " bytes at offset %" PRIu64 " have not been fetched",
                         what, size, offset);
}
