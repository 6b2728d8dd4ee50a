/* What the test programs of this folder have in common: installing the seams, the plan, the world. */
#ifndef SHF_TESTS_FAULT_MAIN_H
#define SHF_TESTS_FAULT_MAIN_H

#include <stddef.h>

/* Before anything else; `title` stands before the counts. */
void fault_install(const char *title);
/* Group set-up and tear-down. */
int fault_begin(void **state);
int fault_end(void **state);

/* All of it, for a program without a set-up of its own. */
struct CMUnitTest;
int fault_main(const char *title, const struct CMUnitTest *tests, size_t count);

#endif
