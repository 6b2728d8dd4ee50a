#include "fault/memory.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_int_fast64_t live;
static atomic_uint seen, failed, failing_from, failing_to; /* ordinals; from 0: none fails */
static atomic_bool is_armed;

static bool fails(void) {
    if (!atomic_load(&is_armed)) return false;
    unsigned ordinal = atomic_fetch_add(&seen, 1) + 1, from = atomic_load(&failing_from);
    if (from == 0 || ordinal < from || ordinal > atomic_load(&failing_to)) return false;
    atomic_fetch_add(&failed, 1);
    return true;
}

static void *allocate(size_t size) {
    void *memory = fails() ? NULL : malloc(size);
    if (memory) atomic_fetch_add(&live, 1);
    return memory;
}

static void *reallocate(void *old, size_t size) {
    void *memory = fails() ? NULL : realloc(old, size);
    if (memory && !old) atomic_fetch_add(&live, 1);
    return memory;
}

static void release(void *memory) {
    if (memory) atomic_fetch_sub(&live, 1);
    free(memory);
}

void memory_install(void) {
    static const struct shf_alloc_seam seam = {allocate, reallocate, release};
    shf_alloc_set_seam(&seam);
}

void memory_arm(uint32_t ordinal, bool for_ever) {
    atomic_store(&seen, 0);
    atomic_store(&failed, 0);
    atomic_store(&failing_from, ordinal);
    atomic_store(&failing_to, for_ever ? UINT32_MAX : ordinal);
    atomic_store(&is_armed, true);
}

void memory_disarm(void) { atomic_store(&is_armed, false); }
uint32_t memory_seen(void) { return atomic_load(&seen); }
uint32_t memory_failed(void) { return atomic_load(&failed); }
int64_t memory_live(void) { return atomic_load(&live); }
