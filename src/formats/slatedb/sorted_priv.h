/* What reading and writing the sorted form share. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_SORTED_PRIV_H
#define SHF_FORMATS_SLATEDB_SORTED_PRIV_H

#include "formats/slatedb/sorted.h"

#define SHF_SORTED_MAGIC UINT64_C(0x4c41574c53464853) /* "SHFSLWAL" */
#define SHF_SORTED_ENTRY 16u                          /* bytes of the index a row */
#define SHF_SORTED_ROW 16u                            /* bytes before a key */

/* The eight bytes behind the common prefix, so that their order is that of the numbers; zeros where there are fewer. */
static inline uint64_t shf_sorted_key_part(struct shf_slatedb_bytes key, size_t prefix_size) {
    uint64_t part = 0;
    size_t left = key.size - prefix_size;
    for (size_t i = 0; i < 8; i++) part = part << 8 | (i < left ? key.data[prefix_size + i] : 0);
    return part;
}

#endif
