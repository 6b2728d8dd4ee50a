/*
 * Ten thousand operations in flight; full queues; a full table of operations. Each operation that was accepted completes
 * exactly once, each that was not is refused with SHF_E_BUSY, and nothing is lost.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 16384u
#define BATCH_KEYS 100u /* more than are answered in the call */

static const struct stress_shape shape = {
    .snapshots = 1, .keys = 800, .vectors = 400, .dimension = 8, .queries = 4, .top_k = 5, .large_value_bytes = 6000};

static struct stress_prefix prefix;
static char *root, *cache;

/* What operation `number` asks. */
enum { GET, MULTI_GET, SEARCH, BATCH, KINDS };
static unsigned kind_of(unsigned number) { return number % 8 < 5 ? GET : number % 8 - 4; }
static unsigned key_of(unsigned number, unsigned i) { return (number * 13 + i * 7) % shape.keys; }

static shf_status ask(shf_reader *reader, unsigned number, shf_cq *cq) {
    shf_key keys[BATCH_KEYS];
    shf_query queries[2];
    shf_call call;
    SHF_INIT(&call);
    call.cq = cq;
    call.tag = (void *)(uintptr_t)number;
    unsigned kind = kind_of(number);
    for (unsigned i = 0; i < BATCH_KEYS; i++) keys[i] = stress_key(&prefix, key_of(number, i));
    for (unsigned i = 0; i < 2; i++) queries[i] = stress_query(&prefix, (number + i) % shape.queries, shape.top_k);
    return kind == GET         ? shf_get(reader, keys, NULL, &call, NULL)
           : kind == MULTI_GET ? shf_multi_get(reader, keys, BATCH_KEYS, NULL, &call, NULL)
           : kind == SEARCH    ? shf_search(reader, queries, &call, NULL)
                               : shf_batch_search(reader, queries, 2, &call, NULL);
}

static unsigned number_of(const shf_op *op) { return (unsigned)(uintptr_t)shf_op_tag(op); }

static void check(unsigned number, shf_op *op) {
    unsigned keys[BATCH_KEYS], kind = kind_of(number);
    REQUIRE_SUCCESS(op);
    for (unsigned i = 0; i < BATCH_KEYS; i++) keys[i] = key_of(number, i);
    if (kind == GET) REQUIRE(stress_check_lookup(&prefix, op, keys, 1));
    if (kind == MULTI_GET) REQUIRE(stress_check_lookup(&prefix, op, keys, BATCH_KEYS));
    if (kind < SEARCH) return;
    REQUIRE(shf_op_query_count(op) == (kind == SEARCH ? 1 : 2));
    for (unsigned i = 0; i < shf_op_query_count(op); i++) {
        REQUIRE(stress_check_hits(&prefix, op, i, (number + i) % shape.queries, shape.top_k));
    }
}

/* Takes `count` completions, by several ways, and sees that each number came once. */
static void collect(shf_cq *cq, unsigned first, unsigned count) {
    uint8_t *seen = calloc(count, 1);
    for (unsigned taken = 0; taken < count;) {
        shf_op *ops[64];
        size_t got = shf_cq_poll(cq, ops, 1 + taken % 64, 60000);
        REQUIRE(got > 0);
        for (size_t i = 0; i < got; i++, taken++) {
            unsigned number = number_of(ops[i]);
            REQUIRE(number >= first && number - first < count && !seen[number - first]);
            seen[number - first] = 1;
            check(number, ops[i]);
            shf_op_release(ops[i]);
        }
    }
    shf_op *none;
    REQUIRE(shf_cq_poll(cq, &none, 1, 0) == 0);
    free(seen);
}

static void ten_thousand(void) {
    unsigned count = stress_scale(10000, 10000, 10000);
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_reader *reader = stress_open(runtime, &options);
    shf_cq *cq = NULL;
    REQUIRE_STATUS(shf_cq_new(runtime, CAPACITY, &cq), SHF_OK);
    int64_t began = stress_now_ms();
    for (unsigned i = 0; i < count; i++) REQUIRE_STATUS(ask(reader, i, cq), SHF_OK);
    int64_t submitted = stress_now_ms();
    REQUIRE_STATUS(shf_cq_free(cq), SHF_E_BUSY);
    collect(cq, 0, count);
    printf("  %u in flight: submitted in %lld ms, all taken after %lld ms\n", count, (long long)(submitted - began),
           (long long)(stress_now_ms() - began));
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_close(reader);
    stress_runtime_end(runtime);
}

/* All of them wait for shards that a slow store still sends: nothing completes before all are in flight. */
static void ten_thousand_waiting(void) {
    unsigned count = stress_scale(10000, 10000, 5000);
    struct slow_store *store = slow_store_start(root, "stress");
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_s3_options s3;
    SHF_INIT(&s3);
    s3.endpoint_url = slow_store_endpoint(store);
    s3.anonymous = 1;
    options.url = "s3://stress/prefix";
    options.s3 = &s3;
    options.flags = SHF_OPEN_LAZY;
    shf_reader *reader = stress_open(runtime, &options);
    shf_cq *cq = NULL;
    REQUIRE_STATUS(shf_cq_new(runtime, CAPACITY, &cq), SHF_OK);
    slow_store_set_delay(store, 300000);
    int64_t began = stress_now_ms();
    for (unsigned i = 0; i < count; i++) REQUIRE_STATUS(ask(reader, i, cq), SHF_OK);
    int64_t submitted = stress_now_ms();
    slow_store_set_delay(store, 0);
    collect(cq, 0, count);
    printf("  %u waiting for shards: submitted in %lld ms, all taken after %lld ms\n", count,
           (long long)(submitted - began), (long long)(stress_now_ms() - began));
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_close(reader);
    stress_runtime_end(runtime);
    slow_store_stop(store);
}

/* ---- full ---- */

static void full_queue(void) {
    shf_runtime *runtime = stress_runtime(2, CAPACITY + 64, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_reader *reader = stress_open(runtime, &options);
    unsigned rounds = stress_scale(10, 2, 1), refused = 0;
    shf_cq *cq = NULL;
    shf_op *op = NULL;
    REQUIRE_STATUS(shf_cq_new(runtime, CAPACITY, &cq), SHF_OK);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < CAPACITY; i++) REQUIRE_STATUS(ask(reader, round * CAPACITY + i, cq), SHF_OK);
        for (unsigned i = 0; i < 100; i++, refused++) REQUIRE_STATUS(ask(reader, i, cq), SHF_E_BUSY);
        shf_key key = stress_key(&prefix, 1);
        REQUIRE_STATUS(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK); /* needs no place in the queue */
        shf_op_release(op);
        collect(cq, round * CAPACITY, CAPACITY);
    }
    printf("  queue of %u: filled %u times, %u calls refused, nothing lost\n", CAPACITY, rounds, refused);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_close(reader);
    stress_runtime_end(runtime);
}

struct race {
    shf_reader *reader;
    shf_cq *cq;
    atomic_uint next, accepted, refused;
    unsigned limit;
};

static void *submit(void *argument) {
    struct race *race = argument;
    for (unsigned number; (number = atomic_fetch_add(&race->next, 1)) < race->limit;) {
        for (shf_status status; (status = ask(race->reader, number, race->cq)) != SHF_OK;) {
            REQUIRE_STATUS(status, SHF_E_BUSY);
            atomic_fetch_add(&race->refused, 1);
            stress_nap_us(50);
        }
        atomic_fetch_add(&race->accepted, 1);
    }
    return NULL;
}

/* Several threads over a small queue that is full most of the time. */
static void race_for_places(void) {
    struct race race = {.limit = stress_scale(200000, 20000, 4000)};
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    pthread_t threads[3];
    race.reader = stress_open(runtime, &options);
    REQUIRE_STATUS(shf_cq_new(runtime, 16, &race.cq), SHF_OK);
    for (unsigned i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, submit, &race) == 0);
    collect(race.cq, 0, race.limit);
    for (unsigned i = 0; i < 3; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    printf("  queue of 16, 3 threads: %u accepted, %u times refused\n", race.accepted, race.refused);
    REQUIRE(race.accepted == race.limit && race.refused > 0);
    REQUIRE_STATUS(shf_cq_free(race.cq), SHF_OK);
    stress_close(race.reader);
    stress_runtime_end(runtime);
}

/* The table of operations: a finished one counts until it is released. */
static void full_table(void) {
    enum { LIMIT = 100 };
    shf_runtime *runtime = stress_runtime(2, LIMIT, 0);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_reader *reader = stress_open(runtime, &options);
    shf_op *ops[LIMIT], *op = NULL;
    shf_cq *cq = NULL;
    shf_key key = stress_key(&prefix, 2);
    shf_query query = stress_query(&prefix, 0, 3);
    REQUIRE_STATUS(shf_cq_new(runtime, CAPACITY, &cq), SHF_OK);
    for (unsigned i = 0; i < LIMIT; i++) REQUIRE_STATUS(ask(reader, i, cq), SHF_OK);
    REQUIRE_STATUS(ask(reader, 0, cq), SHF_E_BUSY);
    REQUIRE_STATUS(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK); /* answered within its call: needs no slot */
    shf_op_release(op);
    REQUIRE_STATUS(shf_search_sync(reader, &query, 0, &op), SHF_E_BUSY);
    REQUIRE_STATUS(shf_refresh_sync(reader, 0, &op), SHF_E_BUSY);
    REQUIRE_STATUS(shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op), SHF_E_BUSY);
    REQUIRE(!op);
    for (unsigned taken = 0; taken < LIMIT;) taken += (unsigned)shf_cq_poll(cq, ops + taken, LIMIT - taken, 10000);
    REQUIRE_STATUS(ask(reader, 0, cq), SHF_E_BUSY); /* taken, not released */
    shf_op_release(ops[0]);
    REQUIRE_STATUS(ask(reader, 0, cq), SHF_OK);
    REQUIRE_STATUS(ask(reader, 1, cq), SHF_E_BUSY);
    REQUIRE(shf_cq_poll(cq, ops, 1, 10000) == 1);
    for (unsigned i = 0; i < LIMIT; i++) {
        check(number_of(ops[i]), ops[i]);
        shf_op_release(ops[i]);
    }
    printf("  table of %u operations: full, and free again\n", (unsigned)LIMIT);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_close(reader);
    stress_runtime_end(runtime);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {
        {"ten-thousand", ten_thousand}, {"ten-thousand-waiting", ten_thousand_waiting},
        {"full-queue", full_queue},     {"race-for-places", race_for_places},
        {"full-table", full_table},
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
