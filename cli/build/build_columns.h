/* The columns of an expression that shards (--cel-column), and their values in a line. */
#ifndef CLI_BUILD_COLUMNS_H
#define CLI_BUILD_COLUMNS_H

#include "cli/build/build_scan.h"
#include "cli/list.h"

#include <shardyfusion/types.h>

#define CLI_MAX_COLUMNS 256u

struct cli_column {
    char *name;
    const char *type; /* "int", as the library wants it */
    uint32_t kind;    /* SHF_CONTEXT_* */
};
struct cli_columns {
    struct cli_column *items;
    size_t count;
    size_t key; /* the one that is called so; `count` = none is */
};

/* From NAME:TYPE. NULL, or what is wrong, the caller's to free; free the columns either way. */
char *cli_columns_parse(const struct cli_list *given, struct cli_columns *out);
void cli_columns_free(struct cli_columns *columns);
/* NULL: no column has this name. */
const struct cli_column *cli_columns_find(const struct cli_columns *columns, const char *name, size_t size);
/* {"region": "string"}, as shf_writer_options takes it. The caller's to free. */
char *cli_columns_text(const struct cli_columns *columns);

/*
 * A JSON value as that of a column, in place: numbers and truth values by what they are (the library judges whether they
 * fit), strings as text, or for a column of bytes as hex. NULL, or what is wrong (static). *is_null: there is no value.
 */
const char *cli_column_read(const struct cli_column *column, struct cli_scan *scan, shf_context_value *out,
                            bool *is_null);

/*
 * --routing-values as the JSON list that shf_writer_options takes: a text that begins with [ is one already; else values
 * between commas, which are integers when all of them are, and texts when not. The caller's to free.
 */
char *cli_routing_values(const char *given);

#endif
