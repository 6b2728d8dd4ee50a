/* How long something took, and whether that is too long on a machine that may have other things to do. */
#ifndef SHF_TESTS_HOSTILE_STOPWATCH_H
#define SHF_TESTS_HOSTILE_STOPWATCH_H

#include "hostile/hostile.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct stopwatch {
    double wall_ms, cpu_ms; /* of the whole process: no thread of the library is left out */
};

static inline double stopwatch_clock_ms(clockid_t clock) {
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}
static inline struct stopwatch stopwatch_start(void) {
    return (struct stopwatch){stopwatch_clock_ms(CLOCK_MONOTONIC), stopwatch_clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
}
static inline void stopwatch_add(struct stopwatch *total, const struct stopwatch *start) {
    struct stopwatch now = stopwatch_start();
    total->wall_ms += now.wall_ms - start->wall_ms;
    total->cpu_ms += now.cpu_ms - start->cpu_ms;
}
static inline void stopwatch_keep_best(struct stopwatch *best, const struct stopwatch *other) {
    if (other->wall_ms < best->wall_ms) best->wall_ms = other->wall_ms;
    if (other->cpu_ms < best->cpu_ms) best->cpu_ms = other->cpu_ms;
}
/* Where more wants to run than there are processors, the time of the processor counts. */
static inline bool stopwatch_is_too_long(const struct stopwatch *took) {
    double load = 0;
    if (took->wall_ms <= HOSTILE_MAX_MS) return false;
    bool is_busy = getloadavg(&load, 1) == 1 && load > (double)sysconf(_SC_NPROCESSORS_ONLN);
    return !is_busy || took->cpu_ms > HOSTILE_MAX_MS;
}

#endif
