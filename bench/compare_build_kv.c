/*
 * Building a snapshot of 1 GiB of values against dd of as many bytes with fsync, by turns: in memory, and with a budget of
 * 64 MiB, for which rows have to be sorted on the disk. Files are synced by ours too, before they get their names.
 */
#include "bench/bench.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/ours_writer.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHARDS 4u
#define ROWS (UINT64_C(1) << 20)
#define VALUE_SIZE 1024u
#define POOL_SIZE (1u << 20) /* random bytes that values are cut from */
#define ROWS_A_WRITE 256u
#define LARGE_BUDGET (UINT64_C(3) << 30)
#define SMALL_BUDGET (UINT64_C(64) << 20)
#define ROUNDS 5u
#define WARM_BYTES (UINT64_C(5) << 29) /* rows, and files in the page cache */
#define SAMPLE_NS 2000000
#define SECOND 1e9
#define MEGABYTE (1024.0 * 1024.0)
#define SNAPSHOT "build-ours"
#define RAW_FILE "build-raw"

struct side {
    const char *data;
    uint64_t budget_bytes;
    unsigned char *pool;
    uint64_t warm_bytes; /* before the clock */
    struct bench_built built;
};

static unsigned char *make_pool(void) {
    unsigned char *pool = malloc(POOL_SIZE + VALUE_SIZE);
    uint64_t state = 11;
    for (size_t i = 0; pool && i < POOL_SIZE + VALUE_SIZE; i += sizeof state) {
        uint64_t number = bench_random(&state);
        memcpy(pool + i, &number, sizeof number);
    }
    return pool;
}

/* Each key once, in no order: an odd factor permutes the numbers below a power of two. */
static void make_row(const struct side *side, uint64_t index, shf_row *row) {
    uint64_t number = index * UINT64_C(0x9e3779b97f4a7c15) % ROWS;
    SHF_INIT(row);
    row->key = shf_key_from_uint(number);
    row->value = (shf_slice){side->pool + number * 8 % POOL_SIZE, VALUE_SIZE};
}

static bool add_all(const struct side *side, struct bench_writer *writer) {
    shf_row rows[ROWS_A_WRITE];
    for (uint64_t i = 0; i < ROWS; i += ROWS_A_WRITE) {
        for (uint64_t k = 0; k < ROWS_A_WRITE; k++) make_row(side, i + k, &rows[k]);
        if (!bench_writer_add(writer, rows, ROWS_A_WRITE)) return false;
    }
    return true;
}

static double build(void *context, unsigned round) {
    struct side *side = context;
    struct bench_writer writer;
    shf_writer_options options;
    (void)round;
    SHF_INIT(&options);
    options.backend = SHF_WRITE_KV;
    options.num_dbs = SHARDS;
    bench_remove_tree(side->data, SNAPSHOT);
    bench_warm_memory(side->warm_bytes);
    double begin = bench_now();
    bool ok = bench_writer_open(&writer, side->data, SNAPSHOT, side->budget_bytes, &options) &&
              add_all(side, &writer) && bench_writer_publish(&writer, &side->built);
    double time = bench_now() - begin;
    bench_remove_tree(side->data, SNAPSHOT);
    if (ok) return time;
    bench_writer_drop(&writer);
    return -1;
}

static double write_raw(void *context, unsigned round) {
    struct side *side = context;
    char file[PATH_MAX + 3], count[32];
    int result = -1;
    (void)round;
    (void)snprintf(file, sizeof file, "of=%s/%s", side->data, RAW_FILE);
    (void)snprintf(count, sizeof count, "count=%llu", (unsigned long long)(ROWS * VALUE_SIZE >> 20));
    bench_warm_memory(side->warm_bytes);
    double begin = bench_now();
    pid_t process = fork();
    if (process == 0) {
        (void)execlp("dd", "dd", "if=/dev/zero", file, "bs=1M", count, "conv=fsync", "status=none", (char *)NULL);
        _exit(127);
    }
    bool ok = process > 0 && waitpid(process, &result, 0) == process && result == 0;
    double time = bench_now() - begin;
    bench_remove_tree(side->data, RAW_FILE);
    if (ok) return time;
    fprintf(stderr, "dd failed\n");
    return -1;
}

/* Every row is there, once. */
static bool check(const struct side *side) {
    if (side->built.rows == ROWS) return true;
    fprintf(stderr, "%llu rows were built\n", (unsigned long long)side->built.rows);
    return false;
}

/* ---- memory, in a child process ---- */

struct sampler {
    atomic_bool is_over;
    double most;
};

static void *sample(void *context) {
    struct sampler *sampler = context;
    const struct timespec pause = {0, SAMPLE_NS};
    while (!atomic_load(&sampler->is_over)) {
        double now = bench_memory_now().anonymous;
        if (now > sampler->most) sampler->most = now;
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

bool bench_build_memory_child(const char *data) {
    struct side side = {data, SMALL_BUDGET, make_pool(), 0, {0}};
    struct sampler sampler = {false, 0};
    pthread_t thread;
    double before = bench_memory_now().anonymous;
    if (!side.pool || pthread_create(&thread, NULL, sample, &sampler)) return false;
    bool ok = build(&side, 0) >= 0;
    atomic_store(&sampler.is_over, true);
    (void)pthread_join(thread, NULL);
    if (ok) printf("%.0f %.0f\n", sampler.most - before, bench_memory_now().peak);
    free(side.pool);
    return ok;
}

/* ---- the benchmark ---- */

static double rate(double nanoseconds) { return ROWS * VALUE_SIZE / 1e6 / (nanoseconds / SECOND); }

static void add_time(struct bench *bench, const char *name, double target, double ours, double raw,
                     const struct side *side) {
    char spilled[64] = "";
    if (side->built.spilled_bytes) {
        (void)snprintf(spilled, sizeof spilled, ", %.0f MB sorted on disk", (double)side->built.spilled_bytes / 1e6);
    }
    bench_report_add(
        &bench->report, (struct bench_result){name, ours / SECOND, raw / SECOND, "s", target, 0, ""},
        "1 GiB in values of 1 KiB: %.0f MB/s, %.0f rows/s, shards of %.0f MB%s; peer: dd with fsync, %.0f MB/s",
        rate(ours), (double)ROWS * SECOND / ours, (double)side->built.db_bytes / 1e6, spilled, rate(raw));
}

static bool add_memory(struct bench *bench) {
    struct bench_memory memory;
    if (!bench_memory_of(bench, "build", &memory)) return false;
    bench_report_add(
        &bench->report,
        (struct bench_result){"build_kv_spilling_memory", memory.anonymous / MEGABYTE, (double)SMALL_BUDGET / MEGABYTE,
                              "MiB", 0, 0, ""},
        "highest anonymous memory, looked at every 2 ms; peer: the budget; with mapped files at most %.0f MiB",
        memory.peak / MEGABYTE);
    return true;
}

bool bench_build_kv(struct bench *bench) {
    struct side large = {bench->data, LARGE_BUDGET, make_pool(), WARM_BYTES, {0}}, small = large;
    double medians[3];
    small.budget_bytes = SMALL_BUDGET;
    const struct bench_side sides[] = {{write_raw, &large}, {build, &large}, {build, &small}};
    bool ok = large.pool && bench_take_turns(sides, 3, ROUNDS, medians, NULL) && check(&large) && check(&small);
    if (ok) {
        add_time(bench, "build_kv", 0.5, medians[1], medians[0], &large);
        add_time(bench, "build_kv_spilling", 0, medians[2], medians[0], &small);
    }
    free(large.pool);
    return ok && add_memory(bench);
}
