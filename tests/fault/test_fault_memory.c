/*
 * Allocations that fail: the n-th one, and the n-th one and all later ones, for every n, in every scenario. What comes is
 * the right answer or SHF_E_NO_MEMORY. Allocations of libuv, libcurl, OpenSSL, jansson and expat are not ours to fail.
 */
#include "fault/main.h"
#include "fault/plan.h"
#include "fault/scenarios.h"
#include "fault/sweeps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SAMPLES 3 /* of each scenario, once and for ever */

static void test_allocations(void **state) {
    (void)state;
    for (size_t i = 0; i < scenario_count; i++) {
        if (plan_wants(scenarios[i].name)) sweep_allocations(&scenarios[i], SAMPLES);
    }
    plan_assert();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations)};
    return fault_main("allocations", tests, 1);
}
