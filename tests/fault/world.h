/*
 * What the tests read: a copy of the sample, some values made longer than a page, and a second run of it in which one
 * shard has other values and payloads and the other is the same. sqlite3 says what the keys and values are.
 */
#ifndef SHF_TESTS_FAULT_WORLD_H
#define SHF_TESTS_FAULT_WORLD_H

#include <shardyfusion/shardyfusion.h>

#include <stdbool.h>
#include <stddef.h>

#define WORLD_RUNS 2
#define WORLD_DIMENSION 384
#define WORLD_QUERIES 3
#define WORLD_LONG_KEYS 2 /* the first rows: values on overflow pages, one in each shard */

enum world_pointer {
    WORLD_FIRST,     /* run 0 */
    WORLD_SECOND,    /* run 1: shard 0 is another, shard 1 the same */
    WORLD_MALFORMED, /* a manifest that is none */
    WORLD_DANGLING,  /* a manifest that is not there */
    WORLD_ABSENT     /* no _CURRENT */
};

struct world_row {
    char *key;
    unsigned char *values[WORLD_RUNS];
    size_t sizes[WORLD_RUNS];
};
struct world {
    char *root, *snapshot; /* a directory, and the snapshot's in it */
    struct world_row *rows;
    size_t row_count;
    unsigned char *queries[WORLD_QUERIES]; /* WORLD_DIMENSION floats each */
};
extern struct world world;

/* The objects but for the pointer: keys below the snapshot's prefix. */
#define WORLD_OBJECTS 6
extern const char *const world_objects[WORLD_OBJECTS];

void world_begin(void);
void world_end(void);
void world_publish(enum world_pointer pointer);
/* What _CURRENT holds then; NULL for WORLD_ABSENT. */
const char *world_pointer_text(enum world_pointer pointer);
shf_key world_key(size_t row);
bool world_value_is(size_t row, int run, const shf_value *value);

#endif
