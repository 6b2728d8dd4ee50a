/*
 * search and batch_search. The call checks what it must know in order to copy the queries, and copies them; everything
 * that takes time is done by workers.
 *
 *   caller  copy                                          loop    wait for a place, where none is free
 *   worker  check; shards not open yet?                -> loop    open them -> worker
 *   worker  like, plan, scan (helped by idle workers), answer
 */
#include "base/alloc.h"
#include "reader/search_priv.h"

#include <string.h>

static void free_run(struct shf_search_run *run) {
    if (!run) return;
    shf_arena_free(&run->arena);
    (void)pthread_mutex_destroy(&run->mutex);
    shf_free(run);
}

static void free_search(struct shf_search_op *search) {
    for (size_t q = 0; search->results && q < search->query_count; q++) {
        struct shf_search_result *result = &search->results[q];
        for (uint32_t i = 0; i < result->hit_count; i++) {
            shf_free(result->hits[i].id_text);
            shf_free(result->hits[i].payload);
        }
        shf_free(result->hits);
    }
    shf_free(search->results);
    free_run(search->run);
    shf_free(search);
}

static void destroy(struct shf_op *op) {
    struct shf_search_op *search = SHF_CONTAINER(op, struct shf_search_op, base.op);
    shf_budget_give(shf_rt_budget(op->runtime), atomic_load(&search->answer_bytes));
    shf_snapshot_drop(search->base.snapshot);
    free_search(search);
}

void shf_search_end(struct shf_search_run *run, shf_status status, struct shf_error *error) {
    struct shf_search_op *search = run->search;
    shf_search_let_go(run);
    search->run = NULL;
    free_run(run);
    shf_reader_finish(&search->base, status, error);
}

void shf_search_name_query(const struct shf_search_run *run, uint32_t query, struct shf_error **error) {
    if (run->plan.query_count > 1) shf_error_prefix(error, "query %u", query);
}

/* ---- copying the queries ---- */

struct sizes {
    size_t shard_ids, likes, text;
    uint32_t most_probes;
};

/* Whether the vector decides where to search; what the context decides is decided in the call. */
static bool goes_by_vector(const struct shf_vector_router *router) {
    return router->strategy == SHF_VECTORS_BY_CLUSTER || router->strategy == SHF_VECTORS_BY_LSH;
}

/* How many shards the router may choose; 0 = none: they are given, or all. */
static uint32_t probes_of(const struct shf_snapshot *snapshot, const shf_query *query) {
    const struct shf_vector_router *router = snapshot->router;
    if (!router || query->shard_ids) return 0;
    uint32_t most = shf_vector_router_most(router, query->num_probes);
    return router->strategy == SHF_VECTORS_BY_CLUSTER && most == router->num_dbs ? 0 : most;
}

static shf_status measure_like(const shf_vector_id *like, struct sizes *sizes, struct shf_error **error) {
    if (like->kind != SHF_ID_INT && like->kind != SHF_ID_TEXT) {
        return shf_error_set(error, SHF_E_INVALID, "`like` has an unknown kind of id: %u", like->kind);
    }
    sizes->likes++;
    if (like->kind == SHF_ID_INT) return SHF_OK;
    if (like->text.size && !like->text.data) return shf_error_set(error, SHF_E_INVALID, "`like` has no text");
    if (!shf_add(sizes->text, like->text.size, &sizes->text) || !shf_add(sizes->text, 1, &sizes->text)) {
        return shf_error_set(error, SHF_E_INVALID, "`like` has an absurd size");
    }
    return SHF_OK;
}

static shf_status measure_place(const shf_vector_place *place, uint32_t shards, struct sizes *sizes,
                                struct shf_error **error) {
    if (place->reserved) return shf_error_set(error, SHF_E_INVALID, "`like_place`: reserved is not 0");
    if (place->shard >= shards) {
        return shf_error_set(error, SHF_E_INVALID,
                             "`like_place`: shard %u is out of range: the snapshot has shards 0 to %u", place->shard,
                             shards - 1);
    }
    sizes->likes++;
    return SHF_OK;
}

/* In a snapshot with keys. Under a hash a context says nothing; shard_ids win over it. */
static bool goes_by_context(const struct shf_snapshot *snapshot, const shf_query *query) {
    return snapshot->cel && query->context && !query->shard_ids;
}

static shf_status measure(const struct shf_snapshot *snapshot, const shf_query *query, struct sizes *sizes,
                          struct shf_error **error) {
    uint32_t dimension = snapshot->manifest->vector.dimension, shards = snapshot->manifest->num_dbs;
    if (query->top_k == 0) return shf_error_set(error, SHF_E_INVALID, "top_k must be at least 1");
    if (query->num_probes && snapshot->kind != SHF_KIND_VECTOR_ONLY) {
        return shf_error_set(error, SHF_E_INVALID,
                             "num_probes is for vector-only snapshots; this one searches every shard");
    }
    if ((query->vector != NULL) + (query->like != NULL) + (query->like_place != NULL) != 1) {
        return shf_error_set(error, SHF_E_INVALID, "a query needs either a vector or the id or place of a stored one");
    }
    if (query->vector && query->dimension != dimension) {
        return shf_error_set(error, SHF_E_INVALID, "the query has %u dimensions, the vectors of this snapshot have %u",
                             query->dimension, dimension);
    }
    if (query->shard_ids && query->shard_count > shards) {
        return shf_error_set(error, SHF_E_INVALID, "%u shard ids are given, the snapshot has %u shards",
                             query->shard_count, shards);
    }
    uint32_t probes = goes_by_context(snapshot, query) ? 1 : probes_of(snapshot, query);
    if (probes > sizes->most_probes) sizes->most_probes = probes;
    sizes->shard_ids += query->shard_ids ? query->shard_count : probes; /* fits: 65,536 queries of as many shards */
    if (query->like_place) return measure_place(query->like_place, shards, sizes, error);
    return query->like ? measure_like(query->like, sizes, error) : SHF_OK;
}

/* The shards that are given, or that the context leads to, or the room for those that the vector will lead to. */
static shf_status copy_shards(struct shf_search_run *run, const shf_query *given, uint32_t q, uint32_t **ids,
                              struct shf_error **error) {
    const struct shf_snapshot *snapshot = run->search->base.snapshot;
    struct shf_plan_query *query = &run->plan.queries[q];
    bool by_context = goes_by_context(snapshot, given);
    uint32_t count = given->shard_ids ? given->shard_count : by_context ? 1 : probes_of(snapshot, given);
    shf_status status = SHF_OK;
    if (!given->shard_ids && !count) return SHF_OK; /* all */
    if (given->shard_ids) {
        if (count) memcpy(*ids, given->shard_ids, count * sizeof **ids);
    } else if (by_context) {
        status = shf_routing_once(snapshot->cel, given->context, *ids, error);
    } else if (goes_by_vector(snapshot->router)) {
        run->probes[q] = count;
    } else {
        status = shf_vector_route(snapshot->router, NULL, given->context, given->num_probes, run->scratch, *ids, &count,
                                  error);
    }
    if (status) {
        shf_search_name_query(run, q, error);
        return status;
    }
    query->shards = *ids;
    query->shard_count = count;
    *ids += count;
    return SHF_OK;
}

static void copy_like(const shf_query *given, uint32_t query, struct shf_search_like *copy, char **text) {
    const shf_vector_id *like = given->like;
    if (!like) {
        *copy = (struct shf_search_like){
            .query = query, .is_place = true, .shard = given->like_place->shard, .row = given->like_place->row};
        return;
    }
    *copy = (struct shf_search_like){.query = query, .is_text = like->kind == SHF_ID_TEXT, .integer = like->int_value};
    if (!copy->is_text) return;
    if (like->text.size) memcpy(*text, like->text.data, like->text.size);
    (*text)[like->text.size] = '\0';
    copy->text = *text;
    copy->text_size = like->text.size;
    *text += like->text.size + 1;
}

static shf_status copy_queries(struct shf_search_run *run, const shf_query *queries, const struct sizes *sizes,
                               struct shf_error **error) {
    struct shf_plan *plan = &run->plan;
    size_t dimension = plan->dimension, vectors = plan->query_count - sizes->likes;
    float *vector = shf_arena_alloc(&run->arena, vectors, dimension * sizeof *vector);
    uint32_t *ids = shf_arena_alloc(&run->arena, sizes->shard_ids, sizeof *ids);
    char *text = shf_arena_alloc(&run->arena, sizes->text, 1);
    run->likes = shf_arena_alloc(&run->arena, sizes->likes, sizeof *run->likes);
    plan->queries = shf_arena_alloc(&run->arena, plan->query_count, sizeof *plan->queries);
    if (run->search->base.snapshot->router) {
        run->probes = shf_arena_zero(&run->arena, plan->query_count, sizeof *run->probes);
        run->scratch = shf_arena_alloc(&run->arena, sizes->most_probes, sizeof *run->scratch);
        if (!run->probes || !run->scratch) return shf_arena_refuse(&run->arena, "the routing of the queries", error);
    }
    if (!vector || !ids || !text || !run->likes || !plan->queries) {
        return shf_arena_refuse(&run->arena, "the copy of the queries", error);
    }
    run->shard_ids = ids;
    run->likes_missing = (uint32_t)sizes->likes;
    for (uint32_t q = 0; q < plan->query_count; q++) {
        const shf_query *query = &queries[q];
        uint32_t *own_ids = ids;
        plan->queries[q] = (struct shf_plan_query){.top_k = query->top_k};
        shf_status status = copy_shards(run, query, q, &ids, error);
        if (status) return status;
        if (query->vector) {
            plan->queries[q].vector = memcpy(vector, query->vector, dimension * sizeof *vector);
            vector += dimension;
        } else {
            struct shf_search_like *like = &run->likes[run->like_count++];
            copy_like(query, q, like, &text);
            if (run->probes && run->probes[q]) like->shards = own_ids;
        }
    }
    return SHF_OK;
}

static struct shf_plan_shard shard_at(const void *context, uint32_t index) {
    const struct shf_snapshot *snapshot = context;
    const struct shf_shard *shard = snapshot->shards[index];
    return (struct shf_plan_shard){&shard->rows, shard->id};
}

/* The unit of l2 is that of the backend: LanceDB takes no root. */
static enum shf_search_metric metric_of(const struct shf_snapshot *snapshot) {
    enum shf_metric metric = snapshot->manifest->vector.metric;
    if (metric == SHF_METRIC_L2 && snapshot->vectors == SHF_VECTORS_LANCE) return SHF_SEARCH_L2_SQUARED;
    return (enum shf_search_metric)metric;
}

static shf_status take_in(struct shf_search_op *search, const shf_query *queries, struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    struct shf_search_run *run = search->run;
    struct shf_budget *budget = shf_rt_budget(search->base.op.runtime);
    struct sizes sizes = {0};
    uint64_t results = search->query_count * sizeof *search->results;
    run->search = search;
    if (snapshot->kind == SHF_KIND_KV_ONLY) {
        return shf_error_set(error, SHF_E_INVALID, "%s is a key-value snapshot: it has no vectors to search",
                             snapshot->manifest_ref);
    }
    const struct shf_manifest_vector *vector = &snapshot->manifest->vector;
    if (!shf_budget_take(budget, results)) return shf_budget_refuse(budget, results, "the answer", error);
    atomic_store(&search->answer_bytes, results);
    run->arena.budget = budget;
    run->plan = (struct shf_plan){.arena = &run->arena,
                                  .shards = {snapshot, snapshot->shard_count, shard_at},
                                  .query_count = (uint32_t)search->query_count,
                                  .dimension = vector->dimension,
                                  .metric = metric_of(snapshot),
                                  .threads = shf_rt_worker_count(search->base.op.runtime),
                                  .cancel = search->base.op.cancel};
    for (uint32_t q = 0; q < run->plan.query_count; q++) {
        shf_status status = measure(snapshot, &queries[q], &sizes, error);
        if (!status) continue;
        shf_search_name_query(run, q, error);
        return status;
    }
    return copy_queries(run, queries, &sizes, error);
}

/* ---- the call ---- */

shf_status shf_reader_search(struct shf_reader *reader, enum shf_op_kind kind, const shf_query *queries, size_t count,
                             const struct shf_submission *submission, shf_op_id *id) {
    struct shf_search_op *search = shf_alloc_zero(1, sizeof *search);
    if (!search) return SHF_E_NO_MEMORY;
    search->query_count = count;
    search->results = shf_alloc_zero(count, sizeof *search->results);
    search->run = shf_alloc_zero(1, sizeof *search->run);
    shf_status status = SHF_E_NO_MEMORY;
    if (search->run) (void)pthread_mutex_init(&search->run->mutex, NULL);
    if (search->results && search->run) {
        status = shf_reader_enter(reader, &search->base, kind, submission, destroy);
    }
    if (status) {
        free_search(search);
        return status;
    }
    if (id) *id = search->base.op.id;
    struct shf_error *error = NULL;
    status = take_in(search, queries, &error);
    if (status) {
        shf_search_end(search->run, status, error);
    } else if (shf_reader_activate(&search->base)) {
        shf_search_begin(search);
    }
    return SHF_OK;
}
