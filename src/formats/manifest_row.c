/* Rows and columns of the two manifest tables. Columns go by name; no constraint of the tables is relied on. */
#include "base/alloc.h"
#include "base/limits.h"
#include "formats/manifest_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

shf_status shf_manifest_table_open(struct shf_manifest_table *table, const struct shf_sqlite *db,
                                   const struct shf_sqlite_schema *schema, const char *name,
                                   struct shf_manifest_column *columns, size_t column_count, struct shf_error **error) {
    const struct shf_sqlite_schema_row *row = shf_sqlite_schema_table(schema, name);
    if (!row || row->root == 0) return shf_error_set(error, SHF_E_MANIFEST, "there is no table %s", name);
    if (shf_sqlite_ddl_without_rowid(row->sql)) {
        return shf_error_set(error, SHF_E_MANIFEST, "the table %s is WITHOUT ROWID; a manifest's is not", name);
    }
    for (size_t i = 0; i < column_count; i++) {
        columns[i].position = shf_sqlite_ddl_column(row->sql, columns[i].name, &columns[i].is_rowid);
        if (columns[i].position < 0) {
            return shf_error_set(error, SHF_E_MANIFEST, "the table %s has no column %s", name, columns[i].name);
        }
    }
    *table = (struct shf_manifest_table){
        .db = db, .name = name, .columns = columns, .column_count = column_count, .scan = {.root = row->root}};
    return SHF_OK;
}

shf_status shf_manifest_table_next(struct shf_manifest_table *table, bool *done, struct shf_error **error) {
    struct shf_sqlite_payload payload;
    shf_status status = shf_sqlite_scan_next(table->db, &table->scan, done, &table->rowid, &payload, error);
    if (status || *done) return status;
    table->bytes_seen += payload.size;
    if (table->bytes_seen > table->db->size) { /* hostile rows could share one overflow chain */
        return shf_error_set(error, SHF_E_MANIFEST, "the rows of %s are larger than the file", table->name);
    }
    return shf_sqlite_record_decode(table->db, &payload, &table->record, error);
}

shf_status shf_manifest_bad(const struct shf_manifest_table *table, size_t column, struct shf_error **error,
                            const char *what) {
    return shf_error_set(error, SHF_E_MANIFEST, "%s, row %" PRId64 ", column %s: %s", table->name, table->rowid,
                         table->columns[column].name, what);
}

/* A record may be shorter than the table (columns added later): what is not there is NULL. */
static struct shf_sqlite_column value_of(const struct shf_manifest_table *table, size_t column) {
    const struct shf_manifest_column *c = &table->columns[column];
    if (c->is_rowid) return (struct shf_sqlite_column){.type = SHF_SQLITE_INTEGER, .integer = table->rowid};
    if ((uint32_t)c->position >= table->record.column_count) return (struct shf_sqlite_column){.type = SHF_SQLITE_NULL};
    return table->record.columns[c->position];
}

static shf_status text_of(const struct shf_manifest_table *table, const struct shf_sqlite_column *value, char **out,
                          struct shf_error **error) {
    char digits[40];
    if (value->type == SHF_SQLITE_TEXT || value->type == SHF_SQLITE_BLOB) {
        return shf_sqlite_column_text(table->db, &table->record, value, SHF_LIMIT_JSON_BYTES, out, NULL, error);
    }
    if (value->type == SHF_SQLITE_INTEGER) {
        (void)snprintf(digits, sizeof digits, "%" PRId64, value->integer);
    } else {
        (void)snprintf(digits, sizeof digits, "%.17g", value->real);
    }
    *out = shf_strdup(digits);
    return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
}

shf_status shf_manifest_text(const struct shf_manifest_table *table, size_t column, bool required, char **out,
                             struct shf_error **error) {
    struct shf_sqlite_column value = value_of(table, column);
    *out = NULL;
    if (value.type == SHF_SQLITE_NULL) return required ? shf_manifest_bad(table, column, error, "it is NULL") : SHF_OK;
    shf_status status = text_of(table, &value, out, error);
    if (status && error && *error) {
        shf_error_prefix(error, "%s, row %" PRId64 ", column %s", table->name, table->rowid, table->columns[column].name);
    }
    return status;
}

shf_status shf_manifest_integer(const struct shf_manifest_table *table, size_t column, int64_t minimum, int64_t *out,
                                struct shf_error **error) {
    struct shf_sqlite_column value = value_of(table, column);
    int64_t integer = value.integer;
    bool is_integer = value.type == SHF_SQLITE_INTEGER;
    if (value.type == SHF_SQLITE_NULL) return shf_manifest_bad(table, column, error, "it is NULL");
    if (value.type == SHF_SQLITE_REAL) is_integer = shf_integer_from_real(value.real, &integer);
    if (value.type == SHF_SQLITE_TEXT) {
        char *text;
        shf_status status = shf_manifest_text(table, column, true, &text, error);
        if (status) return status;
        is_integer = shf_integer_parse(text, strlen(text), &integer);
        shf_free(text);
    }
    if (!is_integer) return shf_manifest_bad(table, column, error, "it is no integer");
    if (integer < minimum) {
        char what[80];
        (void)snprintf(what, sizeof what, "it is %" PRId64 "; at least %" PRId64 " is allowed", integer, minimum);
        return shf_manifest_bad(table, column, error, what);
    }
    *out = integer;
    return SHF_OK;
}

shf_status shf_manifest_parse_json(const struct shf_manifest_table *table, size_t column, const char *text,
                                   json_t **out, struct shf_error **error) {
    shf_status status = shf_json_parse(text, strlen(text), SHF_E_MANIFEST, out, error);
    if (status && error && *error) {
        shf_error_prefix(error, "%s, row %" PRId64 ", column %s", table->name, table->rowid, table->columns[column].name);
    }
    return status;
}

shf_status shf_manifest_json(const struct shf_manifest_table *table, size_t column, json_t **out,
                             struct shf_error **error) {
    char *text;
    *out = NULL;
    shf_status status = shf_manifest_text(table, column, true, &text, error);
    if (!status) status = shf_manifest_parse_json(table, column, text, out, error);
    shf_free(text);
    return status;
}
