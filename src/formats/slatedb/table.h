/*
 * What a lookup in an SST needs besides its blocks: the index and the bloom filter. Both lie together in the file, so
 * they are loaded with one range read; for a lookup, one more reads a block. Pure, read-only after opening: any number
 * of threads.
 */
#ifndef SHF_FORMATS_SLATEDB_TABLE_H
#define SHF_FORMATS_SLATEDB_TABLE_H

#include "formats/slatedb/info.h"
#include "formats/slatedb/unpack.h"

/* Part of the index: where a block begins, and a lower bound of its keys. */
struct shf_slatedb_index_entry {
    uint64_t offset;
    uint64_t key_part;         /* eight bytes of the bound, behind table.prefix; not of the first entry's */
    uint32_t key_at, key_size; /* in index.data */
};

struct shf_slatedb_filter {
    const uint8_t *bits; /* NULL: there is none, every key may be there */
    uint64_t bit_count;
    uint32_t probes;
};

struct shf_slatedb_table {
    struct shf_slatedb_info info; /* without its keys */
    uint32_t block_count;
    struct shf_slatedb_index_entry *entries;
    struct shf_slatedb_bytes prefix; /* what all bounds but the first begin with */
    struct shf_slatedb_filter filter;
    struct shf_slatedb_memory index, filter_bytes; /* unpacked */
    struct shf_budget *budget;
    uint64_t charged_bytes;
};

/*
 * bytes: the range that shf_slatedb_info_table_range tells; not needed afterwards. Everything is checked: checksums,
 * the order of offsets and keys, so that what is below can not fail. SHF_E_CORRUPT, SHF_E_LIMIT, SHF_E_NO_MEMORY,
 * SHF_E_INVALID (more than the budget has altogether). The budget must outlive the table.
 */
shf_status shf_slatedb_table_open(const struct shf_slatedb_info *info, const uint8_t *bytes, size_t size,
                                  struct shf_budget *budget, struct shf_slatedb_table **out, struct shf_error **error);
void shf_slatedb_table_free(struct shf_slatedb_table *table); /* NULL is fine */

/* The blocks that can hold the key, in this order: [*first, *end). Usually one. */
void shf_slatedb_table_candidates(const struct shf_slatedb_table *table, struct shf_slatedb_bytes key, uint32_t *first,
                                  uint32_t *end);
/* Where a block lies in the file. */
void shf_slatedb_table_block_range(const struct shf_slatedb_table *table, uint32_t block, uint64_t *offset,
                                   uint64_t *size);

/* ---- the filter ---- */

/* The hash that filters are asked with. */
uint64_t shf_slatedb_filter_hash(struct shf_slatedb_bytes key);
/* False: the key is not there. */
bool shf_slatedb_filter_may_hold(const struct shf_slatedb_filter *filter, uint64_t hash);
/*
 * Finds the bloom filter in an unpacked filter block; *out is empty where there is none that is known (another format,
 * other names). A view of the bytes. SHF_E_CORRUPT.
 */
shf_status shf_slatedb_filter_parse(const uint8_t *data, size_t size, uint8_t format, struct shf_slatedb_filter *out,
                                    struct shf_error **error);

#endif
