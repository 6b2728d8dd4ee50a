/* What was measured, in every output format. */
#include "cli/json.h"
#include "cli/recall/recall.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL_BYTES 64u

/* ---- JSON ---- */

static double rounded(double value, double unit) { return round(value / unit) * unit; }
/* Milliseconds with microseconds behind the point, as search tells them. */
static double milliseconds(double value) { return round(value * 1e3) / 1e3; }

static void point_json(struct cli_json *json, const struct cli_recall_point *point, bool is_exact) {
    cli_json_begin(json, '{');
    if (!is_exact) {
        cli_json_name(json, "num_probes");
        if (point->num_probes)
            cli_json_u64(json, point->num_probes);
        else
            cli_json_null(json);
    }
    cli_json_member_double(json, "num_shards_probed", point->shards_probed);
    cli_json_member_double(json, "rows_scanned_share", point->scanned);
    if (!is_exact) {
        cli_json_member_double(json, "recall", point->recall.mean);
        cli_json_member_double(json, "recall_p05", point->recall.low);
        cli_json_member_double(json, "recall_min", point->recall.lowest);
        cli_json_member_double(json, "full_recall_share", point->recall.full);
    }
    cli_json_member_double(json, "latency_p50_ms", milliseconds(point->p50_ms));
    cli_json_member_double(json, "latency_p99_ms", milliseconds(point->p99_ms));
    cli_json_member_double(json, "queries_per_second", rounded(point->per_second, 1));
    cli_json_end(json, '}');
}

static void number_or_null(struct cli_json *json, const char *name, uint64_t value, bool is_there) {
    cli_json_name(json, name);
    if (is_there)
        cli_json_u64(json, value);
    else
        cli_json_null(json);
}

static void print_json(struct cli_session *session, const struct cli_recall_report *report) {
    struct cli_json json;
    cli_json_init(&json, &session->out, session->settings->format == CLI_JSON);
    cli_json_begin(&json, '{');
    cli_json_member_string(&json, "op", "recall");
    cli_json_member_string(&json, "run_id", report->run_id);
    cli_json_member_string(&json, "kind", report->kind);
    cli_json_member_string(&json, "sharding_strategy", report->strategy);
    cli_json_member_string(&json, "metric", report->metric);
    cli_json_member_u64(&json, "dimension", report->dimension);
    cli_json_member_u64(&json, "num_dbs", report->num_dbs);
    cli_json_member_u64(&json, "rows", report->rows);
    cli_json_member_u64(&json, "top_k", report->top_k);
    cli_json_member_u64(&json, "queries", report->queries);
    number_or_null(&json, "seed", report->seed, report->stored);
    cli_json_member_bool(&json, "always_exact", report->always_exact);
    number_or_null(&json, "own_num_probes", report->own_probes, report->own_probes);
    cli_json_member_double(&json, "target", report->target);
    number_or_null(&json, "smallest_num_probes", report->smallest, report->smallest);
    cli_json_name(&json, "results");
    cli_json_begin(&json, '[');
    for (size_t i = 0; i < report->point_count; i++) point_json(&json, &report->points[i], false);
    cli_json_end(&json, ']');
    cli_json_name(&json, "exact");
    point_json(&json, &report->exact, true);
    cli_json_end(&json, '}');
    cli_out_char(&session->out, '\n');
}

/* ---- for people ---- */

/* "4", or "3.7" where queries differ. */
static void probed_text(double probed, char out[CELL_BYTES]) {
    bool is_whole = fabs(probed - round(probed)) < 1e-9;
    snprintf(out, CELL_BYTES, "%.*f", is_whole ? 0 : 1, probed);
}

/* Cut, not rounded: 0.9996 is not all. */
static void recall_text(double recall, char out[CELL_BYTES]) {
    snprintf(out, CELL_BYTES, "%.4f", floor(recall * 1e4 + 1e-6) / 1e4);
}

static void cell(struct cli_table *table, const char *format, double value) __attribute__((format(printf, 2, 0)));
static void cell(struct cli_table *table, const char *format, double value) {
    char text[CELL_BYTES];
    snprintf(text, sizeof text, format, value);
    cli_table_string(table, text);
}

static void recall_cell(struct cli_table *table, double value) {
    char text[CELL_BYTES];
    recall_text(value, text);
    cli_table_string(table, text);
}

static void table_row(struct cli_table *table, const struct cli_recall_report *report,
                      const struct cli_recall_point *point, const char *name) {
    char probed[CELL_BYTES], shards[2 * CELL_BYTES];
    probed_text(point->shards_probed, probed);
    snprintf(shards, sizeof shards, "%s of %u", probed, report->num_dbs);
    cli_table_string(table, name);
    cli_table_string(table, shards);
    cell(table, "%.1f %%", 100 * point->scanned);
    recall_cell(table, point->recall.mean);
    recall_cell(table, point->recall.low);
    recall_cell(table, point->recall.lowest);
    cell(table, "%.1f %%", 100 * point->recall.full);
    cell(table, "%.3f", point->p50_ms);
    cell(table, "%.3f", point->p99_ms);
    cell(table, "%.0f", point->per_second);
}

static void print_table(struct cli_session *session, const struct cli_recall_report *report) {
    static const char *const headers[] = {"SHARDS", "ROWS",   "RECALL", "RECALL P5", "LOWEST",
                                          "FULL",   "P50 MS", "P99 MS", "PER SECOND"};
    struct cli_table table;
    char name[CELL_BYTES];
    cli_table_init(&table);
    cli_table_column(&table, "NUM_PROBES", true);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) cli_table_column(&table, headers[i], true);
    for (size_t i = 0; i < report->point_count; i++) {
        uint32_t probes = report->points[i].num_probes;
        snprintf(name, sizeof name, "%s%u", probes && probes == report->smallest ? "* " : "", probes);
        table_row(&table, report, &report->points[i], probes ? name : "shard ids");
    }
    table_row(&table, report, &report->exact, "exact");
    cli_table_print(&table, session);
    cli_table_free(&table);
}

static void text_line(struct cli_out *out, const struct cli_recall_report *report, const struct cli_recall_point *point,
                      const char *name) {
    char probed[CELL_BYTES], recall[CELL_BYTES], low[CELL_BYTES], lowest[CELL_BYTES];
    probed_text(point->shards_probed, probed);
    recall_text(point->recall.mean, recall);
    recall_text(point->recall.low, low);
    recall_text(point->recall.lowest, lowest);
    cli_out_format(out,
                   "num_probes=%s shards_probed=%s/%u rows_scanned=%.4f recall=%s recall_p05=%s recall_min=%s "
                   "full_recall=%.4f p50_ms=%.3f p99_ms=%.3f per_second=%.0f\n",
                   name, probed, report->num_dbs, point->scanned, recall, low, lowest, point->recall.full,
                   point->p50_ms, point->p99_ms, point->per_second);
}

static void print_text(struct cli_session *session, const struct cli_recall_report *report) {
    char name[CELL_BYTES];
    for (size_t i = 0; i < report->point_count; i++) {
        snprintf(name, sizeof name, "%u", report->points[i].num_probes);
        text_line(&session->out, report, &report->points[i], report->points[i].num_probes ? name : "null");
    }
    text_line(&session->out, report, &report->exact, "exact");
}

/* What the numbers rest on, and what follows from them. */
static void print_words(struct cli_session *session, const struct cli_recall_report *report) {
    struct cli_out *out = &session->out;
    cli_out_format(out, "recall@%u of %zu %s", report->top_k, report->queries,
                   report->stored ? "stored vectors, each without itself" : "given vectors");
    if (report->stored) cli_out_format(out, " (seed %llu)", (unsigned long long)report->seed);
    cli_out_format(out, ", among %llu vectors of %u dimensions, %s; run ", (unsigned long long)report->rows,
                   report->dimension, report->metric);
    cli_out_printable(out, report->run_id, strlen(report->run_id));
    cli_out_char(out, '\n');
    if (report->smallest) {
        cli_out_format(out, "num_probes %u is the smallest of these that reaches %g", report->smallest, report->target);
    } else if (report->points[0].num_probes) {
        cli_out_format(out, "none of these reaches %g", report->target);
    } else {
        bool reaches = report->points[0].recall.mean >= report->target;
        cli_out_format(out, "the given shards %s %g", reaches ? "reach" : "do not reach", report->target);
    }
    if (report->own_probes && report->points[0].num_probes) {
        cli_out_format(out, "; the snapshot's own is %u", report->own_probes);
    }
    cli_out_char(out, '\n');
}

/* Nothing to choose: one line. */
static void print_always_exact(struct cli_session *session, const struct cli_recall_report *report) {
    const struct cli_recall_point *point = &report->points[0];
    char recall[CELL_BYTES];
    recall_text(point->recall.mean, recall);
    cli_out_format(
        &session->out,
        "every search of this %s snapshot%s is exact: recall@%u %s of %zu %s vectors, p50 %.3f ms, p99 %.3f ms, "
        "%.0f a second\n",
        report->kind, report->strategy ? " within the shard of its context" : "", report->top_k, recall,
        report->queries, report->stored ? "stored" : "given", point->p50_ms, point->p99_ms, point->per_second);
}

void cli_recall_print(struct cli_session *session, const struct cli_recall_report *report) {
    enum cli_format format = session->settings->format;
    if (format == CLI_JSON || format == CLI_JSONL) {
        print_json(session, report);
    } else if (report->always_exact) {
        print_always_exact(session, report);
    } else if (format == CLI_TABLE) {
        print_table(session, report);
        cli_out_char(&session->out, '\n');
        print_words(session, report);
    } else {
        print_text(session, report);
        print_words(session, report);
    }
}
