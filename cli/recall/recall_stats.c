#include "cli/recall/recall_stats.h"

#include <math.h>
#include <stdlib.h>

size_t cli_recall_leave_out(struct cli_recall_hit *hits, size_t count, uint32_t shard, uint64_t row) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (hits[i].shard != shard || hits[i].row != row) hits[kept++] = hits[i];
    }
    return kept;
}

/* Numbers, then infinity, then what is none. */
static int compare_scores(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
    return a < b ? -1 : a > b;
}

static int compare_hits(const struct cli_recall_hit *a, const struct cli_recall_hit *b) {
    int order = compare_scores(a->score, b->score);
    if (order) return order;
    if (a->shard != b->shard) return a->shard < b->shard ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

size_t cli_recall_found(const struct cli_recall_hit *exact, size_t wanted, const struct cli_recall_hit *answer,
                        size_t count) {
    size_t found = 0, at = 0;
    for (size_t i = 0; i < count && wanted; i++) {
        while (at < wanted && compare_hits(&exact[at], &answer[i]) < 0) at++;
        bool is_there = at < wanted && compare_hits(&exact[at], &answer[i]) == 0;
        found += is_there || compare_scores(answer[i].score, exact[wanted - 1].score) == 0;
    }
    return found < wanted ? found : wanted;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double cli_percentile(double *values, size_t count, double share) {
    qsort(values, count, sizeof *values, compare_doubles);
    double rank = ceil(share * (double)count);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return values[index < count ? index : count - 1];
}

struct cli_recall_summary cli_recall_summarize(double *recalls, size_t count) {
    struct cli_recall_summary summary = {.low = cli_percentile(recalls, count, CLI_RECALL_LOW)};
    summary.lowest = recalls[0]; /* they are sorted now */
    double sum = 0;
    size_t full = 0;
    for (size_t i = 0; i < count; i++) {
        sum += recalls[i];
        full += recalls[i] >= 1;
    }
    summary.mean = sum / (double)count;
    summary.full = (double)full / (double)count;
    return summary;
}
