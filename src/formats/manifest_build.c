/* The manifest database, and _CURRENT. */
#include "formats/manifest_build.h"

#include "base/alloc.h"
#include "base/text.h"
#include "formats/sqlite_build.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE_SIZE 4096u
#define FORMAT_VERSION 4

/* ---- pages into memory ---- */

struct memory_sink {
    struct shf_page_sink base;
    uint8_t *bytes;
    size_t size, capacity;
};

static shf_status write_pages(struct shf_page_sink *base, uint32_t first, const uint8_t *pages, uint32_t count,
                              struct shf_error **error) {
    struct memory_sink *sink = (struct memory_sink *)base;
    uint64_t begin = (uint64_t)(first - 1) * PAGE_SIZE, end = begin + (uint64_t)count * PAGE_SIZE;
    if (end > SHF_LIMIT_MANIFEST_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "the manifest would have more than %u bytes", SHF_LIMIT_MANIFEST_BYTES);
    }
    if (end > sink->capacity) {
        size_t capacity = (size_t)end + (size_t)end / 2;
        uint8_t *grown = shf_realloc_array(sink->bytes, capacity, 1);
        if (!grown) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a manifest of %zu bytes", capacity);
        sink->bytes = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->bytes + begin, pages, (size_t)count * PAGE_SIZE);
    if (end > sink->size) sink->size = (size_t)end;
    return SHF_OK;
}

/* ---- rows ---- */

static const char build_meta_sql[] = "CREATE TABLE build_meta (\n"
                                     "    run_id           TEXT    NOT NULL,\n"
                                     "    created_at       TEXT    NOT NULL,\n"
                                     "    num_dbs          INTEGER NOT NULL,\n"
                                     "    s3_prefix        TEXT    NOT NULL,\n"
                                     "    key_col          TEXT    NOT NULL,\n"
                                     "    sharding         TEXT    NOT NULL,\n"
                                     "    db_path_template TEXT    NOT NULL,\n"
                                     "    shard_prefix     TEXT    NOT NULL,\n"
                                     "    format_version   INTEGER NOT NULL,\n"
                                     "    key_encoding     TEXT    NOT NULL,\n"
                                     "    custom           TEXT    NOT NULL DEFAULT '{}'\n"
                                     ")";
static const char shards_sql[] = "CREATE TABLE shards (\n"
                                 "    db_id         INTEGER NOT NULL PRIMARY KEY,\n"
                                 "    db_url        TEXT,\n"
                                 "    attempt       INTEGER NOT NULL,\n"
                                 "    row_count     INTEGER NOT NULL,\n"
                                 "    db_bytes      INTEGER NOT NULL,\n"
                                 "    min_key       TEXT,\n"
                                 "    max_key       TEXT,\n"
                                 "    checkpoint_id TEXT,\n"
                                 "    writer_info   TEXT    NOT NULL DEFAULT '{}'\n"
                                 ")";
static const char hash_sharding[] = "{\"cel_columns\": null, \"cel_expr\": null, \"hash_algorithm\": \"xxh3_64\", "
                                    "\"routing_values\": null, \"strategy\": \"hash\"}";

/* As pydantic writes it: without a fraction when that is 0. */
static void format_created_at(int64_t us, char out[SHF_TIME_TEXT_BYTES]) {
    shf_time_format(us, out);
    if (strcmp(out + 19, ".000000Z") == 0) memcpy(out + 19, "Z", 2);
}

static shf_status write_meta(struct shf_sqlite_build *build, const struct shf_manifest_spec *spec, uint32_t *root,
                             struct shf_error **error) {
    struct shf_build_tree tree;
    struct shf_record_build record;
    char created_at[SHF_TIME_TEXT_BYTES];
    shf_status status = shf_build_tree_begin(&tree, build, false, error);
    if (status) return status;
    format_created_at(spec->created_at_us, created_at);
    shf_record_begin(&record);
    shf_record_string(&record, spec->run_id);
    shf_record_string(&record, created_at);
    shf_record_integer(&record, spec->num_dbs);
    shf_record_string(&record, spec->s3_prefix);
    shf_record_string(&record, spec->key_col);
    shf_record_string(&record, spec->sharding ? spec->sharding : hash_sharding);
    shf_record_string(&record, spec->db_path_template);
    shf_record_string(&record, spec->shard_prefix);
    shf_record_integer(&record, FORMAT_VERSION);
    shf_record_string(&record, shf_key_encoding_name(spec->key_encoding));
    shf_record_string(&record, spec->custom);
    shf_record_end(&record);
    status = shf_build_table_add(&tree, 1, &record, error);
    return status ? status : shf_build_tree_finish(&tree, root, error);
}

static shf_status write_shard(struct shf_build_tree *tree, const struct shf_manifest_spec_shard *shard,
                              struct shf_error **error) {
    struct shf_record_build record;
    char writer_info[128];
    (void)snprintf(writer_info, sizeof writer_info,
                   "{\"attempt\": %" PRIu32 ", \"duration_ms\": %" PRIu64
                   ", \"stage_id\": null, \"task_attempt_id\": null}",
                   shard->attempt, shard->duration_ms);
    shf_record_begin(&record);
    shf_record_null(&record); /* db_id is the rowid */
    shf_record_string(&record, shard->db_url);
    shf_record_integer(&record, shard->attempt);
    shf_record_integer(&record, (int64_t)shard->row_count);
    shf_record_integer(&record, (int64_t)shard->db_bytes);
    shf_record_string(&record, shard->min_key);
    shf_record_string(&record, shard->max_key);
    shf_record_string(&record, shard->checkpoint_id);
    shf_record_string(&record, writer_info);
    shf_record_end(&record);
    return shf_build_table_add(tree, shard->db_id, &record, error);
}

static shf_status check_shards(const struct shf_manifest_spec *spec, struct shf_error **error) {
    for (uint32_t i = 0; i < spec->shard_count; i++) {
        const struct shf_manifest_spec_shard *shard = &spec->shards[i];
        if (shard->db_id >= spec->num_dbs || (i > 0 && shard->db_id <= shard[-1].db_id) ||
            shard->row_count > INT64_MAX || shard->db_bytes > INT64_MAX) {
            return shf_error_set(error, SHF_E_INTERNAL, "the shards of a manifest do not ascend within their number");
        }
    }
    return SHF_OK;
}

static shf_status write_database(struct shf_sqlite_build *build, const struct shf_manifest_spec *spec,
                                 struct shf_error **error) {
    struct shf_build_schema_row rows[] = {{"table", "build_meta", "build_meta", build_meta_sql, 0},
                                          {"table", "shards", "shards", shards_sql, 0}};
    struct shf_build_tree tree;
    shf_status status = write_meta(build, spec, &rows[0].root, error);
    if (!status) status = shf_build_tree_begin(&tree, build, false, error);
    for (uint32_t i = 0; i < spec->shard_count && !status; i++) status = write_shard(&tree, &spec->shards[i], error);
    if (!status) status = shf_build_tree_finish(&tree, &rows[1].root, error);
    return status ? status : shf_sqlite_build_finish(build, rows, 2, error);
}

shf_status shf_manifest_build(const struct shf_manifest_spec *spec, uint8_t **out, size_t *size,
                              struct shf_error **error) {
    struct memory_sink sink = {.base = {write_pages}};
    struct shf_sqlite_build build;
    struct shf_budget budget; /* the limit of manifests is what bounds it */
    shf_budget_init(&budget, UINT64_MAX);
    shf_status status = check_shards(spec, error);
    if (!status) status = shf_sqlite_build_begin(&build, PAGE_SIZE, &sink.base, &budget, error);
    if (status) return status;
    status = write_database(&build, spec, error);
    shf_sqlite_build_free(&build);
    if (status) {
        shf_free(sink.bytes);
        return status;
    }
    *out = sink.bytes;
    *size = sink.size;
    return SHF_OK;
}

/* ---- _CURRENT ---- */

shf_status shf_current_build(const char *manifest_ref, const char *run_id, int64_t updated_at_us, char **out,
                             struct shf_error **error) {
    struct shf_text text = {0};
    char updated_at[SHF_TIME_TEXT_BYTES];
    char *ref = shf_json_quote(manifest_ref, strlen(manifest_ref)), *run = shf_json_quote(run_id, strlen(run_id));
    char *current = NULL;
    if (ref && run) {
        shf_time_format(updated_at_us, updated_at);
        shf_text_format(&text,
                        "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":%s,"
                        "\"run_id\":%s,\"updated_at\":\"%s\"}",
                        ref, run, updated_at);
        current = shf_text_take(&text);
    }
    shf_free(ref);
    shf_free(run);
    if (!current) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for _CURRENT");
    *out = current;
    return SHF_OK;
}
