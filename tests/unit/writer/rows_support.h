/* What the tests of the rows' store share: rows that follow from a seed, a driver that waits, and what must come out. */
#ifndef TESTS_UNIT_WRITER_ROWS_SUPPORT_H
#define TESTS_UNIT_WRITER_ROWS_SUPPORT_H

#include "writer/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>

/* How rows look; all else follows from the number of the row. */
struct rows_shape {
    uint64_t seed;
    size_t count;
    uint32_t key_kinds;                          /* so many different keys at most */
    uint32_t prefix_bytes;                       /* that all keys begin with, some bytes varied after it */
    uint32_t most_value, huge_every, huge_value; /* each huge_every-th row has a value of huge_value bytes; 0: none */
    uint32_t dimension;
};

struct rows_case {
    struct rows_shape shape;
    uint64_t memory_bytes;
    uint32_t num_dbs, max_runs;
    bool late; /* num_dbs is told at the end */
    bool last_wins;
    bool by_vector;   /* which decides the shard */
    uint32_t threads; /* that add, and that merge */
};

struct rows_run_of_test {
    const struct rows_case *c;
    shf_runtime *runtime;
    struct shf_rows *rows;
    int scratch_fd;
    sem_t room, done, stopped;
    atomic_uint waiters;
    shf_status status;
    struct shf_error *error;
    atomic_size_t next; /* row to be added */
};

uint64_t rows_random(uint64_t *state);

/* The row of this number, in `bytes`, which grows; free(*bytes) in the end. */
void rows_make(const struct rows_shape *shape, size_t number, struct shf_rows_row *out, uint8_t **bytes, size_t *size);
/* Fails the test when it is not that row. */
void rows_expect(const struct rows_shape *shape, size_t number, const struct shf_rows_row *row);

/* The first is SHF_OK or how new failed. The error is in t->error in each. */
shf_status rows_begin(struct rows_run_of_test *t, const struct rows_case *c, shf_runtime *runtime, int scratch_fd);
shf_status rows_add_all(struct rows_run_of_test *t); /* by c->threads threads */
shf_status rows_finish(struct rows_run_of_test *t, const struct shf_cancel *cancel);
/* Reads all shards by c->threads threads, and compares. SHF_OK or the first failure. */
shf_status rows_check(struct rows_run_of_test *t);
void rows_end(struct rows_run_of_test *t); /* stops and frees */

/*
 * All of it, with a runtime of two workers and a new directory, which must be empty afterwards, and the budget unused.
 * How often the rows were written to files.
 */
uint64_t rows_all(const struct rows_case *c);

shf_runtime *rows_runtime(uint64_t budget_bytes);
uint64_t rows_budget_used(shf_runtime *runtime);
int rows_scratch(char **path);             /* a new directory */
void rows_scratch_end(int fd, char *path); /* must be empty */

#endif
