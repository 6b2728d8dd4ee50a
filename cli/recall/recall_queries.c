/* Which vectors are asked for: those of a file, or stored ones that are drawn. */
#include "cli/memory.h"
#include "cli/notice.h"
#include "cli/query_file.h"
#include "cli/recall/recall.h"
#include "cli/recall/recall_draw.h"

#include <stdlib.h>
#include <string.h>

#define COUNTED_TOGETHER 256u /* shards whose rows one operation counts */

void cli_recall_queries_free(struct cli_recall_queries *queries) {
    free(queries->vectors);
    free(queries->places);
    *queries = (struct cli_recall_queries){0};
}

/* ---- of a file ---- */

static char *add_vector(struct cli_recall_queries *queries, const struct cli_query *query) {
    if (queries->count == CLI_RECALL_MOST_QUERIES) {
        return cli_format("more than %u queries; recall holds them all", CLI_RECALL_MOST_QUERIES);
    }
    if (queries->count && query->dimension != queries->dimension) {
        return cli_format("query %zu has %u dimensions, the ones before have %u", queries->count, query->dimension,
                          queries->dimension);
    }
    queries->dimension = query->dimension;
    if (queries->count == queries->capacity) {
        queries->capacity = queries->capacity ? queries->capacity * 2 : 64;
        queries->vectors =
            cli_realloc_array(queries->vectors, queries->capacity, queries->dimension * sizeof *queries->vectors);
    }
    memcpy(queries->vectors + queries->count * queries->dimension, query->vector,
           queries->dimension * sizeof *query->vector);
    queries->count++;
    return NULL;
}

static void tell_what_is_left_out(const struct cli_query *query, bool *told) {
    bool has_more = query->has_shard_ids || query->num_probes || query->has_context;
    if (has_more && !*told) cli_warning("queries: recall takes their vectors alone; where to search is for the flags");
    *told = *told || has_more;
}

char *cli_recall_read_queries(struct cli_recall_queries *queries, struct cli_session *session, const char *name) {
    struct cli_query_file file = {.fd = -1};
    enum cli_input input = CLI_INPUT_READY;
    bool told = false;
    char *error = cli_query_file_open(&file, name);
    while (!error && input != CLI_INPUT_END && !cli_session_stopping(session)) {
        struct cli_query query = {0};
        input = cli_query_file_next(&file, &query, &error);
        if (input == CLI_INPUT_WAIT) cli_session_wait(session, file.fd);
        if (input == CLI_INPUT_READY && !error) {
            tell_what_is_left_out(&query, &told);
            error = add_vector(queries, &query);
        }
        cli_query_free(&query);
    }
    cli_query_file_close(&file);
    if (!error && !queries->count && !cli_session_stopping(session)) {
        error = cli_format("%s: there is no query in it", strcmp(name, "-") ? name : "standard input");
    }
    return error;
}

/* ---- stored ones ---- */

/* The shards whose rows are drawn from: those that are searched when all is searched, or the given ones. */
static uint32_t *shards_to_draw_from(const struct cli_recall *recall, size_t *count) {
    const struct cli_options *o = recall->session->settings->options;
    const uint32_t *from = o->has_shard_ids ? o->shard_ids : recall->scope;
    size_t known = o->has_shard_ids ? o->shard_id_count : recall->scope_count;
    uint32_t *shards = cli_alloc_array(from ? known : recall->report.num_dbs, sizeof *shards);
    *count = 0;
    for (size_t i = 0; i < (from ? known : recall->report.num_dbs); i++) {
        shf_shard_info info;
        SHF_INIT(&info);
        uint32_t shard = from ? from[i] : (uint32_t)i;
        if (shf_snapshot_shard(recall->session->snapshot, shard, &info) == SHF_OK && !info.is_empty) {
            shards[(*count)++] = shard;
        }
    }
    return shards;
}

/* What the manifest says are rows that were written; how many vectors there are, a search in each shard tells. */
static char *count_rows(struct cli_recall *recall, const uint32_t *shards, size_t count, uint64_t *rows) {
    shf_query queries[COUNTED_TOGETHER];
    float *vector = cli_alloc_array(recall->report.dimension, sizeof *vector);
    char *error = NULL;
    for (uint32_t i = 0; i < recall->report.dimension; i++) vector[i] = 1;
    for (size_t first = 0; first < count && !error && !cli_session_stopping(recall->session);) {
        size_t size = count - first < COUNTED_TOGETHER ? count - first : COUNTED_TOGETHER;
        shf_status status;
        for (size_t i = 0; i < size; i++) {
            SHF_INIT(&queries[i]);
            queries[i].vector = vector;
            queries[i].dimension = recall->report.dimension;
            queries[i].top_k = 1;
            queries[i].shard_ids = &shards[first + i];
            queries[i].shard_count = 1;
        }
        shf_op *op = cli_recall_ask(recall, queries, size, &status, &error);
        for (size_t i = 0; op && i < size; i++) {
            shf_search_info info;
            SHF_INIT(&info);
            shf_op_search_info(op, i, &info);
            rows[first + i] = info.rows_scanned;
        }
        shf_op_release(op);
        first += size;
    }
    free(vector);
    return error;
}

/* Looks at the vector of a query without searching anywhere: false for one that can not be asked. */
static bool can_be_asked(struct cli_recall *recall, size_t index, shf_status *status, char **error) {
    static const uint32_t no_shard[1];
    shf_query query = cli_recall_query(recall, index, 1);
    query.shard_ids = no_shard;
    query.shard_count = 0;
    shf_op *op = cli_recall_ask(recall, &query, 1, status, error);
    shf_op_release(op);
    return op != NULL;
}

static shf_vector_place place_of(uint64_t number, const uint32_t *shards, const uint64_t *rows) {
    size_t i = 0;
    for (; number >= rows[i]; i++) number -= rows[i];
    return (shf_vector_place){.shard = shards[i], .row = number};
}

/* A zero vector under cosine, and one that has a NaN, are no queries: another one is drawn. */
static char *draw_places(struct cli_recall *recall, uint32_t wanted, const uint32_t *shards, const uint64_t *rows,
                         uint64_t total) {
    struct cli_recall_queries *queries = &recall->queries;
    struct cli_draw draw;
    uint64_t number;
    char *error = NULL;
    queries->places = cli_alloc_array(wanted, sizeof *queries->places);
    cli_draw_init(&draw, total, recall->report.seed);
    while (!error && queries->count < wanted && !cli_session_stopping(recall->session) && cli_draw_next(&draw, &number)) {
        shf_status status;
        queries->places[queries->count] = place_of(number, shards, rows);
        if (can_be_asked(recall, queries->count, &status, &error)) {
            queries->count++;
        } else if (status == SHF_E_INVALID) {
            free(error);
            error = NULL;
        }
    }
    cli_draw_free(&draw);
    return error;
}

char *cli_recall_draw_queries(struct cli_recall *recall, uint32_t wanted) {
    size_t count;
    uint64_t total = 0;
    uint32_t *shards = shards_to_draw_from(recall, &count);
    uint64_t *rows = cli_alloc_array(count, sizeof *rows);
    char *error = count_rows(recall, shards, count, rows);
    for (size_t i = 0; i < count && !error; i++) total += rows[i];
    if (!error) error = draw_places(recall, wanted, shards, rows, total);
    if (!error && !recall->queries.count && !cli_session_stopping(recall->session)) {
        error = total ? cli_strdup("no stored vector can be searched for: all are zero or have a NaN")
                      : cli_strdup("there are no stored vectors to draw from");
    }
    if (!error && recall->queries.count < wanted) {
        cli_say("there are %zu stored vectors to search for; all of them are asked", recall->queries.count);
    }
    free(shards);
    free(rows);
    return error;
}

char *cli_recall_check_queries(struct cli_recall *recall) {
    const struct cli_recall_queries *queries = &recall->queries;
    if (queries->vectors && queries->dimension != recall->report.dimension) {
        return cli_format("the queries have %u dimensions, the vectors of this snapshot have %u", queries->dimension,
                          recall->report.dimension);
    }
    for (size_t i = 0; queries->vectors && i < queries->count && !cli_session_stopping(recall->session); i++) {
        shf_status status;
        char *wrong = NULL;
        if (can_be_asked(recall, i, &status, &wrong)) continue;
        char *error = cli_format("query %zu: %s", i, wrong ? wrong : "");
        free(wrong);
        return error;
    }
    return NULL;
}
