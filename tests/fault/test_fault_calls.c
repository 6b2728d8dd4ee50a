/*
 * System calls on files that fail: each call of each function of the seam, with each error that it may give, once and from
 * then on, and transfers that come short. What comes is the right answer or a clean error of the right code.
 */
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"
#include "fault/sweeps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SAMPLES 3 /* of each scenario */

static void test_calls(void **state) {
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        if (plan_wants(scenarios[i].name)) sweep_calls(&scenarios[i], SAMPLES);
    }
    plan_assert();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};
    return fault_main("system calls", tests, 1);
}
