/* A cancellation token: set once, read by whoever works for the operation. */
#ifndef SHF_BASE_CANCEL_H
#define SHF_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

struct shf_cancel {
    atomic_bool requested;
};

static inline void shf_cancel_init(struct shf_cancel *cancel) { atomic_init(&cancel->requested, false); }
static inline void shf_cancel_request(struct shf_cancel *cancel) {
    atomic_store_explicit(&cancel->requested, true, memory_order_release);
}
/* NULL never is. */
static inline bool shf_cancel_requested(const struct shf_cancel *cancel) {
    return cancel && atomic_load_explicit(&cancel->requested, memory_order_acquire);
}

#endif
