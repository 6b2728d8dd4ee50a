/* The sweeps that serve several programs: a scenario, and faults of one sort at each place in it. */
#ifndef SHF_TESTS_FAULT_SWEEPS_H
#define SHF_TESTS_FAULT_SWEEPS_H

#include "fault/session.h"

/* The n-th allocation fails, or the n-th and all later ones; `samples` of each where not all are wanted. */
void sweep_allocations(const struct scenario *scenario, uint32_t samples);

/*
 * Each call of each function of the file seam, with each error that it may give, once and from then on; where not all are
 * wanted `samples` of the triples of function, error and duration, a place or two of each.
 */
void sweep_calls(const struct scenario *scenario, uint32_t samples);

#endif
