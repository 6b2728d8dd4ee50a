/*
 * A cancellation token: set once, read by whoever works for the operation. One word holds a generation and the
 * flag, so that a token which is used again for another operation can not be cancelled by a stale id.
 */
#ifndef SHF_BASE_CANCEL_H
#define SHF_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct shf_cancel {
    atomic_uint_least64_t word; /* generation * 2 + requested */
};

static inline void shf_cancel_arm(struct shf_cancel *cancel, uint32_t generation) {
    atomic_store_explicit(&cancel->word, (uint64_t)generation << 1, memory_order_release);
}
static inline void shf_cancel_init(struct shf_cancel *cancel) { shf_cancel_arm(cancel, 0); }
static inline void shf_cancel_request(struct shf_cancel *cancel) {
    atomic_fetch_or_explicit(&cancel->word, 1, memory_order_acq_rel);
}
/* False when the token is of another generation, or was cancelled before. */
static inline bool shf_cancel_request_generation(struct shf_cancel *cancel, uint32_t generation) {
    uint64_t expected = (uint64_t)generation << 1;
    return atomic_compare_exchange_strong_explicit(&cancel->word, &expected, expected | 1, memory_order_acq_rel,
                                                   memory_order_relaxed);
}
/* NULL never is. */
static inline bool shf_cancel_requested(const struct shf_cancel *cancel) {
    return cancel && (atomic_load_explicit(&cancel->word, memory_order_acquire) & 1);
}

#endif
