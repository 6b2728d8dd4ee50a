#include "cli/recall/recall_draw.h"

#include "cli/memory.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64u

/* splitmix64 */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t next_random(struct cli_draw *draw) { return mix(draw->state += UINT64_C(0x9e3779b97f4a7c15)); }

/* Below `bound`, all equally likely: what lies beyond the last multiple of it is thrown again. */
static uint64_t below(struct cli_draw *draw, uint64_t bound) {
    uint64_t rest = (UINT64_MAX % bound + 1) % bound, value;
    do value = next_random(draw);
    while (value > UINT64_MAX - rest);
    return value % bound;
}

/* The entry of a place, or the free one where it would be. */
static struct cli_draw_entry *entry_of(const struct cli_draw *draw, uint64_t place) {
    size_t at = (size_t)mix(place) & (draw->capacity - 1);
    while (draw->moved[at].used && draw->moved[at].place != place) at = (at + 1) & (draw->capacity - 1);
    return &draw->moved[at];
}

static void grow(struct cli_draw *draw) {
    struct cli_draw_entry *old = draw->moved;
    size_t size = draw->capacity;
    draw->capacity = size * 2;
    draw->moved = cli_alloc_array(draw->capacity, sizeof *draw->moved);
    for (size_t i = 0; i < size; i++) {
        if (old[i].used) *entry_of(draw, old[i].place) = old[i];
    }
    free(old);
}

static uint64_t number_at(const struct cli_draw *draw, uint64_t place) {
    const struct cli_draw_entry *entry = entry_of(draw, place);
    return entry->used ? entry->number : place;
}

void cli_draw_init(struct cli_draw *draw, uint64_t total, uint64_t seed) {
    *draw = (struct cli_draw){.total = total, .state = seed, .capacity = FIRST_CAPACITY};
    draw->moved = cli_alloc_array(draw->capacity, sizeof *draw->moved);
}

bool cli_draw_next(struct cli_draw *draw, uint64_t *out) {
    if (draw->drawn == draw->total) return false;
    uint64_t place = draw->drawn + below(draw, draw->total - draw->drawn);
    *out = number_at(draw, place);
    uint64_t first = number_at(draw, draw->drawn);
    if (draw->count * 2 >= draw->capacity) grow(draw);
    struct cli_draw_entry *entry = entry_of(draw, place);
    draw->count += !entry->used;
    *entry = (struct cli_draw_entry){place, first, true};
    draw->drawn++;
    return true;
}

void cli_draw_free(struct cli_draw *draw) {
    free(draw->moved);
    *draw = (struct cli_draw){0};
}
