/* Lines that are read, parsed and written together. */
#ifndef CLI_BUILD_BATCH_H
#define CLI_BUILD_BATCH_H

#include "cli/build/build_row.h"
#include "cli/build/build_source.h"
#include "cli/build/build_vectors.h"

#define CLI_BATCH_BYTES (512u << 10) /* of text and vectors, about; a longer line is a batch by itself */
#define CLI_BATCH_LINES 4096u

struct cli_batch_line {
    size_t offset, size; /* in text */
    size_t vector;       /* in memory.floats, where vectors come from a file */
    uint64_t number;     /* over all inputs */
    char *error;         /* what is wrong with it; NULL = it is a row */
};

struct cli_batch {
    struct cli_out text;
    struct cli_row_memory memory;
    struct cli_batch_line *lines;
    struct cli_row *rows;
    shf_row *given; /* those without an error, as the library takes them */
    size_t line_count, row_count;
    uint64_t bytes; /* of the rows: what counts is data, not JSON around it */
};

/* What batches are made of. */
struct cli_feed {
    struct cli_source *source;
    struct cli_vectors *vectors; /* NULL = none */
    struct cli_row_rules rules;
    bool stop_at_error;  /* what follows a bad line does not matter */
    uint64_t line_total; /* lines that are not blank */
    bool ended, stopped; /* at the end of the inputs; an interrupt came */
    bool vectors_ended;  /* while there were lines left; those are counted in line_total alone */
};

void cli_batch_init(struct cli_batch *batch);
void cli_batch_free(struct cli_batch *batch);
/* Empties it, and gives back memory that a large line took. */
void cli_batch_clear(struct cli_batch *batch);
/* Fills an empty batch with lines, then parses them. NULL, or what is wrong with an input. */
char *cli_batch_fill(struct cli_batch *batch, struct cli_feed *feed);
/* Drops a row that the library refused. */
void cli_batch_drop(struct cli_batch *batch, size_t row);
/* True for one that holds a large line: nothing else should be in memory beside it. */
bool cli_batch_is_large(const struct cli_batch *batch);

#endif
