/*
 * Storms of cancellations and of deadlines over everything that waits or works: lazy opens over a slow store, searches,
 * large multi_gets, histories, refreshes. Each operation completes exactly once: with its answer, which is right then, or as
 * cancelled, or as late. A runtime ends clean after it.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_KEYS 400u
#define IDS 512u
#define IN_FLIGHT 256u
#define CANCELLERS 2u

static const struct stress_shape shape = {
    .snapshots = 2, .keys = 1000, .vectors = 24000, .dimension = 16, .queries = 4, .top_k = 10, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root, *cache;
static struct slow_store *store;

enum kind { GET, MULTI_GET, SEARCH, BATCH, LIKE, OPEN, HISTORY, REFRESH, KINDS };

struct storm {
    shf_runtime *runtime;
    shf_reader *readers[2]; /* over files, and lazily over the slow store */
    shf_cq *cq;
    bool has_deadlines, has_cancels;
    atomic_bool stop;
    atomic_uint threads;
    atomic_ullong ids[IDS]; /* of operations: running, finished and long released */
    atomic_ullong cancels;
    unsigned long long ends[KINDS][3]; /* as success, cancelled, late */
    unsigned accepted, completed, in_flight;
    uint8_t *seen;
};

struct asked {
    unsigned number;
    enum kind kind;
    unsigned count, numbers[MOST_KEYS];
};

static shf_reader_options slow_options(shf_s3_options *s3, const char *directory) {
    shf_reader_options options = stress_options(&prefix, directory);
    SHF_INIT(s3);
    s3->endpoint_url = slow_store_endpoint(store);
    s3->anonymous = 1;
    options.url = "s3://stress/prefix";
    options.s3 = s3;
    return options;
}

/* ---- asking ---- */

static shf_status ask_keys(struct asked *asked, shf_reader *reader, struct stress_random *random, const shf_call *call,
                           shf_op_id *id) {
    shf_key keys[MOST_KEYS];
    asked->count = asked->kind == GET ? 1 : 1 + stress_random_below(random, MOST_KEYS);
    for (unsigned i = 0; i < asked->count; i++) {
        asked->numbers[i] = stress_random_below(random, shape.keys);
        keys[i] = stress_key(&prefix, asked->numbers[i]);
    }
    return asked->kind == GET ? shf_get(reader, keys, NULL, call, id)
                              : shf_multi_get(reader, keys, asked->count, NULL, call, id);
}

static shf_status ask_queries(struct asked *asked, shf_reader *reader, struct stress_random *random,
                              const shf_call *call, shf_op_id *id) {
    shf_query queries[8];
    asked->count = asked->kind == SEARCH ? 1 : 1 + stress_random_below(random, 8);
    for (unsigned i = 0; i < asked->count; i++) {
        asked->numbers[i] = stress_random_below(random, shape.queries);
        queries[i] = stress_query(&prefix, asked->numbers[i], shape.top_k);
    }
    return asked->kind == SEARCH ? shf_search(reader, queries, call, id)
                                 : shf_batch_search(reader, queries, asked->count, call, id);
}

static shf_status ask_like(struct asked *asked, shf_reader *reader, const shf_call *call, shf_op_id *id) {
    static const char text[] = "s0-v4000"; /* in shard 0, which both snapshots share */
    const shf_vector_id like = {.kind = SHF_ID_TEXT, .text = {text, sizeof text - 1}};
    shf_query query = stress_query(&prefix, 0, 3);
    query.vector = NULL;
    query.dimension = 0;
    query.like = &like;
    asked->count = 0;
    return shf_search(reader, &query, call, id);
}

static shf_status ask_open(struct asked *asked, struct storm *storm, struct stress_random *random, const shf_call *call,
                           shf_op_id *id) {
    shf_s3_options s3;
    shf_reader_options slow = slow_options(&s3, cache), near = stress_options(&prefix, cache);
    shf_reader_options *options = stress_random_below(random, 3) ? &slow : &near;
    if (asked->kind == HISTORY) return shf_history(storm->runtime, options, 0, call, id);
    if (stress_random_below(random, 2)) options->flags |= SHF_OPEN_LAZY;
    if (stress_random_below(random, 3) == 0) options->flags |= SHF_OPEN_PRIVATE_COPY;
    if (stress_random_below(random, 4) == 0) options->history_offset = 1;
    return shf_open(storm->runtime, options, call, id);
}

static int64_t choose_timeout(const struct storm *storm, struct stress_random *random) {
    unsigned ms = stress_random_below(random, 12); /* 1 to 11; 0 becomes none */
    return storm->has_deadlines && stress_random_below(random, 4) && ms ? (int64_t)ms : -1;
}

static void ask(struct storm *storm, struct stress_random *random) {
    static const enum kind choices[] = {GET,   GET,   GET,  MULTI_GET, MULTI_GET, MULTI_GET, SEARCH, SEARCH,
                                        BATCH, BATCH, LIKE, OPEN,      HISTORY,   REFRESH,   GET,    SEARCH};
    struct asked *asked = malloc(sizeof *asked);
    shf_reader *reader = storm->readers[stress_random_below(random, 2)];
    shf_op_id id = 0;
    shf_call call;
    SHF_INIT(&call);
    asked->number = storm->accepted;
    asked->kind = choices[stress_random_below(random, sizeof choices / sizeof choices[0])];
    call.cq = storm->cq;
    call.tag = asked;
    call.timeout_ms = choose_timeout(storm, random);
    shf_status status = asked->kind == GET || asked->kind == MULTI_GET  ? ask_keys(asked, reader, random, &call, &id)
                        : asked->kind == SEARCH || asked->kind == BATCH ? ask_queries(asked, reader, random, &call, &id)
                        : asked->kind == LIKE                           ? ask_like(asked, reader, &call, &id)
                        : asked->kind == REFRESH                        ? shf_refresh(reader, &call, &id)
                                                                        : ask_open(asked, storm, random, &call, &id);
    REQUIRE_STATUS(status, SHF_OK);
    atomic_store(&storm->ids[stress_random_below(random, IDS)], id);
    storm->accepted++;
    storm->in_flight++;
}

/* ---- how it ended ---- */

static void check_answer(const struct asked *asked, const shf_op *op) {
    if (asked->kind == GET || asked->kind == MULTI_GET) {
        REQUIRE(stress_check_lookup(&prefix, op, asked->numbers, asked->count));
    } else if (asked->kind == SEARCH || asked->kind == BATCH) {
        for (unsigned i = 0; i < asked->count; i++) {
            REQUIRE(stress_check_hits(&prefix, op, i, asked->numbers[i], shape.top_k));
        }
    } else if (asked->kind == LIKE) {
        shf_hit hit;
        SHF_INIT(&hit);
        REQUIRE_STATUS(shf_op_hit(op, 0, 0, &hit), SHF_OK);
        REQUIRE(hit.score == 0 && hit.shard == 0 && shf_op_hit_count(op, 0) == 3);
    } else if (asked->kind == HISTORY) {
        REQUIRE(shf_op_manifest_count(op) == shape.snapshots);
    }
}

static void take(struct storm *storm, shf_op *op, struct stress_random *random) {
    struct asked *asked = shf_op_tag(op);
    shf_status status = shf_op_status(op);
    shf_reader *reader = NULL;
    REQUIRE(!storm->seen[asked->number]);
    storm->seen[asked->number] = 1;
    if (status && status != SHF_E_CANCELLED && status != SHF_E_DEADLINE) REQUIRE_SUCCESS(op);
    REQUIRE(status != SHF_E_DEADLINE || storm->has_deadlines);
    REQUIRE(status != SHF_E_CANCELLED || storm->has_cancels);
    REQUIRE((status == SHF_OK) == (shf_op_error(op) == NULL));
    if (status) {
        REQUIRE(shf_op_value_count(op) == 0 && shf_op_query_count(op) == 0 && shf_op_manifest_count(op) == 0);
    } else {
        check_answer(asked, op);
    }
    if (!status && asked->kind == OPEN && stress_random_below(random, 2)) {
        REQUIRE_STATUS(shf_op_take_reader(op, &reader), SHF_OK);
    }
    storm->ends[asked->kind][status == SHF_OK ? 0 : status == SHF_E_CANCELLED ? 1 : 2]++;
    storm->completed++;
    storm->in_flight--;
    shf_op_release(op);
    shf_reader_release(reader);
    free(asked);
}

/* Cancels at random: ids that run, that ended, and that never were; some twice. */
static void *cancel(void *argument) {
    struct storm *storm = argument;
    struct stress_random random = stress_random_stream(300 + atomic_fetch_add(&storm->threads, 1));
    while (!atomic_load(&storm->stop)) {
        shf_op_id id = atomic_load(&storm->ids[stress_random_below(&random, IDS)]);
        if (stress_random_below(&random, 16) == 0) id = stress_random_next(&random);
        for (unsigned i = 1 + stress_random_below(&random, 2); i; i--) {
            REQUIRE_STATUS(shf_cancel(storm->runtime, id), SHF_OK);
            atomic_fetch_add(&storm->cancels, 1);
        }
        stress_nap_us(stress_random_below(&random, 400));
    }
    return NULL;
}

/* ---- a storm ---- */

static void open_readers(struct storm *storm) {
    shf_s3_options s3;
    char *elsewhere = support_path("%s/slow-cache", root);
    shf_reader_options slow = slow_options(&s3, elsewhere), near = stress_options(&prefix, cache);
    slow.flags = SHF_OPEN_LAZY;
    slow_store_set_delay(store, 0);
    storm->readers[0] = stress_open(storm->runtime, &near);
    storm->readers[1] = stress_open(storm->runtime, &slow);
    slow_store_set_delay(store, 4000);
    free(elsewhere);
}

static void print_ends(const struct storm *storm) {
    static const char *const names[KINDS] = {"get",  "multi_get", "search",  "batch_search",
                                             "like", "open",      "history", "refresh"};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        printf("  %s: %llu answered, %llu cancelled, %llu late\n", names[kind], storm->ends[kind][0],
               storm->ends[kind][1], storm->ends[kind][2]);
    }
    printf("  %u operations, %llu cancels\n", storm->completed, storm->cancels);
}

static void blow(unsigned count, bool has_cancels, bool has_deadlines, uint64_t stream) {
    struct storm *storm = calloc(1, sizeof *storm);
    struct stress_random random = stress_random_stream(stream);
    pthread_t threads[CANCELLERS];
    storm->has_cancels = has_cancels;
    storm->has_deadlines = has_deadlines;
    storm->seen = calloc(count, 1);
    storm->runtime = stress_runtime(2, 0, 0);
    REQUIRE_STATUS(shf_cq_new(storm->runtime, IN_FLIGHT, &storm->cq), SHF_OK);
    open_readers(storm);
    for (unsigned i = 0; has_cancels && i < CANCELLERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, cancel, storm) == 0);
    }
    while (storm->completed < count) {
        shf_op *ops[32];
        if (storm->accepted % 64 == 0) stress_publish(&prefix, storm->accepted / 64 % shape.snapshots);
        while (storm->in_flight < IN_FLIGHT && storm->accepted < count) {
            ask(storm, &random);
            if (stress_random_below(&random, 8) == 0) break;
        }
        size_t got = shf_cq_poll(storm->cq, ops, 32, storm->in_flight < IN_FLIGHT && storm->accepted < count ? 0 : 60000);
        REQUIRE(got || storm->accepted < count || storm->in_flight < IN_FLIGHT);
        for (size_t i = 0; i < got; i++) take(storm, ops[i], &random);
    }
    atomic_store(&storm->stop, true);
    for (unsigned i = 0; has_cancels && i < CANCELLERS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    print_ends(storm);
    slow_store_set_delay(store, 0);
    for (unsigned i = 0; i < 2; i++) {
        stress_require_serves(&prefix, storm->readers[i], stress_all_snapshots(&prefix)); /* as well as before */
        stress_close(storm->readers[i]);
    }
    REQUIRE_STATUS(shf_cq_free(storm->cq), SHF_OK);
    stress_runtime_end(storm->runtime);
    free(storm->seen);
    free(storm);
}

static void cancels(void) { blow(stress_scale(20000, 3000, 600), true, false, 31); }
static void deadlines(void) { blow(stress_scale(20000, 3000, 600), false, true, 32); }
static void cancels_and_deadlines(void) { blow(stress_scale(20000, 2000, 400), true, true, 33); }

/* Thousands that wait for one shard, half of them cancelled one by one. */
static void cancelled_in_line(void) {
    unsigned count = stress_scale(10000, 4000, 1000), cancelled = 0;
    shf_s3_options s3;
    char *elsewhere = support_path("%s/line-cache", root);
    shf_reader_options options = slow_options(&s3, elsewhere);
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_op_id *ids = calloc(count, sizeof *ids);
    shf_key key = stress_key(&prefix, 1);
    shf_cq *cq = NULL;
    shf_call call;
    options.flags = SHF_OPEN_LAZY;
    SHF_INIT(&call);
    REQUIRE_STATUS(shf_cq_new(runtime, count, &cq), SHF_OK);
    call.cq = cq;
    shf_reader *reader = stress_open(runtime, &options);
    slow_store_set_delay(store, 2000000);
    int64_t began = stress_now_ms();
    for (unsigned i = 0; i < count; i++) REQUIRE_STATUS(shf_get(reader, &key, NULL, &call, &ids[i]), SHF_OK);
    for (unsigned i = 0; i < count; i += 2) REQUIRE_STATUS(shf_cancel(runtime, ids[i]), SHF_OK);
    slow_store_set_delay(store, 0);
    for (unsigned i = 0; i < count; i++) {
        shf_op *op = NULL;
        REQUIRE_STATUS(shf_await(cq, ids[i], 60000, &op), SHF_OK);
        cancelled += shf_op_status(op) == SHF_E_CANCELLED;
        if (shf_op_status(op) != SHF_E_CANCELLED) REQUIRE_SUCCESS(op);
        REQUIRE(i % 2 == 0 || shf_op_status(op) == SHF_OK);
        shf_op_release(op);
    }
    printf("  %u in line for one shard, %u cancelled, done after %lld ms\n", count, cancelled,
           (long long)(stress_now_ms() - began));
    stress_close(reader);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_runtime_end(runtime);
    free(ids);
    free(elsewhere);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"cancels", cancels},
                                                       {"deadlines", deadlines},
                                                       {"cancels-and-deadlines", cancels_and_deadlines},
                                                       {"cancelled-in-line", cancelled_in_line}};
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    stress_prefix_make(&prefix, root, &shape);
    store = slow_store_start(root, "stress");
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    slow_store_stop(store);
    stress_prefix_free(&prefix);
    support_remove_tree(root);
    free(root);
    free(cache);
    return result;
}
