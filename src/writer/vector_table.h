/* Centroids and hyperplanes as an object beside the shards, and what the manifest says of a snapshot of vectors alone. */
#ifndef SHF_WRITER_VECTOR_TABLE_H
#define SHF_WRITER_VECTOR_TABLE_H

#include "base/error.h"

#include <stdint.h>

struct shf_publish_op;

struct shf_vector_table {
    char *tail, *url; /* below the prefix; NULL: the strategy has no table */
    uint64_t size;
    uint8_t sha256[32];
    void (*then)(struct shf_publish_op *publish);
};

/* Worker: names and digest of publish->table. */
shf_status shf_vector_table_make(struct shf_publish_op *publish, struct shf_error **error);
void shf_vector_table_free(struct shf_vector_table *table);
/* Worker, after that: the text of custom.vector, the caller's to shf_free. */
shf_status shf_vector_table_describe(const struct shf_publish_op *publish, char **out, struct shf_error **error);
/* Loop thread: uploads it, by publish->errand; `then`, or shf_publish_fail. */
void shf_vector_table_put(struct shf_publish_op *publish, void (*then)(struct shf_publish_op *publish));

#endif
