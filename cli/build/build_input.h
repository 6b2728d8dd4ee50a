/* Bytes of a file or of standard input; gzip and zstd are recognised by their first bytes and unpacked. */
#ifndef CLI_BUILD_INPUT_H
#define CLI_BUILD_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_packing { CLI_PLAIN = 0, CLI_GZIP, CLI_ZSTD };

/* Called some times a second while nothing comes from a pipe. */
struct cli_idle {
    void (*call)(void *context);
    void *context;
};

struct cli_stream {
    const char *name; /* as messages call it */
    int fd;
    bool own_fd, has_size;
    uint64_t size;  /* of the file as it lies there, where has_size */
    uint64_t taken; /* bytes read from fd */
    enum cli_packing packing;
    const struct cli_idle *idle; /* NULL = nobody wants to know */
    unsigned char *raw;          /* bytes read and not yet taken are raw[begin..end) */
    size_t begin, end;
    bool raw_ended;
    bool between;      /* at the end of a gzip member or zstd frame: the data may end here */
    bool stopped;      /* an interrupt ended the reading */
    void *unpacker;    /* z_stream or ZSTD_DStream */
    unsigned log_size; /* largest window of zstd, as a power of two */
};

/*
 * Name "-" is standard input. memory_bytes bounds the window that a zstd file may ask for (at least 8 MiB are given,
 * which is what every level but the "ultra" ones needs). NULL, or what is wrong with the name in it, the caller's to
 * free; close the stream either way.
 */
char *cli_stream_open(struct cli_stream *stream, const char *name, uint64_t memory_bytes, const struct cli_idle *idle);
void cli_stream_close(struct cli_stream *stream);

/* Up to `size` unpacked bytes. *got = 0: the end, or an interrupt (stream->stopped). NULL, or what is wrong. */
char *cli_stream_read(struct cli_stream *stream, void *data, size_t size, size_t *got);

/* Unpackers, build_unpack.c. `step` takes raw bytes and gives unpacked ones; NULL, or what is wrong without the name. */
bool cli_unpack_begin(struct cli_stream *stream);
char *cli_unpack_step(struct cli_stream *stream, void *data, size_t size, size_t *got);
void cli_unpack_end(struct cli_stream *stream);

#endif
