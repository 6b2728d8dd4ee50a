/* Which kernel this machine runs. Chosen at the first use; choosing twice at once gives the same answer. */
#include "search/kernel.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(const struct shf_kernel *) current;

/* Kernels that the CPU (and the operating system, for the wide registers) can run, best first. */
static size_t available(const struct shf_kernel *out[3]) {
    size_t count = 0;
#if SHF_KERNEL_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
        out[count++] = &shf_kernel_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[count++] = &shf_kernel_avx2;
#endif
    out[count++] = &shf_kernel_scalar;
    return count;
}

static const struct shf_kernel *choose(const char *name) {
    const struct shf_kernel *kernels[3];
    size_t count = available(kernels);
    for (size_t i = 0; i < count; i++) {
        if (!name || strcmp(kernels[i]->name, name) == 0) return kernels[i];
    }
    return NULL;
}

const struct shf_kernel *shf_kernel_current(void) {
    const struct shf_kernel *kernel = atomic_load_explicit(&current, memory_order_relaxed);
    if (kernel) return kernel;
    const char *wanted = getenv("SHF_KERNEL"); /* NOLINT(concurrency-mt-unsafe): nothing here changes the environment */
    kernel = wanted && *wanted ? choose(wanted) : NULL;
    if (!kernel) kernel = choose(NULL);
    atomic_store_explicit(&current, kernel, memory_order_relaxed);
    return kernel;
}

const char *shf_search_kernel_name(void) { return shf_kernel_current()->name; }

bool shf_search_kernel_force(const char *name) {
    const struct shf_kernel *kernel = choose(name);
    if (kernel) atomic_store(&current, kernel);
    return kernel != NULL;
}
