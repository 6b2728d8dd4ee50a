/* The tree of losers: the smallest row of all sources, one comparison a level of the tree for the next. */
#include "writer/rows_priv.h"

#include "base/alloc.h"

#include <assert.h>
#include <unistd.h>

#define NOBODY UINT32_MAX
#define DROP_BYTES (1u << 20) /* of a run that were read, at most, stay in the process's memory */

static uint64_t cost_of(uint32_t limit) {
    return shf_alloc_cost(limit * sizeof(struct shf_rows_source)) + shf_alloc_cost(limit * sizeof(uint32_t));
}

shf_status shf_rows_tree_init(struct shf_rows_tree *tree, const struct shf_rows *rows, uint32_t limit, uint32_t depth,
                              struct shf_error **error) {
    *tree =
        (struct shf_rows_tree){.limit = limit, .depth = depth, .vector_size = rows->vector_size, .budget = rows->budget};
    if (shf_budget_take(tree->budget, cost_of(limit))) {
        tree->charged = cost_of(limit);
        tree->sources = shf_alloc_array(limit, sizeof *tree->sources);
        tree->losers = shf_alloc_array(limit, sizeof *tree->losers);
    }
    if (tree->sources && tree->losers) return SHF_OK;
    shf_rows_tree_free(tree);
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to merge %u parts of rows; raise memory_budget_bytes", limit);
}

static void drop_read(struct shf_rows_source *source) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end = source->at / page * page;
    shf_rows_run_drop(source->run, source->dropped, end);
    source->dropped = end;
}

/* Not each of many short sections costs a call. */
static void drop_rest(struct shf_rows_source *source) {
    uint64_t size = source->at - source->dropped;
    if (atomic_fetch_add_explicit(&source->run->touched, size, memory_order_relaxed) + size < DROP_BYTES) return;
    atomic_store_explicit(&source->run->touched, 0, memory_order_relaxed);
    shf_rows_run_drop(source->run, 0, source->run->size);
}

void shf_rows_tree_free(struct shf_rows_tree *tree) {
    for (uint32_t i = 0; tree->sources && i < tree->count; i++) {
        if (tree->sources[i].run) drop_rest(&tree->sources[i]);
    }
    shf_free(tree->sources);
    shf_free(tree->losers);
    shf_budget_give(tree->budget, tree->charged);
    *tree = (struct shf_rows_tree){.budget = tree->budget};
}

static void next_of_run(const struct shf_rows_tree *tree, struct shf_rows_source *source) {
    if (source->at == source->section_end) {
        if (++source->section >= source->section_last) {
            source->row = NULL;
            return;
        }
        source->shard = shf_rows_run_section(source->run, source->section).shard;
        source->section_end = shf_rows_run_section_end(source->run, source->section);
    }
    source->row = source->memory + source->at;
    source->at += shf_rows_size_of(source->row, tree->vector_size);
    if (source->at - source->dropped > DROP_BYTES) drop_read(source);
}

static void next_of_block(struct shf_rows_source *source) {
    if (source->next == source->end) {
        source->row = NULL;
        return;
    }
    source->row = shf_rows_at(source->memory, source->next->place);
    source->shard = source->next->shard;
    source->next++;
    if (source->end - source->next > 1) { /* rows lie anywhere: ask early */
        const uint8_t *soon = shf_rows_at(source->memory, source->next[1].place);
        __builtin_prefetch(soon);
        __builtin_prefetch(soon + 64);
    }
}

static void advance(const struct shf_rows_tree *tree, struct shf_rows_source *source) {
    if (source->run) {
        next_of_run(tree, source);
    } else {
        next_of_block(source);
    }
    if (source->row) source->word = shf_rows_word(shf_rows_key_of(source->row, tree->vector_size), tree->depth);
}

static bool before(const struct shf_rows_tree *tree, const struct shf_rows_source *a, const struct shf_rows_source *b) {
    if (!a->row || !b->row) return a->row != NULL;
    if (a->shard != b->shard) return a->shard < b->shard;
    if (a->word != b->word) return a->word < b->word;
    int order = shf_rows_key_compare(shf_rows_key_of(a->row, tree->vector_size),
                                     shf_rows_key_of(b->row, tree->vector_size), tree->depth);
    if (order) return order < 0;
    return shf_rows_head_of(a->row).order < shf_rows_head_of(b->row).order;
}

/* From its leaf upwards: the loser stays, the winner goes on. */
static void play(struct shf_rows_tree *tree, uint32_t player) {
    for (uint32_t node = (player + tree->count) / 2; node > 0; node /= 2) {
        uint32_t other = tree->losers[node];
        if (other == NOBODY) { /* waits for the one from the other side; at the start only */
            tree->losers[node] = player;
            return;
        }
        if (before(tree, &tree->sources[other], &tree->sources[player])) {
            tree->losers[node] = player;
            player = other;
        }
    }
    tree->losers[0] = player;
}

void shf_rows_tree_start(struct shf_rows_tree *tree) {
    for (uint32_t i = 0; i < tree->count; i++) tree->losers[i] = NOBODY;
    for (uint32_t i = 0; i < tree->count; i++) play(tree, i);
}

void shf_rows_tree_pop(struct shf_rows_tree *tree) {
    uint32_t winner = tree->losers[0];
    advance(tree, &tree->sources[winner]);
    play(tree, winner);
}

static void take(struct shf_rows_tree *tree, struct shf_rows_source *source) {
    advance(tree, source);
    assert(tree->count < tree->limit);
    tree->sources[tree->count++] = *source;
}

void shf_rows_tree_add_run(struct shf_rows_tree *tree, struct shf_rows_run *run, uint32_t shard) {
    bool all = shard == UINT32_MAX;
    uint32_t section = all ? 0 : shf_rows_run_find(run, shard);
    if (section >= run->section_count) return;
    struct shf_rows_entry first = shf_rows_run_section(run, section);
    if (!all && first.shard != shard) return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct shf_rows_source source = {.run = run,
                                     .memory = run->memory,
                                     .shard = first.shard,
                                     .section = section,
                                     .section_last = all ? run->section_count : section + 1,
                                     .at = first.word,
                                     .section_end = shf_rows_run_section_end(run, section),
                                     .dropped = first.word / page * page};
    take(tree, &source);
}

/* The first entry whose shard is not below. */
static const struct shf_rows_entry *find_entry(const struct shf_rows_entry *entries, size_t count, uint64_t shard) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].shard < shard) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return entries + low;
}

void shf_rows_tree_add_block(struct shf_rows_tree *tree, const struct shf_rows_block *block, uint32_t shard) {
    const struct shf_rows_entry *entries = shf_rows_entries(block);
    struct shf_rows_source source = {.memory = block->memory,
                                     .next = find_entry(entries, block->count, shard),
                                     .end = find_entry(entries, block->count, (uint64_t)shard + 1)};
    if (source.next != source.end) take(tree, &source);
}
