/*
 * Requests of a store that fail, wait or come out wrong: each request of an operation, in each way, once and from then on.
 * The store is in memory; what only HTTP can do is in test_fault_http.c.
 */
#include "fault/drive.h"
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"
#include "fault/stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define SAMPLED_SWEEPS 40
#define SAMPLES 2
#define STALL_MS 150 /* deadline of an operation that is to meet a silent store */

/* What may come of it: the scripted status, and others that it leads to; 0 ends the list. */
struct kind {
    const char *name;
    struct shf_fault_rule rule;
    int64_t timeout_ms;
    shf_status also[3];
};
#define FAIL(name, code, http, ...)                                                                                    \
    {                                                                                                                  \
        name, {.kind = SHF_FAULT_FAIL, .status = (code), .http_status = (http)}, 0, { __VA_ARGS__ }                    \
    }

static const struct kind kinds[] = {
    FAIL("HTTP 503", SHF_E_STORE_RETRY, 503, 0),
    FAIL("reset", SHF_E_STORE_RETRY, 0, 0),
    FAIL("HTTP 403", SHF_E_ACCESS, 403, 0),
    FAIL("HTTP 404", SHF_E_NOT_FOUND, 404, SHF_E_STATE),   /* no pointer: nothing to serve */
    FAIL("HTTP 412", SHF_E_STORE, 412, SHF_E_STORE_RETRY), /* replaced: asked for again, once */
    FAIL("too large", SHF_E_LIMIT, 0, SHF_E_STORE_RETRY),  /* likewise */
    FAIL("HTTP 400", SHF_E_STORE, 400, 0),
    FAIL("no memory", SHF_E_NO_MEMORY, 0, 0),
    FAIL("cancelled by nobody", SHF_E_CANCELLED, 0, 0),
    FAIL("local", SHF_E_LOCAL, 0, 0),
    {"delay", {.kind = SHF_FAULT_DELAY, .amount = 3}, 0, {0}},
    {"stall", {.kind = SHF_FAULT_STALL, .status = SHF_E_DEADLINE}, STALL_MS, {0}},
    {"empty", {.kind = SHF_FAULT_TRUNCATE}, 0, {SHF_E_MANIFEST, SHF_E_STATE, SHF_E_STORE_RETRY}},
    {"cut", {.kind = SHF_FAULT_TRUNCATE, .amount = 100}, 0, {SHF_E_MANIFEST, SHF_E_STATE, SHF_E_STORE_RETRY}},
    {"lost", {.kind = SHF_FAULT_LOSE, .status = SHF_E_STORE_RETRY}, 0, {0}},
    {"longer", {.kind = SHF_FAULT_EXTRA, .amount = 1}, 0, {SHF_E_MANIFEST, SHF_E_STATE, SHF_E_STORE_RETRY}},
    {"another ETag", {.kind = SHF_FAULT_WRONG_ETAG}, 0, {SHF_E_STORE_RETRY}},
};
#define KINDS ((uint32_t)(sizeof kinds / sizeof kinds[0]))

struct sweep {
    const struct scenario *scenario;
    const struct kind *kind; /* NULL: none */
    uint32_t ordinal, seen;
    bool for_ever;
};

static void arm(void *context) {
    const struct sweep *sweep = context;
    shf_store_fault_reset(stand_in_store());
    if (!sweep->kind) return;
    struct shf_fault_rule rule = sweep->kind->rule;
    rule.first = sweep->ordinal;
    rule.count = sweep->for_ever ? 0 : 1;
    assert_true(shf_store_fault_add(stand_in_store(), &rule));
    session_timeout_ms = sweep->kind->timeout_ms;
    session_manifests_may_go = rule.status == SHF_E_NOT_FOUND || sweep->kind->also[0] == SHF_E_MANIFEST;
}

static uint32_t disarm(void *context) {
    struct sweep *sweep = context;
    sweep->seen = (uint32_t)shf_store_fault_seen(stand_in_store(), 0);
    shf_store_fault_reset(stand_in_store());
    session_timeout_ms = 0;
    session_manifests_may_go = false;
    return sweep->kind && sweep->seen >= sweep->ordinal;
}

/* What a writer says beyond the fault itself. */
static bool is_of_a_writer(const struct kind *kind, const struct outcome *outcome) {
    bool was_refused = kind->rule.http_status == 412 || kind->rule.kind == SHF_FAULT_WRONG_ETAG;
    if (outcome->status == SHF_E_STATE) return was_refused && strstr(outcome->message, "lost its lease");
    return outcome->status == SHF_E_STORE_RETRY && strstr(outcome->message, "is not known");
}

static bool is_clean(void *context, const struct outcome *outcome) {
    const struct sweep *sweep = context;
    const struct kind *kind = sweep->kind;
    if (sweep->scenario->writes && is_of_a_writer(kind, outcome)) return true;
    bool is_retryable =
        outcome->status == SHF_E_STORE_RETRY || outcome->status == SHF_E_NO_MEMORY || outcome->status == SHF_E_DEADLINE;
    if (outcome->retryable != is_retryable) return false;
    if (outcome->status == kind->rule.status) return outcome->http_status == kind->rule.http_status;
    for (size_t i = 0; i < 3 && kind->also[i]; i++) {
        if (outcome->status == kind->also[i]) return true;
    }
    return false;
}

static bool run(void *context, uint32_t ordinal) {
    struct sweep *sweep = context;
    const struct drive drive = {arm, disarm, is_clean, sweep, sweep->kind->timeout_ms > 0};
    sweep->ordinal = ordinal;
    plan_at("%s: request %u: %s%s", sweep->scenario->name, ordinal, sweep->kind->name,
            sweep->for_ever ? ", from then on" : "");
    return drive_run(sweep->scenario, &drive);
}

static void do_sweep(struct sweep *sweep, uint32_t sites) {
    char name[160];
    (void)snprintf(name, sizeof name, "store/%s/%s/%d", sweep->scenario->name, sweep->kind->name, sweep->for_ever);
    plan_sweep(name, sites, SAMPLES, run, sweep);
}

static uint32_t count_requests(const struct scenario *scenario) {
    struct sweep sweep = {.scenario = scenario};
    const struct drive dry = {arm, disarm, is_clean, &sweep, false};
    plan_at("%s: without a fault", scenario->name);
    drive_dry(scenario, &dry); /* twice: the first one may find a cold cache */
    drive_dry(scenario, &dry);
    return sweep.seen;
}

static void test_requests(void **state) {
    (void)state;
    uint32_t sweeps = 0, index = 0;
    for (size_t i = 0; i < scenario_count; i++) sweeps += scenarios[i].over_store ? KINDS * 2 : 0;
    for (size_t i = 0; i < scenario_count; i++) {
        if (!scenarios[i].over_store) continue;
        uint32_t sites = plan_wants(scenarios[i].name) ? count_requests(&scenarios[i]) : 0;
        plan_count_site(sites);
        for (uint32_t kind = 0; kind < KINDS; kind++) {
            for (int for_ever = 0; for_ever < 2; for_ever++) {
                struct sweep sweep = {.scenario = &scenarios[i], .kind = &kinds[kind], .for_ever = for_ever};
                bool is_picked = plan_picks("store", index++, sweeps, SAMPLED_SWEEPS);
                /* The last word of a writer's lease has a patience of its own, half a minute. */
                if (is_picked && sites && !(sweep.kind->timeout_ms && scenarios[i].writes)) do_sweep(&sweep, sites);
            }
        }
    }
    plan_assert();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests)};
    return fault_main("requests of stores", tests, 1);
}
