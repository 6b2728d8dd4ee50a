/* The tables of a shard's vectors, as sqlite-vec 0.1.9 lays them out (see vec0.h). Private to formats. */
#ifndef SHF_FORMATS_VEC0_BUILD_H
#define SHF_FORMATS_VEC0_BUILD_H

#include "formats/sqlite_build.h"

#define SHF_VEC0_SLOTS 1024u                                           /* of a chunk */
#define SHF_VEC0_SCHEMA_ROWS 10u                                       /* what it adds to the schema */
#define SHF_VEC0_STATE_BYTES (SHF_VEC0_SLOTS / 8 + SHF_VEC0_SLOTS * 8) /* bitmap and rowids of a chunk */

/* The blob of the chunk that is being filled: its overflow chain is reserved when it begins, and written as rows come. */
struct shf_vec0_blob {
    struct shf_page_writer writer;
    uint64_t payload_size;
    uint32_t local_size, local_used;
    uint8_t *local; /* what stays in the cell */
    uint32_t head, page_count, pages_begun;
    uint8_t *page; /* the last one begun */
    uint32_t page_used;
};

struct shf_vec0_build {
    struct shf_sqlite_build *build;
    uint32_t dimension;
    enum shf_metric metric;
    int64_t rows;
    struct shf_vec0_blob blob;
    uint8_t *state; /* SHF_VEC0_STATE_BYTES */
    char *id_text;
    size_t id_capacity; /* charged to the budget */
    struct shf_build_tree chunks, rowids, vectors, vectors_index, payloads, id_map;
    char sql[128]; /* of the virtual table */
};

/* `build` must outlive it. To be freed even when this fails. */
shf_status shf_vec0_build_begin(struct shf_vec0_build *vec, struct shf_sqlite_build *build, uint32_t dimension,
                                enum shf_metric metric, struct shf_error **error);
shf_status shf_vec0_build_add(struct shf_vec0_build *vec, const struct shf_shard_row *row, struct shf_error **error);
/* Fills up the last chunk, and flushes. For shf_vec0_build_finish. */
shf_status shf_vec0_build_end_rows(struct shf_vec0_build *vec, struct shf_error **error);
/* Ends the tables; rows: SHF_VEC0_SCHEMA_ROWS for the schema, whose texts are the build's. */
shf_status shf_vec0_build_finish(struct shf_vec0_build *vec, struct shf_build_schema_row *rows, struct shf_error **error);
void shf_vec0_build_free(struct shf_vec0_build *vec);
/* Bytes that it takes of the budget, at most. */
uint64_t shf_vec0_build_bytes(uint32_t page_size);

#endif
