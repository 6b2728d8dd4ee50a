/*
 * Waiting for something that will be told later (a shard that another operation opens, the turn of a refresh), with a
 * deadline and a cancellation token. Loop thread only. A wait ends once: by shf_wait_end, by its deadline or by its
 * token; `wake` is called with the reason and may free the wait.
 */
#ifndef SHF_RT_WAIT_H
#define SHF_RT_WAIT_H

#include "base/cancel.h"
#include "rt/runtime.h"

struct shf_wait {
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    void (*wake)(struct shf_wait *wait, shf_status reason); /* SHF_OK, SHF_E_DEADLINE, SHF_E_CANCELLED */
    struct shf_wait *previous, *next;
    bool waiting;
    shf_status due; /* why a sweep ends it, once that has found it */
};

void shf_wait_begin(shf_runtime *runtime, struct shf_wait *wait);
/* Wakes it with `reason`; no-op when it does not wait. */
void shf_wait_end(shf_runtime *runtime, struct shf_wait *wait, shf_status reason);

#endif
