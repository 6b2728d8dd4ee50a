/*
 * A thousand opens and closes, and a thousand runtimes: afterwards the process has exactly the descriptors and threads
 * that it had before, and its memory has not grown by more than GROWTH_BYTES.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define GROWTH_BYTES (UINT64_C(4) << 20) /* fragmentation of the heap; a leak of 4 KiB an open would pass it */
#define SETTLE_MS 10000                  /* a joined thread may be seen in /proc for a moment */
#define LAST_STEPS_US 50000              /* the loop thread lets go of a reader just after its close has completed */

static const struct stress_shape shape = {
    .snapshots = 2, .keys = 200, .vectors = 100, .dimension = 8, .queries = 2, .top_k = 5, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root, *cache;

/* ---- what the process holds ---- */

struct measure {
    unsigned fds, threads;
    uint64_t bytes;
};

static struct measure take_measure(void) {
    stress_nap_us(LAST_STEPS_US);
    (void)malloc_trim(0);
    return (struct measure){stress_fd_count(), stress_thread_count(), stress_rss_anonymous_bytes()};
}

/* Memory is not judged where a sanitizer keeps what was freed. */
static void require_equal(const struct measure *before, const char *what, unsigned count) {
    struct measure after = take_measure();
    for (int64_t end = stress_now_ms() + SETTLE_MS; stress_now_ms() < end;) {
        if (after.fds == before->fds && after.threads == before->threads) break;
        after = take_measure();
    }
    printf("  %u %s: descriptors %u -> %u, threads %u -> %u, RssAnon %+lld KiB\n", count, what, before->fds, after.fds,
           before->threads, after.threads, ((long long)after.bytes - (long long)before->bytes) / 1024);
    REQUIRE(after.fds == before->fds);
    REQUIRE(after.threads == before->threads);
    REQUIRE(STRESS_SANITIZER || after.bytes <= before->bytes + GROWTH_BYTES);
}

/* ---- scenarios ---- */

static void use(shf_reader *reader, unsigned round) {
    shf_key key = stress_key(&prefix, round % shape.keys);
    shf_query query = stress_query(&prefix, 0, 3);
    const unsigned number = round % shape.keys;
    shf_op *op = NULL;
    (void)shf_get_sync(reader, &key, NULL, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE(stress_check_lookup(&prefix, op, &number, 1));
    shf_op_release(op);
    (void)shf_search_sync(reader, &query, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE(stress_check_hits(&prefix, op, 0, 0, 3));
    shf_op_release(op);
}

/* In place, copied, lazily, pinned, refreshed; closed, or just released; some never taken, some that fail. */
static void open_and_close(shf_runtime *runtime, unsigned round) {
    shf_reader_options options = stress_options(&prefix, cache);
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    if (round % 2) options.flags |= SHF_OPEN_PRIVATE_COPY;
    if (round % 3 == 0) options.flags |= SHF_OPEN_LAZY;
    if (round % 5 == 0) options.history_offset = 1;
    if (round % 11 == 0) options.url = root; /* no snapshot */
    (void)shf_open_sync(runtime, &options, 0, &op);
    if (round % 11 == 0) REQUIRE_STATUS(shf_op_status(op), SHF_E_STATE);
    if (round % 11 && round % 7) {
        REQUIRE_SUCCESS(op);
        REQUIRE_STATUS(shf_op_take_reader(op, &reader), SHF_OK);
    }
    shf_op_release(op);
    if (!reader) return;
    use(reader, round);
    if (round % 4 == 0) {
        stress_publish(&prefix, round / 4 % shape.snapshots);
        (void)shf_refresh_sync(reader, 0, &op);
        REQUIRE_SUCCESS(op);
        shf_op_release(op);
        use(reader, round);
    }
    if (round % 6 == 0) {
        shf_reader_release(reader);
    } else {
        stress_close(reader);
    }
}

static void opens(void) {
    unsigned count = stress_scale(1000, 500, 150);
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    for (unsigned i = 0; i < 60; i++) open_and_close(runtime, i); /* caches and arenas fill */
    stress_wait_until_idle(runtime);
    struct measure before = take_measure();
    for (unsigned i = 0; i < count; i++) open_and_close(runtime, i);
    stress_wait_until_idle(runtime);
    require_equal(&before, "opens", count);
    stress_runtime_end(runtime);
}

static void one_runtime(unsigned round) {
    shf_runtime *runtime = stress_runtime(1 + round % 4, 256, 0);
    shf_cq *cq = NULL;
    REQUIRE_STATUS(shf_cq_new(runtime, 16, &cq), SHF_OK);
    if (round % 2) open_and_close(runtime, round);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_runtime_end(runtime);
}

static void runtimes(void) {
    unsigned count = stress_scale(1000, 500, 150);
    for (unsigned i = 0; i < 40; i++) one_runtime(i);
    struct measure before = take_measure();
    for (unsigned i = 0; i < count; i++) one_runtime(i);
    require_equal(&before, "runtimes", count);
}

/* Over HTTP: connections end with the runtime. */
static void runtimes_over_http(void) {
    unsigned count = stress_scale(300, 60, 20);
    struct slow_store *store = slow_store_start(root, "stress");
    struct measure before = {0};
    for (unsigned i = 0; i < count + 20; i++) {
        shf_reader_options options = stress_options(&prefix, cache);
        shf_s3_options s3;
        SHF_INIT(&s3);
        s3.endpoint_url = slow_store_endpoint(store);
        s3.anonymous = 1;
        options.url = "s3://stress/prefix";
        options.s3 = &s3;
        if (i == 20) {
            slow_store_wait_until_idle(store);
            before = take_measure();
        }
        shf_runtime *runtime = stress_runtime(2, 256, 0);
        shf_reader *reader = stress_open(runtime, &options);
        use(reader, i);
        stress_close(reader);
        stress_runtime_end(runtime);
    }
    slow_store_wait_until_idle(store);
    require_equal(&before, "runtimes over HTTP", count);
    slow_store_stop(store);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {
        {"opens", opens}, {"runtimes", runtimes}, {"runtimes-over-http", runtimes_over_http}};
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    stress_prefix_make(&prefix, root, &shape);
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    stress_prefix_free(&prefix);
    support_remove_tree(root);
    free(root);
    free(cache);
    return result;
}
