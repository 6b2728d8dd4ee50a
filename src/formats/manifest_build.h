/* Writing manifests (format 4: a SQLite file) and _CURRENT. Pure. The same input gives the same bytes. */
#ifndef SHF_FORMATS_MANIFEST_BUILD_H
#define SHF_FORMATS_MANIFEST_BUILD_H

#include "formats/manifest.h"

struct shf_manifest_spec_shard {
    uint32_t db_id, attempt;
    const char *db_url;
    uint64_t row_count, db_bytes;
    const char *min_key, *max_key; /* JSON text or NULL */
    const char *checkpoint_id;
    uint64_t duration_ms; /* for writer_info */
};

struct shf_manifest_spec {
    const char *run_id, *s3_prefix, *key_col;
    int64_t created_at_us;
    uint32_t num_dbs;
    enum shf_key_encoding key_encoding;
    const char *db_path_template, *shard_prefix;  /* "db={db_id:05d}", "shards" */
    const char *custom;                           /* JSON object text, complete */
    const struct shf_manifest_spec_shard *shards; /* non-empty ones, ascending db_id */
    uint32_t shard_count;
    const char *sharding; /* text of shf_manifest_cel_build; NULL = by the hash of keys */
};

/* *out: shf_free. SHF_E_NO_MEMORY, SHF_E_LIMIT above SHF_LIMIT_MANIFEST_BYTES. */
shf_status shf_manifest_build(const struct shf_manifest_spec *spec, uint8_t **out, size_t *size,
                              struct shf_error **error);

/*
 * An expression, its columns (JSON object text, name -> type) and its routing values (JSON array text, or NULL) as given for
 * a manifest that is to be written; shf_manifest_cel_free frees *out. Judged as a manifest is when it is read, and stricter:
 * true, false and 1.0 are no integers here. Whether the expression compiles is not looked at. SHF_E_INVALID, SHF_E_LIMIT.
 */
shf_status shf_manifest_cel_take(const char *expression, const char *columns, const char *routing_values,
                                 struct shf_manifest_cel *out, struct shf_error **error);
void shf_manifest_cel_free(struct shf_manifest_cel *cel);

/*
 * The text of build_meta.sharding. `values` (int or string, as many as `count`) take the place of cel->routing_values; NULL =
 * none, the result is a shard's number. *out: shf_free. SHF_E_LIMIT above SHF_LIMIT_JSON_BYTES.
 */
shf_status shf_manifest_cel_build(const struct shf_manifest_cel *cel, const struct shf_cel_value *values, size_t count,
                                  char **out, struct shf_error **error);

/* What custom.vector of a snapshot of vectors alone says. */
struct shf_manifest_vector_spec {
    enum shf_vector_strategy strategy;
    enum shf_metric metric;
    uint32_t dimension, num_probes;
    uint64_t total_vectors;
    const char *table_ref; /* cluster: URL of the centroids; lsh: of the hyperplanes */
    uint32_t hash_bits;    /* lsh */
    /* cel; values as for shf_manifest_cel_build */
    const struct shf_manifest_cel *cel;
    const struct shf_cel_value *values;
    size_t value_count;
};
/* *out: shf_free. SHF_E_LIMIT above SHF_LIMIT_JSON_BYTES. */
shf_status shf_manifest_vector_build(const struct shf_manifest_vector_spec *spec, char **out, struct shf_error **error);

/* What `custom` says. */
struct shf_manifest_custom_spec {
    const char *user; /* JSON object text of further fields, or NULL; SHF_E_INVALID when it is none */
    bool has_sidecar;
    uint32_t page_size; /* for sqlite_sidecar; 0 = "auto" */
    uint32_t dimension; /* 0 = no vectors; else unified, sqlite-vec */
    enum shf_metric metric;
    const char *vector; /* text of shf_manifest_vector_build; NULL = by `dimension` */
    /* shf_objects: what was uploaded; verified by our readers, ignored by others. Ascending paths. NULL: no such field. */
    const struct shf_manifest_object {
        const char *path; /* below the prefix: "shards/run_id=R/db=00000/attempt=00/shard.db" */
        uint64_t size;
        uint8_t sha256[32];
    } * objects;
    size_t object_count;
};
/*
 * The text of `custom`, keys sorted, as Python writes it: user fields, then "shf_objects" {path: "SIZE SHA256HEX"}, then
 * sqlite_sidecar and vector; a user field of one of these names is SHF_E_INVALID. *out: shf_free. SHF_E_LIMIT above SHF_LIMIT_JSON_BYTES or _VALUES.
 */
shf_status shf_manifest_custom_build(const struct shf_manifest_custom_spec *spec, char **out, struct shf_error **error);

/* The text of _CURRENT. *out: shf_free. */
shf_status shf_current_build(const char *manifest_ref, const char *run_id, int64_t updated_at_us, char **out,
                             struct shf_error **error);

/* "2026-11-22T07:29:27.506796Z": always six digits (names of directories, run records, _CURRENT). */
#define SHF_TIME_TEXT_BYTES 28u
void shf_time_format(int64_t us, char out[SHF_TIME_TEXT_BYTES]);

/*
 * JSON as Python's json.dumps writes a text: quoted, ASCII, \uXXXX with surrogate pairs. *out: shf_free; NULL without
 * memory. `text` is UTF-8.
 */
char *shf_json_quote(const char *text, size_t size);

#endif
