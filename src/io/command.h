/* Running a command without a shell, its output bounded in size and time. Workers only. */
#ifndef SHF_IO_COMMAND_H
#define SHF_IO_COMMAND_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * command_line: words separated by blanks; '...' and "..." keep blanks, a backslash keeps the next character (not within
 * '...'). Standard input is empty; standard error is the caller's. *out is the caller's to shf_free. SHF_E_ACCESS when it
 * can not be started, fails, prints more than `most` bytes, or takes longer than timeout_ms (it is killed then).
 */
shf_status shf_command_run(const char *command_line, size_t most, int64_t timeout_ms, char **out, size_t *size,
                           struct shf_error **error);

#endif
