/* Opening a dataset, and copying its live vectors. */
#include "formats/lance/dataset.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "formats/lance/dataset_priv.h"

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
                            const struct shf_lance_source *source, uint64_t rows, struct shf_lance_file *file,
                            struct shf_lance_open_fragment *fragment, struct shf_error **error) {
    shf_status status;
    if (description->size != 0 && description->size != source->size) {
        status = shf_error_set(error, SHF_E_CORRUPT, "it has %" PRIu64 " bytes, the manifest says %" PRIu64,
                               source->size, description->size);
    } else {
        status = shf_lance_file_open(file, source, error);
    }
    if (!status && file->rows != rows) {
        status =
            shf_error_set(error, SHF_E_CORRUPT, "it has %" PRIu64 " rows, the manifest says %" PRIu64, file->rows, rows);
    }
    if (!status) status = open_columns(manifest, description, file, fragment, error);
    if (status && error) shf_error_prefix(error, "data/%s", description->name);
    return status;
}

static shf_status charge(struct shf_lance_dataset *dataset, uint64_t bytes, struct shf_error **error) {
    if (!dataset->budget) return SHF_OK;
    if (!shf_budget_take(dataset->budget, bytes)) {
        return shf_budget_refuse(dataset->budget, bytes, "a Lance dataset", error);
    }
    dataset->charged_bytes += bytes;
    return SHF_OK;
}

/* Each column keeps to its own limit; many small files must not have very many dictionaries together. */
static shf_status charge_columns(struct shf_lance_dataset *dataset, const struct shf_lance_open_fragment *fragment,
                                 struct shf_error **error) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < SHF_LANCE_FIELDS; i++) {
        bytes += shf_lance_column_bytes(&fragment->columns[i], &dataset->dictionaries);
    }
    if (dataset->dictionaries <= SHF_LIMIT_LANCE_DICTIONARIES_BYTES) return charge(dataset, bytes, error);
    return shf_error_set(error, SHF_E_LIMIT,
                         "Lance fragment %" PRIu32 ": the dictionaries of the dataset have more than %u bytes",
                         fragment->id, SHF_LIMIT_LANCE_DICTIONARIES_BYTES);
}

static shf_status open_fragment(const struct shf_lance_manifest *manifest, const struct shf_lance_fragment *description,
                                const struct shf_lance_fragment_bytes *bytes, struct shf_lance_dataset *dataset,
                                struct shf_lance_open_fragment *out, struct shf_error **error) {
    const struct shf_lance_deletion_file *file = &description->deletions;
    shf_status status = SHF_OK;
    out->id = description->id;
    out->files = shf_alloc_zero(description->file_count, sizeof *out->files);
    if (!out->files) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a fragment of a Lance dataset");
    for (size_t i = 0; !status && i < description->file_count; i++) {
        status =
            open_file(manifest, &description->files[i], &bytes->files[i], description->rows, &out->files[i], out, error);
    }
    if (!status) status = charge_columns(dataset, out, error);
    if (status) return status;
    out->deletions.rows = description->rows; /* vectors of as many rows are there */
    if (!description->has_deletions) return SHF_OK;
    status = charge(dataset, description->rows / 8 + 1, error);
    if (status) return status;
    status = shf_lance_deletions_parse(file->type, bytes->deletions, bytes->deletions_size, description->rows,
                                       &out->deletions, error);
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

static int compare_ids(const void *a, const void *b) {
    const struct shf_lance_fragment_place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Without its fragments, for which there is room. */
static shf_status make_dataset(size_t count, struct shf_budget *budget, struct shf_lance_dataset **out,
                               struct shf_error **error) {
    struct shf_lance_dataset *dataset = shf_alloc_zero(1, sizeof *dataset);
    if (!dataset) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a Lance dataset");
    *out = dataset; /* also on failure */
    dataset->budget = budget;
    shf_status status =
        charge(dataset, sizeof *dataset + count * (sizeof *dataset->fragments + sizeof *dataset->places), error);
    if (status) return status;
    dataset->fragments = shf_alloc_zero(count, sizeof *dataset->fragments);
    dataset->places = shf_alloc_zero(count, sizeof *dataset->places);
    if (dataset->fragments && dataset->places) return SHF_OK;
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a Lance dataset");
}

shf_status shf_lance_dataset_open(const struct shf_lance_manifest *manifest,
                                  const struct shf_lance_fragment_bytes *fragments, struct shf_lance_dataset **out,
                                  struct shf_error **error) {
    return shf_lance_dataset_open_within(manifest, fragments, NULL, out, error);
}

shf_status shf_lance_dataset_open_within(const struct shf_lance_manifest *manifest,
                                         const struct shf_lance_fragment_bytes *fragments, struct shf_budget *budget,
                                         struct shf_lance_dataset **out, struct shf_error **error) {
    size_t count = manifest->fragment_count;
    struct shf_lance_dataset *dataset = NULL;
    shf_status status = make_dataset(count, budget, &dataset, error);
    if (status) goto done;
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
    if (dataset->charged_bytes) shf_budget_give(dataset->budget, dataset->charged_bytes);
    for (size_t i = 0; dataset->fragments && i < dataset->fragment_count; i++) {
        struct shf_lance_open_fragment *fragment = &dataset->fragments[i];
        for (unsigned field = 0; field < SHF_LANCE_FIELDS; field++) shf_lance_column_close(&fragment->columns[field]);
        shf_lance_deletions_free(&fragment->deletions);
        shf_free(fragment->files);
    }
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
