#include "search/plan.h"

#include <assert.h>

#define VALUES_A_LINE 8u /* so that every query begins at a multiple of 64 bytes */

struct shf_plan_group *shf_scanner_seek(struct shf_scanner *scanner, uint64_t unit) {
    const struct shf_plan *plan = scanner->plan;
    assert(unit < plan->unit_count && unit >= scanner->part_first);
    struct shf_plan_group *group = &plan->groups[scanner->group_at];
    while (unit - scanner->group_first >= group->unit_count) {
        scanner->group_first += group->unit_count;
        scanner->part_first = scanner->group_first;
        scanner->part_at = 0;
        group = &plan->groups[++scanner->group_at];
    }
    for (;;) {
        uint64_t units = shf_plan_units_of(plan, group, &group->parts[scanner->part_at]);
        if (unit - scanner->part_first < units) return group;
        scanner->part_first += units;
        scanner->part_at++;
    }
}

shf_status shf_scanner_enter(struct shf_scanner *scanner, struct shf_error **error) {
    const struct shf_plan *plan = scanner->plan;
    struct shf_plan_group *group = &plan->groups[scanner->group_at];
    size_t stride = ((size_t)plan->dimension + VALUES_A_LINE - 1) / VALUES_A_LINE * VALUES_A_LINE;
    uint64_t keep = 0;
    for (uint32_t i = 0; i < group->query_count; i++) keep += shf_plan_keep(&plan->queries[group->queries[i]]);
    scanner->queries = shf_arena_alloc(&scanner->arena, group->query_count, sizeof *scanner->queries);
    scanner->topks = shf_arena_alloc(&scanner->arena, group->query_count, sizeof *scanner->topks);
    double *values = shf_arena_alloc(&scanner->arena, group->query_count * stride, sizeof *values);
    struct shf_candidate *candidates = NULL;
    if (keep <= SIZE_MAX) candidates = shf_arena_alloc(&scanner->arena, (size_t)keep, sizeof *candidates);
    if (!scanner->queries || !scanner->topks || !values || !candidates) {
        return shf_arena_refuse(&scanner->arena, "keeping the best top_k rows", error);
    }
    for (uint32_t i = 0; i < group->query_count; i++) {
        const struct shf_plan_query *query = &plan->queries[group->queries[i]];
        uint32_t capacity = shf_plan_keep(query);
        shf_search_query_fill(&scanner->queries[i], plan->metric, query->vector, plan->dimension, query->norm,
                              values + i * stride);
        shf_topk_init(&scanner->topks[i], candidates, capacity);
        candidates += capacity;
    }
    scanner->group = group;
    scanner->units_done = 0;
    return SHF_OK;
}

bool shf_scanner_scan(struct shf_scanner *scanner, uint64_t unit, const struct shf_cancel *cancel) {
    const struct shf_plan_group *group = scanner->group;
    const struct shf_plan_part *part = &group->parts[scanner->part_at];
    uint64_t rows = shf_plan_rows_a_unit(scanner->plan, group, part), first = (unit - scanner->part_first) * rows;
    uint64_t left = part->shard.rows->rows - first;
    uint32_t count = part->queries ? part->query_count : group->query_count;
    scanner->units_done++;
    return shf_search_scan(part->shard.rows, part->shard.id, first, left < rows ? left : rows, scanner->queries,
                           part->queries, count, scanner->topks, cancel);
}

static void merge(const struct shf_topk *from, struct shf_topk *to, uint32_t count) {
    for (uint32_t q = 0; q < count; q++) {
        for (uint32_t i = 0; i < from[q].count; i++) shf_topk_push(&to[q], &from[q].entries[i]);
    }
}

bool shf_scanner_leave(struct shf_scanner *scanner) {
    struct shf_plan_group *group = scanner->group;
    if (group->topks) {
        merge(scanner->topks, group->topks, group->query_count);
        shf_arena_free(&scanner->arena);
    } else {
        group->topks = scanner->topks;
        group->arena = scanner->arena;
        scanner->arena = (struct shf_arena){.budget = scanner->arena.budget};
    }
    scanner->group = NULL;
    group->units_left -= scanner->units_done;
    return group->units_left == 0;
}

void shf_scanner_drop(struct shf_scanner *scanner) {
    scanner->group = NULL;
    shf_arena_free(&scanner->arena);
}
