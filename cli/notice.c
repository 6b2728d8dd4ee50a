#include "cli/notice.h"

#include "cli/out.h"

#include <shardyfusion/shardyfusion.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool be_quiet, use_color;
static unsigned talkative;
static atomic_bool has_line; /* of progress */

void cli_notice_setup(bool quiet, unsigned verbose, bool color) {
    be_quiet = quiet;
    talkative = verbose;
    use_color = color;
}

/* One write, so that lines of several threads do not mix. */
static void say(const char *label, const char *color, const char *text) {
    struct cli_out line;
    cli_out_init(&line, -1);
    if (atomic_load(&has_line)) cli_out_string(&line, "\r\033[K");
    if (use_color) cli_out_string(&line, color);
    cli_out_string(&line, label);
    if (use_color) cli_out_string(&line, "\033[0m");
    cli_out_string(&line, ": ");
    cli_out_printable(&line, text, strlen(text));
    cli_out_char(&line, '\n');
    line.fd = STDERR_FILENO;
    cli_out_flush(&line);
    cli_out_free(&line);
}

#define FORMATTED(label, color)                                                                                        \
    do {                                                                                                               \
        char *text_ = NULL;                                                                                            \
        va_list arguments_;                                                                                            \
        va_start(arguments_, format);                                                                                  \
        int size_ = vasprintf(&text_, format, arguments_);                                                             \
        va_end(arguments_);                                                                                            \
        if (size_ < 0) return;                                                                                         \
        say(label, color, text_);                                                                                      \
        free(text_);                                                                                                   \
    } while (0)

void cli_warning(const char *format, ...) {
    if (be_quiet) return;
    FORMATTED("warning", "\033[33m");
}

void cli_note(const char *format, ...) {
    if (!talkative) return;
    FORMATTED("note", "\033[2m");
}

void cli_say(const char *format, ...) {
    if (be_quiet) return;
    FORMATTED("note", "\033[2m");
}

void cli_notice_line(bool is_there) { atomic_store(&has_line, is_there); }

unsigned cli_log_level(void) {
    if (be_quiet) return 0;
    return talkative > 1 ? SHF_LOG_DEBUG : talkative ? SHF_LOG_INFO : SHF_LOG_WARNING;
}

void cli_log(void *context, int level, const char *message) {
    (void)context;
    if (level == SHF_LOG_ERROR)
        say("error", "\033[31m", message);
    else if (level == SHF_LOG_WARNING)
        say("warning", "\033[33m", message);
    else
        say(level == SHF_LOG_INFO ? "note" : "debug", "\033[2m", message);
}
