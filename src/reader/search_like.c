/* Queries that name a stored vector, by id or by place, instead of bringing one. */
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

/* A copy where the shard may be closed before the query is done. */
static shf_status take_row(struct shf_search_run *run, struct shf_search_like *like, const struct shf_shard *shard,
                           const float *row, struct shf_error **error) {
    if (run->held) {
        float *copy = shf_arena_alloc(&run->arena, shard->rows.dimension, sizeof *copy);
        if (!copy) return shf_arena_refuse(&run->arena, "a stored vector", error);
        row = memcpy(copy, row, shard->rows.dimension * sizeof *row);
    }
    run->plan.queries[like->query].vector = row;
    like->is_found = true;
    run->likes_missing--;
    return SHF_OK;
}

static shf_status no_such_row(const struct shf_search_like *like, uint64_t rows, struct shf_error **error) {
    shf_status status =
        shf_error_set(error, SHF_E_INVALID, "`like_place`: shard %u has %" PRIu64 " vectors: there is no row %" PRIu64,
                      like->shard, rows, like->row);
    shf_error_set_shard(*error, like->shard);
    return status;
}

static shf_status find_in(struct shf_search_run *run, struct shf_search_like *like, const struct shf_shard *shard,
                          struct shf_error **error) {
    bool found;
    int64_t rowid;
    if (like->is_place) {
        if (like->row >= shard->rows.rows) return no_such_row(like, shard->rows.rows, error);
        return take_row(run, like, shard, shard->rows.vectors + like->row * shard->rows.dimension, error);
    }
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
    return row ? take_row(run, like, shard, row, error) : SHF_OK;
}

static bool may_be_in(const struct shf_search_like *like, const struct shf_shard *shard) {
    return !like->is_found && (!like->is_place || like->shard == shard->id);
}

bool shf_search_looks_in(const struct shf_search_run *run, uint32_t index) {
    const struct shf_shard *shard = run->search->base.snapshot->shards[index];
    for (uint32_t l = 0; l < run->like_count; l++) {
        if (may_be_in(&run->likes[l], shard)) return true;
    }
    return false;
}

shf_status shf_search_look(struct shf_search_run *run, uint32_t first, uint32_t count, struct shf_error **error) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    for (uint32_t i = first; i < first + count; i++) {
        for (uint32_t l = 0; l < run->like_count && run->likes_missing; l++) {
            struct shf_search_like *like = &run->likes[l];
            if (!may_be_in(like, snapshot->shards[i])) continue;
            shf_status status = find_in(run, like, snapshot->shards[i], error);
            if (!status) continue;
            shf_search_name_query(run, like->query, error);
            return status;
        }
    }
    return SHF_OK;
}

static shf_status not_found(const struct shf_search_like *like, struct shf_error **error) {
    if (like->is_place) return no_such_row(like, 0, error); /* the shard is empty */
    if (like->is_text) {
        return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id \"%s\"", like->text);
    }
    return shf_error_set(error, SHF_E_INVALID, "no stored vector has the id %" PRId64, like->integer);
}

static shf_status resolve(struct shf_search_run *run, const struct shf_search_like *like, struct shf_error **error) {
    struct shf_plan_query *query = &run->plan.queries[like->query];
    if (!like->is_found) return not_found(like, error);
    shf_status status = shf_search_query_check(run->plan.metric, query->vector, run->plan.dimension, &query->norm, error);
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
