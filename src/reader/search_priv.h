/* Between the steps of a search: search.c (arguments), search_run.c (scan and merge), search_like.c (stored vectors). */
#ifndef SHF_READER_SEARCH_PRIV_H
#define SHF_READER_SEARCH_PRIV_H

#include "reader/results.h"

/* One query, copied and checked. */
struct shf_query_plan {
    uint32_t top_k;
    uint32_t *shards; /* indexes into the state's shards, ascending */
    uint32_t shard_count;
    uint32_t num_shards_queried;
    double *values; /* the query vector in float64 */
    struct shf_search_query query;
    bool is_like; /* values come from the stored vector of this id */
    bool like_is_text;
    int64_t like_integer;
    char *like_text;
    size_t like_text_size;
};

/* Finds the stored vectors of `like` queries. Worker. */
shf_status shf_search_resolve_like(struct shf_search_op *search, struct shf_error **error);

/* Any thread, all shards open: splits the work over the workers. Finishes the operation in the end. */
void shf_search_fan_out(struct shf_search_op *search);

void shf_search_free_units(struct shf_search_op *search);

/* Charges bytes to the budget until the operation is released. */
shf_status shf_search_charge(struct shf_search_op *search, uint64_t bytes, const char *what, struct shf_error **error);

#endif
