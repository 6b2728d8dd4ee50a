/*
 * The one way to allocate. Every allocation of the library goes through these, so that tests can count them and
 * make the n-th one fail. Thread-safe as far as the seam's functions are (the default is libc).
 */
#ifndef SHF_BASE_ALLOC_H
#define SHF_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replaced by tests before any other call of the library; NULL members mean libc. */
struct shf_alloc_seam {
    void *(*allocate)(size_t size);
    void *(*reallocate)(void *old, size_t size);
    void (*release)(void *memory);
};
void shf_alloc_set_seam(const struct shf_alloc_seam *seam); /* NULL = libc again */

/* All return NULL when memory is out or the size overflows; size 0 gives a valid pointer. */
void *shf_alloc(size_t size);
void *shf_alloc_zero(size_t count, size_t size);
void *shf_alloc_array(size_t count, size_t size);
void *shf_realloc_array(void *old, size_t count, size_t size);
void *shf_alloc_aligned(size_t alignment, size_t size); /* free with shf_free_aligned */
void shf_free(void *memory);                            /* NULL is fine */
void shf_free_aligned(void *memory);
void shf_free_secret(char *text); /* overwritten first; NULL is fine */

char *shf_strdup(const char *text);
char *shf_strndup(const char *text, size_t size);
void *shf_memdup(const void *data, size_t size);

/* What a block of `size` bytes takes of the machine: the heap adds a header and rounds up. For charging small ones. */
static inline uint64_t shf_alloc_cost(uint64_t size) {
    const uint64_t header = sizeof(size_t), step = 2 * sizeof(size_t), least = 4 * sizeof(size_t);
    uint64_t cost = (size + header + step - 1) / step * step;
    return cost < least ? least : cost;
}

/* Checked arithmetic on sizes: false on overflow. */
static inline bool shf_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool shf_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

#endif
