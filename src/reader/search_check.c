/* What a worker checks before the scan: the vectors, and which shards each query asks for. */
#include "reader/search_priv.h"

#include <stdlib.h>

#define QUERIES_BETWEEN_LOOKS 64u /* at token and clock */

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Shard ids, checked, to indexes of the non-empty ones among them, in place. */
static shf_status select_shards(const struct shf_snapshot *snapshot, uint32_t *ids, struct shf_plan_query *query,
                                struct shf_error **error) {
    uint32_t count = 0, num_dbs = snapshot->manifest->num_dbs;
    for (uint32_t i = 0; i < query->shard_count; i++) {
        if (ids[i] < num_dbs) continue;
        return shf_error_set(error, SHF_E_INVALID, "shard id %u is out of range: the snapshot has shards 0 to %u",
                             ids[i], num_dbs - 1);
    }
    qsort(ids, query->shard_count, sizeof *ids, compare_u32);
    for (uint32_t i = 0; i < query->shard_count; i++) {
        if (i && ids[i] == ids[i - 1]) {
            return shf_error_set(error, SHF_E_INVALID, "shard id %u is given twice", ids[i]);
        }
    }
    for (uint32_t i = 0; i < query->shard_count; i++) {
        uint32_t index = snapshot->index_of[ids[i]];
        if (index != SHF_NO_SHARD) ids[count++] = index;
    }
    query->shard_count = count;
    return SHF_OK;
}

/* What was chosen or given, `ids` of query->shard_count, becomes what is searched. */
static shf_status select_and_count(struct shf_search_run *run, uint32_t q, uint32_t *ids, struct shf_error **error) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    struct shf_plan_query *query = &run->plan.queries[q];
    struct shf_search_result *result = &run->search->results[q];
    result->num_shards_probed = query->shards ? query->shard_count : snapshot->manifest->num_dbs;
    result->num_shards_queried = query->shards ? query->shard_count : snapshot->shard_count;
    shf_status status = query->shards ? select_shards(snapshot, ids, query, error) : SHF_OK;
    /* In a vector-only snapshot an empty shard does not count. */
    if (!status && query->shards && snapshot->router) result->num_shards_queried = query->shard_count;
    return status;
}

shf_status shf_search_route(struct shf_search_run *run, uint32_t q, uint32_t *ids, struct shf_error **error) {
    struct shf_plan_query *query = &run->plan.queries[q];
    shf_status status = shf_vector_route(run->search->base.snapshot->router, query->vector, NULL, run->probes[q],
                                         run->scratch, ids, &query->shard_count, error);
    return status ? status : select_and_count(run, q, ids, error);
}

static shf_status check_query(struct shf_search_run *run, uint32_t q, uint32_t *ids, struct shf_error **error) {
    struct shf_plan_query *query = &run->plan.queries[q];
    bool is_routed = run->probes && run->probes[q];
    shf_status status = is_routed ? SHF_OK : select_and_count(run, q, ids, error);
    if (status || !query->vector) return status;
    status = shf_search_query_check(run->plan.metric, query->vector, run->plan.dimension, &query->norm, error);
    return status || !is_routed ? status : shf_search_route(run, q, ids, error);
}

shf_status shf_search_check(struct shf_search_run *run, struct shf_error **error) {
    uint32_t *ids = run->shard_ids;
    for (uint32_t q = 0; q < run->plan.query_count; q++) {
        const struct shf_plan_query *query = &run->plan.queries[q];
        uint32_t given = query->shard_count;
        bool looks = q % QUERIES_BETWEEN_LOOKS == 0 || run->probes; /* routing may take a while */
        shf_status status = looks ? shf_op_check(&run->search->base.op, error) : SHF_OK;
        if (status) return status;
        status = check_query(run, q, ids, error);
        if (status) {
            shf_search_name_query(run, q, error);
            return status;
        }
        ids += given;
    }
    return SHF_OK;
}
