/* shardy recall: what is asked for, where, and what comes of it. */
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/memory.h"
#include "cli/notice.h"
#include "cli/query.h"
#include "cli/recall/recall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the file of the plot: opened before the measuring, so that it is not for nothing ---- */

struct plot_file {
    const char *name; /* NULL = none */
    int fd;
    bool is_new; /* to be taken away again when nothing comes of it */
};

static char *open_plot(struct plot_file *file, const char *name) {
    *file = (struct plot_file){.name = name, .fd = -1};
    if (!name) return NULL;
    file->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    file->is_new = file->fd >= 0;
    if (!file->is_new && errno == EEXIST) file->fd = open(name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return file->fd < 0 ? cli_format("--plot %s: %s", name, cli_errno_text(errno)) : NULL;
}

static char *write_plot(struct plot_file *file, const struct cli_recall_report *report) {
    struct cli_out out;
    if (file->fd < 0) return NULL;
    if (!report->points[0].num_probes) {
        cli_warning("--plot: nothing to choose from, so nothing was drawn");
        return NULL;
    }
    file->is_new = false;
    cli_out_init(&out, file->fd);
    if (ftruncate(file->fd, 0) && errno != EINVAL) out.failed = errno; /* a pipe has no length */
    cli_recall_plot(&out, report);
    bool written = cli_out_flush(&out);
    char *error = written ? NULL : cli_format("--plot %s: %s", file->name, cli_errno_text(out.failed));
    cli_out_free(&out);
    return error;
}

static void close_plot(struct plot_file *file) {
    if (file->fd >= 0) close(file->fd);
    if (file->is_new) unlink(file->name);
}

/* ---- where an exact search goes ---- */

static char *scope_of_all(struct cli_recall *recall) {
    recall->scope_count = recall->report.num_dbs;
    recall->scope = cli_all_shards(recall->scope_count);
    return NULL;
}

/* The one shard of the context: it is what a search there is measured against. */
static char *scope_of_context(struct cli_recall *recall) {
    shf_error *error = NULL;
    recall->scope = cli_alloc_array(1, sizeof *recall->scope);
    shf_status status = shf_snapshot_route_vector(recall->session->snapshot, NULL, 0, cli_context_get(&recall->context),
                                                  0, recall->scope, 1, &recall->scope_count, &error);
    char *message = status ? cli_strdup(error ? shf_error_message(error) : shf_status_text(status)) : NULL;
    shf_error_free(error);
    return message;
}

static const char *kind_text(uint32_t kind) {
    switch (kind) {
    case SHF_KIND_UNIFIED: return "unified";
    case SHF_KIND_VECTOR_ONLY: return "vector-only";
    default: return "composite";
    }
}

/* What the snapshot is, and what can be measured in it. */
static char *look_at_snapshot(struct cli_recall *recall, const shf_vector_info *vectors) {
    const struct cli_options *o = recall->session->settings->options;
    struct cli_recall_report *report = &recall->report;
    bool routed = recall->session->info.kind == SHF_KIND_VECTOR_ONLY;
    report->run_id = recall->session->info.run_id;
    report->kind = kind_text(recall->session->info.kind);
    report->num_dbs = recall->session->info.num_dbs;
    report->metric = vectors->metric;
    report->dimension = vectors->dimension;
    report->strategy = vectors->sharding_strategy;
    bool by_vector = routed && (!strcmp(report->strategy, "cluster") || !strcmp(report->strategy, "lsh"));
    if (by_vector) report->own_probes = vectors->num_probes;
    report->always_exact = !by_vector && !o->has_shard_ids;
    if (o->probe_count && !by_vector) {
        return cli_format("--num-probes: no vector leads to the shards of this %s snapshot%s%s", report->kind,
                          routed ? ", sharded by " : "", routed ? report->strategy : "");
    }
    for (size_t i = 0; i < o->shard_id_count; i++) {
        if (o->shard_ids[i] < report->num_dbs) continue;
        return cli_format("shard id %u is out of range: the snapshot has shards 0 to %u", o->shard_ids[i],
                          report->num_dbs - 1);
    }
    if (!routed) return NULL; /* searched whole, or in the shard of the context */
    if (!strcmp(report->strategy, "explicit") && !o->has_shard_ids) {
        return cli_strdup(
            "EXPLICIT sharding: a search must say where; give --shard-ids, and recall tells how much of all "
            "is found there");
    }
    return by_vector || o->has_shard_ids ? scope_of_all(recall) : scope_of_context(recall);
}

static char *prepare(struct cli_recall *recall) {
    struct cli_session *session = recall->session;
    const struct cli_options *o = session->settings->options;
    shf_vector_info vectors;
    SHF_INIT(&vectors);
    if (shf_snapshot_vectors(session->snapshot, &vectors)) {
        return cli_format("%s is a key-value snapshot: it has no vectors to search", session->info.manifest_ref);
    }
    char *error = cli_columns_apply(session->snapshot, &recall->context);
    if (!error) error = look_at_snapshot(recall, &vectors);
    if (error) return error;
    if (recall->report.stored) error = cli_recall_draw_queries(recall, o->sample ? o->sample : CLI_RECALL_SAMPLE);
    if (!error) error = cli_recall_check_queries(recall);
    recall->report.queries = recall->queries.count;
    return error;
}

static void run(struct cli_recall *recall, struct plot_file *plot) {
    char *error = prepare(recall);
    if (!error && !cli_session_stopping(recall->session)) error = cli_recall_run(recall);
    if (!error && !cli_session_stopping(recall->session)) {
        cli_recall_print(recall->session, &recall->report);
        error = write_plot(plot, &recall->report);
    }
    if (error && !cli_session_stopping(recall->session)) cli_session_error(recall->session, NULL, error);
    free(error);
}

void cli_command_recall(struct cli_session *session) {
    const struct cli_options *o = session->settings->options;
    struct cli_recall *recall = cli_alloc(sizeof *recall);
    struct plot_file plot;
    recall->session = session;
    recall->report.top_k = o->top_k ? o->top_k : CLI_DEFAULT_TOP_K;
    recall->report.target = o->has_target ? o->target : CLI_RECALL_TARGET;
    recall->report.stored = !o->queries;
    recall->report.seed = o->build.has_seed ? o->build.seed : CLI_DEFAULT_SEED;
    char *error = open_plot(&plot, o->plot);
    if (!error) error = cli_context_parse(&o->contexts, &recall->context);
    if (!error && o->queries) error = cli_recall_read_queries(&recall->queries, session, o->queries);
    if (error && !cli_session_stopping(session))
        cli_session_error(session, NULL, error);
    else if (!error && !cli_session_stopping(session) &&
             cli_session_open(session, session->settings->reader.max_open_shards ? SHF_OPEN_LAZY : 0))
        run(recall, &plot);
    free(error);
    close_plot(&plot);
    cli_recall_queries_free(&recall->queries);
    cli_context_free(&recall->context);
    free(recall->scope);
    free(recall->exact);
    free(recall);
}
