#include "fault/drive.h"
#include "fault/memory.h"
#include "fault/plan.h"
#include "fault/sweeps.h"

#include <stddef.h>
#include <stdio.h>

struct fault {
    const struct scenario *scenario;
    uint32_t ordinal; /* 0: none */
    bool for_ever;
    uint32_t seen;
};

static void arm(void *context) {
    const struct fault *fault = context;
    memory_arm(fault->ordinal, fault->for_ever);
}

static uint32_t disarm(void *context) {
    struct fault *fault = context;
    memory_disarm();
    fault->seen = memory_seen();
    return memory_failed();
}

static bool is_clean(void *context, const struct outcome *outcome) {
    (void)context;
    return outcome->status == SHF_E_NO_MEMORY && outcome->retryable;
}

static bool run(void *context, uint32_t ordinal) {
    struct fault *fault = context;
    const struct drive drive = {arm, disarm, is_clean, fault, false};
    fault->ordinal = ordinal;
    plan_at("%s: allocation %u%s", fault->scenario->name, ordinal, fault->for_ever ? " and all later ones" : "");
    return drive_run(fault->scenario, &drive);
}

void sweep_allocations(const struct scenario *scenario, uint32_t samples) {
    struct fault fault = {.scenario = scenario};
    const struct drive dry = {arm, disarm, is_clean, &fault, false};
    plan_at("%s: without a fault", scenario->name);
    drive_dry(scenario, &dry); /* twice: the first one may find a cold cache */
    drive_dry(scenario, &dry);
    uint32_t sites = fault.seen;
    plan_count_site(sites);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        char name[128];
        (void)snprintf(name, sizeof name, "memory/%s/%d", scenario->name, for_ever);
        fault.for_ever = for_ever;
        plan_sweep(name, sites, samples, run, &fault);
    }
}
