/*
 * Memory of one piece of work, charged to a budget and given back all at once. One thread at a time; may be moved by
 * copying the struct.
 */
#ifndef SHF_BASE_ARENA_H
#define SHF_BASE_ARENA_H

#include "base/budget.h"
#include "base/error.h"

#include <stddef.h>

struct shf_arena {
    struct shf_budget *budget;
    struct shf_arena_block *blocks;
    uint64_t charged_bytes;
    uint64_t refused_bytes; /* of the last request that failed */
};

/* `count` things of `size` bytes at a multiple of 64; NULL when the budget or the machine does not have them. */
void *shf_arena_alloc(struct shf_arena *arena, size_t count, size_t size);
void *shf_arena_zero(struct shf_arena *arena, size_t count, size_t size); /* the same, zeroed */
/* Frees everything; the arena is empty then and may be used again. */
void shf_arena_free(struct shf_arena *arena);

/* The error of a charge of `bytes` that failed: SHF_E_INVALID when it never fits, else SHF_E_NO_MEMORY. */
shf_status shf_budget_refuse(const struct shf_budget *budget, uint64_t bytes, const char *what, struct shf_error **error);
/* The same, of the last request that failed. */
shf_status shf_arena_refuse(const struct shf_arena *arena, const char *what, struct shf_error **error);

#endif
