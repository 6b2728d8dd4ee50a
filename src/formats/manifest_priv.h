/* What the parts of the manifest parser share. */
#ifndef SHF_FORMATS_MANIFEST_PRIV_H
#define SHF_FORMATS_MANIFEST_PRIV_H

#include "formats/json.h"
#include "formats/manifest.h"
#include "formats/sqlite.h"

/* A date as text or digits (epoch), and as a number: seconds, or milliseconds above 2e10. False when it is none. */
bool shf_time_parse_any(const char *text, size_t size, int64_t *us);
bool shf_time_from_number(double number, int64_t *us);

/* A column that is read, found in the table by its name. */
struct shf_manifest_column {
    const char *name;
    int position;
    bool is_rowid;
};

/* A table of the manifest, and the row at which the scan stands. */
struct shf_manifest_table {
    const struct shf_sqlite *db;
    const char *name;
    struct shf_manifest_column *columns;
    size_t column_count;
    struct shf_sqlite_scan scan;
    uint64_t bytes_seen;
    int64_t rowid;
    struct shf_sqlite_record record;
};

/* columns have their names set; their places are filled in. */
shf_status shf_manifest_table_open(struct shf_manifest_table *table, const struct shf_sqlite *db,
                                   const struct shf_sqlite_schema *schema, const char *name,
                                   struct shf_manifest_column *columns, size_t column_count, struct shf_error **error);
shf_status shf_manifest_table_next(struct shf_manifest_table *table, bool *done, struct shf_error **error);

/* SHF_E_MANIFEST: "shards, row 3, column attempt: ...". */
shf_status shf_manifest_bad(const struct shf_manifest_table *table, size_t column, struct shf_error **error,
                            const char *what);
/* The column as text (numbers are written out); *out NULL for NULL, which `required` makes an error. */
shf_status shf_manifest_text(const struct shf_manifest_table *table, size_t column, bool required, char **out,
                             struct shf_error **error);
/* An integer of at least `minimum`: an integer, a real without fraction, or a text of one. */
shf_status shf_manifest_integer(const struct shf_manifest_table *table, size_t column, int64_t minimum, int64_t *out,
                                struct shf_error **error);
/* The column parsed as JSON; NULL is an error. */
shf_status shf_manifest_json(const struct shf_manifest_table *table, size_t column, json_t **out,
                             struct shf_error **error);
/* The same of its text, which the caller has read. */
shf_status shf_manifest_parse_json(const struct shf_manifest_table *table, size_t column, const char *text,
                                   json_t **out, struct shf_error **error);

/* The two JSON columns of build_meta with rules of their own. manifest->num_dbs is set. */
shf_status shf_manifest_read_sharding(json_t *json, struct shf_manifest *manifest, struct shf_error **error);
void shf_manifest_free_cel(struct shf_manifest_cel *cel);
shf_status shf_manifest_read_custom(const json_t *json, struct shf_manifest *manifest, struct shf_error **error);
/* How custom.vector routes; *routing is zero. SHF_E_MANIFEST, SHF_E_LIMIT. */
shf_status shf_manifest_read_routing(const json_t *vector, struct shf_manifest_routing *routing,
                                     struct shf_error **error);
void shf_manifest_free_routing(struct shf_manifest_routing *routing);
/* A text as it is, another value as its JSON, so that an error can name it; *out stays NULL for null and nothing. */
shf_status shf_manifest_take_text(const json_t *vector, const char *key, char **out, struct shf_error **error);
/* What custom.shf_objects (or NULL) tells of the shards, which are read by now. Nothing in it is an error. */
void shf_manifest_match_objects(const json_t *objects, struct shf_manifest *manifest);

/* Members of a JSON text, as Python writes them: "cel_columns": {...}, sorted, "cel_expr"; "routing_values": [...] or null. */
struct shf_text;
void shf_manifest_add_quoted(struct shf_text *text, const char *data, size_t size);
void shf_manifest_add_expression(struct shf_text *text, const struct shf_manifest_cel *cel);
void shf_manifest_add_values(struct shf_text *text, const struct shf_cel_value *values, size_t count);
/* Ends a text that may hold these; *out: shf_free. SHF_E_NO_MEMORY (for `what`), SHF_E_LIMIT. */
shf_status shf_manifest_take_routing(struct shf_text *text, const char *what, char **out, struct shf_error **error);

#endif
