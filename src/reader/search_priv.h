/*
 * A search while it runs, and its steps: search.c (copying the queries), search_steps.c (their order, opening shards),
 * search_check.c (what is wrong with the queries, where they are routed), search_shards.c (which shards that are),
 * search_like.c (stored vectors), search_run.c (scanning), search_hits.c (the answer).
 */
#ifndef SHF_READER_SEARCH_PRIV_H
#define SHF_READER_SEARCH_PRIV_H

#include "reader/results.h"
#include "search/plan.h"

/* A query that names a stored vector. */
struct shf_search_like {
    uint32_t query;
    bool is_place; /* shard and row; else an id */
    uint32_t shard;
    uint64_t row;
    bool is_text;
    int64_t integer;
    const char *text; /* NUL-terminated */
    size_t text_size;
    uint32_t *shards; /* the query's part of shard_ids, where the router fills it; else NULL */
    bool is_found;    /* the query has its vector */
};

struct shf_search_run {
    struct shf_search_op *search;
    struct shf_arena arena; /* the copied queries, the plan, the runners */
    struct shf_plan plan;
    uint32_t *shard_ids; /* of all queries; after the check, indexes into the state's shards */
    /*
     * Vector-only snapshots: how many shards the router may choose for each query at most, which is the room in its part
     * of shard_ids; 0: they are given, or all. Else NULL. The scratch has room for the largest.
     */
    uint32_t *probes;
    struct shf_vector_probe *scratch;
    struct shf_search_like *likes;
    uint32_t like_count, likes_missing;

    bool *wanted;              /* a flag a shard of the snapshot */
    struct shf_shard **needed; /* that are not open yet: the group's */
    struct shf_shard **held;   /* held_count; NULL where the number of open shards is not bounded */
    uint32_t held_count;
    uint32_t looked, looking; /* bounded: shards in which `like` was looked for, and is being looked for */
    struct shf_shard_group group;
    void (*when_open)(struct shf_task *task); /* worker with a place */

    struct shf_search_runner *runners; /* runner_count; the first one brings in the others */
    uint32_t runner_count, runners_started;
    atomic_uint runners_left;
    atomic_uint_least64_t next_unit;
    atomic_bool stopped;
    pthread_mutex_t mutex;
    struct { /* under mutex; so are the heaps of the plan's groups */
        shf_status status;
        struct shf_error *error;
    };
};

/* Starts the steps; the operation is active. */
void shf_search_begin(struct shf_search_op *search);

/* Worker. Whether the queries are in order, and which shards they ask for. */
shf_status shf_search_check(struct shf_search_run *run, struct shf_error **error);

/* Worker. Chooses the shards of a query that run->probes tells of, whose vector is known, in its part of shard_ids. */
shf_status shf_search_route(struct shf_search_run *run, uint32_t query, uint32_t *ids, struct shf_error **error);

/* Whether a stored vector that is not found yet may be in a shard, by its place in the snapshot. */
bool shf_search_looks_in(const struct shf_search_run *run, uint32_t index);
/* Worker. Looks for the stored vectors of `like` queries in shards that are open where these may be, by their places. */
shf_status shf_search_look(struct shf_search_run *run, uint32_t first, uint32_t count, struct shf_error **error);
/* Worker. All shards were looked at, or nothing is missing: checks those vectors and routes them. */
shf_status shf_search_resolve_like(struct shf_search_run *run, struct shf_error **error);

/* Worker. The search holds its shards from now on. */
shf_status shf_search_bound(struct shf_search_run *run, struct shf_error **error);
/* Worker. Which shards are to be searched: those that are open are held (bounded), the others needed. */
shf_status shf_search_list_shards(struct shf_search_run *run, struct shf_error **error);
/* Worker. The same of one shard, by its place in the snapshot. */
void shf_search_hold(struct shf_search_run *run, uint32_t index);
void shf_search_let_go(struct shf_search_run *run);

/* Worker with a place, all shards open. Scans, with the help of idle workers; ends the run, and gives the place back. */
void shf_search_scan_all(struct shf_search_run *run);

/* Worker. Sorts the heaps of a complete group and fetches ids and payloads of the hits. */
shf_status shf_search_answer(struct shf_search_op *search, const struct shf_plan *plan, struct shf_plan_group *group,
                             struct shf_error **error);

/* Frees the run and finishes the operation. */
void shf_search_end(struct shf_search_run *run, shf_status status, struct shf_error *error);

/* "query N: " before the message, in a batch. */
void shf_search_name_query(const struct shf_search_run *run, uint32_t query, struct shf_error **error);

#endif
