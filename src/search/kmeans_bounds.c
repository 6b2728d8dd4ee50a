/* Centroids in panels, and how far they moved. */
#include "search/kmeans_state.h"

#include <float.h>
#include <math.h>

#define PANEL SHF_KERNEL_PANEL

struct shf_kmeans_bounds shf_kmeans_bounds_of(uint32_t clusters) {
    struct shf_kmeans_bounds bounds = {0};
    bounds.panels = (clusters - 1) / PANEL + 1;
    bounds.group_panels = (bounds.panels - 1) / SHF_KMEANS_MAX_GROUPS + 1;
    bounds.groups = (bounds.panels - 1) / bounds.group_panels + 1;
    return bounds;
}

/* At least `value`, which was rounded. */
static float rounded_up(double value) { return (float)(value * (1 + 0x1p-23)) * (1 + 0x1p-22f) + FLT_MIN; }

static void pack(struct shf_kmeans *kmeans, uint32_t cluster) {
    struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t dimension = kmeans->options.dimension;
    const float *centroid = kmeans->centroids + (size_t)cluster * dimension;
    float *points = bounds->panel_points + (size_t)(cluster / PANEL) * PANEL * dimension + cluster % PANEL;
    double norm;
    for (size_t i = 0; i < dimension; i++) points[i * PANEL] = centroid[i];
    shf_search_norms(centroid, 1, dimension, &norm);
    bounds->panel_norms[cluster] = (float)(norm * norm);
}

static void measure_reach(struct shf_kmeans *kmeans) {
    struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    for (uint32_t p = 0; p < bounds->panels; p++) bounds->panel_reach[p] = 0;
    for (uint32_t c = 0; c < kmeans->options.clusters; c++) {
        float *reach = &bounds->panel_reach[c / PANEL], norm = rounded_up(sqrt((double)bounds->panel_norms[c]));
        if (!(norm <= *reach)) *reach = norm;
    }
}

void shf_kmeans_bounds_begin(struct shf_kmeans *kmeans) {
    struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t places = bounds->panels * PANEL;
    for (uint32_t c = 0; c < kmeans->options.clusters; c++) pack(kmeans, c);
    for (uint32_t c = kmeans->options.clusters; c < places; c++) {
        float *points = bounds->panel_points + (size_t)(c / PANEL) * PANEL * kmeans->options.dimension + c % PANEL;
        for (size_t i = 0; i < kmeans->options.dimension; i++) points[i * PANEL] = 0;
        bounds->panel_norms[c] = INFINITY;
    }
    measure_reach(kmeans);
}

void shf_kmeans_bounds_move(struct shf_kmeans *kmeans, uint32_t cluster, double distance) {
    kmeans->bounds.drifts[cluster] = distance > 0 ? rounded_up(distance) : 0;
    if (distance > 0) pack(kmeans, cluster);
}

void shf_kmeans_bounds_moved(struct shf_kmeans *kmeans) {
    struct shf_kmeans_bounds *bounds = &kmeans->bounds;
    uint32_t group_clusters = bounds->group_panels * PANEL;
    for (uint32_t g = 0; g < bounds->groups; g++) bounds->group_drifts[g] = 0;
    for (uint32_t c = 0; c < kmeans->options.clusters; c++) {
        float *farthest = &bounds->group_drifts[c / group_clusters];
        if (bounds->drifts[c] > *farthest) *farthest = bounds->drifts[c];
    }
    measure_reach(kmeans);
}
