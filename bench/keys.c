#include "bench/keys.h"

#include "bench/measure.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ONE_ABSENT_IN 5u

typedef uint8_t key_bytes[BENCH_KEY_SIZE];

key_bytes *bench_keys_read(const char *data, const char *part, const char *name, size_t *count) {
    char path[PATH_MAX];
    struct stat status;
    key_bytes *keys = NULL;
    (void)snprintf(path, sizeof path, "%s/%s/%s", data, part, name);
    FILE *file = fopen(path, "rb");
    if (file && fstat(fileno(file), &status) == 0) {
        *count = (size_t)status.st_size / BENCH_KEY_SIZE;
        keys = calloc(*count + 1, sizeof *keys);
        if (keys && (*count == 0 || fread(keys, sizeof *keys, *count, file) != *count)) {
            free(keys);
            keys = NULL;
        }
    }
    if (file) (void)fclose(file);
    if (!keys) fprintf(stderr, "cannot read %s\n", path);
    return keys;
}

bool bench_keys_load(struct bench_keys *keys, const char *data) {
    size_t absent_count = 0;
    uint64_t random = 7;
    memset(keys, 0, sizeof *keys);
    key_bytes *absent = bench_keys_read(data, "kv", "absent.bin", &absent_count);
    keys->all = bench_keys_read(data, "kv", "keys.bin", &keys->count);
    keys->lookups = calloc(BENCH_LOOKUPS, sizeof *keys->lookups);
    bool ok = absent && keys->all && keys->lookups;
    for (size_t i = 0; ok && i < BENCH_LOOKUPS; i++) {
        uint64_t number = bench_random(&random);
        bool is_absent = bench_random(&random) % ONE_ABSENT_IN == 0;
        memcpy(keys->lookups[i], is_absent ? absent[number % absent_count] : keys->all[number % keys->count],
               BENCH_KEY_SIZE);
    }
    free(absent);
    if (!ok) bench_keys_free(keys);
    return ok;
}

void bench_keys_free(struct bench_keys *keys) {
    free(keys->all);
    free(keys->lookups);
    memset(keys, 0, sizeof *keys);
}

const uint8_t (*bench_keys_of_round(const struct bench_keys *keys, unsigned round))[BENCH_KEY_SIZE] {
    size_t rounds = BENCH_LOOKUPS / BENCH_ROUND_KEYS;
    return (const uint8_t(*)[BENCH_KEY_SIZE])(keys->lookups + round % rounds * BENCH_ROUND_KEYS);
}
