/*
 * shf-bench [--data FOLDER] [--python FILE] [--package FILE] [--venvs PREFIX] [--json FILE] [--quiet] [NAME...]
 *                                     those whose name begins so; none = all
 * shf-bench --parts [NAME...]         parts of the data that they need
 *
 * ./dev bench prepares the data and the peers and runs it, from the root of the checkout.
 */
#include "bench/bench.h"
#include "bench/machine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct benchmark {
    const char *name;
    const char *parts;
    bool (*run)(struct bench *bench);
} benchmarks[] = {
    {"get_vs_lmdb", "kv", bench_get_vs_lmdb},
    {"get_vs_sqlite", "kv", bench_get_vs_sqlite},
    {"get_async_vs_sync", "kv", bench_get_async_vs_sync},
    {"multi_get_vs_lmdb", "kv", bench_multi_get_vs_lmdb},
    {"search_vs_sqlite_vec", "vectors", bench_search_vs_sqlite_vec},
    {"search_vs_faiss_flat", "vectors", bench_search_vs_faiss_flat},
    {"search_two_cores", "vectors", bench_search_two_cores},
    {"batch_search_64", "vectors", bench_batch_search_64},
    {"open_local", "open", bench_open_local},
    {"slatedb_get", "slatedb-0.12 slatedb-0.13", bench_slatedb_get},
    {"slatedb_open", "slatedb-0.12 slatedb-0.13", bench_slatedb_open},
    {"lance_search", "vectors lance", bench_lance_search},
    {"py_get", "py", bench_py_get},
    {"py_multi_get_100", "py", bench_py_multi_get_100},
    {"py_search", "py vectors vectors-20k", bench_py_search},
    {"py_open", "py", bench_py_open},
    {"cel", "cel", bench_cel},
    {"kmeans", "kmeans", bench_kmeans},
    {"memory", "kv vectors", bench_memory},
    {"build_vs_reference_like", "vectors build", bench_build_vs_reference_like},
    {"build_kv", "", bench_build_kv},
};

#define BUSY_SHARE 0.5 /* of the cores; building just before leaves a little */
#define BENCHMARKS (sizeof benchmarks / sizeof benchmarks[0])

static bool is_wanted(const struct benchmark *benchmark, char **names, int count) {
    for (int i = 0; i < count; i++) {
        if (strncmp(benchmark->name, names[i], strlen(names[i])) == 0) return true;
    }
    return count == 0;
}

static bool names_are_known(char **names, int count) {
    for (int i = 0; i < count; i++) {
        bool known = false;
        for (size_t b = 0; b < BENCHMARKS; b++) known = known || is_wanted(&benchmarks[b], &names[i], 1);
        if (known) continue;
        fprintf(stderr, "there is no benchmark '%s'; there are:", names[i]);
        for (size_t b = 0; b < BENCHMARKS; b++) fprintf(stderr, " %s", benchmarks[b].name);
        fprintf(stderr, "\n");
        return false;
    }
    return true;
}

static int print_parts(char **names, int count) {
    for (size_t b = 0; b < BENCHMARKS; b++) {
        if (is_wanted(&benchmarks[b], names, count)) printf("%s\n", benchmarks[b].parts);
    }
    return EXIT_SUCCESS;
}

static int run(struct bench *bench, const char *json, char **names, int count) {
    int result = EXIT_SUCCESS;
    if (!bench->report.is_quiet) {
        printf("\n  %u core%s, %s\n", bench_cores(), bench_cores() == 1 ? "" : "s", bench_instruction_set());
        if (bench_load() > bench_cores() * BUSY_SHARE) {
            printf("  Others are at work on this machine (load %.1f): the ratios hold, times and two-core figures less "
                   "so.\n",
                   bench_load());
        }
    }
    bench_report_begin(&bench->report);
    for (size_t b = 0; b < BENCHMARKS; b++) {
        if (!is_wanted(&benchmarks[b], names, count)) continue;
        if (benchmarks[b].run(bench)) continue;
        fprintf(stderr, "  %s FAILED\n", benchmarks[b].name);
        result = EXIT_FAILURE;
    }
    if (!bench->report.is_quiet) printf("\n");
    if (json && !bench_report_write_json(&bench->report, json)) result = EXIT_FAILURE;
    return result;
}

int main(int argc, char **argv) {
    static struct bench bench;
    const char *json = NULL, *memory_side = NULL;
    bool wants_parts = false;
    int i = 1;
    bench.data = "build/bench-data";
    bench.python = "build/bench-venv/bin/python3";
    bench.package = "build/venv/bin/python3";
    bench.venvs = "build/bench-venv";
    bench.program = argv[0];
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that died is an error, not our end */
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--quiet") == 0) {
            bench.report.is_quiet = true;
        } else if (strcmp(argv[i], "--parts") == 0) {
            wants_parts = true;
        } else if (strcmp(argv[i], "--data") == 0) {
            bench.data = value, i++;
        } else if (strcmp(argv[i], "--python") == 0) {
            bench.python = value, i++;
        } else if (strcmp(argv[i], "--package") == 0) {
            bench.package = value, i++;
        } else if (strcmp(argv[i], "--venvs") == 0) {
            bench.venvs = value, i++;
        } else if (strcmp(argv[i], "--json") == 0) {
            json = value, i++;
        } else if (strcmp(argv[i], "--memory") == 0) {
            memory_side = value, i++;
        } else {
            fprintf(stderr, "unknown option %s\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    if (memory_side) return bench_memory_child(bench.data, memory_side) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (!names_are_known(argv + i, argc - i)) return EXIT_FAILURE;
    return wants_parts ? print_parts(argv + i, argc - i) : run(&bench, json, argv + i, argc - i);
}
