/* Opening, looking up, searching, and how long each takes. */
#ifndef DEMO_MEASURE_H
#define DEMO_MEASURE_H

#include "demo/answers.h"
#include "demo/numbers.h"

#include <shardyfusion/shardyfusion.h>

#define DEMO_TOP_K 10u
#define DEMO_STREAM_LOOKUPS 1000000u
#define DEMO_STREAM_WINDOW 256u

struct demo_run {
    shf_runtime *runtime;
    shf_cq *cq;
    shf_reader *reader;
    const struct demo_questions *questions;
    struct demo_numbers numbers;
    size_t wrong; /* answers that differ from the recorded ones */
};

/* Prints why a call failed and releases op. Always false. */
bool demo_failed(const char *what, shf_status status, shf_op *op);

/* *open_op holds the open's particulars; the caller's to release. */
bool demo_open(struct demo_run *run, const char *url, const char *cache, shf_op **open_op);

/* Fill the numbers. False, with a message, when a call fails. */
bool demo_measure_lookups(struct demo_run *run);
bool demo_measure_searches(struct demo_run *run);
bool demo_measure_stream(struct demo_run *run);

#endif
