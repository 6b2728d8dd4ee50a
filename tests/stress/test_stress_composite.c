/*
 * Snapshots with keys in SlateDB and vectors in LanceDB, and of vectors alone, under load: refreshes between two runs, operations that are
 * cancelled while shards are being opened, readers closed and released at random moments. Every answer is wholly of one
 * run, and nothing is held at the end.
 */
#include "fault/world.h"
#include "stress/slow_store.h"
#include "stress/stress.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 3u
#define IN_FLIGHT 24u
#define DELAY_US 2000u
#define BOTH 3u /* runs, a bit each */

static char *cache;
static struct slow_store *store;
static shf_s3_options s3;
static char url[64];

/* ---- readers ---- */

enum place { IN_PLACE, COPIED, LAZY, OVER_HTTP, LAZY_OVER_HTTP, PLACES };

static shf_reader_options options_of(enum place place) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = world->snapshot;
    options.local_root = cache;
    if (place == COPIED || place == LAZY) options.flags |= SHF_OPEN_PRIVATE_COPY;
    if (place == LAZY || place == LAZY_OVER_HTTP) options.flags |= SHF_OPEN_LAZY;
    if (place == OVER_HTTP || place == LAZY_OVER_HTTP) {
        (void)snprintf(url, sizeof url, "s3://stress/%s", world->name);
        options.url = url;
        options.s3 = &s3;
    }
    return options;
}

/* What is being written stays. */
static void empty_cache(void) {
    DIR *names = opendir(cache);
    struct dirent *entry;
    while (names && (entry = readdir(names)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock") == 0) continue;
        if (strncmp(entry->d_name, "tmp-", 4) != 0) (void)unlinkat(dirfd(names), entry->d_name, 0);
    }
    if (names) (void)closedir(names);
}

/* ---- questions ---- */

struct load {
    shf_reader *reader;
    shf_runtime *runtime;
    atomic_bool stop;
    atomic_uint number, answered, cancelled;
    unsigned runs; /* that may be served */
};

static shf_status ask(shf_reader *reader, unsigned kind, const shf_call *call, shf_op_id *id, shf_op **op) {
    shf_key keys[128];
    shf_query queries[WORLD_QUERIES];
    if (!world->row_count) kind = 1;
    for (size_t i = 0; i < 128 && world->row_count; i++) keys[i] = world_key(i);
    for (size_t i = 0; i < WORLD_QUERIES; i++) queries[i] = world_query(i);
    if (kind == 0) {
        return op ? shf_multi_get_sync(reader, keys, 128, NULL, 0, op) : shf_multi_get(reader, keys, 128, NULL, call, id);
    }
    return op ? shf_batch_search_sync(reader, queries, WORLD_QUERIES, 0, op)
              : shf_batch_search(reader, queries, WORLD_QUERIES, call, id);
}

static bool is_of(const shf_op *op, int run) {
    bool ok = true;
    for (size_t i = 0; ok && i < shf_op_value_count(op); i++) {
        shf_value value;
        SHF_INIT(&value);
        ok = shf_op_value(op, i, &value) == SHF_OK && world_value_is(i, run, &value);
    }
    for (size_t i = 0; ok && i < shf_op_query_count(op); i++) ok = world_hits_are(op, i, i, run);
    return ok && shf_op_value_count(op) + shf_op_query_count(op) > 0;
}

/* Of one run, or cancelled. */
static void judge(struct load *load, shf_op *op) {
    shf_status status = shf_op_status(op);
    if (status == SHF_E_CANCELLED || status == SHF_E_CLOSED) {
        atomic_fetch_add(&load->cancelled, 1);
    } else {
        REQUIRE_SUCCESS(op);
        REQUIRE(((load->runs & 1) && is_of(op, 0)) || ((load->runs & 2) && is_of(op, 1)));
        atomic_fetch_add(&load->answered, 1);
    }
    shf_op_release(op);
}

/* ---- refreshes ---- */

static void *keep_asking(void *argument) {
    struct load *load = argument;
    struct stress_random random = stress_random_stream(atomic_fetch_add(&load->number, 1));
    while (!atomic_load(&load->stop)) {
        shf_op *op = NULL;
        (void)ask(load->reader, stress_random_below(&random, 2), NULL, NULL, &op);
        REQUIRE(op);
        judge(load, op);
    }
    return NULL;
}

static void refresh(shf_reader *reader, int run) {
    shf_op *op = NULL;
    shf_open_info info;
    SHF_INIT(&info);
    world_publish(run ? WORLD_SECOND : WORLD_FIRST);
    (void)shf_refresh_sync(reader, 0, &op);
    REQUIRE_SUCCESS(op);
    REQUIRE_STATUS(shf_op_open_info(op, &info), SHF_OK);
    REQUIRE(info.changed && info.shards_reused == 1);
    shf_op_release(op);
    for (unsigned kind = 0; kind < 2; kind++) {
        (void)ask(reader, kind, NULL, NULL, &op);
        REQUIRE_SUCCESS(op);
        REQUIRE(is_of(op, run));
        shf_op_release(op);
    }
}

static void refreshes(void) {
    unsigned count = stress_scale(300, 24, 8), answered = 0;
    world_publish(WORLD_FIRST);
    for (enum place place = 0; place < PLACES; place++) {
        struct load load = {.runtime = stress_runtime(2, 0, 0), .runs = BOTH};
        shf_reader_options options = options_of(place);
        pthread_t threads[THREADS];
        empty_cache();
        world_publish(WORLD_FIRST);
        load.reader = stress_open(load.runtime, &options);
        slow_store_set_delay(store, DELAY_US);
        for (unsigned i = 0; i < THREADS; i++) {
            REQUIRE(pthread_create(&threads[i], NULL, keep_asking, &load) == 0);
        }
        for (unsigned i = 0; i < count; i++) {
            if (i % 8 == 7) empty_cache(); /* under those that have its files open */
            refresh(load.reader, i % 2 == 0);
        }
        atomic_store(&load.stop, true);
        for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
        slow_store_set_delay(store, 0);
        stress_close(load.reader);
        stress_runtime_end(load.runtime);
        REQUIRE(load.answered && !load.cancelled);
        answered += load.answered;
    }
    printf("  %u refreshes, %u answers beside them\n", count * PLACES, answered);
}

/* ---- cancelling, closing ---- */

enum way { CANCEL_EACH, CLOSE_CANCEL, RELEASE, WAYS };

/* Some operations of a reader whose shards are still to be opened; all, or all but the last one, are given up. */
static void play(struct load *totals, unsigned number) {
    struct stress_random random = stress_random_stream(3000 + number);
    struct load load = {.runtime = stress_runtime(2, 0, 0), .runs = 1};
    shf_reader_options options = options_of(number % 4 ? LAZY_OVER_HTTP : LAZY);
    enum way way = (enum way)(number % WAYS);
    shf_op_id ids[IN_FLIGHT];
    shf_cq *cq = NULL;
    shf_call call;
    shf_op *op = NULL;
    SHF_INIT(&call);
    REQUIRE_STATUS(shf_cq_new(load.runtime, IN_FLIGHT, &cq), SHF_OK);
    call.cq = cq;
    if (number % 2) empty_cache();
    if (number % 5 == 0) options.max_concurrency = 1;
    load.reader = stress_open(load.runtime, &options);
    slow_store_set_delay(store, DELAY_US);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        REQUIRE_STATUS(ask(load.reader, i % 2, &call, &ids[i], NULL), SHF_OK);
        if (i % 6 == 5) stress_nap_us(stress_random_below(&random, 3000));
        if (way == CANCEL_EACH && i + 1 < IN_FLIGHT) (void)shf_cancel(load.runtime, ids[i]); /* it may have ended */
    }
    if (way == CLOSE_CANCEL) {
        (void)shf_close_sync(load.reader, SHF_CLOSE_CANCEL, 0, &op);
        REQUIRE_SUCCESS(op);
        shf_op_release(op);
    }
    if (way != CANCEL_EACH) shf_reader_release(load.reader);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        REQUIRE(shf_cq_poll(cq, &op, 1, 60000) == 1);
        judge(&load, op);
    }
    if (way == CANCEL_EACH) {
        REQUIRE(load.answered); /* by an opening that was begun anew for it, mostly */
        stress_close(load.reader);
    }
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    if (way == RELEASE) { /* at once, under openings that are still being cancelled */
        REQUIRE_STATUS(shf_runtime_free(load.runtime), SHF_OK);
    } else {
        stress_runtime_end(load.runtime);
    }
    slow_store_set_delay(store, 0);
    totals->answered += load.answered;
    totals->cancelled += load.cancelled;
}

static void given_up(void) {
    unsigned rounds = stress_scale(600, 60, 24);
    struct load totals = {.runs = 1};
    world_publish(WORLD_FIRST);
    for (unsigned i = 0; i < rounds; i++) play(&totals, i);
    printf("  %u readers given up: %u operations answered, %u cancelled\n", rounds, totals.answered, totals.cancelled);
    REQUIRE(totals.cancelled && totals.answered);
}

/* ---- leaks ---- */

static void open_and_close(unsigned round) {
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_reader_options options = options_of((enum place)(round % PLACES));
    struct load load = {.runs = 1};
    shf_op *op = NULL;
    if (round % 7 == 0) empty_cache();
    shf_reader *reader = stress_open(runtime, &options);
    (void)ask(reader, round % 2, NULL, NULL, &op);
    judge(&load, op);
    stress_close(reader);
    stress_runtime_end(runtime);
}

static void leaks(void) {
    unsigned count = stress_scale(500, 100, 40);
    unsigned descriptors = 0, threads = 0;
    world_publish(WORLD_FIRST);
    for (unsigned i = 0; i < count + PLACES; i++) {
        if (i == PLACES) {
            slow_store_wait_until_idle(store);
            descriptors = stress_fd_count();
            threads = stress_thread_count();
        }
        open_and_close(i);
    }
    slow_store_wait_until_idle(store);
    for (int64_t end = stress_now_ms() + 10000; stress_now_ms() < end && stress_thread_count() > threads;) {
        stress_nap_us(1000);
    }
    printf("  %u opens: descriptors %u -> %u, threads %u -> %u\n", count, descriptors, stress_fd_count(), threads,
           stress_thread_count());
    /* A thread of the store's may just have been ending when they were counted first. */
    REQUIRE(stress_fd_count() <= descriptors && stress_thread_count() <= threads);
}

/* ---- memory ---- */

/* Whether all of it succeeds; what does not is refused for its size, and gives back what it took. */
static bool fits(uint64_t budget_bytes, enum place place) {
    shf_runtime *runtime = stress_runtime(2, 0, budget_bytes);
    shf_reader_options options = options_of(place);
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    shf_status status = shf_open_sync(runtime, &options, 0, &op);
    if (!status) REQUIRE_STATUS(shf_op_take_reader(op, &reader), SHF_OK);
    shf_op_release(op);
    for (unsigned kind = 0; kind < 2 && !status; kind++) {
        op = NULL;
        status = ask(reader, kind, NULL, NULL, &op);
        REQUIRE(status || is_of(op, 0));
        shf_op_release(op);
    }
    REQUIRE(!status || status == SHF_E_NO_MEMORY || status == SHF_E_INVALID); /* the latter: more than the whole budget */
    if (reader) stress_close(reader);
    stress_runtime_end(runtime);
    return !status;
}

static void budgets(void) {
    unsigned step = stress_scale(512, 16384, 16384);
    world_publish(WORLD_FIRST);
    for (enum place place = 0; place < PLACES; place++) {
        uint64_t budget = 1024;
        empty_cache(); /* once: the WAL that is found sorted takes less */
        while (!fits(budget, place)) {
            empty_cache();
            budget += step;
            REQUIRE(budget < 64u << 20);
        }
        printf("  place %d: %llu bytes suffice\n", (int)place, (unsigned long long)budget);
        REQUIRE(budget > 1024);
    }
}

/* Shards that are probed are opened while others take their places. */
static void refreshes_of_vectors(void) {
    world_select(WORLD_VECTORS);
    refreshes();
    world_select(WORLD_COMPOSITE);
}

static void given_up_vectors(void) {
    world_select(WORLD_VECTORS);
    given_up();
    world_select(WORLD_COMPOSITE);
}

static void leaks_of_vectors(void) {
    world_select(WORLD_VECTORS);
    leaks();
    world_select(WORLD_COMPOSITE);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"refreshes", refreshes},
                                                       {"given-up", given_up},
                                                       {"leaks", leaks},
                                                       {"budgets", budgets},
                                                       {"vectors-refreshes", refreshes_of_vectors},
                                                       {"vectors-given-up", given_up_vectors},
                                                       {"vectors-leaks", leaks_of_vectors}};
    world_begin();
    world_select(WORLD_COMPOSITE);
    cache = support_path("%s/cache", world_root);
    store = slow_store_start(world_root, "stress");
    SHF_INIT(&s3);
    s3.endpoint_url = slow_store_endpoint(store);
    s3.anonymous = 1;
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    slow_store_stop(store);
    free(cache);
    world_end();
    return result;
}
