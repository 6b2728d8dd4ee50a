/* Lines of an input, however long a budget lets them be. */
#ifndef CLI_BUILD_LINES_H
#define CLI_BUILD_LINES_H

#include "cli/build/build_input.h"
#include "cli/out.h"

enum cli_line {
    CLI_LINE_READY,
    CLI_LINE_END,
    CLI_LINE_TOO_LONG, /* it was passed over */
    CLI_LINE_STOPPED   /* an interrupt came */
};

struct cli_line_reader {
    struct cli_stream *stream;
    char *chunk; /* bytes read and not yet given out are chunk[begin..end) */
    size_t begin, end;
    size_t longest; /* bytes that a line may have */
    bool ended;
};

void cli_line_reader_init(struct cli_line_reader *reader, struct cli_stream *stream, size_t longest);
void cli_line_reader_free(struct cli_line_reader *reader);
/* Appends the next line, without its newline, to `text` (memory). The last one may lack its newline. NULL, or what is
 * wrong with the input. */
char *cli_line_reader_next(struct cli_line_reader *reader, struct cli_out *text, enum cli_line *line);

#endif
