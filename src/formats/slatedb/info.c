#include "formats/slatedb/info.h"

#include "formats/slatedb/checksum_priv.h"

#include <inttypes.h>

/* Slots of SsTableInfo. */
enum {
    FIRST_ENTRY,
    INDEX_OFFSET,
    INDEX_LEN,
    FILTER_OFFSET,
    FILTER_LEN,
    COMPRESSION_FORMAT,
    LAST_ENTRY = 7,
    FILTER_FORMAT = 10
};

static shf_status check_kinds(const struct shf_slatedb_info *info, const char *what, struct shf_error **error) {
    if (info->version != 1 && info->version != 2) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "%s: SST version %u is not supported; 1 and 2 are (it may come from a newer SlateDB)",
                             what, info->version);
    }
    if (info->codec > SHF_SLATEDB_ZSTD) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "%s: compression codec %u is not supported; none, snappy, zlib, lz4 and zstd (0 to 4) are",
                             what, info->codec);
    }
    return SHF_OK;
}

static shf_status check_places(const struct shf_slatedb_info *info, uint64_t end_offset, const char *what,
                               struct shf_error **error) {
    uint64_t index_end, filter_end, offset, size;
    if (info->index_size < SHF_SLATEDB_CHECKSUM_BYTES ||
        __builtin_add_overflow(info->index_offset, info->index_size, &index_end) || index_end > end_offset ||
        index_end > INT64_MAX) {
        return shf_error_set(error, SHF_E_CORRUPT, "%s: an index of %" PRIu64 " bytes at offset %" PRIu64 " can not be",
                             what, info->index_size, info->index_offset);
    }
    if (info->filter_size && (info->filter_size < SHF_SLATEDB_CHECKSUM_BYTES ||
                              __builtin_add_overflow(info->filter_offset, info->filter_size, &filter_end) ||
                              filter_end > info->index_offset)) {
        return shf_error_set(error, SHF_E_CORRUPT, "%s: a filter of %" PRIu64 " bytes at offset %" PRIu64 " can not be",
                             what, info->filter_size, info->filter_offset);
    }
    shf_slatedb_info_table_range(info, &offset, &size);
    if (size > SHF_LIMIT_SLATEDB_TABLE_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "%s: filter and index have %" PRIu64 " bytes; at most %u are read",
                             what, size, SHF_LIMIT_SLATEDB_TABLE_BYTES);
    }
    return SHF_OK;
}

shf_status shf_slatedb_info_decode(const struct shf_flat_table *table, uint16_t version, uint64_t end_offset,
                                   const char *what, struct shf_slatedb_info *out, struct shf_error **error) {
    struct shf_slatedb_info info = {.version = version};
    if (!table->flat) return shf_error_set(error, SHF_E_CORRUPT, "%s: the information about an SST is missing", what);
    info.has_first_key = shf_flat_bytes(table, FIRST_ENTRY, &info.first_key.data, &info.first_key.size);
    info.has_last_key = shf_flat_bytes(table, LAST_ENTRY, &info.last_key.data, &info.last_key.size);
    info.index_offset = shf_flat_u64(table, INDEX_OFFSET);
    info.index_size = shf_flat_u64(table, INDEX_LEN);
    info.filter_offset = shf_flat_u64(table, FILTER_OFFSET);
    info.filter_size = shf_flat_u64(table, FILTER_LEN);
    info.codec = shf_flat_u8(table, COMPRESSION_FORMAT);
    info.filter_format = shf_flat_u8(table, FILTER_FORMAT);
    shf_status status = shf_flat_status(table->flat, what, 0, error);
    if (!status) status = check_kinds(&info, what, error);
    if (!status) status = check_places(&info, end_offset, what, error);
    if (status) return status;
    if (info.first_key.size > SHF_SLATEDB_KEY_BYTES || info.last_key.size > SHF_SLATEDB_KEY_BYTES) {
        return shf_error_set(error, SHF_E_CORRUPT, "%s: the first or last key of an SST is longer than %u bytes", what,
                             SHF_SLATEDB_KEY_BYTES);
    }
    *out = info;
    return SHF_OK;
}

shf_status shf_slatedb_info_of_file(const uint8_t *file, uint64_t size, struct shf_slatedb_info *out,
                                    struct shf_error **error) {
    struct shf_flat_table table;
    if (size <= SHF_SLATEDB_FOOTER_BYTES) {
        return shf_error_set(error, SHF_E_CORRUPT, "SST: %" PRIu64 " bytes have no footer", size);
    }
    const uint8_t *footer = file + size - SHF_SLATEDB_FOOTER_BYTES;
    uint64_t offset = shf_load_u64be(footer), end = size - SHF_SLATEDB_FOOTER_BYTES;
    uint16_t version = shf_load_u16be(footer + 8);
    if (version != 1 && version != 2) {
        return shf_error_set(error, SHF_E_UNSUPPORTED,
                             "SST: version %u is not supported; 1 and 2 are (it may come from a newer SlateDB)", version);
    }
    if (offset > end || end - offset > SHF_LIMIT_SLATEDB_INFO_BYTES) {
        return shf_error_set(error, SHF_E_CORRUPT, "SST: its footer at offset %" PRIu64 " points to %" PRIu64, end,
                             offset);
    }
    size_t info_size = (size_t)(end - offset);
    if (!shf_slatedb_checksum_is_right(file + offset, info_size)) {
        return shf_error_set(error, SHF_E_CORRUPT, "SST: info at offset %" PRIu64 ": the checksum is wrong", offset);
    }
    struct shf_flat flat = shf_flat_of(file + offset, info_size - SHF_SLATEDB_CHECKSUM_BYTES);
    (void)shf_flat_root(&flat, &table);
    shf_status status = shf_flat_status(&flat, "SST: info", offset, error);
    return status ? status : shf_slatedb_info_decode(&table, version, offset, "SST: info", out, error);
}
