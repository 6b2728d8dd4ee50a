/* The schema: the table b-tree at page 1 (section 2.6). */
#include "base/alloc.h"
#include "base/text.h"
#include "formats/sqlite.h"
#include "formats/sqlite_priv.h"

#include <string.h>

enum { COLUMN_TYPE = 0, COLUMN_NAME = 1, COLUMN_ROOT = 3, COLUMN_SQL = 4, SCHEMA_COLUMNS = 5 };

static shf_status text_of(const struct shf_sqlite *db, const struct shf_sqlite_record *record, int column, char **out,
                          struct shf_error **error) {
    const struct shf_sqlite_column *c = &record->columns[column];
    if (c->type == SHF_SQLITE_NULL && column == COLUMN_SQL) { /* an automatic index has none */
        *out = shf_strdup("");
        return *out ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the schema");
    }
    if (c->type != SHF_SQLITE_TEXT) return shf_sqlite_corrupt(error, 0, "column %d of a row is no text", column);
    return shf_sqlite_column_text(db, record, c, SHF_LIMIT_SQL_BYTES, out, NULL, error);
}

static void free_row(struct shf_sqlite_schema_row *row) {
    shf_free(row->type);
    shf_free(row->name);
    shf_free(row->sql);
}

static shf_status read_row(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload,
                           struct shf_sqlite_schema_row *out, struct shf_error **error) {
    struct shf_sqlite_record record;
    struct shf_sqlite_schema_row row = {0};
    shf_status status = shf_sqlite_record_decode(db, payload, &record, error);
    if (status) return status;
    if (record.column_count < SCHEMA_COLUMNS) return shf_sqlite_corrupt(error, 0, "a row has too few columns");
    const struct shf_sqlite_column *root = &record.columns[COLUMN_ROOT];
    if (root->type == SHF_SQLITE_INTEGER && root->integer != 0) {
        if (root->integer < 0 || root->integer > UINT32_MAX || !shf_sqlite_page_exists(db, (uint32_t)root->integer)) {
            return shf_sqlite_corrupt(error, 0, "a root page is beyond the file");
        }
        row.root = (uint32_t)root->integer;
    } else if (root->type != SHF_SQLITE_INTEGER && root->type != SHF_SQLITE_NULL) {
        return shf_sqlite_corrupt(error, 0, "a root page is no number");
    }
    status = text_of(db, &record, COLUMN_TYPE, &row.type, error);
    if (!status) status = text_of(db, &record, COLUMN_NAME, &row.name, error);
    if (!status) status = text_of(db, &record, COLUMN_SQL, &row.sql, error);
    if (status) {
        free_row(&row);
        return status;
    }
    *out = row;
    return SHF_OK;
}

static shf_status grow(struct shf_sqlite_schema *schema, size_t *capacity, struct shf_error **error) {
    if (schema->count < *capacity) return SHF_OK;
    if (schema->count >= SHF_LIMIT_SCHEMA_ROWS) {
        return shf_error_set(error, SHF_E_LIMIT, "SQLite schema: more than %u rows", SHF_LIMIT_SCHEMA_ROWS);
    }
    size_t wanted = *capacity ? 2 * *capacity : 16;
    struct shf_sqlite_schema_row *rows = shf_realloc_array(schema->rows, wanted, sizeof *rows);
    if (!rows) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the schema");
    schema->rows = rows;
    *capacity = wanted;
    return SHF_OK;
}

shf_status shf_sqlite_schema_load(const struct shf_sqlite *db, struct shf_sqlite_schema *out, struct shf_error **error) {
    struct shf_sqlite_schema schema = {0};
    struct shf_sqlite_scan scan = {.root = 1};
    size_t capacity = 0;
    uint64_t text_bytes = 0;
    shf_status status;
    for (;;) { /* bounded by the scan, and by grow() */
        struct shf_sqlite_payload payload;
        int64_t rowid;
        bool done;
        status = shf_sqlite_scan_next(db, &scan, &done, &rowid, &payload, error);
        if (status || done) break;
        status = grow(&schema, &capacity, error);
        if (!status) status = read_row(db, &payload, &schema.rows[schema.count], error);
        if (status) break;
        schema.count++;
        /* Rows of a sound file share no bytes; hostile ones could name one overflow chain thousands of times. */
        text_bytes += payload.size;
        if (text_bytes > db->size) {
            status = shf_sqlite_corrupt(error, 1, "the schema is larger than the file");
            break;
        }
    }
    if (status) {
        shf_sqlite_schema_free(&schema);
        return status;
    }
    *out = schema;
    return SHF_OK;
}

void shf_sqlite_schema_free(struct shf_sqlite_schema *schema) {
    for (size_t i = 0; i < schema->count; i++) free_row(&schema->rows[i]);
    shf_free(schema->rows);
    *schema = (struct shf_sqlite_schema){0};
}

const struct shf_sqlite_schema_row *shf_sqlite_schema_table(const struct shf_sqlite_schema *schema, const char *name) {
    for (size_t i = 0; i < schema->count; i++) {
        const struct shf_sqlite_schema_row *row = &schema->rows[i];
        if (strcmp(row->type, "table") == 0 && shf_ascii_equal_ignore_case(row->name, strlen(row->name), name))
            return row;
    }
    return NULL;
}
