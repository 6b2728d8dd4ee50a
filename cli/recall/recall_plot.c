/*
 * The picture to choose num_probes from: recall above, latency below, over the same axis of powers of two. The marked number is
 * the smallest that was seen to reach the target.
 */
#include "cli/plot_svg.h"
#include "cli/recall/recall.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 860u
#define HEIGHT 640u
#define LEFT 76.0
#define RIGHT 824.0
#define INNER 28.0       /* between the frame and the first and last point */
#define LABEL_WIDTH 38.0 /* two labels of points stand at least so far apart */
#define HEADROOM 24.0    /* above the highest value of a panel, for its label */
#define LABEL_BYTES 160u

struct panel {
    double top, bottom;
    double low, high; /* values at the bottom, and HEADROOM below the top */
    double step;
};

static const struct panel recall_frame = {.top = 122, .bottom = 376}, latency_frame = {.top = 434, .bottom = 568};

struct figure {
    struct cli_out *out;
    const struct cli_recall_report *report;
    double first, last; /* log2 of the numbers of probes */
    struct panel recall, latency;
};

static double x_of(const struct figure *figure, double num_probes) {
    if (figure->last <= figure->first) return (LEFT + RIGHT) / 2;
    double share = (log2(num_probes) - figure->first) / (figure->last - figure->first);
    return LEFT + INNER + share * (RIGHT - LEFT - 2 * INNER);
}

static double y_of(const struct panel *panel, double value) {
    double share = (value - panel->low) / (panel->high - panel->low);
    return panel->bottom - share * (panel->bottom - panel->top - HEADROOM);
}

/* ---- axes ---- */

/* The smallest of 1, 2 and 5 times a power of ten that is no less. */
static double round_step(double least) {
    double unit = pow(10, floor(log10(least)));
    double times = least / unit;
    return unit * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void scale_recall(struct figure *figure) {
    double low = figure->report->target;
    for (size_t i = 0; i < figure->report->point_count; i++) low = fmin(low, figure->report->points[i].recall.low);
    figure->recall = recall_frame;
    figure->recall.high = 1;
    figure->recall.step = round_step(fmax(1 - low, 0.02) / 6);
    figure->recall.low = fmax(0, floor(low / figure->recall.step - 0.25) * figure->recall.step);
}

static void scale_latency(struct figure *figure) {
    double high = figure->report->exact.p50_ms;
    for (size_t i = 0; i < figure->report->point_count; i++) high = fmax(high, figure->report->points[i].p50_ms);
    figure->latency = latency_frame;
    figure->latency.high = fmax(high, 1e-3);
    figure->latency.step = round_step(figure->latency.high / 4);
}

static void draw_panel(const struct figure *figure, const struct panel *panel, const char *name, const char *style) {
    int decimals = (int)fmax(0, ceil(-log10(panel->step) - 1e-9));
    unsigned ticks = (unsigned)floor((panel->high - panel->low) / panel->step + 1e-6);
    for (unsigned i = 0; i <= ticks; i++) {
        double value = panel->low + i * panel->step, y = y_of(panel, value);
        char text[LABEL_BYTES];
        cli_svg_line(figure->out, (struct cli_point){LEFT, y}, (struct cli_point){RIGHT, y}, i ? "grid" : "axis");
        snprintf(text, sizeof text, "%.*f", decimals, value);
        cli_svg_text(figure->out, (struct cli_point){LEFT - 10, y + 4}, "faint", "end", text);
    }
    cli_svg_upright_text(figure->out, (struct cli_point){24, (panel->top + panel->bottom) / 2}, style, name);
}

static void tick(const struct figure *figure, double x, uint32_t value) {
    char text[LABEL_BYTES];
    cli_svg_line(figure->out, (struct cli_point){x, recall_frame.top}, (struct cli_point){x, recall_frame.bottom},
                 "grid");
    cli_svg_line(figure->out, (struct cli_point){x, latency_frame.top}, (struct cli_point){x, latency_frame.bottom},
                 "grid");
    snprintf(text, sizeof text, "%u", value);
    cli_svg_text(figure->out, (struct cli_point){x, latency_frame.bottom + 19}, "faint", "middle", text);
}

/* Powers of two, and the last number where it is far enough from them. */
static void draw_probes_axis(const struct figure *figure) {
    const struct cli_recall_report *report = figure->report;
    uint32_t first = report->points[0].num_probes, last = report->points[report->point_count - 1].num_probes;
    double before = 0;
    char text[LABEL_BYTES];
    for (uint64_t value = 1; value <= last; value *= 2) {
        if (value < first) continue;
        before = x_of(figure, (double)value);
        tick(figure, before, (uint32_t)value);
    }
    if (x_of(figure, last) - before > LABEL_WIDTH / 2) tick(figure, x_of(figure, last), last);
    snprintf(text, sizeof text, "num_probes: shards that a query may visit, of %u", report->num_dbs);
    cli_svg_text(figure->out, (struct cli_point){(LEFT + RIGHT) / 2, HEIGHT - 24.0}, "text", "middle", text);
}

/* ---- what was measured ---- */

/* The marked one always has its labels, the others from the right as far as there is room: there the choice is made. */
static void choose_labels(const struct figure *figure, bool *labelled) {
    const struct cli_recall_report *report = figure->report;
    for (size_t i = 0; i < report->point_count; i++) {
        labelled[i] = report->points[i].num_probes == report->smallest;
    }
    for (size_t i = report->point_count; i-- > 0;) {
        bool has_room = true;
        for (size_t j = 0; j < report->point_count; j++) {
            double apart = fabs(x_of(figure, report->points[i].num_probes) - x_of(figure, report->points[j].num_probes));
            has_room = has_room && !(labelled[j] && apart < LABEL_WIDTH);
        }
        labelled[i] = labelled[i] || has_room;
    }
}

static void recall_label(double recall, char out[LABEL_BYTES]) {
    snprintf(out, LABEL_BYTES, "%.3f", floor(recall * 1e3 + 1e-6) / 1e3);
}

static void latency_label(double ms, char out[LABEL_BYTES]) {
    snprintf(out, LABEL_BYTES, "%.*f", ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void draw_dots(const struct figure *figure, const struct cli_point *at, const char *style,
                      const char *text_style, const struct panel *panel) {
    const struct cli_recall_report *report = figure->report;
    bool labelled[CLI_RECALL_MOST_POINTS];
    choose_labels(figure, labelled);
    for (size_t i = 0; i < report->point_count; i++) {
        const struct cli_recall_point *point = &report->points[i];
        bool is_chosen = point->num_probes == report->smallest;
        char text[LABEL_BYTES];
        cli_svg_dot(figure->out, at[i], is_chosen ? 6.5 : 4.5, is_chosen ? "chosen-dot" : style);
        if (!labelled[i]) continue;
        if (panel == &figure->recall)
            recall_label(point->recall.mean, text);
        else
            latency_label(point->p50_ms, text);
        cli_svg_text(figure->out, (struct cli_point){at[i].x, at[i].y - 11}, is_chosen ? "label goal-text" : text_style,
                     "middle", text);
    }
}

static void draw_recall(const struct figure *figure) {
    const struct cli_recall_report *report = figure->report;
    struct cli_point mean[CLI_RECALL_MOST_POINTS], low[CLI_RECALL_MOST_POINTS];
    for (size_t i = 0; i < report->point_count; i++) {
        mean[i].x = low[i].x = x_of(figure, report->points[i].num_probes);
        mean[i].y = y_of(&figure->recall, report->points[i].recall.mean);
        low[i].y = y_of(&figure->recall, report->points[i].recall.low);
    }
    cli_svg_polyline(figure->out, low, report->point_count, "first-low");
    for (size_t i = 0; i < report->point_count; i++) cli_svg_dot(figure->out, low[i], 3, "first-low-dot");
    cli_svg_polyline(figure->out, mean, report->point_count, "first");
    draw_dots(figure, mean, "first-dot", "label first-text", &figure->recall);
}

static void draw_latency(const struct figure *figure) {
    const struct cli_recall_report *report = figure->report;
    struct cli_point points[CLI_RECALL_MOST_POINTS];
    double exact = y_of(&figure->latency, report->exact.p50_ms);
    char text[LABEL_BYTES], number[LABEL_BYTES];
    latency_label(report->exact.p50_ms, number);
    snprintf(text, sizeof text, "exact scan %.32s ms", number);
    cli_svg_line(figure->out, (struct cli_point){LEFT, exact}, (struct cli_point){RIGHT, exact}, "second-exact");
    cli_svg_text(figure->out, (struct cli_point){LEFT + 8, exact - 7}, "label second-text", "start", text);
    for (size_t i = 0; i < report->point_count; i++) {
        points[i] = (struct cli_point){x_of(figure, report->points[i].num_probes),
                                       y_of(&figure->latency, report->points[i].p50_ms)};
    }
    cli_svg_polyline(figure->out, points, report->point_count, "second");
    draw_dots(figure, points, "second-dot", "label second-text", &figure->latency);
}

/* The target, and the number that reaches it. */
static void draw_goal(const struct figure *figure) {
    const struct cli_recall_report *report = figure->report;
    double y = y_of(&figure->recall, report->target), x = report->smallest ? x_of(figure, report->smallest) : 0;
    char text[LABEL_BYTES];
    cli_svg_line(figure->out, (struct cli_point){LEFT, y}, (struct cli_point){RIGHT, y}, "goal");
    snprintf(text, sizeof text, "target %g", report->target);
    cli_svg_text(figure->out, (struct cli_point){LEFT + 8, y - 7}, "label goal-text", "start", text);
    if (!report->smallest) return;
    bool is_right = x > LEFT + 0.7 * (RIGHT - LEFT);
    cli_svg_line(figure->out, (struct cli_point){x, recall_frame.top}, (struct cli_point){x, recall_frame.bottom},
                 "goal");
    cli_svg_line(figure->out, (struct cli_point){x, latency_frame.top}, (struct cli_point){x, latency_frame.bottom},
                 "goal");
    snprintf(text, sizeof text, "num_probes %u reaches %g", report->smallest, report->target);
    cli_svg_text(figure->out, (struct cli_point){is_right ? x - 9 : x + 9, recall_frame.bottom - 12}, "label goal-text",
                 is_right ? "end" : "start", text);
}

static void legend(const struct figure *figure, double x, double y, const char *style, const char *dot, const char *text) {
    cli_svg_line(figure->out, (struct cli_point){x, y - 4}, (struct cli_point){x + 26, y - 4}, style);
    if (dot) cli_svg_dot(figure->out, (struct cli_point){x + 13, y - 4}, 4, dot);
    cli_svg_text(figure->out, (struct cli_point){x + 34, y}, "text", "start", text);
}

static void draw_words(const struct figure *figure, const char *title) {
    const struct cli_recall_report *report = figure->report;
    char text[LABEL_BYTES];
    cli_svg_text(figure->out, (struct cli_point){LEFT, 38}, "title", "start", title);
    snprintf(text, sizeof text, "%zu %s, %llu vectors of %u dimensions, %.20s, %u shards by %.20s", report->queries,
             report->stored ? "stored vectors as queries" : "queries", (unsigned long long)report->rows,
             report->dimension, report->metric, report->num_dbs, report->strategy ? report->strategy : "key");
    cli_svg_text(figure->out, (struct cli_point){LEFT, 60}, "text", "start", text);
    snprintf(text, sizeof text, "run %.100s", report->run_id);
    cli_svg_text(figure->out, (struct cli_point){LEFT, 78}, "faint", "start", text);
    legend(figure, LEFT, recall_frame.top - 12, "first", "first-dot", "mean of the queries");
    legend(figure, LEFT + 180, recall_frame.top - 12, "first-low", "first-low-dot",
           "5th percentile: one in twenty finds no more");
    legend(figure, LEFT, latency_frame.top - 12, "second", "second-dot", "median of single searches, one after another");
}

void cli_recall_plot(struct cli_out *out, const struct cli_recall_report *report) {
    struct figure figure = {.out = out, .report = report};
    char title[LABEL_BYTES], name[LABEL_BYTES];
    if (!report->point_count || !report->points[0].num_probes) return;
    figure.first = log2(report->points[0].num_probes);
    figure.last = log2(report->points[report->point_count - 1].num_probes);
    scale_recall(&figure);
    scale_latency(&figure);
    snprintf(title, sizeof title, "Recall@%u and latency by num_probes", report->top_k);
    snprintf(name, sizeof name, "recall@%u", report->top_k);
    cli_svg_begin(out, WIDTH, HEIGHT, title);
    draw_words(&figure, title);
    draw_probes_axis(&figure);
    draw_panel(&figure, &figure.recall, name, "strong first-text");
    draw_panel(&figure, &figure.latency, "latency, ms", "strong second-text");
    draw_goal(&figure);
    draw_recall(&figure);
    draw_latency(&figure);
    cli_svg_end(out);
}
