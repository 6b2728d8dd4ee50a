#include "cli/out.h"

#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_out_init(struct cli_out *out, int fd) { *out = (struct cli_out){.fd = fd}; }

void cli_out_free(struct cli_out *out) {
    free(out->data);
    *out = (struct cli_out){.fd = -1};
}

bool cli_out_flush(struct cli_out *out) {
    size_t done = 0;
    if (out->fd < 0) return true;
    while (!out->failed && done < out->size) {
        ssize_t n = write(out->fd, out->data + done, out->size - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {out->fd, POLLOUT, 0};
            poll(&wait, 1, 1000);
            if (cli_interrupted()) out->failed = EINTR;
        } else if (errno != EINTR || cli_interrupted()) {
            out->failed = errno;
        }
    }
    out->size = 0;
    return !out->failed;
}

static void reserve(struct cli_out *out, size_t more) {
    if (out->fd >= 0) {
        if (!out->data) out->data = cli_alloc(out->capacity = CLI_OUT_BUFFER_BYTES);
        if (out->capacity - out->size < more) cli_out_flush(out);
        return;
    }
    if (out->capacity - out->size > more) return; /* one byte is kept for the NUL */
    size_t wanted = out->capacity ? out->capacity : 128;
    while (wanted - out->size <= more) wanted = wanted > SIZE_MAX / 2 ? SIZE_MAX : wanted * 2;
    out->data = cli_realloc_array(out->data, wanted, 1);
    out->capacity = wanted;
}

void cli_out_bytes(struct cli_out *out, const void *data, size_t size) {
    const char *from = data;
    while (size && !out->failed) {
        size_t piece = out->fd >= 0 && size > CLI_OUT_BUFFER_BYTES / 2 ? CLI_OUT_BUFFER_BYTES / 2 : size;
        reserve(out, piece);
        memcpy(out->data + out->size, from, piece);
        out->size += piece;
        from += piece;
        size -= piece;
    }
    if (out->fd < 0) {
        reserve(out, 0);
        out->data[out->size] = '\0';
    }
}

void cli_out_string(struct cli_out *out, const char *text) { cli_out_bytes(out, text, strlen(text)); }

void cli_out_char(struct cli_out *out, char c) { cli_out_bytes(out, &c, 1); }

void cli_out_repeat(struct cli_out *out, char c, size_t count) {
    while (count--) cli_out_char(out, c);
}

void cli_out_format(struct cli_out *out, const char *format, ...) {
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        out->failed = ENOMEM;
        return;
    }
    cli_out_bytes(out, text, (size_t)size);
    free(text);
}

void cli_out_printable(struct cli_out *out, const void *data, size_t size) {
    const unsigned char *p = data;
    while (size) {
        uint32_t point;
        size_t length = cli_utf8_next(p, size, &point);
        if (length && (point == '\n' || point == '\t' || point == '\r')) {
            cli_out_string(out, point == '\n' ? "\\n" : point == '\t' ? "\\t" : "\\r");
        } else if (!length || point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            length = length ? length : 1;
            for (size_t i = 0; i < length; i++) cli_out_format(out, "\\x%02x", p[i]);
        } else {
            cli_out_bytes(out, p, length);
        }
        p += length;
        size -= length;
    }
}
