/* What recall counts, how it draws, and what it plots. The picture is parsed by expat. */
#include "cli_test.h"

#include "cli/memory.h"
#include "cli/plot_svg.h"
#include "cli/recall/recall.h"
#include "cli/recall/recall_draw.h"

#include <expat.h>
#include <math.h>
#include <stdio.h>

/* ---- counting ---- */

#define HIT(score, row)                                                                                                \
    { (score), 0, (row) }

static void counts_rows_that_are_found(void **state) {
    (void)state;
    static const struct cli_recall_hit exact[] = {HIT(1, 5), HIT(2, 1), HIT(2, 3), HIT(4, 0)};
    static const struct cli_recall_hit some[] = {HIT(1, 5), HIT(2, 3), HIT(5, 9), HIT(6, 8)};
    assert_int_equal(cli_recall_found(exact, 4, exact, 4), 4);
    assert_int_equal(cli_recall_found(exact, 4, some, 4), 2);
    assert_int_equal(cli_recall_found(exact, 4, some, 1), 1);
    assert_int_equal(cli_recall_found(exact, 4, some, 0), 0);
    assert_int_equal(cli_recall_found(exact, 0, some, 4), 0);
    static const struct cli_recall_hit other_shard[] = {{1, 1, 5}};
    assert_int_equal(cli_recall_found(exact, 4, other_shard, 1), 0);
}

/* Of rows equally far the exact answer has those of low places; another answer has others, which are no worse. */
static void rows_as_far_as_the_last_count(void **state) {
    (void)state;
    static const struct cli_recall_hit exact[] = {HIT(1, 5), HIT(2, 1), HIT(2, 3)};
    static const struct cli_recall_hit ties[] = {HIT(1, 5), HIT(2, 7), HIT(2, 9)}, farther[] = {HIT(1, 5), HIT(2.5, 1)};
    static const struct cli_recall_hit not_last[] = {HIT(1, 6)}; /* as far as the first alone: that one was passed over */
    assert_int_equal(cli_recall_found(exact, 3, ties, 3), 3);
    assert_int_equal(cli_recall_found(exact, 3, farther, 2), 1);
    assert_int_equal(cli_recall_found(exact, 3, not_last, 1), 0);
    static const struct cli_recall_hit odd[] = {HIT(1, 5), HIT(INFINITY, 1), HIT(NAN, 3)};
    static const struct cli_recall_hit other[] = {HIT(1, 5), HIT(INFINITY, 1), HIT(NAN, 4)};
    assert_int_equal(cli_recall_found(odd, 3, other, 3), 3);
    assert_int_equal(cli_recall_found(odd, 2, other, 2), 2);
}

static void leaves_out_the_row_itself(void **state) {
    (void)state;
    struct cli_recall_hit hits[] = {{0, 1, 7}, {0, 0, 7}, {1, 1, 8}};
    assert_int_equal(cli_recall_leave_out(hits, 3, 0, 7), 2);
    assert_true(hits[0].shard == 1 && hits[0].row == 7 && hits[1].row == 8);
    assert_int_equal(cli_recall_leave_out(hits, 2, 5, 5), 2);
}

static void percentiles_are_values(void **state) {
    (void)state;
    double values[100], one[] = {3};
    for (int i = 0; i < 100; i++) values[i] = (i * 37) % 100 + 1; /* 1 to 100 in some order */
    assert_true(cli_percentile(values, 100, 0.5) == 50);
    assert_true(cli_percentile(values, 100, 0.99) == 99);
    assert_true(cli_percentile(values, 100, 0) == 1);
    assert_true(cli_percentile(values, 100, 1) == 100);
    assert_true(cli_percentile(one, 1, 0.99) == 3);
}

static void summaries(void **state) {
    (void)state;
    double recalls[40];
    for (int i = 0; i < 40; i++) recalls[i] = i < 30 ? 1 : 0.5;
    recalls[35] = 0.1;
    struct cli_recall_summary summary = cli_recall_summarize(recalls, 40);
    assert_true(fabs(summary.mean - (30 + 9 * 0.5 + 0.1) / 40) < 1e-12);
    assert_true(summary.lowest == 0.1);
    assert_true(summary.low == 0.5); /* the second of forty */
    assert_true(summary.full == 0.75);
}

/* ---- drawing ---- */

static void each_number_is_drawn_once(void **state) {
    (void)state;
    static const uint64_t totals[] = {0, 1, 2, 63, 64, 1000};
    for (size_t t = 0; t < sizeof totals / sizeof totals[0]; t++) {
        struct cli_draw draw;
        bool seen[1000] = {false};
        uint64_t number, count = 0;
        cli_draw_init(&draw, totals[t], 7);
        while (cli_draw_next(&draw, &number)) {
            assert_true(number < totals[t] && !seen[number]);
            seen[number] = true;
            count++;
        }
        assert_true(count == totals[t]);
        assert_false(cli_draw_next(&draw, &number));
        cli_draw_free(&draw);
    }
}

static void draws_follow_from_the_seed(void **state) {
    (void)state;
    struct cli_draw a, b, c;
    bool differs = false;
    cli_draw_init(&a, UINT64_MAX, 1);
    cli_draw_init(&b, UINT64_MAX, 1);
    cli_draw_init(&c, UINT64_MAX, 2);
    for (int i = 0; i < 500; i++) {
        uint64_t x = 0, y = 0, z = 0;
        assert_true(cli_draw_next(&a, &x) && cli_draw_next(&b, &y) && cli_draw_next(&c, &z));
        assert_true(x == y);
        differs = differs || x != z;
    }
    assert_true(differs);
    cli_draw_free(&a);
    cli_draw_free(&b);
    cli_draw_free(&c);
}

/* Each of ten is the first of about a tenth of the seeds. */
static void draws_are_uniform(void **state) {
    (void)state;
    unsigned counts[10] = {0};
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct cli_draw draw;
        uint64_t number = 0;
        cli_draw_init(&draw, 10, seed);
        assert_true(cli_draw_next(&draw, &number));
        counts[number]++;
        cli_draw_free(&draw);
    }
    for (int i = 0; i < 10; i++) assert_in_range(counts[i], 850, 1150);
}

/* ---- the picture ---- */

struct seen {
    unsigned texts, circles, polylines;
    char words[16384];
};

static void XMLCALL take_element(void *context, const XML_Char *name, const XML_Char **attributes) {
    struct seen *seen = context;
    seen->texts += !strcmp(name, "text");
    seen->circles += !strcmp(name, "circle");
    seen->polylines += !strcmp(name, "polyline");
    for (; *attributes; attributes += 2) {
        if (strstr(attributes[1], "nan") || strstr(attributes[1], "inf"))
            fail_msg("%s=%s", attributes[0], attributes[1]);
    }
}

static void XMLCALL take_words(void *context, const XML_Char *text, int size) {
    struct seen *seen = context;
    size_t used = strlen(seen->words);
    assert_true(used + (size_t)size < sizeof seen->words);
    memcpy(seen->words + used, text, (size_t)size);
    seen->words[used + (size_t)size] = '\0';
}

static struct seen *plot(const struct cli_recall_report *report) {
    struct seen *seen = cli_alloc(sizeof *seen);
    struct cli_out out;
    cli_out_init(&out, -1);
    cli_recall_plot(&out, report);
    XML_Parser parser = XML_ParserCreate(NULL);
    XML_SetUserData(parser, seen);
    XML_SetElementHandler(parser, take_element, NULL);
    XML_SetCharacterDataHandler(parser, take_words);
    if (XML_Parse(parser, out.data, (int)out.size, 1) != XML_STATUS_OK) {
        fail_msg("%s in %s", XML_ErrorString(XML_GetErrorCode(parser)), out.data);
    }
    XML_ParserFree(parser);
    cli_out_free(&out);
    return seen;
}

static void holds(const struct seen *seen, const char *part) {
    if (!strstr(seen->words, part)) fail_msg("no '%s' in %s", part, seen->words);
}

static struct cli_recall_report report_of(const double *recalls, const uint32_t *probes, size_t count) {
    struct cli_recall_report report = {.run_id = "run-1",
                                       .kind = "vector-only",
                                       .strategy = "cluster",
                                       .metric = "cosine",
                                       .dimension = 384,
                                       .num_dbs = 64,
                                       .top_k = 10,
                                       .rows = 20000,
                                       .queries = 200,
                                       .stored = true,
                                       .target = 0.95,
                                       .point_count = count,
                                       .exact = {.p50_ms = 1.5}};
    for (size_t i = 0; i < count; i++) {
        report.points[i] = (struct cli_recall_point){
            .num_probes = probes[i], .recall = {.mean = recalls[i], .low = recalls[i] / 2}, .p50_ms = 0.02 * probes[i]};
        if (!report.smallest && recalls[i] >= report.target) report.smallest = probes[i];
    }
    return report;
}

static void a_picture(void **state) {
    (void)state;
    static const double recalls[] = {0.5123, 0.7, 0.8, 0.9, 0.9499, 0.96, 0.99, 1};
    static const uint32_t probes[] = {1, 2, 4, 8, 15, 16, 32, 64};
    struct cli_recall_report report = report_of(recalls, probes, 8);
    struct seen *seen = plot(&report);
    assert_int_equal(seen->polylines, 3);
    assert_int_equal(seen->circles, 3 * 8 + 3); /* and those of the legends */
    holds(seen, "Recall@10 and latency by num_probes");
    holds(seen, "200 stored vectors as queries, 20000 vectors of 384 dimensions, cosine, 64 shards by cluster");
    holds(seen, "run run-1");
    holds(seen, "target 0.95");
    holds(seen, "num_probes 16 reaches 0.95");
    holds(seen, "exact scan 1.50 ms");
    holds(seen, "0.512");
    holds(seen, "0.960");
    assert_null(strstr(seen->words, "0.949")); /* no room beside the marked one */
    holds(seen, "1.000");
    free(seen);
}

static void odd_pictures(void **state) {
    (void)state;
    static const double one[] = {0.25}, ones[] = {1, 1, 1}, zeros[] = {0, 0, 0};
    static const uint32_t probes[] = {1, 3, 65536};
    const struct cli_recall_report reports[] = {report_of(one, probes, 1), report_of(ones, probes, 3),
                                                report_of(zeros, probes, 3), report_of(ones, probes + 2, 1)};
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        struct cli_recall_report report = reports[i];
        struct seen *seen = plot(&report);
        holds(seen, report.smallest ? " reaches 0.95" : "target 0.95");
        assert_int_equal(strstr(seen->words, " reaches ") != NULL, report.smallest != 0);
        free(seen);
        report.exact.p50_ms = 0; /* a clock that stands still */
        for (size_t p = 0; p < report.point_count; p++) report.points[p].p50_ms = 0;
        report.target = 1;
        free(plot(&report));
    }
}

static void names_are_no_markup(void **state) {
    (void)state;
    static const double one[] = {0.25};
    static const uint32_t probes[] = {4};
    struct cli_recall_report report = report_of(one, probes, 1);
    report.run_id = "a<b>&\"c\" \x01\xff\xc3\xa9\xef\xbf\xbf]]>";
    struct seen *seen = plot(&report);
    holds(seen, "run a<b>&\"c\" \xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd]]>");
    free(seen);
    char long_id[4096]; /* cut in the middle of a character */
    for (size_t i = 0; i + 3 < sizeof long_id; i += 3) memcpy(long_id + i, "\xe2\x82\xac", 4);
    report.run_id = long_id;
    free(plot(&report));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_rows_that_are_found),
        cmocka_unit_test(rows_as_far_as_the_last_count),
        cmocka_unit_test(leaves_out_the_row_itself),
        cmocka_unit_test(percentiles_are_values),
        cmocka_unit_test(summaries),
        cmocka_unit_test(each_number_is_drawn_once),
        cmocka_unit_test(draws_follow_from_the_seed),
        cmocka_unit_test(draws_are_uniform),
        cmocka_unit_test(a_picture),
        cmocka_unit_test(odd_pictures),
        cmocka_unit_test(names_are_no_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
