/*
 * SSTs that are made here: both versions of rows, every codec, versions of a key across blocks and SSTs; damage;
 * lookups.
 */
#include "make.h"

#include "base/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KEYS 300u

static const struct sst_options plain = {.version = 2, .filter = -1};

/* Keys key/0000, key/0003, ... with every third a tombstone and some in several versions. */
struct many {
    struct test_row rows[KEYS * 2];
    char keys[KEYS][16], values[KEYS][24];
    size_t count;
};

static void make_many(struct many *many) {
    many->count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        (void)snprintf(many->keys[i], sizeof many->keys[i], "key/%04u", 3 * i);
        (void)snprintf(many->values[i], sizeof many->values[i], "value of %u", i);
        uint8_t flags = (uint8_t)(i % 5 == 0 ? 6 : 0); /* with times */
        many->rows[many->count++] =
            (struct test_row){many->keys[i], i % 3 == 2 ? NULL : many->values[i], 1000 + i, flags, 0};
        if (i % 7 == 0) many->rows[many->count++] = (struct test_row){many->keys[i], "older", 10, 0, 0};
    }
}

static void check_many(struct database *db, const struct many *many) {
    char key[16];
    for (unsigned i = 0; i < KEYS; i++) {
        check_value(db, many->keys[i], i % 3 == 2 ? NULL : many->values[i]);
        (void)snprintf(key, sizeof key, "key/%04u", 3 * i + 1);
        check_value(db, key, NULL);
    }
    check_value(db, "a", NULL);
    check_value(db, "key/", NULL);
    check_value(db, "key/0000x", NULL);
    check_value(db, "z", NULL);
}

struct order {
    const struct many *many;
    unsigned next;
};
static void in_order(void *context, const struct shf_slatedb_row *row) {
    struct order *order = context;
    while (order->next % 3 == 2) order->next++;
    assert_true(order->next < KEYS);
    assert_int_equal(row->key.size, 8);
    assert_memory_equal(row->key.data, order->many->keys[order->next], 8);
    assert_int_equal(row->value.size, strlen(order->many->values[order->next]));
    assert_memory_equal(row->value.data, order->many->values[order->next], row->value.size);
    order->next++;
}

static void open_made(struct database *db, const struct made_manifest *manifest) {
    struct shf_error *error = NULL;
    add_manifest(db, 1, manifest);
    expect_ok(database_open(db, &error), error);
}

/* Every version, codec, form of filter and size of block. */
static void test_every_form(void **state) {
    (void)state;
    static struct many many;
    static const size_t block_rows[] = {1, 2, 16, 17, 50, 1000};
    make_many(&many);
    for (uint16_t version = 1; version <= 2; version++) {
        for (uint8_t codec = 0; codec <= 5; codec++) {
            for (unsigned i = 0; i < 6; i++) {
                struct sst_options options = {.version = version,
                                              .codec = codec < 5 ? codec : 4,
                                              .block_rows = block_rows[i],
                                              .filter = (int)i % 3 - 1,
                                              .zstd_without_size = codec == 5,
                                              .without_last_key = i == 3};
                struct database db = {0};
                struct shf_error *error = NULL;
                struct made_sst sst = add_sst(&db, 1, many.rows, many.count, &options);
                struct made_manifest manifest = {.version = version, .top = {NULL, &sst, 1, NULL, 0}};
                open_made(&db, &manifest);
                check_many(&db, &many);
                assert_int_equal(db.table_reads, 1);
                struct order order = {&many, 0};
                expect_ok(database_scan(&db, in_order, &order, &error), error);
                assert_true(order.next >= KEYS - 1);
                database_free(&db);
            }
        }
    }
}

/*
 * Without the filter every miss within the keys reads a block; with it nearly none. Misses outside read nothing at all.
 */
static void test_misses(void **state) {
    (void)state;
    static struct many many;
    make_many(&many);
    for (int filter = -1; filter <= 1; filter++) {
        struct sst_options options = plain;
        options.filter = filter;
        struct database db = {0};
        struct made_sst sst = add_sst(&db, 1, many.rows, many.count, &options);
        struct made_manifest manifest = {.version = 1, .top = {NULL, &sst, 1, NULL, 0}};
        open_made(&db, &manifest);
        check_value(&db, "aaa", NULL);
        check_value(&db, "zzz", NULL);
        assert_int_equal(db.table_reads + db.block_reads, 0);
        for (unsigned i = 0; i < KEYS - 1; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "key/%04u", 3 * i + 1);
            check_value(&db, key, NULL);
        }
        if (filter < 0) {
            assert_true(db.block_reads >= KEYS - 1);
        } else {
            assert_true(db.block_reads < KEYS / 10);
        }
        database_free(&db);
    }
}

/* Versions of one key that fill several blocks and several SSTs of a run; a key between is not lost. */
static void test_versions(void **state) {
    (void)state;
    for (uint16_t version = 1; version <= 2; version++) {
        for (size_t block_rows = 1; block_rows <= 7; block_rows++) {
            struct test_row rows[40];
            for (size_t i = 0; i < 40; i++) rows[i] = (struct test_row){"m", i == 3 ? "newest" : "old", 100 - i, 0, 0};
            rows[0] = (struct test_row){"a", "first", 5, 0, 0};
            rows[1] = (struct test_row){"ab", "second", 5, 0, 0};
            rows[2] = (struct test_row){"l", NULL, 5, 0, 0};
            rows[39] = (struct test_row){"n", "last", 5, 0, 0};
            struct sst_options options = {.version = version, .block_rows = block_rows, .filter = 1};
            struct database db = {0};
            struct made_sst of_run[] = {add_sst(&db, 1, rows, 10, &options), add_sst(&db, 2, rows + 10, 15, &options),
                                        add_sst(&db, 3, rows + 25, 15, &options)};
            const struct made_run run = {1, of_run, 3};
            struct made_manifest manifest = {.version = 2, .top = {NULL, NULL, 0, &run, 1}};
            open_made(&db, &manifest);
            check_value(&db, "a", "first");
            check_value(&db, "ab", "second");
            check_value(&db, "l", NULL);
            check_value(&db, "m", "newest");
            check_value(&db, "n", "last");
            check_value(&db, "mm", NULL);
            database_free(&db);
        }
    }
}

/* WAL before L0, newer L0 before older, L0 before runs, newer runs before older; a tombstone ends the search. */
static void test_order_of_sources(void **state) {
    (void)state;
    static const char *const names[] = {"wal", "l0 new", "l0 old", "run new", "run old"};
    struct test_row rows[5][5];
    size_t counts[5] = {0};
    /* Key kN is in source N and all older ones; the newest of tN is a tombstone. */
    static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4"};
    for (size_t source = 0; source < 5; source++) {
        for (size_t key = 0; key <= source; key++) {
            rows[source][counts[source]++] = (struct test_row){keys[key], names[source], 100 - source, 0, 0};
        }
    }
    for (int tombstones = 0; tombstones < 2; tombstones++) {
        struct database db = {0};
        for (size_t source = 0; source < 5 && tombstones; source++) rows[source][source].value = NULL;
        add_wal(&db, 8, rows[0], counts[0], &plain);
        struct made_sst l0[] = {add_sst(&db, 1, rows[1], counts[1], &plain), add_sst(&db, 2, rows[2], counts[2], &plain)};
        struct made_sst run_new = add_sst(&db, 3, rows[3], counts[3], &plain);
        struct made_sst run_old = add_sst(&db, 4, rows[4], counts[4], &plain);
        const struct made_run runs[] = {{9, &run_new, 1}, {8, &run_old, 1}};
        struct made_manifest manifest = {.version = 1, .replay_after = 7, .top = {NULL, l0, 2, runs, 2}};
        open_made(&db, &manifest);
        for (size_t key = 0; key < 5; key++) check_value(&db, keys[key], tombstones ? NULL : names[key]);
        database_free(&db);
    }
}

/* A key belongs to one segment; outside of all only the WAL has it. */
static void test_segments(void **state) {
    (void)state;
    struct database db = {0};
    const struct test_row a[] = {{"a/1", "one", 5, 0, 0}, {"a/2", "two", 6, 0, 0}}, b[] = {{"b/1", "three", 7, 0, 0}};
    const struct test_row stray[] = {{"c/1", "nobody's", 8, 0, 0}},
                          wal[] = {{"a/2", "newer", 11, 0, 0}, {"d/9", "wal", 12, 0, 0}};
    struct made_sst l0 = add_sst(&db, 1, a, 2, &plain),
                    of_run[] = {add_sst(&db, 2, b, 1, &plain), add_sst(&db, 3, stray, 1, &plain)};
    const struct made_run run = {0, of_run, 2};
    const struct made_segment segments[] = {{"b/", NULL, 0, &run, 1}, {"a/", &l0, 1, NULL, 0}};
    struct made_manifest manifest = {.version = 2, .segments = segments, .segment_count = 2};
    add_wal(&db, 1, wal, 2, &plain);
    open_made(&db, &manifest);
    check_value(&db, "a/1", "one");
    check_value(&db, "a/2", "newer");
    check_value(&db, "b/1", "three");
    check_value(&db, "c/1", NULL); /* lies in a segment that it does not belong to */
    check_value(&db, "d/9", "wal");
    database_free(&db);
}

/* What lies outside of the visible range is not there. */
static void count_rows(void *context, const struct shf_slatedb_row *row) {
    (void)row;
    ++*(unsigned *)context;
}
static void test_visible_range(void **state) {
    (void)state;
    static struct many many;
    make_many(&many);
    for (uint16_t version = 1; version <= 2; version++) {
        struct database db = {0};
        struct shf_error *error = NULL;
        struct made_sst sst = add_sst(&db, 1, many.rows, many.count, &plain);
        sst.from_kind = SHF_SLATEDB_INCLUDED;
        sst.from = "key/0030";
        sst.to_kind = SHF_SLATEDB_EXCLUDED;
        sst.to = "key/0060";
        struct made_manifest manifest = {.version = version, .top = {NULL, &sst, 1, NULL, 0}};
        open_made(&db, &manifest);
        check_value(&db, "key/0027", NULL);
        check_value(&db, "key/0030", "value of 10");
        check_value(&db, "key/0057", "value of 19");
        check_value(&db, "key/0060", NULL);
        unsigned rows = 0;
        expect_ok(database_scan(&db, count_rows, &rows, &error), error);
        assert_int_equal(rows, 7); /* 10 to 19 but for the tombstones 11, 14, 17 */
        database_free(&db);
    }
}

/* The newest row decides: an operand is refused, one behind a value is not looked at. */
static void test_merge_operands(void **state) {
    (void)state;
    for (uint16_t version = 1; version <= 2; version++) {
        struct sst_options options = {.version = version, .filter = -1};
        struct database db = {0};
        struct shf_error *error = NULL;
        const struct test_row rows[] = {
            {"a", "op", 9, 8, 0}, {"a", "base", 8, 0, 0}, {"b", "plain", 9, 0, 0}, {"b", "op", 8, 8, 0}};
        struct made_sst sst = add_sst(&db, 1, rows, 4, &options);
        struct made_manifest manifest = {.version = 1, .top = {NULL, &sst, 1, NULL, 0}};
        const struct test_row wal[] = {{"c", "op", 20, 8, 0}, {"d", "op", 20, 8, 0}, {"d", NULL, 21, 0, 0}};
        add_wal(&db, 1, wal, 3, &options);
        open_made(&db, &manifest);
        check_get_error(&db, "a", SHF_E_UNSUPPORTED, "merge operand");
        check_value(&db, "b", "plain");
        check_get_error(&db, "c", SHF_E_UNSUPPORTED, "merge operand");
        check_value(&db, "d", NULL);
        unsigned rows_seen = 0;
        expect_error(database_scan(&db, count_rows, &rows_seen, &error), &error, SHF_E_UNSUPPORTED, "merge operand");
        database_free(&db);
    }
}

static void test_large(void **state) {
    (void)state;
    static char key[SHF_SLATEDB_KEY_BYTES + 1];
    static char value[300000];
    memset(key, 'k', SHF_SLATEDB_KEY_BYTES);
    memset(value, 'v', sizeof value - 1);
    for (uint16_t version = 1; version <= 2; version++) {
        struct sst_options options = {.version = version, .codec = 1, .filter = 0, .block_rows = 1};
        struct database db = {0};
        const struct test_row rows[] = {{"j", value, 5, 0, 0}, {key, "long", 5, 0, 0}};
        struct made_sst sst = add_sst(&db, 1, rows, 1, &options);
        struct made_manifest manifest = {.version = 1, .top = {NULL, &sst, 1, NULL, 0}};
        add_wal(&db, 1, rows + 1, 1, &options);
        open_made(&db, &manifest);
        check_value(&db, "j", value);
        check_value(&db, key, "long");
        key[SHF_SLATEDB_KEY_BYTES - 1] = 'l';
        check_value(&db, key, NULL);
        key[SHF_SLATEDB_KEY_BYTES - 1] = 'k';
        database_free(&db);
    }
}

/* ---- damage ---- */

/* A WAL object of one block that is given: what the replay says. */
static void refuse_block(const char *hex, uint16_t version, shf_status code, const char *text) {
    struct bytes file = {0}, block = {0};
    struct sst_options options = {.version = version, .filter = -1};
    struct database db = {0};
    struct shf_error *error = NULL;
    size_t size;
    uint8_t *data = spaced_hex(hex, &size);
    put(&block, data, size);
    (void)make_sst_of(&file, &block, NULL, NULL, &options);
    database_add(&db, "wal/00000000000000000001.sst", file.data, file.size);
    struct made_manifest manifest = {.version = 1};
    add_manifest(&db, 1, &manifest);
    if (text) {
        expect_error(database_open(&db, &error), &error, code, text);
    } else {
        expect_ok(database_open(&db, &error), error);
    }
    database_free(&db);
    bytes_free(&block);
    bytes_free(&file);
    free(data);
}

static void test_bad_rows(void **state) {
    (void)state;
    /* Version 2: shared, unshared, value size, key, value, seq, flags; then offsets and their count. */
    refuse_block("00 01 01 61 62 0000000000000005 00 0000 0001", 2, 0, NULL);
    refuse_block("00 01 01 61 62 0000000000000005 00 01 01 00 62 0000000000000005 01 0000 0001", 2, 0, NULL);
    refuse_block("0000", 2, 0, NULL); /* no rows */
    refuse_block("00", 2, SHF_E_CORRUPT, "block at offset 0: it is shorter than its end");
    refuse_block("", 2, SHF_E_CORRUPT, "it is shorter than its end");
    refuse_block("0001", 2, SHF_E_CORRUPT, "its offsets do not fit");
    refuse_block("ffff", 2, SHF_E_CORRUPT, "its offsets do not fit");
    refuse_block("00000001", 2, SHF_E_CORRUPT, "offsets without rows");
    refuse_block("610000", 2, SHF_E_CORRUPT, "rows without offsets");
    refuse_block("00 01 01 61 62 0000000000000005 00 0001 0001", 2, SHF_E_CORRUPT,
                 "its first row is not at its beginning");
    refuse_block("00 01 02 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "row at 0: it is cut");
    refuse_block("00 01 ffffffff0f 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "row at 0: it is cut");
    refuse_block("00 01 ffffffff1f 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "row at 0: it is cut");
    refuse_block("00 808080808000 01 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "row at 0: it is cut");
    refuse_block("00 00 01 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "its key has no byte");
    refuse_block("ffff03 01 01 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT, "or more than 65535");
    refuse_block("01 01 01 61 62 0000000000000005 00 0000 0001", 2, SHF_E_CORRUPT,
                 "it shares more of a key than there is");
    refuse_block("00 01 01 61 62 0000000000000005 00 02 01 00 62 0000000000000005 01 0000 0001", 2, SHF_E_CORRUPT,
                 "row at 14: it shares more");
    refuse_block("00 01 01 61 62 0000000000000005 01 0000 0001", 2, SHF_E_CORRUPT, "it is a tombstone with a value");
    refuse_block("00 01 01 61 62 0000000000000005 10 0000 0001", 2, SHF_E_UNSUPPORTED, "flags 0x10 are not supported");
    refuse_block("00 01 00 61 0000000000000005 09 0000 0001", 2, SHF_E_UNSUPPORTED, "flags 0x09");
    refuse_block("00 01 01 61 62 0000000000000005 02 0000 0001", 2, SHF_E_CORRUPT, "row at 0: it is cut");
    refuse_block("00 01 01 61 62 0000000000000005 06 0000000000000005 000000000000 0000 0001", 2, SHF_E_CORRUPT,
                 "row at 0: it is cut");
    /* Version 1: u16 prefix, u16 suffix, suffix, seq, flags, times, u32 value size, value. */
    refuse_block("0000 0001 61 0000000000000005 00 00000001 62 0000 0001", 1, 0, NULL);
    refuse_block("0000 0001 61 0000000000000005 01 0000 0001", 1, 0, NULL);
    refuse_block("0000 0001 61 0000000000000005 00 00000002 62 0000 0001", 1, SHF_E_CORRUPT, "it is cut");
    refuse_block("0000 0001 61 0000000000000005 00 ffffffff 62 0000 0001", 1, SHF_E_CORRUPT, "it is cut");
    refuse_block("0000 ffff 61 0000000000000005 00 00000001 62 0000 0001", 1, SHF_E_CORRUPT, "it is cut");
    refuse_block("0001 0001 61 0000000000000005 00 00000001 62 0000 0001", 1, SHF_E_CORRUPT, "it shares more");
    refuse_block("0000 0001 61 0000000000000005 00 00000001 62 0000 0000 0002", 1, SHF_E_CORRUPT, "it does not follow");
    refuse_block("0000 0001 61 0000000000000005 00 00000001 62 0000 0013 0002", 1, SHF_E_CORRUPT, "behind the rows");
    refuse_block("0000 0001 61 0000000000000005 20 00000001 62 0000 0001", 1, SHF_E_UNSUPPORTED, "flags 0x20");
}

/* A lookup meets what a replay does. */
static void find_in(const char *hex, uint16_t version, const char *key, shf_status code, const char *text) {
    size_t size;
    uint8_t *data = spaced_hex(hex, &size);
    uint8_t *stored = malloc(size + 4);
    memcpy(stored, data, size);
    uint32_t sum = (uint32_t)crc32_z(0, data, size);
    for (int i = 0; i < 4; i++) stored[size + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    struct shf_slatedb_info info = {.version = version};
    struct shf_slatedb_block block;
    struct shf_slatedb_row row;
    struct shf_budget budget;
    struct shf_error *error = NULL;
    enum shf_slatedb_found found;
    shf_budget_init(&budget, 1 << 20);
    expect_ok(shf_slatedb_block_open(&info, stored, size + 4, 77, false, &budget, &block, &error), error);
    expect_error(shf_slatedb_block_find(&block, (struct shf_slatedb_bytes){(const uint8_t *)key, strlen(key)}, &found,
                                        &row, &error),
                 &error, code, text);
    shf_slatedb_block_close(&block);
    stored[0] ^= 1;
    expect_error(shf_slatedb_block_open(&info, stored, size + 4, 77, false, &budget, &block, &error), &error,
                 SHF_E_CORRUPT, "block at offset 77: the checksum is wrong");
    if (shf_slatedb_block_open(&info, stored, size + 4, 77, true, &budget, &block, NULL) ==
        SHF_OK) { /* not looked at again */
        shf_slatedb_block_close(&block);
    }
    free(stored);
    free(data);
}

static void test_bad_lookups(void **state) {
    (void)state;
    find_in("01 01 01 61 62 0000000000000005 00 0000 0001", 2, "b", SHF_E_CORRUPT, "a restart point shares its key");
    find_in("00 00 01 62 0000000000000005 00 0000 0001", 2, "b", SHF_E_CORRUPT, "row at 0: its key has no byte");
    find_in("00 7f 01 61 62 0000000000000005 00 0000 0001", 2, "b", SHF_E_CORRUPT, "row at 0: it is cut");
    find_in("00 ffffffff10 01 61 62 0000000000000005 00 0000 0001", 2, "b", SHF_E_CORRUPT, "row at 0: it is cut");
    find_in("00 01 01 61 62 0000000000000005 00 0000 00ff 0002", 2, "b", SHF_E_CORRUPT,
            "row at 255: it lies behind the rows");
    find_in("00 01 01 61 62 0000000000000005 00 02 01 00 62 0000000000000005 01 0000 0001", 2, "b", SHF_E_CORRUPT,
            "row at 14: it shares");
    find_in("00 01 01 61 62 0000000000000005 40 0000 0001", 2, "b", SHF_E_UNSUPPORTED, "flags 0x40");
    find_in("0001 0001 61 0000000000000005 00 00000001 62 0000 0001", 1, "b", SHF_E_CORRUPT,
            "the first row shares its key");
    find_in("0000 0001 61 0000000000000005 00 00000001 62 0002 0001 61 0000000000000005 01 0000 0013 0002", 1, "b",
            SHF_E_CORRUPT, "row at 19: it shares more");
}

/* An index that is given. */
static void refuse_index(struct bytes *index, const char *text) {
    struct bytes file = {0}, block = {0};
    struct database db = {0};
    struct shf_error *error = NULL;
    put_be(&block, 0, 2);
    (void)make_sst_of(&file, &block, index, NULL, &plain);
    database_add(&db, "wal/00000000000000000001.sst", file.data, file.size);
    struct made_manifest manifest = {.version = 1};
    add_manifest(&db, 1, &manifest);
    expect_error(database_open(&db, &error), &error, SHF_E_CORRUPT, text);
    database_free(&db);
    bytes_free(&block);
    bytes_free(&file);
    bytes_free(index);
}

static struct bytes index_of(size_t count, const uint64_t *offsets, const char *const *keys) {
    struct bytes fb = {0};
    fb_begin(&fb);
    size_t root = fb_table(&fb, (struct field[]){{0, 4, 0}}, 1), vector = fb_vector(&fb, (uint32_t)count);
    fb_link(&fb, root, 0, vector);
    for (size_t i = 0; i < count; i++) {
        size_t table = fb_table(&fb, (struct field[]){{0, 8, offsets[i]}, {1, 4, 0}}, 2);
        fb_link_at(&fb, vector + 4 + 4 * i, table);
        size_t key = fb_bytes(&fb, keys[i], strlen(keys[i]));
        fb_link(&fb, table, 1, key);
    }
    return fb;
}

/* Blocks whose first keys are the same bytes, not only alike. */
static struct bytes index_of_one_key(uint32_t count, size_t key_size) {
    struct bytes fb = {0};
    size_t tables[8];
    char *key = calloc(1, key_size);
    fb_begin(&fb);
    size_t root = fb_table(&fb, (struct field[]){{0, 4, 0}}, 1), vector = fb_vector(&fb, count);
    fb_link(&fb, root, 0, vector);
    for (uint32_t i = 0; i < count; i++) {
        tables[i] = fb_table(&fb, (struct field[]){{0, 8, i}, {1, 4, 0}}, 2);
        fb_link_at(&fb, vector + 4 + (size_t)4 * i, tables[i]);
    }
    size_t bytes = fb_bytes(&fb, key, key_size);
    for (uint32_t i = 0; i < count; i++) fb_link(&fb, tables[i], 1, bytes);
    free(key);
    return fb;
}

static void test_bad_index(void **state) {
    (void)state;
    static char long_key[SHF_SLATEDB_KEY_BYTES + 2];
    memset(long_key, 'x', sizeof long_key - 1);
    struct bytes index = index_of(1, (uint64_t[]){6}, (const char *[]){""});
    refuse_index(&index, "index: block 0: it begins behind the blocks");
    index = index_of(2, (uint64_t[]){0, 0}, (const char *[]){"", "a"});
    refuse_index(&index, "index: block 1: it does not follow the one before");
    index = index_of(2, (uint64_t[]){0, 3}, (const char *[]){"b", "a"});
    refuse_index(&index, "index: block 1: its first key is out of order");
    index = index_of_one_key(5, 5000);
    refuse_index(&index, "index: block 1: the first keys are larger than the index");
    index = index_of(1, (uint64_t[]){0}, (const char *[]){long_key});
    refuse_index(&index, "its first key is too long");
    put(&index, "abc", 3);
    refuse_index(&index, "index (damaged or encrypted): offset 0: there is no root table");
}

/*
 * Every byte of a file damaged, and every length cut: an error that says where, or the same answers (in what is not
 * read).
 */
static void test_damage(void **state) {
    (void)state;
    static const struct test_row rows[] = {
        {"a", "1", 5, 0, 0}, {"b", "2", 6, 0, 0}, {"c", NULL, 7, 0, 0}, {"d", "4", 8, 0, 0}};
    for (uint8_t codec = 0; codec <= 4; codec++) {
        struct sst_options options = {.version = 2, .codec = codec, .filter = 1, .block_rows = 2};
        struct bytes file = {0};
        (void)make_sst(&file, rows, 4, &options);
        struct made_manifest manifest = {.version = 1};
        for (size_t at = 0; at < 2 * file.size; at++) {
            struct database db = {0};
            struct shf_error *error = NULL;
            bool is_cut = at >= file.size;
            size_t size = is_cut ? at - file.size : file.size;
            if (!is_cut) file.data[at] ^= 0x41;
            database_add(&db, "wal/00000000000000000001.sst", file.data, size);
            if (!is_cut) file.data[at] ^= 0x41;
            add_manifest(&db, 1, &manifest);
            shf_status status = database_open(&db, &error);
            bool is_fence = is_cut && size <= SHF_SLATEDB_FOOTER_BYTES;
            if (status) {
                assert_false(is_fence);
                assert_true(status == SHF_E_CORRUPT || status == SHF_E_UNSUPPORTED);
                assert_non_null(strstr(shf_error_message(error), "SST"));
                shf_error_free(error);
            } else if (!is_fence) {
                check_value(&db, "a", "1"); /* the damage is in the filter, which a replay does not read */
                check_value(&db, "d", "4");
                assert_false(is_cut);
            }
            database_free(&db);
        }
        bytes_free(&file);
    }
}

/* Calls that do not fit together are refused. */
static void test_wrong_calls(void **state) {
    (void)state;
    struct database db = {0};
    struct shf_error *error = NULL;
    struct shf_slatedb_get get;
    enum shf_slatedb_answer answer;
    struct shf_slatedb_info info;
    struct shf_slatedb_table *table;
    const struct test_row row = {"a", "1", 5, 0, 0};
    struct made_sst sst = add_sst(&db, 1, &row, 1, &plain);
    struct made_manifest manifest = {.version = 1, .top = {NULL, &sst, 1, NULL, 0}};
    open_made(&db, &manifest);
    const struct object *object = &db.objects[0];
    expect_ok(shf_slatedb_info_of_file(object->bytes, object->size, &info, &error), error);
    assert_true(info.has_first_key && info.first_key.size == 1 && info.has_last_key); /* as the manifest's */
    assert_int_equal(info.index_offset, db.manifest->ssts[0].info.index_offset);
    expect_error(shf_slatedb_info_of_file(object->bytes, 10, &info, &error), &error, SHF_E_CORRUPT,
                 "10 bytes have no footer");
    uint64_t offset, size;
    shf_slatedb_info_table_range(&info, &offset, &size);
    expect_error(shf_slatedb_table_open(&info, object->bytes + offset, (size_t)size - 1, &db.budget, &table, &error),
                 &error, SHF_E_CORRUPT, "bytes of its filter and index");
    shf_slatedb_get_begin(&get, db.manifest, NULL, (struct shf_slatedb_bytes){(const uint8_t *)"b", 1});
    expect_ok(shf_slatedb_get_step(&get, &answer, &error), error);
    assert_int_equal(answer, SHF_SLATEDB_ABSENT);
    expect_error(shf_slatedb_get_step(&get, &answer, &error), &error, SHF_E_INTERNAL, "after its end");
    shf_slatedb_get_begin(&get, db.manifest, NULL, (struct shf_slatedb_bytes){(const uint8_t *)"a", 1});
    for (int i = 0; i < 2; i++) { /* nothing is given: the same is needed again */
        expect_ok(shf_slatedb_get_step(&get, &answer, &error), error);
        assert_int_equal(answer, SHF_SLATEDB_NEEDS_TABLE);
        assert_int_equal(get.offset, offset);
        assert_int_equal(get.size, size);
    }
    database_free(&db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form),       cmocka_unit_test(test_misses),    cmocka_unit_test(test_versions),
        cmocka_unit_test(test_order_of_sources), cmocka_unit_test(test_segments),  cmocka_unit_test(test_visible_range),
        cmocka_unit_test(test_merge_operands),   cmocka_unit_test(test_large),     cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_bad_lookups),      cmocka_unit_test(test_bad_index), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
