/* Numbers below a total, each once, in a random order that follows from a seed: the same on every machine. */
#ifndef CLI_RECALL_DRAW_H
#define CLI_RECALL_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli_draw_entry {
    uint64_t place, number;
    bool used;
};

/* A shuffle that stops early: of the permutation only the places that were exchanged are kept. */
struct cli_draw {
    uint64_t total, drawn, state;
    struct cli_draw_entry *moved; /* a hash table of capacity places, a power of two */
    size_t capacity, count;
};

void cli_draw_init(struct cli_draw *draw, uint64_t total, uint64_t seed);
bool cli_draw_next(struct cli_draw *draw, uint64_t *out); /* false when all were drawn */
void cli_draw_free(struct cli_draw *draw);

#endif
