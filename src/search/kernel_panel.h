/*
 * The body of the vector kernels of k-means, included once by kernel_avx2.c and kernel_avx512.c, which say beforehand:
 *
 *   panel_wide, PANEL_WIDTH    a register of PANEL_WIDTH float32
 *   PANEL_TILE_ROWS            rows of a tile: so many times two registers of sums, and what feeds them, are all there are
 *   panel_zero(), panel_load(p), panel_every(p)   all +0; PANEL_WIDTH values; one value in every lane
 *   panel_add(x, y, sums)      sums + x*y
 *   panel_score(dot, norm)     norm - 2*dot
 *   panel_least(scores, out)   of all scores of a panel
 *
 * A tile is the product of rows and two registers of points: each value of a row that is read feeds two registers of sums,
 * each value of the panel as many as there are rows. With points in half of the places only, half is computed.
 */
#ifndef SHF_SEARCH_KERNEL_PANEL_H
#define SHF_SEARCH_KERNEL_PANEL_H

#define PANEL_REGISTERS (SHF_KERNEL_PANEL / PANEL_WIDTH)
#define PANEL_UNROLL _Pragma("GCC unroll 16")

/* `count` and `registers` (1 or 2) are constants wherever this is inlined. */
INLINE void panel_tile(const float *const *rows, uint32_t count, uint32_t registers, uint32_t dimension,
                       const float *points, panel_wide sums[PANEL_TILE_ROWS][2]) {
    PANEL_UNROLL for (uint32_t r = 0; r < count; r++) sums[r][0] = sums[r][1] = panel_zero();
    for (size_t i = 0; i < dimension; i++) {
        panel_wide left = panel_load(points + i * SHF_KERNEL_PANEL);
        panel_wide right = registers > 1 ? panel_load(points + i * SHF_KERNEL_PANEL + PANEL_WIDTH) : panel_zero();
        PANEL_UNROLL for (uint32_t r = 0; r < count; r++) {
            panel_wide x = panel_every(rows[r] + i);
            sums[r][0] = panel_add(x, left, sums[r][0]);
            if (registers > 1) sums[r][1] = panel_add(x, right, sums[r][1]);
        }
    }
}

/* `half`: only the first half of the places have points. */
INLINE void panel_rows(const float *const *rows, uint32_t count, uint32_t dimension, const float *points,
                       const float *norms, bool half, struct shf_panel_nearest *out) {
    panel_wide scores[PANEL_TILE_ROWS][PANEL_REGISTERS];
    const uint32_t used = half ? PANEL_REGISTERS / 2 : PANEL_REGISTERS, together = used > 1 ? 2 : 1;
    for (uint32_t g = 0; g < used; g += together) {
        panel_wide sums[PANEL_TILE_ROWS][2];
        panel_tile(rows, count, together, dimension, points + g * PANEL_WIDTH, sums);
        PANEL_UNROLL for (uint32_t r = 0; r < count; r++) {
            for (uint32_t i = 0; i < together; i++) {
                scores[r][g + i] = panel_score(sums[r][i], panel_load(norms + (g + i) * PANEL_WIDTH));
            }
        }
    }
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t g = used; g < PANEL_REGISTERS; g++) scores[r][g] = panel_load(norms + g * PANEL_WIDTH);
        panel_least(scores[r], &out[r]);
    }
}

/* A tile that lacks rows repeats its last one and drops what comes of it. */
INLINE void panel_some(const float *const *rows, uint32_t count, uint32_t dimension, const float *points,
                       const float *norms, bool half, struct shf_panel_nearest *out) {
    const float *full[PANEL_TILE_ROWS];
    struct shf_panel_nearest nearest[PANEL_TILE_ROWS];
    for (uint32_t r = 0; r < PANEL_TILE_ROWS; r++) full[r] = rows[r < count ? r : count - 1];
    if (count <= PANEL_TILE_ROWS / 2) {
        panel_rows(full, PANEL_TILE_ROWS / 2, dimension, points, norms, half, nearest);
    } else {
        panel_rows(full, PANEL_TILE_ROWS, dimension, points, norms, half, nearest);
    }
    for (uint32_t r = 0; r < count; r++) out[r] = nearest[r];
}

INLINE void panel_tiles(const float *const *rows, uint32_t count, uint32_t dimension, const float *points,
                        const float *norms, bool half, struct shf_panel_nearest *out) {
    for (; count >= PANEL_TILE_ROWS; count -= PANEL_TILE_ROWS, rows += PANEL_TILE_ROWS, out += PANEL_TILE_ROWS) {
        panel_rows(rows, PANEL_TILE_ROWS, dimension, points, norms, half, out);
    }
    if (count > 0) panel_some(rows, count, dimension, points, norms, half, out);
}

static void panel(const float *const *rows, uint32_t count, uint32_t dimension, const float *points,
                  uint32_t point_count, const float *norms, struct shf_panel_nearest *out) {
    if (point_count <= SHF_KERNEL_PANEL / 2) {
        panel_tiles(rows, count, dimension, points, norms, true, out);
    } else {
        panel_tiles(rows, count, dimension, points, norms, false, out);
    }
}

#endif
