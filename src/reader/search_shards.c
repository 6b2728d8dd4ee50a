/* Which shards a search needs; holding them where the number of open ones is bounded. */
#include "reader/search_priv.h"

#include <string.h>

static shf_status make_lists(struct shf_search_run *run, struct shf_error **error) {
    uint32_t count = run->search->base.snapshot->shard_count;
    run->wanted = shf_arena_zero(&run->arena, count, sizeof *run->wanted);
    run->needed = shf_arena_alloc(&run->arena, count, sizeof(struct shf_shard *));
    return run->wanted && run->needed ? SHF_OK : shf_arena_refuse(&run->arena, "the list of shards", error);
}

shf_status shf_search_bound(struct shf_search_run *run, struct shf_error **error) {
    uint32_t count = run->search->base.snapshot->shard_count;
    shf_status status = make_lists(run, error);
    if (status) return status;
    run->held = shf_arena_alloc(&run->arena, count, sizeof(struct shf_shard *));
    return run->held ? SHF_OK : shf_arena_refuse(&run->arena, "the list of shards", error);
}

void shf_search_hold(struct shf_search_run *run, uint32_t index) {
    struct shf_shard *shard = run->search->base.snapshot->shards[index];
    if (!shf_shard_hold(shard)) {
        run->needed[run->group.count++] = shard;
    } else if (run->held) {
        run->held[run->held_count++] = shard;
    }
}

void shf_search_let_go(struct shf_search_run *run) {
    for (uint32_t i = 0; i < run->held_count; i++) shf_shard_let_go(run->held[i]);
    run->held_count = 0;
}

static bool are_all_open(const struct shf_snapshot *snapshot) {
    bool any_closed = false;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        any_closed = any_closed || !shf_shard_is_ready(snapshot->shards[i]);
    }
    return !any_closed;
}

/*
 * Shards that queries by stored vectors may need: an id may be in any, and to which ones a vector is routed is not known
 * before it is found.
 */
static bool want_likes(struct shf_search_run *run) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    for (uint32_t i = 0; i < run->like_count; i++) {
        const struct shf_search_like *like = &run->likes[i];
        if (!like->is_place || like->shards) return true;
        uint32_t index = snapshot->index_of[like->shard];
        if (index != SHF_NO_SHARD) run->wanted[index] = true;
    }
    return false;
}

shf_status shf_search_list_shards(struct shf_search_run *run, struct shf_error **error) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    const struct shf_plan *plan = &run->plan;
    if (!run->held) {
        if (are_all_open(snapshot)) return SHF_OK; /* and they stay so */
        shf_status status = make_lists(run, error);
        if (status) return status;
    }
    bool all = !run->held && want_likes(run); /* else they were found before */
    for (uint32_t q = 0; q < plan->query_count && !all; q++) {
        const struct shf_plan_query *query = &plan->queries[q];
        all = !query->shards;
        for (uint32_t i = 0; i < query->shard_count && !all; i++) run->wanted[query->shards[i]] = true;
    }
    if (all) memset(run->wanted, true, snapshot->shard_count * sizeof *run->wanted);
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        if (run->wanted[i]) shf_search_hold(run, i);
    }
    return SHF_OK;
}
