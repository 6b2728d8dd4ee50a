/*
 * Allocations that fail: the n-th one, and the n-th one and all later ones, for every n, in every scenario. What comes is
 * the right answer or SHF_E_NO_MEMORY. Allocations of libuv, libcurl, OpenSSL, jansson and expat are not ours to fail.
 */
#include "fault/drive.h"
#include "fault/memory.h"
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define SAMPLES 10 /* of each scenario, once and for ever */

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
    const struct drive drive = {arm, disarm, is_clean, fault};
    fault->ordinal = ordinal;
    plan_at("%s: allocation %u%s", fault->scenario->name, ordinal, fault->for_ever ? " and all later ones" : "");
    return drive_run(fault->scenario, &drive);
}

static void test_allocations(void **state) {
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        if (!plan_wants(scenarios[i].name)) continue;
        struct fault fault = {.scenario = &scenarios[i]};
        const struct drive dry = {arm, disarm, is_clean, &fault};
        plan_at("%s: without a fault", scenarios[i].name);
        drive_dry(&scenarios[i], &dry); /* twice: the first one may find a cold cache */
        drive_dry(&scenarios[i], &dry);
        uint32_t sites = fault.seen;
        plan_count_site(sites);
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            char name[128];
            (void)snprintf(name, sizeof name, "memory/%s/%d", scenarios[i].name, for_ever);
            fault.for_ever = for_ever;
            plan_sweep(name, sites, SAMPLES, run, &fault);
        }
    }
    plan_assert();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations)};
    return fault_main("allocations", tests, 1);
}
