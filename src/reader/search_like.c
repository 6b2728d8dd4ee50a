/* Queries that name a stored vector, by id or by place, instead of bringing one. */
#include "reader/search_priv.h"
#include "reader/shard/vectors.h"

#include <inttypes.h>

/* The row of a rowid in the shard's layout. */
static const float *find_row(const struct shf_shard *shard, int64_t rowid) {
    for (uint64_t row = 0; row < shard->rows.rows; row++) {
        if (shard->rowids[row] == rowid) return shard->rows.vectors + row * shard->rows.dimension;
    }
    return NULL;
}

static shf_status find_id(const struct shf_search_op *search, const struct shf_search_like *like, const float **vector,
                          struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        const struct shf_shard *shard = snapshot->shards[i];
        bool found;
        int64_t rowid;
        shf_status status = shf_op_check(&search->base.op, error); /* each shard's table of ids is read whole */
        if (status) return status;
        status = shf_shard_find_vector(shard, like->text, like->text_size, like->integer, &found, &rowid, error);
        if (status) {
            shf_error_prefix(error, "%s", shf_shard_vectors_url(shard));
            shf_error_set_shard(*error, shard->id);
            shf_error_set_object(*error, shf_shard_vectors_url(shard));
            return status;
        }
        const float *row = found ? find_row(shard, rowid) : NULL;
        if (row) {
            *vector = row;
            return SHF_OK;
        }
    }
    if (like->is_text) {
        return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id \"%s\"", like->text);
    }
    return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id %" PRId64, like->integer);
}

static shf_status find_place(const struct shf_search_op *search, const struct shf_search_like *like,
                             const float **vector, struct shf_error **error) {
    const struct shf_shard *shard = shf_snapshot_shard_of(search->base.snapshot, like->shard);
    if (!shard || like->row >= shard->rows.rows) {
        shf_status status = shf_error_set(error, SHF_E_INVALID,
                                          "`like_place`: shard %u has %" PRIu64 " vectors: there is no row %" PRIu64,
                                          like->shard, shard ? shard->rows.rows : 0, like->row);
        shf_error_set_shard(*error, like->shard);
        return status;
    }
    *vector = shard->rows.vectors + like->row * shard->rows.dimension;
    return SHF_OK;
}

static shf_status resolve(struct shf_search_run *run, const struct shf_search_like *like, struct shf_error **error) {
    struct shf_plan_query *query = &run->plan.queries[like->query];
    shf_status status = (like->is_place ? find_place : find_id)(run->search, like, &query->vector, error);
    if (status) return status;
    status = shf_search_query_check(run->plan.metric, query->vector, run->plan.dimension, &query->norm, error);
    if (status && like->is_place) {
        shf_error_prefix(error, "`like_place`: row %" PRIu64 " of shard %u", like->row, like->shard);
        shf_error_set_shard(*error, like->shard);
    }
    return status;
}

shf_status shf_search_resolve_like(struct shf_search_run *run, struct shf_error **error) {
    for (uint32_t i = 0; i < run->like_count; i++) {
        const struct shf_search_like *like = &run->likes[i];
        shf_status status = resolve(run, like, error);
        if (!status && like->shards) status = shf_search_route(run, like->query, like->shards, error);
        if (status) {
            shf_search_name_query(run, like->query, error);
            return status;
        }
    }
    return SHF_OK;
}
