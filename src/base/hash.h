/* XXH3 digests (libxxhash): 64 bits for routing, 128 bits for names and checksums of local cache files. */
#ifndef SHF_BASE_HASH_H
#define SHF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t shf_hash64(const void *data, size_t size); /* XXH3-64, seed 0 */
uint64_t shf_hash64_seeded(const void *data, size_t size, uint64_t seed);
void shf_hash128(const void *data, size_t size, uint8_t out[16]); /* canonical (big-endian) form */

#endif
