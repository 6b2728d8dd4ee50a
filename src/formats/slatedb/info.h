/*
 * What is known of an SST without its blocks: SsTableInfo, which a manifest holds for every L0 and run SST, and the
 * footer of every SST file. Pure.
 */
#ifndef SHF_FORMATS_SLATEDB_INFO_H
#define SHF_FORMATS_SLATEDB_INFO_H

#include "base/limits.h"
#include "formats/flatbuffer.h"
#include "formats/slatedb/bytes.h"

enum shf_slatedb_codec { SHF_SLATEDB_PLAIN, SHF_SLATEDB_SNAPPY, SHF_SLATEDB_ZLIB, SHF_SLATEDB_LZ4, SHF_SLATEDB_ZSTD };

#define SHF_SLATEDB_FILTER_LEGACY 0u
#define SHF_SLATEDB_FILTER_COMPOSITE 1u

struct shf_slatedb_info {
    uint16_t version; /* of the data blocks: 1 or 2 */
    uint8_t codec;    /* enum shf_slatedb_codec */
    uint8_t filter_format;
    bool has_first_key, has_last_key;
    struct shf_slatedb_bytes first_key, last_key;                  /* inclusive; views of the bytes that were parsed */
    uint64_t index_offset, index_size, filter_offset, filter_size; /* sizes include the checksums; filter_size 0: none */
};

/* Where the data blocks end. */
static inline uint64_t shf_slatedb_info_data_end(const struct shf_slatedb_info *info) {
    return info->filter_size ? info->filter_offset : info->index_offset;
}
/* The bytes of filter and index, which lie together: what shf_slatedb_table_open wants. */
static inline void shf_slatedb_info_table_range(const struct shf_slatedb_info *info, uint64_t *offset, uint64_t *size) {
    *offset = shf_slatedb_info_data_end(info);
    *size = info->index_offset + info->index_size - *offset;
}

/*
 * An SsTableInfo, checked: order and sizes of the parts (which end at or before end_offset; UINT64_MAX where the length
 * of the file is not known), SHF_LIMIT_SLATEDB_TABLE_BYTES, version and codec (SHF_E_UNSUPPORTED). `what` begins the
 * messages. An absent table, or one that is not sound, is SHF_E_CORRUPT.
 */
shf_status shf_slatedb_info_decode(const struct shf_flat_table *table, uint16_t version, uint64_t end_offset,
                                   const char *what, struct shf_slatedb_info *out, struct shf_error **error);

/* The last bytes of every SST file. */
#define SHF_SLATEDB_FOOTER_BYTES 10u

/*
 * The info of a whole SST file, by its footer. SHF_E_CORRUPT (the checksum, too), SHF_E_UNSUPPORTED, SHF_E_LIMIT. A
 * file of SHF_SLATEDB_FOOTER_BYTES or fewer has none: it is an empty WAL object, which the caller sees to.
 */
shf_status shf_slatedb_info_of_file(const uint8_t *file, uint64_t size, struct shf_slatedb_info *out,
                                    struct shf_error **error);

#endif
