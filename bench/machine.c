#include "bench/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static cpu_set_t all_cores;
static bool is_known;

static void learn_cores(void) {
    if (is_known) return;
    is_known = sched_getaffinity(0, sizeof all_cores, &all_cores) == 0;
}

unsigned bench_cores(void) {
    learn_cores();
    return is_known ? (unsigned)CPU_COUNT(&all_cores) : 1;
}

bool bench_use_one_core(void) {
    learn_cores();
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t cpu = CPU_SETSIZE; is_known && cpu-- > 0;) {
        if (!CPU_ISSET(cpu, &all_cores)) continue;
        CPU_SET(cpu, &one); /* the last one: the first has most interrupts */
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}

bool bench_use_all_cores(void) {
    learn_cores();
    return is_known && sched_setaffinity(0, sizeof all_cores, &all_cores) == 0;
}

double bench_load(void) {
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : 0;
}

const char *bench_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        return "AVX-512";
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2";
    return "x86-64";
#else
    return "plain C";
#endif
}

static double field_bytes(const char *line, const char *name) {
    size_t size = strlen(name);
    return strncmp(line, name, size) == 0 && line[size] == ':' ? strtod(line + size + 1, NULL) * 1024 : -1;
}

struct bench_memory bench_memory_now(void) {
    struct bench_memory memory = {0, 0};
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        double anonymous = field_bytes(line, "RssAnon"), peak = field_bytes(line, "VmHWM");
        if (anonymous >= 0) memory.anonymous = anonymous;
        if (peak >= 0) memory.peak = peak;
    }
    if (file) (void)fclose(file);
    return memory;
}

void bench_warm_memory(uint64_t bytes) {
    uint64_t half = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    if (bytes > half) bytes = half;
    if (!bytes) return;
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE, -1, 0);
    if (memory != MAP_FAILED) (void)munmap(memory, bytes);
}
