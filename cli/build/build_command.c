/* shardy build: opens, feeds, publishes, tells. */
#include "cli/build/build_run.h"

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/notice.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_MS 100
#define CLOSE_MS 30000  /* that ending the run record may take */
#define LINE_EIGHTHS 3u /* of the budget for one line: the library keeps rows in the other five */
#define LEAST_LINE_BYTES (1u << 20)
#define WINDOW_SHARE 8u /* one eighth of the budget for the window of a zstd input */

void cli_build_error(struct cli_build *build, char *message) {
    cli_progress_clear(&build->progress);
    cli_session_error(build->session, NULL, message);
    free(message);
}

/* While rows come in, the inputs are the measure; afterwards what the writer tells. */
void cli_build_show(struct cli_build *build) {
    struct cli_progress_view view = {.phase = SHF_PHASE_WRITE};
    shf_writer_progress now;
    if (!cli_progress_is_due(&build->progress)) return;
    SHF_INIT(&now);
    if (build->writer && shf_writer_progress_get(build->writer, &now) == SHF_OK) view.phase = now.phase;
    view.num_dbs = now.num_dbs;
    view.shards_done = now.shards_done;
    if (view.phase == SHF_PHASE_TRAIN) {
        view.rows = build->rows;
    } else if (view.phase > SHF_PHASE_SORT) {
        view.rows = now.rows_built;
        view.rows_total = build->rows;
        view.bytes = now.built_bytes;
    } else {
        view.rows = build->rows;
        view.bytes = cli_source_taken(&build->source);
        view.bytes_total = build->source.has_total && view.phase == SHF_PHASE_WRITE ? build->source.total : 0;
    }
    cli_progress_show(&build->progress, &view);
}

static void show(void *context) { cli_build_show(context); }

shf_op *cli_build_wait(struct cli_build *build, shf_op_id id) {
    struct cli_session *s = build->session;
    struct pollfd fds[2] = {{shf_cq_fd(s->cq), POLLIN, 0}, {cli_interrupt_fd(), POLLIN, 0}};
    bool cancelled = false;
    shf_op *op = NULL;
    while (!shf_cq_poll(s->cq, &op, 1, 0)) {
        if (cli_interrupted() && !cancelled) {
            shf_cancel(s->runtime, id);
            cancelled = true;
        }
        /* A cancelled operation completes soon; the interrupt stays readable. */
        poll(fds, cancelled ? 1 : 2, build->progress.is_on && !cancelled ? SHOW_MS : -1);
        cli_build_show(build);
    }
    return op;
}

shf_op *cli_build_finish(struct cli_build *build, shf_status submitted, shf_op_id id) {
    if (submitted != SHF_OK) {
        cli_build_error(build, cli_strdup(shf_status_text(submitted)));
        return NULL;
    }
    shf_op *op = cli_build_wait(build, id);
    if (shf_op_status(op) == SHF_OK) return op;
    if (!cli_interrupted()) cli_build_error(build, cli_strdup(shf_error_message(shf_op_error(op))));
    shf_op_release(op);
    return NULL;
}

/* Two lines that exclude one another, by their places. */
static char *conflict(const struct cli_build *b, const shf_op *op) {
    shf_publish_conflict pair;
    SHF_INIT(&pair);
    if (shf_op_publish_conflict(op, &pair) != SHF_OK) return cli_strdup(shf_error_message(shf_op_error(op)));
    char *first = cli_source_place(&b->source, pair.first_origin);
    char *second = cli_source_place(&b->source, pair.second_origin);
    char *message = cli_format("%s and %s have the same %s%s; nothing is published", first, second,
                               pair.is_id ? "id" : "key", pair.is_id ? "" : " (--on-duplicate last takes the later one)");
    free(first);
    free(second);
    return message;
}

static void publish(struct cli_build *b) {
    shf_call call = cli_session_call(b->session, NULL);
    shf_op_id id = 0;
    shf_status submitted = shf_publish(b->writer, &call, &id);
    if (submitted != SHF_OK) {
        cli_build_error(b, cli_strdup(shf_status_text(submitted)));
        return;
    }
    shf_op *op = cli_build_wait(b, id);
    if (shf_op_status(op) == SHF_OK) {
        cli_progress_clear(&b->progress);
        cli_build_summary(b, op);
    } else if (!cli_interrupted()) {
        cli_build_error(b, conflict(b, op));
    }
    shf_op_release(op);
}

/* Ends the run record. What comes of it changes nothing any more. */
static void close_writer(struct cli_build *b) {
    shf_call call = cli_session_call(b->session, NULL);
    shf_op_id id = 0;
    shf_op *op = NULL;
    if (!b->writer) return;
    call.timeout_ms = CLOSE_MS;
    if (shf_writer_close(b->writer, &call, &id) == SHF_OK) shf_cq_poll(b->session->cq, &op, 1, -1);
    if (op && shf_op_status(op) != SHF_OK) cli_warning("closing: %s", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    shf_writer_release(b->writer);
    b->writer = NULL;
}

static void set_rules(struct cli_build *b) {
    const struct cli_build_options *o = b->options;
    struct cli_row_rules *rules = &b->feed.rules;
    rules->key_format = b->session->settings->options->key_format;
    rules->value_format = o->value_format;
    rules->key_encoding = o->key_encoding;
    /* Whoever names a metric or a file of vectors wants vectors. */
    rules->backend = o->backend;
    if (!o->backend && (b->has_vectors || o->metric)) rules->backend = CLI_BACKEND_UNIFIED;
    rules->sharding = cli_vector_sharding_of(o);
    rules->backend_was_given = rules->backend != CLI_BACKEND_AUTO;
    rules->has_vector_file = b->has_vectors;
    rules->dimension = b->has_vectors ? b->vectors.npy.dimension : 0;
    if (o->cel_expr) {
        free(cli_columns_parse(&o->cel_columns, &b->columns)); /* it was fine when the options were checked */
        rules->columns = &b->columns;
    }
    b->feed.stop_at_error = !o->skip_bad;
}

static bool open_inputs(struct cli_build *b) {
    const struct cli_settings *settings = b->session->settings;
    uint64_t budget = settings->memory_budget, longest = budget / 8 * LINE_EIGHTHS;
    if (longest < LEAST_LINE_BYTES) longest = LEAST_LINE_BYTES;
    if (longest > SIZE_MAX / 2) longest = SIZE_MAX / 2;
    b->idle = (struct cli_idle){show, b};
    const struct cli_idle *idle = b->progress.is_on ? &b->idle : NULL;
    char *error =
        cli_source_open(&b->source, &settings->options->arguments, budget / WINDOW_SHARE, (size_t)longest, idle);
    if (!error && b->has_vectors)
        error = cli_vectors_open(&b->vectors, b->options->vectors, budget / WINDOW_SHARE, idle);
    if (error) cli_build_error(b, error);
    return !error && !cli_interrupted();
}

static bool shows_progress(const struct cli_options *o) {
    const char *terminal = cli_environment("TERM");
    return isatty(STDERR_FILENO) && !o->quiet && !o->no_progress && !(terminal && !strcmp(terminal, "dumb"));
}

void cli_command_build(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    struct cli_build *b = cli_alloc(sizeof *b);
    b->session = session;
    b->options = &o->build;
    b->began_ns = cli_now_ns();
    b->has_vectors = o->build.vectors != NULL;
    b->vectors.stream.fd = -1;
    b->feed.source = &b->source;
    b->feed.vectors = b->has_vectors ? &b->vectors : NULL;
    cli_progress_init(&b->progress, shows_progress(o));
    cli_batch_init(&b->batches[0]);
    cli_batch_init(&b->batches[1]);
    if (open_inputs(b)) {
        set_rules(b);
        char *error = cli_build_arrays(b);
        if (error) {
            cli_build_error(b, error);
        } else {
            cli_build_plan(b);
            if (cli_build_feed(b)) publish(b);
            cli_build_abandon(b);
            close_writer(b);
        }
    }
    cli_progress_clear(&b->progress);
    cli_batch_free(&b->batches[0]);
    cli_batch_free(&b->batches[1]);
    cli_columns_free(&b->columns);
    cli_array_free(&b->centroids);
    cli_array_free(&b->hyperplanes);
    cli_vectors_close(&b->vectors);
    cli_source_close(&b->source);
    free(b);
}
