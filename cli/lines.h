/* Lines of a file descriptor, one at a time, in bounded memory. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stddef.h>

#define CLI_LINE_BYTES (16u << 20) /* longest line */

enum cli_input {
    CLI_INPUT_READY, /* here is one */
    CLI_INPUT_WAIT,  /* nothing now: wait until the descriptor is readable */
    CLI_INPUT_END,
    CLI_INPUT_FAILED,   /* reading failed; errno in error_number */
    CLI_INPUT_TOO_LONG, /* a line of more than CLI_LINE_BYTES was skipped */
};

struct cli_lines {
    int fd;
    char *data;
    size_t capacity, begin, end; /* unread bytes are data[begin..end) */
    int at_end, skipping;
    int error_number;
    unsigned long long number; /* of the line returned last, from 1 */
};

void cli_lines_init(struct cli_lines *lines, int fd); /* fd stays the caller's */
void cli_lines_free(struct cli_lines *lines);

/* The line without its newline; valid until the next call. Never blocks; the last line may lack its newline. */
enum cli_input cli_lines_next(struct cli_lines *lines, char **line, size_t *size);

#endif
