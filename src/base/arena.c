#include "base/arena.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <string.h>

#define ALIGNMENT 64u
#define LEAST_BLOCK 4096u

struct shf_arena_block {
    struct shf_arena_block *next;
    size_t used, size; /* of what follows the first ALIGNMENT bytes */
};
_Static_assert(sizeof(struct shf_arena_block) <= ALIGNMENT, "what is handed out begins behind the header");

static struct shf_arena_block *add_block(struct shf_arena *arena, size_t wanted) {
    size_t size = wanted < LEAST_BLOCK - ALIGNMENT ? LEAST_BLOCK - ALIGNMENT : wanted, total;
    if (!shf_add(size, ALIGNMENT, &total) || !shf_budget_take(arena->budget, total)) return NULL;
    struct shf_arena_block *block = shf_alloc_aligned(ALIGNMENT, total);
    if (!block) {
        shf_budget_give(arena->budget, total);
        return NULL;
    }
    *block = (struct shf_arena_block){arena->blocks, 0, size};
    arena->blocks = block;
    arena->charged_bytes += total;
    return block;
}

void *shf_arena_alloc(struct shf_arena *arena, size_t count, size_t size) {
    size_t total, rounded;
    if (!shf_mul(count, size, &total) || !shf_add(total, ALIGNMENT - 1, &rounded)) {
        arena->refused_bytes = UINT64_MAX;
        return NULL;
    }
    rounded -= rounded % ALIGNMENT;
    struct shf_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < rounded) block = add_block(arena, rounded);
    if (!block) {
        arena->refused_bytes = total;
        return NULL;
    }
    unsigned char *memory = (unsigned char *)block + ALIGNMENT + block->used;
    block->used += rounded;
    return memory;
}

void *shf_arena_zero(struct shf_arena *arena, size_t count, size_t size) {
    void *memory = shf_arena_alloc(arena, count, size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

void shf_arena_free(struct shf_arena *arena) {
    while (arena->blocks) {
        struct shf_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        shf_free_aligned(block);
    }
    if (arena->charged_bytes) shf_budget_give(arena->budget, arena->charged_bytes);
    arena->charged_bytes = 0;
}

shf_status shf_budget_refuse(const struct shf_budget *budget, uint64_t bytes, const char *what, struct shf_error **error) {
    if (bytes > budget->limit_bytes) {
        return shf_error_set(
            error, SHF_E_INVALID,
            "%s would take %" PRIu64 " bytes, the memory budget is %" PRIu64
            "; ask for less (a smaller top_k, fewer queries or rows a call) or raise memory_budget_bytes",
            what, bytes, budget->limit_bytes);
    }
    return shf_error_set(error, SHF_E_NO_MEMORY,
                         "%s would take %" PRIu64 " bytes, which the memory budget does not have now; release "
                         "operations and try again, or raise memory_budget_bytes",
                         what, bytes);
}

shf_status shf_arena_refuse(const struct shf_arena *arena, const char *what, struct shf_error **error) {
    return shf_budget_refuse(arena->budget, arena->refused_bytes, what, error);
}
