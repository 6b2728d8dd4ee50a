/* A run of the program: the runtime, one completion queue, the reader, and where results and errors go. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/out.h"
#include "cli/settings.h"

#include <shardyfusion/shardyfusion.h>

#define CLI_QUEUE_CAPACITY 256u /* operations that the program ever has under way */

enum { CLI_EXIT_OK = 0, CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 2 };

struct cli_session {
    const struct cli_settings *settings;
    const char *op; /* name of the command, for errors */
    struct cli_out out, err;
    shf_runtime *runtime;
    shf_cq *cq;
    shf_reader *reader;
    shf_snapshot *snapshot;
    shf_snapshot_info info; /* after cli_session_open */
    shf_open_info open_info;
    int exit_code;
};

/* Starts the runtime. False when that failed: the error is printed. cli_session_end is to be called either way. */
bool cli_session_begin(struct cli_session *session, const struct cli_settings *settings);
/* Opens the snapshot. flags: SHF_OPEN_*. False: printed. */
bool cli_session_open(struct cli_session *session, uint32_t flags);
/* Closes and flushes; returns the exit code of the program. */
int cli_session_end(struct cli_session *session);

/* A call whose completion goes to the session's queue. */
shf_call cli_session_call(const struct cli_session *session, void *tag);
/*
 * Waits for the only operation under way; an interrupt cancels it. NULL when it was refused (`submitted` is not
 * SHF_OK), failed or was interrupted: the error is printed then, with key (may be NULL).
 */
shf_op *cli_session_finish(struct cli_session *session, shf_status submitted, shf_op_id id, const char *key);
/* The same without printing: *error receives the message, the caller's to free, and *status the code. */
shf_op *cli_session_try(struct cli_session *session, shf_status submitted, shf_op_id id, shf_status *status,
                        char **error);

/* Waits until a completion, input on input_fd (-1 = none) or an interrupt. Flushes standard output first. */
void cli_session_wait(struct cli_session *session, int input_fd);

/* Prints an error in the form of the output format, and makes the exit code at least CLI_EXIT_FAILED. */
void cli_session_error(struct cli_session *session, const char *key, const char *message);
void cli_print_error(struct cli_out *err, enum cli_format format, bool color, const char *op, const char *key,
                     const char *message);

/* True when the run is to end: interrupted, or standard output is gone. */
bool cli_session_stopping(const struct cli_session *session);

#endif
