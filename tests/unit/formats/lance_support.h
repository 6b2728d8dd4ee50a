/* Lance datasets from folders, and samples of single files. */
#ifndef SHF_TESTS_FORMATS_LANCE_SUPPORT_H
#define SHF_TESTS_FORMATS_LANCE_SUPPORT_H

#include "support.h"

#include "formats/lance/dataset.h"

struct lance_file_bytes {
    uint8_t *data;
    size_t size;
};

/* A dataset and everything that it stands on. */
struct lance_set {
    struct lance_file_bytes manifest_bytes;
    struct shf_lance_manifest *manifest;
    struct lance_file_bytes *files; /* data files, then the deletion file, of each fragment */
    size_t file_count;
    struct shf_lance_source *sources;
    struct shf_lance_fragment_bytes *fragments;
    struct shf_budget budget;
    struct shf_lance_dataset *dataset;
    float *vectors;
    int64_t *addresses;
    uint64_t rows;
};

/* Opens the latest version below the folder, and reads its vectors. Fails the test. */
void lance_set_open(struct lance_set *set, const char *folder);
void lance_set_close(struct lance_set *set);
/* Loads manifest and files, and opens nothing. */
void lance_set_load(struct lance_set *set, const char *folder);

/* Folders whose names end so, below this one, sorted; the caller's to free, each and all. */
char **find_folders(const char *root, const char *ending, size_t *count);

/* Distance as LanceDB says it, in float64. */
double lance_distance(enum shf_metric metric, const float *query, const float *row, uint32_t dimension);

/* Bytes of base64; free() it. */
uint8_t *from_base64(const char *text, size_t *size);

#endif
