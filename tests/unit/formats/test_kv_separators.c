/* The keys between the leaves: made where they help, refused where they can not be trusted, and never another answer. */
#include "support.h"

#include "base/alloc.h"
#include "formats/kv_separators.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 20000

struct table {
    sqlite3 *oracle;
    uint8_t *bytes;
    size_t size;
    struct shf_kv kv;
};

/* sql: an expression of i, the key of row i. */
static void make(struct table *t, const char *key, int page_size) {
    char sql[1024];
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    sqlite3_int64 length;
    t->oracle = db_new(page_size, 0);
    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
                   "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < %d)"
                   "INSERT OR REPLACE INTO kv SELECT %s, CAST('value ' || i || hex(zeroblob(i %% 60)) AS BLOB) FROM n",
                   ROWS - 1, key);
    db_run(t->oracle, sql);
    unsigned char *whole = sqlite3_serialize(t->oracle, "main", &length, 0);
    t->size = (size_t)length;
    t->bytes = malloc(t->size);
    memcpy(t->bytes, whole, t->size);
    sqlite3_free(whole);
    expect_ok(shf_sqlite_open(&db, t->bytes, t->size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    expect_ok(shf_kv_open(&t->kv, &db, &schema, &error), error);
    shf_sqlite_schema_free(&schema);
}

static void clear(struct table *t) {
    sqlite3_close(t->oracle);
    free(t->bytes);
}

/* A stored key, and the same one cut, lengthened and changed; most are answered without a walk. */
static void compare_with_oracle(const struct table *t, const struct shf_kv_separators *separators) {
    sqlite3_stmt *all, *has;
    unsigned direct = 0, asked = 0;
    assert_int_equal(sqlite3_prepare_v2(t->oracle, "SELECT k FROM kv", -1, &all, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(t->oracle, "SELECT v FROM kv WHERE k = ?", -1, &has, NULL), SQLITE_OK);
    while (sqlite3_step(all) == SQLITE_ROW) {
        uint8_t key[256] = {0};
        size_t stored = (size_t)sqlite3_column_bytes(all, 0);
        assert_true(stored < sizeof key);
        for (unsigned form = 0; form < 4; form++) {
            size_t size = form == 1 && stored ? stored - 1 : form == 2 ? stored + 1 : stored;
            if (stored) memcpy(key, sqlite3_column_blob(all, 0), stored);
            key[stored] = 0;
            if (form == 3 && size) key[size - 1]++;
            sqlite3_bind_blob(has, 1, key, (int)size, SQLITE_STATIC);
            bool there = sqlite3_step(has) == SQLITE_ROW, found = false;
            struct shf_kv_value value;
            struct shf_error *error = NULL;
            struct shf_kv_place place;
            expect_ok(shf_kv_get(&t->kv, separators, key, size, &found, &value, &error), error);
            assert_int_equal(found, there);
            if (there) {
                assert_int_equal(value.size, sqlite3_column_bytes(has, 0));
                assert_memory_equal(value.in_place, sqlite3_column_blob(has, 0), value.size);
            }
            asked++;
            direct += shf_kv_separators_find(separators, key, size, &place);
            sqlite3_reset(has);
        }
    }
    sqlite3_finalize(all);
    sqlite3_finalize(has);
    assert_int_equal(asked, 4 * ROWS);
    assert_in_range(direct, asked / 10 * 8, asked); /* small pages: one row in eight is a separator itself */
}

static void test_answers(void **state) {
    (void)state;
    static const char *const keys[] = {
        "randomblob(16)",
        "CAST(printf('user:%08d', i) AS BLOB)",
        "CAST(printf('%d', i) AS BLOB)",           /* of several lengths */
        "CAST(printf('%064d%08d', 0, i) AS BLOB)", /* 64 bytes and more are shared */
        "CAST(substr('abcd', 1, 1 + i % 4) || char(0) || printf('%05d', i) AS BLOB)",
    };
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        for (int page_size = 1024; page_size <= 4096; page_size *= 4) {
            struct table t;
            struct shf_kv_separators *separators;
            make(&t, keys[k], page_size);
            assert_int_equal(shf_kv_separators_build(&t.kv, UINT32_MAX, &separators), SHF_OK);
            if (!separators) fail_msg("none for %s", keys[k]);
            assert_true(separators->bytes <= t.size / 50); /* pages of 1,024 too */
            if (page_size == 4096) assert_true(separators->bytes <= t.size / 200);
            compare_with_oracle(&t, separators);
            shf_kv_separators_free(separators);
            clear(&t);
        }
    }
}

static void refuse(const struct table *t, uint64_t max_bytes) {
    struct shf_kv_separators *separators = (void *)(uintptr_t)1;
    assert_int_equal(shf_kv_separators_build(&t->kv, max_bytes, &separators), SHF_OK);
    assert_null(separators);
}

static void test_where_they_do_not_help(void **state) {
    (void)state;
    struct table t;
    make(&t, "CAST(i % 5 AS BLOB)", 4096); /* one page */
    refuse(&t, UINT32_MAX);
    clear(&t);
    make(&t, "CAST(printf('%03d-and-the-same-for-long-%08d', i % 3, i) AS BLOB)", 4096); /* eight bytes tell little */
    refuse(&t, UINT32_MAX);
    clear(&t);
    make(&t, "CASE WHEN i < 10000 THEN i ELSE randomblob(16) END", 4096); /* numbers among the keys */
    refuse(&t, UINT32_MAX);
    clear(&t);
    make(&t, "randomblob(16)", 4096);
    refuse(&t, 1000);
    clear(&t);
}

static void swap_pointers(uint8_t *page, unsigned a, unsigned b) {
    uint8_t *cells = page + 12, held[2];
    memcpy(held, cells + 2 * a, 2);
    memcpy(cells + 2 * a, cells + 2 * b, 2);
    memcpy(cells + 2 * b, held, 2);
}

static void test_trees_that_are_not_in_order(void **state) {
    (void)state;
    struct table t;
    make(&t, "randomblob(16)", 4096);
    uint8_t *root = t.bytes + (size_t)(t.kv.root - 1) * 4096;
    assert_int_equal(root[0], 2);
    swap_pointers(root, 0, 1);
    refuse(&t, UINT32_MAX);
    swap_pointers(root, 0, 1);
    /* A child of the root that is the root again: more pages than the file has. */
    uint8_t kept[4];
    memcpy(kept, root + 8, 4);
    const uint8_t itself[4] = {0, 0, (uint8_t)(t.kv.root >> 8), (uint8_t)t.kv.root};
    memcpy(root + 8, itself, 4);
    refuse(&t, UINT32_MAX);
    memcpy(root + 8, "\0\xff\xff\xff", 4);
    refuse(&t, UINT32_MAX);
    memcpy(root + 8, kept, 4);
    struct shf_kv_separators *separators;
    assert_int_equal(shf_kv_separators_build(&t.kv, UINT32_MAX, &separators), SHF_OK);
    assert_non_null(separators);
    shf_kv_separators_free(separators);
    clear(&t);
}

static int allocations_left;
static void *failing_allocate(size_t size) { return allocations_left-- > 0 ? malloc(size) : NULL; }

static void test_memory_that_ends(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = failing_allocate};
    struct table t;
    make(&t, "randomblob(16)", 4096);
    for (int allowed = 0; allowed < 4; allowed++) {
        struct shf_kv_separators *separators;
        allocations_left = allowed;
        shf_alloc_set_seam(&seam);
        shf_status status = shf_kv_separators_build(&t.kv, UINT32_MAX, &separators);
        shf_alloc_set_seam(NULL);
        assert_int_equal(status, allowed < 3 ? SHF_E_NO_MEMORY : SHF_OK);
        assert_int_equal(separators != NULL, allowed == 3);
        shf_kv_separators_free(separators);
    }
    clear(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_where_they_do_not_help),
        cmocka_unit_test(test_trees_that_are_not_in_order),
        cmocka_unit_test(test_memory_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
