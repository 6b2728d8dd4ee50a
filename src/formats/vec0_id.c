/* Ids and payloads: the companion tables vec_id_map and vec_payloads. */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/json.h"
#include "formats/vec0.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_COLUMN = 1, TABLE_COLUMNS = 2 };

/* An id as it was parsed; text points into the row or, when owned, into memory to be freed. */
struct id_view {
    bool is_text;
    int64_t integer;
    const char *text;
    size_t text_size;
    char *owned;
};

/* The text of a row of one of the two tables: in place when it can be, else in *owned. */
static shf_status row_text(const struct shf_vec0 *vec, const char *table, int64_t rowid, uint64_t max_bytes,
                           const struct shf_sqlite_payload *payload, const char **text, size_t *size, char **owned,
                           struct shf_error **error) {
    struct shf_sqlite_record record;
    shf_status status = shf_sqlite_record_decode(&vec->db, payload, &record, error);
    if (status) return status;
    const struct shf_sqlite_column *column = &record.columns[TEXT_COLUMN];
    if (record.column_count < TABLE_COLUMNS || (column->type != SHF_SQLITE_TEXT && column->type != SHF_SQLITE_BLOB)) {
        return shf_error_set(error, SHF_E_INDEX, "%s: row %" PRId64 " holds no text", table, rowid);
    }
    if (column->size > max_bytes) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "%s: row %" PRId64 " has %" PRIu64 " bytes; at most %" PRIu64 " are read", table, rowid,
                             column->size, max_bytes);
    }
    *owned = NULL;
    *size = (size_t)column->size;
    *text = (const char *)shf_sqlite_column_in_place(&record, column);
    if (*text) return SHF_OK;
    char *copy = shf_alloc(*size + 1);
    if (!copy) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu bytes of %s", *size, table);
    status = shf_sqlite_column_copy(&vec->db, &record, column, copy, error);
    if (status) {
        shf_free(copy);
        return status;
    }
    copy[*size] = '\0';
    *text = *owned = copy;
    return SHF_OK;
}

/* ---- ids ---- */

static bool ends_with(const char *p, const char *end, const char *wanted) {
    size_t size = strlen(wanted);
    return (size_t)(end - p) == size && memcmp(p, wanted, size) == 0;
}

/* The very text that Python writes for ASCII ids without escapes and integers of up to 18 digits; false for any other. */
static bool parse_canonical(const char *p, size_t size, struct id_view *out) {
    static const char start[] = "{\"v\": ";
    const char *end = p + size;
    if (size < sizeof start || memcmp(p, start, sizeof start - 1) != 0) return false;
    p += sizeof start - 1;
    if (*p == '"') {
        const char *text = ++p;
        while (p < end && *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') p++;
        if (!ends_with(p, end, "\", \"t\": \"str\"}")) return false;
        *out = (struct id_view){.is_text = true, .text = text, .text_size = (size_t)(p - text)};
        return true;
    }
    bool is_negative = *p == '-';
    const char *digits = p += is_negative;
    int64_t value = 0;
    while (p < end && p - digits < 18 && shf_ascii_is_digit(*p)) value = value * 10 + (*p++ - '0');
    if (p == digits || (*digits == '0' && p - digits > 1) || !ends_with(p, end, ", \"t\": \"int\"}")) return false;
    *out = (struct id_view){.integer = is_negative ? -value : value};
    return true;
}

static shf_status own_text(const char *text, size_t size, struct id_view *out, struct shf_error **error) {
    char *copy = shf_strndup(text, size);
    if (!copy) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an id");
    *out = (struct id_view){.is_text = true, .text = copy, .text_size = size, .owned = copy};
    return SHF_OK;
}

/* Any JSON object with "v": an integer when "t" is "int", else a text. */
static shf_status id_from_json(int64_t rowid, const json_t *json, struct id_view *out, struct shf_error **error) {
    const json_t *value = json_object_get(json, "v"), *type = json_object_get(json, "t");
    bool is_int = json_is_string(type) && strcmp(json_string_value(type), "int") == 0;
    if (is_int && json_is_integer(value)) {
        *out = (struct id_view){.integer = json_integer_value(value)};
        return SHF_OK;
    }
    if (!is_int && json_is_string(value)) {
        return own_text(json_string_value(value), json_string_length(value), out, error);
    }
    if (!is_int && json_is_integer(value)) {
        char digits[24];
        int size = snprintf(digits, sizeof digits, "%" PRId64, (int64_t)json_integer_value(value));
        return own_text(digits, (size_t)size, out, error);
    }
    return shf_error_set(error, SHF_E_INDEX, "vec_id_map: the id of row %" PRId64 " is %s", rowid,
                         is_int ? "no integer of 64 bits" : "neither an integer nor a text");
}

static shf_status parse_id(int64_t rowid, const char *text, size_t size, struct id_view *out, struct shf_error **error) {
    json_t *json = NULL;
    if (parse_canonical(text, size, out)) return SHF_OK;
    shf_status status = shf_json_parse(text, size, SHF_E_INDEX, &json, error);
    if (!status) status = id_from_json(rowid, json, out, error);
    if (status && error && *error) shf_error_prefix(error, "vec_id_map, row %" PRId64, rowid);
    json_decref(json);
    return status;
}

/* The id in a row of vec_id_map; the caller frees *owned_row after use of the view, and view.owned. */
static shf_status id_of_row(const struct shf_vec0 *vec, int64_t rowid, const struct shf_sqlite_payload *payload,
                            struct id_view *out, char **owned_row, struct shf_error **error) {
    const char *text;
    size_t size;
    shf_status status = row_text(vec, "vec_id_map", rowid, SHF_LIMIT_ID_BYTES, payload, &text, &size, owned_row, error);
    if (status) return status;
    status = parse_id(rowid, text, size, out, error);
    if (status) shf_free(*owned_row);
    return status;
}

shf_status shf_vec0_id(const struct shf_vec0 *vec, int64_t rowid, struct shf_stored_id *out, struct shf_error **error) {
    struct shf_sqlite_payload payload;
    struct id_view id;
    char *owned_row = NULL;
    bool found = false;
    shf_status status = SHF_OK;
    if (vec->id_map_root) status = shf_sqlite_row_find(&vec->db, vec->id_map_root, rowid, &found, &payload, error);
    if (status) return status;
    if (!found) {
        *out = (struct shf_stored_id){.integer = rowid};
        return SHF_OK;
    }
    status = id_of_row(vec, rowid, &payload, &id, &owned_row, error);
    if (status) return status;
    if (id.is_text && !id.owned) status = own_text(id.text, id.text_size, &id, error);
    shf_free(owned_row);
    if (status) return status;
    *out =
        (struct shf_stored_id){.is_text = id.is_text, .integer = id.integer, .text = id.owned, .text_size = id.text_size};
    return SHF_OK;
}

/* ---- payloads ---- */

shf_status shf_vec0_payload(const struct shf_vec0 *vec, int64_t rowid, char **out, size_t *size,
                            struct shf_error **error) {
    struct shf_sqlite_payload payload;
    const char *text;
    char *owned = NULL;
    size_t length;
    bool found = false;
    shf_status status = SHF_OK;
    if (vec->payloads_root) status = shf_sqlite_row_find(&vec->db, vec->payloads_root, rowid, &found, &payload, error);
    if (status) return status;
    if (!found) {
        *out = NULL;
        *size = 0;
        return SHF_OK;
    }
    status = row_text(vec, "vec_payloads", rowid, SHF_LIMIT_VALUE_BYTES, &payload, &text, &length, &owned, error);
    if (status) return status;
    if (!shf_utf8_valid(text, length)) {
        shf_free(owned);
        return shf_error_set(error, SHF_E_INDEX, "vec_payloads: row %" PRId64 " is not UTF-8", rowid);
    }
    if (!owned) owned = shf_strndup(text, length);
    if (!owned) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a payload of %zu bytes", length);
    *out = owned;
    *size = length;
    return SHF_OK;
}

/* ---- from id to rowid ---- */

static bool equal_id(const struct id_view *id, const char *text, size_t text_size, int64_t integer) {
    if (!text) return !id->is_text && id->integer == integer;
    return id->is_text && id->text_size == text_size && (text_size == 0 || memcmp(id->text, text, text_size) == 0);
}

/* Without the table of rowids every rowid counts as live: the caller looks it up among the vectors. */
static shf_status vector_is_live(const struct shf_vec0 *vec, int64_t rowid, bool *live, struct shf_error **error) {
    struct shf_sqlite_payload unused;
    *live = true;
    if (!vec->rowids_root) return SHF_OK;
    return shf_sqlite_row_find(&vec->db, vec->rowids_root, rowid, live, &unused, error);
}

/* A vector without an id of its own has its rowid for one. */
static shf_status find_bare_rowid(const struct shf_vec0 *vec, int64_t rowid, bool *found, struct shf_error **error) {
    struct shf_sqlite_payload unused;
    bool has_id = false;
    *found = false;
    if (!vec->rowids_root) return SHF_OK;
    shf_status status = SHF_OK;
    if (vec->id_map_root) status = shf_sqlite_row_find(&vec->db, vec->id_map_root, rowid, &has_id, &unused, error);
    return status || has_id ? status : vector_is_live(vec, rowid, found, error);
}

shf_status shf_vec0_find_id(const struct shf_vec0 *vec, const char *text, size_t text_size, int64_t integer,
                            bool *found, int64_t *rowid, struct shf_error **error) {
    struct shf_sqlite_scan scan = {.root = vec->id_map_root};
    uint64_t bytes_seen = 0;
    bool done = vec->id_map_root == 0;
    while (!done) { /* bounded by the scan */
        struct shf_sqlite_payload payload;
        struct id_view id;
        char *owned_row = NULL;
        int64_t at;
        bool is_equal, is_live = false;
        shf_status status = shf_sqlite_scan_next(&vec->db, &scan, &done, &at, &payload, error);
        if (!status && done) break;
        if (!status && (bytes_seen += payload.size) > vec->db.size) { /* hostile rows could share one overflow chain */
            status = shf_error_set(error, SHF_E_CORRUPT, "the rows of vec_id_map are larger than the file");
        }
        if (!status) status = id_of_row(vec, at, &payload, &id, &owned_row, error);
        if (status) return status;
        is_equal = equal_id(&id, text, text_size, integer);
        shf_free(id.owned);
        shf_free(owned_row);
        if (!is_equal) continue;
        status = vector_is_live(vec, at, &is_live, error);
        if (status) return status;
        if (!is_live) continue;
        *found = true;
        *rowid = at;
        return SHF_OK;
    }
    bool is_bare = false;
    shf_status status = text ? SHF_OK : find_bare_rowid(vec, integer, &is_bare, error);
    if (status) return status;
    *found = is_bare;
    if (is_bare) *rowid = integer;
    return SHF_OK;
}
