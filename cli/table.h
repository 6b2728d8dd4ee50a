/* Aligned columns with a rule under the header. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/session.h"

#define CLI_TABLE_COLUMNS 16u

struct cli_table {
    size_t columns;
    bool fit; /* on a terminal, cut the last column to what is left of the width */
    const char *headers[CLI_TABLE_COLUMNS];
    bool right[CLI_TABLE_COLUMNS]; /* numbers stand at the right */
    struct cli_out *cells;         /* row after row */
    size_t cell_count, cell_capacity;
};

void cli_table_init(struct cli_table *table);
void cli_table_column(struct cli_table *table, const char *header, bool right); /* the header stays the caller's */
void cli_table_cell(struct cli_table *table, const void *data, size_t size);    /* made printable */
void cli_table_string(struct cli_table *table, const char *text);               /* NULL = empty */
void cli_table_u64(struct cli_table *table, uint64_t value);
void cli_table_print(const struct cli_table *table, struct cli_session *session);
void cli_table_free(struct cli_table *table);

#endif
