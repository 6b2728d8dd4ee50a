/* This library, opened for a benchmark. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include <shardyfusion/shardyfusion.h>

#include <stdbool.h>

#define BENCH_CACHE "cache"

struct bench_ours {
    shf_runtime *runtime;
    shf_reader *reader;
    shf_cq *cq;
};

/* Prints why a call failed and releases op. Always false. */
bool bench_failed(const char *what, shf_status status, shf_op *op);

/* Opens DATA/name with so many workers (0 = one a core); the local cache is DATA/cache, or the other one named. */
bool bench_ours_open(struct bench_ours *ours, const char *data, const char *name, uint32_t workers);
bool bench_ours_open_in(struct bench_ours *ours, const char *data, const char *name, uint32_t workers, const char *cache);
void bench_ours_close(struct bench_ours *ours);

/* Removes a local cache, which no reader uses. */
bool bench_ours_forget(const char *data, const char *cache);

#endif
