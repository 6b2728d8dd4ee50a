/*
 * shardy recall: how much of the exact answer searches find with so many probes, and what they cost. The parts: recall_queries
 * (vectors of a file, or stored ones that are drawn), recall_measure (the searches), recall_report (which numbers of probes),
 * recall_output and recall_plot (what came of it), recall_command.
 */
#ifndef CLI_RECALL_H
#define CLI_RECALL_H

#include "cli/context.h"
#include "cli/recall/recall_stats.h"
#include "cli/session.h"

#define CLI_RECALL_MOST_QUERIES 100000u
#define CLI_RECALL_SAMPLE 200u /* unless told otherwise */
#define CLI_RECALL_TARGET 0.95 /* likewise */

/* What was measured with one number of probes. */
struct cli_recall_point {
    uint32_t num_probes; /* 0 = none was asked for */
    uint32_t most_probed;
    double shards_probed; /* mean, empty shards included */
    double scanned;       /* share of the rows */
    struct cli_recall_summary recall;
    double p50_ms, p99_ms, per_second; /* single searches, one after another */
};

#define CLI_RECALL_MOST_POINTS 128u

struct cli_recall_report {
    const char *run_id, *kind, *metric;
    const char *strategy; /* NULL: not vector-only */
    uint32_t dimension, num_dbs, top_k;
    uint32_t own_probes; /* the snapshot's number, 0 = it has none */
    uint64_t rows;       /* that an exact search looks at */
    size_t queries;
    bool stored; /* the queries are stored vectors, drawn with this seed */
    uint64_t seed;
    double target;
    bool always_exact; /* there is nothing to choose: one point */
    struct cli_recall_point points[CLI_RECALL_MOST_POINTS];
    size_t point_count; /* ascending num_probes */
    struct cli_recall_point exact;
    uint32_t smallest; /* num_probes that reaches the target, 0 = none */
};

/* The vectors that are asked for: of a file, or places of stored ones. */
struct cli_recall_queries {
    size_t count, capacity;
    uint32_t dimension;
    float *vectors;           /* count * dimension, or NULL */
    shf_vector_place *places; /* count, or NULL */
};

/* Run of the command. */
struct cli_recall {
    struct cli_session *session;
    struct cli_context context;
    struct cli_recall_queries queries;
    uint32_t *scope; /* shards of an exact search; NULL = as the context says, or all */
    uint32_t scope_count;
    struct cli_recall_hit *exact; /* top_k a query */
    struct cli_recall_report report;
};

/* Each returns NULL, or what is wrong, the caller's to free; after an interrupt too: see cli_session_stopping. */
char *cli_recall_read_queries(struct cli_recall_queries *queries, struct cli_session *session, const char *name);
char *cli_recall_draw_queries(struct cli_recall *recall, uint32_t wanted);
void cli_recall_queries_free(struct cli_recall_queries *queries);
/* Whether every query can be asked. */
char *cli_recall_check_queries(struct cli_recall *recall);

char *cli_recall_exact(struct cli_recall *recall); /* the exact answers, and what single exact searches cost */
char *cli_recall_measure(struct cli_recall *recall, uint32_t num_probes, struct cli_recall_point *out);
/* Query `index`, without where to search. */
shf_query cli_recall_query(const struct cli_recall *recall, size_t index, uint32_t top_k);
/* A search or batch, waited for; NULL and *error when it failed. */
shf_op *cli_recall_ask(struct cli_recall *recall, const shf_query *queries, size_t count, shf_status *status,
                       char **error);

/* All points. */
char *cli_recall_run(struct cli_recall *recall);

void cli_recall_print(struct cli_session *session, const struct cli_recall_report *report);
void cli_recall_plot(struct cli_out *out, const struct cli_recall_report *report); /* SVG */

#endif
