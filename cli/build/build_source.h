/* All the inputs of a build, one after the other, as lines that are numbered throughout. */
#ifndef CLI_BUILD_SOURCE_H
#define CLI_BUILD_SOURCE_H

#include "cli/build/build_lines.h"
#include "cli/options.h"

struct cli_source {
    const struct cli_list *inputs;
    uint64_t memory_bytes;
    size_t longest; /* bytes that a line may have */
    const struct cli_idle *idle;
    size_t opened; /* inputs that were opened; the last of them is being read */
    bool reading;
    struct cli_stream stream;
    struct cli_line_reader reader;
    uint64_t lines;         /* read so far, over all inputs */
    uint64_t *lines_before; /* of each input that was opened */
    uint64_t taken_before;  /* bytes taken from the inputs before this one */
    bool has_total;         /* all inputs are files: */
    uint64_t total;         /* their bytes as they lie there, */
    uint64_t unpacked;      /* and about how many there will be */
};

/* Looks at every input, so that one that is not there is told of before the first is read. NULL, or what is wrong. */
char *cli_source_open(struct cli_source *source, const struct cli_list *inputs, uint64_t memory_bytes, size_t longest,
                      const struct cli_idle *idle);
void cli_source_close(struct cli_source *source);

/* As cli_line_reader_next. Its number, from 1, is source->lines. */
char *cli_source_next(struct cli_source *source, struct cli_out *text, enum cli_line *line);

uint64_t cli_source_taken(const struct cli_source *source); /* bytes of the inputs so far */
/* "FILE:LINE" of a line's number, the caller's to free. */
char *cli_source_place(const struct cli_source *source, uint64_t number);

#endif
