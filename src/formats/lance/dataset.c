/* Opening a dataset, and copying its live vectors. */
#include "formats/lance/dataset.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "formats/lance/dataset_priv.h"
#include "formats/lance/memory_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static shf_status open_columns(const struct shf_lance_manifest *manifest, const struct shf_lance_data_file *description,
                               const struct shf_lance_file *file, struct shf_lance_open_fragment *fragment,
                               struct shf_error **error) {
    for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) {
        struct shf_lance_column *column = &fragment->columns[i];
        uint32_t number = description->columns[i], dimension = i == SHF_LANCE_VECTOR ? manifest->dimension : 0;
        if (number == SHF_LANCE_NO_COLUMN) continue;
        shf_status status = shf_lance_column_open(column, file, number, dimension, error);
        if (!status) status = shf_lance_column_prepare(column, error);
        if (status) return status;
    }
    return SHF_OK;
}

static shf_status open_file(const struct shf_lance_manifest *manifest, const struct shf_lance_data_file *description,
                            const struct shf_lance_source *source, struct shf_budget *budget, struct shf_lance_file *file,
                            struct shf_lance_open_fragment *fragment, struct shf_error **error) {
    uint64_t rows = fragment->deletions.rows;
    shf_status status;
    if (description->size != 0 && description->size != source->size) {
        status = shf_error_set(error, SHF_E_CORRUPT, "it has %" PRIu64 " bytes, the manifest says %" PRIu64,
                               source->size, description->size);
    } else {
        status = shf_lance_file_open(file, source, error);
        file->budget = budget;
    }
    if (!status && file->rows != rows) {
        status =
            shf_error_set(error, SHF_E_CORRUPT, "it has %" PRIu64 " rows, the manifest says %" PRIu64, file->rows, rows);
    }
    if (!status) status = open_columns(manifest, description, file, fragment, error);
    if (status && error) shf_error_prefix(error, "data/%s", description->name);
    return status;
}

static shf_status open_deletions(const struct shf_lance_fragment *description,
                                 const struct shf_lance_fragment_bytes *bytes, struct shf_budget *budget,
                                 struct shf_lance_open_fragment *out, struct shf_error **error) {
    const struct shf_lance_deletion_file *file = &description->deletions;
    shf_status status = shf_lance_deletions_parse_within(file->type, bytes->deletions, bytes->deletions_size,
                                                         description->rows, budget, &out->deletions, error);
    if (!status && file->deleted_rows != 0 && file->deleted_rows != out->deletions.deleted) {
        status = shf_error_set(error, SHF_E_CORRUPT,
                               "Lance deletion file: it deletes %" PRIu64 " rows, the manifest says %" PRIu64,
                               out->deletions.deleted, file->deleted_rows);
    }
    if (status && error) {
        char name[SHF_LANCE_NAME_BYTES + 1];
        shf_lance_deletion_name(description, name);
        shf_error_prefix(error, "_deletions/%s", name);
    }
    return status;
}

static shf_status open_fragment(const struct shf_lance_manifest *manifest, const struct shf_lance_fragment *description,
                                const struct shf_lance_fragment_bytes *bytes, struct shf_lance_dataset *dataset,
                                struct shf_lance_open_fragment *out, struct shf_error **error) {
    void *files = NULL;
    out->id = description->id;
    out->deletions.rows = description->rows;
    shf_status status = shf_lance_memory_zero(dataset->budget, description->file_count, sizeof *out->files,
                                              "a fragment of a Lance dataset", &files, &dataset->charged_bytes, error);
    out->files = files;
    for (size_t i = 0; !status && i < description->file_count; i++) {
        status =
            open_file(manifest, &description->files[i], &bytes->files[i], dataset->budget, &out->files[i], out, error);
    }
    if (status || !description->has_deletions) return status;
    /* Vectors of as many rows are there: it makes room for no more. */
    return open_deletions(description, bytes, dataset->budget, out, error);
}

static int compare_ids(const void *a, const void *b) {
    const struct shf_lance_fragment_place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static shf_status make_dataset(size_t fragment_count, struct shf_budget *budget, struct shf_lance_dataset **out,
                               struct shf_error **error) {
    static const char what[] = "a Lance dataset";
    void *memory = NULL, *fragments = NULL, *places = NULL;
    uint64_t charged = 0;
    shf_status status = shf_lance_memory_zero(budget, 1, sizeof **out, what, &memory, &charged, error);
    if (status) return status;
    struct shf_lance_dataset *dataset = memory;
    status = shf_lance_memory_zero(budget, fragment_count, sizeof *dataset->fragments, what, &fragments, &charged, error);
    if (!status) {
        status = shf_lance_memory_zero(budget, fragment_count, sizeof *dataset->places, what, &places, &charged, error);
    }
    dataset->budget = budget;
    dataset->charged_bytes = charged;
    dataset->fragments = fragments;
    dataset->places = places;
    if (status) {
        shf_lance_dataset_free(dataset);
        return status;
    }
    *out = dataset;
    return SHF_OK;
}

shf_status shf_lance_dataset_open(const struct shf_lance_manifest *manifest,
                                  const struct shf_lance_fragment_bytes *fragments, struct shf_budget *budget,
                                  struct shf_lance_dataset **out, struct shf_error **error) {
    size_t count = manifest->fragment_count;
    struct shf_lance_dataset *dataset = NULL;
    shf_status status = make_dataset(count, budget, &dataset, error);
    if (status) return status;
    dataset->dimension = manifest->dimension;
    for (size_t i = 0; i < count; i++) {
        struct shf_lance_open_fragment *fragment = &dataset->fragments[i];
        dataset->fragment_count = i + 1;
        status = open_fragment(manifest, &manifest->fragments[i], &fragments[i], dataset, fragment, error);
        if (status) goto done;
        dataset->rows += fragment->deletions.rows - fragment->deletions.deleted;
        dataset->places[i] = (struct shf_lance_fragment_place){fragment->id, i};
    }
    qsort(dataset->places, count, sizeof *dataset->places, compare_ids);
    *out = dataset;
    dataset = NULL;
done:
    shf_lance_dataset_free(dataset);
    return status;
}

void shf_lance_dataset_free(struct shf_lance_dataset *dataset) {
    if (!dataset) return;
    for (size_t i = 0; dataset->fragments && i < dataset->fragment_count; i++) {
        struct shf_lance_open_fragment *fragment = &dataset->fragments[i];
        for (unsigned field = 0; field < SHF_LANCE_FIELDS; field++) shf_lance_column_close(&fragment->columns[field]);
        shf_lance_deletions_free(&fragment->deletions);
        shf_free(fragment->files);
    }
    shf_lance_memory_give(dataset->budget, dataset->charged_bytes);
    shf_free(dataset->fragments);
    shf_free(dataset->places);
    shf_free(dataset);
}

uint64_t shf_lance_dataset_count(const struct shf_lance_dataset *dataset) { return dataset->rows; }

uint32_t shf_lance_dataset_dimension(const struct shf_lance_dataset *dataset) { return dataset->dimension; }

const struct shf_lance_column *shf_lance_dataset_column(const struct shf_lance_dataset *dataset, size_t fragment,
                                                        enum shf_lance_field field) {
    const struct shf_lance_column *column = &dataset->fragments[fragment].columns[field];
    return column->file ? column : NULL;
}

/* ---- vectors ---- */

shf_status shf_lance_dataset_read(const struct shf_lance_dataset *dataset, uint64_t rows, float *vectors,
                                  int64_t *addresses, struct shf_error **error) {
    if (rows != dataset->rows) {
        return shf_error_set(error, SHF_E_INDEX, "a Lance dataset of %" PRIu64 " rows, not %" PRIu64, dataset->rows,
                             rows);
    }
    for (size_t i = 0; i < dataset->fragment_count; i++) {
        const struct shf_lance_open_fragment *fragment = &dataset->fragments[i];
        const struct shf_lance_deletions *deletions = &fragment->deletions;
        for (uint64_t row = 0; row < deletions->rows;) {
            uint64_t first = shf_lance_next_row(deletions, row, false);
            row = shf_lance_next_row(deletions, first, true);
            shf_status status =
                shf_lance_column_vectors(&fragment->columns[SHF_LANCE_VECTOR], first, row - first, vectors, error);
            if (status) {
                if (error) shf_error_prefix(error, "Lance fragment %" PRIu32, fragment->id);
                return status;
            }
            vectors += (row - first) * dataset->dimension;
            for (; first < row; first++) *addresses++ = shf_lance_row_address(fragment->id, (uint32_t)first);
        }
    }
    return SHF_OK;
}
