#include "cli/build/build_input.h"

#include "cli/interrupt.h"
#include "cli/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_BYTES (128u << 10)
#define IDLE_MS 100
#define LEAST_WINDOW_LOG 23u /* 8 MiB */
#define MOST_WINDOW_LOG 30u

static char *named(const struct cli_stream *s, const char *what) { return cli_format("%s: %s", s->name, what); }

/* False: nothing will come, for an interrupt asked us to stop. */
static bool wait_readable(const struct cli_stream *s) {
    struct pollfd fds[2] = {{s->fd, POLLIN, 0}, {cli_interrupt_fd(), POLLIN, 0}};
    while (!cli_interrupted()) {
        int polled = poll(fds, 2, s->idle ? IDLE_MS : -1);
        if (polled > 0 && fds[0].revents) return !cli_interrupted();
        if (polled == 0) s->idle->call(s->idle->context);
    }
    return false;
}

/* Reads behind the raw bytes that are there. */
static char *fill(struct cli_stream *s) {
    if (s->begin) memmove(s->raw, s->raw + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = 0;
    while (!s->raw_ended && s->end < RAW_BYTES) {
        if (!wait_readable(s)) {
            s->stopped = true;
            return NULL;
        }
        ssize_t n = read(s->fd, s->raw + s->end, RAW_BYTES - s->end);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n < 0) return named(s, cli_errno_text(errno));
        s->raw_ended = n == 0;
        s->end += (size_t)n;
        s->taken += (size_t)n;
        break;
    }
    return NULL;
}

static void recognise(struct cli_stream *s) {
    const unsigned char *p = s->raw;
    s->packing = CLI_PLAIN;
    if (s->end >= 2 && p[0] == 0x1f && p[1] == 0x8b) s->packing = CLI_GZIP;
    if (s->end < 4) return;
    uint32_t word = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    /* RFC 8878, 3.1: a frame, or one to be skipped. */
    if (word == 0xfd2fb528u || (word & 0xfffffff0u) == 0x184d2a50u) s->packing = CLI_ZSTD;
}

static char *open_file(struct cli_stream *s, const char *path) {
    struct stat about;
    if (!strcmp(path, "-")) {
        s->name = "standard input";
        s->fd = STDIN_FILENO;
    } else {
        s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        s->own_fd = true;
    }
    if (s->fd < 0 || fstat(s->fd, &about)) return named(s, cli_errno_text(errno));
    if (S_ISDIR(about.st_mode)) return named(s, "is a directory");
    s->has_size = S_ISREG(about.st_mode);
    s->size = s->has_size && about.st_size > 0 ? (uint64_t)about.st_size : 0;
    return NULL;
}

char *cli_stream_open(struct cli_stream *stream, const char *name, uint64_t memory_bytes, const struct cli_idle *idle) {
    struct cli_stream *s = stream;
    *s = (struct cli_stream){.name = name, .fd = -1, .idle = idle, .log_size = LEAST_WINDOW_LOG};
    char *error = open_file(s, name);
    while (s->log_size < MOST_WINDOW_LOG && (uint64_t)2 << s->log_size <= memory_bytes) s->log_size++;
    if (error) return error;
    s->raw = cli_alloc(RAW_BYTES);
    while (!error && !s->raw_ended && !s->stopped && s->end < 4) error = fill(s);
    if (error) return error;
    recognise(s);
    if (s->packing && !cli_unpack_begin(s)) return named(s, "no memory to unpack it");
    return NULL;
}

void cli_stream_close(struct cli_stream *stream) {
    cli_unpack_end(stream);
    free(stream->raw);
    if (stream->own_fd && stream->fd >= 0) close(stream->fd);
    *stream = (struct cli_stream){.fd = -1};
}

static char *unpack(struct cli_stream *s, void *data, size_t size, size_t *got) {
    char *wrong = cli_unpack_step(s, data, size, got);
    if (!wrong) return NULL;
    char *error = named(s, wrong);
    free(wrong);
    return error;
}

static char *read_packed(struct cli_stream *s, void *data, size_t size, size_t *got) {
    for (char *error; !*got;) {
        if (s->begin < s->end) {
            error = unpack(s, data, size, got);
            if (error) return error;
            continue;
        }
        error = fill(s);
        if (error || s->stopped) return error;
        if (s->begin < s->end) continue;
        if (s->between) return NULL;
        error = unpack(s, data, size, got); /* what the unpacker still holds */
        if (error || *got || s->between) return error;
        return named(s, s->packing == CLI_GZIP ? "cut short: it ends within its gzip data"
                                               : "cut short: it ends within its zstd data");
    }
    return NULL;
}

char *cli_stream_read(struct cli_stream *stream, void *data, size_t size, size_t *got) {
    struct cli_stream *s = stream;
    *got = 0;
    if (s->stopped || !size) return NULL;
    if (s->packing) return read_packed(s, data, size, got);
    if (s->begin == s->end) {
        char *error = fill(s);
        if (error || s->stopped) return error;
    }
    *got = s->end - s->begin < size ? s->end - s->begin : size;
    memcpy(data, s->raw + s->begin, *got);
    s->begin += *got;
    return NULL;
}
