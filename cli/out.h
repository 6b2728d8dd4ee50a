/* Where text goes: a file descriptor behind a buffer, or memory. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_OUT_BUFFER_BYTES 65536u

struct cli_out {
    int fd; /* -1 = keep everything in data (NUL-terminated) */
    char *data;
    size_t size, capacity;
    int failed; /* errno of the first write that failed; what follows is dropped */
};

void cli_out_init(struct cli_out *out, int fd);
void cli_out_free(struct cli_out *out); /* does not flush */
void cli_out_bytes(struct cli_out *out, const void *data, size_t size);
void cli_out_string(struct cli_out *out, const char *text);
void cli_out_char(struct cli_out *out, char c);
void cli_out_repeat(struct cli_out *out, char c, size_t count);
void cli_out_format(struct cli_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool cli_out_flush(struct cli_out *out); /* false when a write has failed */

/*
 * Text for a person: UTF-8 as it is, control characters as \n, \t, \r or \xHH, other bytes as \xHH. What is stored
 * in a snapshot can thus neither break a line-based format nor drive a terminal.
 */
void cli_out_printable(struct cli_out *out, const void *data, size_t size);

#endif
