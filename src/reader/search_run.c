/*
 * Scanning and merging. The work is cut into units of one shard's rows; each unit scans its rows once for all queries
 * that ask for that shard, into heaps of its own. The worker that ends the last unit merges, and fetches ids and
 * payloads of the winners alone.
 */
#include "base/alloc.h"
#include "reader/search_priv.h"

#include <inttypes.h>
#include <string.h>

#define LEAST_ROWS_A_UNIT 8192u
#define UNITS_A_WORKER 4u
#define ROWS_BETWEEN_LOOKS 32768u /* at the clock, for the deadline: some milliseconds of scanning */

struct shf_search_unit {
    struct shf_task task;
    struct shf_search_op *search;
    const struct shf_shard *shard;
    uint64_t first, count;
    size_t query_count;
    struct shf_search_query *queries; /* query_count */
    struct shf_topk *topks;           /* query_count */
    uint32_t *plan_of;                /* query_count: which query of the operation */
    struct shf_candidate *storage;
};

void shf_search_free_units(struct shf_search_op *search) {
    for (size_t i = 0; search->units && i < search->unit_count; i++) {
        shf_free(search->units[i].queries);
        shf_free(search->units[i].topks);
        shf_free(search->units[i].plan_of);
        shf_free(search->units[i].storage);
    }
    shf_free(search->units);
    search->units = NULL;
}

/* ---- winners ---- */

static shf_status fetch_hit(struct shf_search_op *search, const struct shf_candidate *candidate,
                            struct shf_search_hit *hit, struct shf_error **error) {
    const struct shf_shard *shard = shf_snapshot_shard_of(search->base.snapshot, candidate->shard);
    int64_t rowid = shard->rowids[candidate->position];
    struct shf_stored_id id = {0};
    shf_status status = shf_vec0_id(&shard->vec, rowid, &id, error);
    if (!status) {
        *hit = (struct shf_search_hit){.candidate = *candidate,
                                       .id_is_text = id.is_text,
                                       .id_integer = id.integer,
                                       .id_text = id.text,
                                       .id_text_size = id.text_size};
        status = shf_vec0_payload(&shard->vec, rowid, &hit->payload, &hit->payload_size, error);
    }
    if (!status) {
        status = shf_search_charge(search, hit->payload_size + hit->id_text_size, "the payloads of the answer", error);
    }
    if (status) {
        shf_error_prefix(error, "%s", shard->object_url);
        shf_error_set_shard(error ? *error : NULL, shard->id);
    }
    return status;
}

static shf_status fetch_hits(struct shf_search_op *search, const struct shf_topk *best,
                             struct shf_search_result *result, struct shf_error **error) {
    if (best->count == 0) return SHF_OK;
    shf_status status = shf_search_charge(search, (uint64_t)best->count * sizeof *result->hits, "the answer", error);
    if (status) return status;
    result->hits = shf_alloc_zero(best->count, sizeof *result->hits);
    if (!result->hits) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u hits", best->count);
    for (uint32_t i = 0; i < best->count && !status; i++) {
        if (i % 256 == 0) status = shf_op_check(&search->base.op, error);
        result->hit_count = i + 1; /* so that a hit that failed half way is freed too */
        if (!status) status = fetch_hit(search, &best->entries[i], &result->hits[i], error);
    }
    return status;
}

/* Best of all units for one query. */
static shf_status merge_query(struct shf_search_op *search, size_t query, struct shf_error **error) {
    const struct shf_query_plan *plan = &search->plans[query];
    struct shf_search_result *result = &search->results[query];
    struct shf_topk best;
    uint64_t found = 0;
    result->num_shards_queried = plan->num_shards_queried;
    for (uint32_t i = 0; i < plan->shard_count; i++) {
        const struct shf_shard *shard = search->base.snapshot->shards[plan->shards[i]];
        result->rows_scanned += shard->rows.rows;
    }
    uint32_t keep = result->rows_scanned < plan->top_k ? (uint32_t)result->rows_scanned : plan->top_k;
    struct shf_candidate *storage = shf_alloc_array(keep, sizeof *storage);
    if (!storage) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %u candidates", keep);
    shf_topk_init(&best, storage, keep);
    for (size_t u = 0; u < search->unit_count; u++) {
        const struct shf_search_unit *unit = &search->units[u];
        for (size_t q = 0; q < unit->query_count; q++) {
            if (unit->plan_of[q] != query) continue;
            found += unit->topks[q].count;
            for (uint32_t i = 0; i < unit->topks[q].count; i++) shf_topk_push(&best, &unit->topks[q].entries[i]);
        }
    }
    shf_topk_sort(&best);
    shf_status status = found ? fetch_hits(search, &best, result, error) : SHF_OK;
    shf_free(storage);
    return status;
}

static void merge(struct shf_search_op *search) {
    struct shf_error *error = NULL;
    shf_status status = SHF_OK;
    if (atomic_load(&search->stopped)) {
        status = shf_op_check(&search->base.op, &error);
        if (!status) status = shf_error_set(&error, SHF_E_INTERNAL, "a scan stopped without a reason");
    }
    for (size_t q = 0; q < search->query_count && !status; q++) status = merge_query(search, q, &error);
    shf_search_free_units(search);
    shf_reader_finish(&search->base, status, error);
}

static bool scan(const struct shf_search_unit *unit) {
    const struct shf_op *op = &unit->search->base.op;
    uint64_t end = unit->first + unit->count;
    for (uint64_t first = unit->first; first < end; first += ROWS_BETWEEN_LOOKS) {
        uint64_t count = end - first < ROWS_BETWEEN_LOOKS ? end - first : ROWS_BETWEEN_LOOKS;
        if (shf_op_check(op, NULL)) return false;
        if (!shf_search_scan(&unit->shard->rows, unit->shard->id, first, count, unit->queries, unit->query_count,
                             unit->topks, op->cancel)) {
            return false;
        }
    }
    return true;
}

static void scan_unit(struct shf_task *task) {
    struct shf_search_unit *unit = SHF_CONTAINER(task, struct shf_search_unit, task);
    struct shf_search_op *search = unit->search;
    if (!scan(unit)) atomic_store(&search->stopped, true);
    shf_limiter_done(&search->base.reader->limiter);
    if (atomic_fetch_sub_explicit(&search->units_left, 1, memory_order_acq_rel) == 1) merge(search);
}

/* ---- units ---- */

static bool wants_shard(const struct shf_query_plan *plan, uint32_t index) {
    uint32_t low = 0, high = plan->shard_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (plan->shards[middle] < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < plan->shard_count && plan->shards[low] == index;
}

static size_t queries_of_shard(const struct shf_search_op *search, uint32_t index) {
    size_t count = 0;
    for (size_t q = 0; q < search->query_count; q++) count += wants_shard(&search->plans[q], index);
    return count;
}

static shf_status fill_unit(struct shf_search_op *search, struct shf_search_unit *unit, uint32_t index,
                            struct shf_error **error) {
    uint64_t candidates = 0;
    size_t filled = 0;
    unit->queries = shf_alloc_zero(unit->query_count, sizeof *unit->queries);
    unit->topks = shf_alloc_zero(unit->query_count, sizeof *unit->topks);
    unit->plan_of = shf_alloc_zero(unit->query_count, sizeof *unit->plan_of);
    if (!unit->queries || !unit->topks || !unit->plan_of) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu queries", unit->query_count);
    }
    for (size_t q = 0; q < search->query_count; q++) {
        const struct shf_query_plan *plan = &search->plans[q];
        if (!wants_shard(plan, index)) continue;
        unit->plan_of[filled] = (uint32_t)q;
        unit->queries[filled] = plan->query;
        unit->topks[filled].capacity = unit->count < plan->top_k ? (uint32_t)unit->count : plan->top_k;
        candidates += unit->topks[filled++].capacity;
    }
    shf_status status = shf_search_charge(search, candidates * sizeof *unit->storage, "top_k", error);
    if (status) return status;
    unit->storage = shf_alloc_array((size_t)candidates, sizeof *unit->storage);
    if (!unit->storage)
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %" PRIu64 " candidates", candidates);
    struct shf_candidate *storage = unit->storage;
    for (size_t q = 0; q < filled; q++) {
        uint32_t capacity = unit->topks[q].capacity;
        shf_topk_init(&unit->topks[q], storage, capacity);
        storage += capacity;
    }
    return SHF_OK;
}

/* Rows a unit: large shards are split so that every worker has some to do. */
static uint64_t unit_rows(const struct shf_search_op *search) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    uint64_t total = 0;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        if (queries_of_shard(search, i)) total += snapshot->shards[i]->rows.rows;
    }
    uint64_t rows = total / ((uint64_t)shf_rt_worker_count(search->base.op.runtime) * UNITS_A_WORKER) + 1;
    return rows < LEAST_ROWS_A_UNIT ? LEAST_ROWS_A_UNIT : rows;
}

static shf_status make_units(struct shf_search_op *search, struct shf_error **error) {
    const struct shf_snapshot *snapshot = search->base.snapshot;
    uint64_t rows = unit_rows(search);
    size_t count = 0, made = 0;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        if (queries_of_shard(search, i)) count += (size_t)((snapshot->shards[i]->rows.rows + rows - 1) / rows);
    }
    search->units = shf_alloc_zero(count, sizeof *search->units);
    if (!search->units) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu scans", count);
    search->unit_count = count;
    for (uint32_t i = 0; i < snapshot->shard_count; i++) {
        size_t queries = queries_of_shard(search, i);
        uint64_t shard_rows = queries ? snapshot->shards[i]->rows.rows : 0;
        for (uint64_t first = 0; first < shard_rows; first += rows) {
            struct shf_search_unit *unit = &search->units[made++];
            unit->task.run = scan_unit;
            unit->search = search;
            unit->shard = snapshot->shards[i];
            unit->first = first;
            unit->count = shard_rows - first < rows ? shard_rows - first : rows;
            unit->query_count = queries;
            shf_status status = fill_unit(search, unit, i, error);
            if (status) return status;
        }
    }
    return SHF_OK;
}

void shf_search_fan_out(struct shf_search_op *search) {
    struct shf_error *error = NULL;
    shf_status status = shf_op_check(&search->base.op, &error);
    if (!status) status = make_units(search, &error);
    if (status) {
        shf_reader_finish(&search->base, status, error);
        return;
    }
    size_t count = search->unit_count;
    if (count == 0) {
        merge(search);
        return;
    }
    /* The operation may be finished and released as soon as the last unit is posted. */
    struct shf_search_unit *units = search->units;
    struct shf_limiter *limiter = &search->base.reader->limiter;
    atomic_store(&search->units_left, count);
    for (size_t i = 0; i < count; i++) shf_limiter_post(limiter, &units[i].task);
}
