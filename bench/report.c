#include "bench/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_colours(void) {
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (!no_color || !*no_color);
}

static const char *colour(const char *code) { return has_colours() ? code : ""; }

void bench_report_begin(const struct bench_report *report) {
    if (report->is_quiet) return;
    printf("\n  %s%-28s %12s %12s %-7s %8s  %-9s%s note\n", colour("\033[1m"), "name", "ours", "peer", "unit", "ratio",
           "target", colour("\033[0m"));
    printf("  %.28s %.12s %.12s %.7s %.8s  %.9s %.60s\n", "----------------------------", "------------", "------------",
           "-------", "--------", "---------", "------------------------------------------------------------");
}

static void print_line(const struct bench_result *result) {
    char target[16] = "";
    double ratio = result->peer / result->ours;
    bool is_met = result->target > 0 ? ratio >= result->target : result->most <= 0 || result->ours <= result->most;
    bool has_target = result->target > 0 || result->most > 0;
    if (result->target > 0) (void)snprintf(target, sizeof target, ">= %.2fx", result->target);
    if (result->most > 0) (void)snprintf(target, sizeof target, "< %g %s", result->most, result->unit);
    int decimals = result->ours < 100 && result->peer < 100 ? 2 : 1;
    const char *shade = !has_target ? "" : is_met ? colour("\033[32m") : colour("\033[31m");
    printf("  %-28s %12.*f %12.*f %-7s %s%7.2fx%s  %-9s %s%s%s\n", result->name, decimals, result->ours, decimals,
           result->peer, result->unit, shade, ratio, has_target ? colour("\033[0m") : "", target, colour("\033[2m"),
           result->note, colour("\033[0m"));
    (void)fflush(stdout);
}

void bench_report_add(struct bench_report *report, struct bench_result result, const char *note, ...) {
    va_list arguments;
    va_start(arguments, note);
    (void)vsnprintf(result.note, sizeof result.note, note, arguments);
    va_end(arguments);
    if (!report->is_quiet) print_line(&result);
    if (report->count < BENCH_MAX_RESULTS) report->results[report->count++] = result;
}

/* Names, units and notes are ours; quotes and backslashes are all that could need an escape. */
static void write_text(FILE *file, const char *text) {
    (void)fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') (void)fputc('\\', file);
        if ((unsigned char)*text >= ' ') (void)fputc(*text, file);
    }
    (void)fputc('"', file);
}

bool bench_report_write_json(const struct bench_report *report, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return false;
    }
    for (size_t i = 0; i < report->count; i++) {
        const struct bench_result *result = &report->results[i];
        fprintf(file, "%s\n  {\"name\": ", i ? "," : "[");
        write_text(file, result->name);
        fprintf(file, ", \"ratio\": %.4g, \"ours\": %.6g, \"peer\": %.6g, \"unit\": ", result->peer / result->ours,
                result->ours, result->peer);
        write_text(file, result->unit);
        fprintf(file, ", \"note\": ");
        write_text(file, result->note);
        fprintf(file, "}");
    }
    fprintf(file, "%s\n]\n", report->count ? "" : "[");
    return fclose(file) == 0;
}
