/* What is counted and averaged when recall is measured. Pure. */
#ifndef CLI_RECALL_STATS_H
#define CLI_RECALL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hit, as far as it matters: which row it is, and how far. */
struct cli_recall_hit {
    double score;
    uint32_t shard;
    uint64_t row;
};

/* Takes the row (shard, row) out of hits, if it is there. Returns how many are left. */
size_t cli_recall_leave_out(struct cli_recall_hit *hits, size_t count, uint32_t shard, uint64_t row);

/*
 * How many of the `wanted` rows of the exact answer another answer found; both are in the order of searches. A row of it counts
 * that is one of the exact answer, or as far away as the last of that: where several rows are equally far, which of them
 * stand in an answer is not its merit.
 */
size_t cli_recall_found(const struct cli_recall_hit *exact, size_t wanted, const struct cli_recall_hit *answer,
                        size_t count);

/* The value that this share of them does not exceed (nearest rank: one of the values). Sorts; count is above 0. */
double cli_percentile(double *values, size_t count, double share);

struct cli_recall_summary {
    double mean, lowest, low; /* low: one query in twenty is no better */
    double full;              /* share of queries that found everything */
};
#define CLI_RECALL_LOW 0.05
struct cli_recall_summary cli_recall_summarize(double *recalls, size_t count); /* sorts; count is above 0 */

#endif
