#include "cli/build/build_progress.h"

#include "cli/notice.h"
#include "cli/utf8.h"

#include <shardyfusion/writer.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_NS INT64_C(100000000)
#define NARROWEST 20u /* columns that are used on any terminal */
#define USUAL_COLUMNS 79u
#define SURE_SECONDS 1.0   /* before that nothing is said of the rate and the time left */
#define MOST_SECONDS 3.6e6 /* a time left of more than a thousand hours is not shown */

int64_t cli_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void cli_progress_init(struct cli_progress *progress, bool is_on) {
    *progress = (struct cli_progress){.is_on = is_on, .phase_ns = cli_now_ns()};
}

bool cli_progress_is_due(const struct cli_progress *progress) {
    return progress->is_on && cli_now_ns() - progress->shown_ns >= INTERVAL_NS;
}

/* 1234567 as 1,234,567 */
static void count_text(struct cli_out *out, uint64_t count) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0) cli_out_char(out, ',');
        cli_out_char(out, digits[i]);
    }
}

static void bytes_text(struct cli_out *out, double bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    for (; bytes >= 999.95 && unit + 1 < sizeof units / sizeof units[0]; unit++) bytes /= 1000;
    cli_out_format(out, "%.*f %s", unit ? 1 : 0, bytes, units[unit]);
}

static void time_text(struct cli_out *out, double seconds) {
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole >= 3600)
        cli_out_format(out, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        cli_out_format(out, "%lu:%02lu", whole / 60, whole % 60);
}

static const char *phase_name(uint32_t phase) {
    switch (phase) {
    case SHF_PHASE_TRAIN: return "training";
    case SHF_PHASE_SORT: return "sorting";
    case SHF_PHASE_BUILD: return "building";
    case SHF_PHASE_PUBLISH:
    case SHF_PHASE_DONE: return "publishing";
    default: return "reading";
    }
}

/* How much of the phase is done, from 0 to 1; negative: nobody knows. */
static double fraction(const struct cli_progress_view *view) {
    if (view->bytes_total) return (double)view->bytes / (double)view->bytes_total;
    if (view->rows_total) return (double)view->rows / (double)view->rows_total;
    return -1;
}

void cli_progress_text(struct cli_out *out, const struct cli_progress_view *view, double seconds) {
    double done = fraction(view);
    cli_out_format(out, "%s: ", phase_name(view->phase));
    if (view->phase == SHF_PHASE_BUILD && view->num_dbs) {
        cli_out_format(out, "%u of %u shards, ", view->shards_done, view->num_dbs);
    }
    count_text(out, view->rows);
    if (view->rows_total) {
        cli_out_string(out, " of ");
        count_text(out, view->rows_total);
    }
    cli_out_string(out, " rows");
    if (view->phase == SHF_PHASE_TRAIN) return; /* bytes and a rate would say nothing */
    cli_out_string(out, ", ");
    bytes_text(out, (double)view->bytes);
    if (seconds < SURE_SECONDS || view->phase == SHF_PHASE_PUBLISH) return;
    cli_out_string(out, ", ");
    bytes_text(out, (double)view->bytes / seconds);
    cli_out_string(out, "/s");
    if (done <= 0 || done > 1 || seconds / done > MOST_SECONDS) return;
    cli_out_string(out, ", ");
    time_text(out, seconds * (1 - done) / done);
    cli_out_string(out, " left");
}

static size_t columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col) return USUAL_COLUMNS;
    return size.ws_col > NARROWEST ? size.ws_col - 1u : NARROWEST; /* a full line would wrap */
}

void cli_progress_show(struct cli_progress *progress, const struct cli_progress_view *view) {
    struct cli_out line;
    if (!progress->is_on) return;
    progress->shown_ns = cli_now_ns();
    if (view->phase != progress->phase) {
        progress->phase = view->phase;
        progress->phase_ns = progress->shown_ns;
    }
    cli_out_init(&line, -1);
    cli_out_string(&line, "\r\033[K");
    size_t start = line.size;
    cli_progress_text(&line, view, (double)(progress->shown_ns - progress->phase_ns) / 1e9);
    line.size = start + cli_utf8_fit(line.data + start, line.size - start, columns());
    progress->is_shown = true;
    cli_notice_line(true);
    line.fd = STDERR_FILENO;
    cli_out_flush(&line);
    cli_out_free(&line);
}

void cli_progress_clear(struct cli_progress *progress) {
    if (!progress->is_shown) return;
    cli_notice_line(false);
    progress->is_shown = false;
    if (write(STDERR_FILENO, "\r\033[K", 4) < 0) progress->is_on = false;
}
