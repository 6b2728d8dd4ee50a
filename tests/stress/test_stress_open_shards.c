/*
 * Vector-only snapshots with fewer open shards than there are: many threads search, each in shards of its own choice, and
 * every search closes what another has opened, beside refreshes, cancellations and closings. Every answer is one that a
 * reader without a bound gives of one of the snapshots, and nothing is held at the end.
 */
#include "stress/slow_store.h"
#include "stress/snapshots.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOTS 3u
#define CHOICES ((1u << STRESS_SHARDS) - 1) /* of shards */
#define QUERIES 3u
#define LIKES 6u
#define QUESTIONS (CHOICES * QUERIES + LIKES)
#define THREADS 4u
#define IN_FLIGHT 32u
#define DELAY_US 300u
#define TOP_K 8u

static const struct stress_shape shape = {
    .snapshots = SNAPSHOTS, .keys = 64, .vectors = 1200, .dimension = 16, .queries = QUERIES, .top_k = TOP_K};

static struct stress_prefix prefix;
static char *root, *cache;
static struct slow_store *store;
static shf_s3_options s3;

/* ---- readers ---- */

/* The shards have vectors, of which the manifest now tells as of the only thing. */
static void take_keys_away(void) {
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        char *path = support_path("%s/%s", prefix.path, prefix.ref[i]), *problem = NULL;
        sqlite3 *db = NULL;
        REQUIRE(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
        int result = sqlite3_exec(db,
                                  "UPDATE build_meta SET key_encoding = 'raw', custom = '{\"vector\": {\"dim\": 16, "
                                  "\"metric\": \"l2\", \"sharding_strategy\": \"explicit\"}}'",
                                  NULL, NULL, &problem);
        if (result != SQLITE_OK) stress_fail(__FILE__, __LINE__, "%s", problem);
        REQUIRE(sqlite3_close(db) == SQLITE_OK);
        free(path);
    }
}

enum place { IN_PLACE, COPIED, OPENED_WHOLE, OVER_HTTP, PLACES };

static shf_reader_options options_of(enum place place, uint32_t limit) {
    shf_reader_options options = stress_options(&prefix, cache);
    options.max_open_shards = limit;
    if (place != OPENED_WHOLE) options.flags |= SHF_OPEN_LAZY;
    if (place == COPIED || place == OPENED_WHOLE) options.flags |= SHF_OPEN_PRIVATE_COPY;
    if (place == OVER_HTTP) {
        options.url = "s3://stress/prefix";
        options.s3 = &s3;
    }
    return options;
}

static uint32_t open_shards(shf_reader *reader) {
    shf_health_info info;
    SHF_INIT(&info);
    REQUIRE_STATUS(shf_health(reader, 0, &info), SHF_OK);
    return info.open_shards;
}

/* ---- questions, and their answers ---- */

static uint32_t chosen[CHOICES][STRESS_SHARDS], chosen_count[CHOICES];
static shf_vector_id likes[LIKES];
static char like_texts[LIKES][32];
static shf_runtime *known_runtime;
static shf_op *known[SNAPSHOTS][QUESTIONS]; /* answers of readers without a bound */

static shf_query question(unsigned number) {
    bool is_like = number >= CHOICES * QUERIES;
    unsigned choice = is_like ? number * 5 % CHOICES : number % CHOICES;
    shf_query query = stress_query(&prefix, is_like ? 0 : number / CHOICES, TOP_K);
    query.shard_ids = chosen[choice];
    query.shard_count = chosen_count[choice];
    if (!is_like) return query;
    query.vector = NULL;
    query.dimension = 0;
    query.like = &likes[number - CHOICES * QUERIES];
    return query;
}

/* Hits in each of the shards, and an id that is not there. */
static void choose_likes(void) {
    for (unsigned i = 0; i < LIKES; i++) {
        const shf_op *in_one = known[0][(1u << i % STRESS_SHARDS) - 1];
        shf_hit hit;
        SHF_INIT(&hit);
        REQUIRE_STATUS(shf_op_hit(in_one, 0, i, &hit), SHF_OK);
        REQUIRE(hit.id.text.size < sizeof like_texts[i] && hit.shard == i % STRESS_SHARDS);
        memcpy(like_texts[i], hit.id.text.data, hit.id.text.size);
        if (i == LIKES - 1) like_texts[i][0] = 'x';
        likes[i] = (shf_vector_id){.kind = SHF_ID_TEXT, .text = {like_texts[i], hit.id.text.size}};
    }
}

static void learn_answers(void) {
    known_runtime = stress_runtime(2, 0, 0);
    for (unsigned choice = 1; choice <= CHOICES; choice++) {
        for (uint32_t shard = 0; shard < STRESS_SHARDS; shard++) {
            if (choice >> shard & 1) chosen[choice - 1][chosen_count[choice - 1]++] = shard;
        }
    }
    for (unsigned snapshot = 0; snapshot < SNAPSHOTS; snapshot++) {
        shf_reader_options options = options_of(OPENED_WHOLE, 0);
        options.manifest_ref = prefix.ref[snapshot];
        shf_reader *reader = stress_open(known_runtime, &options);
        for (unsigned i = 0; i < QUESTIONS; i++) {
            if (snapshot == 0 && i == CHOICES * QUERIES) choose_likes();
            shf_query query = question(i);
            (void)shf_search_sync(reader, &query, 0, &known[snapshot][i]);
            REQUIRE(known[snapshot][i]);
        }
        REQUIRE(open_shards(reader) == STRESS_SHARDS);
        stress_close(reader);
    }
    REQUIRE_STATUS(shf_op_status(known[0][QUESTIONS - 1]), SHF_E_INVALID);
    REQUIRE_STATUS(shf_op_status(known[0][QUESTIONS - 2]), SHF_OK);
}

static void forget_answers(void) {
    for (unsigned snapshot = 0; snapshot < SNAPSHOTS; snapshot++) {
        for (unsigned i = 0; i < QUESTIONS; i++) shf_op_release(known[snapshot][i]);
    }
    stress_runtime_end(known_runtime);
}

static bool is_same_slice(shf_slice a, shf_slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_same(const shf_op *a, const shf_op *b) {
    size_t count = shf_op_hit_count(a, 0);
    if (shf_op_status(a) != shf_op_status(b) || count != shf_op_hit_count(b, 0)) return false;
    for (size_t i = 0; i < count; i++) {
        shf_hit left, right;
        SHF_INIT(&left);
        SHF_INIT(&right);
        if (shf_op_hit(a, 0, i, &left) || shf_op_hit(b, 0, i, &right)) return false;
        if (memcmp(&left.score, &right.score, sizeof left.score) != 0 || left.shard != right.shard) return false;
        if (!is_same_slice(left.id.text, right.id.text) || !is_same_slice(left.payload, right.payload)) return false;
    }
    return true;
}

/* The snapshots, a bit each, that the answer can be of. */
static unsigned snapshots_of(const shf_op *op, unsigned number) {
    unsigned found = 0;
    for (unsigned i = 0; i < SNAPSHOTS; i++) found |= (unsigned)is_same(op, known[i][number]) << i;
    return found;
}

/* ---- searches beside refreshes ---- */

struct load {
    shf_reader *reader;
    atomic_bool stop;
    atomic_uint number;
    atomic_ullong answered;
};

static void *keep_searching(void *argument) {
    struct load *load = argument;
    struct stress_random random = stress_random_stream(atomic_fetch_add(&load->number, 1));
    while (!atomic_load(&load->stop)) {
        unsigned number = stress_random_below(&random, QUESTIONS);
        shf_query query = question(number);
        shf_op *op = NULL;
        (void)shf_search_sync(load->reader, &query, 0, &op);
        REQUIRE(op);
        if (!snapshots_of(op, number)) stress_fail(__FILE__, __LINE__, "question %u: %d", number, shf_op_status(op));
        shf_op_release(op);
        atomic_fetch_add(&load->answered, 1);
    }
    return NULL;
}

static void check_served(shf_reader *reader, unsigned snapshot, uint32_t limit) {
    for (unsigned i = 0; i < QUESTIONS; i += 7) {
        shf_query query = question(i);
        shf_op *op = NULL;
        (void)shf_search_sync(reader, &query, 0, &op);
        REQUIRE(op && (snapshots_of(op, i) >> snapshot & 1));
        shf_op_release(op);
        REQUIRE(open_shards(reader) <= limit);
    }
}

static void refresh(shf_reader *reader, unsigned snapshot) {
    shf_op *op = NULL;
    stress_publish(&prefix, snapshot);
    (void)shf_refresh_sync(reader, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
}

static void search_beside_refreshes(enum place place, uint32_t limit, unsigned refreshes) {
    shf_runtime *runtime = stress_runtime(3, 0, 0);
    shf_reader_options options = options_of(place, limit);
    struct load load = {0};
    struct stress_random random = stress_random_stream(100 + place * 10 + limit);
    pthread_t threads[THREADS];
    unsigned snapshot = 0;
    shf_snapshot *kept = NULL;
    stress_publish(&prefix, 0);
    load.reader = stress_open(runtime, &options);
    if (place == OVER_HTTP) slow_store_set_delay(store, DELAY_US);
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_create(&threads[i], NULL, keep_searching, &load) == 0);
    for (unsigned i = 0; i < refreshes; i++) {
        unsigned long long answered = atomic_load(&load.answered);
        while (atomic_load(&load.answered) < answered + THREADS * 2) stress_nap_us(100);
        if (i % 3 == 0) {
            shf_snapshot_release(kept); /* its shards are those of the reader, or of nobody else */
            REQUIRE_STATUS(shf_reader_snapshot(load.reader, &kept), SHF_OK);
        }
        snapshot = stress_random_below(&random, SNAPSHOTS);
        refresh(load.reader, snapshot);
    }
    atomic_store(&load.stop, true);
    for (unsigned i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    slow_store_set_delay(store, 0);
    check_served(load.reader, snapshot, limit);
    stress_close(load.reader);
    shf_snapshot_release(kept);
    stress_runtime_end(runtime);
    printf("  place %d, at most %u open: %llu answers beside %u refreshes\n", (int)place, limit,
           (unsigned long long)load.answered, refreshes);
}

static void refreshes(void) {
    for (enum place place = 0; place < PLACES; place++) {
        for (uint32_t limit = 1; limit <= 2; limit++) search_beside_refreshes(place, limit, stress_scale(300, 30, 12));
    }
}

/* ---- given up ---- */

enum way { CANCEL_SOME, HURRY, CLOSE_CANCEL, CLOSE_DRAIN, RELEASE, WAYS };

struct ends {
    unsigned answered, given_up;
};

static void judge(struct ends *ends, shf_op *op, unsigned number) {
    shf_status status = shf_op_status(op);
    if (status == SHF_E_CANCELLED || status == SHF_E_CLOSED || status == SHF_E_DEADLINE) {
        ends->given_up++;
    } else {
        REQUIRE(snapshots_of(op, number) & 1);
        ends->answered++;
    }
    shf_op_release(op);
}

/* Bytes that are mapped with just shard 0 open, where nothing else is being opened. */
static uint64_t mapped_with_one(shf_runtime *runtime, shf_reader *reader) {
    const unsigned number = 0; /* in shard 0 */
    shf_runtime_stats stats;
    shf_query query = question(number);
    shf_op *op = NULL;
    SHF_INIT(&stats);
    (void)shf_search_sync(reader, &query, 0, &op);
    REQUIRE_SUCCESS(op);
    shf_op_release(op);
    REQUIRE_STATUS(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    return stats.mapped_bytes;
}

/* What was cancelled may still be opening something; it does not stay. */
static void check_rest(shf_runtime *runtime, shf_reader *reader, uint64_t mapped) {
    for (int64_t end = stress_now_ms() + 10000; mapped_with_one(runtime, reader) != mapped;) {
        REQUIRE(stress_now_ms() < end);
        stress_nap_us(1000);
    }
}

static void play(struct ends *ends, unsigned number) {
    struct stress_random random = stress_random_stream(3000 + number);
    shf_runtime *runtime = stress_runtime(2, 0, 0);
    enum way way = (enum way)(number % WAYS);
    shf_reader_options options = options_of(number / WAYS % 2 ? OVER_HTTP : COPIED, 1 + number % 2);
    shf_op_id ids[IN_FLIGHT];
    unsigned asked[IN_FLIGHT];
    shf_cq *cq = NULL;
    shf_call call;
    shf_op *op = NULL;
    if (number % 3 == 0) options.max_concurrency = 1;
    if (way == CANCEL_SOME) options.max_open_shards = 1;
    shf_reader *reader = stress_open(runtime, &options);
    uint64_t mapped = way == CANCEL_SOME ? mapped_with_one(runtime, reader) : 0;
    REQUIRE_STATUS(shf_cq_new(runtime, IN_FLIGHT, &cq), SHF_OK);
    slow_store_set_delay(store, DELAY_US);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        asked[i] = stress_random_below(&random, QUESTIONS);
        shf_query query = question(asked[i]);
        SHF_INIT(&call);
        call.cq = cq;
        call.tag = &asked[i];
        call.timeout_ms = way == HURRY ? 1 + stress_random_below(&random, 8) : 0;
        REQUIRE_STATUS(shf_search(reader, &query, &call, &ids[i]), SHF_OK);
        if (i % 6 == 5) stress_nap_us(stress_random_below(&random, 2000));
        if (way == CANCEL_SOME && i % 4) (void)shf_cancel(runtime, ids[stress_random_below(&random, i + 1)]);
    }
    if (way == CLOSE_CANCEL || way == CLOSE_DRAIN) {
        (void)shf_close_sync(reader, way == CLOSE_CANCEL ? SHF_CLOSE_CANCEL : SHF_CLOSE_DRAIN, 0, &op);
        REQUIRE_SUCCESS(op);
        shf_op_release(op);
    }
    if (way == RELEASE) shf_reader_release(reader);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        REQUIRE(shf_cq_poll(cq, &op, 1, 60000) == 1);
        judge(ends, op, *(unsigned *)shf_op_tag(op));
    }
    slow_store_set_delay(store, 0);
    if (way == CANCEL_SOME) check_rest(runtime, reader, mapped);
    if (way == CANCEL_SOME || way == HURRY) stress_close(reader);
    if (way == CLOSE_CANCEL || way == CLOSE_DRAIN) shf_reader_release(reader);
    REQUIRE_STATUS(shf_cq_free(cq), SHF_OK);
    stress_runtime_end(runtime);
}

static void given_up(void) {
    unsigned rounds = stress_scale(1000, 100, 40);
    struct ends ends = {0};
    stress_publish(&prefix, 0);
    for (unsigned i = 0; i < rounds; i++) play(&ends, i);
    printf("  %u readers: %u searches answered, %u given up\n", rounds, ends.answered, ends.given_up);
    REQUIRE(ends.answered && ends.given_up);
}

int main(int argc, char **argv) {
    static const struct stress_scenario scenarios[] = {{"refreshes", refreshes}, {"given-up", given_up}};
    stress_choose_seed();
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    stress_prefix_make(&prefix, root, &shape);
    take_keys_away();
    store = slow_store_start(root, "stress");
    SHF_INIT(&s3);
    s3.endpoint_url = slow_store_endpoint(store);
    s3.anonymous = 1;
    learn_answers();
    int result = stress_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    forget_answers();
    slow_store_stop(store);
    stress_prefix_free(&prefix);
    support_remove_tree(root);
    free(cache);
    free(root);
    return result;
}
