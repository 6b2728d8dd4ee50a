/* Which numbers of probes are measured. */
#include "cli/memory.h"
#include "cli/notice.h"
#include "cli/recall/recall.h"

#include <string.h>

/* Where a point of this many probes is, or belongs. */
static size_t index_of(const struct cli_recall_report *report, uint32_t num_probes) {
    size_t i = 0;
    while (i < report->point_count && report->points[i].num_probes < num_probes) i++;
    return i;
}

static bool has_point(const struct cli_recall_report *report, uint32_t num_probes) {
    size_t i = index_of(report, num_probes);
    return i < report->point_count && report->points[i].num_probes == num_probes;
}

/* Measures it, unless that was done before, and puts it in its place. */
static char *add_point(struct cli_recall *recall, uint32_t num_probes) {
    struct cli_recall_report *report = &recall->report;
    struct cli_recall_point point;
    size_t i = index_of(report, num_probes);
    if (has_point(report, num_probes) || report->point_count == CLI_RECALL_MOST_POINTS) return NULL;
    char *error = cli_recall_measure(recall, num_probes, &point);
    if (error || cli_session_stopping(recall->session)) return error;
    memmove(&report->points[i + 1], &report->points[i], (report->point_count - i) * sizeof point);
    report->points[i] = point;
    report->point_count++;
    cli_note("num_probes %u: recall %.4f, %.3f ms", num_probes, point.recall.mean, point.p50_ms);
    return NULL;
}

static void find_smallest(struct cli_recall_report *report) {
    report->smallest = 0;
    for (size_t i = 0; i < report->point_count && !report->smallest; i++) {
        if (report->points[i].recall.mean >= report->target) report->smallest = report->points[i].num_probes;
    }
}

/*
 * More probes never find less, so that the smallest number that reaches the target is found by halving what lies between
 * one that does and one that does not.
 */
static char *narrow_down(struct cli_recall *recall) {
    struct cli_recall_report *report = &recall->report;
    char *error = NULL;
    find_smallest(report);
    while (!error && report->smallest && !cli_session_stopping(recall->session)) {
        size_t i = index_of(report, report->smallest);
        uint32_t below = i ? report->points[i - 1].num_probes : 0, above = report->smallest;
        if (above - below <= 1 || report->point_count == CLI_RECALL_MOST_POINTS) break;
        error = add_point(recall, below + (above - below) / 2);
        find_smallest(report);
    }
    return error;
}

/* 1, 2, 4, ... up to all shards, or to where a larger number leads to no more of them (the codes of lsh). */
static char *run_doubling(struct cli_recall *recall) {
    struct cli_recall_report *report = &recall->report;
    uint32_t all = report->num_dbs;
    char *error = NULL;
    for (uint32_t probes = 1; !error && !cli_session_stopping(recall->session);) {
        error = add_point(recall, probes);
        if (error || !report->point_count) break;
        if (probes == all || report->points[report->point_count - 1].most_probed < probes) break;
        probes = probes > all / 2 ? all : probes * 2;
    }
    uint32_t last = report->point_count ? report->points[report->point_count - 1].num_probes : 0;
    if (!error && report->own_probes && report->own_probes < last) error = add_point(recall, report->own_probes);
    return error ? error : narrow_down(recall);
}

char *cli_recall_run(struct cli_recall *recall) {
    const struct cli_options *o = recall->session->settings->options;
    struct cli_recall_report *report = &recall->report;
    char *error = cli_recall_exact(recall);
    if (error || cli_session_stopping(recall->session)) return error;
    if (report->always_exact || o->has_shard_ids) {
        error = add_point(recall, 0);
    } else if (o->probe_count) {
        for (size_t i = 0; i < o->probe_count && !error; i++) error = add_point(recall, o->probes[i]);
    } else {
        error = run_doubling(recall);
    }
    find_smallest(report);
    return error;
}
