/*
 * The program behind ./dev demo.
 *
 *     shf-demo build NUMBERS COMMAND...             runs a build and shows what it did; begins the file NUMBERS
 *     shf-demo files|s3 URL CACHE NUMBERS           lookups and searches, measured
 *     shf-demo update URL CACHE NUMBERS COMMAND...  a reader, while the command publishes the next snapshot
 *     shf-demo compare FILE-NUMBERS S3-NUMBERS      the two side by side
 */
#include "demo/command.h"
#include "demo/screen.h"
#include "demo/show.h"
#include "demo/update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES "samples/queries.jsonl"
#define ANSWERS "samples/answers.jsonl"

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
    demo_heading("Look a key up");
    return demo_show_lookup(run, "ncdu") && demo_show_lookup(run, "nginx") && demo_show_lookup(run, "blender") &&
           demo_show_lookup(run, "no-such-package") && demo_show_like(run, "nginx", 3) &&
           demo_show_question(run, "monitor disk usage in the terminal", 3) &&
           demo_show_question(run, "capture and analyse network packets", 3) &&
           demo_show_question(run, "manage passwords securely", 3) &&
           demo_show_question(run, "chess against the computer", 3);
}

static bool show_s3(struct demo_run *run) {
    demo_heading("Look a key up");
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

static bool build(const char *numbers_path, char **words) {
    struct demo_command command;
    struct demo_numbers numbers = {0};
    if (!demo_command_start(&command, words) || !demo_command_end(&command)) return false;
    numbers.build = command.took;
    numbers.built_rows = command.rows;
    return demo_numbers_save(&numbers, numbers_path);
}

static bool compare(const char *files_path, const char *s3_path) {
    struct demo_numbers files, s3;
    if (!demo_numbers_load(&files, files_path) || !demo_numbers_load(&s3, s3_path)) return false;
    demo_numbers_compare(&files, &s3);
    return files.digest == s3.digest;
}

/* What needs a reader: argv is MODE URL CACHE NUMBERS [COMMAND...]. */
static bool read_snapshot(char **argv) {
    struct demo_run run = {.questions = &questions};
    bool ok = demo_numbers_load(&run.numbers, argv[3]) && demo_questions_load(&questions, QUERIES, ANSWERS);
    if (ok && (shf_runtime_new(NULL, &run.runtime) || shf_cq_new(run.runtime, 0, &run.cq))) {
        fputs("the library does not start\n", stderr);
        ok = false;
    }
    if (ok && !strcmp(argv[0], "update")) {
        ok = demo_update(&run, argv[1], argv[2], argv + 4);
    } else if (ok) {
        ok = demonstrate(&run, !strcmp(argv[0], "s3"), argv[1], argv[2]);
    }
    ok = ok && demo_numbers_save(&run.numbers, argv[3]);
    shf_reader_release(run.reader);
    (void)shf_cq_free(run.cq);
    (void)shf_runtime_free(run.runtime);
    demo_questions_free(&questions);
    return ok;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    bool ok;
    demo_screen_begin();
    if (!strcmp(mode, "build") && argc > 3) {
        ok = build(argv[2], argv + 3);
    } else if (argc == 5 ? !strcmp(mode, "files") || !strcmp(mode, "s3") : argc > 5 && !strcmp(mode, "update")) {
        ok = read_snapshot(argv + 1);
    } else if (!strcmp(mode, "compare") && argc == 4) {
        ok = compare(argv[2], argv[3]);
    } else {
        fprintf(stderr,
                "usage: %s build NUMBERS COMMAND... | files|s3 URL CACHE NUMBERS |\n"
                "       update URL CACHE NUMBERS COMMAND... | compare FILE-NUMBERS S3-NUMBERS\n",
                argv[0]);
        return 2;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
