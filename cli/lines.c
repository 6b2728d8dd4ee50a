#include "cli/lines.h"

#include "cli/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_BUFFER_BYTES 65536u

void cli_lines_init(struct cli_lines *lines, int fd) { *lines = (struct cli_lines){.fd = fd}; }

void cli_lines_free(struct cli_lines *lines) { free(lines->data); }

static void make_room(struct cli_lines *lines) {
    size_t unread = lines->end - lines->begin;
    if (lines->begin) memmove(lines->data, lines->data + lines->begin, unread);
    lines->begin = 0;
    lines->end = unread;
    if (lines->end < lines->capacity) return;
    lines->capacity = lines->capacity ? lines->capacity * 2 : FIRST_BUFFER_BYTES;
    lines->data = cli_realloc_array(lines->data, lines->capacity, 1);
}

static enum cli_input read_more(struct cli_lines *lines) {
    struct pollfd ready = {lines->fd, POLLIN, 0};
    if (lines->end == lines->capacity) make_room(lines);
    int polled = poll(&ready, 1, 0);
    if (polled == 0 || (polled < 0 && errno == EINTR)) return CLI_INPUT_WAIT;
    ssize_t n = read(lines->fd, lines->data + lines->end, lines->capacity - lines->end);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return CLI_INPUT_WAIT;
    if (n < 0) {
        lines->error_number = errno;
        return CLI_INPUT_FAILED;
    }
    lines->end += (size_t)n;
    lines->at_end = n == 0;
    return CLI_INPUT_READY;
}

enum cli_input cli_lines_next(struct cli_lines *lines, char **line, size_t *size) {
    size_t searched = 0; /* unread bytes known to hold no newline */
    for (;;) {
        size_t unread = lines->end - lines->begin;
        char *start = unread ? lines->data + lines->begin : NULL;
        char *newline = unread > searched ? memchr(start + searched, '\n', unread - searched) : NULL;
        if (newline || (lines->at_end && (unread || lines->skipping))) {
            size_t length = newline ? (size_t)(newline - start) : unread;
            int skipped = lines->skipping || length > CLI_LINE_BYTES;
            lines->begin += length + (newline ? 1 : 0);
            lines->skipping = 0;
            lines->number++;
            *line = start;
            *size = length;
            return skipped ? CLI_INPUT_TOO_LONG : CLI_INPUT_READY;
        }
        if (lines->at_end) return CLI_INPUT_END;
        searched = unread;
        if (unread > CLI_LINE_BYTES) {
            lines->skipping = 1;
            lines->begin = lines->end = 0;
            searched = 0;
        }
        enum cli_input read_state = read_more(lines);
        if (read_state != CLI_INPUT_READY) return read_state;
    }
}
