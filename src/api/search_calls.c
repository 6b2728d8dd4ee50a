/* search and batch_search: argument checks, the synchronous forms, the hits. */
#include "api/call.h"
#include "base/alloc.h"
#include "base/limits.h"

#include <string.h>

/* Queries of the size that this library knows; the caller's array has its own stride. */
static shf_status copy_queries(const shf_query *given, size_t count, shf_query **out) {
    uint32_t stride;
    if (!given || count == 0 || count > SHF_LIMIT_QUERIES_PER_CALL) return SHF_E_INVALID;
    memcpy(&stride, given, sizeof stride);
    shf_query *queries = shf_alloc_zero(count, sizeof *queries);
    if (!queries) return SHF_E_NO_MEMORY;
    shf_status status = SHF_OK;
    for (size_t i = 0; i < count && !status; i++) {
        const char *at = (const char *)given + i * stride;
        uint32_t size;
        memcpy(&size, at, sizeof size);
        status = size == stride ? shf_struct_copy(&queries[i], sizeof queries[i], at) : SHF_E_INVALID;
        if (!status && queries[i].shard_count && !queries[i].shard_ids) status = SHF_E_INVALID;
        if (!status) status = shf_context_check(queries[i].context);
    }
    if (status) {
        shf_free(queries);
        return status;
    }
    *out = queries;
    return SHF_OK;
}

static shf_status submit(shf_reader *reader, enum shf_op_kind kind, const shf_query *given, size_t count,
                         const struct shf_submission *submission, shf_op_id *id) {
    shf_query *queries;
    shf_status status = shf_reader_check(reader);
    if (!status) status = copy_queries(given, count, &queries);
    if (status) return status;
    status = shf_reader_search(reader, kind, queries, count, submission, id);
    shf_free(queries);
    return status;
}

shf_status shf_search(shf_reader *reader, const shf_query *query, const shf_call *call, shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_call_read(call, &submission);
    return status ? status : submit(reader, SHF_OP_SEARCH, query, 1, &submission, id);
}

shf_status shf_batch_search(shf_reader *reader, const shf_query *queries, size_t count, const shf_call *call,
                            shf_op_id *id) {
    struct shf_submission submission;
    shf_status status = shf_call_read(call, &submission);
    return status ? status : submit(reader, SHF_OP_BATCH_SEARCH, queries, count, &submission, id);
}

shf_status shf_search_sync(shf_reader *reader, const shf_query *query, int64_t timeout_ms, shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    return shf_sync_end(&sync, submit(reader, SHF_OP_SEARCH, query, 1, &sync.submission, NULL), op);
}

shf_status shf_batch_search_sync(shf_reader *reader, const shf_query *queries, size_t count, int64_t timeout_ms,
                                 shf_op **op) {
    struct shf_sync sync;
    if (!op) return SHF_E_INVALID;
    shf_sync_begin(&sync, timeout_ms);
    return shf_sync_end(&sync, submit(reader, SHF_OP_BATCH_SEARCH, queries, count, &sync.submission, NULL), op);
}

static const struct shf_search_op *search_of(const shf_op *op) {
    if (!op || (op->kind != SHF_OP_SEARCH && op->kind != SHF_OP_BATCH_SEARCH) || op->status) return NULL;
    return SHF_CONTAINER(op, struct shf_search_op, base.op);
}

size_t shf_op_query_count(const shf_op *op) {
    const struct shf_search_op *search = search_of(op);
    return search ? search->query_count : 0;
}

static const struct shf_search_result *result_of(const shf_op *op, size_t query) {
    const struct shf_search_op *search = search_of(op);
    return search && query < search->query_count ? &search->results[query] : NULL;
}

size_t shf_op_hit_count(const shf_op *op, size_t query) {
    const struct shf_search_result *result = result_of(op, query);
    return result ? result->hit_count : 0;
}

shf_status shf_op_hit(const shf_op *op, size_t query, size_t index, shf_hit *out) {
    const struct shf_search_result *result = result_of(op, query);
    if (!result || !out || index >= result->hit_count) return SHF_E_INVALID;
    const struct shf_search_hit *found = &result->hits[index];
    const shf_hit hit = {.struct_size = sizeof hit,
                         .shard = found->candidate.shard,
                         .score = found->candidate.score,
                         .id = {.kind = found->id_is_text ? SHF_ID_TEXT : SHF_ID_INT,
                                .int_value = found->id_integer,
                                .text = {found->id_text, found->id_text_size}},
                         .payload = {found->payload, found->payload_size},
                         .row = found->candidate.position};
    return shf_struct_fill(out, &hit, sizeof hit);
}

shf_status shf_op_search_info(const shf_op *op, size_t query, shf_search_info *out) {
    const struct shf_search_result *result = result_of(op, query);
    if (!result || !out) return SHF_E_INVALID;
    const shf_search_info info = {.struct_size = sizeof info,
                                  .num_shards_queried = result->num_shards_queried,
                                  .rows_scanned = result->rows_scanned,
                                  .latency_ns = shf_op_latency_ns(op),
                                  .num_shards_probed = result->num_shards_probed,
                                  .num_dbs = search_of(op)->base.snapshot->manifest->num_dbs};
    return shf_struct_fill(out, &info, sizeof info);
}
