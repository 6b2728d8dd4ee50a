/*
 * A Lance dataset as one shard's vectors, over bytes that somebody else mapped or read: the live rows in the order of their
 * positions (fragment, then offset), their vectors, ids and payloads. Rows are named by their addresses, fragment << 32 |
 * offset, as rowids are in vec0.h. Pure; read-only once open: any number of threads.
 *
 *     shf_lance_latest_name(names of _versions/)                         -> which manifest
 *     shf_lance_manifest_parse(its bytes)                                -> which data and deletion files
 *     shf_lance_dataset_open(manifest, sources of those)                 -> the dataset
 *     shf_lance_dataset_read(...)                                        -> what vector_layout.h lays out
 */
#ifndef SHF_FORMATS_LANCE_DATASET_H
#define SHF_FORMATS_LANCE_DATASET_H

#include "base/budget.h"
#include "formats/lance/column.h"
#include "formats/lance/deletions.h"
#include "formats/lance/manifest.h"
#include "formats/vec0.h"

/* The bytes of one fragment. */
struct shf_lance_fragment_bytes {
    const struct shf_lance_source *files; /* one for each of its data files, in order */
    const void *deletions;                /* the whole deletion file, when it has one */
    size_t deletions_size;
};

struct shf_lance_dataset;

/*
 * fragments: one for each of the manifest's. The manifest and what the sources point to must outlive the dataset; the arrays
 * need not. Reads footers, metadata, deletion files, and what preparing the columns reads; checks that the files have the
 * rows that the manifest says. SHF_E_CORRUPT, SHF_E_INDEX, SHF_E_UNSUPPORTED, SHF_E_LIMIT, SHF_E_NO_MEMORY, SHF_E_INVALID (more
 * than the budget has altogether), naming the file.
 *
 * Everything that is allocated is charged to the budget, which must outlive the dataset: now some hundred bytes for each
 * fragment and page, 16 for each chunk of a page, dictionaries as they unpack, a bit a row for deletions and some nulls; later
 * what a text unpacks to, while it is read. What is given to the caller is the caller's to charge.
 */
shf_status shf_lance_dataset_open(const struct shf_lance_manifest *manifest,
                                  const struct shf_lance_fragment_bytes *fragments, struct shf_budget *budget,
                                  struct shf_lance_dataset **out, struct shf_error **error);
void shf_lance_dataset_free(struct shf_lance_dataset *dataset); /* NULL is fine */

uint64_t shf_lance_dataset_count(const struct shf_lance_dataset *dataset); /* of live rows */
uint32_t shf_lance_dataset_dimension(const struct shf_lance_dataset *dataset);

/*
 * Copies all live vectors, in the order of positions. vectors: rows * dimension floats; addresses: rows. rows must be what
 * shf_lance_dataset_count gave (else SHF_E_INDEX). NaN and infinities are copied as they are; a null vector is SHF_E_INDEX.
 */
shf_status shf_lance_dataset_read(const struct shf_lance_dataset *dataset, uint64_t rows, float *vectors,
                                  int64_t *addresses, struct shf_error **error);

/*
 * The id of a live row, which is always a text; NULs may be in it. SHF_E_INDEX when there is no such row or its id is null,
 * SHF_E_LIMIT above SHF_LIMIT_ID_BYTES; the errors of the budget. out->text is the caller's to shf_free.
 */
shf_status shf_lance_dataset_id(const struct shf_lance_dataset *dataset, int64_t address, struct shf_stored_id *out,
                                struct shf_error **error);

/* Payload text, NUL-terminated, the caller's to shf_free; *out NULL when it is null. */
shf_status shf_lance_dataset_payload(const struct shf_lance_dataset *dataset, int64_t address, char **out, size_t *size,
                                     struct shf_error **error);

/*
 * Address of the first live row, in the order of positions, with this id. Reads the column of ids; those above
 * SHF_LIMIT_ID_BYTES are passed over, as no text is looked for that is longer.
 */
shf_status shf_lance_dataset_find_id(const struct shf_lance_dataset *dataset, const char *text, size_t text_size,
                                     bool *found, int64_t *address, struct shf_error **error);

/* The column of a fragment (by its place in the manifest); NULL for payloads that the fragment does not have. */
const struct shf_lance_column *shf_lance_dataset_column(const struct shf_lance_dataset *dataset, size_t fragment,
                                                        enum shf_lance_field field);

#endif
