#include "cli/session.h"

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/memory.h"
#include "cli/notice.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_print_error(struct cli_out *err, enum cli_format format, bool color, const char *op, const char *key,
                     const char *message) {
    if (format == CLI_JSON || format == CLI_JSONL) {
        struct cli_json json;
        cli_json_init(&json, err, false);
        cli_json_begin(&json, '{');
        cli_json_member_string(&json, "op", op);
        cli_json_member_string(&json, "error", message);
        if (key) cli_json_member_string(&json, "key", key);
        cli_json_end(&json, '}');
    } else {
        cli_out_string(err, color ? "\033[31merror\033[0m: " : "error: ");
        cli_out_printable(err, message, strlen(message));
    }
    cli_out_char(err, '\n');
    cli_out_flush(err);
}

void cli_session_error(struct cli_session *session, const char *key, const char *message) {
    const struct cli_settings *s = session->settings;
    cli_out_flush(&session->out); /* what was answered before stands before the error where both go to one place */
    cli_print_error(&session->err, s->format, cli_use_color(s->options, STDERR_FILENO), session->op, key, message);
    if (session->exit_code < CLI_EXIT_FAILED) session->exit_code = CLI_EXIT_FAILED;
}

bool cli_session_stopping(const struct cli_session *session) { return cli_interrupted() || session->out.failed; }

bool cli_session_begin(struct cli_session *session, const struct cli_settings *settings) {
    shf_runtime_options options;
    *session = (struct cli_session){.settings = settings, .op = settings->options->command_name};
    cli_out_init(&session->out, STDOUT_FILENO);
    cli_out_init(&session->err, STDERR_FILENO);
    SHF_INIT(&options);
    options.memory_budget_bytes = settings->memory_budget;
    options.worker_threads = settings->worker_threads;
    options.log_level = cli_log_level();
    options.log = options.log_level ? cli_log : NULL;
    shf_status status = shf_runtime_new(&options, &session->runtime);
    if (status == SHF_OK) status = shf_cq_new(session->runtime, CLI_QUEUE_CAPACITY, &session->cq);
    if (status == SHF_E_LOCAL) {
        cli_session_error(session, NULL,
                          "cannot start: the system has no more threads or file descriptors for this process"
                          " (see ulimit -a)");
    } else if (status != SHF_OK) {
        cli_session_error(session, NULL, shf_status_text(status));
    }
    return status == SHF_OK;
}

shf_call cli_session_call(const struct cli_session *session, void *tag) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = session->cq;
    call.tag = tag;
    call.timeout_ms = session->settings->reader.timeout_ms;
    return call;
}

void cli_session_wait(struct cli_session *session, int input_fd) {
    struct pollfd fds[3] = {{shf_cq_fd(session->cq), POLLIN, 0}, {cli_interrupt_fd(), POLLIN, 0}, {input_fd, POLLIN, 0}};
    cli_out_flush(&session->out);
    if (!cli_session_stopping(session))
        poll(fds, 3, -1);
    else
        poll(fds, 1, -1); /* cancelled operations complete soon; the interrupt stays readable */
}

shf_op *cli_session_try(struct cli_session *session, shf_status submitted, shf_op_id id, shf_status *status,
                        char **error) {
    shf_op *op = NULL;
    bool cancelled = false;
    *status = submitted;
    if (submitted != SHF_OK) {
        *error = cli_strdup(shf_status_text(submitted));
        return NULL;
    }
    while (!shf_cq_poll(session->cq, &op, 1, 0)) {
        if (cli_interrupted() && !cancelled) {
            shf_cancel(session->runtime, id);
            cancelled = true;
        }
        cli_session_wait(session, -1);
    }
    *status = shf_op_status(op);
    if (*status == SHF_OK) return op;
    *error = cli_strdup(shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    return NULL;
}

shf_op *cli_session_finish(struct cli_session *session, shf_status submitted, shf_op_id id, const char *key) {
    shf_status status;
    char *error = NULL;
    shf_op *op = cli_session_try(session, submitted, id, &status, &error);
    if (!op && error && !cli_interrupted()) cli_session_error(session, key, error);
    free(error);
    return op;
}

bool cli_session_open(struct cli_session *session, uint32_t flags) {
    shf_reader_options options = session->settings->reader;
    shf_call call = cli_session_call(session, NULL);
    shf_op_id id = 0;
    options.flags |= flags;
    shf_op *op = cli_session_finish(session, shf_open(session->runtime, &options, &call, &id), id, NULL);
    if (!op) return false;
    SHF_INIT(&session->open_info);
    SHF_INIT(&session->info);
    shf_op_open_info(op, &session->open_info);
    shf_status status = shf_op_take_reader(op, &session->reader);
    shf_op_release(op);
    if (status == SHF_OK) status = shf_reader_snapshot(session->reader, &session->snapshot);
    if (status == SHF_OK) status = shf_snapshot_describe(session->snapshot, &session->info);
    if (status != SHF_OK) {
        cli_session_error(session, NULL, shf_status_text(status));
        return false;
    }
    if (session->open_info.fallback_attempts) {
        cli_warning("the manifest that was asked for is malformed; serving an older one: %s", session->info.manifest_ref);
    }
    return true;
}

static void close_reader(struct cli_session *session) {
    shf_op *op = NULL;
    if (!session->reader) return;
    shf_close_sync(session->reader, SHF_CLOSE_CANCEL, 10000, &op);
    shf_op_release(op);
    shf_reader_release(session->reader);
}

int cli_session_end(struct cli_session *session) {
    close_reader(session);
    shf_snapshot_release(session->snapshot);
    shf_cq_free(session->cq);
    shf_status freed = shf_runtime_free(session->runtime);
    if (session->runtime && freed != SHF_OK) cli_note("ending with operations under way");
    cli_out_flush(&session->out);
    if (session->out.failed && session->out.failed != EPIPE && !cli_interrupted()) {
        char *message = cli_format("writing standard output: %s", cli_errno_text(session->out.failed));
        cli_session_error(session, NULL, message);
        free(message);
    }
    int broken = session->out.failed == EPIPE;
    cli_out_free(&session->out);
    cli_out_free(&session->err);
    if (cli_interrupted()) return 128 + cli_interrupted();
    return broken ? 128 + SIGPIPE : session->exit_code;
}
