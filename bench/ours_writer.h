/* This library's writer, as the benchmarks of building use it. */
#ifndef BENCH_OURS_WRITER_H
#define BENCH_OURS_WRITER_H

#include "bench/ours.h"

struct bench_writer {
    shf_runtime *runtime;
    shf_writer *writer;
};

/* What a publish said. */
struct bench_built {
    uint64_t rows, db_bytes, spilled_bytes;
    double sort_ns, build_ns, publish_ns;
};

/* Begins a snapshot at DATA/name with a runtime of its own; memory_budget_bytes 0 = the default. */
bool bench_writer_open(struct bench_writer *writer, const char *data, const char *name, uint64_t memory_budget_bytes,
                       shf_writer_options *options);
bool bench_writer_add(struct bench_writer *writer, const shf_row *rows, size_t count);
/* Publishes and closes the writer, and frees the runtime. */
bool bench_writer_publish(struct bench_writer *writer, struct bench_built *out);
/* After a failure. NULL fields are fine. */
void bench_writer_drop(struct bench_writer *writer);

/* Removes DATA/name and all below it; fine when there is none. */
void bench_remove_tree(const char *data, const char *name);

#endif
