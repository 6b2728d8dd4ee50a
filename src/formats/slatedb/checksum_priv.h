/* The checksum behind every part of an SST: CRC-32 (IEEE) of the bytes as stored, big-endian. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_CHECKSUM_PRIV_H
#define SHF_FORMATS_SLATEDB_CHECKSUM_PRIV_H

#include "base/cursor.h"

#include <stdbool.h>
#include <zlib.h>

#define SHF_SLATEDB_CHECKSUM_BYTES 4u

/* size includes the checksum. */
static inline bool shf_slatedb_checksum_is_right(const uint8_t *stored, size_t size) {
    if (size < SHF_SLATEDB_CHECKSUM_BYTES) return false;
    size_t payload = size - SHF_SLATEDB_CHECKSUM_BYTES;
    return crc32_z(0, stored, payload) == shf_load_u32be(stored + payload);
}

#endif
