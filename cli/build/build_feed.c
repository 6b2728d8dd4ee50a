/*
 * Rows from the inputs into the writer. One batch is being written while the next is read and parsed. No more than
 * one: a batch with a bad row is written again without it, and must still come before those that follow, since the
 * last of rows with one key may be the one that counts.
 */
#include "cli/build/build_run.h"

#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/notice.h"

#include <stdlib.h>

/* Tells of a bad line. False: this ends the build. */
static bool bad_line(struct cli_build *b, uint64_t number, const char *what) {
    char *place = cli_source_place(&b->source, number);
    if (!b->options->skip_bad) {
        cli_build_error(b, cli_format("%s: %s", place, what));
        free(place);
        return false;
    }
    b->skipped++;
    if (b->skipped <= CLI_SHOWN_ERRORS || b->session->settings->options->verbose) {
        cli_warning("%s: %s; skipped", place, what);
    } else if (b->skipped == CLI_SHOWN_ERRORS + 1) {
        cli_warning("more lines are skipped; -v tells of each");
    }
    free(place);
    return true;
}

static bool submit(struct cli_build *b, struct cli_batch *batch) {
    shf_call call = cli_session_call(b->session, NULL);
    if (!batch->row_count) return true;
    shf_status status = shf_write(b->writer, batch->given, batch->row_count, &call, &b->sent_id);
    if (status != SHF_OK) {
        cli_build_error(b, cli_strdup(shf_status_text(status)));
        return false;
    }
    b->sent = batch;
    return true;
}

/* A failed write: where one row is at fault and bad lines are skipped, the others are written again. */
static bool after_failure(struct cli_build *b, struct cli_batch *batch, const shf_op *op) {
    shf_write_info info;
    SHF_INIT(&info);
    if (cli_interrupted()) return false;
    const char *message = shf_error_message(shf_op_error(op));
    if (shf_op_write_info(op, &info) != SHF_OK || !info.has_bad_row || info.bad_row >= batch->row_count) {
        cli_build_error(b, cli_strdup(message));
        return false;
    }
    if (!bad_line(b, batch->given[info.bad_row].origin, message)) return false;
    cli_batch_drop(batch, (size_t)info.bad_row);
    return submit(b, batch);
}

/* Waits for the batch that is being written. */
static bool settle(struct cli_build *b) {
    bool ok = true;
    while (ok && b->sent) {
        struct cli_batch *batch = b->sent;
        shf_op *op = cli_build_wait(b, b->sent_id);
        b->sent = NULL;
        if (shf_op_status(op) == SHF_OK) {
            b->rows += batch->row_count;
            b->bytes += batch->bytes;
        } else {
            ok = after_failure(b, batch, op);
        }
        shf_op_release(op);
    }
    return ok;
}

void cli_build_abandon(struct cli_build *build) {
    if (!build->sent) return;
    shf_cancel(build->session->runtime, build->sent_id);
    shf_op_release(cli_build_wait(build, build->sent_id));
    build->sent = NULL;
}

/* The texts are the caller's to free. */
static void set_expression(const struct cli_build *b, shf_writer_options *w, char **columns, char **values) {
    const struct cli_build_options *o = b->options;
    *columns = o->cel_expr ? cli_columns_text(&b->columns) : NULL;
    *values = o->routing_values ? cli_routing_values(o->routing_values) : NULL;
    w->cel_expr = o->cel_expr;
    w->cel_columns = *columns;
    w->routing_values = *values;
    w->infer_routing_values = o->infer_routing_values;
}

static void set_vector(const struct cli_build *b, shf_writer_options *w) {
    const struct cli_build_options *o = b->options;
    w->backend = SHF_WRITE_VECTOR;
    w->num_probes = b->session->settings->options->num_probes;
    w->vector_sharding = cli_vector_sharding_name(b->feed.rules.sharding);
    w->centroids = b->centroids.items;
    w->hyperplanes = b->hyperplanes.items;
    w->hash_bits = b->hyperplanes.items ? b->hyperplanes.rows : o->hash_bits;
    w->training_rows = o->training_rows;
    w->training_rounds = o->training_rounds;
}

static bool open_writer(struct cli_build *b) {
    const struct cli_build_options *o = b->options;
    const struct cli_settings *settings = b->session->settings;
    bool has_vectors = b->feed.rules.backend != CLI_BACKEND_KV;
    shf_call call = cli_session_call(b->session, NULL);
    shf_writer_options w;
    shf_op_id id = 0;
    SHF_INIT(&w);
    w.flags = (o->resume ? SHF_WRITE_RESUME : 0u) | (o->keep_attempts ? SHF_WRITE_KEEP_ATTEMPTS : 0u) |
              (o->dry_run ? SHF_WRITE_DRY_RUN : 0u) | (o->last_wins ? SHF_WRITE_LAST_WINS : 0u) |
              (o->no_sidecar ? SHF_WRITE_NO_SIDECAR : 0u);
    w.url = o->output;
    w.s3 = &settings->s3;
    w.run_id = o->run_id;
    w.local_root = settings->options->local_root;
    w.backend = has_vectors ? SHF_WRITE_UNIFIED : SHF_WRITE_KV;
    if (o->backend == CLI_BACKEND_VECTOR) set_vector(b, &w);
    w.num_dbs = b->num_dbs;
    w.max_keys_per_shard = b->max_keys_per_shard;
    w.key_encoding = o->key_encoding;
    w.metric = has_vectors ? o->metric : NULL;
    w.dimension = has_vectors ? b->feed.rules.dimension : 0;
    w.page_size = o->page_size;
    w.jobs = o->jobs;
    w.seed = o->has_seed ? o->seed : CLI_DEFAULT_SEED;
    w.timeout_ms = settings->reader.timeout_ms;
    char *columns, *values;
    set_expression(b, &w, &columns, &values);
    shf_status submitted = shf_writer_open(b->session->runtime, &w, &call, &id);
    free(columns);
    free(values);
    shf_op *op = cli_build_finish(b, submitted, id);
    if (!op) return false;
    shf_status status = shf_op_take_writer(op, &b->writer);
    shf_op_release(op);
    if (status != SHF_OK) cli_build_error(b, cli_strdup(shf_status_text(status)));
    return status == SHF_OK;
}

static bool report(struct cli_build *b, const struct cli_batch *batch) {
    for (size_t i = 0; i < batch->line_count; i++) {
        if (batch->lines[i].error && !bad_line(b, batch->lines[i].number, batch->lines[i].error)) return false;
    }
    return true;
}

/* One vector for each line. */
static bool check_vectors(struct cli_build *b) {
    uint64_t count;
    char *error = cli_vectors_count(&b->vectors, &count);
    if (error) {
        cli_build_error(b, error);
        return false;
    }
    if (count == b->feed.line_total || cli_interrupted()) return !cli_interrupted();
    cli_build_error(b, cli_format("%s has %llu vectors, but there are %llu lines", b->vectors.stream.name,
                                  (unsigned long long)count, (unsigned long long)b->feed.line_total));
    return false;
}

static bool nothing_good(struct cli_build *b) {
    cli_build_error(b, cli_strdup("every line is bad: nothing is published"));
    return false;
}

/* Reads a batch, waits for the one before it, and sends it. */
static bool next_batch(struct cli_build *b, struct cli_batch *batch) {
    struct cli_feed *feed = &b->feed;
    cli_batch_clear(batch);
    char *error = cli_batch_fill(batch, feed);
    if (!settle(b)) {
        free(error);
        return false;
    }
    if (!error && !feed->stopped && !report(b, batch)) return false;
    if (error) cli_build_error(b, error);
    if (error || feed->stopped || cli_interrupted()) return false;
    if (feed->ended && b->has_vectors && !check_vectors(b)) return false;
    if (feed->ended && !b->writer && !batch->row_count && b->skipped) return nothing_good(b);
    /* What is built is known from the first good row on. */
    if (feed->ended && feed->rules.backend == CLI_BACKEND_AUTO) feed->rules.backend = CLI_BACKEND_KV;
    if (!b->writer && feed->rules.backend != CLI_BACKEND_AUTO && !open_writer(b)) return false;
    if (!submit(b, batch)) return false;
    cli_build_show(b);
    return !cli_batch_is_large(batch) || settle(b);
}

static void tell_ignored(const struct cli_build *b) {
    if (b->feed.rules.backend == CLI_BACKEND_VECTOR) {
        cli_say("a snapshot of vectors stores ids, vectors and payloads: values, and keys of rows with an id, were "
                "left out");
    } else {
        cli_warning("a kv snapshot stores keys and values: id, vector and payload of the rows were left out");
    }
}

bool cli_build_feed(struct cli_build *build) {
    bool ok = true;
    for (unsigned turn = 0; ok && !build->feed.ended; turn ^= 1u) ok = next_batch(build, &build->batches[turn]);
    if (ok) ok = settle(build);
    if (ok && !build->rows && build->skipped) return nothing_good(build);
    if (ok && !build->rows) cli_warning("there are no rows: the snapshot is empty");
    if (ok && build->feed.rules.ignored) tell_ignored(build);
    return ok;
}
