/* Blocks of rows: mapped, so that they go back to the system whole; charged while they are mapped. */
#include "writer/rows_priv.h"

#include "io/fs.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGEST_BUFFER (UINT64_C(256) << 10) /* stays in the processor's cache */
#define SMALLEST_BLOCK (UINT64_C(192) << 10) /* four of them, and the buffers, in 1 MiB */
#define BLOCK_STEP (UINT64_C(64) << 10)
#define LARGEST_BLOCK (UINT64_C(64) << 20)
#define MOST_BLOCKS 512u                  /* each is a source of the merge in the end */
#define LARGEST_PLACE (UINT64_C(1) << 30) /* bytes: offset / 8 and the misfits share 32 bits */
#define PLACE_STEP ((size_t)8 << 20)      /* multiplications before others get their turn: some milliseconds */

size_t shf_rows_buffer_size(uint64_t memory_bytes) {
    uint64_t size = memory_bytes / 16 & ~UINT64_C(4095);
    return (size_t)(size < LARGEST_BUFFER ? size : LARGEST_BUFFER);
}

size_t shf_rows_block_size(uint64_t memory_bytes) {
    uint64_t size = memory_bytes / 8;
    if (size > LARGEST_BLOCK) size = LARGEST_BLOCK;
    if (size < memory_bytes / MOST_BLOCKS) size = memory_bytes / MOST_BLOCKS;
    if (size < SMALLEST_BLOCK) size = SMALLEST_BLOCK;
    if (size > LARGEST_PLACE) size = LARGEST_PLACE;
    return (size_t)(size & ~(uint64_t)(BLOCK_STEP - 1));
}

shf_status shf_rows_block_map(struct shf_rows_block *block, size_t size, struct shf_error **error) {
    struct shf_budget *budget = block->rows->budget;
    if (!shf_budget_take(budget, size)) {
        return shf_error_set(error, SHF_E_NO_MEMORY,
                             "rows need %zu more bytes of memory, but the runtime's budget of %" PRIu64 " bytes has "
                             "%" PRIu64 " in use; raise memory_budget_bytes, or give the writer less memory_bytes",
                             size, budget->limit_bytes,
                             (uint64_t)atomic_load_explicit(&budget->used_bytes, memory_order_relaxed));
    }
    void *memory = shf_fs.mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        int problem = errno;
        shf_budget_give(budget, size);
        return shf_fs_error(error, SHF_E_NO_MEMORY, problem, "cannot map %zu bytes of memory for rows", size);
    }
    (void)madvise(memory, size, MADV_HUGEPAGE); /* faster where there are such pages */
    block->memory = memory;
    block->size = size;
    block->used = 0;
    block->count = 0;
    return SHF_OK;
}

void shf_rows_block_unmap(struct shf_rows_block *block) {
    if (!block->memory) return;
    (void)shf_fs.munmap(block->memory, block->size);
    shf_budget_give(block->rows->budget, block->size);
    block->memory = NULL;
}

bool shf_rows_block_takes(const struct shf_rows_block *block, uint64_t packed_size) {
    size_t left = block->size - block->used - block->count * sizeof(struct shf_rows_entry);
    return left >= sizeof(struct shf_rows_entry) && packed_size <= left - sizeof(struct shf_rows_entry);
}

uint8_t *shf_rows_block_place(struct shf_rows_block *block, uint64_t packed_size, uint64_t hash, uint32_t misfits) {
    uint32_t num_dbs = block->rows->num_dbs;
    uint8_t *out = block->memory + block->used;
    block->count++;
    *shf_rows_entries(block) = (struct shf_rows_entry){.shard = num_dbs ? (uint32_t)(hash % num_dbs) : 0,
                                                       .place = (uint32_t)(block->used / 8) << 3 | misfits};
    block->used += packed_size;
    return out;
}

static uint32_t common_bytes(const uint8_t *a, const uint8_t *b, uint32_t most) {
    if (most == 0 || memcmp(a, b, most) == 0) return most;
    uint32_t common = 0;
    while (a[common] == b[common]) common++; /* they differ before `most` */
    return common;
}

void shf_rows_block_common(struct shf_rows_block *block, struct shf_rows_key key) {
    if (block->count == 1) {
        block->first_key = key.at;
        block->common = key.size;
        return;
    }
    uint32_t most = key.size < block->common ? key.size : block->common;
    block->common = common_bytes(block->first_key, key.at, most);
}

static const float *vector_of(const struct shf_rows_block *block, const struct shf_rows_entry *entry) {
    const uint8_t *row = shf_rows_at(block->memory, entry->place);
    size_t extra = shf_rows_head_of(row).order & SHF_ROWS_EXTRA ? sizeof(struct shf_rows_extra) : 0;
    return (const float *)(const void *)(row + sizeof(struct shf_rows_head) + extra); /* rows lie at multiples of 8 */
}

bool shf_rows_block_place_some(struct shf_rows_block *block) {
    const struct shf_rows *rows = block->rows;
    const struct shf_rows_options *options = &rows->options;
    struct shf_rows_entry *entries = shf_rows_entries(block);
    if (!options->place) return true;
    size_t step = PLACE_STEP / ((size_t)rows->num_dbs * options->dimension + 1) + 1;
    size_t end = block->count - block->placed < step ? block->count : block->placed + step;
    while (block->placed < end) {
        const float *vectors[SHF_ROWS_PLACE_BATCH];
        uint32_t shards[SHF_ROWS_PLACE_BATCH];
        struct shf_rows_entry *at = entries + block->placed;
        size_t count = end - block->placed < SHF_ROWS_PLACE_BATCH ? end - block->placed : SHF_ROWS_PLACE_BATCH;
        for (size_t i = 0; i < count; i++) vectors[i] = vector_of(block, &at[i]);
        options->place(options->place_context, vectors, count, shards);
        for (size_t i = 0; i < count; i++) at[i].shard = shards[i];
        block->placed += count;
    }
    return block->placed == block->count;
}

void shf_rows_block_sort(struct shf_rows_block *block) {
    struct shf_rows *rows = block->rows;
    struct shf_rows_entry *entries = shf_rows_entries(block);
    uint32_t num_dbs = rows->num_dbs;
    if (num_dbs && !rows->options.num_dbs && !rows->options.place) { /* it may have been filled before the number was known */
        for (size_t i = block->count; i-- > 0;) {
            const uint8_t *row = shf_rows_at(block->memory, entries[i].place);
            entries[i].shard = (uint32_t)(shf_rows_head_of(row).hash % num_dbs);
        }
    }
    shf_rows_sort(block->memory, rows->vector_size, entries, block->count, block->common);
}
