/* What the SlateDB targets share: checksums that are made right, since a fuzzer does not find them. */
#ifndef SHF_FUZZ_SLATEDB_SUPPORT_H
#define SHF_FUZZ_SLATEDB_SUPPORT_H

#include "base/cursor.h"
#include "formats/slatedb/block.h"

#include <stdlib.h>
#include <zlib.h>

#define FUZZ_BUDGET (UINT64_C(32) << 20)

static inline void demand(bool truth) {
    if (!truth) __builtin_trap();
}

static inline uint8_t *copy_of(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    demand(copy != NULL);
    if (size) memcpy(copy, data, size);
    return copy;
}

/* The last four bytes of a part become the checksum of the others. */
static inline void seal(uint8_t *part, size_t size) {
    if (size < 4) return;
    uint32_t sum = (uint32_t)crc32_z(0, part, size - 4);
    for (unsigned i = 0; i < 4; i++) part[size - 4 + i] = (uint8_t)(sum >> (24 - 8 * i));
}

static inline void seal_blocks(uint8_t *file, const struct shf_slatedb_table *table) {
    for (uint32_t i = 0; i < table->block_count; i++) {
        uint64_t offset, size;
        shf_slatedb_table_block_range(table, i, &offset, &size);
        seal(file + offset, (size_t)size);
    }
}

/* Info, filter, index and blocks of an SST file, as far as they can be found. True: the whole file is sealed. */
static inline bool seal_file(uint8_t *file, size_t size) {
    struct shf_slatedb_info info;
    struct shf_slatedb_table *table;
    struct shf_budget budget;
    uint64_t at, part;
    shf_budget_init(&budget, FUZZ_BUDGET);
    if (size <= SHF_SLATEDB_FOOTER_BYTES) return false;
    at = shf_load_u64be(file + size - SHF_SLATEDB_FOOTER_BYTES);
    if (at > size - SHF_SLATEDB_FOOTER_BYTES) return false;
    seal(file + at, size - SHF_SLATEDB_FOOTER_BYTES - (size_t)at);
    if (shf_slatedb_info_of_file(file, size, &info, NULL)) return false;
    if (info.filter_size) seal(file + info.filter_offset, (size_t)info.filter_size);
    seal(file + info.index_offset, (size_t)info.index_size);
    shf_slatedb_info_table_range(&info, &at, &part);
    if (shf_slatedb_table_open(&info, file + at, (size_t)part, &budget, &table, NULL)) return false;
    seal_blocks(file, table);
    shf_slatedb_table_free(table);
    demand(atomic_load(&budget.used_bytes) == 0);
    return true;
}

#endif
