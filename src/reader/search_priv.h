/*
 * A search while it runs, and its steps: search.c (copying the queries, opening shards), search_check.c (what is wrong
 * with them, which shards), search_like.c (stored vectors), search_run.c (scanning), search_hits.c (the answer).
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
    uint32_t like_count;

    struct shf_shard **needed; /* that are not open yet */
    struct shf_shard_group group;

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

/* Worker. Whether the queries are in order, which shards they ask for, and which of those must be opened. */
shf_status shf_search_check(struct shf_search_run *run, struct shf_error **error);

/* Worker. Chooses the shards of a query that run->probes tells of, whose vector is known, in its part of shard_ids. */
shf_status shf_search_route(struct shf_search_run *run, uint32_t query, uint32_t *ids, struct shf_error **error);

/* Worker. Finds the stored vectors of `like` queries. */
shf_status shf_search_resolve_like(struct shf_search_run *run, struct shf_error **error);

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
