/*
 * SipHash-1-3 with a key of zeros: the hash of SlateDB's bloom filters (https://www.aumasson.jp/siphash/siphash.pdf).
 */
#ifndef SHF_FORMATS_SLATEDB_SIPHASH_H
#define SHF_FORMATS_SLATEDB_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t shf_siphash13(const void *data, size_t size);

#endif
