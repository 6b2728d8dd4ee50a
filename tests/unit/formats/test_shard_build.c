/* Key-value shards as they are built, read by libsqlite3, by our reader and by a walk of the pages. */
#include "build_support.h"

#include "base/cursor.h"
#include "formats/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t page_sizes[] = {512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};
#define PAGE_SIZES (sizeof page_sizes / sizeof page_sizes[0])

/* Rows by their sizes: the key begins with the index, big-endian in `lead` bytes, and both have bytes that tell them apart. */
struct size_pair {
    size_t key, value;
};
struct sized_rows {
    const struct size_pair *sizes;
    size_t count;
    uint8_t *key, *value;
};

static void fill(uint8_t *out, size_t size, size_t index, uint8_t salt) {
    uint64_t seed = index * 131 + salt;
    for (size_t i = 0; i < size; i += 8) {
        uint8_t word[8];
        shf_store_u64le(word, random_next(&seed));
        memcpy(out + i, word, size - i < 8 ? size - i : 8);
    }
}

static void sized_content(struct sized_rows *rows, size_t index) {
    fill(rows->key, rows->sizes[index].key, index, 1);
    fill(rows->value, rows->sizes[index].value, index, 2);
    for (size_t i = 0; i < 3 && i < rows->sizes[index].key; i++) rows->key[i] = (uint8_t)(index >> (16 - 8 * i));
}

static bool sized_row(void *context, size_t index, struct shf_shard_row *row) {
    struct sized_rows *rows = context;
    if (index == rows->count) return false;
    sized_content(rows, index);
    row->key = rows->key;
    row->key_size = rows->sizes[index].key;
    row->value = rows->value;
    row->value_size = rows->sizes[index].value;
    return true;
}

static void check_by_sqlite(const struct built *built, struct sized_rows *rows) {
    sqlite3 *db = open_checked(built->bytes, built->size);
    sqlite3_stmt *statement;
    char *sql = query_text(db, "SELECT group_concat(type || name || tbl_name || sql) FROM sqlite_schema");
    assert_string_equal(sql, "tablekvkvCREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
    free(sql);
    assert_int_equal(query_integer(db, "PRAGMA page_count"), built->pages.page_count);
    assert_int_equal(query_integer(db, "PRAGMA freelist_count"), 0);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k, v FROM kv ORDER BY k", -1, &statement, NULL), SQLITE_OK);
    for (size_t i = 0; i < rows->count; i++) {
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        sized_content(rows, i);
        assert_int_equal(sqlite3_column_type(statement, 0), SQLITE_BLOB);
        assert_int_equal(sqlite3_column_type(statement, 1), SQLITE_BLOB);
        assert_int_equal(sqlite3_column_bytes(statement, 0), rows->sizes[i].key);
        assert_int_equal(sqlite3_column_bytes(statement, 1), rows->sizes[i].value);
        if (rows->sizes[i].key) assert_memory_equal(sqlite3_column_blob(statement, 0), rows->key, rows->sizes[i].key);
        if (rows->sizes[i].value)
            assert_memory_equal(sqlite3_column_blob(statement, 1), rows->value, rows->sizes[i].value);
    }
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
}

static void check_by_reader(const struct built *built, struct sized_rows *rows) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_kv kv;
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_open(&db, built->bytes, built->size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    expect_ok(shf_kv_open(&kv, &db, &schema, &error), error);
    for (size_t i = 0; i < rows->count; i += 1 + rows->count / 500) {
        struct shf_kv_value value;
        bool found;
        sized_content(rows, i);
        expect_ok(shf_kv_get(&kv, NULL, rows->key, rows->sizes[i].key, &found, &value, &error), error);
        assert_true(found);
        assert_int_equal(value.size, rows->sizes[i].value);
        uint8_t *copy = malloc(value.size + 1);
        expect_ok(shf_kv_value_copy(&kv, &value, copy, &error), error);
        assert_memory_equal(copy, rows->value, value.size);
        free(copy);
    }
    shf_sqlite_schema_free(&schema);
}

static void check_rows(uint32_t page_size, const struct size_pair *sizes, size_t count) {
    struct sized_rows rows = {sizes, count, NULL, NULL};
    struct built built, again;
    size_t key = 1, value = 1;
    for (size_t i = 0; i < count; i++) {
        if (sizes[i].key > key) key = sizes[i].key;
        if (sizes[i].value > value) value = sizes[i].value;
    }
    rows.key = malloc(key);
    rows.value = malloc(value);
    build_shard(page_size, 0, 0, sized_row, &rows, &built);
    check_by_sqlite(&built, &rows);
    check_by_reader(&built, &rows);
    check_page_lists(built.bytes, built.size, &built.pages);
    check_sidecar(&built);
    build_shard(page_size, 0, 0, sized_row, &rows, &again);
    assert_int_equal(again.size, built.size);
    assert_memory_equal(again.bytes, built.bytes, built.size);
    built_free(&again);
    built_free(&built);
    free(rows.key);
    free(rows.value);
}

static void test_few_rows(void **state) {
    (void)state;
    struct size_pair sizes[64];
    for (size_t p = 0; p < PAGE_SIZES; p++) {
        check_rows(page_sizes[p], sizes, 0);
        sizes[0] = (struct size_pair){0, 0};
        check_rows(page_sizes[p], sizes, 1);
        sizes[0] = (struct size_pair){0, 3 * (size_t)page_sizes[p]};
        sizes[1] = (struct size_pair){4, 0};
        check_rows(page_sizes[p], sizes, 2);
    }
}

/* Every number of rows until the tree has several levels: the end of each falls at every place of a page. */
static void test_every_count(void **state) {
    (void)state;
    static const struct size_pair shapes[] = {{8, 4}, {8, 90}, {60, 40}, {100, 0}, {200, 300}};
    struct size_pair sizes[140];
    for (size_t shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++) {
        for (size_t i = 0; i < 140; i++) sizes[i] = shapes[shape];
        for (size_t count = 1; count <= 140; count++) check_rows(512, sizes, count);
    }
}

/* Around each size at which a cell, a page or a chain changes its shape. */
static void test_thresholds(void **state) {
    (void)state;
    for (size_t p = 0; p < PAGE_SIZES; p++) {
        uint32_t page = page_sizes[p], most = (page - 12) * 64 / 255 - 23, least = (page - 12) * 32 / 255 - 23;
        const size_t edges[] = {0,    60,          127,      least,        most,       most + least, page - 35,
                                page, page + most, 2 * page, 3 * page - 8, 16384 - 16, 70000};
        enum { EDGES = sizeof edges / sizeof edges[0], AROUND = 12 };
        struct size_pair sizes[EDGES * 2 * AROUND * 2];
        size_t count = 0;
        for (size_t e = 0; e < EDGES; e++) {
            for (size_t d = 0; d < 2 * AROUND; d++) {
                size_t size = edges[e] + d < AROUND ? 0 : edges[e] + d - AROUND;
                sizes[count++] = (struct size_pair){8, size};
                sizes[count++] = (struct size_pair){size < 3 ? 3 : size, 8};
            }
        }
        check_rows(page, sizes, count);
        for (size_t value = most - 40; value < most + 10; value++) {
            assert_int_equal(shf_shard_row_fits(page, 8, value), 3 + 8 + value + (value >= 58) + (value >= 8186) <= most);
        }
    }
}

static void test_random_sizes(void **state) {
    (void)state;
    uint64_t seed = 77;
    struct size_pair *sizes = malloc(3000 * sizeof *sizes);
    for (size_t p = 0; p < PAGE_SIZES; p++) {
        for (size_t i = 0; i < 3000; i++) {
            uint64_t r = random_next(&seed);
            sizes[i].key = 3 + r % (r % 13 == 0 ? 3000 : 40);
            sizes[i].value = (r >> 20) % (r % 17 == 0 ? 20000 : r % 3 ? 100 : 900);
        }
        check_rows(page_sizes[p], sizes, 3000);
    }
    free(sizes);
}

static void test_large(void **state) {
    (void)state;
    static const struct size_pair sizes[] = {
        {0, 5u << 20},       {3, 0}, {1u << 20, 1u << 20}, {1u << 20, 3}, {(1u << 20) + 1, 2000},
        {9, (3u << 20) + 1}, {4, 4}};
    for (size_t p = 0; p < PAGE_SIZES; p += 3) check_rows(page_sizes[p], sizes, sizeof sizes / sizeof sizes[0]);
    check_rows(65536, sizes, sizeof sizes / sizeof sizes[0]);
}

static void test_many_rows(void **state) {
    (void)state;
    size_t count = 200000;
    struct size_pair *sizes = malloc(count * sizeof *sizes);
    for (size_t i = 0; i < count; i++) sizes[i] = (struct size_pair){3 + i % 17, i % 61};
    check_rows(512, sizes, count);
    check_rows(4096, sizes, count);
    free(sizes);
}

/* ---- errors ---- */

static void test_order(void **state) {
    (void)state;
    static const struct {
        const char *first, *second;
    } pairs[] = {{"b", "a"}, {"b", "b"}, {"", ""}, {"ab", "a"}, {"a", ""}, {"b\xff", "b\x7f"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct memory_sink sink;
        struct shf_budget budget;
        struct shf_error *error = NULL;
        struct shf_shard_build *build = NULL;
        struct shf_shard_pages pages;
        memory_sink_init(&sink, 512);
        shf_budget_init(&budget, 16u << 20);
        const struct shf_shard_build_options options = {.page_size = 512, .sink = &sink.base, .budget = &budget};
        expect_ok(shf_shard_build_new(&options, &build, &error), error);
        struct shf_shard_row row = {.key = (const uint8_t *)pairs[i].first, .key_size = strlen(pairs[i].first)};
        expect_ok(shf_shard_build_add(build, &row, &error), error);
        row.key = (const uint8_t *)pairs[i].second;
        row.key_size = strlen(pairs[i].second);
        expect_error(shf_shard_build_add(build, &row, &error), &error, SHF_E_INTERNAL, "ascending");
        expect_error(shf_shard_build_add(build, &row, &error), &error, SHF_E_INTERNAL, "after");
        expect_error(shf_shard_build_finish(build, &pages, &error), &error, SHF_E_INTERNAL, "after");
        shf_shard_build_free(build);
        assert_int_equal(budget.used_bytes, 0);
        memory_sink_free(&sink);
    }
}

static void test_limits(void **state) {
    (void)state;
    struct memory_sink sink;
    struct shf_budget budget;
    struct shf_error *error = NULL;
    struct shf_shard_build *build = NULL;
    uint8_t byte = 0;
    static const uint32_t wrong[] = {0, 256, 513, 131072};
    memory_sink_init(&sink, 512);
    shf_budget_init(&budget, 16u << 20);
    struct shf_shard_build_options options = {.page_size = 512, .sink = &sink.base, .budget = &budget};
    for (size_t i = 0; i < 4; i++) {
        options.page_size = wrong[i];
        expect_error(shf_shard_build_new(&options, &build, &error), &error, SHF_E_INVALID, "power of two");
    }
    options.page_size = 512;
    struct shf_shard_row row = {.key = &byte, .value = &byte, .value_size = 0x7fffffff};
    expect_ok(shf_shard_build_new(&options, &build, &error), error);
    expect_error(shf_shard_build_add(build, &row, &error), &error, SHF_E_LIMIT, "2^31-1");
    shf_shard_build_free(build);
    options.dimension = 8193;
    options.metric = SHF_METRIC_L2;
    expect_error(shf_shard_build_new(&options, &build, &error), &error, SHF_E_INVALID, "8193");
    options.dimension = 4;
    options.metric = SHF_METRIC_DOT;
    expect_error(shf_shard_build_new(&options, &build, &error), &error, SHF_E_INVALID, "metric");
    assert_int_equal(budget.used_bytes, 0);
    memory_sink_free(&sink);
}

/* ---- beyond 1 GiB ---- */

/* Keeps nothing but what is asked for below. */
struct sparse_sink {
    struct shf_page_sink base;
    uint32_t page_size, lock, before_next, last;
    bool has_first;
};

static shf_status sparse_write(struct shf_page_sink *base, uint32_t first, const uint8_t *pages, uint32_t count,
                               struct shf_error **error) {
    struct sparse_sink *sink = (struct sparse_sink *)base;
    (void)error;
    assert_true(sink->lock < first || sink->lock >= first + count);
    if (sink->lock - 1 >= first && sink->lock - 1 < first + count) {
        sink->before_next = shf_load_u32be(pages + (size_t)(sink->lock - 1 - first) * sink->page_size);
    }
    if (first == 1) {
        sink->has_first = true;
        assert_int_equal(shf_load_u32be(pages + 28), sink->last);
        return SHF_OK;
    }
    assert_true(first == sink->last + 1 || (first == sink->lock + 1 && sink->last == sink->lock - 1));
    sink->last = first + count - 1;
    return SHF_OK;
}

static void test_lock_page(void **state) {
    (void)state;
    static const uint32_t sizes[] = {512, 65536};
    size_t value_size = 180u << 20;
    uint8_t *value = calloc(1, value_size);
    for (size_t s = 0; s < 2; s++) {
        struct sparse_sink sink = {{sparse_write}, sizes[s], (1u << 30) / sizes[s] + 1, 0, 1, false};
        struct shf_budget budget;
        struct shf_error *error = NULL;
        struct shf_shard_build *build = NULL;
        struct shf_shard_pages pages;
        shf_budget_init(&budget, 16u << 20);
        const struct shf_shard_build_options options = {.page_size = sizes[s], .sink = &sink.base, .budget = &budget};
        expect_ok(shf_shard_build_new(&options, &build, &error), error);
        for (uint8_t i = 0; i < 7; i++) {
            struct shf_shard_row row = {.key = &i, .key_size = 1, .value = value, .value_size = value_size};
            expect_ok(shf_shard_build_add(build, &row, &error), error);
        }
        expect_ok(shf_shard_build_finish(build, &pages, &error), error);
        assert_true(sink.has_first);
        assert_int_equal(sink.before_next, sink.lock + 1);
        assert_true(pages.page_count > sink.lock);
        assert_int_equal(pages.chain_count, 7);
        for (size_t i = 0; i < 7; i++) assert_true(pages.chains[i].head != sink.lock);
        shf_shard_build_free(build);
        shf_shard_pages_free(&pages);
        assert_int_equal(budget.used_bytes, 0);
    }
    free(value);
}

/* A file whose first page behind the lock page is, in turn, a leaf, the head of a chain, and an interior page. */
static void test_lock_page_first_of_something(void **state) {
    (void)state;
    enum { PAGE = 65536, LOCK = (1 << 30) / PAGE + 1 };
    size_t share = PAGE - 4, value_size = (LOCK - 2 - 3) * share;
    uint8_t *value = calloc(1, value_size);
    for (uint32_t fill_pages = 0; fill_pages < 6; fill_pages++) {
        struct sparse_sink sink = {{sparse_write}, PAGE, LOCK, 0, 1, false};
        struct shf_budget budget;
        struct shf_error *error = NULL;
        struct shf_shard_build *build = NULL;
        struct shf_shard_pages pages;
        shf_budget_init(&budget, 16u << 20);
        const struct shf_shard_build_options options = {.page_size = PAGE, .sink = &sink.base, .budget = &budget};
        expect_ok(shf_shard_build_new(&options, &build, &error), error);
        for (uint32_t i = 0; i <= 20; i++) {
            uint8_t key = (uint8_t)i;
            struct shf_shard_row row = {.key = &key, .key_size = 1, .value = value, .value_size = 16000};
            if (i == 0) row.value_size = value_size - (5 - fill_pages) * share;
            expect_ok(shf_shard_build_add(build, &row, &error), error);
        }
        expect_ok(shf_shard_build_finish(build, &pages, &error), error);
        assert_true(sink.has_first);
        for (size_t i = 0; i < pages.interior_count; i++) assert_true(pages.interior[i] != LOCK);
        shf_shard_build_free(build);
        shf_shard_pages_free(&pages);
    }
    free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_rows),   cmocka_unit_test(test_every_count),
        cmocka_unit_test(test_thresholds), cmocka_unit_test(test_random_sizes),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_order),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lock_page),  cmocka_unit_test(test_lock_page_first_of_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
