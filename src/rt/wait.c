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

static void link_first(struct shf_wait **list, struct shf_wait *wait) {
    wait->previous = NULL;
    wait->next = *list;
    if (wait->next) wait->next->previous = wait;
    *list = wait;
}

static void unlink_from(struct shf_wait **list, struct shf_wait *wait) {
    *(wait->previous ? &wait->previous->next : list) = wait->next;
    if (wait->next) wait->next->previous = wait->previous;
}

void shf_wait_begin(shf_runtime *runtime, struct shf_wait *wait) {
    wait->waiting = true;
    wait->due = SHF_OK;
    link_first(&runtime->waits, wait);
    /* Many may wait at once: only a deadline before all others is worth a look at the timer. */
    bool is_armed = runtime->wait_timer_ns && runtime->wait_timer_ns <= wait->deadline_ns;
    if (wait->deadline_ns != SHF_DEADLINE_NONE && !is_armed) arm_timer(runtime, wait->deadline_ns);
    if (shf_cancel_requested(wait->cancel)) shf_rt_sweep(runtime);
}

void shf_wait_end(shf_runtime *runtime, struct shf_wait *wait, shf_status reason) {
    if (!wait->waiting) return;
    wait->waiting = false;
    unlink_from(wait->due ? &runtime->due_waits : &runtime->waits, wait);
    wait->wake(wait, reason);
}

/*
 * Thousands may wait, and each cancellation may bring a sweep: one pass, one look at the clock. Waking one may end or begin
 * others, so those that are due go to a list of their own first.
 */
void shf_wait_sweep(shf_runtime *runtime) {
    int64_t now_ns = shf_clock_monotonic_ns(), nearest = SHF_DEADLINE_NONE;
    for (struct shf_wait *w = runtime->waits, *next; w; w = next) {
        next = w->next;
        w->due = shf_cancel_requested(w->cancel) ? SHF_E_CANCELLED : now_ns >= w->deadline_ns ? SHF_E_DEADLINE : SHF_OK;
        if (w->due) {
            unlink_from(&runtime->waits, w);
            link_first(&runtime->due_waits, w);
        } else if (w->deadline_ns < nearest) {
            nearest = w->deadline_ns;
        }
    }
    arm_timer(runtime, nearest); /* those that begin from here on see to the timer themselves */
    while (runtime->due_waits) shf_wait_end(runtime, runtime->due_waits, runtime->due_waits->due);
}
