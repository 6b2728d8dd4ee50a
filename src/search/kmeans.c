/* k-means: memory, and the order of phases. */
#include "search/kmeans_state.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <math.h>
#include <string.h>

#define PIECE_ROWS (4 * SHF_KMEANS_BLOCK_ROWS)
#define ALIGNMENT 64u

static size_t row_pieces_of(uint64_t count) { return (size_t)((count + PIECE_ROWS - 1) / PIECE_ROWS); }

uint32_t shf_kmeans_row_pieces(const struct shf_kmeans *kmeans) {
    return (uint32_t)row_pieces_of(kmeans->options.count);
}

void shf_kmeans_piece_rows(const struct shf_kmeans *kmeans, uint32_t piece, uint32_t *first, uint32_t *end) {
    uint64_t begin = (uint64_t)piece * PIECE_ROWS, rest = kmeans->options.count - begin;
    *first = (uint32_t)begin;
    *end = (uint32_t)(begin + (rest < PIECE_ROWS ? rest : PIECE_ROWS));
}

bool shf_kmeans_normalise(float *vector, uint32_t dimension) {
    double norm;
    shf_search_norms(vector, 1, dimension, &norm);
    if (!(norm > 0) || !isfinite(norm)) return false;
    for (uint32_t i = 0; i < dimension; i++) vector[i] = (float)((double)vector[i] / norm);
    return true;
}

/* ---- memory: one block ---- */

struct carver {
    char *base; /* NULL = only counting */
    size_t used;
    bool overflow;
};

static void *carve(struct carver *carver, size_t count, size_t size) {
    size_t bytes, end;
    size_t begin = carver->used;
    if (!shf_mul(count, size, &bytes) || !shf_add(bytes, ALIGNMENT - 1, &bytes) ||
        !shf_add(begin, bytes / ALIGNMENT * ALIGNMENT, &end)) {
        carver->overflow = true;
        return NULL;
    }
    carver->used = end;
    return carver->base ? carver->base + begin : NULL;
}

static void carve_seeding(struct shf_kmeans *kmeans, struct carver *carver) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    size_t count = (size_t)kmeans->options.count, clusters = kmeans->options.clusters;
    seeding->values = carve(carver, (size_t)SHF_KMEANS_MAX_CANDIDATES * kmeans->options.dimension, sizeof(double));
    seeding->points = carve(carver, (size_t)SHF_KERNEL_PANEL * kmeans->options.dimension, sizeof(float));
    seeding->norms = carve(carver, SHF_KERNEL_PANEL, sizeof(float));
    seeding->between = carve(carver, clusters * SHF_KMEANS_MAX_CANDIDATES, sizeof(double));
    seeding->between_least = carve(carver, clusters, sizeof(double));
    seeding->sums = carve(carver, row_pieces_of(count) * SHF_KMEANS_MAX_CANDIDATES, sizeof(double));
    seeding->closest = carve(carver, count, sizeof(double));
    seeding->improves = carve(carver, count, sizeof(uint16_t));
}

static void carve_bounds(struct shf_kmeans *kmeans, struct carver *carver) {
    struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    size_t count = (size_t)kmeans->options.count, dimension = kmeans->options.dimension;
    *bounds = shf_kmeans_bounds_of(kmeans->options.clusters);
    size_t places = (size_t)bounds->panels * SHF_KERNEL_PANEL;
    bounds->panel_points = carve(carver, places * dimension, sizeof(float));
    bounds->panel_norms = carve(carver, places, sizeof(float));
    bounds->panel_reach = carve(carver, bounds->panels, sizeof(float));
    bounds->drifts = carve(carver, places, sizeof(float));
    bounds->group_drifts = carve(carver, bounds->groups, sizeof(float));
    bounds->upper = carve(carver, count, sizeof(float));
    bounds->lower = carve(carver, count * bounds->groups, sizeof(float));
}

static void carve_rounds(struct shf_kmeans *kmeans, struct carver *carver) {
    size_t count = (size_t)kmeans->options.count, clusters = kmeans->options.clusters;
    kmeans->sums = carve(carver, clusters * kmeans->options.dimension, sizeof(double));
    kmeans->events = carve(carver, count, sizeof(uint32_t));
    kmeans->event_ends = carve(carver, clusters, sizeof(uint32_t));
    kmeans->piece_sums = carve(carver, row_pieces_of(count), sizeof(double));
    kmeans->labels_before = carve(carver, count, sizeof(uint32_t));
    carve_bounds(kmeans, carver);
}

/* Seeding and rounds come one after the other, in the same place. */
static size_t carve_all(struct shf_kmeans *kmeans, char *base, bool *overflow) {
    size_t count = (size_t)kmeans->options.count, clusters = kmeans->options.clusters;
    size_t values = 0;
    struct carver carver = {base, 0, !shf_mul(clusters, kmeans->options.dimension, &values)};
    kmeans->centroids = carve(&carver, values, sizeof(float));
    kmeans->wide = carve(&carver, values, sizeof(double));
    kmeans->sizes = carve(&carver, clusters, sizeof(uint32_t));
    kmeans->labels = carve(&carver, count, sizeof(uint32_t));
    float *norms = carve(&carver, count, sizeof(float));
    struct carver seeding = carver;
    carve_rounds(kmeans, &carver);
    kmeans->bounds.norms = norms;
    if (!kmeans->options.initial) carve_seeding(kmeans, &seeding);
    *overflow = carver.overflow || seeding.overflow;
    return carver.used > seeding.used ? carver.used : seeding.used;
}

static shf_status check(const struct shf_kmeans_options *options, struct shf_error **error) {
    if (options->dimension == 0 || options->dimension > SHF_LIMIT_DIMENSION) {
        return shf_error_set(error, SHF_E_INVALID, "k-means of %u dimensions; 1 to %u are possible", options->dimension,
                             SHF_LIMIT_DIMENSION);
    }
    if (options->clusters == 0 || options->rounds == 0) {
        return shf_error_set(error, SHF_E_INVALID, "k-means with %u clusters and %u rounds; at least 1 of each is needed",
                             options->clusters, options->rounds);
    }
    if (options->count > SHF_KMEANS_MAX_ROWS) {
        return shf_error_set(error, SHF_E_INVALID, "k-means of %llu rows; at most %u are possible, train with a sample",
                             (unsigned long long)options->count, SHF_KMEANS_MAX_ROWS);
    }
    if (options->count < options->clusters) {
        return shf_error_set(
            error, SHF_E_INVALID,
            "%llu vectors can not be trained into %u clusters; give at least as many vectors as clusters",
            (unsigned long long)options->count, options->clusters);
    }
    return SHF_OK;
}

shf_status shf_kmeans_new(const struct shf_kmeans_options *options, struct shf_kmeans **out, struct shf_error **error) {
    bool overflow = false;
    shf_status status = check(options, error);
    if (status) return status;
    struct shf_kmeans *kmeans = shf_alloc_zero(1, sizeof *kmeans);
    if (!kmeans) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for k-means");
    kmeans->options = *options;
    size_t size = carve_all(kmeans, NULL, &overflow);
    if (overflow || !shf_budget_take(options->budget, size)) {
        status =
            shf_error_set(error, SHF_E_NO_MEMORY,
                          "the memory budget has no room for k-means of %llu vectors into %u clusters (%zu bytes); "
                          "train with fewer vectors, or raise the budget",
                          (unsigned long long)options->count, options->clusters, size);
        goto done;
    }
    kmeans->charged_bytes = size;
    kmeans->memory = shf_alloc_aligned(ALIGNMENT, size);
    if (!kmeans->memory) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for k-means (%zu bytes)", size);
        goto done;
    }
    (void)carve_all(kmeans, kmeans->memory, &overflow);
    kmeans->phase = SHF_KMEANS_PREPARE;
    kmeans->pieces = shf_kmeans_row_pieces(kmeans);
    *out = kmeans;
    kmeans = NULL;
done:
    shf_kmeans_free(kmeans);
    return status;
}

void shf_kmeans_free(struct shf_kmeans *kmeans) {
    if (!kmeans) return;
    shf_free_aligned(kmeans->memory);
    shf_budget_give(kmeans->options.budget, kmeans->charged_bytes);
    shf_free(kmeans);
}

/* ---- phases ---- */

static void prepare_run(struct shf_kmeans *kmeans, uint32_t piece) {
    uint32_t first, end, dimension = kmeans->options.dimension;
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    for (size_t r = first; r < end; r++) {
        double norm;
        if (kmeans->options.spherical) (void)shf_kmeans_normalise(kmeans->options.rows + r * dimension, dimension);
        shf_search_norms(shf_kmeans_row(kmeans, r), 1, dimension, &norm);
        kmeans->bounds.norms[r] = (float)norm;
    }
}

static void finish_run(struct shf_kmeans *kmeans, uint32_t piece) {
    uint32_t first, end;
    double sum = 0;
    if (!kmeans->is_settled) shf_kmeans_assign_run(kmeans, piece);
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    for (size_t r = first; r < end; r++)
        sum += shf_kmeans_distance(kmeans, shf_kmeans_row(kmeans, r), kmeans->labels[r]);
    kmeans->piece_sums[piece] = sum;
}

void shf_kmeans_run(struct shf_kmeans *kmeans, uint32_t piece) {
    switch (kmeans->phase) {
    case SHF_KMEANS_PREPARE: prepare_run(kmeans, piece); break;
    case SHF_KMEANS_SEED: shf_kmeans_seed_run(kmeans, piece); break;
    case SHF_KMEANS_ASSIGN: shf_kmeans_assign_run(kmeans, piece); break;
    case SHF_KMEANS_UPDATE: shf_kmeans_update_run(kmeans, piece); break;
    case SHF_KMEANS_FINISH: finish_run(kmeans, piece); break;
    case SHF_KMEANS_DONE: break;
    }
}

static void enter(struct shf_kmeans *kmeans, enum shf_kmeans_phase phase) {
    kmeans->phase = phase;
    if (phase == SHF_KMEANS_DONE) {
        kmeans->pieces = 0;
    } else if (phase == SHF_KMEANS_UPDATE) {
        kmeans->pieces = shf_kmeans_update_pieces(kmeans);
    } else {
        kmeans->pieces = shf_kmeans_row_pieces(kmeans);
    }
}

/* Centroids are there: the first round. */
static void begin_rounds(struct shf_kmeans *kmeans) {
    size_t dimension = kmeans->options.dimension, values = kmeans->options.clusters * dimension;
    for (size_t c = 0; kmeans->options.spherical && c < kmeans->options.clusters; c++) {
        (void)shf_kmeans_normalise(kmeans->centroids + c * dimension, kmeans->options.dimension);
    }
    for (size_t i = 0; i < values; i++) kmeans->wide[i] = (double)kmeans->centroids[i];
    for (size_t r = 0; r < kmeans->options.count; r++) kmeans->labels_before[r] = SHF_KMEANS_NONE;
    memset(kmeans->sizes, 0, kmeans->options.clusters * sizeof *kmeans->sizes);
    shf_kmeans_bounds_begin(kmeans);
    enter(kmeans, SHF_KMEANS_ASSIGN);
}

static void prepared(struct shf_kmeans *kmeans) {
    if (kmeans->options.initial) {
        size_t values = (size_t)kmeans->options.clusters * kmeans->options.dimension;
        memcpy(kmeans->centroids, kmeans->options.initial, values * sizeof *kmeans->centroids);
        begin_rounds(kmeans);
        return;
    }
    shf_kmeans_seed_begin(kmeans);
    enter(kmeans, SHF_KMEANS_SEED);
}

static void finish(struct shf_kmeans *kmeans) {
    uint32_t pieces = shf_kmeans_row_pieces(kmeans);
    for (uint32_t p = 0; p < pieces; p++) kmeans->inertia += kmeans->piece_sums[p];
    enter(kmeans, SHF_KMEANS_DONE);
}

void shf_kmeans_advance(struct shf_kmeans *kmeans) {
    bool goes_on;
    switch (kmeans->phase) {
    case SHF_KMEANS_PREPARE: prepared(kmeans); break;
    case SHF_KMEANS_SEED:
        if (!shf_kmeans_seed_advance(kmeans)) begin_rounds(kmeans);
        break;
    case SHF_KMEANS_ASSIGN:
        kmeans->round++;
        kmeans->is_settled = !shf_kmeans_update_begin(kmeans);
        enter(kmeans, kmeans->is_settled ? SHF_KMEANS_FINISH : SHF_KMEANS_UPDATE);
        break;
    case SHF_KMEANS_UPDATE:
        goes_on = shf_kmeans_update_end(kmeans) && kmeans->round < kmeans->options.rounds;
        enter(kmeans, goes_on ? SHF_KMEANS_ASSIGN : SHF_KMEANS_FINISH);
        break;
    case SHF_KMEANS_FINISH: finish(kmeans); break;
    case SHF_KMEANS_DONE: break;
    }
}

uint32_t shf_kmeans_pieces(const struct shf_kmeans *kmeans) { return kmeans->pieces; }
const float *shf_kmeans_centroids(const struct shf_kmeans *kmeans) { return kmeans->centroids; }
double shf_kmeans_inertia(const struct shf_kmeans *kmeans) { return kmeans->inertia; }
uint32_t shf_kmeans_rounds(const struct shf_kmeans *kmeans) { return kmeans->round; }
