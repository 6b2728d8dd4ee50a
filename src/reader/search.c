/*
 * search and batch_search: arguments are checked and copied inside the call; the scan always runs on the workers.
 */
#include "base/alloc.h"
#include "reader/search_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void free_plan(struct shf_query_plan *plan) {
    shf_free(plan->shards);
    shf_free(plan->values);
    shf_free(plan->like_text);
}

static void free_results(struct shf_search_op *search) {
    for (size_t q = 0; search->results && q < search->query_count; q++) {
        struct shf_search_result *result = &search->results[q];
        for (uint32_t i = 0; i < result->hit_count; i++) {
            shf_free(result->hits[i].id_text);
            shf_free(result->hits[i].payload);
        }
        shf_free(result->hits);
    }
    shf_free(search->results);
}

static void free_search(struct shf_search_op *search) {
    for (size_t q = 0; search->plans && q < search->query_count; q++) free_plan(&search->plans[q]);
    shf_free(search->plans);
    shf_search_free_units(search);
    free_results(search);
    shf_free(search->needed);
    shf_free(search);
}

static void destroy(struct shf_op *op) {
    struct shf_search_op *search = SHF_CONTAINER(op, struct shf_search_op, base.op);
    shf_budget_give(shf_rt_budget(op->runtime), search->charged_bytes);
    shf_snapshot_drop(search->base.snapshot);
    free_search(search);
}

shf_status shf_search_charge(struct shf_search_op *search, uint64_t bytes, const char *what, struct shf_error **error) {
    struct shf_budget *budget = shf_rt_budget(search->base.op.runtime);
    if (shf_budget_take(budget, bytes)) {
        search->charged_bytes += bytes;
        return SHF_OK;
    }
    if (bytes > budget->limit_bytes) {
        return shf_error_set(error, SHF_E_INVALID,
                             "%s needs %" PRIu64 " bytes, the memory budget is %" PRIu64
                             "; ask for a smaller top_k or raise "
                             "memory_budget_bytes",
                             what, bytes, budget->limit_bytes);
    }
    return shf_error_set(error, SHF_E_NO_MEMORY,
                         "%s needs %" PRIu64
                         " bytes, which the memory budget does not have now; release operations and try "
                         "again",
                         what, bytes);
}

/* ---- which shards ---- */

static int compare_u32(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* shard ids to indexes of non-empty shards; `seen` has num_dbs marks, `mark` is this query's. */
static shf_status select_given(const struct shf_snapshot *snapshot, const shf_query *query, struct shf_query_plan *plan,
                               uint32_t *seen, uint32_t mark, struct shf_error **error) {
    for (uint32_t i = 0; i < query->shard_count; i++) {
        uint32_t id = query->shard_ids[i];
        if (id >= snapshot->manifest->num_dbs) {
            return shf_error_set(error, SHF_E_INVALID, "shard id %u is out of range: the snapshot has shards 0 to %u",
                                 id, snapshot->manifest->num_dbs - 1);
        }
        if (seen[id] == mark) {
            return shf_error_set(error, SHF_E_INVALID, "shard id %u is given twice", id);
        }
        seen[id] = mark;
        uint32_t index = snapshot->index_of[id];
        if (index != SHF_NO_SHARD) plan->shards[plan->shard_count++] = index;
    }
    qsort(plan->shards, plan->shard_count, sizeof *plan->shards, compare_u32);
    return SHF_OK;
}

static shf_status select_shards(const struct shf_snapshot *snapshot, const shf_query *query,
                                struct shf_query_plan *plan, uint32_t *seen, uint32_t mark, struct shf_error **error) {
    bool all = query->shard_ids == NULL;
    uint32_t room = all ? snapshot->shard_count : query->shard_count;
    if (!all && room > snapshot->manifest->num_dbs) {
        return shf_error_set(error, SHF_E_INVALID, "%u shard ids are given, the snapshot has %u shards", room,
                             snapshot->manifest->num_dbs);
    }
    plan->shards = shf_alloc_array(room, sizeof *plan->shards);
    if (!plan->shards) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u shard ids", room);
    shf_status status = SHF_OK;
    if (all) {
        for (uint32_t i = 0; i < room; i++) plan->shards[i] = i;
        plan->shard_count = room;
    } else {
        status = select_given(snapshot, query, plan, seen, mark, error);
    }
    plan->num_shards_queried = room; /* given ids of empty shards count too */
    return status;
}

/* ---- the query itself ---- */

static shf_status copy_like(const shf_vector_id *like, struct shf_query_plan *plan, struct shf_error **error) {
    if (like->kind != SHF_ID_INT && like->kind != SHF_ID_TEXT) {
        return shf_error_set(error, SHF_E_INVALID, "`like` has an unknown kind of id: %u", like->kind);
    }
    plan->is_like = true;
    plan->like_is_text = like->kind == SHF_ID_TEXT;
    plan->like_integer = like->int_value;
    if (!plan->like_is_text) return SHF_OK;
    if (like->text.size && !like->text.data) return shf_error_set(error, SHF_E_INVALID, "`like` has no text");
    plan->like_text = shf_strndup(like->text.data, like->text.size);
    plan->like_text_size = like->text.size;
    return plan->like_text ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the id of `like`");
}

static shf_status make_plan(const struct shf_snapshot *snapshot, const shf_query *given, struct shf_query_plan *plan,
                            uint32_t *seen, uint32_t mark, struct shf_error **error) {
    const struct shf_manifest_vector *vector = &snapshot->manifest->vector;
    if (given->top_k == 0) return shf_error_set(error, SHF_E_INVALID, "top_k must be at least 1");
    if (given->num_probes) {
        return shf_error_set(error, SHF_E_INVALID,
                             "num_probes is for vector-only snapshots; this one searches every shard");
    }
    if ((given->vector != NULL) == (given->like != NULL)) {
        return shf_error_set(error, SHF_E_INVALID, "a query needs either a vector or the id of a stored one");
    }
    if (given->vector && given->dimension != vector->dimension) {
        return shf_error_set(error, SHF_E_INVALID, "the query has %u dimensions, the vectors of this snapshot have %u",
                             given->dimension, vector->dimension);
    }
    plan->top_k = given->top_k;
    plan->values = shf_alloc_array(vector->dimension, sizeof *plan->values);
    if (!plan->values) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a query vector");
    shf_status status = select_shards(snapshot, given, plan, seen, mark, error);
    if (status) return status;
    if (given->like) return copy_like(given->like, plan, error);
    return shf_search_query_init(&plan->query, (enum shf_search_metric)vector->metric, given->vector, vector->dimension,
                                 plan->values, error);
}

static shf_status make_plans(struct shf_search_op *search, const shf_query *queries, struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    if (snapshot->kind != SHF_KIND_UNIFIED) {
        return shf_error_set(error, SHF_E_INVALID, "%s is a key-value snapshot: it has no vectors to search",
                             snapshot->manifest_ref);
    }
    uint32_t *seen = shf_alloc_zero(snapshot->manifest->num_dbs, sizeof *seen);
    if (!seen) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu queries", search->query_count);
    shf_status status = SHF_OK;
    for (size_t q = 0; q < search->query_count && !status; q++) {
        status = make_plan(snapshot, &queries[q], &search->plans[q], seen, (uint32_t)q + 1, error);
        if (status && search->query_count > 1) shf_error_prefix(error, "query %zu", q);
    }
    shf_free(seen);
    return status;
}

/* ---- shards that are not open yet ---- */

static void resolve_task(struct shf_task *task) {
    struct shf_search_op *search = SHF_CONTAINER(task, struct shf_search_op, base.task);
    struct shf_error *error = NULL;
    shf_status status = shf_search_resolve_like(search, &error);
    if (status) {
        shf_reader_finish(&search->base, status, error);
    } else {
        shf_search_fan_out(search);
    }
}

static bool has_like(const struct shf_search_op *search) {
    for (size_t q = 0; q < search->query_count; q++) {
        if (search->plans[q].is_like) return true;
    }
    return false;
}

static void run(struct shf_search_op *search) {
    if (has_like(search)) {
        search->base.task.run = resolve_task;
        shf_rt_post_worker(search->base.reader->runtime, &search->base.task);
    } else {
        shf_search_fan_out(search);
    }
}

static void shards_ready(struct shf_shard_group *group) {
    struct shf_search_op *search = SHF_CONTAINER(group, struct shf_search_op, group);
    if (group->status) {
        shf_reader_finish(&search->base, group->status, group->error);
    } else {
        run(search);
    }
}

static void open_shards(struct shf_task *task) {
    struct shf_search_op *search = SHF_CONTAINER(task, struct shf_search_op, base.task);
    shf_shard_group_start(&search->group);
}

static bool is_selected(const struct shf_search_op *search, uint32_t index) {
    for (size_t q = 0; q < search->query_count; q++) {
        const struct shf_query_plan *plan = &search->plans[q];
        if (plan->is_like) return true; /* the id may be in any shard */
        if (bsearch(&index, plan->shards, plan->shard_count, sizeof index, compare_u32)) return true;
    }
    return false;
}

static shf_status list_needed(struct shf_search_op *search, struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    struct shf_source *source = search->base.reader->source;
    uint32_t count = 0;
    search->needed = shf_alloc_zero(snapshot->shard_count, sizeof(struct shf_shard *));
    if (!search->needed) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u shards", snapshot->shard_count);
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        if (shf_shard_is_ready(snapshot->shards[i]) || !is_selected(search, i)) continue;
        search->needed[count++] = snapshot->shards[i];
    }
    search->group = (struct shf_shard_group){.runtime = source->runtime,
                                             .shards = search->needed,
                                             .count = count,
                                             .limit = source->max_concurrency,
                                             .deadline_ns = search->base.op.deadline_ns,
                                             .cancel = search->base.op.cancel,
                                             .done = shards_ready};
    return SHF_OK;
}

shf_status shf_reader_search(struct shf_reader *reader, enum shf_op_kind kind, const shf_query *queries, size_t count,
                             const struct shf_submission *submission, shf_op_id *id) {
    struct shf_search_op *search = shf_alloc_zero(1, sizeof *search);
    if (!search) return SHF_E_NO_MEMORY;
    search->query_count = count;
    search->plans = shf_alloc_zero(count, sizeof *search->plans);
    search->results = shf_alloc_zero(count, sizeof *search->results);
    shf_status status = SHF_E_NO_MEMORY;
    if (search->plans && search->results) status = shf_reader_enter(reader, &search->base, kind, submission, destroy);
    if (status) {
        free_search(search);
        return status;
    }
    if (id) *id = search->base.op.id;
    struct shf_error *error = NULL;
    status = make_plans(search, queries, &error);
    if (!status) status = list_needed(search, &error);
    if (status) {
        shf_reader_finish(&search->base, status, error);
        return SHF_OK;
    }
    if (!shf_reader_activate(&search->base)) return SHF_OK;
    if (search->group.count == 0) {
        run(search);
    } else {
        search->base.task.run = open_shards;
        shf_rt_post_loop(reader->runtime, &search->base.task);
    }
    return SHF_OK;
}
