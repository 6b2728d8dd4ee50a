/* The manifest database: build_meta and shards, with every rule of the format. */
#include "formats/manifest.h"

#include "base/alloc.h"
#include "formats/manifest_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 4

enum {
    META_RUN_ID,
    META_CREATED_AT,
    META_NUM_DBS,
    META_S3_PREFIX,
    META_KEY_COL,
    META_SHARDING,
    META_DB_PATH_TEMPLATE,
    META_SHARD_PREFIX,
    META_FORMAT_VERSION,
    META_KEY_ENCODING,
    META_CUSTOM,
    META_COLUMNS
};
enum {
    SHARD_DB_ID,
    SHARD_DB_URL,
    SHARD_ATTEMPT,
    SHARD_ROW_COUNT,
    SHARD_DB_BYTES,
    SHARD_MIN_KEY,
    SHARD_MAX_KEY,
    SHARD_CHECKPOINT_ID,
    SHARD_WRITER_INFO,
    SHARD_COLUMNS
};

static const char *const encoding_names[] = {NULL, "u64be", "u32be", "utf8", "raw"};

const char *shf_key_encoding_name(enum shf_key_encoding encoding) {
    return encoding >= SHF_ENCODING_U64BE && encoding <= SHF_ENCODING_RAW ? encoding_names[encoding] : "unknown";
}

/* ---- build_meta ---- */

/* Columns that must not be NULL and are not kept. */
static shf_status require_text(const struct shf_manifest_table *table, size_t column, struct shf_error **error) {
    char *text;
    shf_status status = shf_manifest_text(table, column, true, &text, error);
    shf_free(text);
    return status;
}

static shf_status read_created_at(const struct shf_manifest_table *table, struct shf_manifest *manifest,
                                  struct shf_error **error) {
    shf_status status = shf_manifest_text(table, META_CREATED_AT, true, &manifest->created_at, error);
    if (status) return status;
    if (!shf_time_parse_any(manifest->created_at, strlen(manifest->created_at), &manifest->created_at_us)) {
        return shf_manifest_bad(table, META_CREATED_AT, error, "it is no date");
    }
    return SHF_OK;
}

static shf_status read_key_encoding(const struct shf_manifest_table *table, struct shf_manifest *manifest,
                                    struct shf_error **error) {
    char *text;
    shf_status status = shf_manifest_text(table, META_KEY_ENCODING, true, &text, error);
    if (status) return status;
    for (int i = SHF_ENCODING_U64BE; i <= SHF_ENCODING_RAW; i++) {
        if (strcmp(text, encoding_names[i]) == 0) manifest->key_encoding = (enum shf_key_encoding)i;
    }
    shf_free(text);
    if (manifest->key_encoding) return SHF_OK;
    return shf_manifest_bad(table, META_KEY_ENCODING, error, "it is none of u64be, u32be, utf8, raw");
}

static shf_status read_numbers(const struct shf_manifest_table *table, struct shf_manifest *manifest,
                               struct shf_error **error) {
    int64_t version, num_dbs;
    shf_status status = shf_manifest_integer(table, META_FORMAT_VERSION, INT64_MIN, &version, error);
    if (status) return status;
    if (version != FORMAT_VERSION) {
        return shf_error_set(error, SHF_E_MANIFEST, "build_meta: format_version is %" PRId64 "; 4 is read", version);
    }
    status = shf_manifest_integer(table, META_NUM_DBS, 1, &num_dbs, error);
    if (status) return status;
    if (num_dbs > SHF_LIMIT_SHARDS) {
        return shf_error_set(error, SHF_E_LIMIT, "build_meta: num_dbs is %" PRId64 "; at most %u shards are read",
                             num_dbs, SHF_LIMIT_SHARDS);
    }
    manifest->num_dbs = (uint32_t)num_dbs;
    return SHF_OK;
}

static shf_status read_json_columns(const struct shf_manifest_table *table, struct shf_manifest *manifest,
                                    json_t **objects, struct shf_error **error) {
    json_t *sharding = NULL, *custom = NULL;
    shf_status status = shf_manifest_json(table, META_SHARDING, &sharding, error);
    if (!status) status = shf_manifest_read_sharding(sharding, manifest, error);
    if (!status) status = shf_manifest_text(table, META_CUSTOM, false, &manifest->custom, error);
    if (!status && manifest->custom && !*manifest->custom) {
        shf_free(manifest->custom);
        manifest->custom = NULL;
    }
    if (!status && manifest->custom) {
        status = shf_manifest_parse_json(table, META_CUSTOM, manifest->custom, &custom, error);
    }
    if (!status) status = shf_manifest_read_custom(custom, manifest, error);
    if (!status) *objects = json_incref(json_object_get(custom, "shf_objects"));
    json_decref(sharding);
    json_decref(custom);
    return status;
}

/* The first row counts. */
static shf_status read_build_meta(const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                                  struct shf_manifest *manifest, json_t **objects, struct shf_error **error) {
    struct shf_manifest_column columns[META_COLUMNS] = {
        [META_RUN_ID] = {"run_id", 0, 0},
        [META_CREATED_AT] = {"created_at", 0, 0},
        [META_NUM_DBS] = {"num_dbs", 0, 0},
        [META_S3_PREFIX] = {"s3_prefix", 0, 0},
        [META_KEY_COL] = {"key_col", 0, 0},
        [META_SHARDING] = {"sharding", 0, 0},
        [META_DB_PATH_TEMPLATE] = {"db_path_template", 0, 0},
        [META_SHARD_PREFIX] = {"shard_prefix", 0, 0},
        [META_FORMAT_VERSION] = {"format_version", 0, 0},
        [META_KEY_ENCODING] = {"key_encoding", 0, 0},
        [META_CUSTOM] = {"custom", 0, 0},
    };
    struct shf_manifest_table table;
    bool is_empty = false;
    shf_status status = shf_manifest_table_open(&table, db, schema, "build_meta", columns, META_COLUMNS, error);
    if (!status) status = shf_manifest_table_next(&table, &is_empty, error);
    if (status) return status;
    if (is_empty) return shf_error_set(error, SHF_E_MANIFEST, "build_meta has no row");
    status = read_numbers(&table, manifest, error);
    if (!status) status = shf_manifest_text(&table, META_RUN_ID, true, &manifest->run_id, error);
    if (!status) status = read_created_at(&table, manifest, error);
    if (!status) status = shf_manifest_text(&table, META_S3_PREFIX, true, &manifest->s3_prefix, error);
    if (!status) status = shf_manifest_text(&table, META_KEY_COL, true, &manifest->key_col, error);
    if (!status) status = require_text(&table, META_DB_PATH_TEMPLATE, error);
    if (!status) status = require_text(&table, META_SHARD_PREFIX, error);
    if (!status) status = read_key_encoding(&table, manifest, error);
    if (!status) status = read_json_columns(&table, manifest, objects, error);
    return status;
}

/* ---- shards ---- */

/* Digits with a sign, of any length: keys of u64be go beyond what a JSON parser calls an integer. */
static bool is_integer_text(const char *text) {
    text += strspn(text, " \t\r\n");
    if (*text == '-') text++;
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits + strspn(text + digits, " \t\r\n")] == '\0';
}

/* NULL, or JSON of an integer or a text, kept as JSON text. JSON's null counts as absent. */
static shf_status read_bound(const struct shf_manifest_table *table, size_t column, char **out, struct shf_error **error) {
    json_t *json = NULL;
    char *text;
    shf_status status = shf_manifest_text(table, column, false, &text, error);
    if (status || !text) return status;
    status = shf_json_parse(text, strlen(text), SHF_E_MANIFEST, &json, NULL);
    bool is_null = !status && json_is_null(json) && strstr(text, "null"); /* not NaN */
    bool is_key = !status && (json_is_string(json) || json_is_boolean(json) || is_integer_text(text));
    json_decref(json);
    if (is_key) {
        *out = text;
        return SHF_OK;
    }
    shf_free(text);
    if (is_null) return SHF_OK;
    if (status == SHF_E_NO_MEMORY) return shf_error_set(error, status, "no memory for the manifest");
    return shf_manifest_bad(table, column, error, status ? "it is broken JSON" : "it is neither an integer nor a text");
}

/* An object whose attempt, if there, is an integer. Nothing else of it is read; it is kept as text. */
static shf_status read_writer_info(const struct shf_manifest_table *table, char **out, struct shf_error **error) {
    json_t *json = NULL;
    int64_t attempt;
    shf_status status = shf_manifest_text(table, SHARD_WRITER_INFO, true, out, error);
    if (!status) status = shf_manifest_parse_json(table, SHARD_WRITER_INFO, *out, &json, error);
    if (status) return status;
    const json_t *value = json_object_get(json, "attempt");
    if (!json_is_object(json)) {
        status = shf_manifest_bad(table, SHARD_WRITER_INFO, error, "it is no JSON object");
    } else if (value && !shf_json_integer(value, &attempt)) {
        status = shf_manifest_bad(table, SHARD_WRITER_INFO, error, "its attempt is no integer");
    }
    json_decref(json);
    return status;
}

static shf_status read_shard_numbers(const struct shf_manifest_table *table, uint32_t num_dbs,
                                     struct shf_manifest_shard *shard, struct shf_error **error) {
    int64_t db_id = 0, attempt = 0, rows = 0, bytes = 0;
    shf_status status = shf_manifest_integer(table, SHARD_DB_ID, 0, &db_id, error);
    if (!status && db_id >= num_dbs) status = shf_manifest_bad(table, SHARD_DB_ID, error, "it is not below num_dbs");
    if (!status) status = shf_manifest_integer(table, SHARD_ATTEMPT, 0, &attempt, error);
    if (!status && attempt > UINT32_MAX) status = shf_manifest_bad(table, SHARD_ATTEMPT, error, "it is absurdly large");
    if (!status) status = shf_manifest_integer(table, SHARD_ROW_COUNT, 0, &rows, error);
    if (!status) status = shf_manifest_integer(table, SHARD_DB_BYTES, 0, &bytes, error);
    if (status) return status;
    shard->db_id = (uint32_t)db_id;
    shard->attempt = (uint32_t)attempt;
    shard->row_count = (uint64_t)rows;
    shard->db_bytes = (uint64_t)bytes;
    return SHF_OK;
}

/* The caller frees what was read when this fails half-way. */
static shf_status read_shard(const struct shf_manifest_table *table, uint32_t num_dbs, struct shf_manifest_shard *shard,
                             struct shf_error **error) {
    shf_status status = read_shard_numbers(table, num_dbs, shard, error);
    if (!status) status = shf_manifest_text(table, SHARD_DB_URL, false, &shard->db_url, error);
    if (!status) status = read_bound(table, SHARD_MIN_KEY, &shard->min_key, error);
    if (!status) status = read_bound(table, SHARD_MAX_KEY, &shard->max_key, error);
    if (!status) status = shf_manifest_text(table, SHARD_CHECKPOINT_ID, false, &shard->checkpoint_id, error);
    if (!status) status = read_writer_info(table, &shard->writer_info, error);
    return status;
}

static shf_status grow(struct shf_manifest *manifest, uint32_t *capacity, struct shf_error **error) {
    if (manifest->shard_count == manifest->num_dbs) {
        return shf_error_set(error, SHF_E_MANIFEST, "shards has more rows than num_dbs, %" PRIu32, manifest->num_dbs);
    }
    if (manifest->shard_count < *capacity) return SHF_OK;
    uint32_t wanted = *capacity ? 2 * *capacity : 16;
    struct shf_manifest_shard *shards = shf_realloc_array(manifest->shards, wanted, sizeof *shards);
    if (!shards) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
    manifest->shards = shards;
    *capacity = wanted;
    return SHF_OK;
}

static int by_id(const void *left, const void *right) {
    const struct shf_manifest_shard *a = left, *b = right;
    return a->db_id < b->db_id ? -1 : a->db_id > b->db_id;
}

/* Ids unique, ascending; row counts summed. */
static shf_status finish_shards(struct shf_manifest *manifest, struct shf_error **error) {
    if (manifest->shard_count) qsort(manifest->shards, manifest->shard_count, sizeof *manifest->shards, by_id);
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        const struct shf_manifest_shard *shard = &manifest->shards[i];
        if (i > 0 && shard[-1].db_id == shard->db_id) {
            return shf_error_set(error, SHF_E_MANIFEST, "shards: db_id %" PRIu32 " occurs twice", shard->db_id);
        }
        if (__builtin_add_overflow(manifest->row_count, shard->row_count, &manifest->row_count)) {
            return shf_error_set(error, SHF_E_MANIFEST, "shards: the row counts are absurdly large");
        }
    }
    return SHF_OK;
}

static shf_status read_shards(const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                              struct shf_manifest *manifest, struct shf_error **error) {
    struct shf_manifest_column columns[SHARD_COLUMNS] = {
        [SHARD_DB_ID] = {"db_id", 0, 0},
        [SHARD_DB_URL] = {"db_url", 0, 0},
        [SHARD_ATTEMPT] = {"attempt", 0, 0},
        [SHARD_ROW_COUNT] = {"row_count", 0, 0},
        [SHARD_DB_BYTES] = {"db_bytes", 0, 0},
        [SHARD_MIN_KEY] = {"min_key", 0, 0},
        [SHARD_MAX_KEY] = {"max_key", 0, 0},
        [SHARD_CHECKPOINT_ID] = {"checkpoint_id", 0, 0},
        [SHARD_WRITER_INFO] = {"writer_info", 0, 0},
    };
    struct shf_manifest_table table;
    uint32_t capacity = 0;
    shf_status status = shf_manifest_table_open(&table, db, schema, "shards", columns, SHARD_COLUMNS, error);
    while (!status) { /* bounded by num_dbs */
        bool done = false;
        status = shf_manifest_table_next(&table, &done, error);
        if (done || status) break;
        status = grow(manifest, &capacity, error);
        if (status) break;
        struct shf_manifest_shard *shard = &manifest->shards[manifest->shard_count++];
        *shard = (struct shf_manifest_shard){0};
        status = read_shard(&table, manifest->num_dbs, shard, error);
    }
    return status ? status : finish_shards(manifest, error);
}

/* ---- the whole ---- */

static shf_status parse(const void *data, size_t size, struct shf_manifest *manifest, struct shf_error **error) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema = {0};
    json_t *objects = NULL;
    if (size > SHF_LIMIT_MANIFEST_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "it has %zu bytes; at most %u are read", size, SHF_LIMIT_MANIFEST_BYTES);
    }
    shf_status status = shf_sqlite_open(&db, data, size, error);
    if (!status) status = shf_sqlite_schema_load(&db, &schema, error);
    if (!status) status = read_build_meta(&db, &schema, manifest, &objects, error);
    if (!status) status = read_shards(&db, &schema, manifest, error);
    if (!status) shf_manifest_match_objects(objects, manifest);
    json_decref(objects);
    shf_sqlite_schema_free(&schema);
    return status;
}

shf_status shf_manifest_parse(const void *data, size_t size, struct shf_manifest **out, struct shf_error **error) {
    struct shf_error *inner = NULL;
    struct shf_manifest *manifest = shf_alloc_zero(1, sizeof *manifest);
    if (!manifest) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the manifest");
    shf_status status = parse(data, size, manifest, &inner);
    if (!status) {
        *out = manifest;
        return SHF_OK;
    }
    /* Damage of the SQLite file is a malformed manifest like any other. */
    if (status == SHF_E_CORRUPT) status = SHF_E_MANIFEST;
    status = shf_error_set(error, status, "malformed manifest: %s", shf_error_message(inner));
    shf_error_free(inner);
    shf_manifest_free(manifest);
    return status;
}

static void free_shard(struct shf_manifest_shard *shard) {
    shf_free(shard->db_url);
    shf_free(shard->min_key);
    shf_free(shard->max_key);
    shf_free(shard->checkpoint_id);
    shf_free(shard->writer_info);
}

static void free_vector(struct shf_manifest_vector *vector) {
    shf_free(vector->metric_text);
    shf_free(vector->index_type);
    shf_free(vector->quantization);
    shf_free(vector->index_params);
    shf_free(vector->backend);
    shf_free(vector->kv_backend);
    shf_manifest_free_routing(&vector->routing);
}

void shf_manifest_free(struct shf_manifest *manifest) {
    if (!manifest) return;
    for (uint32_t i = 0; i < manifest->shard_count; i++) free_shard(&manifest->shards[i]);
    shf_free(manifest->shards);
    free_vector(&manifest->vector);
    shf_free(manifest->run_id);
    shf_free(manifest->created_at);
    shf_free(manifest->s3_prefix);
    shf_free(manifest->key_col);
    shf_manifest_free_cel(&manifest->cel);
    shf_free(manifest->custom);
    shf_free(manifest);
}

const struct shf_manifest_shard *shf_manifest_find_shard(const struct shf_manifest *manifest, uint32_t db_id) {
    uint32_t low = 0, high = manifest->shard_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (manifest->shards[middle].db_id == db_id) return &manifest->shards[middle];
        if (manifest->shards[middle].db_id < db_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
