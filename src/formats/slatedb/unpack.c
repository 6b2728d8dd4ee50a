#include "formats/slatedb/unpack.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "formats/slatedb/info.h"

#include <inttypes.h>
#include <limits.h>
#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define LEAST_GUESS (16u << 10) /* where the size is not told */
#define WINDOW_LOG_MAX 27
_Static_assert(SHF_LIMIT_ZSTD_WINDOW_BYTES >> WINDOW_LOG_MAX == 1, "the same limit");

shf_status shf_slatedb_memory_grow(struct shf_slatedb_memory *memory, size_t capacity, const char *what,
                                   struct shf_error **error) {
    if (capacity <= memory->capacity && memory->data) return SHF_OK;
    size_t more = capacity - memory->capacity;
    if (!shf_budget_take(memory->budget, more)) return shf_failed(shf_budget_refuse(memory->budget, more, what, error));
    uint8_t *larger = shf_realloc_array(memory->data, capacity, 1);
    if (!larger) {
        shf_budget_give(memory->budget, more);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %s (%zu bytes)", what, capacity);
    }
    memory->data = larger;
    memory->capacity = capacity;
    return SHF_OK;
}

void shf_slatedb_memory_free(struct shf_slatedb_memory *memory) {
    shf_free(memory->data);
    if (memory->capacity) shf_budget_give(memory->budget, memory->capacity);
    memory->data = NULL;
    memory->size = memory->capacity = 0;
}

static shf_status refuse(struct shf_error **error, const char *codec, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "%s: %s; damaged or encrypted", codec, what);
}

static uint64_t most_bytes(size_t size) {
    uint64_t most = (uint64_t)size * SHF_LIMIT_ZSTD_RATIO;
    if (most < SHF_LIMIT_SLATEDB_SMALL_BYTES) most = SHF_LIMIT_SLATEDB_SMALL_BYTES;
    return most < SHF_LIMIT_SLATEDB_BLOCK_BYTES ? most : SHF_LIMIT_SLATEDB_BLOCK_BYTES;
}

/* Room for all of it, where the size is told. */
static shf_status reserve(struct shf_slatedb_memory *memory, size_t size, uint64_t content, struct shf_error **error) {
    if (content > most_bytes(size)) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "%zu bytes declare to be %" PRIu64 " unpacked; at most %" PRIu64 " are read", size,
                             content, most_bytes(size));
    }
    shf_status status = shf_slatedb_memory_grow(memory, (size_t)content, "an unpacked block", error);
    memory->size = (size_t)content;
    return status;
}

/* More room, where it is not. */
static shf_status grow(struct shf_slatedb_memory *memory, size_t size, struct shf_error **error) {
    uint64_t wanted = memory->capacity ? (uint64_t)memory->capacity * 2 : (uint64_t)size * 4;
    if (wanted < LEAST_GUESS) wanted = LEAST_GUESS;
    if (wanted > most_bytes(size)) wanted = most_bytes(size);
    if (wanted <= memory->capacity) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "%zu bytes are more than %" PRIu64 " unpacked, which is all that is read", size, wanted);
    }
    return shf_slatedb_memory_grow(memory, (size_t)wanted, "an unpacked block", error);
}

static shf_status copy_plain(const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                             struct shf_error **error) {
    shf_status status = shf_slatedb_memory_grow(out, size, "a block", error);
    if (status) return status;
    if (size) memcpy(out->data, stored, size);
    out->size = size;
    return SHF_OK;
}

static shf_status unpack_snappy(const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                                struct shf_error **error) {
    size_t content;
    if (snappy_uncompressed_length((const char *)stored, size, &content) != SNAPPY_OK) {
        return refuse(error, "snappy", "it does not begin with a length");
    }
    shf_status status = reserve(out, size, content, error);
    if (status) return status;
    if (snappy_uncompress((const char *)stored, size, (char *)out->data, &content) != SNAPPY_OK || content != out->size) {
        return refuse(error, "snappy", "it can not be unpacked");
    }
    return SHF_OK;
}

static shf_status unpack_lz4(const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                             struct shf_error **error) {
    if (size < 4 || size - 4 > INT_MAX) return refuse(error, "lz4", "it has no length");
    uint32_t content = shf_load_u32le(stored);
    shf_status status = reserve(out, size, content, error);
    if (status) return status;
    int got = LZ4_decompress_safe((const char *)stored + 4, (char *)out->data, (int)(size - 4), (int)content);
    return got == (int)content ? SHF_OK : refuse(error, "lz4", "it can not be unpacked");
}

static shf_status run_zlib(z_stream *stream, size_t size, struct shf_slatedb_memory *out, struct shf_error **error) {
    for (;;) {
        shf_status status = grow(out, size, error);
        if (status) return status;
        stream->next_out = out->data + out->size;
        stream->avail_out = (uInt)(out->capacity - out->size);
        int got = inflate(stream, Z_NO_FLUSH);
        out->size = out->capacity - stream->avail_out;
        if (got == Z_MEM_ERROR) return shf_error_set(error, SHF_E_NO_MEMORY, "zlib: no memory to unpack a block");
        if (got == Z_STREAM_END) return stream->avail_in ? refuse(error, "zlib", "bytes follow its stream") : SHF_OK;
        if (got != Z_OK && got != Z_BUF_ERROR) return refuse(error, "zlib", "it can not be unpacked");
        if (stream->avail_out > 0) return refuse(error, "zlib", "it is cut");
    }
}

static shf_status unpack_zlib(const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                              struct shf_error **error) {
    z_stream stream = {0};
    if (size > UINT_MAX) return refuse(error, "zlib", "it is longer than 4 GiB");
    stream.next_in = (z_const Bytef *)stored;
    stream.avail_in = (uInt)size;
    if (inflateInit(&stream) != Z_OK) return shf_error_set(error, SHF_E_NO_MEMORY, "zlib: no memory to unpack a block");
    shf_status status = run_zlib(&stream, size, out, error);
    (void)inflateEnd(&stream);
    return status;
}

/* A frame that does not tell its size. */
static shf_status run_zstd(ZSTD_DCtx *context, const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                           struct shf_error **error) {
    ZSTD_inBuffer in = {stored, size, 0};
    for (;;) {
        shf_status status = grow(out, size, error);
        if (status) return status;
        ZSTD_outBuffer part = {out->data, out->capacity, out->size};
        size_t left = ZSTD_decompressStream(context, &part, &in);
        out->size = part.pos;
        if (ZSTD_isError(left)) return refuse(error, "zstd", ZSTD_getErrorName(left));
        if (left == 0) return in.pos == in.size ? SHF_OK : refuse(error, "zstd", "bytes follow its frame");
        if (part.pos < part.size) return refuse(error, "zstd", "it is cut");
    }
}

/* With a context of its own, which grows with the window of the frame. */
static shf_status unpack_zstd_stream(const uint8_t *stored, size_t size, struct shf_slatedb_memory *out,
                                     struct shf_error **error) {
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context) return shf_error_set(error, SHF_E_NO_MEMORY, "zstd: no memory to unpack a block");
    (void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    shf_status status = run_zstd(context, stored, size, out, error);
    (void)ZSTD_freeDCtx(context);
    return status;
}

static shf_status unpack_zstd(struct shf_slatedb_unpacker *unpacker, const uint8_t *stored, size_t size,
                              struct shf_slatedb_memory *out, struct shf_error **error) {
    unsigned long long content = ZSTD_getFrameContentSize(stored, size);
    if (content == ZSTD_CONTENTSIZE_ERROR) return refuse(error, "zstd", "it has no frame");
    if (content == ZSTD_CONTENTSIZE_UNKNOWN) return unpack_zstd_stream(stored, size, out, error);
    shf_status status = reserve(out, size, content, error);
    if (status) return status;
    if (ZSTD_findFrameCompressedSize(stored, size) != size) return refuse(error, "zstd", "it is not one whole frame");
    if (!unpacker->zstd) unpacker->zstd = ZSTD_createDCtx();
    if (!unpacker->zstd) return shf_error_set(error, SHF_E_NO_MEMORY, "zstd: no memory to unpack a block");
    size_t got = ZSTD_decompressDCtx(unpacker->zstd, out->data, out->size, stored, size);
    return got == out->size ? SHF_OK : refuse(error, "zstd", "it can not be unpacked");
}

void shf_slatedb_unpacker_free(struct shf_slatedb_unpacker *unpacker) {
    (void)ZSTD_freeDCtx(unpacker->zstd); /* NULL is fine */
    unpacker->zstd = NULL;
}

shf_status shf_slatedb_unpack(struct shf_slatedb_unpacker *unpacker, uint8_t codec, const uint8_t *stored, size_t size,
                              struct shf_slatedb_memory *out, struct shf_error **error) {
    struct shf_slatedb_memory memory = {.budget = unpacker->budget};
    shf_status status = SHF_OK;
    switch (codec) {
    case SHF_SLATEDB_PLAIN: status = copy_plain(stored, size, &memory, error); break;
    case SHF_SLATEDB_SNAPPY: status = unpack_snappy(stored, size, &memory, error); break;
    case SHF_SLATEDB_ZLIB: status = unpack_zlib(stored, size, &memory, error); break;
    case SHF_SLATEDB_LZ4: status = unpack_lz4(stored, size, &memory, error); break;
    case SHF_SLATEDB_ZSTD: status = unpack_zstd(unpacker, stored, size, &memory, error); break;
    default: status = shf_error_set(error, SHF_E_UNSUPPORTED, "compression codec %u is not supported", codec);
    }
    if (status) {
        shf_slatedb_memory_free(&memory);
        return status;
    }
    *out = memory;
    return SHF_OK;
}
