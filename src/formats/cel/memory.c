/* Memory that is taken in pieces and given back together: of a compiled expression, and of one evaluation. */
#include "formats/cel/evaluate.h"

#include "base/alloc.h"
#include "formats/cel/regex_priv.h"

#define FIRST_BLOCK_BYTES 4096u
#define KEPT_BLOCK_BYTES (64u << 10) /* a scratch keeps a block of up to this size for the next evaluation */
#define ALIGNMENT 16u

struct shf_cel_block {
    struct shf_cel_block *next;
    size_t size;
    alignas(ALIGNMENT) uint8_t data[];
};

static bool add_block(struct shf_cel_memory *memory, size_t wanted) {
    size_t size = memory->blocks ? memory->blocks->size * 2 : FIRST_BLOCK_BYTES;
    if (memory->taken > memory->most || wanted > memory->most - memory->taken) return false;
    if (size > memory->most - memory->taken) size = memory->most - memory->taken;
    if (size < wanted) size = wanted;
    struct shf_cel_block *block = shf_alloc(sizeof *block + size);
    if (!block) return false;
    block->next = memory->blocks;
    block->size = size;
    memory->blocks = block;
    memory->at = block->data;
    memory->left = size;
    memory->taken += size;
    return true;
}

void *shf_cel_alloc(struct shf_cel_memory *memory, size_t count, size_t size) {
    size_t bytes;
    if (!shf_mul(count, size, &bytes) || !shf_add(bytes, ALIGNMENT - 1, &bytes)) return NULL;
    bytes &= ~(size_t)(ALIGNMENT - 1);
    if (bytes == 0) bytes = ALIGNMENT;
    if (bytes > memory->left && !add_block(memory, bytes)) return NULL;
    void *out = memory->at;
    memory->at += bytes;
    memory->left -= bytes;
    return out;
}

static void free_blocks(struct shf_cel_memory *memory, const struct shf_cel_block *last) {
    while (memory->blocks != last) {
        struct shf_cel_block *next = memory->blocks->next;
        memory->taken -= memory->blocks->size;
        shf_free(memory->blocks);
        memory->blocks = next;
    }
}

void shf_cel_memory_free(struct shf_cel_memory *memory) {
    free_blocks(memory, NULL);
    memory->at = NULL;
    memory->left = 0;
}

void shf_cel_memory_return(struct shf_cel_memory *memory, const struct shf_cel_memory *mark) {
    free_blocks(memory, mark->blocks);
    memory->at = mark->at;
    memory->left = mark->left;
}

enum shf_cel_failure shf_cel_memory_failure(const struct shf_cel_memory *memory, size_t count, size_t size) {
    size_t bytes;
    bool is_limit = !shf_mul(count, size, &bytes) || memory->taken > memory->most || bytes > memory->most - memory->taken;
    return is_limit ? SHF_CEL_FAILED_SIZE : SHF_CEL_FAILED_MEMORY;
}

void shf_cel_scratch_init(struct shf_cel_scratch *scratch) {
    scratch->memory =
        (struct shf_cel_memory){NULL, scratch->small, sizeof scratch->small, 0, SHF_LIMIT_CEL_SCRATCH_BYTES};
    scratch->match = NULL;
    scratch->steps = 0;
}

void shf_cel_scratch_reset(struct shf_cel_scratch *scratch) {
    struct shf_cel_memory *memory = &scratch->memory;
    struct shf_cel_block *newest = memory->blocks;
    if (newest && (newest->next || newest->size > KEPT_BLOCK_BYTES)) free_blocks(memory, NULL);
    memory->at = memory->blocks ? memory->blocks->data : scratch->small;
    memory->left = memory->blocks ? memory->blocks->size : sizeof scratch->small;
}

void shf_cel_scratch_free(struct shf_cel_scratch *scratch) {
    shf_cel_memory_free(&scratch->memory);
    shf_cel_match_free(scratch->match);
    scratch->match = NULL;
}
