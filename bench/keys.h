/* The keys that the lookup benchmarks ask for: random ones of the snapshot, every fifth absent. */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_KEY_SIZE 16u
#define BENCH_KV_SHARDS 8u
#define BENCH_LOOKUPS (1u << 20) /* prepared; a round takes its share and the next round goes on behind it */
#define BENCH_ROUND_KEYS 100000u /* lookups a round: more than the last-level cache holds */

struct bench_keys {
    uint8_t (*all)[BENCH_KEY_SIZE]; /* sorted */
    size_t count;
    uint8_t (*lookups)[BENCH_KEY_SIZE]; /* BENCH_LOOKUPS */
};

/* All keys of DATA/part/name, to be freed; NULL, with a message, after a failure. */
uint8_t (*bench_keys_read(const char *data, const char *part, const char *name, size_t *count))[BENCH_KEY_SIZE];

bool bench_keys_load(struct bench_keys *keys, const char *data);
void bench_keys_free(struct bench_keys *keys);

/* The BENCH_ROUND_KEYS lookups of a round. */
const uint8_t (*bench_keys_of_round(const struct bench_keys *keys, unsigned round))[BENCH_KEY_SIZE];

#endif
