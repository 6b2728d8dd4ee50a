/*
 * The program behind ./dev demo.
 *
 *     shf-demo files URL CACHE NUMBERS            the first half; writes what it measured to NUMBERS
 *     shf-demo s3 URL CACHE NUMBERS FILE-NUMBERS  the second half, and the two side by side
 */
#include "demo/screen.h"
#include "demo/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES "samples/packages-1k-queries.jsonl"
#define ANSWERS "samples/packages-1k-answers.jsonl"

static struct demo_questions questions;

static bool show_box(struct demo_run *run, const char *title, const char *url) {
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    shf_vector_info vectors;
    char where[256], what[256];
    SHF_INIT(&info);
    SHF_INIT(&vectors);
    if (shf_reader_snapshot(run->reader, &snapshot)) return false;
    bool ok = !shf_snapshot_describe(snapshot, &info) && !shf_snapshot_vectors(snapshot, &vectors);
    if (ok) {
        (void)snprintf(where, sizeof where, "%s", url);
        (void)snprintf(what, sizeof what, "%s Debian packages, %u shards, an embedding of %u floats each (%s)",
                       demo_count(info.row_count), info.num_dbs, vectors.dimension, vectors.metric);
        const char *const lines[] = {title, where, what};
        demo_box(lines, 3);
    }
    shf_snapshot_release(snapshot);
    return ok;
}

static bool show_files(struct demo_run *run) {
    demo_show_heading("Look a key up");
    return demo_show_lookup(run, "ncdu") && demo_show_lookup(run, "nginx") && demo_show_lookup(run, "blender") &&
           demo_show_lookup(run, "no-such-package") && demo_show_like(run, "nginx", 3) &&
           demo_show_like(run, "tmux", 3) && demo_show_question(run, "monitor disk usage in the terminal", 3) &&
           demo_show_question(run, "capture and analyse network packets", 3) &&
           demo_show_question(run, "manage passwords securely", 3) &&
           demo_show_question(run, "chess against the computer", 3) &&
           demo_show_question(run, "something silly to make my colleagues laugh", 3);
}

static bool show_s3(struct demo_run *run) {
    demo_show_heading("Look a key up");
    return demo_show_lookup(run, "ncdu") && demo_show_lookup(run, "nginx") && demo_show_lookup(run, "no-such-package") &&
           demo_show_like(run, "nginx", 3) && demo_show_question(run, "monitor disk usage in the terminal", 3);
}

static bool close_reader(struct demo_run *run) {
    shf_op *op = NULL;
    shf_status status = shf_close_sync(run->reader, SHF_CLOSE_DRAIN, 0, &op);
    if (status) return demo_failed("close", status, op);
    shf_op_release(op);
    shf_reader_release(run->reader);
    run->reader = NULL;
    return true;
}

/* Opens once more, now that the local cache holds everything. */
static bool open_again(struct demo_run *run, const char *url, const char *cache) {
    shf_op *op = NULL;
    if (!close_reader(run)) return false;
    double begin = demo_now();
    if (!demo_open(run, url, cache, &op)) return false;
    run->numbers.open_warm = demo_now() - begin;
    shf_op_release(op);
    return true;
}

static bool demonstrate(struct demo_run *run, bool is_s3, const char *url, const char *cache) {
    shf_op *op = NULL;
    double begin = demo_now();
    if (!demo_open(run, url, cache, &op)) return false;
    run->numbers.open_cold = demo_now() - begin;
    bool ok = show_box(run, is_s3 ? "The same snapshot on an S3 server" : "A snapshot in plain files", url);
    if (ok) demo_show_open(op, run->numbers.open_cold);
    shf_op_release(op);
    ok = ok && (is_s3 ? show_s3(run) : show_files(run)) && demo_measure_lookups(run) && demo_measure_searches(run) &&
         demo_measure_stream(run) && open_again(run, url, cache);
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    if (ok && !shf_runtime_stats_get(run->runtime, &stats)) run->numbers.requests = (double)stats.store_requests;
    if (ok) demo_show_totals(run);
    return ok && close_reader(run) && run->wrong == 0;
}

int main(int argc, char **argv) {
    bool is_s3 = argc == 6 && !strcmp(argv[1], "s3");
    if (!is_s3 && !(argc == 5 && !strcmp(argv[1], "files"))) {
        fprintf(stderr, "usage: %s files URL CACHE NUMBERS | s3 URL CACHE NUMBERS FILE-NUMBERS\n", argv[0]);
        return 2;
    }
    demo_screen_begin();
    struct demo_run run = {.questions = &questions};
    struct demo_numbers files;
    bool ok = demo_questions_load(&questions, QUERIES, ANSWERS);
    if (ok && (shf_runtime_new(NULL, &run.runtime) || shf_cq_new(run.runtime, 0, &run.cq))) {
        fputs("the library does not start\n", stderr);
        ok = false;
    }
    ok = ok && demonstrate(&run, is_s3, argv[2], argv[3]) && demo_numbers_save(&run.numbers, argv[4]);
    if (ok && is_s3) {
        ok = demo_numbers_load(&files, argv[5]);
        if (ok) demo_show_comparison(&files, &run.numbers);
        ok = ok && files.digest == run.numbers.digest;
    }
    shf_reader_release(run.reader);
    (void)shf_cq_free(run.cq);
    (void)shf_runtime_free(run.runtime);
    demo_questions_free(&questions);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
