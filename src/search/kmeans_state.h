/*
 * What the files of k-means share. Rows are worked on in pieces of a fixed size, sums over pieces are added in the order of
 * pieces: nothing depends on threads. Every decision (nearest centroid, best candidate) is that of the float64 sums of
 * kernel.h, which are the same bits on every instruction set; float32 only finds out where there is nothing to decide.
 */
#ifndef SHF_SEARCH_KMEANS_STATE_H
#define SHF_SEARCH_KMEANS_STATE_H

#include "search/kernel.h"
#include "search/kmeans.h"

#define SHF_KMEANS_MAX_CANDIDATES 16u
#define SHF_KMEANS_MAX_GROUPS 16u
#define SHF_KMEANS_BLOCK_ROWS 240u /* a multiple of what kernels take at once; their values stay in the L2 cache */
#define SHF_KMEANS_MAX_ROWS ((1u << 31) - 1)
#define SHF_KMEANS_NONE UINT32_MAX

enum shf_kmeans_phase {
    SHF_KMEANS_PREPARE, /* rows: normalised, norms */
    SHF_KMEANS_SEED,    /* rows: distances to the candidates of the next centroid */
    SHF_KMEANS_ASSIGN,  /* rows: nearest centroid */
    SHF_KMEANS_UPDATE,  /* clusters: sums of their rows */
    SHF_KMEANS_FINISH,  /* rows: nearest centroid and distance to it */
    SHF_KMEANS_DONE
};

struct shf_kmeans_seeding {
    uint32_t chosen;     /* centroids */
    uint32_t candidates; /* of the next one */
    uint32_t stride;     /* most candidates */
    uint32_t winner;     /* of the last candidates: not yet in `closest` of the rows that it improves */
    uint32_t candidate_rows[SHF_KMEANS_MAX_CANDIDATES];
    double *values;        /* of the candidates, widened; dimension each */
    float *points, *norms; /* of the candidates, a panel as the kernel has it */
    float reach;           /* greatest norm of a candidate */
    double *between;       /* chosen centroid * MAX_CANDIDATES: a quarter of the squared distance to a candidate */
    double *between_least; /* over the candidates */
    double *sums;          /* piece * MAX_CANDIDATES: of min(closest, distance to the candidate) over its rows */
    /* of rows */
    double *closest;    /* squared distance to the nearest chosen centroid */
    uint16_t *improves; /* bit of a candidate: nearer than `closest` */
    uint64_t random;
};

/*
 * What need not be computed (the bounds of G. Hamerly, 2010, by groups as in Yinyang k-means, Y. Ding and others, 2015).
 * Centroids are in panels, panels in groups. A row whose own centroid is at most `upper` away, and those of a group at least
 * `lower`, has nothing to seek in that group when upper < lower. Centroids move, and the bounds by as much. All of this is
 * float32, rounded so that it stays true.
 */
struct shf_kmeans_bounds {
    uint32_t panels, groups, group_panels; /* group_panels: a group, save the last */
    float *panel_points, *panel_norms;     /* as the kernel has them */
    float *panel_reach;                    /* greatest norm of a panel's centroids */
    float *drifts, *group_drifts;          /* how far each centroid moved last, and the farthest of each group */
    /* of rows */
    float *norms, *upper, *lower; /* lower: groups each */
};

struct shf_kmeans {
    struct shf_kmeans_options options;
    enum shf_kmeans_phase phase;
    uint32_t round, pieces;
    double inertia;
    void *memory;
    uint64_t charged_bytes;
    struct shf_kmeans_seeding seeding;

    float *centroids;
    double *wide; /* the centroids as float64 */
    double *sums; /* cluster * dimension, of the rows in it */
    uint32_t *sizes;
    /* Rows to be added to or taken from sums, by cluster: those of cluster c are events[event_ends[c - 1]...] */
    uint32_t *events, *event_ends;
    bool is_settled; /* the last round changed nothing: rows are with the nearest centroids */
    bool is_fresh;   /* sums begin at zero */
    double *piece_sums;
    /* of rows */
    uint32_t *labels, *labels_before; /* nearest centroid now, and when sums were last made */
    struct shf_kmeans_bounds bounds;
};

#define SHF_KMEANS_TAKEN (1u << 31) /* of an event: the row left the cluster */

/* The rows of a piece of row phases. */
uint32_t shf_kmeans_row_pieces(const struct shf_kmeans *kmeans);
void shf_kmeans_piece_rows(const struct shf_kmeans *kmeans, uint32_t piece, uint32_t *first, uint32_t *end);

static inline const float *shf_kmeans_row(const struct shf_kmeans *kmeans, size_t row) {
    return kmeans->options.rows + row * kmeans->options.dimension;
}

/* Squared distance, the same bits everywhere. */
static inline double shf_kmeans_distance(const struct shf_kmeans *kmeans, const float *row, uint32_t cluster) {
    const double *centroid = kmeans->wide + (size_t)cluster * kmeans->options.dimension;
    double sum;
    shf_kernel_current()->squared(row, 1, kmeans->options.dimension, &centroid, 1, &sum);
    return sum;
}

#define SHF_KMEANS_GREATEST_DOUBT 1e30f /* beyond, float32 may overflow: float64 decides */
#define SHF_KMEANS_LEAST_DOUBT 1e-36f   /* below, it loses bits */

/* How far the float32 score of a point of norm `reach` at most may be from the exact one, and a little more. */
static inline float shf_kmeans_doubt(const struct shf_kmeans *kmeans, float norm, float reach) {
    float terms = (float)(kmeans->options.dimension + 8), rounding = 1.1f * 0x1p-24f;
    return SHF_KMEANS_LEAST_DOUBT + rounding * (2 * terms * norm * reach + 8 * (norm * norm + reach * reach));
}

/* In place; a vector of norm 0, or whose norm is no number, stays as it is: false. */
bool shf_kmeans_normalise(float *vector, uint32_t dimension);

/* k-means++: begin chooses the first centroid; advance the next one; false when all are there. */
uint32_t shf_kmeans_candidates(uint32_t clusters);
void shf_kmeans_seed_begin(struct shf_kmeans *kmeans);
void shf_kmeans_seed_run(struct shf_kmeans *kmeans, uint32_t piece);
bool shf_kmeans_seed_advance(struct shf_kmeans *kmeans);

/* How the centroids are divided. */
struct shf_kmeans_bounds shf_kmeans_bounds_of(uint32_t clusters);
/* The first centroids are there. */
void shf_kmeans_bounds_begin(struct shf_kmeans *kmeans);
/* Centroid `cluster` is where it was, or moved so far (0 = it did not). */
void shf_kmeans_bounds_move(struct shf_kmeans *kmeans, uint32_t cluster, double distance);
/* All have been moved. */
void shf_kmeans_bounds_moved(struct shf_kmeans *kmeans);

void shf_kmeans_assign_run(struct shf_kmeans *kmeans, uint32_t piece);

/* Sorts what changed by cluster; false when nothing did. */
bool shf_kmeans_update_begin(struct shf_kmeans *kmeans);
uint32_t shf_kmeans_update_pieces(const struct shf_kmeans *kmeans);
void shf_kmeans_update_run(struct shf_kmeans *kmeans, uint32_t piece);
/* Centroids of the sums; false when none moved more than the tolerance. */
bool shf_kmeans_update_end(struct shf_kmeans *kmeans);

#endif
