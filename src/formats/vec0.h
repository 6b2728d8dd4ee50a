/*
 * The vec0 virtual table of a shard (sqlite-vec 0.1.0 to 0.1.9), read from its shadow tables: one float32 column
 * `embedding` with metric cosine or l2. int8 and bit columns, l1, and other shapes are refused by name. Pure, read-only.
 * Layout: one row a chunk of `chunk_slots` slots (validity bitmap, rowids), and one blob of vectors a chunk.
 */
#ifndef SHF_FORMATS_VEC0_H
#define SHF_FORMATS_VEC0_H

#include "formats/sqlite.h"

enum shf_metric { SHF_METRIC_COSINE = 1, SHF_METRIC_L2 = 2, SHF_METRIC_DOT = 3 };
const char *shf_metric_name(enum shf_metric metric); /* "cosine", "l2", "dot_product" */

struct shf_vec0 {
    struct shf_sqlite db;
    enum shf_metric metric;
    uint32_t dimension;   /* 1..SHF_LIMIT_DIMENSION */
    uint32_t chunk_slots; /* slots a chunk; 1024 unless the DDL says otherwise */
    uint32_t chunks_root, vectors_root;
    uint32_t rowids_root, id_map_root, payloads_root; /* 0 = no such table */
};

/*
 * SHF_E_INDEX when the table or one of its shadow tables is missing or malformed, SHF_E_UNSUPPORTED, naming it, when
 * it has a column or an option that is not read.
 */
shf_status shf_vec0_open(struct shf_vec0 *vec, const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                         struct shf_error **error);

/* Number of live rows (reads the validity bitmaps). SHF_E_CORRUPT when the file is too small to hold their vectors. */
shf_status shf_vec0_count(const struct shf_vec0 *vec, uint64_t *rows, struct shf_error **error);

/*
 * Copies all live vectors, in (chunk id, slot) order: the order of positions that ties are broken by.
 * vectors: rows * dimension floats; rowids: rows. rows must be what shf_vec0_count gave (else SHF_E_INDEX).
 * NaN and infinities are copied as they are. May allocate one chunk's blobs for a while.
 */
shf_status shf_vec0_read(const struct shf_vec0 *vec, uint64_t rows, float *vectors, int64_t *rowids,
                         struct shf_error **error);

/*
 * Id of a vector as vec_id_map stores it: {"v": 7, "t": "int"} or {"v": "x", "t": "str"}; no row = the rowid itself.
 * SHF_E_INDEX when the text is another one, or the integer has more than 64 bits; SHF_E_LIMIT above SHF_LIMIT_ID_BYTES.
 */
struct shf_stored_id {
    bool is_text;
    int64_t integer;
    char *text; /* NUL-terminated UTF-8, the caller's to shf_free */
    size_t text_size;
};
shf_status shf_vec0_id(const struct shf_vec0 *vec, int64_t rowid, struct shf_stored_id *out, struct shf_error **error);

/* Payload text of a vector, UTF-8 as stored (not parsed), NUL-terminated, the caller's to shf_free; *out NULL when there is none. */
shf_status shf_vec0_payload(const struct shf_vec0 *vec, int64_t rowid, char **out, size_t *size,
                            struct shf_error **error);

/*
 * Rowid of the first live vector (in rowid order of vec_id_map) with this id; text NULL = the integer. A vector
 * without a row there is found by its rowid. Reads the whole table.
 */
shf_status shf_vec0_find_id(const struct shf_vec0 *vec, const char *text, size_t text_size, int64_t integer,
                            bool *found, int64_t *rowid, struct shf_error **error);

#endif
