/* Candidates: their total order, and the heap of the best ones (the worst of them at the root). */
#include "search/search.h"

#include <math.h>

enum { FINITE, INFINITE, UNDEFINED };

static int kind_of(double score) { return isnan(score) ? UNDEFINED : isinf(score) ? INFINITE : FINITE; }

int shf_candidate_compare(const struct shf_candidate *a, const struct shf_candidate *b) {
    if (a->score != b->score) { /* true for undefined ones */
        int kinds = kind_of(a->score) - kind_of(b->score);
        if (kinds) return kinds;
        if (a->score < b->score) return -1;
        if (a->score > b->score) return 1;
    }
    if (a->shard != b->shard) return a->shard < b->shard ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

void shf_topk_init(struct shf_topk *topk, struct shf_candidate *storage, uint32_t capacity) {
    *topk = (struct shf_topk){storage, capacity, 0};
}

static void sift_down(struct shf_candidate *entries, uint32_t count, uint32_t at) {
    struct shf_candidate moving = entries[at];
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        if (child >= count) break;
        if (child + 1 < count && shf_candidate_compare(&entries[child + 1], &entries[child]) > 0) child++;
        if (shf_candidate_compare(&entries[child], &moving) <= 0) break;
        entries[at] = entries[child];
        at = (uint32_t)child;
    }
    entries[at] = moving;
}

static void sift_up(struct shf_candidate *entries, uint32_t at) {
    struct shf_candidate moving = entries[at];
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (shf_candidate_compare(&moving, &entries[parent]) <= 0) break;
        entries[at] = entries[parent];
        at = parent;
    }
    entries[at] = moving;
}

void shf_topk_push(struct shf_topk *topk, const struct shf_candidate *candidate) {
    if (topk->count < topk->capacity) {
        topk->entries[topk->count] = *candidate;
        sift_up(topk->entries, topk->count++);
    } else if (topk->count && shf_candidate_compare(candidate, &topk->entries[0]) < 0) {
        topk->entries[0] = *candidate;
        sift_down(topk->entries, topk->count, 0);
    }
}

void shf_topk_sort(struct shf_topk *topk) {
    for (uint32_t left = topk->count; left > 1; left--) {
        struct shf_candidate worst = topk->entries[0];
        topk->entries[0] = topk->entries[left - 1];
        topk->entries[left - 1] = worst;
        sift_down(topk->entries, left - 1, 0);
    }
}
