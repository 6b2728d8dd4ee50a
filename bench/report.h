/* The results: a table for people, JSON for scripts. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_MAX_RESULTS 64u
#define BENCH_MAX_NOTE 240u

/* Less is better in both figures; the ratio is how many times better ours is. */
struct bench_result {
    const char *name;
    double ours, peer;
    const char *unit;
    double target; /* least ratio that the project wants; 0 = none */
    double most;   /* or: the most that ours may be; 0 = not asked */
    char note[BENCH_MAX_NOTE];
};

struct bench_report {
    struct bench_result results[BENCH_MAX_RESULTS];
    size_t count;
    bool is_quiet; /* no table */
};

void bench_report_begin(const struct bench_report *report);

/* Keeps it, and prints its line at once. The note is formatted. */
void bench_report_add(struct bench_report *report, struct bench_result result, const char *note, ...)
    __attribute__((format(printf, 3, 4)));

bool bench_report_write_json(const struct bench_report *report, const char *path);

#endif
