#include "writer/hyperplanes.h"

#include "base/random.h"

#include <math.h>
#include <stddef.h>

/* Between -1 and 1, 53 bits. */
static double next_between(uint64_t *state) { return (double)(shf_random_next(state) >> 11) * 0x1p-52 - 1; }

/* Two at a time, by the polar method (G. Marsaglia, T. Bray, 1964): a point in the unit disc, about one in 1.27 is. */
static void next_normal(uint64_t *state, double out[2]) {
    double x, y, square;
    do {
        x = next_between(state);
        y = next_between(state);
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = sqrt(-2 * log(square) / square);
    out[0] = x * factor;
    out[1] = y * factor;
}

void shf_draw_hyperplanes(uint64_t seed, uint32_t bits, uint32_t dimension, float *out) {
    uint64_t state = seed;
    size_t count = (size_t)bits * dimension;
    double pair[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (i % 2 == 0) next_normal(&state, pair);
        out[i] = (float)pair[i % 2];
    }
}
