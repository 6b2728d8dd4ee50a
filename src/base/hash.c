#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

uint64_t shf_hash64(const void *data, size_t size) { return XXH3_64bits(data, size); }

uint64_t shf_hash64_seeded(const void *data, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

void shf_hash128(const void *data, size_t size, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}
