/* What the files that read a line share: the line being read. */
#ifndef CLI_BUILD_ROW_READING_H
#define CLI_BUILD_ROW_READING_H

#include "cli/build/build_row.h"
#include "cli/build/build_scan.h"

enum member {
    KEY = 1 << 0,
    VALUE = 1 << 1,
    ID = 1 << 2,
    VECTOR = 1 << 3,
    PAYLOAD = 1 << 4,
    CONTEXT = 1 << 5,
    SHARD = 1 << 6,
    SHARD_GIVEN = 1 << 7 /* and not null */
};

struct reading {
    struct cli_scan scan;
    char *begin;
    struct cli_row_rules *rules;
    struct cli_row_memory *memory;
    struct cli_row *row;
    shf_vector_id key; /* of snapshots of vectors alone: what the line calls its key; kind 0 = nothing */
    unsigned seen;     /* members that were there */
};

/* A fault of a member: what, and where in the line. */
char *cli_reading_fault(const struct reading *r, const char *name, const char *what);
/* An integer or a string as an id. NULL, or what is wrong. */
char *cli_reading_id(struct reading *r, const char *name, shf_vector_id *id);

/* Of snapshots of vectors alone, build_row_vector.c: members, and what must hold when all were read. */
char *cli_vector_row_key(struct reading *r);
char *cli_vector_row_value(struct reading *r);
char *cli_vector_row_shard(struct reading *r);
char *cli_vector_row_check(struct reading *r);

#endif
