/*
 * `_CURRENT` and manifest format 4. Pure: bytes in, model out. Parsing applies every validation rule of the format
 * (types, ranges, counts, sharding); whether URLs may be trusted is decided in snapshot/. Models are immutable.
 */
#ifndef SHF_FORMATS_MANIFEST_H
#define SHF_FORMATS_MANIFEST_H

#include "base/error.h"
#include "formats/cel/cel.h"
#include "formats/vec0.h"

#include <stdbool.h>
#include <stdint.h>

struct shf_current {
    char *manifest_ref, *manifest_content_type, *run_id;
    int64_t updated_at_us;
};
/* SHF_E_MANIFEST when malformed or incomplete. */
shf_status shf_current_parse(const void *data, size_t size, struct shf_current *out, struct shf_error **error);
void shf_current_free(struct shf_current *current);

enum shf_key_encoding { SHF_ENCODING_U64BE = 1, SHF_ENCODING_U32BE, SHF_ENCODING_UTF8, SHF_ENCODING_RAW };
const char *shf_key_encoding_name(enum shf_key_encoding encoding);

enum shf_sharding { SHF_SHARD_BY_HASH = 1, SHF_SHARD_BY_CEL = 2 };

struct shf_manifest_shard {
    uint32_t db_id;
    uint32_t attempt;
    char *db_url; /* as written; NULL = empty shard */
    uint64_t row_count, db_bytes;
    char *min_key, *max_key; /* JSON text or NULL */
    char *checkpoint_id;     /* or NULL */
    char *writer_info;       /* JSON object text, as written */
    bool has_object;         /* custom.shf_objects tells of its shard.db: */
    uint64_t object_size;
    uint8_t sha256[32];
};

/* Which shards of a vector-only snapshot a query visits. */
enum shf_vector_strategy { SHF_VECTORS_BY_CLUSTER = 1, SHF_VECTORS_BY_LSH, SHF_VECTORS_BY_ID, SHF_VECTORS_BY_CEL };
const char *shf_vector_strategy_name(enum shf_vector_strategy strategy); /* "cluster", "lsh", "explicit", "cel" */

struct shf_manifest_cel_column {
    char *name, *type; /* "string"; not looked at here */
};

enum shf_token_kind { SHF_TOKEN_INTEGER = 1, SHF_TOKEN_TEXT, SHF_TOKEN_BYTES };
struct shf_manifest_token {
    enum shf_token_kind kind;
    int64_t integer;
    char *data; /* of text (UTF-8) and bytes; NUL-terminated */
    size_t size;
};

/* How custom.vector of a vector-only snapshot routes. */
struct shf_manifest_routing {
    enum shf_vector_strategy strategy;     /* 0: an unknown one, which is not a parse error */
    char *strategy_text;                   /* as written, NULL when absent (which means explicit) */
    uint32_t num_probes;                   /* 1 when absent; 0: it is no integer of at least 1 */
    char *centroids_ref, *hyperplanes_ref; /* as written, or NULL */
    char *cel_expr;                        /* or NULL */
    struct shf_manifest_cel_column *cel_columns;
    uint32_t cel_column_count;
    bool has_routing_values; /* the value at place i belongs to shard i; all of one kind, each once */
    struct shf_manifest_token *routing_values;
    uint32_t routing_value_count;
};

/* custom.vector, present when has_vector. */
struct shf_manifest_vector {
    bool is_empty; /* {} */
    bool unified;
    uint32_t dimension;                  /* 0 when absent */
    enum shf_metric metric;              /* 0 when absent or unknown; without `unified`, cosine when absent */
    char *metric_text;                   /* as written, NULL when absent; an unknown one is not a parse error */
    char *index_type;                    /* default "hnsw" */
    char *quantization;                  /* or NULL */
    char *index_params;                  /* JSON object text, "{}" by default */
    char *backend, *kv_backend;          /* as written, or NULL */
    struct shf_manifest_routing routing; /* without unified */
};

/* How CEL shards. Whether the expression compiles and the types are known is not looked at here. */
struct shf_manifest_cel {
    char *expression;
    struct shf_manifest_cel_column *columns;
    size_t column_count; /* 1 to SHF_LIMIT_CEL_COLUMNS */
    /* NULL: the result is a shard's number. Else value i belongs to shard i; unique, all int or all string. */
    struct shf_cel_value *routing_values;
    size_t routing_count;
    char *routing_text; /* what the values point at */
};

struct shf_manifest {
    char *run_id, *created_at, *s3_prefix, *key_col;
    int64_t created_at_us;
    uint32_t num_dbs;
    enum shf_sharding sharding;
    struct shf_manifest_cel cel; /* CEL only */
    enum shf_key_encoding key_encoding;
    char *custom; /* JSON object text, as written; NULL where it is NULL or empty, which means {} */
    bool has_vector;
    struct shf_manifest_vector vector;
    bool has_sidecar;                  /* custom.sqlite_sidecar is an object */
    struct shf_manifest_shard *shards; /* ascending db_id, rows of the manifest; empty shards may be missing */
    uint32_t shard_count;
    uint64_t row_count; /* sum */
};

/* SHF_E_MANIFEST naming the row and column when a rule is broken. *out is the caller's to free. */
shf_status shf_manifest_parse(const void *data, size_t size, struct shf_manifest **out, struct shf_error **error);
void shf_manifest_free(struct shf_manifest *manifest);
/* The shard's row, or NULL for an empty one. */
const struct shf_manifest_shard *shf_manifest_find_shard(const struct shf_manifest *manifest, uint32_t db_id);

/* ISO 8601 date and time with 0 to 9 fraction digits and Z or an offset; false when it is none. */
bool shf_time_parse(const char *text, size_t size, int64_t *us);

/* Parses a manifest directory name `<ts>_run_id=<run>` (ts with six digits and Z). run_id points into name. */
bool shf_manifest_directory_parse(const char *name, size_t size, int64_t *published_at_us, const char **run_id,
                                  size_t *run_id_size);

#endif
