/*
 * The manifest of a Lance dataset (`_versions/N.manifest`): which fragments it has, in which files their columns lie, and
 * which rows are deleted. One table shape is read, the one that LanceDB's users of this project write: `id` utf8, `vector`
 * fixed_size_list<float32>, `payload` utf8 (or no such column: then every payload is null); other columns are left alone.
 * Indices are not read. Pure; the struct owns what it holds and is read-only after parsing.
 *
 * Refused by name: stable row ids and unknown feature flags (they change what a row address means), external base paths,
 * data files of other versions than 2.0, 2.1 and 2.2, other types of the three columns.
 */
#ifndef SHF_FORMATS_LANCE_MANIFEST_H
#define SHF_FORMATS_LANCE_MANIFEST_H

#include "base/error.h"
#include "base/limits.h"
#include "formats/lance/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shf_lance_field { SHF_LANCE_ID, SHF_LANCE_VECTOR, SHF_LANCE_PAYLOAD, SHF_LANCE_FIELDS };

#define SHF_LANCE_NO_COLUMN UINT32_MAX

struct shf_lance_data_file {
    char name[SHF_LANCE_NAME_BYTES + 1]; /* below data/; plain */
    uint64_t size;                       /* 0 = unknown */
    uint32_t columns[SHF_LANCE_FIELDS];  /* number of the column in the file, or SHF_LANCE_NO_COLUMN */
};

enum shf_lance_deletion_type { SHF_LANCE_DELETIONS_ARROW, SHF_LANCE_DELETIONS_BITMAP };

struct shf_lance_deletion_file {
    enum shf_lance_deletion_type type;
    uint64_t read_version, id; /* parts of its name */
    uint64_t deleted_rows;     /* 0 = unknown */
};

struct shf_lance_fragment {
    uint32_t id;
    uint64_t rows;                     /* deleted ones too; at most 2^32 */
    struct shf_lance_data_file *files; /* those that hold one of the three columns */
    size_t file_count;                 /* at most SHF_LANCE_FIELDS */
    bool has_deletions;
    struct shf_lance_deletion_file deletions;
};

struct shf_lance_manifest {
    uint64_t version;
    uint32_t dimension;                   /* 1..SHF_LIMIT_DIMENSION */
    bool has_payload;                     /* there is such a column */
    struct shf_lance_fragment *fragments; /* in the order of positions */
    size_t fragment_count;
};

/*
 * data is the whole file. version is what its name says; another one inside is SHF_E_CORRUPT. SHF_E_CORRUPT, SHF_E_INDEX (the
 * table has another shape), SHF_E_UNSUPPORTED, SHF_E_LIMIT, SHF_E_NO_MEMORY.
 *
 * Charged to no budget: it takes less than 40 times the bytes of the file (data files and fragments of a few bytes become some
 * hundred), and less than 64 MiB however large that is. A usual one takes about as much as its file.
 */
shf_status shf_lance_manifest_parse(const void *data, size_t size, uint64_t version, struct shf_lance_manifest **out,
                                    struct shf_error **error);
void shf_lance_manifest_free(struct shf_lance_manifest *manifest); /* NULL is fine */

/* Name of the deletion file of a fragment that has one, below _deletions/. */
void shf_lance_deletion_name(const struct shf_lance_fragment *fragment, char out[SHF_LANCE_NAME_BYTES + 1]);

/* Position of the row = fragment, then offset; its address is what LanceDB calls _rowid. */
static inline int64_t shf_lance_row_address(uint32_t fragment, uint32_t offset) {
    return (int64_t)((uint64_t)fragment << 32 | offset);
}

#endif
