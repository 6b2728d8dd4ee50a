/* The nearest centroid of each row; of equals the first. */
#include "search/kmeans_state.h"

#include <math.h>

#define BLOCK_ROWS 32u

/* Those of the block that one of `count` centroids from `first` is nearer to. */
static void consider(const struct shf_kmeans *kmeans, const double *distances, size_t rows, uint32_t first,
                     uint32_t count, double *least, uint32_t *labels) {
    (void)kmeans;
    for (uint32_t c = 0; c < count; c++) {
        for (size_t r = 0; r < rows; r++) {
            if (!(distances[c * rows + r] < least[r])) continue;
            least[r] = distances[c * rows + r];
            labels[r] = first + c;
        }
    }
}

void shf_kmeans_assign_run(struct shf_kmeans *kmeans, uint32_t piece) {
    uint32_t first, end, dimension = kmeans->options.dimension, clusters = kmeans->options.clusters;
    double distances[BLOCK_ROWS * SHF_KERNEL_QUERIES], least[BLOCK_ROWS];
    shf_kmeans_piece_rows(kmeans, piece, &first, &end);
    for (uint32_t begin = first; begin < end; begin += BLOCK_ROWS) {
        uint32_t rows = end - begin < BLOCK_ROWS ? end - begin : BLOCK_ROWS;
        for (uint32_t r = 0; r < rows; r++) {
            least[r] = INFINITY;
            kmeans->labels[begin + r] = 0;
        }
        for (uint32_t c = 0; c < clusters; c += SHF_KERNEL_QUERIES) {
            uint32_t together = clusters - c < SHF_KERNEL_QUERIES ? clusters - c : SHF_KERNEL_QUERIES;
            const double *centroids[SHF_KERNEL_QUERIES];
            for (uint32_t i = 0; i < together; i++) centroids[i] = kmeans->wide + (size_t)(c + i) * dimension;
            shf_kernel_current()->squared(shf_kmeans_row(kmeans, begin), rows, dimension, centroids, together, distances);
            consider(kmeans, distances, rows, c, together, least, kmeans->labels + begin);
        }
    }
}
