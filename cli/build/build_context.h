/* What an expression that shards has to know of a line: the values of its columns. */
#ifndef CLI_BUILD_CONTEXT_H
#define CLI_BUILD_CONTEXT_H

#include "cli/build/build_columns.h"

/* Values of all rows of a batch; what grows may move, so rows hold offsets until all are read. */
struct cli_context_memory {
    shf_context_value *values;
    size_t count, capacity;
};
void cli_context_memory_free(struct cli_context_memory *memory);

struct cli_row_context {
    shf_routing_context context; /* its values are still to be set */
    size_t first;                /* in the memory */
    bool is_given;
};

/*
 * Reads the value of one column, or a JSON object of columns by name, in which other names are passed over. `spare` takes what
 * is passed over. NULL, or what is wrong (static), *where then names the column.
 */
const char *cli_row_context_value(struct cli_row_context *out, struct cli_context_memory *memory,
                                  const struct cli_column *column, struct cli_scan *scan, const char **where);
const char *cli_row_context_object(struct cli_row_context *out, struct cli_context_memory *memory,
                                   const struct cli_columns *columns, struct cli_scan *scan, struct cli_out *spare,
                                   const char **where);
/* A column that is called key is the row's key, unless it was given; without any other nothing has to be told. */
void cli_row_context_key(struct cli_row_context *out, struct cli_context_memory *memory,
                         const struct cli_columns *columns, const shf_key *key);
/* Sets the pointer into the memory, which no longer moves. NULL: the row has no context. */
const shf_routing_context *cli_row_context_settle(struct cli_row_context *out, const struct cli_context_memory *memory);

#endif
