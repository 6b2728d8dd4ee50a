/*
 * What opening a vector-only snapshot needs beside its manifest, a chain of steps on the loop thread:
 *
 *   is custom.vector sound?
 *   GET the centroids or hyperplanes, where the strategy needs them     (under the rules for URLs in data)
 *   HEAD shard.db of the first shard: nothing in the manifest says whether shards are SQLite files or Lance datasets
 */
#ifndef SHF_READER_VECTOR_PARTS_H
#define SHF_READER_VECTOR_PARTS_H

#include "reader/shard/shard.h"

struct shf_vector_parts {
    /* in; borrowed until done */
    struct shf_source *source;
    const struct shf_manifest *manifest;
    const char *manifest_ref;
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_vector_parts *parts); /* once, on the loop thread, perhaps within the start */

    /* out */
    shf_status status;
    struct shf_error *error;         /* the receiver's */
    struct shf_buf *table;           /* the file of centroids or hyperplanes; NULL: none is needed */
    char *table_url;                 /* of it */
    enum shf_vectors_format vectors; /* of all shards */

    /* own */
    struct shf_store_request request;
    char *key;
};

/*
 * Errors: INVALID (dimension, metric, strategy, number of probes), STATE (custom.vector is empty, or the file of the
 * routing is not there), MANIFEST (a URL that is not to be trusted), LIMIT (the file is longer than any of its shape), and
 * those of the store.
 */
void shf_vector_parts_start(struct shf_vector_parts *parts);
/* Releases what it still has. Not while it is under way. */
void shf_vector_parts_clear(struct shf_vector_parts *parts);

/* Whether a manifest is of such a snapshot. */
static inline bool shf_is_vector_only(const struct shf_manifest *manifest) {
    return manifest->has_vector && !manifest->vector.unified;
}

/* Checks that all kinds of snapshots with vectors share. */
shf_status shf_check_dimension(const struct shf_manifest_vector *vector, const char *ref, struct shf_error **error);
shf_status shf_refuse_metric(const struct shf_manifest_vector *vector, const char *ref, const char *known,
                             struct shf_error **error);

#endif
