#include "sqlite_samples.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KV_TABLE "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"

/* ---- key-value tables ---- */

enum key_style { KEYS_RANDOM, KEYS_COUNTED, KEYS_LONG };

static size_t make_key(enum key_style style, int number, size_t page_size, uint64_t *seed, uint8_t *out) {
    size_t size = 4 + random_next(seed) % 12;
    switch (style) {
    case KEYS_COUNTED: return (size_t)sprintf((char *)out, "key-%06d", number * 3);
    case KEYS_LONG: /* a long beginning in common, so that comparisons go into the chains */
        size = page_size / 8 + random_next(seed) % page_size;
        memset(out, 'L', size);
        random_fill(seed, out + size - 3, 3);
        return size;
    case KEYS_RANDOM: break;
    }
    random_fill(seed, out, size);
    return size;
}

static size_t make_value(size_t page_size, uint64_t *seed, uint8_t *out) {
    uint64_t kind = random_next(seed) % 20;
    size_t size = random_next(seed) % (kind < 14 ? 24 : kind < 18 ? page_size / 2 : 3 * page_size);
    random_fill(seed, out, size);
    return size;
}

static void add_rows(sqlite3 *db, struct sample *sample, enum key_style style, int rows, uint64_t *seed) {
    sqlite3_stmt *insert;
    uint8_t *key = malloc(2 * sample->page_size), *value = malloc(3 * sample->page_size);
    sample->keys = calloc((size_t)rows, sizeof *sample->keys);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO kv VALUES (?, ?)", -1, &insert, NULL), SQLITE_OK);
    db_run(db, "BEGIN");
    for (int i = 0; i < rows; i++) {
        struct sample_key *kept = &sample->keys[sample->key_count++];
        kept->size = make_key(style, i, sample->page_size, seed, key);
        kept->bytes = malloc(kept->size);
        memcpy(kept->bytes, key, kept->size);
        sqlite3_bind_blob(insert, 1, key, (int)kept->size, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, value, (int)make_value(sample->page_size, seed, value), SQLITE_STATIC);
        assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    db_run(db, "COMMIT");
    sqlite3_finalize(insert);
    free(key);
    free(value);
}

static void make_kv(struct sample *out, int page_size, int reserved, enum key_style style, int rows) {
    uint64_t seed = (uint64_t)page_size + (uint64_t)reserved * 7 + (uint64_t)style;
    sqlite3 *db = db_new(page_size, reserved);
    out->page_size = (size_t)page_size;
    db_run(db, KV_TABLE);
    add_rows(db, out, style, rows, &seed);
    out->bytes = db_bytes(db, &out->size);
}

/* ---- rowid tables ---- */

static const struct sample_table manifest_tables[] = {
    {"build_meta", {"run_id", "created_at", "num_dbs", "sharding"}, 1, 1, 1},
    {"shards", {"db_id", "db_url", "row_count", "writer_info"}, 0, 1, 150},
    {"numbers", {"a", "b", "c"}, -40, 7, 120},
};

/* As the writer makes them, but for the defaults of columns, of which a reader of records knows nothing. */
static void make_manifest(struct sample *out, int page_size, int reserved) {
    sqlite3 *db = db_new(page_size, reserved);
    out->page_size = (size_t)page_size;
    out->tables = manifest_tables;
    out->table_count = sizeof manifest_tables / sizeof manifest_tables[0];
    db_run(
        db,
        "CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL,"
        " sharding TEXT NOT NULL);"
        "CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, row_count INTEGER NOT NULL,"
        " writer_info TEXT NOT NULL);"
        "CREATE TABLE numbers (a, b INTEGER, c);"
        "INSERT INTO build_meta VALUES ('run', '2026-01-01T00:00:00+00:00', 150, printf('{\"x\": \"%.900c\"}', 'y'));"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 149)"
        "INSERT INTO shards SELECT i, 's3://bucket/shards/db=' || i, i * 1000003,"
        " CASE WHEN i % 9 THEN '{}' ELSE printf('{\"p\": \"%.*c\"}', i * 11, 'q') END FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < 119)"
        "INSERT INTO numbers(_rowid_, a, b, c) SELECT i * 7 - 40, i * 1.25, (1 << (i % 62)) * (1 - i % 2 * 2),"
        " CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 1 WHEN 2 THEN zeroblob(i) ELSE i END FROM n;");
    out->bytes = db_bytes(db, &out->size);
}

static const struct sample_table vector_tables[] = {
    {"vec_index_chunks", {"chunk_id", "size", "validity", "rowids"}, 1, 1, 8},
    {"vec_index_vector_chunks00", {"vectors"}, 1, 1, 8},
    {"vec_index_rowids", {"id", "chunk_id", "chunk_offset"}, 1, 1, 64},
    {"vec_payloads", {"payload"}, 1, 1, 64},
    {"vec_id_map", {"internal_id", "original_id"}, 1, 1, 64},
};

/* A shard with both: a key-value table and the shadow tables of vec0 (which are ordinary ones). */
static void make_unified(struct sample *out, int page_size, int reserved) {
    uint64_t seed = (uint64_t)page_size;
    sqlite3 *db = db_new(page_size, reserved);
    out->page_size = (size_t)page_size;
    out->tables = vector_tables;
    out->table_count = sizeof vector_tables / sizeof vector_tables[0];
    db_run(
        db, KV_TABLE
        "CREATE TABLE \"vec_index_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,"
        "validity BLOB NOT NULL,rowids BLOB NOT NULL);"
        "CREATE TABLE \"vec_index_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id INTEGER,"
        "chunk_offset INTEGER);"
        "CREATE TABLE \"vec_index_vector_chunks00\"(rowid PRIMARY KEY,vectors BLOB NOT NULL);"
        "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
        "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 8)"
        "INSERT INTO vec_index_chunks SELECT i, 8, x'ff', zeroblob(64) FROM n;"
        "INSERT INTO vec_index_vector_chunks00(_rowid_, rowid, vectors)"
        " SELECT chunk_id, chunk_id, zeroblob(8 * 16 * 4) FROM vec_index_chunks;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 64)"
        "INSERT INTO vec_index_rowids SELECT i, NULL, 1 + (i - 1) / 8, (i - 1) % 8 FROM n;"
        "INSERT INTO vec_payloads SELECT rowid, printf('{\"title\": \"%.*c\"}', rowid * 5, 't') FROM vec_index_rowids;"
        "INSERT INTO vec_id_map SELECT rowid, printf('{\"v\": %d, \"t\": \"int\"}', rowid) FROM vec_index_rowids;");
    add_rows(db, out, KEYS_COUNTED, 100, &seed);
    out->bytes = db_bytes(db, &out->size);
}

/* ---- all ---- */

struct sample *samples_make(size_t *count) {
    static const int reserved[] = {0, 8, 32, 0, 12};
    struct sample *samples = calloc(24, sizeof *samples), *next = samples;
    for (int i = 0; i < 5; i++) {
        int page_size = 512 << i, rows = page_size <= 1024 ? 160 : 260;
        make_kv(next++, page_size, reserved[i], KEYS_RANDOM, rows);
        make_kv(next++, page_size, reserved[4 - i] && page_size > 512 ? 24 : 0, KEYS_COUNTED, rows);
    }
    make_kv(next++, 512, 0, KEYS_COUNTED, 1200); /* three levels, and separators */
    make_kv(next++, 512, 16, KEYS_LONG, 60);
    make_kv(next++, 1024, 0, KEYS_LONG, 50);
    make_manifest(next++, 512, 0);
    make_manifest(next++, 1024, 20);
    make_manifest(next++, 4096, 0);
    make_unified(next++, 512, 0);
    make_unified(next++, 1024, 0);
    make_unified(next++, 4096, 64);
    *count = (size_t)(next - samples);
    return samples;
}

void samples_free(struct sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < samples[i].key_count; k++) free(samples[i].keys[k].bytes);
        free(samples[i].keys);
        free(samples[i].bytes);
    }
    free(samples);
}
