/* Values of a flag that may be repeated; they belong to the command line. */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include <stddef.h>

struct cli_list {
    const char **items;
    size_t count;
};

#endif
