/*
 * The vectors of a shard, laid out for scanning in a file of the local cache (formats/vector_layout.h), and what belongs
 * to a row of theirs: the same for vec0 tables and Lance datasets.
 */
#ifndef SHF_READER_SHARD_VECTORS_H
#define SHF_READER_SHARD_VECTORS_H

#include "reader/shard/shard.h"

/* Where vectors are copied from. */
struct shf_vector_source {
    const void *context;
    uint64_t rows;
    uint32_t dimension;
    /* All of them, in the order of positions: rows * dimension floats, and what names each row. */
    shf_status (*read)(const void *context, uint64_t rows, float *vectors, int64_t *rowids, struct shf_error **error);
};

/* Checks the dimension, and sets rows, rowids and layout_file of the shard. Worker; identity names this content. */
shf_status shf_shard_lay_out_vectors(struct shf_shard *shard, const struct shf_vector_source *source,
                                     const struct shf_cache_key *identity, struct shf_error **error);

/* Of a row by its rowid; see shf_vec0_id and shf_vec0_payload. Any thread. */
shf_status shf_shard_vector_id(const struct shf_shard *shard, int64_t rowid, struct shf_stored_id *out,
                               struct shf_error **error);
shf_status shf_shard_vector_payload(const struct shf_shard *shard, int64_t rowid, char **out, size_t *size,
                                    struct shf_error **error);
/*
 * The first row with this id; text NULL = the integer (in a Lance dataset, whose ids are texts, its decimal digits).
 * Reads all ids. Any thread.
 */
shf_status shf_shard_find_vector(const struct shf_shard *shard, const char *text, size_t text_size, int64_t integer,
                                 bool *found, int64_t *rowid, struct shf_error **error);

#endif
