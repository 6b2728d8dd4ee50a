/* The rows of build_vs_reference_like, read into memory: text keys, values, vectors, payloads. */
#ifndef BENCH_BUILD_ROWS_H
#define BENCH_BUILD_ROWS_H

#include "bench/ours.h"

#include <stddef.h>

#define BENCH_BUILD_VALUE_SIZE 100u

struct bench_build_rows {
    shf_row *rows; /* views into the files */
    size_t count;
    char *keys, *payloads, *values, *vectors;
};

bool bench_build_rows_load(struct bench_build_rows *rows, const char *data);
void bench_build_rows_free(struct bench_build_rows *rows);

#endif
