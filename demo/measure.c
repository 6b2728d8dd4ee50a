#include "demo/measure.h"

#include "demo/screen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 4096u
#define ROUNDS 5u /* of the calls that are measured one at a time */

bool demo_failed(const char *what, shf_status status, shf_op *op) {
    fprintf(stderr, "%s: %s\n", what, op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    shf_op_release(op);
    return false;
}

bool demo_open(struct demo_run *run, const char *url, const char *cache, shf_op **open_op) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = url;
    options.local_root = cache;
    shf_op *op = NULL;
    shf_status status = shf_open_sync(run->runtime, &options, 0, &op);
    if (status) return demo_failed(url, status, op);
    (void)shf_op_take_reader(op, &run->reader);
    *open_op = op;
    return true;
}

static void digest(struct demo_run *run, const void *data, size_t size) {
    const uint8_t *bytes = data; /* FNV-1a */
    uint64_t hash = run->numbers.digest ? run->numbers.digest : 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    run->numbers.digest = hash;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool get_every_key(struct demo_run *run, double *times, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *text = run->questions->keys[i];
        const shf_key key = shf_key_from_text(text, strlen(text));
        shf_op *op = NULL;
        double begin = demo_now();
        shf_status status = shf_get_sync(run->reader, &key, NULL, 0, &op);
        times[i] = demo_now() - begin;
        if (status) return demo_failed(text, status, op);
        shf_op_release(op);
    }
    return true;
}

/* All keys in one call; the values go into the digest. */
static bool multi_get(struct demo_run *run, const shf_key *keys, size_t count) {
    shf_op *op = NULL;
    double begin = demo_now();
    shf_status status = shf_multi_get_sync(run->reader, keys, count, NULL, 0, &op);
    run->numbers.multi_get = demo_now() - begin;
    if (status) return demo_failed("multi_get", status, op);
    for (size_t i = 0; i < count; i++) {
        shf_value value;
        SHF_INIT(&value);
        if (shf_op_value(op, i, &value) || value.status != SHF_OK) {
            fprintf(stderr, "%s: not found\n", run->questions->keys[i]);
            run->wrong++;
            continue;
        }
        digest(run, value.data.data, value.data.size);
    }
    shf_op_release(op);
    return true;
}

bool demo_measure_lookups(struct demo_run *run) {
    const struct demo_questions *questions = run->questions;
    size_t count = questions->key_count < MAX_KEYS ? questions->key_count : MAX_KEYS;
    double *times = calloc(count * ROUNDS, sizeof *times);
    shf_key *keys = calloc(count, sizeof *keys);
    bool ok = times && keys;
    for (size_t round = 0; ok && round < ROUNDS; round++) ok = get_every_key(run, times + round * count, count);
    for (size_t i = 0; ok && i < count; i++) {
        keys[i] = shf_key_from_text(questions->keys[i], strlen(questions->keys[i]));
    }
    ok = ok && multi_get(run, keys, count);
    if (ok) {
        qsort(times, count * ROUNDS, sizeof *times, by_value);
        run->numbers.get_median = times[count * ROUNDS / 2];
        run->numbers.get_99 = times[count * ROUNDS * 99 / 100];
        run->numbers.keys = (double)count;
    }
    free(times);
    free(keys);
    return ok;
}

static shf_query query_of(const struct demo_question *question) {
    shf_query query;
    SHF_INIT(&query);
    query.top_k = DEMO_TOP_K;
    query.vector = question->vector;
    query.dimension = question->dimension;
    return query;
}

/* Compares with the recorded exact answers, and adds to the digest. */
static void check(struct demo_run *run, const shf_op *op, size_t index, const struct demo_question *question) {
    bool same = shf_op_hit_count(op, index) == question->answer_count;
    for (size_t i = 0; same && i < question->answer_count; i++) {
        const struct demo_answer *answer = &question->answers[i];
        shf_hit hit;
        SHF_INIT(&hit);
        same = !shf_op_hit(op, index, i, &hit) && hit.id.text.size == strlen(answer->id) &&
               !memcmp(hit.id.text.data, answer->id, hit.id.text.size) &&
               fabs(hit.score - answer->distance) <= 1e-6 + 1e-5 * fabs(answer->distance);
        digest(run, hit.id.text.data, hit.id.text.size);
        digest(run, &hit.score, sizeof hit.score);
        digest(run, hit.payload.data, hit.payload.size);
    }
    if (same) return;
    fprintf(stderr, "'%s': the answer differs from the recorded one\n", question->text);
    run->wrong++;
}

bool demo_measure_searches(struct demo_run *run) {
    static shf_query queries[DEMO_MAX_QUESTIONS];
    static double times[DEMO_MAX_QUESTIONS];
    const struct demo_questions *questions = run->questions;
    for (size_t i = 0; i < questions->count; i++) {
        queries[i] = query_of(&questions->items[i]);
        shf_op *op = NULL;
        double begin = demo_now();
        shf_status status = shf_search_sync(run->reader, &queries[i], 0, &op);
        times[i] = demo_now() - begin;
        if (status) return demo_failed(questions->items[i].text, status, op);
        check(run, op, 0, &questions->items[i]);
        shf_op_release(op);
    }
    qsort(times, questions->count, sizeof *times, by_value);
    run->numbers.search_median = times[questions->count / 2];
    run->numbers.questions = (double)questions->count;

    shf_op *op = NULL;
    double begin = demo_now();
    shf_status status = shf_batch_search_sync(run->reader, queries, questions->count, 0, &op);
    run->numbers.batch = demo_now() - begin;
    if (status) return demo_failed("batch_search", status, op);
    for (size_t i = 0; i < questions->count; i++) check(run, op, i, &questions->items[i]);
    shf_op_release(op);
    return true;
}

/* Lookups through the completion queue, a window of them in flight. */
bool demo_measure_stream(struct demo_run *run) {
    size_t submitted = 0, finished = 0;
    shf_call call;
    SHF_INIT(&call);
    call.cq = run->cq;
    double begin = demo_now();
    while (finished < DEMO_STREAM_LOOKUPS) {
        while (submitted < DEMO_STREAM_LOOKUPS && submitted - finished < DEMO_STREAM_WINDOW) {
            const char *text = run->questions->keys[submitted % run->questions->key_count];
            const shf_key key = shf_key_from_text(text, strlen(text));
            shf_op_id id;
            shf_status status = shf_get(run->reader, &key, NULL, &call, &id);
            if (status) return demo_failed(text, status, NULL);
            submitted++;
        }
        shf_op *done[DEMO_STREAM_WINDOW];
        size_t count = shf_cq_poll(run->cq, done, DEMO_STREAM_WINDOW, -1);
        for (size_t i = 0; i < count; i++) {
            if (shf_op_status(done[i])) run->wrong++;
            shf_op_release(done[i]);
        }
        finished += count;
    }
    run->numbers.streamed_per_second = DEMO_STREAM_LOOKUPS / ((demo_now() - begin) / 1e9);
    return true;
}
