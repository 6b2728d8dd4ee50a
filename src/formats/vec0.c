/* Opening a vec0 table, and copying its live vectors. */
#include "formats/vec0.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/vec0_ddl.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectors are copied as the little-endian floats they are");

enum { CHUNK_VALIDITY = 2, CHUNK_ROWIDS = 3, CHUNK_COLUMNS = 4, VECTORS_BLOB = 1, VECTORS_COLUMNS = 2 };

const char *shf_metric_name(enum shf_metric metric) {
    switch (metric) {
    case SHF_METRIC_COSINE: return "cosine";
    case SHF_METRIC_L2: return "l2";
    case SHF_METRIC_DOT: return "dot_product";
    }
    return "unknown";
}

static uint32_t root_of(const struct shf_sqlite_schema *schema, const char *name) {
    const struct shf_sqlite_schema_row *row = shf_sqlite_schema_table(schema, name);
    return row ? row->root : 0;
}

shf_status shf_vec0_open(struct shf_vec0 *vec, const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                         struct shf_error **error) {
    const struct shf_sqlite_schema_row *table = shf_sqlite_schema_table(schema, "vec_index");
    struct shf_vec0 opened = {.db = *db};
    if (!table) return shf_error_set(error, SHF_E_INDEX, "there is no table vec_index: this shard holds no vectors");
    if (db->text != SHF_SQLITE_UTF8)
        return shf_error_set(error, SHF_E_INDEX, "the database is in UTF-16; shards are in UTF-8");
    shf_status status = shf_vec0_ddl_parse(table->sql, &opened, error);
    if (status) return status;
    opened.chunks_root = root_of(schema, "vec_index_chunks");
    opened.vectors_root = root_of(schema, "vec_index_vector_chunks00");
    opened.rowids_root = root_of(schema, "vec_index_rowids");
    opened.id_map_root = root_of(schema, "vec_id_map");
    opened.payloads_root = root_of(schema, "vec_payloads");
    if (opened.chunks_root == 0 || opened.vectors_root == 0) {
        return shf_error_set(error, SHF_E_INDEX, "vec_index: its table vec_index_%s is missing",
                             opened.chunks_root == 0 ? "chunks" : "vector_chunks00");
    }
    *vec = opened;
    return SHF_OK;
}

/* ---- chunks ---- */

/* One row of vec_index_chunks, its blobs checked and the bitmap copied. */
struct chunk {
    int64_t id;
    struct shf_sqlite_record record;
    uint8_t validity[SHF_LIMIT_CHUNK_SLOTS / 8];
    uint32_t live;
    bool is_prefix; /* the live slots are the first ones */
};

struct chunk_walk {
    const struct shf_vec0 *vec;
    struct shf_sqlite_scan scan;
    uint64_t chunks, max_chunks, bytes_seen;
    struct chunk chunk;
};

static uint64_t blob_size(const struct shf_vec0 *vec) {
    return (uint64_t)vec->chunk_slots * vec->dimension * sizeof(float);
}

/* A chunk takes its full blob of the file: rows that share one, which no writer makes, could multiply the file. */
static void walk_start(struct chunk_walk *walk, const struct shf_vec0 *vec) {
    *walk =
        (struct chunk_walk){.vec = vec, .scan = {.root = vec->chunks_root}, .max_chunks = vec->db.size / blob_size(vec)};
}

static shf_status bad_chunk(struct shf_error **error, int64_t id, const char *what) {
    return shf_error_set(error, SHF_E_INDEX, "vec_index: chunk %" PRId64 ": %s", id, what);
}

static bool is_blob_of(const struct shf_sqlite_record *record, uint32_t column, uint64_t size) {
    return record->columns[column].type == SHF_SQLITE_BLOB && record->columns[column].size == size;
}

static inline bool is_live(const struct chunk *chunk, uint32_t slot) {
    return (chunk->validity[slot >> 3] >> (slot & 7)) & 1;
}

static void count_live(struct chunk *chunk, uint32_t slots) {
    uint32_t last = 0;
    chunk->live = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        if (!is_live(chunk, slot)) continue;
        chunk->live++;
        last = slot + 1;
    }
    chunk->is_prefix = last == chunk->live;
}

static shf_status walk_next(struct chunk_walk *walk, bool *done, struct shf_error **error) {
    const struct shf_vec0 *vec = walk->vec;
    struct chunk *chunk = &walk->chunk;
    struct shf_sqlite_payload payload;
    shf_status status = shf_sqlite_scan_next(&vec->db, &walk->scan, done, &chunk->id, &payload, error);
    if (status || *done) return status;
    walk->bytes_seen += payload.size;
    if (walk->bytes_seen > vec->db.size) { /* hostile rows could share one overflow chain */
        return shf_error_set(error, SHF_E_CORRUPT, "the rows of vec_index_chunks are larger than the file");
    }
    status = shf_sqlite_record_decode(&vec->db, &payload, &chunk->record, error);
    if (status) return status;
    if (chunk->record.column_count < CHUNK_COLUMNS) return bad_chunk(error, chunk->id, "its row has too few columns");
    if (!is_blob_of(&chunk->record, CHUNK_VALIDITY, vec->chunk_slots / 8)) {
        return bad_chunk(error, chunk->id, "its validity bitmap is not of the size of a chunk");
    }
    if (!is_blob_of(&chunk->record, CHUNK_ROWIDS, (uint64_t)vec->chunk_slots * 8)) {
        return bad_chunk(error, chunk->id, "its rowids are not of the size of a chunk");
    }
    if (++walk->chunks > walk->max_chunks) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "vec_index: more chunks than the file has room for; the file is damaged");
    }
    status =
        shf_sqlite_column_copy(&vec->db, &chunk->record, &chunk->record.columns[CHUNK_VALIDITY], chunk->validity, error);
    if (!status) count_live(chunk, vec->chunk_slots);
    return status;
}

shf_status shf_vec0_count(const struct shf_vec0 *vec, uint64_t *rows, struct shf_error **error) {
    struct chunk_walk walk;
    uint64_t total = 0;
    bool done = false;
    walk_start(&walk, vec);
    for (;;) { /* bounded by the scan */
        shf_status status = walk_next(&walk, &done, error);
        if (status) return status;
        if (done) break;
        total += walk.chunk.live;
    }
    *rows = total;
    return SHF_OK;
}

/* ---- reading ---- */

/* Where the next rows go, and memory for chunks with holes. */
struct sink {
    float *vectors;
    int64_t *rowids;
    uint64_t room;
    uint8_t *slot_rowids; /* 8 bytes a slot */
    float *slot_vectors;  /* made at the first chunk with holes */
};

static shf_status find_vectors(const struct shf_vec0 *vec, int64_t chunk_id, struct shf_sqlite_record *record,
                               struct shf_error **error) {
    struct shf_sqlite_payload payload;
    bool found = false;
    shf_status status = shf_sqlite_row_find(&vec->db, vec->vectors_root, chunk_id, &found, &payload, error);
    if (status) return status;
    if (!found) return bad_chunk(error, chunk_id, "its vectors are missing");
    status = shf_sqlite_record_decode(&vec->db, &payload, record, error);
    if (status) return status;
    if (record->column_count < VECTORS_COLUMNS || !is_blob_of(record, VECTORS_BLOB, blob_size(vec))) {
        return bad_chunk(error, chunk_id, "the blob of its vectors is not slots * dimension * 4 bytes");
    }
    return SHF_OK;
}

static shf_status copy_with_holes(const struct shf_vec0 *vec, const struct chunk *chunk,
                                  const struct shf_sqlite_record *record, struct sink *sink, struct shf_error **error) {
    size_t row_bytes = vec->dimension * sizeof(float);
    if (!sink->slot_vectors) sink->slot_vectors = shf_alloc((size_t)blob_size(vec));
    if (!sink->slot_vectors) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a chunk of vectors");
    shf_status status =
        shf_sqlite_column_copy(&vec->db, record, &record->columns[VECTORS_BLOB], sink->slot_vectors, error);
    if (status) return status;
    float *to = sink->vectors;
    for (uint32_t slot = 0; slot < vec->chunk_slots; slot++) {
        if (!is_live(chunk, slot)) continue;
        memcpy(to, sink->slot_vectors + (size_t)slot * vec->dimension, row_bytes);
        to += vec->dimension;
    }
    return SHF_OK;
}

static shf_status read_chunk(const struct shf_vec0 *vec, const struct chunk *chunk, struct sink *sink,
                             struct shf_error **error) {
    struct shf_sqlite_record record;
    if (chunk->live > sink->room) return bad_chunk(error, chunk->id, "more rows than were counted");
    shf_status status = find_vectors(vec, chunk->id, &record, error);
    if (status || chunk->live == 0) return status;
    if (chunk->is_prefix) {
        status = shf_sqlite_payload_copy(&vec->db, &record.payload, record.columns[VECTORS_BLOB].offset,
                                         (uint64_t)chunk->live * vec->dimension * sizeof(float), sink->vectors, error);
    } else {
        status = copy_with_holes(vec, chunk, &record, sink, error);
    }
    if (status) return status;
    status =
        shf_sqlite_column_copy(&vec->db, &chunk->record, &chunk->record.columns[CHUNK_ROWIDS], sink->slot_rowids, error);
    if (status) return status;
    for (uint32_t slot = 0; slot < vec->chunk_slots; slot++) {
        if (is_live(chunk, slot)) *sink->rowids++ = (int64_t)shf_load_u64le(sink->slot_rowids + (size_t)slot * 8);
    }
    sink->vectors += (size_t)chunk->live * vec->dimension;
    sink->room -= chunk->live;
    return SHF_OK;
}

shf_status shf_vec0_read(const struct shf_vec0 *vec, uint64_t rows, float *vectors, int64_t *rowids,
                         struct shf_error **error) {
    struct chunk_walk walk;
    struct sink sink = {.vectors = vectors, .rowids = rowids, .room = rows};
    shf_status status = SHF_OK;
    sink.slot_rowids = shf_alloc((size_t)vec->chunk_slots * 8);
    if (!sink.slot_rowids) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the rowids of a chunk");
    walk_start(&walk, vec);
    while (!status) { /* bounded by the scan */
        bool done = false;
        status = walk_next(&walk, &done, error);
        if (done || status) break;
        status = read_chunk(vec, &walk.chunk, &sink, error);
    }
    if (!status && sink.room > 0) {
        status = shf_error_set(error, SHF_E_INDEX, "vec_index: fewer rows than were counted");
    }
    shf_free(sink.slot_rowids);
    shf_free(sink.slot_vectors);
    return status;
}
