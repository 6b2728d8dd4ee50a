/* Keys and values of SlateDB: views of bytes, and their order. */
#ifndef SHF_FORMATS_SLATEDB_BYTES_H
#define SHF_FORMATS_SLATEDB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHF_SLATEDB_KEY_BYTES 65535u /* longest key of the format; the shortest has one byte */

struct shf_slatedb_bytes {
    const uint8_t *data; /* may be NULL where size is 0 */
    size_t size;
};

/* Unsigned bytes, a shorter key before its extensions: < 0, 0, > 0. */
static inline int shf_slatedb_compare(struct shf_slatedb_bytes a, struct shf_slatedb_bytes b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Looks at the bytes only where there are as many. */
static inline bool shf_slatedb_equal(struct shf_slatedb_bytes a, struct shf_slatedb_bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool shf_slatedb_starts_with(struct shf_slatedb_bytes key, struct shf_slatedb_bytes prefix) {
    return prefix.size == 0 || (key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0);
}

/*
 * The eight bytes of a key behind its first `skip` ones, so that their order is that of the numbers; zeros where there
 * are fewer.
 */
static inline uint64_t shf_slatedb_key_part(struct shf_slatedb_bytes key, size_t skip) {
    uint64_t part = 0;
    size_t left = key.size - skip;
    for (size_t i = 0; i < 8; i++) part = part << 8 | (i < left ? key.data[skip + i] : 0);
    return part;
}

/* How many bytes both begin with. */
static inline size_t shf_slatedb_common(struct shf_slatedb_bytes a, struct shf_slatedb_bytes b) {
    size_t most = a.size < b.size ? a.size : b.size, common = 0;
    if (most && memcmp(a.data, b.data, most) == 0) return most;
    while (common < most && a.data[common] == b.data[common]) common++;
    return common;
}

#endif
