/* What a mapped shard holds: the key-value table, and the vectors laid out for scanning. */
#include "base/text.h"
#include "io/cache_map.h"
#include "reader/shard.h"

#include <inttypes.h>

static shf_status check_vectors(const struct shf_shard *shard, struct shf_error **error) {
    const struct shf_vec0 *vec = &shard->vec;
    if (vec->dimension != shard->dimension) {
        return shf_error_set(error, SHF_E_INDEX, "%s holds vectors of %u dimensions, the manifest says %u",
                             shard->object_url, vec->dimension, shard->dimension);
    }
    if (vec->metric != shard->metric) {
        return shf_error_set(error, SHF_E_INDEX, "%s measures by %s, the manifest says %s", shard->object_url,
                             shf_metric_name(vec->metric), shf_metric_name(shard->metric));
    }
    return SHF_OK;
}

shf_status shf_shard_parse(struct shf_shard *shard, const struct shf_cache_key *identity, struct shf_error **error) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema = {0};
    const struct shf_buf *bytes = shard->file.buf;
    shf_status status = shf_sqlite_open(&db, bytes->data, bytes->size, error);
    if (!status) status = shf_sqlite_schema_load(&db, &schema, error);
    if (!status) status = shf_kv_open(&shard->kv, &db, &schema, error);
    if (!status && shard->wants_vectors) {
        status = shf_vec0_open(&shard->vec, &db, &schema, error);
        if (!status) status = check_vectors(shard, error);
        if (!status) status = shf_shard_lay_out_vectors(shard, identity, error);
    }
    if (status && error && *error) shf_error_prefix(error, "%s", shard->object_url);
    shf_sqlite_schema_free(&schema);
    return status;
}

/* The layout is of this shard and of this version of the layout. */
static shf_status layout_key(const struct shf_cache_key *identity, struct shf_cache_key *out, struct shf_error **error) {
    char digest[2 * sizeof identity->digest + 1];
    const char *parts[] = {"vector layout 1", digest};
    shf_hex_encode(identity->digest, sizeof identity->digest, digest);
    return shf_cache_key_make(parts, 2, out, error);
}

static void fill_layout(const struct shf_vector_layout *layout, const struct shf_cache_key *identity, uint8_t *bytes) {
    shf_search_norms((const float *)(void *)(bytes + layout->vectors_offset), layout->rows, layout->dimension,
                     (double *)(void *)(bytes + layout->norms_offset));
    shf_vector_layout_write_header(layout, identity->digest, bytes);
}

/* Writes the layout into a new cache file through a mapping, so that it is never held in memory of ours. */
static shf_status build_layout(struct shf_shard *shard, struct shf_disk_cache *cache,
                               const struct shf_cache_key *identity, const struct shf_cache_key *key, uint64_t rows,
                               struct shf_error **error) {
    struct shf_vector_layout layout;
    struct shf_cache_writer writer;
    uint8_t *bytes = NULL;
    shf_status status = shf_vector_layout_plan(shard->vec.dimension, rows, &layout, error);
    if (!status) status = shf_disk_cache_begin(cache, &writer, error);
    if (status) return status;
    status = shf_cache_writer_map(&writer, layout.total_size, &bytes, error);
    if (!status) {
        status = shf_vec0_read(&shard->vec, rows, (float *)(void *)(bytes + layout.vectors_offset),
                               (int64_t *)(void *)(bytes + layout.rowids_offset), error);
        if (!status) fill_layout(&layout, identity, bytes);
        shf_cache_writer_unmap(bytes, layout.total_size);
    }
    if (status) {
        shf_disk_cache_abort(&writer);
        return status;
    }
    return shf_disk_cache_commit(&writer, key, "vectors", &shard->layout_file, error);
}

static shf_status use_layout(struct shf_shard *shard, const struct shf_cache_key *identity, uint64_t rows,
                             struct shf_error **error) {
    struct shf_vector_layout layout;
    const struct shf_buf *bytes = shard->layout_file.buf;
    shf_status status = shf_vector_layout_open(bytes->data, bytes->size, identity->digest, &layout, error);
    if (status) return status;
    if (layout.dimension != shard->vec.dimension || layout.rows != rows) {
        return shf_error_set(error, SHF_E_INDEX,
                             "the laid-out vectors in the cache have %" PRIu64
                             " rows of %u dimensions, the shard %" PRIu64 " of %u; remove the cache directory",
                             layout.rows, layout.dimension, rows, shard->vec.dimension);
    }
    shard->rows = (struct shf_vector_rows){(const float *)(const void *)(bytes->data + layout.vectors_offset),
                                           (const double *)(const void *)(bytes->data + layout.norms_offset),
                                           layout.rows, layout.dimension};
    shard->rowids = (const int64_t *)(const void *)(bytes->data + layout.rowids_offset);
    return SHF_OK;
}

shf_status shf_shard_lay_out_vectors(struct shf_shard *shard, const struct shf_cache_key *identity,
                                     struct shf_error **error) {
    struct shf_disk_cache *cache;
    struct shf_cache_key key;
    uint64_t rows = 0;
    bool found = false;
    shf_status status = shf_vec0_count(&shard->vec, &rows, error);
    if (status || rows == 0) {
        shard->rows = (struct shf_vector_rows){.dimension = shard->vec.dimension};
        return status;
    }
    status = shf_source_cache(shard->source, &cache, error);
    if (!status) status = layout_key(identity, &key, error);
    if (!status) status = shf_disk_cache_find(cache, &key, "vectors", &found, &shard->layout_file, error);
    if (!status && !found) status = build_layout(shard, cache, identity, &key, rows, error);
    if (!status) status = use_layout(shard, identity, rows, error);
    return status;
}
