/* Queries that name a stored vector instead of bringing one. */
#include "reader/search_priv.h"

#include <inttypes.h>

/* The row of a rowid in the shard's layout. */
static const float *find_row(const struct shf_shard *shard, int64_t rowid) {
    for (uint64_t row = 0; row < shard->rows.rows; row++) {
        if (shard->rowids[row] == rowid) return shard->rows.vectors + row * shard->rows.dimension;
    }
    return NULL;
}

static shf_status find_vector(const struct shf_snapshot *snapshot, const struct shf_query_plan *plan,
                              const float **vector, struct shf_error **error) {
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        const struct shf_shard *shard = snapshot->shards[i];
        bool found;
        int64_t rowid;
        shf_status status = shf_vec0_find_id(&shard->vec, plan->like_is_text ? plan->like_text : NULL,
                                             plan->like_text_size, plan->like_integer, &found, &rowid, error);
        if (status) {
            shf_error_prefix(error, "%s", shard->object_url);
            return status;
        }
        const float *row = found ? find_row(shard, rowid) : NULL;
        if (row) {
            *vector = row;
            return SHF_OK;
        }
    }
    if (plan->like_is_text) {
        return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id \"%s\"", plan->like_text);
    }
    return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id %" PRId64, plan->like_integer);
}

shf_status shf_search_resolve_like(struct shf_search_op *search, struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    const struct shf_manifest_vector *meta = &snapshot->manifest->vector;
    for (size_t q = 0; q < search->query_count; q++) {
        struct shf_query_plan *plan = &search->plans[q];
        const float *vector = NULL;
        if (!plan->is_like) continue;
        shf_status status = shf_op_check(&search->base.op, error);
        if (!status) status = find_vector(snapshot, plan, &vector, error);
        if (!status) {
            status = shf_search_query_init(&plan->query, (enum shf_search_metric)meta->metric, vector, meta->dimension,
                                           plan->values, error);
        }
        if (status) {
            if (search->query_count > 1) shf_error_prefix(error, "query %zu", q);
            return status;
        }
    }
    return SHF_OK;
}
