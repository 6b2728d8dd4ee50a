#include "fault/main.h"

#include "fault/calls.h"
#include "fault/memory.h"
#include "fault/plan.h"
#include "fault/session.h"
#include "fault/stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *counts_title;

int fault_begin(void **state) {
    (void)state;
    plan_begin();
    world_begin();
    stand_in_setup();
    session_setup();
    return 0;
}

int fault_end(void **state) {
    (void)state;
    plan_end(counts_title);
    session_teardown();
    stand_in_teardown();
    world_end();
    return 0;
}

void fault_install(const char *title) {
    counts_title = title;
    memory_install();
    calls_install();
}

int fault_main(const char *title, const struct CMUnitTest *tests, size_t count) {
    fault_install(title);
    return _cmocka_run_group_tests(title, tests, count, fault_begin, fault_end);
}
