#include "rt/wait.h"

#include "base/clock.h"
#include "rt/runtime_priv.h"

#define LONGEST_TIMER_MS 3600000u /* look again every hour at the latest */

static void timer_fired(uv_timer_t *timer) { shf_wait_sweep(timer->data); }

static void arm_timer(shf_runtime *runtime, int64_t nearest) {
    runtime->wait_timer_ns = nearest;
    if (nearest == SHF_DEADLINE_NONE) {
        (void)uv_timer_stop(&runtime->wait_timer);
        return;
    }
    int64_t left = shf_deadline_left_ms(nearest);
    uint64_t timeout = left > LONGEST_TIMER_MS ? LONGEST_TIMER_MS : (uint64_t)left;
    (void)uv_timer_start(&runtime->wait_timer, timer_fired, timeout, 0);
}

void shf_wait_begin(shf_runtime *runtime, struct shf_wait *wait) {
    wait->waiting = true;
    wait->previous = NULL;
    wait->next = runtime->waits;
    if (wait->next) wait->next->previous = wait;
    runtime->waits = wait;
    /* Many may wait at once: only a deadline before all others is worth a look at the timer. */
    bool is_armed = runtime->wait_timer_ns && runtime->wait_timer_ns <= wait->deadline_ns;
    if (wait->deadline_ns != SHF_DEADLINE_NONE && !is_armed) arm_timer(runtime, wait->deadline_ns);
    if (shf_cancel_requested(wait->cancel)) shf_rt_sweep(runtime);
}

void shf_wait_end(shf_runtime *runtime, struct shf_wait *wait, shf_status reason) {
    if (!wait->waiting) return;
    wait->waiting = false;
    if (wait->previous) {
        wait->previous->next = wait->next;
    } else {
        runtime->waits = wait->next;
    }
    if (wait->next) wait->next->previous = wait->previous;
    wait->wake(wait, reason);
}

void shf_wait_sweep(shf_runtime *runtime) {
    /* Waking one may end or begin others, so start over after each: the list is short. */
    bool again = true;
    while (again) {
        again = false;
        for (struct shf_wait *w = runtime->waits; w; w = w->next) {
            shf_status reason = shf_cancel_requested(w->cancel)     ? SHF_E_CANCELLED
                                : shf_deadline_over(w->deadline_ns) ? SHF_E_DEADLINE
                                                                    : SHF_OK;
            if (reason == SHF_OK) continue;
            shf_wait_end(runtime, w, reason);
            again = true;
            break;
        }
    }
    int64_t nearest = SHF_DEADLINE_NONE;
    for (const struct shf_wait *w = runtime->waits; w; w = w->next) {
        if (w->deadline_ns < nearest) nearest = w->deadline_ns;
    }
    arm_timer(runtime, nearest);
}
