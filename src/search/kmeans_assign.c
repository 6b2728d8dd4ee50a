/*
 * The nearest centroid of each row; of equals the first. Groups that the bounds do not rule out are looked at in float32.
 * When the two best are closer than float32 can tell, float64 decides, over all groups that may hold the nearest.
 */
#include "search/kmeans_state.h"

#include <float.h>
#include <math.h>

#define BLOCK_ROWS SHF_KMEANS_BLOCK_ROWS
#define PANEL SHF_KERNEL_PANEL
#define A_BIT_MORE (1 + 0x1p-21f)
#define A_BIT_LESS (1 - 0x1p-21f)

/*
 * A row that is looked at. `least` is the float32 score (see kernel.h) of centroid `at`, of group `group`; the exact one is
 * at most `doubt` away. lower[] of groups that are looked at holds least scores meanwhile, without `at`, less the doubt.
 */
struct search {
    uint32_t row, groups; /* groups: bits of those to look at; none = not at all */
    uint32_t before;      /* its centroid until now, SHF_KMEANS_NONE at first */
    uint32_t at, group;
    float least, doubt;
    float own_score; /* the score of `before` is at least so much, when its group is not looked at; else infinite */
    float own_lower; /* its distance is at least so much */
    bool is_vague;   /* float32 can not be trusted */
};

/* At least, and at most, the exact value. */
static float above(double value) { return (float)value * A_BIT_MORE + FLT_MIN; }
static float below(double value) { return value > FLT_MIN ? (float)value * A_BIT_LESS : 0; }

static float *lower_of(const struct shf_kmeans *kmeans, size_t row) {
    return kmeans->bounds.lower + row * kmeans->bounds.groups;
}

static uint32_t group_of(const struct shf_kmeans *kmeans, uint32_t cluster) {
    return cluster / (kmeans->bounds.group_panels * PANEL);
}

static void begin_search(struct shf_kmeans *kmeans, struct search *search, uint32_t groups) {
    float *lower = lower_of(kmeans, search->row);
    search->groups = groups;
    for (uint32_t g = 0; g < kmeans->bounds.groups; g++) {
        if (groups >> g & 1) lower[g] = INFINITY;
    }
}

/* Bits of the groups that may hold a nearer centroid than one at most `upper` away. */
static uint32_t groups_within(const float *lower, uint32_t groups, float upper) {
    uint32_t within = 0;
    for (uint32_t g = 0; g < groups; g++) within |= (uint32_t) !(upper < lower[g]) << g;
    return within;
}

/* The row's centroid is known, and how far it is: groups that are no farther are looked at. */
static void begin_known(struct shf_kmeans *kmeans, struct search *search) {
    const struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t row = search->row;
    double norm = (double)bounds->norms[row];
    double square = shf_kmeans_distance(kmeans, shf_kmeans_row(kmeans, row), search->before), distance = sqrt(square);
    bounds->upper[row] = above(distance);
    uint32_t groups = groups_within(lower_of(kmeans, row), bounds->groups, bounds->upper[row]);
    search->group = group_of(kmeans, search->before);
    if (!groups) return;
    if (!(groups >> search->group & 1)) { /* else it comes with its group */
        search->least = (float)(square - norm * norm);
        search->doubt = shf_kmeans_doubt(kmeans, bounds->norms[row], above(norm + distance));
        search->own_score = search->least - search->doubt;
        search->own_lower = below(distance);
        search->is_vague = !(search->doubt < SHF_KMEANS_GREATEST_DOUBT);
    }
    begin_search(kmeans, search, groups);
}

/* The bounds after the centroids moved, and by them which groups to look at. */
static void consider(struct shf_kmeans *kmeans, struct search *search, uint32_t row) {
    const struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t own = kmeans->labels_before[row];
    float *lower = lower_of(kmeans, row), least = INFINITY;
    *search = (struct search){.row = row, .before = own, .at = own, .least = INFINITY, .own_score = INFINITY};
    if (own == SHF_KMEANS_NONE) {
        begin_search(kmeans, search, (1u << bounds->groups) - 1);
        return;
    }
    for (uint32_t g = 0; g < bounds->groups; g++) {
        lower[g] = below((double)(lower[g] - bounds->group_drifts[g]));
        least = lower[g] < least ? lower[g] : least;
    }
    bounds->upper[row] = above((double)(bounds->upper[row] + bounds->drifts[own]));
    if (!(bounds->upper[row] < least)) begin_known(kmeans, search);
}

static void lower_to(float *bound, float value) { *bound = value < *bound ? value : *bound; }

/* What the kernel found in a panel. */
static void take_nearest(struct shf_kmeans *kmeans, struct search *search, uint32_t panel,
                         const struct shf_panel_nearest *nearest) {
    float *lower = lower_of(kmeans, search->row);
    float doubt = shf_kmeans_doubt(kmeans, kmeans->bounds.norms[search->row], kmeans->bounds.panel_reach[panel]);
    uint32_t group = panel / kmeans->bounds.group_panels;
    search->is_vague = search->is_vague || !(doubt < SHF_KMEANS_GREATEST_DOUBT);
    if (!(nearest->least < search->least)) {
        lower_to(&lower[group], nearest->least - doubt);
        return;
    }
    if (search->groups >> search->group & 1) lower_to(&lower[search->group], search->least - search->doubt);
    lower_to(&lower[group], nearest->second - doubt);
    search->least = nearest->least;
    search->doubt = doubt;
    search->at = panel * PANEL + nearest->at;
    search->group = group;
}

static void look_at_panel(struct shf_kmeans *kmeans, struct search *searches, uint32_t count, uint32_t panel) {
    const struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t group = panel / bounds->group_panels, found = 0, which[BLOCK_ROWS];
    const float *rows[BLOCK_ROWS];
    struct shf_panel_nearest nearest[BLOCK_ROWS];
    for (uint32_t i = 0; i < count; i++) {
        if (!(searches[i].groups >> group & 1)) continue;
        which[found] = i;
        rows[found++] = shf_kmeans_row(kmeans, searches[i].row);
    }
    if (!found) return;
    uint32_t points = kmeans->options.clusters - panel * PANEL;
    shf_kernel_current()->panel(rows, found, kmeans->options.dimension,
                                bounds->panel_points + (size_t)panel * PANEL * kmeans->options.dimension,
                                points < PANEL ? points : PANEL, bounds->panel_norms + (size_t)panel * PANEL, nearest);
    for (uint32_t i = 0; i < found; i++) take_nearest(kmeans, &searches[which[i]], panel, &nearest[i]);
}

/* ---- what came of it ---- */

struct choice {
    uint32_t cluster;
    double square;
};

static void choose_exactly(const struct shf_kmeans *kmeans, uint32_t row, uint32_t cluster, struct choice *choice) {
    double square = shf_kmeans_distance(kmeans, shf_kmeans_row(kmeans, row), cluster);
    if (square > choice->square || (square == choice->square && cluster > choice->cluster)) return;
    *choice = (struct choice){cluster, square};
}

/* float64 decides. `limit`: groups whose scores are all greater do not matter. */
static struct choice decide(const struct shf_kmeans *kmeans, const struct search *search, float limit) {
    const float *lower = lower_of(kmeans, search->row);
    uint32_t group_clusters = kmeans->bounds.group_panels * PANEL;
    struct choice choice = {SHF_KMEANS_NONE, INFINITY};
    if (search->before != SHF_KMEANS_NONE) choose_exactly(kmeans, search->row, search->before, &choice);
    for (uint32_t g = 0; g < kmeans->bounds.groups; g++) {
        if (!(search->groups >> g & 1) || (g != search->group && lower[g] > limit)) continue;
        uint32_t end = (g + 1) * group_clusters;
        if (end > kmeans->options.clusters) end = kmeans->options.clusters;
        for (uint32_t c = g * group_clusters; c < end; c++) choose_exactly(kmeans, search->row, c, &choice);
    }
    return choice;
}

/* Distances of scores. */
static void finish_bounds(struct shf_kmeans *kmeans, const struct search *search) {
    float *lower = lower_of(kmeans, search->row);
    double norm = (double)kmeans->bounds.norms[search->row];
    for (uint32_t g = 0; g < kmeans->bounds.groups; g++) {
        if (!(search->groups >> g & 1)) continue;
        double square = search->is_vague ? 0 : (double)lower[g] + norm * norm;
        lower[g] = square > 0 ? below(sqrt(square)) : 0;
    }
    /* The centroid that the row leaves is now one of those of its group. */
    uint32_t left = search->before != SHF_KMEANS_NONE ? group_of(kmeans, search->before) : 0;
    if (search->before != kmeans->labels[search->row] && search->before != SHF_KMEANS_NONE &&
        !(search->groups >> left & 1)) {
        lower_to(&lower[left], search->own_lower);
    }
}

static void finish_search(struct shf_kmeans *kmeans, const struct search *search) {
    float *lower = lower_of(kmeans, search->row), most = search->least + search->doubt, rest = INFINITY;
    double norm = (double)kmeans->bounds.norms[search->row];
    struct choice choice = {search->at, norm * norm + (double)most};
    for (uint32_t g = 0; g < kmeans->bounds.groups; g++) {
        if (search->groups >> g & 1) lower_to(&rest, lower[g]);
    }
    if (search->at != search->before) lower_to(&rest, search->own_score);
    if (search->is_vague || !(most < rest)) {
        choice = decide(kmeans, search, search->is_vague ? INFINITY : most);
        if (choice.cluster != search->at && search->groups >> search->group & 1) {
            lower_to(&lower[search->group], search->least - search->doubt);
        }
    }
    kmeans->labels[search->row] = choice.cluster;
    kmeans->bounds.upper[search->row] = above(choice.square > 0 ? sqrt(choice.square) : 0);
    finish_bounds(kmeans, search);
}

void shf_kmeans_assign_run(struct shf_kmeans *kmeans, uint32_t piece) {
    struct search searches[BLOCK_ROWS];
    uint32_t first, end;
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    while (first < end) {
        uint32_t rows = end - first < BLOCK_ROWS ? end - first : BLOCK_ROWS, count = 0;
        for (uint32_t r = first; r < first + rows; r++) {
            consider(kmeans, &searches[count], r);
            count += searches[count].groups != 0;
        }
        for (uint32_t p = 0; count && p < kmeans->bounds.panels; p++) look_at_panel(kmeans, searches, count, p);
        for (uint32_t i = 0; i < count; i++) finish_search(kmeans, &searches[i]);
        first += rows;
    }
}
