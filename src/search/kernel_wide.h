/*
 * The body of the vector kernels, included once by each kernel_*.c, which says beforehand what its registers are:
 *
 *   wide, WIDTH, TILE_ROWS     a register of WIDTH float64, and how many rows a tile has
 *   wide_zero()                all +0
 *   wide_row(p), wide_query(p) WIDTH elements of a row, widened, or of a query
 *   wide_row_part(p, n), wide_query_part(p, n)   the first n of them, 0 < n < WIDTH, and +0 for the others
 *   wide_store(p, values), wide_plus(x, y), wide_minus(x, y)
 *   wide_dot(x, y, sums)       sums + x*y
 *   wide_squared(x, y, sums)   sums + (x-y)*(x-y), nothing fused
 *   wide_sum(sums)             the halving tree of search.h over GROUPS registers
 *
 * The 32 lanes of a sum are GROUPS registers. One query keeps them all and reads the row as one stream. Several
 * queries work in tiles of TILE_ROWS rows x SHF_KERNEL_QUERIES queries, one group of lanes at a time: lanes do not
 * meet before the tree, so the order of additions within each lane, and with it every bit, stays the same.
 *
 * Elements that a tail lacks add (+0)*(+0) = +0 to their lanes. That changes no bit: a lane starts at +0 and can not
 * become -0 under round-to-nearest, and NaN and infinity stay what they are.
 */
#ifndef SHF_SEARCH_KERNEL_WIDE_H
#define SHF_SEARCH_KERNEL_WIDE_H

#define GROUPS (SHF_SEARCH_LANES / WIDTH)
#define QUERIES SHF_KERNEL_QUERIES
#define PIECE 512u /* elements of a tile's rows and queries that stay in the L1 cache while the groups take turns */
/* Bytes that a scan's one stream is ahead of itself: the hardware alone stops at every page. Measured: 4.2 -> 3.5 ms for
 * 100,000 x 384, the time of merely reading them. A prefetch behind the last row reads nothing and can not fault. */
#define AHEAD 8192u
#define CACHE_LINE 64u
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* `squared` is a constant wherever this is inlined. */
INLINE wide add_term(wide x, wide y, wide sums, bool squared) {
    return squared ? wide_squared(x, y, sums) : wide_dot(x, y, sums);
}

INLINE void fetch_ahead(const float *lanes) {
    uintptr_t at = (uintptr_t)lanes + AHEAD;
    __builtin_prefetch((const void *)at);
    __builtin_prefetch((const void *)(at + CACHE_LINE));
}

INLINE double row_sum(const float *row, const double *query, uint32_t dimension, bool squared) {
    wide sums[GROUPS];
    uint32_t i = 0;
    UNROLL for (uint32_t g = 0; g < GROUPS; g++) sums[g] = wide_zero();
    for (; i + SHF_SEARCH_LANES <= dimension; i += SHF_SEARCH_LANES) {
        fetch_ahead(row + i);
        UNROLL for (uint32_t g = 0; g < GROUPS; g++) {
            uint32_t at = i + g * WIDTH;
            sums[g] = add_term(wide_row(row + at), wide_query(query + at), sums[g], squared);
        }
    }
    UNROLL for (uint32_t g = 0; g < GROUPS; g++) {
        uint32_t at = i + g * WIDTH;
        if (at + WIDTH <= dimension) {
            sums[g] = add_term(wide_row(row + at), wide_query(query + at), sums[g], squared);
        } else if (at < dimension) {
            uint32_t n = dimension - at;
            sums[g] = add_term(wide_row_part(row + at, n), wide_query_part(query + at, n), sums[g], squared);
        }
    }
    return wide_sum(sums);
}

struct tile {
    const float *rows[TILE_ROWS];
    const double *queries[QUERIES];
    wide lanes[GROUPS][TILE_ROWS][QUERIES];
};

/* Elements [begin, end) of one group of lanes. */
INLINE void add_group(struct tile *tile, uint32_t g, uint32_t begin, uint32_t end, bool squared) {
    wide sums[TILE_ROWS][QUERIES], x[TILE_ROWS];
    uint32_t at = begin + g * WIDTH;
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        UNROLL for (uint32_t q = 0; q < QUERIES; q++) sums[r][q] = begin ? tile->lanes[g][r][q] : wide_zero();
    }
    for (; at + WIDTH <= end; at += SHF_SEARCH_LANES) {
        UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) x[r] = wide_row(tile->rows[r] + at);
        UNROLL for (uint32_t q = 0; q < QUERIES; q++) {
            wide y = wide_query(tile->queries[q] + at);
            UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) sums[r][q] = add_term(x[r], y, sums[r][q], squared);
        }
    }
    if (at < end) {
        uint32_t n = end - at;
        UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) x[r] = wide_row_part(tile->rows[r] + at, n);
        UNROLL for (uint32_t q = 0; q < QUERIES; q++) {
            wide y = wide_query_part(tile->queries[q] + at, n);
            UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) sums[r][q] = add_term(x[r], y, sums[r][q], squared);
        }
    }
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        UNROLL for (uint32_t q = 0; q < QUERIES; q++) tile->lanes[g][r][q] = sums[r][q];
    }
}

INLINE void add_rows(struct tile *tile, uint32_t dimension, bool squared) {
    for (uint32_t begin = 0; begin < dimension; begin += PIECE) {
        uint32_t end = dimension - begin < PIECE ? dimension : begin + PIECE;
        for (uint32_t g = 0; g < GROUPS; g++) add_group(tile, g, begin, end, squared);
    }
}

/* A tile that lacks rows or queries repeats its first ones and drops their sums. */
INLINE void tiles(const float *rows, size_t count, uint32_t dimension, const double *const *queries,
                  uint32_t query_count, double *out, bool squared) {
    struct tile tile;
    for (uint32_t q = 0; q < QUERIES; q++) tile.queries[q] = queries[q < query_count ? q : 0];
    for (size_t first = 0; first < count; first += TILE_ROWS) {
        uint32_t have = count - first < TILE_ROWS ? (uint32_t)(count - first) : TILE_ROWS;
        for (uint32_t r = 0; r < TILE_ROWS; r++) tile.rows[r] = rows + (first + (r < have ? r : 0)) * dimension;
        add_rows(&tile, dimension, squared);
        for (uint32_t r = 0; r < have; r++) {
            for (uint32_t q = 0; q < query_count; q++) {
                wide sums[GROUPS];
                UNROLL for (uint32_t g = 0; g < GROUPS; g++) sums[g] = tile.lanes[g][r][q];
                out[q * count + first + r] = wide_sum(sums);
            }
        }
    }
}

INLINE void sums_of(const float *rows, size_t count, uint32_t dimension, const double *const *queries,
                    uint32_t query_count, double *out, bool squared) {
    if (query_count > 1) {
        tiles(rows, count, dimension, queries, query_count, out, squared);
        return;
    }
    for (size_t r = 0; r < count; r++) out[r] = row_sum(rows + r * dimension, queries[0], dimension, squared);
}

static void dot(const float *rows, size_t count, uint32_t dimension, const double *const *queries, uint32_t query_count,
                double *out) {
    sums_of(rows, count, dimension, queries, query_count, out, false);
}

static void squared(const float *rows, size_t count, uint32_t dimension, const double *const *queries,
                    uint32_t query_count, double *out) {
    sums_of(rows, count, dimension, queries, query_count, out, true);
}

static void add(double *sums, const float *row, uint32_t count, bool is_taken) {
    uint32_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH) {
        wide now = wide_query(sums + i), x = wide_row(row + i);
        wide_store(sums + i, is_taken ? wide_minus(now, x) : wide_plus(now, x));
    }
    for (; i < count; i++) sums[i] = is_taken ? sums[i] - (double)row[i] : sums[i] + (double)row[i];
}

#endif
