/* Queries from a file: .npy rows, or JSON lines. */
#ifndef CLI_QUERY_FILE_H
#define CLI_QUERY_FILE_H

#include "cli/lines.h"
#include "cli/npy.h"
#include "cli/query.h"

struct cli_query_file {
    const char *name;
    int fd;
    bool own_fd, is_npy;
    struct cli_npy npy;
    uint64_t next_row;
    unsigned char *row; /* one row of the array */
    struct cli_lines lines;
};

/* name "-" is standard input (JSON lines). NULL, or what is wrong, the caller's to free; close it either way. */
char *cli_query_file_open(struct cli_query_file *file, const char *name);
void cli_query_file_close(struct cli_query_file *file);
/* The next query, or *error for one that is wrong; never blocks. CLI_INPUT_FAILED: *error says why. */
enum cli_input cli_query_file_next(struct cli_query_file *file, struct cli_query *out, char **error);

/* The only vector of an .npy file. */
char *cli_query_from_file(const char *name, struct cli_query *out);

#endif
