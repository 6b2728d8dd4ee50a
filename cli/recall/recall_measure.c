/* The searches. */
#include "cli/memory.h"
#include "cli/recall/recall.h"

#include <stdlib.h>

#define EXACT_TOGETHER 32u  /* queries that share a scan where the time does not matter */
#define WARMING_QUERIES 10u /* asked before the time counts */

shf_query cli_recall_query(const struct cli_recall *recall, size_t index, uint32_t top_k) {
    const struct cli_recall_queries *queries = &recall->queries;
    shf_query query;
    SHF_INIT(&query);
    query.top_k = top_k;
    if (queries->places) {
        query.like_place = &queries->places[index];
    } else {
        query.vector = queries->vectors + index * queries->dimension;
        query.dimension = queries->dimension;
    }
    return query;
}

shf_op *cli_recall_ask(struct cli_recall *recall, const shf_query *queries, size_t count, shf_status *status,
                       char **error) {
    struct cli_session *session = recall->session;
    shf_call call = cli_session_call(session, NULL);
    shf_op_id id = 0;
    shf_status submitted = count == 1 ? shf_search(session->reader, queries, &call, &id)
                                      : shf_batch_search(session->reader, queries, count, &call, &id);
    return cli_session_try(session, submitted, id, status, error);
}

/* A stored vector finds itself, which is no merit: one more is asked for, and its row left out. */
static uint32_t hits_to_ask_for(const struct cli_recall *recall) {
    uint32_t top_k = recall->report.top_k;
    return recall->queries.places && top_k < UINT32_MAX ? top_k + 1 : top_k;
}

static shf_query exact_query(const struct cli_recall *recall, size_t index) {
    shf_query query = cli_recall_query(recall, index, hits_to_ask_for(recall));
    bool in_given = recall->session->settings->options->has_shard_ids; /* is measured against all */
    query.context = in_given ? NULL : cli_context_get(&recall->context);
    query.shard_ids = recall->scope;
    query.shard_count = recall->scope_count;
    return query;
}

static shf_query measured_query(const struct cli_recall *recall, size_t index, uint32_t num_probes) {
    static const uint32_t no_shard[1];
    const struct cli_options *o = recall->session->settings->options;
    shf_query query = cli_recall_query(recall, index, hits_to_ask_for(recall));
    query.context = cli_context_get(&recall->context);
    query.num_probes = num_probes;
    if (o->has_shard_ids) {
        query.shard_ids = o->shard_id_count ? o->shard_ids : no_shard;
        query.shard_count = (uint32_t)o->shard_id_count;
    }
    return query;
}

/* The hits of a query, without its own row; `out` has room for one more than top_k. */
static size_t take_hits(const struct cli_recall *recall, const shf_op *op, size_t at, size_t index,
                        struct cli_recall_hit *out) {
    size_t count = shf_op_hit_count(op, at);
    for (size_t i = 0; i < count; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        shf_op_hit(op, at, i, &hit);
        out[i] = (struct cli_recall_hit){hit.score, hit.shard, hit.row};
    }
    if (recall->queries.places) {
        const shf_vector_place *own = &recall->queries.places[index];
        count = cli_recall_leave_out(out, count, own->shard, own->row);
    }
    return count < recall->report.top_k ? count : recall->report.top_k;
}

static shf_search_info info_of(const shf_op *op, size_t at) {
    shf_search_info info;
    SHF_INIT(&info);
    shf_op_search_info(op, at, &info);
    return info;
}

/* ---- the exact answers ---- */

static char *keep_exact(struct cli_recall *recall, const shf_op *op, size_t first, size_t count,
                        struct cli_recall_hit *room) {
    uint32_t top_k = recall->report.top_k;
    for (size_t i = 0; i < count; i++) {
        size_t found = take_hits(recall, op, i, first + i, room);
        recall->report.rows = info_of(op, i).rows_scanned;
        if (found < top_k) {
            return cli_format("--top-k %u: there are only %llu vectors%s", top_k, (unsigned long long)recall->report.rows,
                              recall->queries.places ? ", one of which is the query" : "");
        }
        for (uint32_t k = 0; k < top_k; k++) recall->exact[(first + i) * top_k + k] = room[k];
    }
    return NULL;
}

static char *ask_exact(struct cli_recall *recall) {
    size_t count = recall->queries.count;
    struct cli_recall_hit *room = NULL;
    char *error = NULL;
    for (size_t first = 0; first < count && !error && !cli_session_stopping(recall->session);) {
        shf_query queries[EXACT_TOGETHER];
        size_t size = count - first < EXACT_TOGETHER ? count - first : EXACT_TOGETHER;
        if (!first) size = 1; /* too large a top_k shows before there is room for it */
        shf_status status;
        for (size_t i = 0; i < size; i++) queries[i] = exact_query(recall, first + i);
        shf_op *op = cli_recall_ask(recall, queries, size, &status, &error);
        if (op && !room) {
            room = cli_alloc_array(shf_op_hit_count(op, 0) + 1, sizeof *room);
            if (shf_op_hit_count(op, 0) >= recall->report.top_k) {
                recall->exact = cli_alloc_array(count, recall->report.top_k * sizeof *recall->exact);
            }
        }
        if (op) error = keep_exact(recall, op, first, size, room);
        shf_op_release(op);
        first += size;
    }
    free(room);
    return error;
}

/* ---- single searches ---- */

struct pass {
    double *recalls, *latencies; /* a value a query */
    double total_ms;
    uint64_t probed, rows;
    uint32_t most_probed;
    struct cli_recall_hit *room;
};

static char *ask_one(struct cli_recall *recall, const shf_query *query, size_t index, struct pass *pass) {
    uint32_t top_k = recall->report.top_k;
    shf_status status;
    char *error = NULL;
    shf_op *op = cli_recall_ask(recall, query, 1, &status, &error);
    if (!op || !pass) {
        shf_op_release(op);
        return error;
    }
    shf_search_info info = info_of(op, 0);
    size_t count = take_hits(recall, op, 0, index, pass->room);
    size_t found = cli_recall_found(recall->exact + index * top_k, top_k, pass->room, count);
    pass->recalls[index] = (double)found / (double)top_k;
    pass->latencies[index] = (double)info.latency_ns / 1e6;
    pass->total_ms += pass->latencies[index];
    pass->probed += info.num_shards_probed;
    pass->rows += info.rows_scanned;
    if (info.num_shards_probed > pass->most_probed) pass->most_probed = info.num_shards_probed;
    shf_op_release(op);
    return NULL;
}

static void sum_up(const struct cli_recall *recall, struct pass *pass, struct cli_recall_point *point) {
    size_t count = recall->queries.count;
    double queries = (double)count;
    point->most_probed = pass->most_probed;
    point->shards_probed = (double)pass->probed / queries;
    point->scanned = recall->report.rows ? (double)pass->rows / (double)recall->report.rows / queries : 0;
    point->recall = cli_recall_summarize(pass->recalls, count);
    point->p50_ms = cli_percentile(pass->latencies, count, 0.5);
    point->p99_ms = cli_percentile(pass->latencies, count, 0.99);
    point->per_second = pass->total_ms > 0 ? queries / pass->total_ms * 1e3 : 0;
}

static char *measure(struct cli_recall *recall, bool is_exact, uint32_t num_probes, struct cli_recall_point *out) {
    size_t count = recall->queries.count;
    struct pass pass = {.recalls = cli_alloc_array(count, sizeof *pass.recalls),
                        .latencies = cli_alloc_array(count, sizeof *pass.latencies),
                        .room = cli_alloc_array((size_t)recall->report.top_k + 1, sizeof *pass.room)};
    size_t warming = count < WARMING_QUERIES ? count : WARMING_QUERIES;
    char *error = NULL;
    for (size_t i = 0; i < warming + count && !error && !cli_session_stopping(recall->session); i++) {
        size_t index = i < warming ? i : i - warming;
        shf_query query = is_exact ? exact_query(recall, index) : measured_query(recall, index, num_probes);
        error = ask_one(recall, &query, index, i < warming ? NULL : &pass);
    }
    if (!error && !cli_session_stopping(recall->session)) {
        *out = (struct cli_recall_point){.num_probes = num_probes};
        sum_up(recall, &pass, out);
    }
    free(pass.recalls);
    free(pass.latencies);
    free(pass.room);
    return error;
}

char *cli_recall_measure(struct cli_recall *recall, uint32_t num_probes, struct cli_recall_point *out) {
    return measure(recall, false, num_probes, out);
}

char *cli_recall_exact(struct cli_recall *recall) {
    char *error = ask_exact(recall);
    if (error || cli_session_stopping(recall->session)) return error;
    return measure(recall, true, 0, &recall->report.exact);
}
