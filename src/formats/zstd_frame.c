#include "formats/zstd_frame.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/limits.h"

#include <inttypes.h>
#include <zstd.h>

#define FRAME_MAGIC UINT32_C(0xfd2fb528)
#define CHECKSUM_FLAG 4u
#define SINGLE_SEGMENT_FLAG 32u

static shf_status refuse(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s", what);
}

/* Size of the content as the header of a frame gives it (RFC 8878, 3.1.1.1.4); 0 when the header does not. */
static bool read_content_size(struct shf_cursor *c, unsigned descriptor, uint64_t *out) {
    static const uint8_t sizes[4] = {0, 2, 4, 8};
    uint8_t size = sizes[descriptor >> 6];
    const uint8_t *p;
    *out = 0;
    if (size == 0 && descriptor & SINGLE_SEGMENT_FLAG) size = 1;
    if (!shf_cursor_bytes(c, size, &p)) return false;
    for (unsigned i = 0; i < size; i++) *out |= (uint64_t)p[i] << (8 * i);
    if (size == 2) *out += 256;
    return true;
}

/*
 * The library would decompress whatever fits into our buffer; the format says more: one frame, whose window and content
 * (where it tells them) are within the limits, without a dictionary.
 */
static shf_status check_frame(const uint8_t *frame, size_t size, uint64_t content_size, bool needs_checksum,
                              struct shf_error **error) {
    struct shf_cursor c = shf_cursor_of(frame, size);
    uint32_t magic;
    uint8_t descriptor, window = 0;
    uint64_t content, window_size;
    if (!shf_cursor_u32le(&c, &magic) || magic != FRAME_MAGIC || !shf_cursor_u8(&c, &descriptor)) {
        return refuse(error, "it has no zstd frame");
    }
    bool is_single = descriptor & SINGLE_SEGMENT_FLAG;
    if (descriptor & 3) return refuse(error, "its zstd frame needs a dictionary");
    if (needs_checksum && !(descriptor & CHECKSUM_FLAG)) return refuse(error, "its zstd frame has no checksum");
    if ((!is_single && !shf_cursor_u8(&c, &window)) || !read_content_size(&c, descriptor, &content)) {
        return refuse(error, "the header of its zstd frame is cut");
    }
    window_size = (UINT64_C(1) << (10 + (window >> 3))) / 8 * (8 + (window & 7u));
    if (is_single) window_size = content;
    if (window_size > SHF_LIMIT_ZSTD_WINDOW_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "its zstd frame wants a window of %" PRIu64 " bytes; at most %u are taken", window_size,
                             SHF_LIMIT_ZSTD_WINDOW_BYTES);
    }
    if ((is_single || descriptor >> 6) && content != content_size) {
        return refuse(error, "its zstd frame declares another size than what it is in");
    }
    size_t whole = ZSTD_findFrameCompressedSize(frame, size);
    if (ZSTD_isError(whole)) return refuse(error, "its zstd frame is cut or damaged");
    return whole == size ? SHF_OK : refuse(error, "bytes follow its zstd frame");
}

static shf_status unpack(const uint8_t *frame, size_t size, uint64_t content_size, bool needs_checksum, uint8_t **out,
                         struct shf_error **error) {
    shf_status status = check_frame(frame, size, content_size, needs_checksum, error);
    if (status) return status;
    uint8_t *content = shf_alloc((size_t)content_size);
    if (!content) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to unpack %" PRIu64 " bytes", content_size);
    size_t got = ZSTD_decompress(content, (size_t)content_size, frame, size);
    if (ZSTD_isError(got) || got != content_size) {
        shf_free(content);
        return refuse(error,
                      ZSTD_isError(got) ? "its zstd frame is damaged" : "its zstd frame holds less than is declared");
    }
    *out = content;
    return SHF_OK;
}

static shf_status check_ratio(size_t size, uint64_t content_size, struct shf_error **error) {
    if (content_size / SHF_LIMIT_ZSTD_RATIO <= size && content_size <= SIZE_MAX) return SHF_OK;
    return shf_error_set(error, SHF_E_LIMIT, "%zu bytes declare to be %" PRIu64 "; at most %u times as many are read",
                         size, content_size, SHF_LIMIT_ZSTD_RATIO);
}

shf_status shf_zstd_frame_unpack(const uint8_t *frame, size_t size, uint64_t content_size, bool needs_checksum,
                                 uint8_t **out, struct shf_error **error) {
    shf_status status = check_ratio(size, content_size, error);
    return status ? status : unpack(frame, size, content_size, needs_checksum, out, error);
}

shf_status shf_zstd_value_unpack(const uint8_t *frame, size_t size, uint64_t content_size, uint8_t **out,
                                 struct shf_error **error) {
    shf_status status = content_size <= SHF_LIMIT_UNPACKED_FREELY_BYTES ? SHF_OK : check_ratio(size, content_size, error);
    return status ? status : unpack(frame, size, content_size, false, out, error);
}
