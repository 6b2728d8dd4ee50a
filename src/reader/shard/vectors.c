#include "reader/shard/vectors.h"

#include "base/text.h"
#include "io/cache_map.h"

#include <inttypes.h>
#include <stdio.h>

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
static shf_status build_layout(struct shf_shard *shard, const struct shf_vector_source *source,
                               struct shf_disk_cache *cache, const struct shf_cache_key *identity,
                               const struct shf_cache_key *key, struct shf_error **error) {
    struct shf_vector_layout layout;
    struct shf_cache_writer writer;
    uint8_t *bytes = NULL;
    shf_status status = shf_vector_layout_plan(source->dimension, source->rows, &layout, error);
    if (!status) status = shf_disk_cache_begin(cache, &writer, error);
    if (status) return status;
    status = shf_cache_writer_map(&writer, layout.total_size, &bytes, error);
    if (!status) {
        status = source->read(source->context, source->rows, (float *)(void *)(bytes + layout.vectors_offset),
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

static shf_status use_layout(struct shf_shard *shard, const struct shf_vector_source *source,
                             const struct shf_cache_key *identity, struct shf_error **error) {
    struct shf_vector_layout layout;
    const struct shf_buf *bytes = shard->layout_file.buf;
    shf_status status = shf_vector_layout_open(bytes->data, bytes->size, identity->digest, &layout, error);
    if (status) return status;
    if (layout.dimension != source->dimension || layout.rows != source->rows) {
        return shf_error_set(error, SHF_E_INDEX,
                             "the laid-out vectors in the cache have %" PRIu64
                             " rows of %u dimensions, the shard %" PRIu64 " of %u; remove the cache directory",
                             layout.rows, layout.dimension, source->rows, source->dimension);
    }
    shard->rows = (struct shf_vector_rows){(const float *)(const void *)(bytes->data + layout.vectors_offset),
                                           (const double *)(const void *)(bytes->data + layout.norms_offset),
                                           layout.rows, layout.dimension};
    shard->rowids = (const int64_t *)(const void *)(bytes->data + layout.rowids_offset);
    return SHF_OK;
}

shf_status shf_shard_lay_out_vectors(struct shf_shard *shard, const struct shf_vector_source *source,
                                     const struct shf_cache_key *identity, struct shf_error **error) {
    struct shf_disk_cache *cache;
    struct shf_cache_key key;
    bool found = false;
    if (source->dimension != shard->dimension) {
        return shf_error_set(error, SHF_E_INDEX, "it holds vectors of %u dimensions, the manifest says %u",
                             source->dimension, shard->dimension);
    }
    shard->rows = (struct shf_vector_rows){.dimension = shard->dimension};
    if (source->rows == 0) return SHF_OK;
    shf_status status = shf_source_cache(shard->source, &cache, error);
    if (!status) status = layout_key(identity, &key, error);
    if (!status) status = shf_disk_cache_find(cache, &key, "vectors", &found, &shard->layout_file, error);
    if (!status && !found) status = build_layout(shard, source, cache, identity, &key, error);
    if (!status) status = use_layout(shard, source, identity, error);
    return status;
}

shf_status shf_shard_vector_id(const struct shf_shard *shard, int64_t rowid, struct shf_stored_id *out,
                               struct shf_error **error) {
    return shard->lance ? shf_lance_dataset_id(shard->lance->dataset, rowid, out, error)
                        : shf_vec0_id(&shard->vec, rowid, out, error);
}

shf_status shf_shard_vector_payload(const struct shf_shard *shard, int64_t rowid, char **out, size_t *size,
                                    struct shf_error **error) {
    return shard->lance ? shf_lance_dataset_payload(shard->lance->dataset, rowid, out, size, error)
                        : shf_vec0_payload(&shard->vec, rowid, out, size, error);
}

shf_status shf_shard_find_vector(const struct shf_shard *shard, const char *text, size_t text_size, int64_t integer,
                                 bool *found, int64_t *rowid, struct shf_error **error) {
    char digits[24];
    *found = false;
    if (shard->rows.rows == 0) return SHF_OK;
    if (!shard->lance) return shf_vec0_find_id(&shard->vec, text, text_size, integer, found, rowid, error);
    if (!text) {
        text_size = (size_t)snprintf(digits, sizeof digits, "%" PRId64, integer);
        text = digits;
    }
    return shf_lance_dataset_find_id(shard->lance->dataset, text, text_size, found, rowid, error);
}
