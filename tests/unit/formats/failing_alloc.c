#include "failing_alloc.h"

#include "base/alloc.h"

#include <stdlib.h>

static unsigned allocations, fail_at, live;

static void *failing_alloc(size_t size) {
    if (++allocations == fail_at) return NULL;
    live++;
    return malloc(size ? size : 1);
}
static void *failing_realloc(void *old, size_t size) {
    if (++allocations == fail_at) return NULL;
    if (!old) live++;
    return realloc(old, size ? size : 1);
}
static void counting_free(void *memory) {
    if (memory) live--;
    free(memory);
}

void alloc_fail_at(unsigned n) {
    static const struct shf_alloc_seam seam = {failing_alloc, failing_realloc, counting_free};
    allocations = live = 0;
    fail_at = n;
    shf_alloc_set_seam(&seam);
}
unsigned alloc_live(void) { return live; }
void alloc_normal(void) { shf_alloc_set_seam(NULL); }
