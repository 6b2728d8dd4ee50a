/*
 * Centroids of their rows. Sums are float64 and live on from round to round: only rows that changed their cluster are added
 * and taken away, in the order of rows, unless so many changed that beginning anew costs less.
 */
#include "search/kmeans_state.h"

#include <math.h>
#include <string.h>

#define PIECES 64u       /* about */
#define SLICE_VALUES 64u /* of few clusters, each is cut into slices of at least so many dimensions */
#define LINE_VALUES 16u  /* of a cache line */
#define ROWS_AHEAD 3u
#define TOLERANCE 1e-6 /* as numpy.allclose has them in the reference */
#define TOLERANCE_RELATIVE 1e-5

struct partition {
    uint32_t clusters, slices; /* clusters a piece; pieces a cluster */
};

static struct partition partition_of(const struct shf_kmeans *kmeans) {
    uint32_t clusters = kmeans->options.clusters, dimension = kmeans->options.dimension;
    if (clusters >= PIECES) return (struct partition){(clusters + PIECES - 1) / PIECES, 1};
    uint32_t wanted = PIECES / clusters / 4, most = dimension / SLICE_VALUES;
    if (wanted > most) wanted = most;
    return (struct partition){1, wanted ? wanted : 1};
}

uint32_t shf_kmeans_update_pieces(const struct shf_kmeans *kmeans) {
    struct partition partition = partition_of(kmeans);
    return (kmeans->options.clusters + partition.clusters - 1) / partition.clusters * partition.slices;
}

static bool is_event(const struct shf_kmeans *kmeans, size_t row) {
    return kmeans->is_fresh || kmeans->labels[row] != kmeans->labels_before[row];
}

/* event_ends become counts of events; sizes are made new. */
static void count_events(struct shf_kmeans *kmeans) {
    uint32_t *ends = kmeans->event_ends, *sizes = kmeans->sizes;
    memset(ends, 0, kmeans->options.clusters * sizeof *ends);
    if (kmeans->is_fresh) memset(sizes, 0, kmeans->options.clusters * sizeof *sizes);
    for (size_t r = 0; r < kmeans->options.count; r++) {
        uint32_t to = kmeans->labels[r], from = kmeans->labels_before[r];
        if (!is_event(kmeans, r)) continue;
        ends[to]++;
        sizes[to]++;
        if (kmeans->is_fresh) continue;
        ends[from]++;
        sizes[from]--;
    }
}

/* Putting an event there moves the beginning of its cluster: in the end it is the end. */
static void sort_events(struct shf_kmeans *kmeans) {
    uint32_t *ends = kmeans->event_ends, sum = 0;
    for (uint32_t c = 0; c < kmeans->options.clusters; c++) {
        uint32_t events = ends[c];
        ends[c] = sum;
        sum += events;
    }
    for (uint32_t r = 0; r < kmeans->options.count; r++) {
        uint32_t to = kmeans->labels[r], from = kmeans->labels_before[r];
        if (!is_event(kmeans, r)) continue;
        kmeans->events[ends[to]++] = r;
        if (!kmeans->is_fresh) kmeans->events[ends[from]++] = r | SHF_KMEANS_TAKEN;
        kmeans->labels_before[r] = to;
    }
}

bool shf_kmeans_update_begin(struct shf_kmeans *kmeans) {
    uint64_t changed = 0;
    for (size_t r = 0; r < kmeans->options.count; r++) changed += kmeans->labels[r] != kmeans->labels_before[r];
    if (changed == 0) return false;
    kmeans->is_fresh = kmeans->round == 1 || 2 * changed > kmeans->options.count;
    count_events(kmeans);
    sort_events(kmeans);
    return true;
}

/* The rows of a cluster lie far apart: they are asked for some rows before they are needed. */
static void fetch_row(const float *row, uint32_t count) {
    for (uint32_t i = 0; i < count; i += LINE_VALUES) __builtin_prefetch(row + i);
}

/* `count` dimensions from `first`. */
static void sum_cluster(struct shf_kmeans *kmeans, uint32_t cluster, uint32_t first, uint32_t count) {
    double *sums = kmeans->sums + (size_t)cluster * kmeans->options.dimension + first;
    uint32_t end = kmeans->event_ends[cluster];
    if (kmeans->is_fresh) memset(sums, 0, count * sizeof *sums);
    for (uint32_t e = cluster ? kmeans->event_ends[cluster - 1] : 0; e < end; e++) {
        uint32_t event = kmeans->events[e];
        if (e + ROWS_AHEAD < end) {
            fetch_row(shf_kmeans_row(kmeans, kmeans->events[e + ROWS_AHEAD] & ~SHF_KMEANS_TAKEN) + first, count);
        }
        shf_kernel_current()->add(sums, shf_kmeans_row(kmeans, event & ~SHF_KMEANS_TAKEN) + first, count,
                                  event & SHF_KMEANS_TAKEN);
    }
}

void shf_kmeans_update_run(struct shf_kmeans *kmeans, uint32_t piece) {
    struct partition partition = partition_of(kmeans);
    uint32_t slice = piece % partition.slices, begin = piece / partition.slices * partition.clusters;
    uint32_t end = begin + partition.clusters;
    uint32_t first = (uint32_t)((uint64_t)kmeans->options.dimension * slice / partition.slices);
    uint32_t last = (uint32_t)((uint64_t)kmeans->options.dimension * (slice + 1) / partition.slices);
    if (end > kmeans->options.clusters) end = kmeans->options.clusters;
    for (uint32_t c = begin; c < end; c++) sum_cluster(kmeans, c, first, last - first);
}

/* What its sums are divided by; 0 = the cluster keeps its centroid: it has no rows, or (spherical) they have no direction. */
static double divisor_of(const struct shf_kmeans *kmeans, uint32_t cluster) {
    const double *sums = kmeans->sums + (size_t)cluster * kmeans->options.dimension;
    double norm = 0;
    if (kmeans->sizes[cluster] == 0 || !kmeans->options.spherical) return (double)kmeans->sizes[cluster];
    for (uint32_t i = 0; i < kmeans->options.dimension; i++) norm += sums[i] * sums[i];
    return sqrt(norm);
}

/* Whether a value moved more than the tolerance. */
static bool move_centroid(struct shf_kmeans *kmeans, uint32_t cluster) {
    size_t at = (size_t)cluster * kmeans->options.dimension;
    float *centroid = kmeans->centroids + at;
    double divisor = divisor_of(kmeans, cluster), square = 0;
    bool is_moved = false;
    if (!(divisor > 0)) {
        shf_kmeans_bounds_move(kmeans, cluster, 0);
        return false;
    }
    for (uint32_t i = 0; i < kmeans->options.dimension; i++) {
        float now = (float)(kmeans->sums[at + i] / divisor);
        double change = fabs((double)now - (double)centroid[i]);
        is_moved = is_moved || change > TOLERANCE + TOLERANCE_RELATIVE * fabs((double)now);
        square += change * change;
        centroid[i] = now;
        kmeans->wide[at + i] = (double)now;
    }
    shf_kmeans_bounds_move(kmeans, cluster, sqrt(square));
    return is_moved;
}

bool shf_kmeans_update_end(struct shf_kmeans *kmeans) {
    bool is_moved = false;
    for (uint32_t c = 0; c < kmeans->options.clusters; c++) is_moved = move_centroid(kmeans, c) || is_moved;
    shf_kmeans_bounds_moved(kmeans);
    return is_moved;
}
