#include "formats/slatedb/table.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "formats/slatedb/checksum_priv.h"

#include <inttypes.h>

/* Slots of SsTableIndex and BlockMeta. */
enum { BLOCK_META };
enum { OFFSET, FIRST_KEY };
static const char index_name[] = "SST: index (damaged or encrypted)";

/* A part of the file behind its checksum. stored is there in full. */
static shf_status unpack_part(struct shf_slatedb_unpacker *unpacker, uint8_t codec, const uint8_t *stored, size_t size,
                              uint64_t offset, const char *what, struct shf_slatedb_memory *out,
                              struct shf_error **error) {
    if (!shf_slatedb_checksum_is_right(stored, size)) {
        return shf_error_set(error, SHF_E_CORRUPT, "SST: %s at offset %" PRIu64 ": the checksum is wrong", what, offset);
    }
    shf_status status = shf_slatedb_unpack(unpacker, codec, stored, size - SHF_SLATEDB_CHECKSUM_BYTES, out, error);
    if (status && error) shf_error_prefix(error, "SST: %s at offset %" PRIu64, what, offset);
    return status;
}

/* ---- index ---- */

static struct shf_slatedb_bytes bound_of(const struct shf_slatedb_table *table, uint32_t block) {
    const struct shf_slatedb_index_entry *entry = &table->entries[block];
    struct shf_slatedb_bytes bound = {table->index.data + entry->key_at, entry->key_size};
    return bound;
}

static shf_status refuse_entry(uint32_t block, const char *what, struct shf_error **error) {
    return shf_error_set(error, SHF_E_CORRUPT, "SST: index: block %" PRIu32 ": %s", block, what);
}

/* Blocks follow one another up to data_end; their bounds do not descend. */
static shf_status check_entry(const struct shf_slatedb_table *table, uint32_t block, struct shf_error **error) {
    const struct shf_slatedb_index_entry *entry = &table->entries[block];
    if (entry->key_size > SHF_SLATEDB_KEY_BYTES) return refuse_entry(block, "its first key is too long", error);
    if (entry->offset >= shf_slatedb_info_data_end(&table->info)) {
        return refuse_entry(block, "it begins behind the blocks", error);
    }
    if (block == 0) return SHF_OK;
    const struct shf_slatedb_index_entry *before = entry - 1;
    if (entry->offset <= before->offset) return refuse_entry(block, "it does not follow the one before", error);
    if (shf_slatedb_compare(bound_of(table, block - 1), bound_of(table, block)) > 0) {
        return refuse_entry(block, "its first key is out of order", error);
    }
    return SHF_OK;
}

/* Keys that are shared would be a little index that takes hours to compare: all of them lie in it side by side. */
static shf_status read_entries(struct shf_slatedb_table *table, struct shf_flat *flat,
                               const struct shf_flat_vector *vector, struct shf_error **error) {
    struct shf_flat_table meta;
    shf_status status = SHF_OK;
    uint64_t key_bytes = 0;
    for (uint32_t i = 0; i < vector->count && !status; i++) {
        struct shf_slatedb_bytes key;
        if (!shf_flat_table_at(vector, i, &meta)) break;
        table->entries[i].offset = shf_flat_u64(&meta, OFFSET);
        if (shf_flat_bytes(&meta, FIRST_KEY, &key.data, &key.size)) {
            table->entries[i].key_at = (uint32_t)(key.data - table->index.data);
            table->entries[i].key_size = (uint32_t)key.size;
        }
        key_bytes += key.size;
        if (key_bytes > table->index.size) return refuse_entry(i, "the first keys are larger than the index", error);
        if (!flat->failure) status = check_entry(table, i, error);
    }
    return status ? status : shf_flat_status(flat, index_name, 0, error);
}

/* Bounds are in order: what the second and the last begin with, all between do. */
static void set_parts(struct shf_slatedb_table *table) {
    if (table->block_count < 2) return;
    table->prefix = bound_of(table, 1);
    table->prefix.size = shf_slatedb_common(table->prefix, bound_of(table, table->block_count - 1));
    for (uint32_t i = 1; i < table->block_count; i++) {
        table->entries[i].key_part = shf_slatedb_key_part(bound_of(table, i), table->prefix.size);
    }
}

static shf_status read_index(struct shf_slatedb_table *table, struct shf_slatedb_unpacker *unpacker,
                             const uint8_t *stored, struct shf_error **error) {
    const struct shf_slatedb_info *info = &table->info;
    struct shf_flat_table root;
    struct shf_flat_vector vector;
    shf_status status = unpack_part(unpacker, info->codec, stored, (size_t)info->index_size, info->index_offset,
                                    "index", &table->index, error);
    if (status) return status;
    struct shf_flat flat = shf_flat_of(table->index.data, table->index.size);
    (void)shf_flat_root(&flat, &root);
    (void)shf_flat_tables(&root, BLOCK_META, &vector);
    status = shf_flat_status(&flat, index_name, 0, error);
    if (status) return status;
    uint64_t bytes = (uint64_t)vector.count * sizeof *table->entries;
    if (!shf_budget_take(table->budget, bytes)) {
        return shf_budget_refuse(table->budget, bytes, "the index of an SST", error);
    }
    table->charged_bytes += bytes;
    table->entries = shf_alloc_zero(vector.count, sizeof *table->entries);
    if (!table->entries) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the index of an SST");
    table->block_count = vector.count;
    status = read_entries(table, &flat, &vector, error);
    if (!status) set_parts(table);
    return status;
}

static shf_status read_filter(struct shf_slatedb_table *table, struct shf_slatedb_unpacker *unpacker,
                              const uint8_t *stored, struct shf_error **error) {
    const struct shf_slatedb_info *info = &table->info;
    if (info->filter_size == 0) return SHF_OK;
    shf_status status = unpack_part(unpacker, info->codec, stored, (size_t)info->filter_size, info->filter_offset,
                                    "filter", &table->filter_bytes, error);
    if (status) return status;
    status = shf_slatedb_filter_parse(table->filter_bytes.data, table->filter_bytes.size, info->filter_format,
                                      &table->filter, error);
    if (status && error) shf_error_prefix(error, "SST: filter at offset %" PRIu64, info->filter_offset);
    return status;
}

/* ---- the whole ---- */

shf_status shf_slatedb_table_open(const struct shf_slatedb_info *info, const uint8_t *bytes, size_t size,
                                  struct shf_budget *budget, struct shf_slatedb_table **out, struct shf_error **error) {
    uint64_t offset, whole;
    shf_slatedb_info_table_range(info, &offset, &whole);
    if (size != whole) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "SST: %zu bytes of its filter and index at offset %" PRIu64
                             " are there; they have %" PRIu64,
                             size, offset, whole);
    }
    if (!shf_budget_take(budget, sizeof **out)) return shf_budget_refuse(budget, sizeof **out, "an SST", error);
    struct shf_slatedb_table *table = shf_alloc_zero(1, sizeof *table);
    if (!table) {
        shf_budget_give(budget, sizeof *table);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an SST");
    }
    table->info = *info;
    table->info.first_key = table->info.last_key = (struct shf_slatedb_bytes){NULL, 0};
    table->info.has_first_key = table->info.has_last_key = false;
    table->budget = table->index.budget = table->filter_bytes.budget = budget;
    table->charged_bytes = sizeof *table;
    struct shf_slatedb_unpacker unpacker = {.budget = budget};
    shf_status status = read_filter(table, &unpacker, bytes, error);
    if (!status) status = read_index(table, &unpacker, bytes + (info->index_offset - offset), error);
    shf_slatedb_unpacker_free(&unpacker);
    if (status) {
        shf_slatedb_table_free(table);
        return status;
    }
    *out = table;
    return SHF_OK;
}

void shf_slatedb_table_free(struct shf_slatedb_table *table) {
    if (!table) return;
    struct shf_budget *budget = table->budget;
    uint64_t charged = table->charged_bytes;
    shf_slatedb_memory_free(&table->index);
    shf_slatedb_memory_free(&table->filter_bytes);
    shf_free(table->entries);
    shf_free(table);
    shf_budget_give(budget, charged);
}

/* Compares the bound of a block, which is not the first, with a key that begins like all bounds. */
static int compare_bound(const struct shf_slatedb_table *table, uint32_t block, struct shf_slatedb_bytes key,
                         uint64_t part) {
    uint64_t other = table->entries[block].key_part;
    if (other != part) return other < part ? -1 : 1;
    return shf_slatedb_compare(bound_of(table, block), key);
}

/* Number of blocks whose bound is below the key. */
static uint32_t count_below(const struct shf_slatedb_table *table, struct shf_slatedb_bytes key) {
    uint32_t low = 1, high = table->block_count;
    if (high == 0 || shf_slatedb_compare(bound_of(table, 0), key) >= 0) return 0;
    if (!shf_slatedb_starts_with(key, table->prefix)) return shf_slatedb_compare(table->prefix, key) < 0 ? high : 1;
    uint64_t part = shf_slatedb_key_part(key, table->prefix.size);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_bound(table, middle, key, part) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void shf_slatedb_table_candidates(const struct shf_slatedb_table *table, struct shf_slatedb_bytes key, uint32_t *first,
                                  uint32_t *end) {
    uint32_t below = count_below(table, key), at = below;
    while (at < table->block_count && shf_slatedb_equal(bound_of(table, at), key)) at++;
    *first = below ? below - 1 : 0;
    *end = at;
}

void shf_slatedb_table_block_range(const struct shf_slatedb_table *table, uint32_t block, uint64_t *offset,
                                   uint64_t *size) {
    bool is_last = block + 1 == table->block_count;
    *offset = table->entries[block].offset;
    *size = (is_last ? shf_slatedb_info_data_end(&table->info) : table->entries[block + 1].offset) - *offset;
}
