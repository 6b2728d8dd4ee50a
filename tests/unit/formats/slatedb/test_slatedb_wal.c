/* The replay of a WAL, and the sorted form that comes out of it. */
#include "../failing_alloc.h"
#include "make.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "formats/slatedb/sorted_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sst_options plain = {.version = 2, .filter = -1, .block_rows = 3};

static void open_wal(struct database *db, const struct made_manifest *manifest) {
    struct shf_error *error = NULL;
    add_manifest(db, 1, manifest);
    expect_ok(database_open(db, &error), error);
}

/* The newest row of each key by its sequence number, wherever it stands; rows up to last_l0_seq do not count. */
static void test_replay(void **state) {
    (void)state;
    struct database db = {0};
    const struct test_row first[] = {{"old", "in l0 already", 10, 0, 0},
                                     {"b", "1", 11, 0, 0},
                                     {"a", "1", 11, 0, 0},
                                     {"gone", "1", 12, 0, 0},
                                     {"a", "2", 13, 0, 0}};
    const struct test_row second[] = {{"gone", NULL, 14, 0, 0}, {"", "", 0, 0, 0}, {"c", "3", 15, 0, 0}};
    const struct test_row third[] = {{"b", "late but older", 9, 0, 0}, {"zz", "", 20, 0, 0}, {"c", "4", 16, 2, 0}};
    const struct test_row never[] = {{"d", "behind a gap", 30, 0, 0}};
    add_wal(&db, 4, first, 1, &plain); /* before the replay begins */
    add_wal(&db, 5, first, 5, &plain);
    database_add(&db, "wal/00000000000000000006.sst", "", 0);            /* fences: nothing, */
    database_add(&db, "wal/00000000000000000007.sst", "0123456789", 10); /* ten bytes, */
    add_wal(&db, 8, NULL, 0, &plain);                                    /* and an SST without blocks */
    add_wal(&db, 9, second, 1, &plain);
    add_wal(&db, 10, second + 2, 1, &plain);
    add_wal(&db, 11, third, 3, &plain);
    add_wal(&db, 13, never, 1, &plain);
    struct made_manifest manifest = {.version = 1, .replay_after = 4, .last_l0_seq = 10};
    open_wal(&db, &manifest);
    assert_int_equal(db.wal.row_count, 5);
    assert_int_equal(db.wal.replay_after_wal_id, 4);
    assert_int_equal(db.wal.next_wal_id, 12);
    assert_int_equal(db.wal.last_l0_seq, 10);
    check_value(&db, "old", NULL);
    check_value(&db, "a", "2");
    check_value(&db, "b", "1");
    check_value(&db, "c", "4");
    check_value(&db, "gone", NULL);
    check_value(&db, "zz", "");
    check_value(&db, "d", NULL);
    struct shf_slatedb_row row;
    bool found;
    expect_ok(shf_slatedb_sorted_find(&db.wal, (struct shf_slatedb_bytes){(const uint8_t *)"gone", 4}, &found, &row, NULL),
              NULL);
    assert_true(found && row.kind == SHF_SLATEDB_TOMBSTONE && row.seq == 14);
    database_free(&db);
}

static void test_empty(void **state) {
    (void)state;
    struct database db = {0};
    struct made_manifest manifest = {.version = 2};
    open_wal(&db, &manifest);
    assert_int_equal(db.sorted_size, SHF_SLATEDB_SORTED_HEADER);
    assert_int_equal(db.wal.next_wal_id, 1);
    check_value(&db, "a", NULL);
    database_free(&db);
}

/* ---- many rows, against a plain table ---- */

#define ROWS 20000u
#define DISTINCT 3000u

struct expected {
    uint64_t seq[DISTINCT];
    unsigned row[DISTINCT];
};

/* Keys with a long common beginning and lengths that differ, some of which begin others. */
static void key_text(unsigned number, char out[32]) {
    (void)snprintf(out, 32, "tenant/%u%s", number / 3, number % 3 == 0 ? "" : number % 3 == 1 ? "/" : "/longer key");
}

static void test_many(void **state) {
    (void)state;
    static struct expected expected;
    static char keys[ROWS][32], values[ROWS][16];
    static struct test_row rows[ROWS];
    struct database db = {0};
    uint64_t seed = 77;
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned number = (unsigned)(random_next(&seed) % DISTINCT);
        key_text(number, keys[i]);
        (void)snprintf(values[i], sizeof values[i], "v%u", i);
        rows[i] = (struct test_row){keys[i], random_next(&seed) % 8 ? values[i] : NULL, 1 + i, 0, 0};
        expected.seq[number] = 1 + i;
        expected.row[number] = i;
    }
    for (unsigned i = 0; i < 10; i++) {
        struct sst_options options = {
            .version = (uint16_t)(1 + i % 2), .codec = (uint8_t)(i % 5), .filter = -1, .block_rows = 40};
        add_wal(&db, 1 + i, rows + i * (ROWS / 10), ROWS / 10, &options);
    }
    struct made_manifest manifest = {.version = 1};
    open_wal(&db, &manifest);
    assert_int_equal(db.wal.prefix.size, 7);
    unsigned there = 0;
    for (unsigned number = 0; number < DISTINCT; number++) {
        char key[32];
        key_text(number, key);
        check_value(&db, key, expected.seq[number] ? rows[expected.row[number]].value : NULL);
        there += expected.seq[number] > 0;
        key[0] = 'u'; /* not of the common beginning */
        check_value(&db, key, NULL);
    }
    check_value(&db, "tenant", NULL);
    check_value(&db, "tenant/", NULL);
    assert_int_equal(db.wal.row_count, there);
    database_free(&db);
}

/* ---- the sorted form ---- */

/* A small one: "key1" a value, "key2" a tombstone, "key3" a merge operand. */
static uint8_t *small_form(size_t *size) {
    struct database db = {0};
    const struct test_row rows[] = {{"key2", NULL, 2, 0, 0}, {"key1", "one", 1, 0, 0}, {"key3", "op", 3, 8, 0}};
    struct made_manifest manifest = {.version = 1};
    add_wal(&db, 1, rows, 3, &plain);
    open_wal(&db, &manifest);
    uint8_t *bytes = malloc(db.sorted_size);
    memcpy(bytes, db.sorted_bytes, db.sorted_size);
    *size = db.sorted_size;
    database_free(&db);
    return bytes;
}

/* Its bytes, field by field: what is stored on disk does not change unnoticed. */
static void test_layout(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = small_form(&size);
    assert_int_equal(size, 72 + 3 * 16 + (16 + 4 + 3) + (16 + 4) + (16 + 4 + 2));
    assert_memory_equal(bytes, "SHFSLWAL\1\0\0\0\3\0\0\0\3\0\0\0\0\0\0\0", 24);
    assert_int_equal(shf_load_u64le(bytes + 24), size);
    assert_int_equal(shf_load_u64le(bytes + 32), 0);
    assert_int_equal(shf_load_u64le(bytes + 40), 2);
    assert_true(shf_load_u64le(bytes + 64) == shf_hash64(bytes, 64));
    assert_true(shf_load_u64le(bytes + 56) == shf_slatedb_sorted_add(0, bytes + 72, size - 72));
    assert_true(shf_load_u64le(bytes + 72) == UINT64_C(0x3100000000000000)); /* "1" behind "key" */
    assert_int_equal(shf_load_u64le(bytes + 80), 120);
    assert_memory_equal(bytes + 120, "\4\0\0\0\3\0\0\0\1\0\0\0\0\0\0\0key1one", 23);
    assert_memory_equal(bytes + 143, "\4\0\1\0\0\0\0\0\2\0\0\0\0\0\0\0key2", 20);
    assert_memory_equal(bytes + 163, "\4\0\2\0\2\0\0\0\3\0\0\0\0\0\0\0key3op", 22);
    free(bytes);
}

static void seal(uint8_t *bytes, size_t size) {
    uint64_t sum = 0;
    if (size > 72) sum = shf_slatedb_sorted_add(0, bytes + 72, size - 72);
    shf_store_u64le(bytes + 56, sum);
    shf_store_u64le(bytes + 64, shf_hash64(bytes, 64));
}

/* One byte is changed; sealed: the checksums are made right again. Opening or verifying says the text. */
static void refuse_form(size_t at, uint8_t value, bool sealed, const char *text) {
    size_t size;
    uint8_t *bytes = small_form(&size);
    struct shf_slatedb_sorted sorted;
    struct shf_error *error = NULL;
    bytes[at] = value;
    if (sealed) seal(bytes, size);
    shf_status status = shf_slatedb_sorted_open(bytes, size, &sorted, &error);
    if (!status) status = shf_slatedb_sorted_verify(&sorted, &error);
    expect_error(status, &error, SHF_E_CORRUPT, text);
    free(bytes);
}

static void test_bad_forms(void **state) {
    (void)state;
    refuse_form(0, 'X', true, "sorted WAL: it is none");
    refuse_form(8, 2, true, "another version");
    refuse_form(48, 9, false, "the checksum of its header is wrong");
    refuse_form(12, 5, true, "its first key is shorter than all begin");
    refuse_form(12, 4, true, "its index does not fit the keys");
    refuse_form(16, 2, true, "its index");
    refuse_form(16, 200, true, "it has no room for its rows");
    refuse_form(23, 255, true, "it has no room for its rows");
    refuse_form(16, 0, true, "it has no rows, but bytes");
    refuse_form(24, 100, true, "another size than it says");
    refuse_form(72, 1, true, "its index does not fit the keys");
    refuse_form(80, 100, true, "its index points to no row");
    refuse_form(87, 1, true, "its index points to no row");
    refuse_form(96, 120, true, "its index points to no row"); /* the first row again */
    refuse_form(120, 2, true, "its first key is shorter than all begin");
    refuse_form(122, 3, true, "its index points to no row");
    refuse_form(123, 1, true, "its index points to no row");
    refuse_form(127, 1, true, "its index points to no row");
    refuse_form(163 + 4, 1, true, "bytes follow its rows");
    refuse_form(163 + 4, 3, true, "its index points to no row");
    refuse_form(163 + 20, 'x', false, "its checksum is wrong");
    refuse_form(143 + 17, 'x', true, "its index does not fit the keys");
}

/* Keys out of order, or twice, with an index that agrees. */
static void test_bad_order(void **state) {
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        size_t size;
        uint8_t *bytes = small_form(&size);
        struct shf_slatedb_sorted sorted;
        struct shf_error *error = NULL;
        bytes[72 + 7] = twice ? '2' : '9';
        bytes[120 + 16 + 3] = bytes[72 + 7];
        seal(bytes, size);
        expect_ok(shf_slatedb_sorted_open(bytes, size, &sorted, &error), error);
        expect_error(shf_slatedb_sorted_verify(&sorted, &error), &error, SHF_E_CORRUPT, "its keys do not ascend");
        free(bytes);
    }
}

/*
 * Cut anywhere, or damaged anywhere though sealed: opening and finding give an error or an answer (ASan sees the rest).
 */
static void test_form_damage(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = small_form(&size);
    unsigned refused = 0;
    for (size_t cut = 0; cut < size; cut++) {
        struct shf_slatedb_sorted sorted;
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, bytes, cut);
        assert_int_equal(shf_slatedb_sorted_open(exact, cut, &sorted, NULL), SHF_E_CORRUPT);
        free(exact);
    }
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *exact = malloc(size);
            memcpy(exact, bytes, size);
            exact[at] ^= (uint8_t)(1 << bit);
            seal(exact, size);
            struct shf_slatedb_sorted sorted;
            struct shf_slatedb_row row;
            bool found;
            if (shf_slatedb_sorted_open(exact, size, &sorted, NULL)) {
                refused++;
            } else {
                for (char last = '0'; last < '5'; last++) {
                    const uint8_t key[] = {'k', 'e', 'y', (uint8_t)last};
                    if (shf_slatedb_sorted_find(&sorted, (struct shf_slatedb_bytes){key, 4}, &found, &row, NULL))
                        refused++;
                }
            }
            free(exact);
        }
    }
    assert_true(refused > 250);
    free(bytes);
}

/* ---- memory ---- */

/* A database with every kind of object; opened, looked up in, scanned. */
static shf_status use_all(struct database *db, struct shf_error **error) {
    uint8_t *value = NULL;
    size_t size;
    bool found;
    shf_status status = database_open(db, error);
    if (!status) status = database_get(db, "l0 key", 6, &found, &value, &size, error);
    free(value);
    value = NULL;
    if (!status) status = database_get(db, "no key", 6, &found, &value, &size, error);
    free(value);
    return status;
}

static void ignore_row(void *context, const struct shf_slatedb_row *row) {
    (void)row;
    ++*(unsigned *)context;
}

static void fill(struct database *db) {
    static const struct test_row wal[] = {
        {"a", "1", 11, 0, 0}, {"b", "2", 12, 0, 0}, {"c", NULL, 13, 0, 0}, {"d", "4", 14, 0, 0}};
    static const struct test_row l0[] = {{"b", "1", 1, 0, 0}, {"l0 key", "2", 2, 0, 0}, {"x", "3", 3, 0, 0}};
    struct sst_options options = {.version = 2, .codec = SHF_SLATEDB_LZ4, .filter = 1, .block_rows = 2};
    *db = (struct database){0};
    add_wal(db, 1, wal, 4, &options);
    struct made_sst sst = add_sst(db, 1, l0, 3, &options), again = add_sst(db, 2, l0, 3, &options);
    const struct made_run run = {1, &again, 1};
    struct made_manifest manifest = {.version = 2, .top = {NULL, &sst, 1, &run, 1}};
    add_manifest(db, 1, &manifest);
}

static void test_failing_allocations(void **state) {
    (void)state;
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    while (status && n < 500) {
        struct database db;
        struct shf_error *error = NULL;
        unsigned rows = 0;
        fill(&db);
        alloc_fail_at(++n);
        status = use_all(&db, &error);
        if (!status) status = database_scan(&db, ignore_row, &rows, &error);
        if (status) {
            assert_int_equal(status, SHF_E_NO_MEMORY);
            assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
        }
        shf_error_free(error);
        database_free(&db); /* sees that nothing is charged any more */
        assert_int_equal(alloc_live(), 0);
        alloc_normal();
    }
    assert_int_equal(status, SHF_OK);
    assert_true(n > 19);
}

/* The same with a budget that grows: refused cleanly until it is enough. */
static void test_budget(void **state) {
    (void)state;
    shf_status status = SHF_E_NO_MEMORY;
    unsigned refused = 0;
    for (uint64_t budget_bytes = 1; status; budget_bytes += 1000) {
        struct database db;
        struct shf_error *error = NULL;
        unsigned rows = 0;
        fill(&db);
        db.budget_bytes = budget_bytes;
        status = use_all(&db, &error);
        if (!status) status = database_scan(&db, ignore_row, &rows, &error);
        if (status) {
            assert_true(status == SHF_E_NO_MEMORY || status == SHF_E_INVALID);
            assert_non_null(strstr(shf_error_message(error), "budget"));
            refused++;
        } else {
            assert_int_equal(rows, 5);
        }
        shf_error_free(error);
        database_free(&db); /* sees that nothing is charged any more */
        assert_true(budget_bytes < (4u << 20));
    }
    assert_true(refused > 300);
}

/* Every write of the sink fails once; afterwards the replay can only be freed. */
static void test_failing_sink(void **state) {
    (void)state;
    static char value[100000];
    memset(value, 'v', sizeof value - 1);
    const struct test_row rows[] = {{"a", value, 1, 0, 0}, {"b", value, 2, 0, 0}};
    struct bytes file = {0};
    struct shf_slatedb_manifest manifest = {0};
    struct shf_budget budget;
    shf_budget_init(&budget, 8 << 20);
    (void)make_sst(&file, rows, 2, &(struct sst_options){.version = 1, .is_wal = true, .filter = -1, .block_rows = 1});
    shf_status status = SHF_E_LOCAL;
    size_t fail;
    for (fail = 1; status; fail++) {
        struct shf_slatedb_replay *replay;
        struct memory_bytes sink;
        struct shf_error *error = NULL;
        memory_bytes_init(&sink);
        sink.fail_at = fail;
        expect_ok(shf_slatedb_replay_new(&manifest, &budget, &replay, &error), error);
        assert_int_equal(shf_slatedb_replay_next_id(replay), 1);
        expect_ok(shf_slatedb_replay_add(replay, file.data, file.size, &error), error);
        status = shf_slatedb_replay_write(replay, &sink.base, &error);
        if (status) expect_error(status, &error, SHF_E_LOCAL, "the disk is full");
        expect_error(shf_slatedb_replay_write(replay, &sink.base, &error), &error, SHF_E_INTERNAL, "written twice");
        expect_error(shf_slatedb_replay_add(replay, file.data, file.size, &error), &error, SHF_E_INTERNAL,
                     "after its end");
        shf_slatedb_replay_free(replay);
        free(sink.bytes);
    }
    assert_int_equal(fail, 7); /* the header and four pieces: the sixth write would have failed */
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
    bytes_free(&file);
}

static void test_the_last_id(void **state) {
    (void)state;
    const struct shf_slatedb_manifest manifest = {.replay_after_wal_id = UINT64_MAX - 2};
    struct shf_slatedb_replay *replay;
    struct shf_error *error = NULL;
    struct shf_budget budget;
    shf_budget_init(&budget, 8 << 20);
    expect_ok(shf_slatedb_replay_new(&manifest, &budget, &replay, &error), error);
    expect_ok(shf_slatedb_replay_add(replay, NULL, 0, &error), error); /* a fence */
    assert_true(shf_slatedb_replay_next_id(replay) == UINT64_MAX);
    expect_error(shf_slatedb_replay_add(replay, NULL, 0, &error), &error, SHF_E_CORRUPT, "no id follows");
    shf_slatedb_replay_free(replay);
    assert_int_equal(budget.used_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),      cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_bad_forms),   cmocka_unit_test(test_bad_order),
        cmocka_unit_test(test_form_damage), cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_budget),      cmocka_unit_test(test_failing_sink),
        cmocka_unit_test(test_the_last_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
