/* What the demo measures; kept in a file from one half to the other. */
#ifndef DEMO_NUMBERS_H
#define DEMO_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/* Times in nanoseconds; 0 = not measured yet. */
struct demo_numbers {
    double build; /* the whole program, from start to end */
    double built_rows;
    double open_cold;
    double open_warm;
    double get_median;
    double get_99;
    double multi_get; /* all keys in one call */
    double search_median;
    double batch; /* all questions in one call */
    double streamed_per_second;
    double refresh; /* to another snapshot, shards and all */
    double keys;
    double questions;
    double requests;
    uint64_t digest; /* over every value, id, distance and payload that came back */
};

bool demo_numbers_save(const struct demo_numbers *numbers, const char *path);
bool demo_numbers_load(struct demo_numbers *numbers, const char *path);
void demo_numbers_compare(const struct demo_numbers *files, const struct demo_numbers *s3);

#endif
