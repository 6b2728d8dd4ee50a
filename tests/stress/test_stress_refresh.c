/*
 * Refreshes between snapshots, and opens pinned by history, while every kind of lookup and search saturates the reader.
 * No operation fails, and every one answers wholly of one snapshot.
 */
#include "stress/snapshots.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_KEYS 200u
#define IN_FLIGHT 48u
#define SYNCHRONOUS 2u
#define ASYNCHRONOUS 2u

static const struct stress_shape shape = {
    .snapshots = 4, .keys = 1200, .vectors = 600, .dimension = 8, .queries = 8, .top_k = 10, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root, *cache;

struct load {
    shf_runtime *runtime;
    shf_reader *reader;
    uint32_t snapshots; /* that may be served */
    atomic_bool stop;
    atomic_uint number; /* of threads: streams of random numbers */
    atomic_ullong gets, multi_gets, searches, batches, failed, mixed;
};

/* ---- one operation: chosen at random, checked when it ends ---- */

struct question {
    enum { GET, MULTI_GET, SEARCH, BATCH } kind;
    unsigned count;
    unsigned numbers[MOST_KEYS]; /* of keys or queries */
    uint32_t top_k;
};

static void choose(struct stress_random *random, struct question *question) {
    unsigned kind = stress_random_below(random, 16);
    question->kind = kind < 10 ? GET : kind < 13 ? MULTI_GET : kind < 15 ? SEARCH : BATCH;
    question->count = question->kind == MULTI_GET ? 1 + stress_random_below(random, MOST_KEYS)
                      : question->kind == BATCH   ? 1 + stress_random_below(random, 6)
                                                  : 1;
    question->top_k = 1 + stress_random_below(random, shape.top_k);
    bool keys = question->kind == GET || question->kind == MULTI_GET;
    for (unsigned i = 0; i < question->count; i++) {
        question->numbers[i] = stress_random_below(random, keys ? shape.keys : shape.queries);
    }
}

/* With a call: submits. Without: waits, and gives the operation. */
static shf_status ask(shf_reader *reader, const struct question *question, const shf_call *call, shf_op **op) {
    shf_key keys[MOST_KEYS];
    shf_query queries[MOST_KEYS];
    unsigned count = question->count;
    bool one = question->kind == GET || question->kind == SEARCH;
    if (question->kind == GET || question->kind == MULTI_GET) {
        for (unsigned i = 0; i < count; i++) keys[i] = stress_key(&prefix, question->numbers[i]);
        if (call && one) return shf_get(reader, keys, NULL, call, NULL);
        if (call) return shf_multi_get(reader, keys, count, NULL, call, NULL);
        return one ? shf_get_sync(reader, keys, NULL, 0, op) : shf_multi_get_sync(reader, keys, count, NULL, 0, op);
    }
    for (unsigned i = 0; i < count; i++) {
        queries[i] = stress_query(&prefix, question->numbers[i], question->top_k);
    }
    if (call && one) return shf_search(reader, queries, call, NULL);
    if (call) return shf_batch_search(reader, queries, count, call, NULL);
    return one ? shf_search_sync(reader, queries, 0, op) : shf_batch_search_sync(reader, queries, count, 0, op);
}

static void check(struct load *load, const struct question *question, shf_op *op) {
    uint32_t set = load->snapshots;
    if (shf_op_status(op)) {
        (void)fprintf(stderr, "failed: %s\n", shf_error_message(shf_op_error(op)));
        atomic_fetch_add(&load->failed, 1);
    } else if (question->kind == GET || question->kind == MULTI_GET) {
        set &= stress_check_lookup(&prefix, op, question->numbers, question->count);
    } else {
        for (unsigned i = 0; i < question->count; i++) {
            set &= stress_check_hits(&prefix, op, i, question->numbers[i], question->top_k);
        }
    }
    if (!set) atomic_fetch_add(&load->mixed, 1);
    atomic_ullong *counter = question->kind == GET         ? &load->gets
                             : question->kind == MULTI_GET ? &load->multi_gets
                             : question->kind == SEARCH    ? &load->searches
                                                           : &load->batches;
    atomic_fetch_add(counter, 1);
    shf_op_release(op);
}

/* ---- threads ---- */

static void *be_synchronous(void *argument) {
    struct load *load = argument;
    struct stress_random random = stress_random_stream(atomic_fetch_add(&load->number, 1));
    struct question question;
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        choose(&random, &question);
        (void)ask(load->reader, &question, NULL, &op);
        REQUIRE(op);
        check(load, &question, op);
    }
    return NULL;
}

/* Keeps IN_FLIGHT operations going, and waits for their ends with poll(2) on the queue's descriptor. */
static void *be_asynchronous(void *argument) {
    struct load *load = argument;
    struct stress_random random = stress_random_stream(atomic_fetch_add(&load->number, 1));
    struct question *questions = calloc(IN_FLIGHT, sizeof *questions);
    unsigned idle[IN_FLIGHT], idle_count = IN_FLIGHT;
    shf_cq *cq = NULL;
    shf_call call;
    REQUIRE_STATUS(shf_cq_new(load->runtime, IN_FLIGHT, &cq), SHF_OK);
    SHF_INIT(&call);
    call.cq = cq;
    for (unsigned i = 0; i < IN_FLIGHT; i++) idle[i] = i;
    while (!atomic_load(&load->stop) || idle_count < IN_FLIGHT) {
        while (idle_count && !atomic_load(&load->stop)) {
            struct question *question = &questions[idle[--idle_count]];
            choose(&random, question);
            call.tag = question;
            REQUIRE_STATUS(ask(load->reader, question, &call, NULL), SHF_OK);
        }
        shf_op *ops[16];
        size_t count = shf_cq_poll(cq, ops, 16, 0);
        if (count == 0) {
            struct pollfd watched = {.fd = shf_cq_fd(cq), .events = POLLIN};
            int ready = poll(&watched, 1, 60000);
            REQUIRE(ready == 1 || idle_count == IN_FLIGHT);
        }
        for (size_t i = 0; i < count; i++) {
            struct question *question = shf_op_tag(ops[i]);
            check(load, question, ops[i]);
            idle[idle_count++] = (unsigned)(question - questions);
        }
    }
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    free(questions);
    return NULL;
}

struct crew {
    pthread_t threads[SYNCHRONOUS + ASYNCHRONOUS];
};

static void start(struct crew *crew, struct load *load) {
    for (unsigned i = 0; i < SYNCHRONOUS + ASYNCHRONOUS; i++) {
        void *(*entry)(void *) = i < SYNCHRONOUS ? be_synchronous : be_asynchronous;
        REQUIRE(pthread_create(&crew->threads[i], NULL, entry, load) == 0);
    }
}

static void end(struct crew *crew, struct load *load) {
    atomic_store(&load->stop, true);
    for (unsigned i = 0; i < SYNCHRONOUS + ASYNCHRONOUS; i++) REQUIRE(pthread_join(crew->threads[i], NULL) == 0);
    printf("  under load: %llu gets, %llu multi_gets, %llu searches, %llu batch_searches; %llu failed, %llu mixed\n",
           load->gets, load->multi_gets, load->searches, load->batches, load->failed, load->mixed);
    REQUIRE(load->failed == 0 && load->mixed == 0);
    REQUIRE(load->gets && load->multi_gets && load->searches + load->batches);
}

/* ---- scenarios ---- */

static void begin(struct load *load) {
    shf_reader_options options = stress_options(&prefix, cache);
    stress_publish(&prefix, 0);
    load->runtime = stress_runtime(2, 0, 0);
    load->reader = stress_open(load->runtime, &options);
}

static void refreshes(void) {
    unsigned count = stress_scale(1000, 100, 50);
    struct load load = {.snapshots = stress_all_snapshots(&prefix)};
    struct crew crew;
    struct stress_random random = stress_random_stream(100);
    unsigned served = 0;
    uint64_t reused = 0, opened = 0;
    begin(&load);
    start(&crew, &load);
    for (unsigned i = 0; i < count; i++) {
        shf_op *op = NULL;
        shf_open_info info;
        served = (served + 1 + stress_random_below(&random, shape.snapshots - 1)) % shape.snapshots;
        stress_publish(&prefix, served);
        (void)shf_refresh_sync(load.reader, 0, &op);
        REQUIRE_SUCCESS(op);
        SHF_INIT(&info);
        REQUIRE_STATUS(shf_op_open_info(op, &info), SHF_OK);
        REQUIRE(info.changed == 1 && info.shards_opened + info.shards_reused >= STRESS_SHARDS);
        reused += info.shards_reused;
        opened += info.shards_opened;
        shf_op_release(op);
        stress_require_serves(&prefix, load.reader, UINT32_C(1) << served);
    }
    end(&crew, &load);
    printf("  %u refreshes: %llu shards opened, %llu taken over\n", count, (unsigned long long)opened,
           (unsigned long long)reused);
    REQUIRE(reused > 0);
    stress_close(load.reader);
    stress_runtime_end(load.runtime);
}

/* An open that is pinned by the place in the history, or by the reference that the history gives. */
static shf_reader *open_pinned(struct load *load, struct stress_random *random, unsigned by_ref, unsigned *snapshot) {
    shf_reader_options options = stress_options(&prefix, cache);
    unsigned offset = stress_random_below(random, shape.snapshots);
    shf_op *history = NULL;
    *snapshot = stress_snapshot_at(&prefix, offset);
    if (stress_random_below(random, 3) == 0) options.flags = SHF_OPEN_LAZY;
    (void)shf_history_sync(load->runtime, &options, 0, 0, &history);
    REQUIRE_SUCCESS(history);
    REQUIRE(shf_op_manifest_count(history) == shape.snapshots);
    shf_manifest_entry entry;
    SHF_INIT(&entry);
    REQUIRE_STATUS(shf_op_manifest(history, offset, &entry), SHF_OK);
    if (by_ref == 0) options.history_offset = offset + 1;
    if (by_ref == 1) options.manifest_ref = entry.ref;
    if (by_ref == 2) options.manifest_ref = prefix.ref[*snapshot];
    shf_reader *reader = stress_open(load->runtime, &options);
    shf_op_release(history);
    return reader;
}

static void pinned_opens(void) {
    unsigned count = stress_scale(100, 20, 12);
    struct load load = {.snapshots = stress_all_snapshots(&prefix)};
    struct crew crew;
    struct stress_random random = stress_random_stream(200);
    begin(&load);
    start(&crew, &load);
    for (unsigned i = 0; i < count; i++) {
        unsigned snapshot;
        shf_op *op = NULL;
        stress_publish(&prefix, stress_random_below(&random, shape.snapshots));
        (void)shf_refresh_sync(load.reader, 0, &op);
        REQUIRE_SUCCESS(op);
        shf_op_release(op);
        shf_reader *reader = open_pinned(&load, &random, i % 3, &snapshot);
        stress_require_serves(&prefix, reader, UINT32_C(1) << snapshot);
        stress_close(reader);
    }
    end(&crew, &load);
    printf("  %u opens pinned by history\n", count);
    stress_close(load.reader);
    stress_runtime_end(load.runtime);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"refreshes", refreshes}, {"pinned-opens", pinned_opens}};
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
