/*
 * Definition levels of a page of format 2.1 or 2.2: one number a row, 0 = there is a value, 1 = null. Any row's can be
 * had without decoding the others. Pure.
 */
#ifndef SHF_FORMATS_LANCE_LEVELS_H
#define SHF_FORMATS_LANCE_LEVELS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shf_lance_level_coding {
    SHF_LANCE_NO_LEVELS,     /* every row has a value */
    SHF_LANCE_LEVELS_BYTE,   /* full-zip: a byte before each value */
    SHF_LANCE_LEVELS_PLAIN,  /* 16 bits each */
    SHF_LANCE_LEVELS_GROUPS, /* groups of 1,024, packed to `width` bits; the width is in the metadata */
    SHF_LANCE_LEVELS_GROUP,  /* one such group, which begins with its width */
    SHF_LANCE_LEVELS_RUNS    /* values and run lengths */
};

struct shf_lance_levels {
    enum shf_lance_level_coding coding;
    uint32_t width; /* of GROUPS: 0..16 */
};

/* Level of row `index` of `count`. SHF_E_CORRUPT when the bytes do not hold as many, or the level is neither 0 nor 1. */
shf_status shf_lance_level_at(const struct shf_lance_levels *levels, const uint8_t *data, uint64_t size, uint64_t count,
                              uint64_t index, bool *is_null, struct shf_error **error);

/*
 * Runs of a whole page as a bit a row (LSB first, 1 = null; count / 8 + 1 zeroed bytes): finding a row in them takes as long as
 * there are runs, which are few in a chunk but may be many in a page.
 */
shf_status shf_lance_level_bits(const uint8_t *data, uint64_t size, uint64_t count, uint8_t *bits,
                                struct shf_error **error);

/*
 * Value `index` (below 1,024) of a packed group of words of word_bits (16 or 32) in the "FastLanes" transposed order. The
 * group has width * 128 bytes; width is at most word_bits.
 */
uint32_t shf_lance_unpack(const uint8_t *group, unsigned word_bits, unsigned width, unsigned index);
#define SHF_LANCE_GROUP_VALUES 1024u
#define SHF_LANCE_GROUP_BYTES(width) ((uint64_t)(width)*128)

#endif
