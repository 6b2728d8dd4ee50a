/* The vectors of a shard in a Lance dataset: its files mapped, its vectors laid out for scanning (vectors.h). */
#ifndef SHF_READER_SHARD_LANCE_H
#define SHF_READER_SHARD_LANCE_H

#include "formats/lance/dataset.h"
#include "reader/shard/newest.h"
#include "reader/shard/object.h"

#define SHF_LANCE_DIRECTORY "vector_index.lance/" /* below the database directory of a vector-only shard */
#define SHF_LANCE_BESIDE_KEYS "vector/"           /* before that in a composite one */

struct shf_lance {
    struct shf_budget *budget; /* of the runtime */
    uint64_t charged_bytes;
    struct shf_lance_manifest *manifest;
    struct shf_mapped_file *files; /* data and deletion files, fragment after fragment */
    uint32_t file_count;
    struct shf_lance_dataset *dataset;
};
void shf_lance_free(struct shf_lance *lance); /* NULL is fine */

/*
 * Opening one, a chain of steps:
 *
 *   loop    the newest manifest                              (newest.h); none: is there anything else?
 *   worker  parse; bring data and deletion files in          (object.h)
 *   worker  open the dataset
 *
 * An object that is gone by then was replaced by a compaction: from the beginning, once.
 */
struct shf_lance_opening {
    /* in */
    const struct shf_shard *shard;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_lance_opening *opening); /* once, on a worker */
    /* Before that, on a worker: it will fail, and is worth cancelling. */
    void (*failing)(struct shf_lance_opening *opening);

    /* out */
    shf_status status;
    struct shf_error *error;       /* the receiver's */
    struct shf_lance *made;        /* the receiver's; NULL with SHF_OK: there is no dataset, so no vectors */
    struct shf_cache_key identity; /* of this content */
    uint64_t downloaded_bytes;

    /* own */
    struct shf_task task;
    struct shf_newest newest;
    struct shf_store_request listing;
    char *directory;
    struct shf_object_group group;
    bool asked_again;
};
void shf_lance_opening_start(struct shf_lance_opening *opening); /* any thread */

#endif
