/* Queries that name a stored vector instead of bringing one. */
#include "reader/search_priv.h"
#include "reader/shard/vectors.h"

#include <inttypes.h>
#include <string.h>

/* The row of a rowid in the shard's layout. */
static const float *find_row(const struct shf_shard *shard, int64_t rowid) {
    for (uint64_t row = 0; row < shard->rows.rows; row++) {
        if (shard->rowids[row] == rowid) return shard->rows.vectors + row * shard->rows.dimension;
    }
    return NULL;
}

static shf_status find_in(struct shf_search_run *run, struct shf_search_like *like, const struct shf_shard *shard,
                          struct shf_error **error) {
    bool found;
    int64_t rowid;
    shf_status status = shf_op_check(&run->search->base.op, error); /* each shard's table of ids is read whole */
    if (status) return status;
    status = shf_shard_find_vector(shard, like->text, like->text_size, like->integer, &found, &rowid, error);
    if (status) {
        shf_error_prefix(error, "%s", shf_shard_vectors_url(shard));
        shf_error_set_shard(*error, shard->id);
        shf_error_set_object(*error, shf_shard_vectors_url(shard));
        return status;
    }
    const float *row = found ? find_row(shard, rowid) : NULL;
    if (!row) return SHF_OK;
    if (run->held) { /* the shard may be closed before the query is done */
        size_t size = shard->rows.dimension * sizeof *row;
        float *copy = shf_arena_alloc(&run->arena, shard->rows.dimension, sizeof *copy);
        if (!copy) return shf_arena_refuse(&run->arena, "a stored vector", error);
        row = memcpy(copy, row, size);
    }
    run->plan.queries[like->query].vector = row;
    like->is_found = true;
    run->likes_missing--;
    return SHF_OK;
}

shf_status shf_search_look(struct shf_search_run *run, uint32_t first, uint32_t count, struct shf_error **error) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    for (uint32_t i = first; i < first + count; i++) {
        for (uint32_t l = 0; l < run->like_count && run->likes_missing; l++) {
            struct shf_search_like *like = &run->likes[l];
            shf_status status = like->is_found ? SHF_OK : find_in(run, like, snapshot->shards[i], error);
            if (!status) continue;
            shf_search_name_query(run, like->query, error);
            return status;
        }
    }
    return SHF_OK;
}

static shf_status not_found(const struct shf_search_like *like, struct shf_error **error) {
    if (like->is_text) {
        return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id \"%s\"", like->text);
    }
    return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id %" PRId64, like->integer);
}

shf_status shf_search_resolve_like(struct shf_search_run *run, struct shf_error **error) {
    for (uint32_t i = 0; i < run->like_count; i++) {
        const struct shf_search_like *like = &run->likes[i];
        struct shf_plan_query *query = &run->plan.queries[like->query];
        shf_status status = like->is_found ? SHF_OK : not_found(like, error);
        if (!status) {
            status = shf_search_query_check(run->plan.metric, query->vector, run->plan.dimension, &query->norm, error);
        }
        if (!status && like->shards) status = shf_search_route(run, like->query, like->shards, error);
        if (status) {
            shf_search_name_query(run, like->query, error);
            return status;
        }
    }
    return SHF_OK;
}
