/*
 * Which faults a run of these tests injects, and what came of them. SHF_FAULT_EXHAUSTIVE=1: all. Otherwise a sample that
 * SHF_FAULT_SEED chooses (a number; the clock's where it is not set), printed so that a failure can be run again; with
 * SHF_FAULT_ONLY=TEXT only sweeps whose name has that text in it.
 */
#ifndef SHF_TESTS_FAULT_PLAN_H
#define SHF_TESTS_FAULT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* Group set-up and tear-down: reads the environment; prints the counts. */
void plan_begin(void);
void plan_end(const char *title);

bool plan_wants(const char *sweep);

/* What failed, where: the message of every failure until the next one. Also what the watchdog prints when a run hangs. */
void plan_at(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints it and goes on; plan_assert fails the test then. */
void plan_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void plan_assert(void);
_Noreturn void plan_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How one run ended. */
void plan_count_site(uint64_t sites); /* places where a fault can strike, found by a run without any */
void plan_count_answer(void);
void plan_count_error(void);
void plan_count_fault(void);

/*
 * Runs `run` with a fault at each of the ordinals 1, 2, ... : all, until one is not reached any more (run returns false;
 * at most `sites` and some more, since threads make the number vary); or a sample of `samples` of the first `sites`.
 */
typedef bool plan_run(void *context, uint32_t ordinal);
void plan_sweep(const char *name, uint32_t sites, uint32_t samples, plan_run *run, void *context);

/* Of `count` things, whether this one belongs to the sample of `samples`; always when all are wanted. */
bool plan_picks(const char *name, uint32_t index, uint32_t count, uint32_t samples);

#endif
