/* Clock, medians, and rounds that alternate between ours and a peer. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double bench_now(void); /* nanoseconds */

double bench_median(double *values, size_t count); /* sorts them */

/* The same numbers on every machine (splitmix64). */
uint64_t bench_random(uint64_t *state);

/* One round: nanoseconds an operation, or negative after a failure that it has reported. `round` counts from 0, and
 * is the same for both sides, so that both do the same work. */
typedef double bench_round(void *context, unsigned round);

struct bench_side {
    bench_round *run;
    void *context;
};

struct bench_times {
    double ours, peer; /* medians over the rounds */
    double ours_best, peer_best;
};

/* Two warming rounds of each, then `rounds` pairs; who begins changes from pair to pair. False after a failure. */
bool bench_alternate(struct bench_side ours, struct bench_side peer, unsigned rounds, struct bench_times *out);

#define BENCH_MAX_SIDES 6u

/* Any number of sides, for work of seconds: one warming round, then `rounds`; who begins changes from round to round.
 * `bests` may be NULL. */
bool bench_take_turns(const struct bench_side *sides, unsigned count, unsigned rounds, double *medians, double *bests);

#endif
