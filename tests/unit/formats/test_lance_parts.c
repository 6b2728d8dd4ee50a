/* The parts that Lance files are read with: protobuf, names, levels, packed groups, FSST, sources in pieces. */
#include "lance_make.h"
#include "support.h"

#include "formats/lance/column_priv.h"
#include "formats/lance/names.h"

#include <stdlib.h>
#include <string.h>

/* ---- protobuf ---- */

static void test_protobuf(void **state) {
    (void)state;
    struct bytes bytes = {.size = 0};
    put_number(&bytes, 1, UINT64_MAX);
    put_string(&bytes, 2, "text");
    put_varint(&bytes, 3 << 3 | 1);
    put_u64(&bytes, 7);
    put_varint(&bytes, 4 << 3 | 5);
    put_u32(&bytes, 9);
    put_bytes(&bytes, 5, "\x01\xac\x02", 3);
    put_number(&bytes, (1u << 29) - 1, 3);
    struct shf_protobuf message = shf_protobuf_of(bytes.data, bytes.size);
    struct shf_protobuf_field field;
    uint64_t seen = 0, value;
    while (shf_protobuf_next(&message, &field)) {
        struct shf_protobuf_list list = {0};
        seen++;
        if (field.number == 1) assert_true(shf_protobuf_number(&message, &field) == UINT64_MAX);
        if (field.number == 2) assert_true(shf_protobuf_is_text(shf_protobuf_bytes(&message, &field), "text"));
        if (field.number == 3) assert_true(field.type == SHF_PROTOBUF_64_BITS && field.value == 7);
        if (field.number == 4) assert_true(field.type == SHF_PROTOBUF_32_BITS && field.value == 9);
        if (field.number != 5) continue;
        assert_true(shf_protobuf_list_next(&message, &field, &list, &value) && value == 1);
        assert_true(shf_protobuf_list_next(&message, &field, &list, &value) && value == 300);
        assert_false(shf_protobuf_list_next(&message, &field, &list, &value));
    }
    assert_int_equal(seen, 6);
    assert_false(message.is_bad);
    for (size_t size = 1; size < bytes.size; size++) { /* a cut message ends at a field, or is bad */
        uint8_t *cut = malloc(size);
        memcpy(cut, bytes.data, size);
        message = shf_protobuf_of(cut, size);
        size_t fields = 0;
        while (shf_protobuf_next(&message, &field)) fields++;
        assert_true(fields < 6 && (message.is_bad || message.rest.left == 0));
        free(cut);
    }
}

static void test_bad_protobuf(void **state) {
    (void)state;
    static const struct {
        const char *hex;
    } bad[] = {{"00"},                       /* field 0 */
               {"0b"},                       /* a group */
               {"0c"},                       /* its end */
               {"0e"},                       /* no such type */
               {"0880"},                     /* a cut varint */
               {"08ffffffffffffffffff02"},   /* 65 bits */
               {"08ffffffffffffffffffff01"}, /* 11 bytes */
               {"1205aabb"},                 /* a cut text */
               {"12ffffffffffffffffff01"},   /* a text of 2^64-1 bytes */
               {"0d010203"},                 /* cut 32 bits */
               {"09010203"},                 /* cut 64 bits */
               {"808080801008"}};            /* a tag of more than 32 bits */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size;
        uint8_t *bytes = from_hex(bad[i].hex, &size);
        struct shf_protobuf message = shf_protobuf_of(bytes, size);
        struct shf_protobuf_field field;
        assert_false(shf_protobuf_next(&message, &field));
        assert_true(message.is_bad);
        assert_false(shf_protobuf_next(&message, &field));
        free(bytes);
    }
    struct shf_protobuf message = shf_protobuf_of("\x08\x01", 2);
    struct shf_protobuf_field field;
    assert_true(shf_protobuf_next(&message, &field));
    assert_int_equal(shf_protobuf_bytes(&message, &field).left, 0);
    assert_true(message.is_bad);
    message = shf_protobuf_of("\x0a\x01\x01", 3);
    assert_true(shf_protobuf_next(&message, &field));
    assert_int_equal(shf_protobuf_number(&message, &field), 0);
    assert_true(message.is_bad);
}

/* ---- names ---- */

static void test_versions(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool is_one;
        uint64_t version;
    } cases[] = {{"1.manifest", true, 1},
                 {"0.manifest", true, 0},
                 {"12345.manifest", true, 12345},
                 {"18446744073709551614.manifest", true, 1},
                 {"18446744073709551615.manifest", true, 0},
                 {"00000000000000000001.manifest", true, UINT64_MAX - 1},
                 {"18446744073709551616.manifest", false, 0},
                 {"99999999999999999999.manifest", false, 0},
                 {"9999999999999999999.manifest", true, UINT64_C(9999999999999999999)},
                 {"000000000000000000001.manifest", false, 0},
                 {".manifest", false, 0},
                 {"1.manifes", false, 0},
                 {"1.manifest.tmp", false, 0},
                 {"+1.manifest", false, 0},
                 {"1a.manifest", false, 0},
                 {"_latest.manifest", false, 0},
                 {"latest_version_hint.json", false, 0},
                 {"", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t version = 77;
        assert_int_equal(shf_lance_version_of_name(cases[i].name, &version), cases[i].is_one);
        assert_true(version == (cases[i].is_one ? cases[i].version : 77));
    }
    const char *const counting_up[] = {"9.manifest", "10.manifest", "_x.manifest", "2.manifest"};
    const char *const counting_down[] = {"18446744073709551613.manifest", "latest_version_hint.json",
                                         "18446744073709551611.manifest", "18446744073709551614.manifest"};
    uint64_t version = 0;
    assert_string_equal(shf_lance_latest_name(counting_up, 4, &version), "10.manifest");
    assert_int_equal(version, 10);
    assert_string_equal(shf_lance_latest_name(counting_down, 4, &version), "18446744073709551611.manifest");
    assert_int_equal(version, 4);
    assert_null(shf_lance_latest_name(counting_up + 2, 1, &version));
}

static void test_plain_names(void **state) {
    (void)state;
    static const char *const plain[] = {"a.lance", "64adef67-4b46-441b-b076-1c7764240875.lance", "_x", "-", "a..b"};
    static const char *const others[] = {"",     ".",   "..",   ".x",       "a/b", "../a",
                                         "a\\b", "a b", "a\nb", "\xc3\xa9", "a:b", "a%2fb"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_true(shf_lance_name_is_plain(plain[i], strlen(plain[i])));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(shf_lance_name_is_plain(others[i], strlen(others[i])));
    }
    char longest[SHF_LANCE_NAME_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(shf_lance_name_is_plain(longest, SHF_LANCE_NAME_BYTES));
    assert_false(shf_lance_name_is_plain(longest, SHF_LANCE_NAME_BYTES + 1));
    assert_false(shf_lance_name_is_plain("a\0b", 3));
}

/* ---- packed groups: what the format says, the other way round ---- */

static void pack_group(const uint32_t values[1024], unsigned word_bits, unsigned width, uint8_t *out) {
    static const unsigned order[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    unsigned lanes = 1024 / word_bits;
    memset(out, 0, (size_t)width * 128);
    for (unsigned lane = 0; lane < lanes; lane++) {
        for (unsigned row = 0; row < word_bits; row++) {
            uint32_t value = values[order[row / 8] * 16 + row % 8 * 128 + lane];
            for (unsigned bit = 0; bit < width; bit++) {
                unsigned at = row * width + bit, word = at / word_bits * lanes + lane, shift = at % word_bits;
                if (value >> bit & 1) out[word * (word_bits / 8) + shift / 8] |= (uint8_t)(1u << shift % 8);
            }
        }
    }
}

static void test_groups(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (unsigned word_bits = 16; word_bits <= 32; word_bits *= 2) {
        for (unsigned width = 0; width <= word_bits; width++) {
            uint32_t values[1024];
            uint8_t *group = malloc((size_t)width * 128 + 1);
            for (unsigned i = 0; i < 1024; i++) {
                values[i] = (uint32_t)(random_next(&seed) & ((UINT64_C(1) << width) - 1));
            }
            pack_group(values, word_bits, width, group);
            for (unsigned i = 0; i < 1024; i++)
                assert_int_equal(shf_lance_unpack(group, word_bits, width, i), values[i]);
            free(group);
        }
    }
}

/* ---- levels ---- */

static void expect_levels(const struct shf_lance_levels *levels, const struct bytes *bytes, uint64_t count,
                          const uint8_t *wanted) {
    struct shf_error *error = NULL;
    uint8_t *exact = malloc(bytes->size + 1);
    memcpy(exact, bytes->data, bytes->size);
    for (uint64_t i = 0; i < count; i++) {
        bool is_null;
        expect_ok(shf_lance_level_at(levels, exact, bytes->size, count, i, &is_null, &error), error);
        assert_int_equal(is_null, wanted[i]);
    }
    bool unused;
    for (size_t cut = 1; cut < 4 && cut < bytes->size; cut++) {
        size_t size = bytes->size - cut;
        expect_error(shf_lance_level_at(levels, exact, size, count, 0, &unused, &error), &error, SHF_E_CORRUPT,
                     "not as many");
    }
    free(exact);
}

static void test_levels(void **state) {
    (void)state;
    uint8_t wanted[2200];
    uint32_t group[1024];
    uint64_t seed = 11;
    for (unsigned i = 0; i < sizeof wanted; i++) wanted[i] = random_next(&seed) & 1;
    struct bytes bytes = {.size = 0};
    for (unsigned i = 0; i < 100; i++) put_u16(&bytes, wanted[i]);
    expect_levels(&(struct shf_lance_levels){.coding = SHF_LANCE_LEVELS_PLAIN}, &bytes, 100, wanted);

    bytes.size = 0; /* one group, with its width */
    put_u16(&bytes, 1);
    for (unsigned i = 0; i < 1024; i++) group[i] = wanted[i];
    pack_group(group, 16, 1, bytes.data + bytes.size);
    bytes.size += 128;
    expect_levels(&(struct shf_lance_levels){.coding = SHF_LANCE_LEVELS_GROUP}, &bytes, 1000, wanted);

    const struct shf_lance_levels groups = {SHF_LANCE_LEVELS_GROUPS, 1};
    for (unsigned rest = 0; rest <= 64; rest += 32) { /* 64: either reading has the same size, and plain is meant */
        bytes.size = 0;
        for (unsigned at = 0; at < 2048; at += 1024) {
            for (unsigned i = 0; i < 1024; i++) group[i] = wanted[at + i];
            pack_group(group, 16, 1, bytes.data + bytes.size);
            bytes.size += 128;
        }
        for (unsigned i = 0; i < rest; i++) put_u16(&bytes, wanted[2048 + i]);
        expect_levels(&groups, &bytes, 2048 + rest, wanted);
    }
    bytes.size = 256; /* the rest as one more group */
    for (unsigned i = 0; i < 1024; i++) group[i] = i < 30 ? wanted[2048 + i] : 0;
    pack_group(group, 16, 1, bytes.data + bytes.size);
    bytes.size += 128;
    expect_levels(&groups, &bytes, 2078, wanted);

    bytes.size = 0;
    memset(wanted, 0, sizeof wanted);
    expect_levels(&(struct shf_lance_levels){SHF_LANCE_LEVELS_GROUPS, 0}, &bytes, 2000, wanted);

    bytes.size = 0;
    put_u64(&bytes, 6);
    put_u16(&bytes, 0);
    put_u16(&bytes, 1);
    put_u16(&bytes, 0);
    put(&bytes, "\xff\x03\x01", 3);
    memset(wanted + 255, 1, 3);
    expect_levels(&(struct shf_lance_levels){.coding = SHF_LANCE_LEVELS_RUNS}, &bytes, 259, wanted);
}

static void test_bad_levels(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    bool is_null;
    const struct shf_lance_levels plain = {.coding = SHF_LANCE_LEVELS_PLAIN}, runs = {.coding = SHF_LANCE_LEVELS_RUNS},
                                  group = {.coding = SHF_LANCE_LEVELS_GROUP};
    expect_error(shf_lance_level_at(&plain, (const uint8_t *)"\2\0", 2, 1, 0, &is_null, &error), &error, SHF_E_CORRUPT,
                 "above 1");
    static const struct {
        const char *hex;
    } bad[] = {{"0200000000000000"},         /* no values */
               {"03000000000000000000000a"}, /* half a value */
               {"0200000000000000000009"},   /* 9 values, not 10 */
               {"020000000000000000000b"},   /* 11 */
               {"feffffffffffffff00000a"}};  /* a size that overflows */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size;
        uint8_t *bytes = from_hex(bad[i].hex, &size);
        expect_error(shf_lance_level_at(&runs, bytes, size, 10, 0, &is_null, &error), &error, SHF_E_CORRUPT,
                     "not as many");
        free(bytes);
    }
    expect_error(shf_lance_level_at(&group, (const uint8_t *)"\x11\0", 2, 10, 0, &is_null, &error), &error,
                 SHF_E_CORRUPT, "not as many");
    uint8_t one_bit[130] = {1};
    expect_error(shf_lance_level_at(&group, one_bit, 130, 1025, 0, &is_null, &error), &error, SHF_E_CORRUPT,
                 "not as many");
}

/* ---- FSST ---- */

static void make_symbols(uint8_t table[SHF_LANCE_SYMBOLS_BYTES], bool is_on) {
    memset(table, 0, SHF_LANCE_SYMBOLS_BYTES);
    table[0] = 3;
    table[3] = is_on;
    shf_store_u32le(table + 4, 0x46535354);
    memcpy(table + 8, "eightbyt", 8);
    memcpy(table + 16, "a", 1);
    memcpy(table + 24, "xyz", 3);
    memcpy(table + 32, "\x08\x01\x03", 3);
}

static void test_fsst(void **state) {
    (void)state;
    uint8_t table[SHF_LANCE_SYMBOLS_BYTES], out[64];
    struct shf_error *error = NULL;
    size_t size;
    make_symbols(table, true);
    expect_ok(shf_lance_symbols_check(table, sizeof table, &error), error);
    assert_false(shf_lance_symbols_are_off(table));
    assert_true(shf_lance_symbols_decode(table, (const uint8_t *)"\x01\x00\xff\x02\x02\xff\xff", 7, out, &size));
    assert_int_equal(size, 14);
    assert_memory_equal(out, "aeightbyt\x02xyz\xff", 14);
    assert_true(shf_lance_symbols_decode(table, NULL, 0, out, &size) && size == 0);
    assert_false(shf_lance_symbols_decode(table, (const uint8_t *)"\x03", 1, out, &size));
    assert_false(shf_lance_symbols_decode(table, (const uint8_t *)"\x01\xff", 2, out, &size));
    expect_error(shf_lance_symbols_check(table, sizeof table - 1, &error), &error, SHF_E_CORRUPT, "no such table");
    table[34] = 9;
    expect_error(shf_lance_symbols_check(table, sizeof table, &error), &error, SHF_E_CORRUPT, "1 to 8");
    table[34] = 0;
    expect_error(shf_lance_symbols_check(table, sizeof table, &error), &error, SHF_E_CORRUPT, "1 to 8");
    make_symbols(table, false);
    assert_true(shf_lance_symbols_are_off(table));
    table[7] = 0;
    expect_error(shf_lance_symbols_check(table, sizeof table, &error), &error, SHF_E_CORRUPT, "no such table");
}

/* ---- sources ---- */

static void test_sources(void **state) {
    (void)state;
    static const uint8_t data[] = "0123456789";
    const struct shf_lance_piece pieces[] = {{6, data + 6, 3}, {2, data + 2, 2}};
    const struct shf_lance_source whole = shf_lance_source_of(data, 10),
                                  parts = {.size = 10, .pieces = pieces, .piece_count = 2};
    const uint8_t *got;
    struct shf_error *error = NULL;
    assert_ptr_equal(shf_lance_source_at(&whole, 3, 7), data + 3);
    assert_ptr_equal(shf_lance_source_at(&whole, 10, 0), data + 10);
    assert_null(shf_lance_source_at(&whole, 3, 8));
    assert_null(shf_lance_source_at(&whole, 11, 0));
    assert_null(shf_lance_source_at(&whole, 5, UINT64_MAX));
    assert_null(shf_lance_source_at(&whole, UINT64_MAX, 2));
    assert_ptr_equal(shf_lance_source_at(&parts, 7, 2), data + 7);
    assert_ptr_equal(shf_lance_source_at(&parts, 2, 2), data + 2);
    assert_null(shf_lance_source_at(&parts, 3, 2));
    assert_non_null(shf_lance_source_at(&parts, 0, 0));
    expect_error(shf_lance_source_get(&parts, 0, 1, "x", &got, &error), &error, SHF_E_INVALID, "not been fetched");
    expect_error(shf_lance_source_get(&parts, 9, 2, "x", &got, &error), &error, SHF_E_CORRUPT,
                 "offset 9 of a file of 10");
    const struct shf_lance_piece ascending[] = {{2, data + 2, 2}, {4, data + 4, 1}, {6, data + 6, 3}};
    struct shf_lance_source sorted = {.size = 10, .pieces = ascending, .piece_count = 3, .pieces_ascend = true};
    for (size_t offset = 0; offset <= 10; offset++) {
        for (size_t size = 1; size <= 4; size++) {
            bool is_there = false;
            for (size_t i = 0; i < 3; i++) {
                is_there = is_there ||
                           (offset >= ascending[i].offset && offset + size <= ascending[i].offset + ascending[i].size);
            }
            assert_ptr_equal(shf_lance_source_at(&sorted, offset, size), is_there ? data + offset : NULL);
        }
    }
    sorted.piece_count = 0;
    assert_null(shf_lance_source_at(&sorted, 2, 1));
    struct shf_lance_source empty = shf_lance_source_of(NULL, 0);
    assert_non_null(shf_lance_source_at(&empty, 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protobuf),    cmocka_unit_test(test_bad_protobuf), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_plain_names), cmocka_unit_test(test_groups),       cmocka_unit_test(test_levels),
        cmocka_unit_test(test_bad_levels),  cmocka_unit_test(test_fsst),         cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
