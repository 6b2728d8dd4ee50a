/* Unified shards as they are built: the tables of the vectors. */
#include "build_support.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ids { INTEGERS, TEXTS, MIXED };

struct vectors {
    uint32_t dimension;
    size_t count, value_size;
    enum ids ids;
    bool has_payloads;
    uint8_t key[8], *value, *vector;
    char id[64], *payload;
};

/* All ids of a kind, none twice: controls, quotes, all lengths of UTF-8, a NUL. */
static size_t id_text(size_t index, char out[64]) {
    static const char *const around[] = {"id-%zu", "\"%zu\\", "\xc3\xa9%zu\xe6\x97\xa5", "\xf0\x9f\x98\x80%zu",
                                         "\n%zu\x7f\t"};
    int size = snprintf(out, 64, around[index % 5], index);
    if (index % 7 == 3) out[size++] = '\0';
    return (size_t)size;
}

static bool is_text(const struct vectors *vectors, size_t index) {
    return vectors->ids == TEXTS || (vectors->ids == MIXED && index % 2);
}

static int64_t id_integer(size_t index) {
    static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, 127, 128, -32769};
    return index < 8 ? edges[index] : (int64_t)(index * 1000003);
}

static void fill_vector(const struct vectors *vectors, size_t index) {
    uint64_t seed = index * 977 + 5;
    for (uint32_t i = 0; i < vectors->dimension; i++) {
        float number = (float)(int64_t)(random_next(&seed) % 2000) / 1000 - 1;
        memcpy(vectors->vector + (size_t)4 * i, &number, 4);
    }
}

/* Every third has none; some are larger than a page. */
static size_t fill_payload(const struct vectors *vectors, size_t index) {
    if (!vectors->has_payloads || index % 3 == 0) return 0;
    size_t padding = index % 50 == 1 ? 9000 : index % 40;
    size_t size = (size_t)sprintf(vectors->payload, "{\"n\": %zu, \"p\": \"", index);
    memset(vectors->payload + size, 'p', padding);
    return size + padding + (size_t)sprintf(vectors->payload + size + padding, "\"}");
}

static bool vector_row(void *context, size_t index, struct shf_shard_row *row) {
    struct vectors *vectors = context;
    if (index == vectors->count) return false;
    for (int i = 0; i < 8; i++) vectors->key[i] = (uint8_t)(index >> (56 - 8 * i));
    memset(vectors->value, (int)index, vectors->value_size);
    fill_vector(vectors, index);
    *row = (struct shf_shard_row){
        .key = vectors->key,
        .key_size = 8,
        .value = vectors->value,
        .value_size = vectors->value_size * (index % 11) / 10,
        .vector = vectors->vector,
        .id_is_text = is_text(vectors, index),
        .id_integer = id_integer(index),
        .id_text = vectors->id,
        .id_text_size = id_text(index, vectors->id),
        .payload_size = fill_payload(vectors, index),
    };
    if (row->payload_size) row->payload = vectors->payload;
    return true;
}

/* ---- what SQL sees ---- */

static void check_schema(sqlite3 *db, const struct vectors *vectors, const char *metric) {
    static const char *const expected[][4] = {
        {"table", "kv", "kv", "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"},
        {"table", "vec_index", "vec_index", NULL},
        {"table", "vec_index_info", "vec_index_info", "CREATE TABLE \"vec_index_info\" (key text primary key, value any)"},
        {"index", "sqlite_autoindex_vec_index_info_1", "vec_index_info", ""},
        {"table", "vec_index_chunks", "vec_index_chunks",
         "CREATE TABLE \"vec_index_chunks\"(chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,size INTEGER NOT NULL,validity "
         "BLOB "
         "NOT NULL,rowids BLOB NOT NULL)"},
        {"table", "sqlite_sequence", "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"},
        {"table", "vec_index_rowids", "vec_index_rowids",
         "CREATE TABLE \"vec_index_rowids\"(rowid INTEGER PRIMARY KEY AUTOINCREMENT,id,chunk_id INTEGER,chunk_offset "
         "INTEGER)"},
        {"table", "vec_index_vector_chunks00", "vec_index_vector_chunks00",
         "CREATE TABLE \"vec_index_vector_chunks00\"(rowid PRIMARY KEY,vectors BLOB NOT NULL)"},
        {"index", "sqlite_autoindex_vec_index_vector_chunks00_1", "vec_index_vector_chunks00", ""},
        {"table", "vec_payloads", "vec_payloads",
         "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)"},
        {"table", "vec_id_map", "vec_id_map",
         "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)"},
    };
    char virtual_table[160];
    sqlite3_stmt *rows;
    (void)snprintf(virtual_table, sizeof virtual_table,
                   "CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[%u] distance_metric=%s)",
                   vectors->dimension, metric);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_schema ORDER BY rowid",
                                        -1, &rows, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
        for (int column = 0; column < 4; column++) {
            const char *text = (const char *)sqlite3_column_text(rows, column), *want = expected[i][column];
            assert_string_equal(text ? text : "", want ? want : virtual_table);
        }
        assert_int_equal(sqlite3_column_int(rows, 4) == 0, i == 1);
    }
    assert_int_equal(sqlite3_step(rows), SQLITE_DONE);
    (void)sqlite3_finalize(rows);
}

static void check_chunks(sqlite3 *db, const struct vectors *vectors) {
    sqlite3_stmt *rows;
    size_t chunk_bytes = (size_t)4096 * vectors->dimension, seen = 0;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT c.chunk_id, c.size, c.validity, c.rowids, v._rowid_, v.\"rowid\", v.vectors "
                           "FROM vec_index_chunks c JOIN vec_index_vector_chunks00 v ON v._rowid_ = c.chunk_id "
                           "ORDER BY c.chunk_id",
                           -1, &rows, NULL),
        SQLITE_OK);
    for (int chunk = 1; sqlite3_step(rows) == SQLITE_ROW; chunk++) {
        const uint8_t *validity = sqlite3_column_blob(rows, 2), *rowids = sqlite3_column_blob(rows, 3);
        const uint8_t *blob = sqlite3_column_blob(rows, 6);
        assert_int_equal(sqlite3_column_int(rows, 0), chunk);
        assert_int_equal(sqlite3_column_int(rows, 4), chunk);
        assert_int_equal(sqlite3_column_int(rows, 5), chunk);
        assert_int_equal(sqlite3_column_type(rows, 5), SQLITE_INTEGER);
        assert_int_equal(sqlite3_column_int(rows, 1), 1024);
        assert_int_equal(sqlite3_column_bytes(rows, 2), 128);
        assert_int_equal(sqlite3_column_bytes(rows, 3), 8192);
        assert_int_equal(sqlite3_column_bytes(rows, 6), chunk_bytes);
        for (size_t slot = 0; slot < 1024; slot++) {
            size_t index = (size_t)(chunk - 1) * 1024 + slot;
            bool is_live = index < vectors->count;
            assert_int_equal(validity[slot / 8] >> (slot % 8) & 1, is_live);
            assert_int_equal(shf_load_u64le(rowids + 8 * slot), is_live ? index : 0);
            if (is_live) {
                fill_vector(vectors, index);
            } else {
                memset(vectors->vector, 0, (size_t)4 * vectors->dimension);
            }
            assert_memory_equal(blob + slot * 4 * vectors->dimension, vectors->vector, (size_t)4 * vectors->dimension);
            seen += is_live;
        }
    }
    assert_int_equal(seen, vectors->count);
    (void)sqlite3_finalize(rows);
}

static void check_tables(sqlite3 *db, const struct vectors *vectors) {
    char sql[400];
    int64_t count = (int64_t)vectors->count, chunks = (count + 1023) / 1024;
    assert_int_equal(query_integer(db, "SELECT count(*) FROM kv"), count);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_index_chunks"), chunks);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_index_vector_chunks00"), chunks);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_index_vector_chunks00 WHERE \"rowid\" IN "
                                       "(SELECT chunk_id FROM vec_index_chunks)"), /* by the index */
                     chunks);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_index_rowids"), count);
    assert_int_equal(
        query_integer(db, "SELECT count(*) FROM vec_index_rowids WHERE id IS NULL AND rowid = (chunk_id - 1) * "
                          "1024 + chunk_offset AND chunk_offset BETWEEN 0 AND 1023 AND rowid >= 0"),
        count);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_id_map WHERE json_valid(original_id)"), count);
    char *info = query_text(db, "SELECT group_concat(rowid || key || value || typeof(value)) FROM vec_index_info");
    assert_string_equal(info, "1CREATE_VERSIONv0.1.9text,2CREATE_VERSION_MAJOR0integer,3CREATE_VERSION_MINOR1integer,"
                              "4CREATE_VERSION_PATCH9integer");
    free(info);
    assert_int_equal(query_integer(db, "SELECT rowid FROM vec_index_info WHERE key = 'CREATE_VERSION_MINOR'"), 3);
    char *sequence = query_text(db, "SELECT group_concat(name || ' ' || seq) FROM sqlite_sequence");
    (void)snprintf(sql, sizeof sql, "vec_index_rowids %lld,vec_index_chunks %lld", (long long)count - 1,
                   (long long)chunks);
    assert_string_equal(sequence, count ? sql : "");
    free(sequence);
    int64_t payloads = vectors->has_payloads ? count - (count + 2) / 3 : 0;
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_payloads WHERE json_extract(payload, '$.n') = rowid"),
                     payloads);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM vec_payloads"), payloads);
}

/* ---- what our reader sees ---- */

static void check_by_reader(const struct built *built, const struct vectors *vectors, enum shf_metric metric) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_vec0 vec;
    struct shf_error *error = NULL;
    uint64_t count;
    expect_ok(shf_sqlite_open(&db, built->bytes, built->size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    expect_ok(shf_vec0_open(&vec, &db, &schema, &error), error);
    assert_int_equal(vec.dimension, vectors->dimension);
    assert_int_equal(vec.metric, metric);
    assert_int_equal(vec.chunk_slots, 1024);
    expect_ok(shf_vec0_count(&vec, &count, &error), error);
    assert_int_equal(count, vectors->count);
    float *all = malloc(count * vectors->dimension * 4 + 1);
    int64_t *rowids = malloc(count * 8 + 1);
    expect_ok(shf_vec0_read(&vec, count, all, rowids, &error), error);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rowids[i], i);
        fill_vector(vectors, i);
        assert_memory_equal(all + i * vectors->dimension, vectors->vector, (size_t)4 * vectors->dimension);
    }
    for (size_t i = 0; i < count; i += 1 + count / 200) {
        struct shf_stored_id id;
        char text[64], *payload;
        size_t size = id_text(i, text), payload_size;
        if (is_text(vectors, i) && memchr(text, '\0', size)) continue; /* ids with NUL are refused by the reader */
        expect_ok(shf_vec0_id(&vec, (int64_t)i, &id, &error), error);
        assert_int_equal(id.is_text, is_text(vectors, i));
        if (id.is_text) {
            assert_int_equal(id.text_size, size);
            assert_memory_equal(id.text, text, size);
        } else {
            assert_true(id.integer == id_integer(i));
        }
        shf_free(id.text);
        expect_ok(shf_vec0_payload(&vec, (int64_t)i, &payload, &payload_size, &error), error);
        size_t expected = fill_payload(vectors, i);
        assert_int_equal(payload != NULL, expected > 0);
        if (payload) {
            assert_int_equal(payload_size, expected);
            assert_string_equal(payload, vectors->payload);
        }
        shf_free(payload);
    }
    free(all);
    free(rowids);
    shf_sqlite_schema_free(&schema);
}

/* ---- all of it ---- */

static void vectors_open(struct vectors *vectors) {
    vectors->value = calloc(1, vectors->value_size + 1);
    vectors->vector = calloc(vectors->dimension, 4);
    vectors->payload = malloc(10000);
}

static void vectors_close(struct vectors *vectors) {
    free(vectors->value);
    free(vectors->vector);
    free(vectors->payload);
}

static void check(uint32_t page_size, enum shf_metric metric, struct vectors vectors) {
    struct built built;
    vectors_open(&vectors);
    build_shard(page_size, vectors.dimension, metric, vector_row, &vectors, &built);
    sqlite3 *db = open_checked(built.bytes, built.size);
    check_schema(db, &vectors, shf_metric_name(metric));
    check_tables(db, &vectors);
    check_chunks(db, &vectors);
    (void)sqlite3_close(db);
    check_by_reader(&built, &vectors, metric);
    check_page_lists(built.bytes, built.size, &built.pages);
    check_sidecar(&built);
    built_free(&built);
    vectors_close(&vectors);
}

static void test_page_sizes(void **state) {
    (void)state;
    for (uint32_t page_size = 512; page_size <= 65536; page_size *= 2) {
        static const size_t counts[] = {0, 1, 3, 1500};
        for (size_t i = 0; i < 4; i++) {
            check(page_size, SHF_METRIC_COSINE,
                  (struct vectors){
                      .dimension = 4, .count = counts[i], .value_size = 30, .ids = MIXED, .has_payloads = true});
        }
    }
}

static void test_counts(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 3000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        check(4096, SHF_METRIC_L2,
              (struct vectors){.dimension = 1, .count = counts[i], .value_size = 8, .ids = INTEGERS});
        check(4096, SHF_METRIC_L2,
              (struct vectors){.dimension = 31, .count = counts[i], .value_size = 900, .ids = TEXTS});
    }
}

static void test_dimensions(void **state) {
    (void)state;
    static const uint32_t dimensions[] = {1, 2, 3, 15, 16, 384, 4096, 8192};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        const struct vectors vectors = {
            .dimension = dimensions[i], .count = 1100, .value_size = 2000, .ids = TEXTS, .has_payloads = true};
        check(i % 2 ? 4096 : 16384, SHF_METRIC_COSINE, vectors);
    }
    check(65536, SHF_METRIC_L2, (struct vectors){.dimension = 384, .count = 2100, .value_size = 100});
    check(512, SHF_METRIC_L2, (struct vectors){.dimension = 384, .count = 30, .value_size = 100});
}

static void test_id_texts(void **state) {
    (void)state;
    struct vectors vectors = {.dimension = 1, .count = 40, .value_size = 1, .ids = MIXED};
    struct built built;
    vectors_open(&vectors);
    build_shard(4096, 1, SHF_METRIC_L2, vector_row, &vectors, &built);
    sqlite3 *db = open_checked(built.bytes, built.size);
    static const char *const expected[] = {
        "{\"v\": 0, \"t\": \"int\"}", "{\"v\": \"\\\"1\\\\\", \"t\": \"str\"}", "{\"v\": -1, \"t\": \"int\"}",
        "{\"v\": \"\\ud83d\\ude003\\u0000\", \"t\": \"str\"}", "{\"v\": -9223372036854775808, \"t\": \"int\"}"};
    for (int i = 0; i < 5; i++) {
        char sql[80];
        (void)snprintf(sql, sizeof sql, "SELECT original_id FROM vec_id_map WHERE internal_id = %d", i);
        char *text = query_text(db, sql);
        assert_string_equal(text, expected[i]);
        free(text);
    }
    (void)sqlite3_close(db);
    built_free(&built);
    vectors_close(&vectors);
}

/* ---- beyond 1 GiB ---- */

/* Keeps nothing but what the page before the lock page leads to. */
struct lock_sink {
    struct shf_page_sink base;
    uint32_t page_size, lock, next_of_before;
    uint64_t written;
};

static shf_status lock_write(struct shf_page_sink *base, uint32_t first, const uint8_t *pages, uint32_t count,
                             struct shf_error **error) {
    struct lock_sink *sink = (struct lock_sink *)base;
    (void)error;
    assert_true(sink->lock < first || sink->lock >= first + count);
    if (sink->lock - 1 >= first && sink->lock - 1 < first + count) {
        sink->next_of_before = shf_load_u32be(pages + (size_t)(sink->lock - 1 - first) * sink->page_size);
    }
    sink->written += count;
    return SHF_OK;
}

/* The blob of a chunk goes around the lock page; a value before it takes the file close to it. */
static void test_lock_page(void **state) {
    (void)state;
    enum { PAGE = 65536, LOCK = (1 << 30) / PAGE + 1, DIMENSION = 8192 };
    size_t value_size = (size_t)(LOCK - 2) * (PAGE - 4);
    uint8_t *value = calloc(1, value_size), *vector = calloc(DIMENSION, 4); /* the value is never touched: no memory */
    for (uint32_t before = 0; before < 3; before++) {
        struct lock_sink sink = {{lock_write}, PAGE, LOCK, 0, 0};
        struct shf_budget budget;
        struct shf_error *error = NULL;
        struct shf_shard_build *build;
        struct shf_shard_pages pages;
        shf_budget_init(&budget, 64u << 20);
        const struct shf_shard_build_options options = {
            .page_size = PAGE, .dimension = DIMENSION, .metric = SHF_METRIC_L2, .sink = &sink.base, .budget = &budget};
        const struct shf_shard_row row = {
            .value = value, .value_size = value_size - before * (size_t)(PAGE - 4), .vector = vector};
        expect_ok(shf_shard_build_new(&options, &build, &error), error);
        expect_ok(shf_shard_build_add(build, &row, &error), error);
        expect_ok(shf_shard_build_finish(build, &pages, &error), error);
        assert_int_equal(sink.written + 1, pages.page_count); /* all but one */
        assert_int_equal(pages.chain_count, 2);
        assert_int_equal(pages.chains[1].count, 512);
        assert_int_equal(pages.chains[1].head, before ? LOCK - before : LOCK + 1);
        if (before) assert_int_equal(sink.next_of_before, LOCK + 1);
        shf_shard_build_free(build);
        shf_shard_pages_free(&pages);
        assert_int_equal(budget.used_bytes, 0);
    }
    free(value);
    free(vector);
}

/* ---- errors ---- */

static shf_status build_once(struct vectors *vectors, struct memory_sink *sink, struct shf_budget *budget,
                             struct shf_error **error) {
    const struct shf_shard_build_options options = {
        .page_size = 512, .dimension = vectors->dimension, .metric = SHF_METRIC_L2, .sink = &sink->base, .budget = budget};
    struct shf_shard_build *build = NULL;
    struct shf_shard_pages pages = {0};
    struct shf_shard_row row;
    shf_status status = shf_shard_build_new(&options, &build, error);
    for (size_t i = 0; !status && vector_row(vectors, i, &row); i++) status = shf_shard_build_add(build, &row, error);
    if (!status) status = shf_shard_build_finish(build, &pages, error);
    shf_shard_build_free(build);
    if (status) assert_null(pages.interior);
    shf_shard_pages_free(&pages);
    assert_int_equal(budget->used_bytes, 0);
    return status;
}

static void test_failing_sink(void **state) {
    (void)state;
    struct vectors vectors = {.dimension = 200, .count = 1030, .value_size = 700, .has_payloads = true};
    shf_status status = SHF_E_LOCAL;
    size_t n = 1;
    vectors_open(&vectors);
    for (; status; n++) {
        struct memory_sink sink;
        struct shf_budget budget;
        struct shf_error *error = NULL;
        memory_sink_init(&sink, 512);
        shf_budget_init(&budget, 64u << 20);
        sink.fail_after = n;
        status = build_once(&vectors, &sink, &budget, &error);
        if (status) expect_error(status, &error, SHF_E_LOCAL, "disk is full");
        memory_sink_free(&sink);
    }
    assert_true(n > 5);
    vectors_close(&vectors);
}

static void test_failing_allocations(void **state) {
    (void)state;
    struct vectors vectors = {.dimension = 3, .count = 1030, .value_size = 700, .ids = TEXTS, .has_payloads = true};
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    vectors_open(&vectors);
    for (; status; n++) {
        struct memory_sink sink;
        struct shf_budget budget;
        struct shf_error *error = NULL;
        memory_sink_init(&sink, 512);
        shf_budget_init(&budget, 64u << 20);
        alloc_fail_at(n + 1);
        status = build_once(&vectors, &sink, &budget, &error);
        if (status) assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
        shf_error_free(error);
        assert_int_equal(alloc_live(), 0);
        alloc_normal();
        memory_sink_free(&sink);
    }
    assert_true(n > 10);
    vectors_close(&vectors);
}

/* Budgets from nothing to enough: an error of memory, or success; all of it is given back. */
static void test_budget(void **state) {
    (void)state;
    struct vectors vectors = {.dimension = 3, .count = 1030, .value_size = 700, .has_payloads = true};
    vectors_open(&vectors);
    shf_status status = SHF_OK;
    for (uint64_t limit = 0; limit < 4u << 20; limit += 12347) {
        struct memory_sink sink;
        struct shf_budget budget;
        struct shf_error *error = NULL;
        memory_sink_init(&sink, 512);
        shf_budget_init(&budget, limit);
        status = build_once(&vectors, &sink, &budget, &error);
        if (status) assert_true(status == SHF_E_NO_MEMORY || status == SHF_E_INVALID);
        shf_error_free(error);
        memory_sink_free(&sink);
    }
    assert_int_equal(status, SHF_OK);
    vectors_close(&vectors);
}

static void test_long_ids(void **state) {
    (void)state;
    static char text[SHF_LIMIT_ID_BYTES + 1];
    memset(text, 'i', sizeof text);
    const uint8_t vector[4] = {0};
    const size_t around = strlen("{\"v\": \"\", \"t\": \"str\"}");
    const struct {
        char letter;
        size_t size;
        bool fits;
    } cases[] = {{'i', SHF_LIMIT_ID_BYTES - around, true},
                 {'i', SHF_LIMIT_ID_BYTES - around + 1, false},
                 {'i', SHF_LIMIT_ID_BYTES + 1, false},
                 {'\1', (SHF_LIMIT_ID_BYTES - around) / 6, true},
                 {'\1', (SHF_LIMIT_ID_BYTES - around) / 6 + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct memory_sink sink;
        struct shf_budget budget;
        struct shf_error *error = NULL;
        struct shf_shard_build *build;
        memory_sink_init(&sink, 4096);
        shf_budget_init(&budget, 64u << 20);
        const struct shf_shard_build_options options = {
            .page_size = 4096, .dimension = 1, .metric = SHF_METRIC_L2, .sink = &sink.base, .budget = &budget};
        memset(text, cases[i].letter, sizeof text);
        const struct shf_shard_row row = {
            .vector = vector, .id_is_text = true, .id_text = text, .id_text_size = cases[i].size};
        expect_ok(shf_shard_build_new(&options, &build, &error), error);
        shf_status status = shf_shard_build_add(build, &row, &error);
        if (cases[i].fits) {
            expect_ok(status, error);
        } else {
            expect_error(status, &error, SHF_E_LIMIT, "131072");
        }
        shf_shard_build_free(build);
        assert_int_equal(budget.used_bytes, 0);
        memory_sink_free(&sink);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_id_texts),
        cmocka_unit_test(test_lock_page),
        cmocka_unit_test(test_failing_sink),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_long_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
