/* The seam of allocations: counts what lives, and makes the n-th one fail. */
#ifndef SHF_TESTS_FAULT_MEMORY_H
#define SHF_TESTS_FAULT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Before any other call of the library. */
void memory_install(void);
/* From now on allocations are counted from 1, and the ordinal-th fails (0: none); for_ever: all later ones too. */
void memory_arm(uint32_t ordinal, bool for_ever);
void memory_disarm(void);
uint32_t memory_seen(void);   /* allocations since memory_arm, until memory_disarm */
uint32_t memory_failed(void); /* of them made to fail */
int64_t memory_live(void);    /* allocated and not freed */

#endif
