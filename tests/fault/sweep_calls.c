#include "fault/calls.h"
#include "fault/drive.h"
#include "fault/plan.h"
#include "fault/sweeps.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PLACES 2 /* of each function, error and duration that is in the sample */
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

/*
 * Rows lie in mappings: none means that there is no memory. A shard that became shorter is a local problem. A pointer that
 * can neither be written nor read is not known.
 */
static bool is_of_a_writer(const struct sweep *sweep, const struct outcome *outcome) {
    if (outcome->status == SHF_E_NO_MEMORY) return sweep->fault.call == CALL_MMAP;
    if (outcome->status == SHF_E_LOCAL) return sweep->fault.problem == PROBLEM_END;
    return outcome->status == SHF_E_STORE_RETRY && strstr(outcome->message, "is not known");
}

static bool is_clean(void *context, const struct outcome *outcome) {
    const struct sweep *sweep = context;
    if (sweep->scenario->writes && is_of_a_writer(sweep, outcome)) return true;
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
    const struct drive drive = {arm, disarm, is_clean, sweep, false};
    sweep->fault.ordinal = ordinal;
    plan_at("%s: %s %u: %s%s", sweep->scenario->name, calls_name(sweep->fault.call), ordinal,
            calls_problem_name(sweep->fault.problem), sweep->fault.for_ever ? ", from then on" : "");
    return drive_run(sweep->scenario, &drive);
}

/* What would be asked again and again, or says that something is not there, comes once only. */
static bool may_last(int problem) { return problem != EINTR && problem != PROBLEM_END; }

static uint32_t count_sweeps(const struct sweep *sweep) {
    uint32_t count = 0;
    for (int call = 0; call < CALLS; call++) {
        for (int i = 0; sweep->seen[call] && i < MOST_PROBLEMS && problems[call][i]; i++) {
            count += 1 + may_last(problems[call][i]);
        }
    }
    return count;
}

static void sweep_one(const struct scenario *scenario, const struct call_fault *fault, uint32_t sites) {
    char name[160];
    struct sweep sweep = {.scenario = scenario, .fault = *fault};
    (void)snprintf(name, sizeof name, "calls/%s/%s/%d/%d", scenario->name, calls_name(fault->call), fault->problem,
                   fault->for_ever);
    plan_sweep(name, sites, PLACES, run, &sweep);
}

void sweep_calls(const struct scenario *scenario, uint32_t samples) {
    struct sweep dry_sweep = {.scenario = scenario};
    const struct drive dry = {arm, disarm, is_clean, &dry_sweep, false};
    plan_at("%s: without a fault", scenario->name);
    drive_dry(scenario, &dry); /* twice: the first one may find a cold cache */
    drive_dry(scenario, &dry);
    uint32_t sweeps = count_sweeps(&dry_sweep), index = 0;
    for (int call = 0; call < CALLS; call++) {
        uint32_t sites = dry_sweep.seen[call];
        plan_count_site(sites);
        for (int i = 0; sites && i < MOST_PROBLEMS && problems[call][i]; i++) {
            for (int for_ever = 0; for_ever <= may_last(problems[call][i]); for_ever++) {
                const struct call_fault fault = {
                    .call = (enum call)call, .for_ever = for_ever, .problem = problems[call][i]};
                if (plan_picks(scenario->name, index++, sweeps, samples)) sweep_one(scenario, &fault, sites);
            }
        }
    }
}
