/* Runs a scenario with a fault in it, and judges what came of it. */
#ifndef SHF_TESTS_FAULT_DRIVE_H
#define SHF_TESTS_FAULT_DRIVE_H

#include "fault/session.h"

struct drive {
    void (*arm)(void *context);
    uint32_t (*disarm)(void *context);                              /* how often the fault struck */
    bool (*is_clean)(void *context, const struct outcome *outcome); /* an error that such a fault may give */
    void *context;
    bool has_deadline; /* a short one, which may pass on a busy machine before the fault strikes */
};

/*
 * True when the fault struck. Fails the test when the answer is neither right nor a clean error, when memory or descriptors
 * are lost, or when reader, cache or runtime do not work afterwards.
 */
bool drive_run(const struct scenario *scenario, const struct drive *drive);

/* The same without a fault, for counting the sites between arm and disarm. */
void drive_dry(const struct scenario *scenario, const struct drive *drive);

#endif
