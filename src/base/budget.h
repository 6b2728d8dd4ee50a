/* The memory budget: one atomic counter with a limit. What does not fit is refused with SHF_E_NO_MEMORY. */
#ifndef SHF_BASE_BUDGET_H
#define SHF_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct shf_budget {
    uint64_t limit_bytes;
    atomic_uint_least64_t used_bytes;
};

static inline void shf_budget_init(struct shf_budget *budget, uint64_t limit_bytes) {
    budget->limit_bytes = limit_bytes;
    atomic_init(&budget->used_bytes, 0);
}

/* Reserves `bytes` or nothing. */
static inline bool shf_budget_take(struct shf_budget *budget, uint64_t bytes) {
    uint64_t used = atomic_load_explicit(&budget->used_bytes, memory_order_relaxed);
    do {
        if (bytes > budget->limit_bytes - used || used > budget->limit_bytes) return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used_bytes, &used, used + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static inline void shf_budget_give(struct shf_budget *budget, uint64_t bytes) {
    atomic_fetch_sub_explicit(&budget->used_bytes, bytes, memory_order_relaxed);
}

#endif
