#include "bench/measure.h"

#include <stdlib.h>
#include <time.h>

#define WARMING_ROUNDS 2u
#define MAX_ROUNDS 64u

double bench_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count ? values[count / 2] : 0;
}

uint64_t bench_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

bool bench_alternate(struct bench_side ours, struct bench_side peer, unsigned rounds, struct bench_times *out) {
    double ours_times[MAX_ROUNDS], peer_times[MAX_ROUNDS];
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    for (unsigned i = 0; i < WARMING_ROUNDS + rounds; i++) {
        unsigned slot = i < WARMING_ROUNDS ? 0 : i - WARMING_ROUNDS;
        for (unsigned turn = 0; turn < 2; turn++) {
            bool is_ours = turn == i % 2;
            double time = is_ours ? ours.run(ours.context, i) : peer.run(peer.context, i);
            if (time < 0) return false;
            (is_ours ? ours_times : peer_times)[slot] = time;
        }
    }
    out->ours = bench_median(ours_times, rounds);
    out->peer = bench_median(peer_times, rounds);
    out->ours_best = ours_times[0]; /* sorted now */
    out->peer_best = peer_times[0];
    return true;
}

bool bench_take_turns(const struct bench_side *sides, unsigned count, unsigned rounds, double *medians, double *bests) {
    double times[BENCH_MAX_SIDES][MAX_ROUNDS];
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    for (unsigned i = 0; i <= rounds; i++) {
        for (unsigned turn = 0; turn < count; turn++) {
            unsigned side = (turn + i) % count;
            double time = sides[side].run(sides[side].context, i);
            if (time < 0) return false;
            times[side][i ? i - 1 : 0] = time;
        }
    }
    for (unsigned side = 0; side < count; side++) {
        medians[side] = bench_median(times[side], rounds);
        if (bests) bests[side] = times[side][0]; /* sorted now */
    }
    return true;
}
