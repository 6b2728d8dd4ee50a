#include "formats/lance/levels.h"

#include "base/cursor.h"

static uint16_t load_u16le(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

/*
 * Words of a group are dealt to 1024/T lanes; each lane is a bit stream of T values. Value r of lane l is the one with index
 * ORDER[r / 8] * 16 + r % 8 * 128 + l; ORDER is its own inverse.
 */
uint32_t shf_lance_unpack(const uint8_t *group, unsigned word_bits, unsigned width, unsigned index) {
    static const uint8_t order[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    if (width == 0) return 0;
    unsigned lanes = SHF_LANCE_GROUP_VALUES / word_bits, inner = index % 128, lane = inner % lanes;
    unsigned at = order[(inner - lane) / 16] * 8u + index / 128; /* within the lane */
    unsigned word = at * width / word_bits, shift = at * width % word_bits, word_bytes = word_bits / 8;
    uint64_t bits = 0;
    for (unsigned i = 0; i < 2 && (i == 0 || shift + width > word_bits); i++) {
        const uint8_t *p = group + (size_t)((word + i) * lanes + lane) * word_bytes;
        bits |= (uint64_t)(word_bits == 16 ? load_u16le(p) : shf_load_u32le(p)) << (i * word_bits);
    }
    return (uint32_t)(bits >> shift & ((UINT64_C(1) << width) - 1));
}

static shf_status bad(struct shf_error **error, const char *what) {
    return shf_error_set(error, SHF_E_CORRUPT, "its definition levels %s", what);
}

/* Full groups, then a rest: packed as one more group, or plain. Which one only the size tells; equal sizes mean plain. */
static bool level_of_groups(uint32_t width, const uint8_t *data, uint64_t size, uint64_t count, uint64_t index,
                            uint32_t *out) {
    uint64_t group = index / SHF_LANCE_GROUP_VALUES, full = count / SHF_LANCE_GROUP_VALUES;
    uint64_t rest = count % SHF_LANCE_GROUP_VALUES, group_bytes = SHF_LANCE_GROUP_BYTES(width);
    bool is_plain = rest > 0 && size == full * group_bytes + rest * 2;
    if (!is_plain && size != (full + (rest > 0)) * group_bytes) return false;
    if (is_plain && group == full) {
        *out = load_u16le(data + full * group_bytes + index % SHF_LANCE_GROUP_VALUES * 2);
    } else {
        *out = shf_lance_unpack(data + group * group_bytes, 16, width, (unsigned)(index % SHF_LANCE_GROUP_VALUES));
    }
    return true;
}

static bool level_of_group(const uint8_t *data, uint64_t size, uint64_t count, uint64_t index, uint32_t *out) {
    if (count > SHF_LANCE_GROUP_VALUES || size < 2) return false;
    uint16_t width = load_u16le(data);
    if (width > 16 || size - 2 != SHF_LANCE_GROUP_BYTES(width)) return false;
    *out = shf_lance_unpack(data + 2, 16, width, (unsigned)index);
    return true;
}

/* u64 bytes of values, values of 16 bits, a byte of run length each. */
struct runs {
    const uint8_t *values, *lengths;
    uint64_t count;
};

static bool open_runs(const uint8_t *data, uint64_t size, struct runs *out) {
    if (size < 8) return false;
    uint64_t value_bytes = shf_load_u64le(data);
    if (value_bytes % 2 != 0 || value_bytes > size - 8 || size - 8 - value_bytes != value_bytes / 2) return false;
    *out = (struct runs){data + 8, data + 8 + value_bytes, value_bytes / 2};
    return true;
}

static bool level_of_runs(const uint8_t *data, uint64_t size, uint64_t count, uint64_t index, uint32_t *out) {
    struct runs runs;
    uint64_t total = 0;
    if (!open_runs(data, size, &runs)) return false;
    for (uint64_t run = 0; run < runs.count; run++) {
        if (index >= total && index - total < runs.lengths[run]) *out = load_u16le(runs.values + run * 2);
        total += runs.lengths[run];
    }
    return total == count;
}

shf_status shf_lance_level_bits(const uint8_t *data, uint64_t size, uint64_t count, uint8_t *bits,
                                struct shf_error **error) {
    struct runs runs;
    uint64_t row = 0;
    if (!open_runs(data, size, &runs)) return bad(error, "are not as many as its values");
    for (uint64_t run = 0; run < runs.count; run++) {
        uint16_t level = load_u16le(runs.values + run * 2);
        if (level > 1) return bad(error, "have a value above 1");
        if (runs.lengths[run] > count - row) return bad(error, "are not as many as its values");
        for (unsigned i = 0; i < runs.lengths[run]; i++, row++) bits[row >> 3] |= (uint8_t)(level << (row & 7));
    }
    return row == count ? SHF_OK : bad(error, "are not as many as its values");
}

shf_status shf_lance_level_at(const struct shf_lance_levels *levels, const uint8_t *data, uint64_t size, uint64_t count,
                              uint64_t index, bool *is_null, struct shf_error **error) {
    uint32_t level = 0;
    bool fits = false;
    switch (levels->coding) {
    case SHF_LANCE_NO_LEVELS: fits = true; break;
    case SHF_LANCE_LEVELS_BYTE:
        fits = index < size;
        if (fits) level = data[index];
        break;
    case SHF_LANCE_LEVELS_PLAIN:
        fits = size % 2 == 0 && size / 2 == count;
        if (fits) level = load_u16le(data + index * 2);
        break;
    case SHF_LANCE_LEVELS_GROUPS: fits = level_of_groups(levels->width, data, size, count, index, &level); break;
    case SHF_LANCE_LEVELS_GROUP: fits = level_of_group(data, size, count, index, &level); break;
    case SHF_LANCE_LEVELS_RUNS: fits = level_of_runs(data, size, count, index, &level); break;
    }
    if (!fits) return bad(error, "are not as many as its values");
    if (level > 1) return bad(error, "have a value above 1");
    *is_null = level == 1;
    return SHF_OK;
}
