#include "search/plan.h"

#include <assert.h>

#define GROUP_QUERIES 128u                     /* their vectors fit in the L2 cache at usual dimensions */
#define GROUP_CANDIDATES 65536u                /* so do most heaps; a query that wants more is a group of its own */
#define UNITS_A_THREAD 8u                      /* so that threads end at about the same time */
#define LEAST_TERMS_A_UNIT (UINT64_C(2) << 20) /* 0.2 ms of a single search: waking a thread takes a fifth of that */
#define MOST_TERMS_A_UNIT                                                                                              \
    (UINT64_C(64) << 20) /* some milliseconds, after which deadline and other work are looked at */
#define LEAST_ROWS_A_UNIT 64u

/* ---- order ---- */

/* Where queries of the same shards meet: 0 for all shards, else by the first one. */
static uint32_t bucket_of(const struct shf_plan_query *query) { return query->shards ? 1 + query->shards[0] : 0; }

static uint64_t rows_of(const struct shf_plan *plan, const struct shf_plan_query *query) {
    uint64_t rows = 0;
    for (uint32_t i = 0; i < query->shard_count; i++) {
        rows += plan->shards.at(plan->shards.context, query->shards[i]).rows->rows;
    }
    return rows;
}

/* Counting sort; stable, so the order of the batch stays within a bucket. */
static bool sort_lists(struct shf_plan *plan) {
    size_t buckets = (size_t)plan->shards.count + 2;
    uint32_t *begins = shf_arena_zero(plan->arena, buckets, sizeof *begins);
    if (!begins) return false;
    for (uint32_t q = 0; q < plan->query_count; q++) {
        if (plan->queries[q].rows) begins[bucket_of(&plan->queries[q]) + 1]++;
    }
    for (size_t b = 1; b < buckets; b++) begins[b] += begins[b - 1];
    for (uint32_t q = 0; q < plan->query_count; q++) {
        if (plan->queries[q].rows) plan->order[begins[bucket_of(&plan->queries[q])]++] = q;
    }
    return true;
}

static bool list_all(struct shf_plan *plan, uint64_t *rows) {
    *rows = 0;
    plan->all = shf_arena_alloc(plan->arena, plan->shards.count, sizeof *plan->all);
    if (!plan->all) return false;
    for (uint32_t i = 0; i < plan->shards.count; i++) {
        plan->all[i] = (struct shf_plan_part){plan->shards.at(plan->shards.context, i), 0, NULL};
        *rows += plan->all[i].shard.rows->rows;
    }
    return true;
}

shf_status shf_plan_begin(struct shf_plan *plan, struct shf_error **error) {
    uint64_t all_rows = 0;
    bool ok = true, has_all = false;
    for (uint32_t q = 0; q < plan->query_count; q++) has_all = has_all || !plan->queries[q].shards;
    if (has_all) ok = list_all(plan, &all_rows);
    for (uint32_t q = 0; q < plan->query_count; q++) {
        struct shf_plan_query *query = &plan->queries[q];
        if (shf_cancel_requested(plan->cancel)) {
            return shf_error_set(error, SHF_E_CANCELLED, "the operation was cancelled");
        }
        query->rows = query->shards ? rows_of(plan, query) : all_rows;
        plan->order_count += query->rows > 0;
        plan->list_count += query->rows > 0 && query->shards;
    }
    plan->order = ok ? shf_arena_alloc(plan->arena, plan->query_count, sizeof *plan->order) : NULL;
    plan->groups = plan->order ? shf_arena_zero(plan->arena, plan->order_count, sizeof *plan->groups) : NULL;
    ok = plan->groups != NULL;
    if (ok && plan->list_count && plan->query_count > 1) {
        ok = sort_lists(plan);
    } else if (ok) {
        for (uint32_t q = 0, at = 0; q < plan->query_count; q++) {
            if (plan->queries[q].rows) plan->order[at++] = q;
        }
    }
    return ok ? SHF_OK : shf_arena_refuse(plan->arena, "planning the search", error);
}

/* ---- parts ---- */

static bool parts_of_one(struct shf_plan *plan, struct shf_plan_group *group) {
    const struct shf_plan_query *query = &plan->queries[group->queries[0]];
    struct shf_plan_part *parts = shf_arena_alloc(plan->arena, query->shard_count, sizeof *parts);
    if (!parts) return false;
    for (uint32_t i = 0; i < query->shard_count; i++) {
        parts[i] = (struct shf_plan_part){plan->shards.at(plan->shards.context, query->shards[i]), 0, NULL};
    }
    group->parts = parts;
    group->part_count = query->shard_count;
    return true;
}

/* Counts how many of the group's queries want each shard, in places; lists the shards in touched. */
static uint32_t count_places(struct shf_plan *plan, const struct shf_plan_group *group, size_t *total) {
    uint32_t count = 0;
    *total = 0;
    for (uint32_t i = 0; i < group->query_count; i++) {
        const struct shf_plan_query *query = &plan->queries[group->queries[i]];
        *total += query->shard_count;
        for (uint32_t s = 0; s < query->shard_count; s++) {
            if (plan->places[query->shards[s]]++ == 0) plan->touched[count++] = query->shards[s];
        }
    }
    return count;
}

/* A part for each shard of the group's lists; places is zero before and after. */
static bool parts_of_lists(struct shf_plan *plan, struct shf_plan_group *group) {
    if (!plan->places) plan->places = shf_arena_zero(plan->arena, plan->shards.count, sizeof *plan->places);
    if (!plan->touched) plan->touched = shf_arena_alloc(plan->arena, plan->shards.count, sizeof *plan->touched);
    if (!plan->places || !plan->touched) return false;
    size_t total;
    uint32_t count = count_places(plan, group, &total);
    struct shf_plan_part *parts = shf_arena_alloc(plan->arena, count, sizeof *parts);
    uint32_t *lists = parts ? shf_arena_alloc(plan->arena, total, sizeof *lists) : NULL;
    if (!lists) return false;
    for (uint32_t p = 0; p < count; p++) {
        uint32_t shard = plan->touched[p];
        parts[p] = (struct shf_plan_part){plan->shards.at(plan->shards.context, shard), 0, lists};
        lists += plan->places[shard];
        plan->places[shard] = p;
    }
    for (uint32_t i = 0; i < group->query_count; i++) {
        const struct shf_plan_query *query = &plan->queries[group->queries[i]];
        for (uint32_t s = 0; s < query->shard_count; s++) {
            struct shf_plan_part *part = &parts[plan->places[query->shards[s]]];
            part->queries[part->query_count++] = i;
        }
    }
    for (uint32_t p = 0; p < count; p++) plan->places[plan->touched[p]] = 0;
    group->parts = parts;
    group->part_count = count;
    return true;
}

static bool make_parts(struct shf_plan *plan, struct shf_plan_group *group) {
    if (!plan->queries[group->queries[0]].shards) {
        group->parts = plan->all;
        group->part_count = plan->shards.count;
        return true;
    }
    return group->query_count == 1 ? parts_of_one(plan, group) : parts_of_lists(plan, group);
}

/* ---- units ---- */

static uint32_t queries_of(const struct shf_plan_group *group, const struct shf_plan_part *part) {
    return part->queries ? part->query_count : group->query_count;
}

uint64_t shf_plan_rows_a_unit(const struct shf_plan *plan, const struct shf_plan_group *group,
                              const struct shf_plan_part *part) {
    uint64_t terms_a_row = (uint64_t)plan->dimension * queries_of(group, part);
    assert(terms_a_row > 0);
    uint64_t rows = group->terms_a_unit / terms_a_row;
    return rows < LEAST_ROWS_A_UNIT ? LEAST_ROWS_A_UNIT : rows;
}

uint64_t shf_plan_units_of(const struct shf_plan *plan, const struct shf_plan_group *group,
                           const struct shf_plan_part *part) {
    uint64_t rows = shf_plan_rows_a_unit(plan, group, part);
    return (part->shard.rows->rows + rows - 1) / rows;
}

static void count_units(const struct shf_plan *plan, struct shf_plan_group *group) {
    const struct shf_plan_group *before = group > plan->groups ? group - 1 : NULL;
    if (before && before->parts == group->parts && before->query_count == group->query_count) {
        group->terms_a_unit = before->terms_a_unit; /* all but the last group that wants all shards */
        group->unit_count = before->unit_count;
    } else {
        uint64_t terms = 0;
        for (uint32_t p = 0; p < group->part_count; p++) {
            const struct shf_plan_part *part = &group->parts[p];
            terms += part->shard.rows->rows * plan->dimension * queries_of(group, part);
        }
        terms /= (uint64_t)plan->threads * UNITS_A_THREAD;
        group->terms_a_unit = terms < LEAST_TERMS_A_UNIT  ? LEAST_TERMS_A_UNIT
                              : terms > MOST_TERMS_A_UNIT ? MOST_TERMS_A_UNIT
                                                          : terms;
        group->unit_count = 0;
        for (uint32_t p = 0; p < group->part_count; p++) {
            group->unit_count += shf_plan_units_of(plan, group, &group->parts[p]);
        }
    }
    group->units_left = group->unit_count;
}

shf_status shf_plan_next(struct shf_plan *plan, bool *more, struct shf_error **error) {
    *more = plan->planned_count < plan->order_count;
    if (!*more) return SHF_OK;
    struct shf_plan_group *group = &plan->groups[plan->group_count];
    const uint32_t *order = plan->order + plan->planned_count;
    uint32_t all_left = plan->order_count - plan->list_count;
    bool is_all = plan->planned_count < all_left;
    uint32_t left = (is_all ? all_left : plan->order_count) - plan->planned_count, count = 0;
    uint64_t keep = 0;
    while (count < left && count < GROUP_QUERIES) {
        keep += shf_plan_keep(&plan->queries[order[count]]);
        if (count && keep > GROUP_CANDIDATES) break;
        count++;
    }
    group->queries = order;
    group->query_count = count;
    if (!make_parts(plan, group)) return shf_arena_refuse(plan->arena, "planning the search", error);
    count_units(plan, group);
    plan->planned_count += count;
    plan->unit_count += group->unit_count;
    plan->group_count++;
    return SHF_OK;
}
