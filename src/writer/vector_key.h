/* What a row of vectors alone is sorted by: a text as it is; an integer as eight bytes that compare like it. */
#ifndef SHF_WRITER_VECTOR_KEY_H
#define SHF_WRITER_VECTOR_KEY_H

#include "base/cursor.h"

#define SHF_VECTOR_KEY_SIGN (UINT64_C(1) << 63)

static inline void shf_vector_key_write(int64_t id, uint8_t out[8]) {
    uint64_t value = (uint64_t)id ^ SHF_VECTOR_KEY_SIGN;
    for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static inline int64_t shf_vector_key_read(const uint8_t key[8]) {
    return (int64_t)(shf_load_u64be(key) ^ SHF_VECTOR_KEY_SIGN);
}

#endif
