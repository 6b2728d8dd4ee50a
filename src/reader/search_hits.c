/* The answer: ids and payloads of the rows that won. */
#include "base/alloc.h"
#include "reader/search_priv.h"
#include "reader/shard/vectors.h"

#define HITS_BETWEEN_LOOKS 256u /* at token and clock */

/* Until the operation is released. */
static shf_status charge(struct shf_search_op *search, uint64_t bytes, const char *what, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(search->base.op.runtime);
    if (!shf_budget_take(budget, bytes)) return shf_budget_refuse(budget, bytes, what, error);
    atomic_fetch_add_explicit(&search->answer_bytes, bytes, memory_order_relaxed);
    return SHF_OK;
}

/* A text with its end. */
static uint64_t text_cost(const char *text, size_t size) { return text ? shf_alloc_cost((uint64_t)size + 1) : 0; }

static shf_status fetch_hit(struct shf_search_op *search, const struct shf_candidate *candidate,
                            struct shf_search_hit *hit, struct shf_error **error) {
    const struct shf_shard *shard = shf_snapshot_shard_of(search->base.snapshot, candidate->shard);
    int64_t rowid = shard->rowids[candidate->position];
    struct shf_stored_id id = {0};
    shf_status status = shf_shard_vector_id(shard, rowid, &id, error);
    if (!status) {
        *hit = (struct shf_search_hit){.candidate = *candidate,
                                       .id_is_text = id.is_text,
                                       .id_integer = id.integer,
                                       .id_text = id.text,
                                       .id_text_size = id.text_size};
        status = shf_shard_vector_payload(shard, rowid, &hit->payload, &hit->payload_size, error);
    }
    if (!status) {
        uint64_t cost = text_cost(hit->payload, hit->payload_size) + text_cost(hit->id_text, hit->id_text_size);
        status = charge(search, cost, "the payloads of the answer", error);
    }
    if (status) {
        shf_error_prefix(error, "%s", shf_shard_vectors_url(shard));
        shf_error_set_shard(error ? *error : NULL, shard->id);
    }
    return status;
}

static shf_status fetch_hits(struct shf_search_op *search, const struct shf_topk *best,
                             struct shf_search_result *result, struct shf_error **error) {
    shf_status status = charge(search, (uint64_t)best->count * sizeof *result->hits, "the answer", error);
    if (status) return status;
    result->hits = shf_alloc_zero(best->count, sizeof *result->hits);
    if (!result->hits) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u hits", best->count);
    for (uint32_t i = 0; i < best->count && !status; i++) {
        if (i % HITS_BETWEEN_LOOKS == 0) status = shf_op_check(&search->base.op, error);
        result->hit_count = i + 1; /* so that a hit that failed half way is freed too */
        if (!status) status = fetch_hit(search, &best->entries[i], &result->hits[i], error);
    }
    return status;
}

shf_status shf_search_answer(struct shf_search_op *search, const struct shf_plan *plan, struct shf_plan_group *group,
                             struct shf_error **error) {
    shf_status status = SHF_OK;
    for (uint32_t i = 0; i < group->query_count && !status; i++) {
        struct shf_search_result *result = &search->results[group->queries[i]];
        result->rows_scanned = plan->queries[group->queries[i]].rows;
        shf_topk_sort(&group->topks[i]);
        status = fetch_hits(search, &group->topks[i], result, error);
    }
    return status;
}
