/* What the test programs of this folder have in common: installing the seams, the plan, the world. */
#ifndef SHF_TESTS_FAULT_MAIN_H
#define SHF_TESTS_FAULT_MAIN_H

#include <stddef.h>

struct CMUnitTest;
/* Runs the tests; `title` stands before the counts. */
int fault_main(const char *title, const struct CMUnitTest *tests, size_t count);

#endif
