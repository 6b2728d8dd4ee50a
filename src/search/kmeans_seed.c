/*
 * k-means++, greedy: each further centroid is the best of several candidates, drawn with the probability of their squared
 * distance to what is chosen. A row whose centroid is at most half as far as that centroid is from a candidate can not be
 * nearer to the candidate: most distances need not be computed.
 */
#include "search/kmeans_state.h"

#include <math.h>
#include <string.h>

#define MAX_CANDIDATES SHF_KMEANS_MAX_CANDIDATES
/* Squared distances are rounded; so much less than a quarter is certain. */
#define CERTAIN_QUARTER (0.25 * (1 - 1e-9))

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double next_fraction(uint64_t *state) { return (double)(next_random(state) >> 11) * 0x1p-53; }

static uint32_t any_row(struct shf_kmeans *kmeans) {
    return (uint32_t)(next_fraction(&kmeans->seeding.random) * (double)kmeans->options.count);
}

uint32_t shf_kmeans_candidates(uint32_t clusters) {
    uint32_t count = 2 + (uint32_t)log((double)clusters);
    return count < MAX_CANDIDATES ? count : MAX_CANDIDATES;
}

/* Widens the candidates and measures how far they are from what is chosen. */
static void make_candidates(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    uint32_t dimension = kmeans->options.dimension;
    for (uint32_t j = 0; j < seeding->candidates; j++) {
        const float *row = shf_kmeans_row(kmeans, seeding->candidate_rows[j]);
        double *values = seeding->values + (size_t)j * dimension;
        for (uint32_t i = 0; i < dimension; i++) values[i] = (double)row[i];
    }
    for (size_t c = 0; c < seeding->chosen; c++) {
        const float *centroid = kmeans->centroids + c * dimension;
        double *between = seeding->between + c * MAX_CANDIDATES, least = INFINITY;
        for (uint32_t j = 0; j < seeding->candidates; j++) {
            const double *values = seeding->values + (size_t)j * dimension;
            shf_kernel_current()->squared(centroid, 1, dimension, &values, 1, &between[j]);
            between[j] *= CERTAIN_QUARTER;
            if (between[j] < least) least = between[j];
        }
        seeding->between_least[c] = least;
    }
}

void shf_kmeans_seed_begin(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    seeding->random = kmeans->options.seed;
    seeding->candidates = 1;
    seeding->stride = shf_kmeans_candidates(kmeans->options.clusters);
    seeding->chosen = seeding->winner = 0;
    seeding->candidate_rows[0] = any_row(kmeans);
    for (size_t r = 0; r < kmeans->options.count; r++) {
        seeding->closest[r] = INFINITY;
        seeding->improves[r] = 0;
        kmeans->labels[r] = 0;
    }
    seeding->between_least[0] = 0; /* nothing is chosen, and nothing is certain */
    memset(seeding->between, 0, MAX_CANDIDATES * sizeof *seeding->between);
    make_candidates(kmeans);
}

static double *distances_of(const struct shf_kmeans_seeding *seeding, size_t row) {
    return seeding->distances + row * seeding->stride;
}

static bool winner_improves(const struct shf_kmeans_seeding *seeding, size_t row) {
    return seeding->improves[row] >> seeding->winner & 1;
}

/* Adds the row to the potentials of the candidates; `sums` has MAX_CANDIDATES. */
static void measure_row(struct shf_kmeans *kmeans, size_t row, const double *between, double *sums) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    const float *values = shf_kmeans_row(kmeans, row);
    double closest = seeding->closest[row];
    for (uint32_t j = 0; j < seeding->candidates; j++) {
        const double *candidate = seeding->values + (size_t)j * kmeans->options.dimension;
        double distance = closest;
        if (closest > between[j]) {
            shf_kernel_current()->squared(values, 1, kmeans->options.dimension, &candidate, 1, &distance);
        }
        if (distance < closest) {
            seeding->improves[row] |= (uint16_t)(1u << j);
            distances_of(seeding, row)[j] = distance;
            sums[j] += distance;
        } else {
            sums[j] += closest;
        }
    }
}

void shf_kmeans_seed_run(struct shf_kmeans *kmeans, uint32_t piece) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    double sums[MAX_CANDIDATES] = {0}, unmoved = 0;
    uint32_t first, end;
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    for (size_t r = first; r < end; r++) {
        if (winner_improves(seeding, r)) {
            seeding->closest[r] = distances_of(seeding, r)[seeding->winner];
            kmeans->labels[r] = seeding->chosen - 1;
        }
        uint32_t chosen = kmeans->labels[r];
        seeding->improves[r] = 0;
        if (seeding->closest[r] <= seeding->between_least[chosen]) {
            unmoved += seeding->closest[r];
        } else {
            measure_row(kmeans, r, seeding->between + (size_t)chosen * MAX_CANDIDATES, sums);
        }
    }
    for (uint32_t j = 0; j < seeding->candidates; j++) seeding->sums[piece * MAX_CANDIDATES + j] = sums[j] + unmoved;
}

/* ---- between the steps ---- */

static double total_of(const struct shf_kmeans *kmeans, uint32_t candidate) {
    uint32_t pieces = shf_kmeans_row_pieces(kmeans);
    double total = 0;
    for (uint32_t p = 0; p < pieces; p++) total += kmeans->seeding.sums[p * MAX_CANDIDATES + candidate];
    return total;
}

/* The candidate that leaves the least sum of squares; `*total` is that sum. */
static uint32_t best_candidate(const struct shf_kmeans *kmeans, double *total) {
    uint32_t best = 0;
    *total = total_of(kmeans, 0);
    for (uint32_t j = 1; j < kmeans->seeding.candidates; j++) {
        double sum = total_of(kmeans, j);
        if (!(sum < *total)) continue;
        *total = sum;
        best = j;
    }
    return best;
}

/* The row at which the sum of squares over the rows reaches `wanted`; rounding may end it early: then the last row that counts. */
static uint32_t row_at(const struct shf_kmeans *kmeans, double wanted) {
    const struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    uint32_t pieces = shf_kmeans_row_pieces(kmeans), piece = 0, first, end, last;
    for (; piece + 1 < pieces && wanted >= seeding->sums[piece * MAX_CANDIDATES + seeding->winner]; piece++) {
        wanted -= seeding->sums[piece * MAX_CANDIDATES + seeding->winner];
    }
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    last = first;
    for (uint32_t r = first; r < end; r++) {
        double closest = winner_improves(seeding, r) ? distances_of(seeding, r)[seeding->winner] : seeding->closest[r];
        if (!(closest > 0)) continue;
        last = r;
        if (wanted < closest) break;
        wanted -= closest;
    }
    return last;
}

bool shf_kmeans_seed_advance(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    size_t dimension = kmeans->options.dimension;
    double total;
    seeding->winner = best_candidate(kmeans, &total);
    const float *row = shf_kmeans_row(kmeans, seeding->candidate_rows[seeding->winner]);
    memcpy(kmeans->centroids + seeding->chosen++ * dimension, row, dimension * sizeof *row);
    if (seeding->chosen == kmeans->options.clusters) return false;
    seeding->candidates = total > 0 ? seeding->stride : 1; /* all rows are chosen already: any of them */
    for (uint32_t j = 0; j < seeding->candidates; j++) {
        seeding->candidate_rows[j] =
            total > 0 ? row_at(kmeans, next_fraction(&seeding->random) * total) : any_row(kmeans);
    }
    make_candidates(kmeans);
    return true;
}
