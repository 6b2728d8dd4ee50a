/*
 * Everything at random under a small memory budget. What is charged never passes the budget; what the process holds in
 * anonymous memory grows by hardly more; what does not fit fails with SHF_E_NO_MEMORY, and succeeds once there is room.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BUDGET_BYTES (UINT64_C(24) << 20)
/*
 * Beyond 1.05 of the budget: what is not charged (operations, copies of keys and of queries, stacks, libcurl's buffers, this
 * program's own), and the holes in a heap that large values share with the small texts of many hits.
 */
#define NOT_CHARGED_BYTES (UINT64_C(32) << 20)
#define HELD_NOT_CHARGED_BYTES (UINT64_C(4) << 20) /* without holes */
#define THREADS 4u
#define MOST_HELD 24u
#define MOST_KEYS 500u
#define PATIENCE_MS 60000
#define MOST_ANSWERS 8192u

static const struct stress_shape shape = {
    .snapshots = 2, .keys = 3200, .vectors = 16000, .dimension = 8, .queries = 6, .top_k = 10, .large_value_bytes = 60000};

static struct stress_prefix prefix;
static char *root, *cache;
static struct slow_store *store;

struct mix {
    shf_runtime *runtime;
    shf_reader *reader;
    atomic_bool stop;
    atomic_uint number;
    atomic_ullong answered, without_memory, later_answered;
    uint64_t most_charged, most_grown, samples;
};

struct question {
    enum { LARGE_VALUES, VALUES, SEARCH, BATCH, OPEN, HISTORY, KINDS } kind;
    unsigned count, numbers[MOST_KEYS];
    uint32_t top_k;
};

/* ---- questions ---- */

static void choose(struct stress_random *random, struct question *question) {
    static const unsigned char kinds[] = {LARGE_VALUES, LARGE_VALUES, LARGE_VALUES, VALUES, SEARCH,
                                          SEARCH,       BATCH,        BATCH,        OPEN,   HISTORY};
    question->kind = kinds[stress_random_below(random, sizeof kinds)];
    bool is_search = question->kind == SEARCH || question->kind == BATCH;
    question->count = question->kind == SEARCH  ? 1
                      : question->kind == BATCH ? 1 + stress_random_below(random, 12)
                                                : 1 + stress_random_below(random, MOST_KEYS);
    /* Each alone fits: 500 values of 32 KB, 12 times 8,000 hits. */
    question->top_k = 1 + stress_random_below(random, question->kind == BATCH ? 4000 : shape.vectors);
    for (unsigned i = 0; i < question->count; i++) {
        unsigned number = stress_random_below(random, is_search ? shape.queries : shape.keys);
        question->numbers[i] = question->kind == LARGE_VALUES ? number / 16 * 16 : number;
    }
}

static void ask_keys(struct mix *mix, const struct question *question, shf_op **op) {
    shf_key keys[MOST_KEYS];
    for (unsigned i = 0; i < question->count; i++) keys[i] = stress_key(&prefix, question->numbers[i]);
    (void)shf_multi_get_sync(mix->reader, keys, question->count, NULL, 0, op);
}

static void ask_queries(struct mix *mix, const struct question *question, shf_op **op) {
    shf_query queries[MOST_KEYS];
    for (unsigned i = 0; i < question->count; i++) {
        queries[i] = stress_query(&prefix, question->numbers[i], question->top_k);
    }
    (void)shf_batch_search_sync(mix->reader, queries, question->count, 0, op);
}

static void ask_open(struct mix *mix, const struct question *question, shf_op **op) {
    shf_s3_options s3;
    char *directory = support_path("%s/cache-%u", root, question->count % 16);
    shf_reader_options options = stress_options(&prefix, directory);
    SHF_INIT(&s3);
    s3.endpoint_url = slow_store_endpoint(store);
    s3.anonymous = 1;
    options.s3 = &s3;
    options.cache_max_bytes = 1; /* so that there is always something to download */
    options.url = "s3://stress/prefix";
    (void)(question->kind == OPEN ? shf_open_sync(mix->runtime, &options, 0, op)
                                  : shf_history_sync(mix->runtime, &options, 0, 0, op));
    free(directory);
}

static void ask(struct mix *mix, const struct question *question, shf_op **op) {
    if (question->kind == LARGE_VALUES || question->kind == VALUES) {
        ask_keys(mix, question, op);
    } else if (question->kind == SEARCH || question->kind == BATCH) {
        ask_queries(mix, question, op);
    } else {
        ask_open(mix, question, op);
    }
    REQUIRE(*op);
}

static void check(const struct question *question, const shf_op *op) {
    if (question->kind == LARGE_VALUES || question->kind == VALUES) {
        REQUIRE(stress_check_lookup(&prefix, op, question->numbers, question->count));
    } else if (question->kind == SEARCH || question->kind == BATCH) {
        for (unsigned i = 0; i < question->count; i++) {
            REQUIRE(stress_check_hits(&prefix, op, i, question->numbers[i], question->top_k));
        }
    }
}

/* ---- the mix ---- */

static bool has_no_memory(const shf_op *op) {
    if (shf_op_status(op) != SHF_E_NO_MEMORY) return false;
    const shf_error *error = shf_op_error(op);
    REQUIRE(shf_error_retryable(error) == 1 && shf_error_category(error) == SHF_CATEGORY_LIMIT);
    return true;
}

static void release_all(shf_op **held, unsigned *count) {
    while (*count) shf_op_release(held[--*count]);
}

/* Answers are held for a while, so that the budget is always nearly used up. */
static void *mix_all(void *argument) {
    struct mix *mix = argument;
    struct stress_random random = stress_random_stream(900 + atomic_fetch_add(&mix->number, 1));
    struct question *question = calloc(1, sizeof *question);
    shf_op *held[MOST_HELD];
    unsigned held_count = 0;
    while (!atomic_load(&mix->stop)) {
        bool waited = false;
        shf_op *op = NULL;
        choose(&random, question);
        ask(mix, question, &op);
        for (int64_t end = stress_now_ms() + PATIENCE_MS; has_no_memory(op); waited = true) {
            REQUIRE(stress_now_ms() < end);
            shf_op_release(op);
            if (!waited) atomic_fetch_add(&mix->without_memory, 1);
            release_all(held, &held_count);
            stress_nap_us(stress_random_below(&random, 2000));
            ask(mix, question, &op);
        }
        REQUIRE_SUCCESS(op);
        check(question, op);
        atomic_fetch_add(waited ? &mix->later_answered : &mix->answered, 1);
        if (held_count == MOST_HELD || stress_random_below(&random, 16) == 0) release_all(held, &held_count);
        held[held_count++] = op;
    }
    release_all(held, &held_count);
    free(question);
    return NULL;
}

/* Looks at the counters and at the process until the time is over, and something did not fit. */
static void watch(struct mix *mix, uint64_t bytes_before, int64_t end_ms) {
    for (; stress_now_ms() < end_ms || !atomic_load(&mix->without_memory); mix->samples++) {
        REQUIRE(stress_now_ms() < end_ms + PATIENCE_MS);
        shf_runtime_stats stats;
        SHF_INIT(&stats);
        REQUIRE_STATUS(shf_runtime_stats_get(mix->runtime, &stats), SHF_OK);
        if (stats.budget_used_bytes > mix->most_charged) mix->most_charged = stats.budget_used_bytes;
        REQUIRE(stats.budget_bytes == BUDGET_BYTES && stats.budget_used_bytes <= BUDGET_BYTES);
        uint64_t now = stress_rss_anonymous_bytes();
        if (now > bytes_before && now - bytes_before > mix->most_grown) mix->most_grown = now - bytes_before;
        stress_nap_us(500);
    }
}

static void random_mix(void) {
    unsigned seconds = stress_scale(120, 4, 3);
    struct mix mix = {.samples = 0};
    shf_reader_options options = stress_options(&prefix, cache);
    pthread_t threads[THREADS];
    mix.runtime = stress_runtime(2, 0, BUDGET_BYTES);
    mix.reader = stress_open(mix.runtime, &options);
    stress_require_serves(&prefix, mix.reader, stress_all_snapshots(&prefix));
    slow_store_set_delay(store, 1000);
    (void)malloc_trim(0);
    uint64_t before = stress_rss_anonymous_bytes();
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_create(&threads[i], NULL, mix_all, &mix) == 0);
    watch(&mix, before, stress_now_ms() + seconds * 1000);
    atomic_store(&mix.stop, true);
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    printf("  %llu answered at once, %llu had no memory, %llu of them answered later\n", mix.answered,
           mix.without_memory, mix.later_answered);
    printf("  %llu samples: charged at most %.3f of the budget (%llu KiB), RssAnon grew by %llu KiB\n",
           (unsigned long long)mix.samples, (double)mix.most_charged / (double)BUDGET_BYTES,
           (unsigned long long)BUDGET_BYTES / 1024, (unsigned long long)mix.most_grown / 1024);
    REQUIRE(mix.without_memory && mix.later_answered == mix.without_memory);
    REQUIRE(STRESS_SANITIZER || mix.most_grown <= BUDGET_BYTES + BUDGET_BYTES / 20 + NOT_CHARGED_BYTES);
    slow_store_set_delay(store, 0);
    stress_close(mix.reader);
    stress_runtime_end(mix.runtime);
}

/* ---- what is held is charged in full ---- */

/* Holds answers until one does not fit any more; the process has not grown by more than their charge, and a little. */
static void hold(const char *what, bool is_search) {
    struct mix mix = {.samples = 0};
    struct stress_random random = stress_random_stream(is_search);
    shf_reader_options options = stress_options(&prefix, cache);
    shf_op **held = calloc(MOST_ANSWERS, sizeof *held), *op = NULL;
    struct question *question = calloc(1, sizeof *question);
    unsigned count = 0;
    mix.runtime = stress_runtime(2, 0, BUDGET_BYTES);
    mix.reader = stress_open(mix.runtime, &options);
    stress_require_serves(&prefix, mix.reader, stress_all_snapshots(&prefix));
    (void)malloc_trim(0);
    uint64_t before = stress_rss_anonymous_bytes();
    for (;;) {
        *question = (struct question){.kind = is_search ? SEARCH : LARGE_VALUES, .count = 1, .top_k = 1000};
        if (!is_search) question->numbers[0] = stress_random_below(&random, shape.keys) / 16 * 16;
        ask(&mix, question, &op);
        if (has_no_memory(op)) break;
        REQUIRE_SUCCESS(op);
        REQUIRE(count < MOST_ANSWERS);
        held[count++] = op;
    }
    shf_op_release(op);
    uint64_t now = stress_rss_anonymous_bytes(), grown = now > before ? now - before : 0;
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    REQUIRE_STATUS(shf_runtime_stats_get(mix.runtime, &stats), SHF_OK);
    printf("  %u %s held: charged %llu KiB, RssAnon grew by %llu KiB\n", count, what,
           (unsigned long long)stats.budget_used_bytes / 1024, (unsigned long long)grown / 1024);
    REQUIRE(STRESS_SANITIZER || grown <= BUDGET_BYTES + BUDGET_BYTES / 20 + HELD_NOT_CHARGED_BYTES);
    release_all(held, &count);
    ask(&mix, question, &op);
    REQUIRE_SUCCESS(op);
    check(question, op);
    shf_op_release(op);
    free(question);
    free(held);
    stress_close(mix.reader);
    stress_runtime_end(mix.runtime);
}

static void held_hits(void) { hold("answers of 1,000 hits", true); }
static void held_values(void) { hold("copied values", false); }

/*
 * The heap of glibc keeps much of what was freed, in an arena for each thread, unless the program says otherwise. This one
 * does, so that what is measured is what the library holds.
 */
static void let_the_heap_give_back(void) {
    REQUIRE(STRESS_SANITIZER || mallopt(M_ARENA_MAX, 1) == 1);
    REQUIRE(STRESS_SANITIZER || mallopt(M_MMAP_THRESHOLD, 16 << 10) == 1);
    REQUIRE(STRESS_SANITIZER || mallopt(M_TRIM_THRESHOLD, 128 << 10) == 1);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {
        {"held-hits", held_hits}, {"held-values", held_values}, {"random-mix", random_mix}};
    let_the_heap_give_back();
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
