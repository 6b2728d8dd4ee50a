/* Running a command without a shell, its output bounded in size and time. Workers only. */
#ifndef SHF_IO_COMMAND_H
#define SHF_IO_COMMAND_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_command {
    /*
     * Words separated by blanks; '...' and "..." keep blanks, a backslash keeps the next character (not within '...').
     * Standard input is empty, standard error is the caller's, no other descriptor is handed on.
     */
    const char *line;
    size_t most_bytes; /* that it may print */
    int64_t timeout_ms;
    const atomic_bool *abandon; /* becomes true: nobody wants the result any more. Or NULL */
};

/*
 * *out (with a NUL behind its *size bytes) is the caller's to shf_free. SHF_E_ACCESS when it can not be started, fails,
 * prints or takes too much; SHF_E_CANCELLED when it was abandoned. It and what it started in its process group are
 * killed then.
 */
shf_status shf_command_run(const struct shf_command *command, char **out, size_t *size, struct shf_error **error);

#endif
