#include "fault/drive.h"

#include "fault/memory.h"
#include "fault/plan.h"

#include <inttypes.h>
#include <stddef.h>
#include <time.h>

#define SETTLE_MS 5000

static void judge(const struct scenario *scenario, const struct drive *drive, const struct outcome *outcome,
                  uint32_t struck) {
    if (outcome->is_wrong) {
        plan_complain("%s", outcome->message);
    } else if (outcome->status == scenario->expected) {
        if (struck) plan_count_answer();
    } else if (!struck && drive->has_deadline && outcome->status == SHF_E_DEADLINE) {
        plan_count_error();
    } else if (!struck) {
        plan_complain("without a fault: %d: %s", outcome->status, outcome->message);
    } else if (!outcome->status) {
        plan_complain("succeeds, where %d is right", scenario->expected);
    } else if (!drive->is_clean(drive->context, outcome)) {
        plan_complain("not what this fault may give: %d (retryable %d): %s", outcome->status, outcome->retryable,
                      outcome->message);
    } else {
        plan_count_error();
    }
}

/* A proxy in this process takes and ends connections on threads of its own. */
static bool descriptors_settle(int wanted) {
    for (int waited = 0; waited < SETTLE_MS; waited++) {
        if (session_count_descriptors() == wanted) return true;
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static uint32_t run(const struct scenario *scenario, const struct drive *drive) {
    struct session session;
    int64_t live = memory_live();
    int descriptors = session_count_descriptors();
    session_begin(&session, scenario);
    drive->arm(drive->context);
    scenario->run(&session);
    uint32_t struck = drive->disarm(drive->context);
    if (struck) plan_count_fault();
    judge(scenario, drive, &session.outcome, struck);
    session_check(&session);
    session_end(&session);
    if (memory_live() != live) plan_fail("%" PRId64 " allocations are not freed", memory_live() - live);
    if (!descriptors_settle(descriptors)) {
        plan_fail("%d descriptors are not closed", session_count_descriptors() - descriptors);
    }
    return struck;
}

bool drive_run(const struct scenario *scenario, const struct drive *drive) { return run(scenario, drive) > 0; }

void drive_dry(const struct scenario *scenario, const struct drive *drive) {
    if (run(scenario, drive)) plan_fail("a fault in a run without any");
}
