/* The scenarios: calls of the public API in the ways in which programs make them. */
#ifndef SHF_TESTS_FAULT_SCENARIOS_H
#define SHF_TESTS_FAULT_SCENARIOS_H

#include "fault/session.h"

/* Everything; some of it only where files are read. */
extern const struct scenario scenarios[];
extern const size_t scenario_count;

#endif
