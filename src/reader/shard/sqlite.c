/* What a mapped SQLite shard holds: the key-value table, and the vec0 table of a unified one. */
#include "reader/shard/vectors.h"

static shf_status read_vec0(const void *context, uint64_t rows, float *vectors, int64_t *rowids,
                            struct shf_error **error) {
    return shf_vec0_read(context, rows, vectors, rowids, error);
}

static shf_status open_vectors(struct shf_shard *shard, const struct shf_sqlite *db,
                               const struct shf_sqlite_schema *schema, const struct shf_cache_key *identity,
                               struct shf_error **error) {
    struct shf_vec0 *vec = &shard->vec;
    struct shf_vector_source source = {.context = vec, .read = read_vec0};
    shf_status status = shf_vec0_open(vec, db, schema, error);
    if (status) return status;
    if (vec->metric != shard->metric) {
        return shf_error_set(error, SHF_E_INDEX, "it measures by %s, the manifest says %s",
                             shf_metric_name(vec->metric), shf_metric_name(shard->metric));
    }
    source.dimension = vec->dimension;
    status = shf_vec0_count(vec, &source.rows, error);
    return status ? status : shf_shard_lay_out_vectors(shard, &source, identity, error);
}

shf_status shf_shard_parse_sqlite(struct shf_shard *shard, const struct shf_cache_key *identity,
                                  struct shf_error **error) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema = {0};
    const struct shf_buf *bytes = shard->file.buf;
    shf_status status = shf_sqlite_open(&db, bytes->data, bytes->size, error);
    if (!status) status = shf_sqlite_schema_load(&db, &schema, error);
    if (!status && shard->keys != SHF_KEYS_NONE) status = shf_kv_open(&shard->kv, &db, &schema, error);
    if (!status && shard->vectors == SHF_VECTORS_VEC0) status = open_vectors(shard, &db, &schema, identity, error);
    if (status && error && *error) shf_error_prefix(error, "%s", shard->object_url);
    shf_sqlite_schema_free(&schema);
    return status;
}
