/*
 * k-means++, greedy: each further centroid is the best of several candidates, drawn with the probability of their squared
 * distance to what is chosen. A row whose centroid is at most half as far as that centroid is from a candidate can not be
 * nearer to the candidate: most distances need not be computed.
 */
#include "search/kmeans_state.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

#define MAX_CANDIDATES SHF_KMEANS_MAX_CANDIDATES
/* Squared distances are rounded; so much less than a quarter is certain. */
#define CERTAIN_QUARTER (0.25 * (1 - 1e-9))

static double next_fraction(uint64_t *state) { return (double)(shf_random_next(state) >> 11) * 0x1p-53; }

static uint32_t any_row(struct shf_kmeans *kmeans) {
    return (uint32_t)(next_fraction(&kmeans->seeding.random) * (double)kmeans->options.count);
}

/* Twice those of scikit-learn: the sum of squares after the rounds is a little less, and a panel has room for them. */
uint32_t shf_kmeans_candidates(uint32_t clusters) {
    uint32_t count = 2 * (2 + (uint32_t)log((double)clusters));
    return count < MAX_CANDIDATES ? count : MAX_CANDIDATES;
}

static void pack_candidate(struct shf_kmeans *kmeans, uint32_t candidate) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    uint32_t dimension = kmeans->options.dimension, row = seeding->candidate_rows[candidate];
    const float *values = shf_kmeans_row(kmeans, row);
    double *wide = seeding->values + (size_t)candidate * dimension;
    float norm = kmeans->bounds.norms[row] * (1 + 0x1p-21f);
    for (size_t i = 0; i < dimension; i++) {
        wide[i] = (double)values[i];
        seeding->points[i * SHF_KERNEL_PANEL + candidate] = values[i];
    }
    seeding->norms[candidate] = kmeans->bounds.norms[row] * kmeans->bounds.norms[row];
    if (!(norm <= seeding->reach)) seeding->reach = norm;
}

/* How far the candidates are from what is chosen. */
static void measure_between(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    for (uint32_t c = 0; c < seeding->chosen; c++) {
        double *between = seeding->between + (size_t)c * MAX_CANDIDATES, least = INFINITY;
        for (uint32_t j = 0; j < seeding->candidates; j++) {
            between[j] =
                CERTAIN_QUARTER * shf_kmeans_distance(kmeans, shf_kmeans_row(kmeans, seeding->candidate_rows[j]), c);
            if (between[j] < least) least = between[j];
        }
        seeding->between_least[c] = least;
    }
}

static void make_candidates(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    seeding->reach = 0;
    for (uint32_t j = 0; j < seeding->candidates; j++) pack_candidate(kmeans, j);
    for (uint32_t j = seeding->candidates; j < SHF_KERNEL_PANEL; j++) seeding->norms[j] = INFINITY;
    measure_between(kmeans);
}

void shf_kmeans_seed_begin(struct shf_kmeans *kmeans) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    seeding->random = kmeans->options.seed;
    seeding->stride = shf_kmeans_candidates(kmeans->options.clusters);
    seeding->chosen = seeding->winner = 0;
    seeding->candidates = 1;
    seeding->candidate_rows[0] = any_row(kmeans);
    for (size_t r = 0; r < kmeans->options.count; r++) {
        seeding->closest[r] = INFINITY;
        seeding->improves[r] = 0;
        kmeans->labels[r] = 0;
    }
    seeding->between_least[0] = 0; /* nothing is chosen, and nothing is certain */
    memset(seeding->between, 0, MAX_CANDIDATES * sizeof *seeding->between);
    memset(seeding->points, 0, (size_t)SHF_KERNEL_PANEL * kmeans->options.dimension * sizeof *seeding->points);
    make_candidates(kmeans);
}

static bool winner_improves(const struct shf_kmeans_seeding *seeding, size_t row) {
    return seeding->improves[row] >> seeding->winner & 1;
}

/* Squared distance to what is chosen; the winner is the last of it. */
static double closest_now(const struct shf_kmeans *kmeans, size_t row) {
    const struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    if (!winner_improves(seeding, row)) return seeding->closest[row];
    return shf_kmeans_distance(kmeans, shf_kmeans_row(kmeans, row), seeding->chosen - 1);
}

/* The sum of squares of a piece: `before`, as it is now, less what each candidate would take away. */
struct potential {
    double before, gains[MAX_CANDIDATES];
};

static void measure(struct shf_kmeans *kmeans, uint32_t row, uint32_t candidate, struct potential *potential) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    const double *values = seeding->values + (size_t)candidate * kmeans->options.dimension;
    double closest = seeding->closest[row], distance;
    if (closest <= seeding->between[(size_t)kmeans->labels[row] * MAX_CANDIDATES + candidate]) return;
    shf_kernel_current()->squared(shf_kmeans_row(kmeans, row), 1, kmeans->options.dimension, &values, 1, &distance);
    if (!(distance < closest)) return;
    seeding->improves[row] |= (uint16_t)(1u << candidate);
    potential->gains[candidate] += isinf(closest) ? -distance : closest - distance;
}

/* Whether float32 is enough to say that a candidate of this score is farther than what is chosen. */
static bool is_farther(const struct shf_kmeans *kmeans, uint32_t row, float score) {
    double norm = (double)kmeans->bounds.norms[row];
    float doubt = shf_kmeans_doubt(kmeans, kmeans->bounds.norms[row], kmeans->seeding.reach);
    if (!(doubt < SHF_KMEANS_GREATEST_DOUBT)) return false;
    return norm * norm + (double)score - (double)doubt > kmeans->seeding.closest[row] * (1 + 1e-9);
}

/* Of the candidates those that may be nearer. */
static void measure_row(struct shf_kmeans *kmeans, uint32_t row, const struct shf_panel_nearest *nearest,
                        struct potential *potential) {
    if (is_farther(kmeans, row, nearest->least)) return;
    if (is_farther(kmeans, row, nearest->second)) {
        measure(kmeans, row, nearest->at, potential);
        return;
    }
    for (uint32_t j = 0; j < kmeans->seeding.candidates; j++) measure(kmeans, row, j, potential);
}

/* Takes in the winner of the last step. False when the row is nearer to what is chosen than any candidate can be. */
static bool is_to_be_measured(struct shf_kmeans *kmeans, uint32_t row, struct potential *potential) {
    struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    if (winner_improves(seeding, row)) {
        seeding->closest[row] = closest_now(kmeans, row);
        kmeans->labels[row] = seeding->chosen - 1;
    }
    seeding->improves[row] = 0;
    if (isfinite(seeding->closest[row])) potential->before += seeding->closest[row];
    return !(seeding->closest[row] <= seeding->between_least[kmeans->labels[row]]);
}

static void measure_block(struct shf_kmeans *kmeans, uint32_t first, uint32_t end, struct potential *potential) {
    const struct shf_kmeans_seeding *seeding = &kmeans->seeding;
    uint32_t found = 0, which[SHF_KMEANS_BLOCK_ROWS];
    const float *rows[SHF_KMEANS_BLOCK_ROWS];
    struct shf_panel_nearest nearest[SHF_KMEANS_BLOCK_ROWS];
    for (uint32_t r = first; r < end; r++) {
        if (!is_to_be_measured(kmeans, r, potential)) continue;
        which[found] = r;
        rows[found++] = shf_kmeans_row(kmeans, r);
    }
    if (!found) return;
    shf_kernel_current()->panel(rows, found, kmeans->options.dimension, seeding->points, seeding->candidates,
                                seeding->norms, nearest);
    for (uint32_t i = 0; i < found; i++) measure_row(kmeans, which[i], &nearest[i], potential);
}

void shf_kmeans_seed_run(struct shf_kmeans *kmeans, uint32_t piece) {
    struct potential potential = {0};
    uint32_t first, end;
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    for (; first < end; first += SHF_KMEANS_BLOCK_ROWS) {
        uint32_t rows = end - first < SHF_KMEANS_BLOCK_ROWS ? end - first : SHF_KMEANS_BLOCK_ROWS;
        measure_block(kmeans, first, first + rows, &potential);
    }
    for (uint32_t j = 0; j < kmeans->seeding.candidates; j++) {
        double sum = potential.before - potential.gains[j]; /* rounding may leave a little less than nothing */
        kmeans->seeding.sums[(size_t)piece * MAX_CANDIDATES + j] = sum > 0 ? sum : 0;
    }
}

/* ---- between the steps ---- */

static double total_of(const struct shf_kmeans *kmeans, uint32_t candidate) {
    uint32_t pieces = shf_kmeans_row_pieces(kmeans);
    double total = 0;
    for (uint32_t p = 0; p < pieces; p++) total += kmeans->seeding.sums[(size_t)p * MAX_CANDIDATES + candidate];
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
    for (; piece + 1 < pieces && wanted >= seeding->sums[(size_t)piece * MAX_CANDIDATES + seeding->winner]; piece++) {
        wanted -= seeding->sums[(size_t)piece * MAX_CANDIDATES + seeding->winner];
    }
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    last = first;
    for (uint32_t r = first; r < end; r++) {
        double closest = closest_now(kmeans, r);
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
    size_t at = seeding->chosen++ * dimension;
    memcpy(kmeans->centroids + at, row, dimension * sizeof *row);
    for (size_t i = 0; i < dimension; i++) kmeans->wide[at + i] = (double)row[i];
    if (seeding->chosen == kmeans->options.clusters) return false;
    seeding->candidates = total > 0 ? seeding->stride : 1; /* all rows are chosen already: any of them */
    for (uint32_t j = 0; j < seeding->candidates; j++) {
        seeding->candidate_rows[j] =
            total > 0 ? row_at(kmeans, next_fraction(&seeding->random) * total) : any_row(kmeans);
    }
    make_candidates(kmeans);
    return true;
}
