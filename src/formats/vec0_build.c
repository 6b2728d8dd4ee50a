/* Chunks of vectors, and the rows that go with each vector. */
#include "formats/vec0_build.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/json_quote.h"

#include <inttypes.h>
#include <stdio.h>

#define LEAST_ID_BYTES 256u

shf_status shf_vec0_build_begin(struct shf_vec0_build *vec, struct shf_sqlite_build *build, uint32_t dimension,
                                enum shf_metric metric, struct shf_error **error) {
    struct shf_build_tree *tables[] = {&vec->chunks, &vec->rowids, &vec->vectors, &vec->payloads, &vec->id_map};
    vec->build = build;
    vec->dimension = dimension;
    vec->metric = metric;
    vec->rows = 0;
    vec->id_text = NULL;
    vec->id_capacity = 0;
    vec->blob = (struct shf_vec0_blob){0};
    if (dimension > SHF_LIMIT_DIMENSION) {
        return shf_error_set(error, SHF_E_INVALID, "a dimension of %" PRIu32 "; at most %u can be written", dimension,
                             SHF_LIMIT_DIMENSION);
    }
    if (metric != SHF_METRIC_COSINE && metric != SHF_METRIC_L2) {
        return shf_error_set(error, SHF_E_INVALID, "the metric of vectors in SQLite must be cosine or l2");
    }
    (void)snprintf(vec->sql, sizeof vec->sql,
                   "CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[%" PRIu32 "] distance_metric=%s)",
                   dimension, shf_metric_name(metric));
    shf_status status = shf_sqlite_build_writer(build, &vec->blob.writer, error);
    if (!status) status = shf_sqlite_build_alloc(build, build->page_size, &vec->blob.local, error);
    if (!status) status = shf_sqlite_build_alloc(build, SHF_VEC0_STATE_BYTES, &vec->state, error);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && !status; i++) {
        status = shf_build_tree_begin(tables[i], build, false, error);
    }
    return status ? status : shf_build_tree_begin(&vec->vectors_index, build, true, error);
}

void shf_vec0_build_free(struct shf_vec0_build *vec) {
    shf_free(vec->id_text);
    if (vec->build) shf_budget_give(vec->build->budget, vec->id_capacity);
    vec->id_text = NULL;
    vec->id_capacity = 0;
}

/* The trees of this file, and the three small ones of shf_vec0_build_finish. */
uint64_t shf_vec0_build_bytes(uint32_t page_size) {
    return shf_build_block_bytes(SHF_BUILD_BUFFER_BYTES) + shf_build_block_bytes(page_size) +
           shf_build_block_bytes(SHF_VEC0_STATE_BYTES) + SHF_LIMIT_ID_BYTES +
           7 * shf_build_tree_bytes(page_size, false) + 2 * shf_build_tree_bytes(page_size, true);
}

/* ---- the blob ---- */

/* Record of a chunk: (chunk id, blob); its header and the id go to the local part. */
static shf_status begin_chunk(struct shf_vec0_build *vec, int64_t chunk, struct shf_error **error) {
    struct shf_sqlite_build *build = vec->build;
    struct shf_vec0_blob *blob = &vec->blob;
    struct shf_record_build record;
    size_t blob_size = (size_t)SHF_VEC0_SLOTS * 4 * vec->dimension;
    shf_record_begin(&record);
    shf_record_integer(&record, chunk);
    shf_record_blob(&record, NULL, blob_size);
    shf_record_end(&record);
    blob->payload_size = record.size;
    blob->local_size = shf_build_local_size(build, record.size, build->local_max_table);
    blob->local_used = 0;
    for (uint32_t i = 0; i + 1 < record.part_count; i++) {
        memcpy(blob->local + blob->local_used, record.parts[i].data, record.parts[i].size);
        blob->local_used += (uint32_t)record.parts[i].size;
    }
    uint64_t rest = record.size - blob->local_size;
    blob->page_count = (uint32_t)((rest + build->page_size - 5) / (build->page_size - 4));
    blob->pages_begun = 0;
    blob->page_used = build->page_size;
    memset(vec->state, 0, SHF_VEC0_STATE_BYTES);
    if (blob->page_count == 0) return SHF_OK;
    return shf_sqlite_build_reserve(build, blob->page_count, &blob->head, error);
}

static shf_status begin_page(struct shf_vec0_build *vec, struct shf_error **error) {
    struct shf_vec0_blob *blob = &vec->blob;
    uint32_t number = shf_build_chain_page(vec->build, blob->head, blob->pages_begun++), next = 0;
    if (blob->pages_begun < blob->page_count) next = shf_build_chain_page(vec->build, blob->head, blob->pages_begun);
    shf_status status = shf_page_writer_page(&blob->writer, number, &blob->page, error);
    if (status) return status;
    shf_store_u32be(blob->page, next);
    blob->page_used = 4;
    return SHF_OK;
}

static void copy_or_zero(uint8_t *out, const uint8_t *data, size_t size) {
    if (data) {
        memcpy(out, data, size);
    } else {
        memset(out, 0, size);
    }
}

/* The next bytes of the blob; data NULL: zeros. */
static shf_status add_to_blob(struct shf_vec0_build *vec, const uint8_t *data, size_t size, struct shf_error **error) {
    struct shf_vec0_blob *blob = &vec->blob;
    uint32_t page_size = vec->build->page_size;
    size_t take = blob->local_size - blob->local_used;
    if (take > size) take = size;
    copy_or_zero(blob->local + blob->local_used, data, take);
    blob->local_used += (uint32_t)take;
    while (size > take) {
        if (data) data += take;
        size -= take;
        shf_status status = blob->page_used == page_size ? begin_page(vec, error) : SHF_OK;
        if (status) return status;
        take = page_size - blob->page_used;
        if (take > size) take = size;
        copy_or_zero(blob->page + blob->page_used, data, take);
        blob->page_used += (uint32_t)take;
    }
    return SHF_OK;
}

/* ---- rows ---- */

static shf_status add_chunk_rows(struct shf_vec0_build *vec, int64_t chunk, struct shf_error **error) {
    struct shf_vec0_blob *blob = &vec->blob;
    struct shf_record_build record;
    uint8_t *cell;
    shf_status status = shf_build_table_cell(&vec->vectors, chunk, blob->payload_size, blob->local_size, &cell, error);
    if (status) return status;
    memcpy(cell, blob->local, blob->local_size);
    if (blob->page_count) shf_store_u32be(cell + blob->local_size, blob->head);
    shf_record_begin(&record);
    shf_record_integer(&record, chunk);
    shf_record_integer(&record, chunk);
    shf_record_end(&record);
    status = shf_build_index_add(&vec->vectors_index, &record, error);
    if (status) return status;
    shf_record_begin(&record);
    shf_record_null(&record);
    shf_record_integer(&record, SHF_VEC0_SLOTS);
    shf_record_blob(&record, vec->state, SHF_VEC0_SLOTS / 8);
    shf_record_blob(&record, vec->state + SHF_VEC0_SLOTS / 8, SHF_VEC0_SLOTS * 8);
    shf_record_end(&record);
    return shf_build_table_add(&vec->chunks, chunk, &record, error);
}

/* A chunk has all its slots, whether they are used or not. */
static shf_status end_chunk(struct shf_vec0_build *vec, struct shf_error **error) {
    struct shf_vec0_blob *blob = &vec->blob;
    uint32_t used = (uint32_t)((vec->rows - 1) % SHF_VEC0_SLOTS) + 1;
    shf_status status = add_to_blob(vec, NULL, (size_t)(SHF_VEC0_SLOTS - used) * 4 * vec->dimension, error);
    if (status) return status;
    if (blob->page_count) memset(blob->page + blob->page_used, 0, vec->build->page_size - blob->page_used);
    blob->page_used = vec->build->page_size;
    return add_chunk_rows(vec, (vec->rows - 1) / SHF_VEC0_SLOTS + 1, error);
}

static shf_status reserve_id(struct shf_vec0_build *vec, size_t size, struct shf_error **error) {
    struct shf_budget *budget = vec->build->budget;
    if (size <= vec->id_capacity) return SHF_OK;
    size_t capacity = size < LEAST_ID_BYTES ? LEAST_ID_BYTES : size;
    shf_free(vec->id_text);
    shf_budget_give(budget, vec->id_capacity);
    vec->id_text = NULL;
    vec->id_capacity = 0;
    if (!shf_budget_take(budget, capacity))
        return shf_failed(shf_budget_refuse(budget, capacity, "the id of a vector", error));
    vec->id_text = shf_alloc(capacity);
    vec->id_capacity = vec->id_text ? capacity : 0;
    if (vec->id_text) return SHF_OK;
    shf_budget_give(budget, capacity);
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the id of a vector");
}

/* As Python's json.dumps writes it: {"v": 7, "t": "int"} or {"v": "x", "t": "str"}. */
static shf_status write_id(struct shf_vec0_build *vec, const struct shf_shard_row *row, size_t *size,
                           struct shf_error **error) {
    static const char before[] = "{\"v\": ", after[] = ", \"t\": \"str\"}";
    const size_t around = sizeof before - 1 + sizeof after - 1;
    shf_status status;
    if (!row->id_is_text) {
        status = reserve_id(vec, LEAST_ID_BYTES, error);
        if (status) return status;
        *size =
            (size_t)snprintf(vec->id_text, vec->id_capacity, "%s%" PRId64 ", \"t\": \"int\"}", before, row->id_integer);
        return SHF_OK;
    }
    size_t quoted = row->id_text_size > SHF_LIMIT_ID_BYTES ? row->id_text_size
                                                           : shf_json_quoted_size(row->id_text, row->id_text_size);
    if (quoted > SHF_LIMIT_ID_BYTES - around) {
        return shf_error_set(error, SHF_E_LIMIT,
                             "the id of a vector would be a JSON text of %zu bytes; at most %u are read",
                             quoted + around, SHF_LIMIT_ID_BYTES);
    }
    status = reserve_id(vec, quoted + around, error);
    if (status) return status;
    memcpy(vec->id_text, before, sizeof before - 1);
    shf_json_quote_into(row->id_text, row->id_text_size, vec->id_text + sizeof before - 1);
    memcpy(vec->id_text + sizeof before - 1 + quoted, after, sizeof after - 1);
    *size = quoted + around;
    return SHF_OK;
}

static shf_status add_text_row(struct shf_build_tree *tree, int64_t rowid, const char *text, size_t size,
                               struct shf_error **error) {
    struct shf_record_build record;
    shf_record_begin(&record);
    shf_record_null(&record);
    shf_record_text(&record, text, size);
    shf_record_end(&record);
    return shf_build_table_add(tree, rowid, &record, error);
}

static shf_status add_vector(struct shf_vec0_build *vec, const uint8_t *vector, struct shf_error **error) {
    uint32_t slot = (uint32_t)(vec->rows % SHF_VEC0_SLOTS);
    int64_t rowid = vec->rows, chunk = rowid / SHF_VEC0_SLOTS + 1;
    struct shf_record_build record;
    shf_status status = slot == 0 ? begin_chunk(vec, chunk, error) : SHF_OK;
    if (!status) status = add_to_blob(vec, vector, (size_t)4 * vec->dimension, error);
    if (status) return status;
    vec->state[slot / 8] |= (uint8_t)(1u << (slot % 8));
    shf_store_u64le(vec->state + SHF_VEC0_SLOTS / 8 + (size_t)8 * slot, (uint64_t)rowid);
    shf_record_begin(&record);
    shf_record_null(&record);
    shf_record_null(&record);
    shf_record_integer(&record, chunk);
    shf_record_integer(&record, slot);
    shf_record_end(&record);
    vec->rows++;
    status = shf_build_table_add(&vec->rowids, rowid, &record, error);
    if (!status && slot == SHF_VEC0_SLOTS - 1) status = end_chunk(vec, error);
    return status;
}

shf_status shf_vec0_build_add(struct shf_vec0_build *vec, const struct shf_shard_row *row, struct shf_error **error) {
    int64_t rowid = vec->rows;
    size_t id_size;
    if (row->payload_size > SHF_LIMIT_VALUE_BYTES - 16) {
        return shf_error_set(error, SHF_E_LIMIT, "a payload of %zu bytes; SQLite holds 2^31-1 a row", row->payload_size);
    }
    shf_status status = write_id(vec, row, &id_size, error);
    if (!status) status = add_vector(vec, row->vector, error);
    if (!status) status = add_text_row(&vec->id_map, rowid, vec->id_text, id_size, error);
    if (!status && row->payload) status = add_text_row(&vec->payloads, rowid, row->payload, row->payload_size, error);
    return status;
}

shf_status shf_vec0_build_end_rows(struct shf_vec0_build *vec, struct shf_error **error) {
    shf_status status = vec->rows % SHF_VEC0_SLOTS != 0 ? end_chunk(vec, error) : SHF_OK;
    return status ? status : shf_page_writer_flush(&vec->blob.writer, error);
}
