/* What the program says beside its results, on standard error: warnings (not with -q) and notes (with -v). */
#ifndef CLI_NOTICE_H
#define CLI_NOTICE_H

#include <stdbool.h>

/* Set once, before the library starts its threads. */
void cli_notice_setup(bool quiet, unsigned verbose, bool color);

void cli_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A note that is always shown, unless with -q. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of progress stands on standard error (or no longer): what is said next takes its place. Any thread. */
void cli_notice_line(bool is_there);

/* Level for shf_runtime_options, 0 = silence; and the hook itself, which any thread may call. */
unsigned cli_log_level(void);
void cli_log(void *context, int level, const char *message);

#endif
