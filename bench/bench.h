/* What every benchmark is given, and the benchmarks. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "bench/machine.h"
#include "bench/report.h"

struct bench {
    const char *data;    /* folder that make_data.py filled */
    const char *python;  /* interpreter that has the peers' packages */
    const char *package; /* interpreter that has our Python package */
    const char *venvs;   /* VENVS-NAME/bin/python3 is an interpreter for the peers that need one of their own */
    const char *program; /* this one, to be run again where memory is measured */
    struct bench_report report;
};

/* Each adds its results to the report. False, with a message, when a call failed or an answer was wrong. */
bool bench_get_vs_lmdb(struct bench *bench);
bool bench_get_vs_sqlite(struct bench *bench);
bool bench_get_async_vs_sync(struct bench *bench);
bool bench_multi_get_vs_lmdb(struct bench *bench);
bool bench_search_vs_sqlite_vec(struct bench *bench);
bool bench_search_vs_faiss_flat(struct bench *bench);
bool bench_search_two_cores(struct bench *bench);
bool bench_batch_search_64(struct bench *bench);
bool bench_open_local(struct bench *bench);
bool bench_slatedb_get(struct bench *bench);
bool bench_slatedb_open(struct bench *bench);
bool bench_lance_search(struct bench *bench);
bool bench_py_get(struct bench *bench);
bool bench_py_multi_get_100(struct bench *bench);
bool bench_py_search(struct bench *bench);
bool bench_py_open(struct bench *bench);
bool bench_cel(struct bench *bench);
bool bench_kmeans(struct bench *bench);
bool bench_memory(struct bench *bench);
bool bench_build_vs_reference_like(struct bench *bench);
bool bench_build_kv(struct bench *bench);

/* Memory of one side's work in a child process, which prints two numbers: what it gained, and its highest. */
bool bench_memory_of(const struct bench *bench, const char *side, struct bench_memory *out);
bool bench_memory_child(const char *data, const char *side);
bool bench_build_memory_child(const char *data);

#endif
