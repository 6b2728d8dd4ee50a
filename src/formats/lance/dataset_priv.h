/* What the parts of a dataset share. */
#ifndef SHF_FORMATS_LANCE_DATASET_PRIV_H
#define SHF_FORMATS_LANCE_DATASET_PRIV_H

#include "formats/lance/dataset.h"

struct shf_lance_open_fragment {
    uint32_t id;
    struct shf_lance_file *files; /* the columns point to them */
    struct shf_lance_column columns[SHF_LANCE_FIELDS];
    struct shf_lance_deletions deletions; /* its number of rows is the fragment's */
};

struct shf_lance_fragment_place {
    uint32_t id;
    size_t index;
};

struct shf_lance_dataset {
    struct shf_budget *budget;
    uint64_t charged_bytes; /* by the dataset itself: its columns and deletions know theirs */
    uint32_t dimension;
    uint64_t rows; /* live */
    struct shf_lance_open_fragment *fragments;
    size_t fragment_count;
    struct shf_lance_fragment_place *places; /* by id */
};

#endif
