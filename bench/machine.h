/* Cores, instruction set, memory of this process. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

unsigned bench_cores(void); /* that this process may use */

/* Keeps this thread, and what it starts from now on, on one core, or lets it use all again. */
bool bench_use_one_core(void);
bool bench_use_all_cores(void);

double bench_load(void); /* runnable threads of the whole machine, mean of the last minute */

const char *bench_instruction_set(void); /* the widest that the library's kernels know and the machine has */

struct bench_memory {
    double anonymous; /* bytes: RssAnon now */
    double peak;      /* bytes: highest resident set, mapped files included */
};

struct bench_memory bench_memory_now(void);

/* Takes so much memory, at most half of what is free, writes to it and gives it back: in a virtual machine the first use of
 * memory that was idle costs more than the work that is to be timed, and would fall on whoever comes first. */
void bench_warm_memory(uint64_t bytes);

#endif
