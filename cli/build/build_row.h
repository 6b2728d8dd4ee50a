/* One line of JSON as one row. */
#ifndef CLI_BUILD_ROW_H
#define CLI_BUILD_ROW_H

#include "cli/build/build_context.h"
#include "cli/build/build_options.h"
#include "cli/options.h"
#include "cli/out.h"

#include <shardyfusion/writer.h>

/* How lines are read, and what the rows so far have decided. */
struct cli_row_rules {
    enum cli_key_format key_format;
    enum cli_value_format value_format;
    const char *key_encoding; /* NULL = by the first key */
    enum cli_backend backend; /* AUTO until the first row: it has a vector or not */
    bool has_vector_file;     /* vectors come from there */
    bool backend_was_given;
    uint32_t key_kind;                 /* SHF_KEY_* of the first key; 0 = none yet */
    uint32_t dimension;                /* of the first vector; 0 = none yet */
    const char *dimension_of;          /* what says the dimension, if not the first vector */
    enum cli_vector_sharding sharding; /* of CLI_BACKEND_VECTOR */
    const struct cli_columns *columns; /* of the expression that shards; NULL = there is none */
    bool ignored;                      /* rows have members that this snapshot does not store */
};

/* Memory that rows of one batch share; what grows may move, so rows hold offsets until all are read. */
struct cli_row_memory {
    struct cli_out text; /* payloads, and values that are JSON */
    struct cli_context_memory contexts;
    float *floats;
    size_t float_count, float_capacity;
};
float *cli_row_memory_floats(struct cli_row_memory *memory, size_t count); /* appends so many */
void cli_row_memory_free(struct cli_row_memory *memory);

struct cli_row {
    shf_row row; /* payload.data, value.data (where has_text_value), vector and context are still to be set */
    struct cli_row_context context;
    size_t payload, value, vector;
    bool has_payload, has_text_value;
};

/*
 * Reads one line, in place: `line` changes, a NUL follows it, and the row points into it. vector: offset of the line's
 * vector in memory->floats where the vectors come from a file. NULL, or what is wrong, the caller's to free.
 */
char *cli_row_parse(char *line, size_t size, struct cli_row_rules *rules, struct cli_row_memory *memory, size_t vector,
                    struct cli_row *out);
/* Sets the pointers into `memory`, which no longer moves. */
void cli_row_settle(struct cli_row *row, const struct cli_row_memory *memory);

#endif
