/* gzip (RFC 1952) with any number of members, zstd (RFC 8878) with any number of frames. */
#include "cli/build/build_input.h"

#include "cli/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GZIP_ONLY (15 + 16) /* window bits of inflateInit2: the largest window, and a gzip header */

bool cli_unpack_begin(struct cli_stream *stream) {
    if (stream->packing == CLI_ZSTD) {
        ZSTD_DStream *unpacker = ZSTD_createDStream();
        stream->unpacker = unpacker;
        return unpacker && !ZSTD_isError(ZSTD_DCtx_setParameter(unpacker, ZSTD_d_windowLogMax, (int)stream->log_size));
    }
    z_stream *unpacker = cli_alloc(sizeof *unpacker);
    if (inflateInit2(unpacker, GZIP_ONLY) != Z_OK) {
        free(unpacker);
        return false;
    }
    stream->unpacker = unpacker;
    return true;
}

void cli_unpack_end(struct cli_stream *stream) {
    if (!stream->unpacker) return;
    if (stream->packing == CLI_ZSTD) {
        ZSTD_freeDStream(stream->unpacker);
    } else {
        inflateEnd(stream->unpacker);
        free(stream->unpacker);
    }
    stream->unpacker = NULL;
}

/* Between members: zeros are padding, as gzip itself has it; else another member must begin. */
static char *begin_member(struct cli_stream *s, z_stream *unpacker) {
    while (s->begin < s->end && !s->raw[s->begin]) s->begin++;
    if (s->begin == s->end) return NULL;
    if (s->raw[s->begin] != 0x1f) return cli_strdup("what follows its gzip data is not gzip");
    s->between = inflateReset(unpacker) != Z_OK;
    return s->between ? cli_strdup("its gzip data can not be read") : NULL;
}

static char *step_gzip(struct cli_stream *s, void *data, size_t size, size_t *got) {
    z_stream *unpacker = s->unpacker;
    if (s->between) {
        char *error = begin_member(s, unpacker);
        if (error || s->between) return error;
    }
    unpacker->next_in = s->raw + s->begin;
    unpacker->avail_in = (unsigned)(s->end - s->begin);
    unpacker->next_out = data;
    unpacker->avail_out = size > UINT_MAX ? UINT_MAX : (unsigned)size;
    unsigned room = unpacker->avail_out;
    int result = inflate(unpacker, Z_NO_FLUSH);
    s->begin = s->end - unpacker->avail_in;
    *got = room - unpacker->avail_out;
    s->between = result == Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) return NULL;
    return cli_format("its gzip data is damaged: %s", unpacker->msg ? unpacker->msg : "unreadable");
}

static char *step_zstd(struct cli_stream *s, void *data, size_t size, size_t *got) {
    ZSTD_inBuffer in = {s->raw + s->begin, s->end - s->begin, 0};
    ZSTD_outBuffer out = {data, size, 0};
    size_t left = ZSTD_decompressStream(s->unpacker, &out, &in);
    s->begin += in.pos;
    *got = out.pos;
    if (!ZSTD_isError(left)) {
        s->between = left == 0;
        return NULL;
    }
    if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge) {
        return cli_format("unpacking it takes a window of more than %llu MiB; give more with --memory-budget",
                          (unsigned long long)1 << (s->log_size - 20));
    }
    return cli_format("its zstd data is damaged: %s", ZSTD_getErrorName(left));
}

char *cli_unpack_step(struct cli_stream *stream, void *data, size_t size, size_t *got) {
    return stream->packing == CLI_ZSTD ? step_zstd(stream, data, size, got) : step_gzip(stream, data, size, got);
}
