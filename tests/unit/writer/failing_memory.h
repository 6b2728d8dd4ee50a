/* An allocator whose n-th call fails, and that counts what is live. */
#ifndef TESTS_UNIT_WRITER_FAILING_MEMORY_H
#define TESTS_UNIT_WRITER_FAILING_MEMORY_H

#include "base/alloc.h"

#include <stdlib.h>

static unsigned memory_calls, memory_failing, memory_live; /* the failing-th allocation fails; 0: none does */

static void *memory_allocate(size_t size) {
    if (++memory_calls == memory_failing) return NULL;
    memory_live++;
    return malloc(size);
}
static void *memory_reallocate(void *old, size_t size) {
    if (++memory_calls == memory_failing) return NULL;
    memory_live += old == NULL;
    return realloc(old, size);
}
static void memory_release(void *memory) {
    memory_live -= memory != NULL;
    free(memory);
}

static int memory_begin(void **state) {
    static const struct shf_alloc_seam seam = {memory_allocate, memory_reallocate, memory_release};
    (void)state;
    memory_failing = 0;
    shf_alloc_set_seam(&seam);
    return 0;
}
static int memory_end(void **state) {
    (void)state;
    shf_alloc_set_seam(NULL);
    return memory_live ? -1 : 0;
}

#endif
