/* The root table of a manifest: what it refuses, and the lists that it leads to. */
#include "formats/slatedb/manifest.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/slatedb/manifest_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* Slots that both versions have. */
enum { EXTERNAL_DBS = 1, INITIALIZED, WRITER_EPOCH, COMPACTOR_EPOCH, REPLAY_AFTER_WAL_ID };
/* Those that differ. */
enum { V1_L0 = 8, V1_COMPACTED = 9, V1_LAST_L0_SEQ = 12, V1_WAL_OBJECT_STORE_URI = 13 };
enum { V2_SSTS = 8, V2_L0 = 9, V2_COMPACTED = 10, V2_LAST_L0_SEQ = 13, V2_SEGMENTS = 16 };
/* Of a segment. */
enum { PREFIX, SEGMENT_L0 = 2, SEGMENT_COMPACTED = 3 };

static shf_status read_numbers(struct shf_manifest_lists *lists, const struct shf_flat_table *root,
                               struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    m->writer_epoch = shf_flat_u64(root, WRITER_EPOCH);
    m->compactor_epoch = shf_flat_u64(root, COMPACTOR_EPOCH);
    m->replay_after_wal_id = shf_flat_u64(root, REPLAY_AFTER_WAL_ID);
    m->last_l0_seq = shf_flat_u64(root, m->version == 1 ? V1_LAST_L0_SEQ : V2_LAST_L0_SEQ);
    bool is_initialized = shf_flat_u8(root, INITIALIZED) != 0;
    bool has_wal_store = m->version == 1 && shf_flat_has(root, V1_WAL_OBJECT_STORE_URI);
    shf_status status = shf_flat_status(&lists->flat, "manifest", SHF_MANIFEST_CONTENT, error);
    if (status) return status;
    if (!is_initialized) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "manifest: it is not initialized: the database is an unfinished clone");
    }
    if (has_wal_store) {
        return shf_error_set(
            error, SHF_E_UNSUPPORTED,
            "manifest: the WAL lies in an object store of its own, which is not supported; only databases "
            "that lie in one store are read");
    }
    if (m->replay_after_wal_id == UINT64_MAX) {
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: no WAL id follows replay_after_wal_id");
    }
    return SHF_OK;
}

/* ---- segments ---- */

static shf_status read_segment(struct shf_manifest_lists *lists, const struct shf_flat_table *table, unsigned l0_slot,
                               unsigned run_slot, struct shf_slatedb_segment *segment, struct shf_error **error) {
    struct shf_flat_vector l0, compacted;
    (void)shf_flat_tables(table, l0_slot, &l0);
    (void)shf_flat_tables(table, run_slot, &compacted);
    shf_status status = shf_manifest_read_l0(lists, &l0, segment, error);
    return status ? status : shf_manifest_read_runs(lists, &compacted, segment, error);
}

static int by_prefix(const void *a, const void *b) {
    const struct shf_slatedb_segment *left = a, *right = b;
    return shf_slatedb_compare(left->prefix, right->prefix);
}

/* Ascending; what a prefix begins stands right behind it. */
static shf_status sort_segments(struct shf_slatedb_manifest *m, struct shf_error **error) {
    if (m->segment_count) qsort(m->segments, m->segment_count, sizeof *m->segments, by_prefix);
    for (uint32_t i = 1; i < m->segment_count; i++) {
        if (!shf_slatedb_starts_with(m->segments[i].prefix, m->segments[i - 1].prefix)) continue;
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: the prefix of a segment begins that of another");
    }
    return SHF_OK;
}

static shf_status read_segments(struct shf_manifest_lists *lists, const struct shf_flat_vector *vector,
                                struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    struct shf_flat_table table;
    shf_status status = SHF_OK;
    uint64_t prefix_bytes = 0;
    for (uint32_t i = 0; i < vector->count && !status; i++) {
        struct shf_slatedb_segment *segment = &m->segments[i];
        if (!shf_flat_table_at(vector, i, &table)) break;
        (void)shf_flat_bytes(&table, PREFIX, &segment->prefix.data, &segment->prefix.size);
        if (segment->prefix.size > SHF_SLATEDB_KEY_BYTES) {
            return shf_error_set(error, SHF_E_CORRUPT, "manifest: segment %" PRIu32 ": a prefix of %zu bytes", i,
                                 segment->prefix.size);
        }
        prefix_bytes += segment->prefix.size;
        if (prefix_bytes > m->size) { /* shared ones would take long to sort */
            return shf_error_set(error, SHF_E_CORRUPT, "manifest: the prefixes of its segments are larger than it");
        }
        status = read_segment(lists, &table, SEGMENT_L0, SEGMENT_COMPACTED, segment, error);
    }
    if (!status) status = shf_flat_status(&lists->flat, "manifest: segments", SHF_MANIFEST_CONTENT, error);
    return status ? status : sort_segments(m, error);
}

static shf_status read_lists(struct shf_manifest_lists *lists, const struct shf_flat_table *root,
                             struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    struct shf_flat_vector segments = {0};
    bool is_first = m->version == 1;
    if (!is_first) (void)shf_flat_tables(root, V2_SEGMENTS, &segments);
    if (segments.count > SHF_LIMIT_SLATEDB_SSTS) return shf_manifest_refuse_count("segments", segments.count, error);
    m->has_segments = segments.count > 0;
    m->segment_count = m->has_segments ? segments.count : 1;
    m->segments = shf_alloc_zero(m->segment_count, sizeof *m->segments);
    if (!m->segments) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a manifest");
    struct shf_slatedb_segment whole = {0};
    shf_status status =
        read_segment(lists, root, is_first ? V1_L0 : V2_L0, is_first ? V1_COMPACTED : V2_COMPACTED, &whole, error);
    if (status) return status;
    if (!m->has_segments) {
        m->segments[0] = whole;
        return SHF_OK;
    }
    if (whole.l0_count || whole.run_count) {
        return shf_error_set(error, SHF_E_CORRUPT, "manifest: it has segments, and SSTs outside of them");
    }
    return read_segments(lists, &segments, error);
}

/* ---- the whole ---- */

static shf_status read_version(const uint8_t *data, size_t size, uint16_t *version, struct shf_error **error) {
    if (size < SHF_MANIFEST_CONTENT) return shf_error_set(error, SHF_E_CORRUPT, "manifest: %zu bytes are none", size);
    if (size > SHF_LIMIT_SLATEDB_MANIFEST_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "manifest: it has %zu bytes; at most %u are read", size,
                             SHF_LIMIT_SLATEDB_MANIFEST_BYTES);
    }
    *version = shf_load_u16be(data);
    if (*version == 1 || *version == 2) return SHF_OK;
    return shf_error_set(error, SHF_E_UNSUPPORTED,
                         "manifest: version %u is not supported; 1 and 2 are (it may come from a newer SlateDB)",
                         *version);
}

static shf_status read_manifest(struct shf_manifest_lists *lists, struct shf_error **error) {
    struct shf_slatedb_manifest *m = lists->manifest;
    struct shf_flat_table root;
    struct shf_flat_vector external, ssts = {0};
    lists->flat = shf_flat_of(m->bytes + SHF_MANIFEST_CONTENT, m->size - SHF_MANIFEST_CONTENT);
    (void)shf_flat_root(&lists->flat, &root);
    shf_status status = shf_flat_status(&lists->flat, "manifest", SHF_MANIFEST_CONTENT, error);
    if (!status) status = read_numbers(lists, &root, error);
    if (status) return status;
    (void)shf_flat_tables(&root, EXTERNAL_DBS, &external);
    if (m->version == 2) (void)shf_flat_tables(&root, V2_SSTS, &ssts);
    status = shf_manifest_read_external(lists, &external, error);
    if (!status) status = shf_manifest_read_dictionary(lists, &ssts, error);
    if (!status) status = read_lists(lists, &root, error);
    return status ? status : shf_flat_status(&lists->flat, "manifest", SHF_MANIFEST_CONTENT, error);
}

shf_status shf_slatedb_manifest_parse(const void *data, size_t size, struct shf_slatedb_manifest **out,
                                      struct shf_error **error) {
    uint16_t version = 0;
    shf_status status = read_version(data, size, &version, error);
    if (status) return status;
    struct shf_slatedb_manifest *m = shf_alloc_zero(1, sizeof *m);
    struct shf_manifest_lists lists = {.manifest = m};
    if (m) m->bytes = shf_memdup(data, size);
    if (!m || !m->bytes) {
        shf_free(m);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a manifest");
    }
    m->version = version;
    m->size = size;
    status = read_manifest(&lists, error);
    shf_free(lists.external);
    shf_free(lists.dictionary);
    if (status) {
        shf_slatedb_manifest_free(m);
        return status;
    }
    *out = m;
    return SHF_OK;
}

void shf_slatedb_manifest_free(struct shf_slatedb_manifest *manifest) {
    if (!manifest) return;
    shf_free(manifest->ssts);
    shf_free(manifest->runs);
    shf_free(manifest->segments);
    shf_free(manifest->bytes);
    shf_free(manifest);
}
