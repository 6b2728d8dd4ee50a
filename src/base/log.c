#include "base/log.h"

#include "base/limits.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void shf_log_write(const struct shf_log *log, int level, const char *format, ...) {
    if (!log || !log->function || level > (int)log->level) return;
    char text[SHF_LIMIT_LOG_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    shf_utf8_trim_end(text);
    log->function(log->context, level, text);
}
