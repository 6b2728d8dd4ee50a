/* The columns that a snapshot's sharding reads, and what was typed for them. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "cli/context.h"

/* Reads typed values again as of the types that the snapshot declares. Returns NULL, or what is wrong. */
char *cli_columns_apply(const shf_snapshot *snapshot, struct cli_context *context);

#endif
