/* Changing single fields of a database file. */
#ifndef SHF_TESTS_HOSTILE_PAGES_H
#define SHF_TESTS_HOSTILE_PAGES_H

#include "hostile/hostile.h"

#include <stdlib.h>
#include <string.h>

/* A copy of a sound shard that is changed, tried and made sound again. */
struct scratch {
    const struct bytes *sound;
    int page_size;
    uint8_t *data;
};

static inline void put_be(uint8_t *at, unsigned bytes, uint64_t value) {
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}
static inline uint32_t get_be(const uint8_t *at, unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

static inline struct scratch scratch_of(int page_size) {
    const struct bytes *sound = hostile_sound(HOSTILE_SHARD, page_size);
    struct scratch scratch = {sound, page_size, malloc(sound->size)};
    memcpy(scratch.data, sound->data, sound->size);
    return scratch;
}

static inline uint8_t *page_of(const struct scratch *scratch, uint32_t number) {
    return scratch->data + (size_t)(number - 1) * (size_t)scratch->page_size;
}

#define SCRATCH_TRY(scratch, wish, rule, ...)                                                                          \
    do {                                                                                                               \
        hostile_try(HOSTILE_SHARD, wish, rule, (scratch)->data, (scratch)->sound->size, __VA_ARGS__);                  \
        memcpy((scratch)->data, (scratch)->sound->data, (scratch)->sound->size);                                       \
    } while (0)

#endif
