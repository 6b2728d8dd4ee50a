/* Ids and payloads of a dataset. */
#include "base/alloc.h"
#include "base/limits.h"
#include "formats/lance/dataset_priv.h"

#include <inttypes.h>
#include <string.h>

/* The fragment of a row that is there and live. */
static shf_status find_row(const struct shf_lance_dataset *dataset, int64_t address,
                           const struct shf_lance_open_fragment **out, uint32_t *row, struct shf_error **error) {
    uint32_t id = (uint32_t)((uint64_t)address >> 32);
    size_t low = 0, high = dataset->fragment_count;
    *row = (uint32_t)address;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dataset->places[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < dataset->fragment_count && dataset->places[low].id == id) {
        const struct shf_lance_open_fragment *fragment = &dataset->fragments[dataset->places[low].index];
        if (*row < fragment->deletions.rows && !shf_lance_is_deleted(&fragment->deletions, *row)) {
            *out = fragment;
            return SHF_OK;
        }
    }
    return shf_error_set(error, SHF_E_INDEX, "Lance fragment %" PRIu32 " has no row %" PRIu32, id, *row);
}

/* The text of a row, NUL-terminated, in memory of its own; *out NULL when it is null. */
static shf_status copy_text(const struct shf_lance_open_fragment *fragment, enum shf_lance_field field, uint32_t row,
                            size_t max_bytes, char **out, size_t *size, struct shf_error **error) {
    const struct shf_lance_column *column = &fragment->columns[field];
    struct shf_lance_text text = {.max_bytes = max_bytes, .is_null = true};
    char *copy = NULL;
    shf_status status = SHF_OK;
    if (column->file) status = shf_lance_column_text(column, row, &text, error); /* else the fragment has none */
    if (!status && !text.is_null) {
        copy = shf_strndup((const char *)text.data, text.size);
        if (!copy) status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu bytes", text.size);
    }
    *size = text.is_null ? 0 : text.size;
    shf_lance_text_free(&text);
    if (!status) *out = copy;
    if (status && error) {
        shf_error_prefix(error, "Lance fragment %" PRIu32 ", %s", fragment->id, field == SHF_LANCE_ID ? "id" : "payload");
    }
    return status;
}

shf_status shf_lance_dataset_id(const struct shf_lance_dataset *dataset, int64_t address, struct shf_stored_id *out,
                                struct shf_error **error) {
    const struct shf_lance_open_fragment *fragment;
    uint32_t row;
    struct shf_stored_id id = {.is_text = true};
    shf_status status = find_row(dataset, address, &fragment, &row, error);
    if (!status) status = copy_text(fragment, SHF_LANCE_ID, row, SHF_LIMIT_ID_BYTES, &id.text, &id.text_size, error);
    if (status) return status;
    if (!id.text) {
        return shf_error_set(error, SHF_E_INDEX, "Lance fragment %" PRIu32 ": row %" PRIu32 " has no id", fragment->id,
                             row);
    }
    *out = id;
    return SHF_OK;
}

shf_status shf_lance_dataset_payload(const struct shf_lance_dataset *dataset, int64_t address, char **out, size_t *size,
                                     struct shf_error **error) {
    const struct shf_lance_open_fragment *fragment;
    uint32_t row;
    size_t found_size;
    shf_status status = find_row(dataset, address, &fragment, &row, error);
    if (!status) {
        status = copy_text(fragment, SHF_LANCE_PAYLOAD, row, SHF_LIMIT_VALUE_BYTES, out, &found_size, error);
    }
    if (!status) *size = found_size;
    return status;
}

static shf_status find_in(const struct shf_lance_open_fragment *fragment, const char *wanted, size_t wanted_size,
                          struct shf_lance_text *text, bool *found, int64_t *address, struct shf_error **error) {
    const struct shf_lance_deletions *deletions = &fragment->deletions;
    uint64_t row = shf_lance_next_row(deletions, 0, false);
    for (; row < deletions->rows; row = shf_lance_next_row(deletions, row + 1, false)) {
        shf_status status = shf_lance_column_text(&fragment->columns[SHF_LANCE_ID], row, text, error);
        if (status && text->is_too_large) { /* so it is another one */
            if (error) shf_error_free(*error);
            if (error) *error = NULL;
            continue;
        }
        if (status) {
            if (error) shf_error_prefix(error, "Lance fragment %" PRIu32 ", id", fragment->id);
            return status;
        }
        if (text->is_null || text->size != wanted_size || memcmp(text->data, wanted, wanted_size) != 0) continue;
        *found = true;
        *address = shf_lance_row_address(fragment->id, (uint32_t)row);
        return SHF_OK;
    }
    return SHF_OK;
}

shf_status shf_lance_dataset_find_id(const struct shf_lance_dataset *dataset, const char *text, size_t text_size,
                                     bool *found, int64_t *address, struct shf_error **error) {
    struct shf_lance_text room = {.max_bytes = SHF_LIMIT_ID_BYTES};
    shf_status status = SHF_OK;
    bool is_there = false;
    if (text_size > SHF_LIMIT_ID_BYTES) {
        *found = false; /* no id is as long */
        return SHF_OK;
    }
    for (size_t i = 0; !status && !is_there && i < dataset->fragment_count; i++) {
        status = find_in(&dataset->fragments[i], text, text_size, &room, &is_there, address, error);
    }
    shf_lance_text_free(&room);
    if (!status) *found = is_there;
    return status;
}
