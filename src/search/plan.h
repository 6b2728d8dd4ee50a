/*
 * How a batch of queries over several shards is cut into work for several threads. Pure.
 *
 * Queries that ask for the same shards are put together in groups: few enough that their vectors and heaps stay in a
 * core's cache, many enough that reading the rows again for the next group costs nothing. A group's parts are the
 * shards that at least one of its queries asks for. A unit is a range of rows of one part, scanned by one thread for
 * the part's queries. Units are numbered through all groups, so that threads take the next one by adding to a counter.
 *
 * Everything here is linear in what is given: queries, their lists of shards, and parts.
 */
#ifndef SHF_SEARCH_PLAN_H
#define SHF_SEARCH_PLAN_H

#include "base/arena.h"
#include "base/cancel.h"
#include "search/search.h"

struct shf_plan_shard {
    const struct shf_vector_rows *rows;
    uint32_t id;
};

/* The shards of a snapshot, seen from here. */
struct shf_plan_shards {
    const void *context;
    uint32_t count;
    struct shf_plan_shard (*at)(const void *context, uint32_t index);
};

struct shf_plan_query {
    const float *vector; /* checked */
    double norm;
    uint32_t top_k;
    uint32_t shard_count;
    const uint32_t *shards; /* indexes, each once; NULL = all */
    uint64_t rows;          /* of those shards; shf_plan_begin sets it */
};

/* Hits that a query can have. */
static inline uint32_t shf_plan_keep(const struct shf_plan_query *query) {
    return query->rows < query->top_k ? (uint32_t)query->rows : query->top_k;
}

struct shf_plan_part {
    struct shf_plan_shard shard;
    uint32_t query_count;
    uint32_t *queries; /* places in the group; NULL = all of its queries */
};

struct shf_plan_group {
    const uint32_t *queries; /* indexes into the batch */
    uint32_t query_count, part_count;
    const struct shf_plan_part *parts;
    uint64_t terms_a_unit; /* products that a unit is made of, about */
    uint64_t unit_count;
    uint64_t units_left;    /* whose candidates are not in topks yet */
    struct shf_topk *topks; /* query_count, once a scanner has left */
    struct shf_arena arena; /* of topks */
};

struct shf_plan {
    /* in */
    struct shf_arena *arena; /* holds the plan */
    struct shf_plan_shards shards;
    struct shf_plan_query *queries;
    uint32_t query_count;
    uint32_t dimension;
    enum shf_search_metric metric;
    uint32_t threads;
    const struct shf_cancel *cancel; /* or NULL */

    /* out */
    struct shf_plan_group *groups;
    uint32_t group_count;
    uint64_t unit_count;

    /* own */
    uint32_t *order;                                 /* queries that have rows, those of the same shards together */
    uint32_t order_count, planned_count, list_count; /* the first ones ask for all shards, list_count for some */
    struct shf_plan_part *all;                       /* every shard */
    uint32_t *places, *touched;                      /* shards.count each: for making parts */
};

/* Puts the queries in order. SHF_E_NO_MEMORY, SHF_E_INVALID: the budget of the arena does not allow it; SHF_E_CANCELLED. */
shf_status shf_plan_begin(struct shf_plan *plan, struct shf_error **error);
/* Plans the next group; *more says whether there was one. One after the other, so that the caller can stop in between. */
shf_status shf_plan_next(struct shf_plan *plan, bool *more, struct shf_error **error);

/* Rows and number of a part's units. */
uint64_t shf_plan_rows_a_unit(const struct shf_plan *plan, const struct shf_plan_group *group,
                              const struct shf_plan_part *part);
uint64_t shf_plan_units_of(const struct shf_plan *plan, const struct shf_plan_group *group,
                           const struct shf_plan_part *part);

/*
 * One thread's work on the units of a plan: heaps of its own, for the group that it is in. It takes units in ascending
 * order. On leaving a group its candidates go to the group; the first one to leave just leaves its heaps there.
 */
struct shf_scanner {
    const struct shf_plan *plan;  /* set by the caller, the rest zero */
    struct shf_arena arena;       /* and its budget */
    struct shf_plan_group *group; /* entered, or NULL */
    uint32_t group_at, part_at;
    uint64_t group_first, part_first; /* first unit of those */
    uint64_t units_done;              /* of the entered group */
    struct shf_search_query *queries;
    struct shf_topk *topks;
};

/* The group of a unit. */
struct shf_plan_group *shf_scanner_seek(struct shf_scanner *scanner, uint64_t unit);
/* Makes heaps and queries for the group that was sought. */
shf_status shf_scanner_enter(struct shf_scanner *scanner, struct shf_error **error);
/* Scans the unit that was sought; false when it was cancelled. */
bool shf_scanner_scan(struct shf_scanner *scanner, uint64_t unit, const struct shf_cancel *cancel);
/* Adds its candidates to the group, one scanner at a time. True when the group's heaps are complete now. */
bool shf_scanner_leave(struct shf_scanner *scanner);
/* Forgets what it has. */
void shf_scanner_drop(struct shf_scanner *scanner);

#endif
