/*
 * Closing, in both modes, and releasing, at random moments with everything in flight: what was accepted completes once, the
 * close completes last, what comes later is refused, and nothing is held at the end.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 3u
#define KEYS 150u
#define IN_FLIGHT 64u

static const struct stress_shape shape = {
    .snapshots = 2, .keys = 600, .vectors = 8000, .dimension = 8, .queries = 3, .top_k = 5, .large_value_bytes = 8000};

static struct stress_prefix prefix;
static char *root;
static struct slow_store *store;

enum how { DRAIN, CANCEL, RELEASE, WAYS };

struct round {
    shf_runtime *runtime;
    shf_reader *reader;
    shf_cq *cq;
    enum how how;
    uint64_t stream;
    atomic_bool may_touch;  /* the reader: not once it is released */
    atomic_bool submitting; /* somebody may */
    atomic_uint number, accepted, refused, answered, cancelled, closed;
};

/* ---- load ---- */

static shf_status ask(struct round *round, struct stress_random *random, const shf_call *call, shf_op **op) {
    shf_key keys[KEYS];
    shf_query query = stress_query(&prefix, stress_random_below(random, shape.queries), 3);
    unsigned count = 1 + stress_random_below(random, KEYS), kind = stress_random_below(random, 8);
    for (unsigned i = 0; i < count; i++) keys[i] = stress_key(&prefix, stress_random_below(random, shape.keys));
    if (kind < 3) count = 1;
    if (op) {
        return kind == 7  ? shf_refresh_sync(round->reader, 0, op)
               : kind < 5 ? shf_multi_get_sync(round->reader, keys, count, NULL, 0, op)
                          : shf_search_sync(round->reader, &query, 0, op);
    }
    return kind == 7  ? shf_refresh(round->reader, call, NULL)
           : kind < 5 ? shf_multi_get(round->reader, keys, count, NULL, call, NULL)
                      : shf_search(round->reader, &query, call, NULL);
}

static void count_end(struct round *round, shf_op *op) {
    shf_status status = shf_op_status(op);
    if (status == SHF_OK) {
        atomic_fetch_add(&round->answered, 1);
    } else if (status == SHF_E_CANCELLED) {
        REQUIRE(round->how != DRAIN);
        atomic_fetch_add(&round->cancelled, 1);
    } else if (status == SHF_E_CLOSED) {
        atomic_fetch_add(&round->closed, 1);
    } else {
        REQUIRE_SUCCESS(op);
    }
    shf_op_release(op);
}

static void *submit(void *argument) {
    struct round *round = argument;
    struct stress_random random = stress_random_stream(round->stream + atomic_fetch_add(&round->number, 1));
    shf_call call;
    SHF_INIT(&call);
    call.cq = round->cq;
    for (shf_status status = SHF_OK; status != SHF_E_CLOSED && atomic_load(&round->may_touch);) {
        status = ask(round, &random, &call, NULL);
        if (status == SHF_E_BUSY) {
            stress_nap_us(50);
        } else if (status == SHF_OK) {
            atomic_fetch_add(&round->accepted, 1);
        } else {
            REQUIRE_STATUS(status, SHF_E_CLOSED);
            atomic_fetch_add(&round->refused, 1);
        }
    }
    return NULL;
}

static void *wait_each(void *argument) {
    struct round *round = argument;
    struct stress_random random = stress_random_stream(round->stream + atomic_fetch_add(&round->number, 1));
    for (shf_status status = SHF_OK; status != SHF_E_CLOSED && atomic_load(&round->may_touch);) {
        shf_op *op = NULL;
        status = ask(round, &random, NULL, &op);
        if (!op) {
            REQUIRE_STATUS(status, SHF_E_CLOSED);
            atomic_fetch_add(&round->refused, 1);
            continue;
        }
        atomic_fetch_add(&round->accepted, 1);
        count_end(round, op);
    }
    return NULL;
}

static unsigned ended(const struct round *round) {
    return atomic_load(&round->answered) + atomic_load(&round->cancelled) + atomic_load(&round->closed);
}

/* Takes completions until nobody submits any more and all that was accepted has ended. */
static void *collect(void *argument) {
    struct round *round = argument;
    shf_op *ops[16];
    while (atomic_load(&round->submitting) || ended(round) < atomic_load(&round->accepted)) {
        size_t got = shf_cq_poll(round->cq, ops, 16, 20);
        for (size_t i = 0; i < got; i++) count_end(round, ops[i]);
    }
    return NULL;
}

/* ---- a round ---- */

static shf_reader *open_some(struct round *round, struct stress_random *random, unsigned number) {
    shf_s3_options s3;
    char *cache = support_path("%s/cache-%u", root, number % 8);
    shf_reader_options options = stress_options(&prefix, cache);
    if (number % 3 == 0) options.flags = SHF_OPEN_LAZY | SHF_OPEN_PRIVATE_COPY;
    if (number % 3 == 1) {
        SHF_INIT(&s3);
        s3.endpoint_url = slow_store_endpoint(store);
        s3.anonymous = 1;
        options.url = "s3://stress/prefix";
        options.s3 = &s3;
        options.flags = SHF_OPEN_LAZY;
    }
    stress_publish(&prefix, stress_random_below(random, shape.snapshots));
    shf_reader *reader = stress_open(round->runtime, &options);
    free(cache);
    return reader;
}

/* Several closes at once, each in a mode of its own when cancelling; all succeed. */
static void close_it(struct round *round) {
    shf_op *op = NULL;
    shf_call call;
    shf_cq *cq = NULL;
    SHF_INIT(&call);
    REQUIRE_STATUS(shf_cq_new(round->runtime, 4, &cq), SHF_OK);
    call.cq = cq;
    if (round->how == CANCEL) REQUIRE_STATUS(shf_close(round->reader, SHF_CLOSE_DRAIN, &call, NULL), SHF_OK);
    REQUIRE_STATUS(shf_close(round->reader, round->how == CANCEL ? SHF_CLOSE_CANCEL : SHF_CLOSE_DRAIN, &call, NULL),
                   SHF_OK);
    for (unsigned i = round->how == CANCEL ? 2 : 1; i; i--) {
        REQUIRE(shf_cq_poll(cq, &op, 1, 60000) == 1);
        REQUIRE_SUCCESS(op);
        shf_op_release(op);
    }
    REQUIRE_STATUS(shf_close_sync(round->reader, SHF_CLOSE_DRAIN, 0, &op), SHF_OK);
    shf_op_release(op);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
}

static void play(struct round *totals, unsigned number) {
    struct stress_random random = stress_random_stream(7000 + number);
    struct round round = {.how = number % WAYS, .stream = 8000 + number * 16, .may_touch = true, .submitting = true};
    pthread_t threads[THREADS];
    round.runtime = stress_runtime(2, 0, 0);
    REQUIRE_STATUS(shf_cq_new(round.runtime, IN_FLIGHT, &round.cq), SHF_OK);
    round.reader = open_some(&round, &random, number / WAYS);
    slow_store_set_delay(store, 3000);
    REQUIRE(pthread_create(&threads[0], NULL, submit, &round) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, wait_each, &round) == 0);
    REQUIRE(pthread_create(&threads[2], NULL, collect, &round) == 0);
    stress_nap_us(stress_random_below(&random, 12000));
    if (round.how != RELEASE) close_it(&round);
    atomic_store(&round.may_touch, false);
    for (unsigned i = 0; i < 2; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    atomic_store(&round.submitting, false);
    shf_reader_release(round.reader); /* with the queue's operations still in flight where it was not closed */
    REQUIRE(pthread_join(threads[2], NULL) == 0);
    slow_store_set_delay(store, 0);
    REQUIRE_STATUS(shf_cq_free(round.cq), SHF_OK);
    stress_runtime_end(round.runtime);
    REQUIRE(ended(&round) == round.accepted);
    totals->accepted += round.accepted;
    totals->answered += round.answered;
    totals->cancelled += round.cancelled;
    totals->closed += round.closed;
    totals->refused += round.refused;
}

static void at_random_moments(void) {
    unsigned rounds = stress_scale(600, 60, 24);
    struct round totals = {.how = DRAIN};
    for (unsigned i = 0; i < rounds; i++) play(&totals, i);
    printf("  %u readers: %u operations accepted, %u answered, %u cancelled, %u too late; %u calls refused\n", rounds,
           totals.accepted, totals.answered, totals.cancelled, totals.closed, totals.refused);
    REQUIRE(totals.answered && totals.cancelled);
}

/* A runtime is freed at once after its readers were released: what was cancelled must not outlive it. */
static void released_and_freed(void) {
    unsigned rounds = stress_scale(500, 60, 20), busy = 0;
    struct stress_random random = stress_random_stream(9);
    for (unsigned i = 0; i < rounds; i++) {
        struct round round = {.runtime = stress_runtime(2, 0, 0)};
        shf_call call;
        SHF_INIT(&call);
        REQUIRE_STATUS(shf_cq_new(round.runtime, IN_FLIGHT, &round.cq), SHF_OK);
        call.cq = round.cq;
        round.reader = open_some(&round, &random, i);
        slow_store_set_delay(store, 3000);
        for (unsigned k = 0; k < IN_FLIGHT; k++) REQUIRE_STATUS(ask(&round, &random, &call, NULL), SHF_OK);
        stress_nap_us(stress_random_below(&random, 3000));
        shf_reader_release(round.reader);
        for (unsigned taken = 0; taken < IN_FLIGHT; taken++) {
            shf_op *op = NULL;
            busy += shf_runtime_free(round.runtime) == SHF_E_BUSY;
            REQUIRE(shf_cq_poll(round.cq, &op, 1, 60000) == 1);
            REQUIRE(shf_op_status(op) == SHF_OK || shf_op_status(op) == SHF_E_CANCELLED ||
                    shf_op_status(op) == SHF_E_CLOSED);
            shf_op_release(op);
        }
        REQUIRE_STATUS(shf_cq_free(round.cq), SHF_OK);
        REQUIRE_STATUS(shf_runtime_free(round.runtime), SHF_OK);
        slow_store_set_delay(store, 0);
    }
    printf("  %u runtimes freed right behind their readers; busy before that: %u times\n", rounds, busy);
    REQUIRE(busy == rounds * IN_FLIGHT);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"at-random-moments", at_random_moments},
                                                       {"released-and-freed", released_and_freed}};
    root = support_temporary_directory();
    stress_prefix_make(&prefix, root, &shape);
    store = slow_store_start(root, "stress");
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    slow_store_stop(store);
    stress_prefix_free(&prefix);
    support_remove_tree(root);
    free(root);
    return result;
}
