/* Opening a local snapshot of 64 shards whose files are in the page cache. */
#include "bench/bench.h"
#include "bench/lookup_peer.h"
#include "bench/measure.h"
#include "bench/ours.h"

#include <string.h>

#define SHARDS 64u
#define ROUNDS 15u
#define MILLISECOND 1e6

/* Runtime, queue, _CURRENT, manifest and shards; closing is not counted. */
static double open_ours(void *context, unsigned round) {
    struct bench_ours ours;
    (void)round;
    double begin = bench_now();
    if (!bench_ours_open(&ours, context, "open", 0)) return -1;
    double time = bench_now() - begin;
    bench_ours_close(&ours);
    return time;
}

/* A connection and a prepared statement for each file: preparing makes libsqlite3 read the schema. */
static double open_sqlite(void *context, unsigned round) {
    (void)round;
    double begin = bench_now();
    struct bench_sqlite *sqlite = bench_sqlite_open(context, "open", SHARDS);
    double time = bench_now() - begin;
    if (!sqlite) return -1;
    bench_sqlite_close(sqlite);
    return time;
}

bool bench_open_local(struct bench *bench) {
    struct bench_times times;
    void *data = (void *)(uintptr_t)bench->data;
    if (!bench_alternate((struct bench_side){open_ours, data}, (struct bench_side){open_sqlite, data}, ROUNDS, &times)) {
        return false;
    }
    bench_report_add(
        &bench->report,
        (struct bench_result){"open_local", times.ours / MILLISECOND, times.peer / MILLISECOND, "ms", 0, 20, ""},
        "64 shards of 16 MB, warm, runtime and manifest included; peer: libsqlite3 opens the 64 files");
    return true;
}
