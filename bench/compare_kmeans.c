/*
 * k-means against scikit-learn: the same rows, the same threads; once from the same centroids, once each from those of its own
 * k-means++. These are internals of the library, so the module is linked into this program.
 */
#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/peer_process.h"

#include "search/kmeans.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMENSION 384u
#define LLOYD_ROUNDS 20u
#define MAX_THREADS 16u
#define MAX_SEEDS 64u
#define BUDGET_BYTES ((uint64_t)4 << 30)

static const struct data_set {
    const char *name, *result, *own_result;
    uint32_t clusters;
    unsigned rounds, own_rounds; /* of measuring */
    const char *text;
} data_sets[] = {
    {"packages", "kmeans_packages", "kmeans_packages_own", 64, 9, 9, "20,000 x 384 embeddings, 64 clusters"},
    {"clusters", "kmeans_clusters", "kmeans_clusters_own", 256, 5, 2, "100,000 x 384 around 300 points, 256 clusters"},
};

struct outcome {
    double inertia;
    uint32_t rounds;
};

struct sides {
    const struct data_set *set;
    struct bench_peer *peer;
    float *rows, *initial; /* initial NULL = seeding is measured too */
    uint64_t count;
    unsigned threads;
    struct outcome ours[MAX_SEEDS], theirs[MAX_SEEDS]; /* of each round */
};

/* ---- ours ---- */

struct crew {
    struct shf_kmeans *kmeans;
    pthread_barrier_t barrier;
    uint32_t pieces; /* 0 = go home */
    atomic_uint next;
};

static void take_pieces(struct crew *crew) {
    for (uint32_t piece; (piece = atomic_fetch_add(&crew->next, 1)) < crew->pieces;)
        shf_kmeans_run(crew->kmeans, piece);
}

static void *work(void *context) {
    struct crew *crew = context;
    for (;;) {
        (void)pthread_barrier_wait(&crew->barrier);
        if (crew->pieces == 0) return NULL;
        take_pieces(crew);
        (void)pthread_barrier_wait(&crew->barrier);
    }
}

static void run_phases(struct crew *crew) {
    while ((crew->pieces = shf_kmeans_pieces(crew->kmeans)) > 0) {
        atomic_store(&crew->next, 0);
        (void)pthread_barrier_wait(&crew->barrier);
        take_pieces(crew);
        (void)pthread_barrier_wait(&crew->barrier);
        shf_kmeans_advance(crew->kmeans);
    }
    (void)pthread_barrier_wait(&crew->barrier);
}

static bool train(struct sides *sides, uint64_t seed, struct outcome *outcome) {
    struct shf_budget budget;
    struct crew crew = {0};
    pthread_t threads[MAX_THREADS];
    shf_budget_init(&budget, BUDGET_BYTES);
    const struct shf_kmeans_options options = {.rows = sides->rows,
                                               .count = sides->count,
                                               .dimension = DIMENSION,
                                               .clusters = sides->set->clusters,
                                               .rounds = LLOYD_ROUNDS,
                                               .initial = sides->initial,
                                               .seed = seed,
                                               .budget = &budget};
    if (shf_kmeans_new(&options, &crew.kmeans, NULL)) return false;
    (void)pthread_barrier_init(&crew.barrier, NULL, sides->threads);
    for (unsigned i = 1; i < sides->threads; i++) {
        if (pthread_create(&threads[i], NULL, work, &crew)) abort(); /* the others wait at the barrier for ever */
    }
    run_phases(&crew);
    for (unsigned i = 1; i < sides->threads; i++) (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&crew.barrier);
    *outcome = (struct outcome){shf_kmeans_inertia(crew.kmeans), shf_kmeans_rounds(crew.kmeans)};
    shf_kmeans_free(crew.kmeans);
    return true;
}

static double our_round(void *context, unsigned round) {
    struct sides *sides = context;
    double begin = bench_now();
    return train(sides, round, &sides->ours[round % MAX_SEEDS]) ? bench_now() - begin : -1;
}

/* ---- the peer's ---- */

static double peer_round(void *context, unsigned round) {
    struct sides *sides = context;
    struct outcome *outcome = &sides->theirs[round % MAX_SEEDS];
    const char *verb = sides->initial ? "lloyd" : "own";
    char *rest = NULL;
    if (!bench_peer_ask(sides->peer, verb, sides->initial ? LLOYD_ROUNDS : round, sides->set->clusters)) return -1;
    double time = strtod(sides->peer->answer, &rest);
    outcome->inertia = strtod(rest, &rest);
    outcome->rounds = (uint32_t)strtoul(rest, NULL, 10);
    return time;
}

/* ---- both ---- */

static float *read_values(const char *data, const char *name, const char *kind, size_t count) {
    char path[PATH_MAX];
    size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *values = aligned_alloc(64, bytes);
    (void)snprintf(path, sizeof path, "%s/kmeans/%s.%s", data, name, kind);
    FILE *file = fopen(path, "rb");
    bool ok = values && file && fread(values, sizeof *values, count, file) == count;
    if (file) (void)fclose(file);
    if (ok) return values;
    perror(path);
    free(values);
    return NULL;
}

static double mean_inertia(const struct outcome *outcomes, unsigned count) {
    double sum = 0;
    for (unsigned i = 0; i < count; i++) sum += outcomes[i].inertia;
    return sum / count;
}

/* The results of `rounds` pairs: the time of the whole training, and, in the note, what came of it. */
static bool measure(struct bench *bench, struct sides *sides, unsigned rounds, const char *name, const char *text) {
    double medians[2], bests[2];
    const struct bench_side turns[2] = {{our_round, sides}, {peer_round, sides}};
    if (!bench_take_turns(turns, 2, rounds, medians, bests) || !bench_peer_ask(sides->peer, "describe", 0, 0))
        return false;
    unsigned seeds = rounds + 1 < MAX_SEEDS ? rounds + 1 : MAX_SEEDS; /* the warming one too */
    bench_report_add(&bench->report, (struct bench_result){name, medians[0] / 1e6, medians[1] / 1e6, "ms", 1, 0, ""},
                     "%s, %s; %u threads; inertia %.8g and %.8g, rounds %u and %u, best %.0f and %.0f ms; %s",
                     sides->set->text, text, sides->threads, mean_inertia(sides->ours, seeds),
                     mean_inertia(sides->theirs, seeds), sides->ours[1].rounds, sides->theirs[1].rounds, bests[0] / 1e6,
                     bests[1] / 1e6, sides->peer->answer);
    return true;
}

static bool compare(struct bench *bench, const struct data_set *set) {
    struct sides *sides = calloc(1, sizeof *sides);
    char python[PATH_MAX];
    float *initial = NULL;
    bool ok = sides != NULL;
    (void)snprintf(python, sizeof python, "%s-kmeans/bin/python3", bench->venvs);
    ok = ok && (sides->peer = bench_peer_start(python, BENCH_KMEANS_SCRIPT, bench->data, set->name)) != NULL &&
         bench_peer_ask(sides->peer, "make", set->clusters, 0);
    if (!ok) goto done;
    sides->set = set;
    sides->threads = bench_cores() < MAX_THREADS ? bench_cores() : MAX_THREADS;
    sides->count = strtoull(sides->peer->answer, NULL, 10);
    if (sides->count == 0) {
        fprintf(stderr, "  %s: SKIP, SHF_SHARED has no packages20k\n", set->result);
        goto done;
    }
    sides->rows = read_values(bench->data, set->name, "rows", sides->count * DIMENSION);
    initial = read_values(bench->data, set->name, "initial", (size_t)set->clusters * DIMENSION);
    ok = sides->rows && initial;
    sides->initial = initial;
    ok = ok && measure(bench, sides, set->rounds, set->result, "from the same centroids");
    sides->initial = NULL;
    ok = ok && measure(bench, sides, set->own_rounds, set->own_result, "k-means++ included, mean inertia");
done:
    if (sides) {
        bench_peer_stop(sides->peer);
        free(sides->rows);
    }
    free(initial);
    free(sides);
    return ok;
}

bool bench_kmeans(struct bench *bench) {
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof data_sets / sizeof data_sets[0]; i++) ok = compare(bench, &data_sets[i]);
    return ok;
}
