/*
 * fork() in every state of the library. In the child every call on an inherited handle gives SHF_E_FORKED, finished
 * operations and buffers can still be read, freeing frees memory only, nothing hangs, and a new runtime with a reader
 * answers. The parent goes on unharmed.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 60 /* SIGALRM ends a child that hangs */
#define IN_FLIGHT 200u
#define THREADS 2u

static const struct stress_shape shape = {
    .snapshots = 2, .keys = 400, .vectors = 200, .dimension = 8, .queries = 2, .top_k = 5, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root, *cache;
static struct slow_store *store;

/* What a child inherits. Any may be NULL. */
struct inherited {
    shf_runtime *runtime;
    shf_cq *cq;
    shf_reader *reader;
    shf_snapshot *snapshot;
    shf_op *lookup, *search, *failed, *open; /* finished; the open's reader was not taken */
    shf_buf *value;                          /* retained */
    shf_op_id running;                       /* an operation that may be under way */
    bool is_busy;                            /* other threads run at the moment of the fork */
};

/* ---- in the child ---- */

static void refuse_runtime(const struct inherited *from) {
    shf_runtime_stats stats;
    shf_reader_options options = stress_options(&prefix, cache);
    shf_cq *cq = NULL;
    shf_op *op = NULL;
    shf_op_id id = 0;
    shf_call call;
    SHF_INIT(&stats);
    SHF_INIT(&call);
    call.cq = from->cq;
    REQUIRE_STATUS(shf_runtime_stats_get(from->runtime, &stats), SHF_E_FORKED);
    REQUIRE_STATUS(shf_cq_new(from->runtime, 0, &cq), SHF_E_FORKED);
    REQUIRE_STATUS(shf_cancel(from->runtime, from->running), SHF_E_FORKED);
    REQUIRE_STATUS(shf_cancel(from->runtime, 77), SHF_E_FORKED);
    REQUIRE_STATUS(shf_open_sync(from->runtime, &options, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_history_sync(from->runtime, &options, 0, 0, &op), SHF_E_FORKED);
    if (!from->cq) return;
    REQUIRE_STATUS(shf_open(from->runtime, &options, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_history(from->runtime, &options, 0, &call, &id), SHF_E_FORKED);
    REQUIRE(shf_cq_poll(from->cq, &op, 1, 0) == 0);
    REQUIRE(shf_cq_poll(from->cq, &op, 1, 100000) == 0);
    REQUIRE(shf_cq_poll(from->cq, &op, 1, -1) == 0);
    REQUIRE_STATUS(shf_await(from->cq, from->running, -1, &op), SHF_E_FORKED);
    REQUIRE(shf_cq_fd(from->cq) >= 0);
}

static void refuse_asynchronous(const struct inherited *from) {
    shf_key key = stress_key(&prefix, 0);
    shf_query query = stress_query(&prefix, 0, 3);
    shf_op_id id = 0;
    shf_call call;
    SHF_INIT(&call);
    call.cq = from->cq;
    REQUIRE_STATUS(shf_get(from->reader, &key, NULL, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_multi_get(from->reader, &key, 1, NULL, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_search(from->reader, &query, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_batch_search(from->reader, &query, 1, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_refresh(from->reader, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_refresh_to(from->reader, "x", (shf_slice){"x", 1}, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_close(from->reader, SHF_CLOSE_DRAIN, &call, &id), SHF_E_FORKED);
    REQUIRE_STATUS(shf_close(from->reader, SHF_CLOSE_CANCEL, &call, &id), SHF_E_FORKED);
    REQUIRE(id == 0);
}

static void refuse_reader(const struct inherited *from) {
    shf_key key = stress_key(&prefix, 0);
    shf_query query = stress_query(&prefix, 0, 3);
    shf_health_info health;
    shf_snapshot *snapshot = NULL;
    shf_op *op = NULL;
    SHF_INIT(&health);
    REQUIRE_STATUS(shf_get_sync(from->reader, &key, NULL, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_multi_get_sync(from->reader, &key, 1, NULL, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_get_now(from->reader, &key, NULL, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_multi_get_now(from->reader, &key, 1, NULL, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_search_sync(from->reader, &query, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_batch_search_sync(from->reader, &query, 1, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_refresh_sync(from->reader, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_refresh_to_sync(from->reader, "x", (shf_slice){"x", 1}, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_close_sync(from->reader, SHF_CLOSE_CANCEL, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_get_stored_sync(from->reader, NULL, 0, NULL, 0, 0, &op), SHF_E_FORKED);
    REQUIRE_STATUS(shf_reader_set_credentials(from->reader, "a", "b", NULL), SHF_E_FORKED);
    REQUIRE_STATUS(shf_reader_snapshot(from->reader, &snapshot), SHF_E_FORKED);
    REQUIRE_STATUS(shf_health(from->reader, 0, &health), SHF_E_FORKED);
    if (from->cq) refuse_asynchronous(from);
}

static void refuse_snapshot(const struct inherited *from) {
    shf_key key = stress_key(&prefix, 0);
    shf_snapshot_info info;
    shf_shard_info shard;
    shf_vector_info vectors;
    uint32_t place;
    shf_error *error = NULL;
    SHF_INIT(&info);
    SHF_INIT(&shard);
    SHF_INIT(&vectors);
    REQUIRE_STATUS(shf_snapshot_describe(from->snapshot, &info), SHF_E_FORKED);
    REQUIRE_STATUS(shf_snapshot_shard(from->snapshot, 0, &shard), SHF_E_FORKED);
    REQUIRE_STATUS(shf_snapshot_vectors(from->snapshot, &vectors), SHF_E_FORKED);
    REQUIRE_STATUS(shf_snapshot_route_key(from->snapshot, &key, NULL, &place, &error), SHF_E_FORKED);
    REQUIRE_STATUS(shf_snapshot_shards_for_keys(from->snapshot, &key, 1, NULL, &place, &error), SHF_E_FORKED);
    REQUIRE(!error);
}

/* What is finished can be read, and says what it said. */
static void read_finished(const struct inherited *from) {
    const unsigned keys[] = {0, 1, 2};
    if (from->lookup) REQUIRE(stress_check_lookup(&prefix, from->lookup, keys, 3));
    if (from->search) REQUIRE(stress_check_hits(&prefix, from->search, 0, 0, 3));
    if (from->failed) {
        REQUIRE_STATUS(shf_op_status(from->failed), SHF_E_INVALID);
        REQUIRE(*shf_error_message(shf_op_error(from->failed)));
        REQUIRE(shf_op_latency_ns(from->failed) >= 0 && shf_op_get_id(from->failed) && !shf_op_tag(from->failed));
    }
    if (from->open) {
        shf_open_info info;
        SHF_INIT(&info);
        REQUIRE_STATUS(shf_op_open_info(from->open, &info), SHF_OK);
        REQUIRE(info.changed == 1);
    }
}

/* A reader that nobody had taken yet is as foreign as any. */
static void take_reader(const struct inherited *from) {
    struct inherited taken = {.runtime = from->runtime};
    REQUIRE_STATUS(shf_op_take_reader(from->open, &taken.reader), SHF_OK);
    refuse_reader(&taken);
    shf_reader_release(taken.reader);
}

static void free_all(const struct inherited *from) {
    shf_op_release(from->lookup);
    shf_op_release(from->search);
    shf_op_release(from->failed);
    shf_op_release(from->open);
    shf_buf_release(from->value);
    shf_snapshot_release(from->snapshot);
    shf_reader_release(from->reader);
    REQUIRE_STATUS(shf_cq_free(from->cq), SHF_OK);
    REQUIRE_STATUS(shf_runtime_free(from->runtime), SHF_OK);
}

/* The thread sanitizer has no threads in a child of a process that has some. */
static bool may_start_threads(const struct inherited *from) { return !STRESS_THREAD_SANITIZER || !from->runtime; }

static void start_anew(void) {
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    options.flags = SHF_OPEN_PRIVATE_COPY;
    shf_reader *reader = stress_open(runtime, &options);
    shf_op *op = NULL;
    shf_key key = stress_key(&prefix, 0);
    const unsigned keys[] = {0};
    stress_require_serves(&prefix, reader, stress_all_snapshots(&prefix));
    (void)shf_refresh_sync(reader, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    (void)shf_get_sync(reader, &key, NULL, 0, &op);
    REQUIRE(stress_check_lookup(&prefix, op, keys, 1));
    shf_op_release(op);
    stress_close(reader);
    stress_runtime_end(runtime);
}

static void be_child(const struct inherited *from) {
    (void)alarm(CHILD_SECONDS);
    if (from->runtime) refuse_runtime(from);
    if (from->reader) refuse_reader(from);
    if (from->snapshot) refuse_snapshot(from);
    /* Sanitizers fork locks of their own as they are: a child can then hang in malloc and free. */
    if (STRESS_SANITIZER && from->is_busy) _exit(0);
    read_finished(from);
    bool free_first = getpid() % 2;
    if (from->open && free_first) take_reader(from);
    if (free_first) free_all(from);
    if (may_start_threads(from)) start_anew();
    if (!free_first) free_all(from);
    _exit(0);
}

/* ---- in the parent ---- */

static pid_t fork_child(const struct inherited *from) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) be_child(from);
    return child;
}

static void expect_success(pid_t child) {
    int result = 0;
    while (waitpid(child, &result, 0) < 0) REQUIRE(errno == EINTR);
    if (WIFSIGNALED(result)) stress_fail(__FILE__, __LINE__, "a child ended by signal %d", WTERMSIG(result));
    REQUIRE(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

static shf_reader_options slow_options(shf_s3_options *s3) {
    shf_reader_options options = stress_options(&prefix, cache);
    SHF_INIT(s3);
    s3->endpoint_url = slow_store_endpoint(store);
    s3->anonymous = 1;
    options.url = "s3://stress/prefix";
    options.s3 = s3;
    return options;
}

static void begin(struct inherited *out) {
    *out = (struct inherited){.runtime = stress_runtime(2, 0, 0)};
    REQUIRE_STATUS(shf_cq_new(out->runtime, 1024, &out->cq), SHF_OK);
}

static void begin_reader(struct inherited *out) {
    shf_reader_options options = stress_options(&prefix, cache);
    begin(out);
    out->reader = stress_open(out->runtime, &options);
}

/* One finished operation of each kind, and a snapshot. */
static void finish_some(struct inherited *out) {
    shf_key keys[3];
    shf_query query = stress_query(&prefix, 0, 3);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_value value;
    for (unsigned i = 0; i < 3; i++) keys[i] = stress_key(&prefix, i);
    (void)shf_multi_get_sync(out->reader, keys, 3, NULL, 0, &out->lookup);
    REQUIRE_SUCCESS(out->lookup);
    (void)shf_search_sync(out->reader, &query, 0, &out->search);
    REQUIRE_SUCCESS(out->search);
    query.top_k = 0;
    REQUIRE_STATUS(shf_search_sync(out->reader, &query, 0, &out->failed), SHF_E_INVALID);
    (void)shf_open_sync(out->runtime, &options, 0, &out->open);
    REQUIRE_SUCCESS(out->open);
    SHF_INIT(&value);
    REQUIRE_STATUS(shf_op_value(out->lookup, 2, &value), SHF_OK);
    out->value = shf_buf_retain(value.buf);
    REQUIRE_STATUS(shf_reader_snapshot(out->reader, &out->snapshot), SHF_OK);
}

static void drain(shf_cq *cq, unsigned count) {
    while (count) {
        shf_op *ops[16];
        size_t got = shf_cq_poll(cq, ops, 16, 60000);
        REQUIRE(got > 0);
        for (size_t i = 0; i < got; i++) {
            REQUIRE_SUCCESS(ops[i]);
            shf_op_release(ops[i]);
        }
        count -= (unsigned)got;
    }
}

static void end(struct inherited *from) {
    if (from->reader) stress_require_serves(&prefix, from->reader, stress_all_snapshots(&prefix));
    shf_op_release(from->lookup);
    shf_op_release(from->search);
    shf_op_release(from->failed);
    shf_op_release(from->open);
    shf_buf_release(from->value);
    shf_snapshot_release(from->snapshot);
    if (from->reader) stress_close(from->reader);
    REQUIRE_STATUS(shf_cq_free(from->cq), SHF_OK);
    stress_runtime_end(from->runtime);
}

/* ---- states ---- */

static void before_a_runtime(void) {
    const struct inherited nothing = {0};
    expect_success(fork_child(&nothing));
    struct inherited from;
    begin_reader(&from);
    end(&from);
}

static void with_a_runtime(void) {
    struct inherited from;
    begin(&from);
    from.is_busy = true; /* its threads may be starting still */
    expect_success(fork_child(&from));
    shf_reader_options options = stress_options(&prefix, cache);
    from.reader = stress_open(from.runtime, &options);
    end(&from);
}

static void with_a_reader(void) {
    struct inherited from;
    begin_reader(&from);
    expect_success(fork_child(&from));
    finish_some(&from);
    expect_success(fork_child(&from));
    end(&from);
}

static void with_operations_in_flight(void) {
    unsigned rounds = stress_scale(50, 8, 3);
    struct inherited from;
    begin_reader(&from);
    finish_some(&from);
    from.is_busy = true;
    for (unsigned round = 0; round < rounds; round++) {
        shf_query query = stress_query(&prefix, 0, 3);
        shf_call call;
        SHF_INIT(&call);
        call.cq = from.cq;
        for (unsigned i = 0; i < IN_FLIGHT; i++) {
            REQUIRE_STATUS(shf_search(from.reader, &query, &call, &from.running), SHF_OK);
        }
        pid_t child = fork_child(&from);
        drain(from.cq, IN_FLIGHT);
        expect_success(child);
    }
    from.running = 0;
    end(&from);
    printf("  %u forks with %u searches in flight\n", rounds, IN_FLIGHT);
}

/* Over the slow store: in whatever the open or refresh is doing. */
static void while_loading(bool is_refresh) {
    unsigned rounds = stress_scale(50, 8, 3);
    struct stress_random random = stress_random_stream(is_refresh ? 41 : 42);
    struct inherited from;
    shf_s3_options s3;
    store = slow_store_start(root, "stress");
    shf_reader_options options = slow_options(&s3);
    begin(&from);
    from.is_busy = true;
    if (is_refresh) from.reader = stress_open(from.runtime, &options);
    slow_store_set_delay(store, 5000);
    for (unsigned round = 0; round < rounds; round++) {
        shf_call call;
        SHF_INIT(&call);
        call.cq = from.cq;
        char *path = support_path("%s/loading-%u-%u", root, is_refresh, round);
        options.local_root = path;
        stress_publish(&prefix, (round + 1) % shape.snapshots);
        REQUIRE_STATUS(is_refresh ? shf_refresh(from.reader, &call, &from.running)
                                  : shf_open(from.runtime, &options, &call, &from.running),
                       SHF_OK);
        stress_nap_us(stress_random_below(&random, 20000));
        pid_t child = fork_child(&from);
        drain(from.cq, 1);
        expect_success(child);
        free(path);
    }
    slow_store_set_delay(store, 0);
    end(&from);
    slow_store_stop(store);
    printf("  %u forks\n", rounds);
}

static void during_an_open(void) { while_loading(false); }
static void during_a_refresh(void) { while_loading(true); }

static void after_a_close(void) {
    struct inherited from;
    shf_op *op = NULL;
    begin_reader(&from);
    finish_some(&from);
    REQUIRE_STATUS(shf_close_sync(from.reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    expect_success(fork_child(&from));
    shf_reader_release(from.reader);
    from.reader = NULL;
    expect_success(fork_child(&from)); /* operations, a snapshot and a buffer outlive the reader */
    end(&from);
    const struct inherited nothing = {0};
    expect_success(fork_child(&nothing)); /* after a runtime */
}

/* ---- forks in a loop, from several threads, under load ---- */

struct load {
    const struct inherited *from;
    atomic_bool stop;
    atomic_uint forks, number;
    atomic_ullong operations;
    unsigned limit;
};

static void *work(void *argument) {
    struct load *load = argument;
    struct stress_random random = stress_random_stream(60 + atomic_fetch_add(&load->number, 1));
    while (!atomic_load(&load->stop)) {
        unsigned number = stress_random_below(&random, shape.keys);
        shf_key key = stress_key(&prefix, number);
        shf_query query = stress_query(&prefix, 0, 3);
        shf_op *op = NULL;
        unsigned kind = stress_random_below(&random, 8);
        if (kind == 0) (void)shf_search_sync(load->from->reader, &query, 0, &op);
        if (kind == 1) (void)shf_refresh_sync(load->from->reader, 0, &op);
        if (kind > 1) (void)shf_get_sync(load->from->reader, &key, NULL, 0, &op);
        REQUIRE_SUCCESS(op);
        if (kind == 0) REQUIRE(stress_check_hits(&prefix, op, 0, 0, 3));
        if (kind > 1) REQUIRE(stress_check_lookup(&prefix, op, &number, 1));
        if (kind == 1) stress_publish(&prefix, stress_random_below(&random, shape.snapshots));
        shf_op_release(op);
        atomic_fetch_add(&load->operations, 1);
    }
    return NULL;
}

static void *fork_again_and_again(void *argument) {
    struct load *load = argument;
    while (atomic_fetch_add(&load->forks, 1) < load->limit) expect_success(fork_child(load->from));
    return NULL;
}

static void in_a_loop_under_load(void) {
    struct inherited from;
    struct load load = {.from = &from, .limit = stress_scale(100, 40, 12)};
    pthread_t threads[2 * THREADS];
    begin_reader(&from);
    finish_some(&from);
    from.is_busy = true;
    REQUIRE(pthread_create(&threads[0], NULL, work, &load) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, work, &load) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[THREADS + i], NULL, fork_again_and_again, &load) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[THREADS + i], NULL) == 0);
    atomic_store(&load.stop, true);
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    end(&from);
    printf("  %u forks from %u threads, %llu operations beside them\n", load.limit, THREADS, load.operations);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {
        {"before-a-runtime", before_a_runtime}, {"with-a-runtime", with_a_runtime},
        {"with-a-reader", with_a_reader},       {"with-operations-in-flight", with_operations_in_flight},
        {"during-an-open", during_an_open},     {"during-a-refresh", during_a_refresh},
        {"after-a-close", after_a_close},       {"in-a-loop-under-load", in_a_loop_under_load},
    };
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
