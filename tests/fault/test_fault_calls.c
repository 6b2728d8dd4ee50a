/*
 * System calls on files that fail: each call of each function of the seam, with each error that it may give, once and from
 * then on, and transfers that come short. What comes is the right answer or a clean error of the right code.
 */
#include "fault/calls.h"
#include "fault/drive.h"
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SAMPLED_SWEEPS 150 /* of all scenarios, calls, problems; ... */
#define SAMPLES 2          /* ... and so many calls of each */
#define MOST_PROBLEMS 7

/* What each function may give; 0 ends the list. */
static const int problems[CALLS][MOST_PROBLEMS] = {
    [CALL_OPENAT] = {EIO, ENOSPC, EINTR, EACCES, EMFILE, ENOMEM},
    [CALL_CLOSE] = {EIO, EINTR},
    [CALL_PREAD] = {EIO, EINTR, ENOMEM, PROBLEM_SHORT, PROBLEM_END},
    [CALL_PWRITE] = {EIO, ENOSPC, EINTR, ENOMEM, PROBLEM_SHORT},
    [CALL_FSTAT] = {EIO, ENOMEM},
    [CALL_FSTATAT] = {EIO, EACCES, ENOMEM},
    [CALL_FTRUNCATE] = {EIO, ENOSPC, EINTR},
    [CALL_FSYNC] = {EIO, ENOSPC, EINTR},
    [CALL_FUTIMENS] = {EIO, EACCES},
    [CALL_RENAMEAT] = {EIO, ENOSPC, EACCES, ENOMEM},
    [CALL_UNLINKAT] = {EIO, EACCES, ENOMEM},
    [CALL_MKDIRAT] = {EIO, ENOSPC, EACCES, ENOMEM, EINTR},
    [CALL_FLOCK] = {ENOLCK, EINTR, EIO},
    [CALL_MMAP] = {ENOMEM, EACCES, EMFILE},
    [CALL_MUNMAP] = {ENOMEM},
    [CALL_CLONE_FILE] = {EIO, ENOSPC, EINTR, EACCES},
    [CALL_COPY_FILE_RANGE] = {EIO, ENOSPC, EINTR, ENOMEM, EXDEV, PROBLEM_SHORT, PROBLEM_END},
    [CALL_FDOPENDIR] = {ENOMEM, EMFILE},
    [CALL_READDIR] = {EIO, EINTR},
    [CALL_CLOSEDIR] = {EIO},
};

struct sweep {
    const struct scenario *scenario;
    struct call_fault fault;
    uint32_t seen[CALLS];
};

static void arm(void *context) {
    const struct sweep *sweep = context;
    calls_arm(&sweep->fault);
}

static uint32_t disarm(void *context) {
    struct sweep *sweep = context;
    calls_disarm();
    for (int call = 0; call < CALLS; call++) sweep->seen[call] = calls_seen((enum call)call);
    return calls_failed();
}

static bool is_clean(void *context, const struct outcome *outcome) {
    const struct sweep *sweep = context;
    switch (sweep->fault.problem) {
    case EINTR:
    case PROBLEM_SHORT: return false; /* asked again: no reason to fail */
    case PROBLEM_END: return outcome->status == SHF_E_STORE_RETRY && outcome->retryable;
    case ENOMEM: return outcome->status == SHF_E_NO_MEMORY && outcome->retryable;
    case EACCES: return (outcome->status == SHF_E_ACCESS || outcome->status == SHF_E_LOCAL) && !outcome->retryable;
    default: return outcome->status == SHF_E_LOCAL && !outcome->retryable;
    }
}

static bool run(void *context, uint32_t ordinal) {
    struct sweep *sweep = context;
    const struct drive drive = {arm, disarm, is_clean, sweep};
    sweep->fault.ordinal = ordinal;
    plan_at("%s: %s %u: %s%s", sweep->scenario->name, calls_name(sweep->fault.call), ordinal,
            calls_problem_name(sweep->fault.problem), sweep->fault.for_ever ? ", from then on" : "");
    return drive_run(sweep->scenario, &drive);
}

/* What would be asked again and again, or says that something is not there, comes once only. */
static bool may_last(int problem) { return problem != EINTR && problem != PROBLEM_END; }

typedef void each_sweep(struct sweep *sweep, const uint32_t sites[CALLS]);

static void for_each(const struct scenario *scenario, const uint32_t sites[CALLS], each_sweep *each) {
    for (int call = 0; call < CALLS; call++) {
        for (int i = 0; sites[call] && i < MOST_PROBLEMS && problems[call][i]; i++) {
            for (int for_ever = 0; for_ever <= may_last(problems[call][i]); for_ever++) {
                struct sweep sweep = {.scenario = scenario};
                sweep.fault =
                    (struct call_fault){.call = (enum call)call, .for_ever = for_ever, .problem = problems[call][i]};
                each(&sweep, sites);
            }
        }
    }
}

static uint32_t sweeps, sweep_index;

static void count_sweep(struct sweep *sweep, const uint32_t sites[CALLS]) {
    (void)sweep, (void)sites;
    sweeps++;
}

static void do_sweep(struct sweep *sweep, const uint32_t sites[CALLS]) {
    char name[160];
    if (!plan_picks("calls", sweep_index++, sweeps, SAMPLED_SWEEPS)) return;
    (void)snprintf(name, sizeof name, "calls/%s/%s/%d/%d", sweep->scenario->name, calls_name(sweep->fault.call),
                   sweep->fault.problem, sweep->fault.for_ever);
    plan_sweep(name, sites[sweep->fault.call], SAMPLES, run, sweep);
}

/* Scenarios that make such calls at all. */
#define MOST_SCENARIOS 64
static uint32_t sites[MOST_SCENARIOS][CALLS];

static void test_calls(void **state) {
    (void)state;
    assert_true(scenario_count <= MOST_SCENARIOS);
    for (size_t i = 0; i < scenario_count; i++) {
        struct sweep sweep = {.scenario = &scenarios[i]};
        const struct drive dry = {arm, disarm, is_clean, &sweep};
        plan_at("%s: without a fault", scenarios[i].name);
        drive_dry(&scenarios[i], &dry); /* twice: the first one may find a cold cache */
        drive_dry(&scenarios[i], &dry);
        memcpy(sites[i], sweep.seen, sizeof sites[i]);
        for (int call = 0; call < CALLS; call++) plan_count_site(sites[i][call]);
        for_each(&scenarios[i], sites[i], count_sweep);
    }
    for (size_t i = 0; i < scenario_count; i++) {
        if (plan_wants(scenarios[i].name)) for_each(&scenarios[i], sites[i], do_sweep);
    }
    plan_assert();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};
    return fault_main("system calls", tests, 1);
}
