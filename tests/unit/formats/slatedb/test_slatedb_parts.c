/* The small parts: names, hash, filter, codecs. */
#include "make.h"

#include "base/cursor.h"
#include "formats/slatedb/siphash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* ---- names ---- */

static struct shf_slatedb_object parse(const char *name) {
    size_t size = strlen(name);
    char *exact = malloc(size ? size : 1);
    memcpy(exact, name, size);
    struct shf_slatedb_object object = shf_slatedb_name_parse(exact, size);
    free(exact);
    return object;
}

static void test_names(void **state) {
    (void)state;
    static const char *const sound[] = {
        "manifest/00000000000000000023.manifest",
        "wal/00000000000000000001.sst",
        "wal/18446744073709551615.sst",
        "compacted/01M80XW4N7A94A0AZP7ZH0P4N0.sst",
        "compacted/7ZZZZZZZZZZZZZZZZZZZZZZZZZ.sst",
        "compacted/00000000000000000000000000.sst",
    };
    static const char *const others[] = {
        "",
        "manifest/",
        "manifest/0000000000000000002x.manifest",
        "manifest/00000000000000000023.manifest.tmp",
        "manifest/00000000000000000000.manifest",
        "manifest/23.manifest",
        "manifest/00000000000000000023.sst",
        "wal/18446744073709551616.sst",
        "wal/99999999999999999999.sst",
        "wal/00000000000000000001.manifest",
        "compacted/8ZZZZZZZZZZZZZZZZZZZZZZZZZ.sst",
        "compacted/01M80XW4N7A94A0AZP7ZH0P4NU.sst",
        "compacted/01m80xw4n7a94a0azp7zh0p4n0.sst",
        "compactions/00000000000000000001.compactions",
        "gc/manifest.boundary",
    };
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        char name[SHF_SLATEDB_NAME_BYTES];
        struct shf_slatedb_object object = parse(sound[i]);
        assert_int_not_equal(object.kind, SHF_SLATEDB_OTHER);
        shf_slatedb_name_format(&object, name);
        assert_string_equal(name, sound[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(parse(others[i]).kind, SHF_SLATEDB_OTHER);
    }
    assert_int_equal(parse(sound[0]).id, 23);
    assert_true(parse(sound[4]).ulid.high == UINT64_MAX && parse(sound[4]).ulid.low == UINT64_MAX);
    assert_int_equal(shf_slatedb_ulid_compare(parse(sound[3]).ulid, parse(sound[4]).ulid), -1);
    assert_int_equal(shf_slatedb_ulid_compare(parse(sound[3]).ulid, parse(sound[3]).ulid), 0);
}

static void test_latest(void **state) {
    (void)state;
    static const char *const names[] = {"manifest/00000000000000000009.manifest",
                                        "manifest/00000000000000000011.manifest",
                                        "manifest/00000000000000000010.manifest", "wal/00000000000000000100.sst",
                                        "manifest/00000000000000000012.manifest~"};
    uint64_t latest = 0;
    for (size_t i = 0; i < 5; i++) shf_slatedb_latest_manifest(&latest, names[i], strlen(names[i]));
    assert_int_equal(latest, 11);
}

/* ---- hash and filter ---- */

static void test_siphash(void **state) {
    (void)state;
    uint8_t ascending[16];
    for (int i = 0; i < 16; i++) ascending[i] = (uint8_t)i;
    assert_true(shf_siphash13(NULL, 0) == UINT64_C(0xd1fba762150c532c));
    assert_true(shf_siphash13("a", 1) == UINT64_C(0x407448d2b89b1813));
    assert_true(shf_siphash13("key0", 4) == UINT64_C(0x82f39f650d7b4a4d));
    assert_true(shf_siphash13("item/0/x", 8) == UINT64_C(0x97951bf3453613e4));
    assert_true(shf_siphash13(ascending, 16) == UINT64_C(0x8972188433a5c5b7));
}

/* The bits of "item/0/x" with 7,000 bits and 6 probes. */
static void test_filter_bits(void **state) {
    (void)state;
    static const unsigned bits[] = {4940, 1575, 5211, 1849, 5490, 2135};
    uint8_t data[2 + 875] = {0, 6};
    struct shf_slatedb_filter filter;
    uint64_t hash = shf_siphash13("item/0/x", 8);
    for (int i = 0; i < 6; i++) data[2 + bits[i] / 8] |= (uint8_t)(1 << bits[i] % 8);
    expect_ok(shf_slatedb_filter_parse(data, sizeof data, 0, &filter, NULL), NULL);
    assert_int_equal(filter.bit_count, 7000);
    assert_true(shf_slatedb_filter_may_hold(&filter, hash));
    for (int i = 0; i < 6; i++) {
        data[2 + bits[i] / 8] ^= (uint8_t)(1 << bits[i] % 8);
        assert_false(shf_slatedb_filter_may_hold(&filter, hash));
        data[2 + bits[i] / 8] ^= (uint8_t)(1 << bits[i] % 8);
    }
}

/* As the format has it: with a remainder at each step. */
static bool may_hold_by_remainders(const struct shf_slatedb_filter *filter, uint64_t hash) {
    uint64_t h = (uint32_t)hash % filter->bit_count, d = (hash >> 32) % filter->bit_count;
    for (uint32_t i = 0; i < filter->probes; i++) {
        d = (d + i) % filter->bit_count;
        if (!(filter->bits[h / 8] >> (h % 8) & 1)) return false;
        h = (h + d) % filter->bit_count;
    }
    return true;
}

/* Filters of all sizes, also such as have more probes than bits: one bit is not set, or two are not. */
static void test_filter_remainders(void **state) {
    (void)state;
    unsigned held = 0, asked = 0;
    for (uint64_t bit_count = 8; bit_count <= 200; bit_count += 8) {
        for (uint32_t i = 0; i < 400; i++, asked++) {
            uint64_t hash = shf_siphash13(&i, sizeof i);
            uint8_t bits[25];
            memset(bits, 0xff, sizeof bits);
            bits[hash % bit_count / 8] &= (uint8_t) ~(1u << hash % bit_count % 8);
            bits[i % bit_count / 8] &= (uint8_t) ~(1u << i % bit_count % 8);
            const struct shf_slatedb_filter filter = {bits, bit_count, i % 60};
            bool may_hold = shf_slatedb_filter_may_hold(&filter, hash);
            assert_int_equal(may_hold, may_hold_by_remainders(&filter, hash));
            held += may_hold;
        }
    }
    assert_in_range(held, 1, asked - 1);
}

static void parse_filter(const char *hex, uint8_t format, uint64_t bits, uint32_t probes) {
    size_t size;
    uint8_t *data = spaced_hex(hex, &size);
    struct shf_slatedb_filter filter;
    struct shf_error *error = NULL;
    expect_ok(shf_slatedb_filter_parse(data, size, format, &filter, &error), error);
    assert_int_equal(filter.bit_count, bits);
    assert_int_equal(filter.probes, probes);
    if (bits == 0) assert_true(shf_slatedb_filter_may_hold(&filter, 12345));
    free(data);
}

static void refuse_filter(const char *hex, uint8_t format, const char *text) {
    size_t size;
    uint8_t *data = spaced_hex(hex, &size);
    struct shf_slatedb_filter filter;
    struct shf_error *error = NULL;
    expect_error(shf_slatedb_filter_parse(data, size, format, &filter, &error), &error, SHF_E_CORRUPT, text);
    free(data);
}

static void test_filter_forms(void **state) {
    (void)state;
    parse_filter("0006ff", 0, 8, 6);
    parse_filter("0006", 0, 0, 6);
    parse_filter("0000", 1, 0, 0);
    parse_filter("0001 0003 5f6266 0000000000000003 0005aa", 1, 8, 5);
    parse_filter("0002 0001 78 0000000000000001 00 0003 5f6266 0000000000000004 0005aabb", 1, 16, 5);
    parse_filter("0001 0003 5f6278 0000000000000003 0005aa", 1, 0, 0); /* _bx */
    parse_filter("ffffff", 9, 0, 0);                                   /* a format to come: no filter */
    refuse_filter("00", 0, "bloom filter of 1 bytes");
    refuse_filter("00", 1, "cut");
    refuse_filter("0001", 1, "filter 1 of 1 is cut");
    refuse_filter("0001 0003 5f6266 0000000000000004 0005aa", 1, "cut");
    refuse_filter("0001 0003 5f6266 ffffffffffffffff 0005aa", 1, "cut");
    refuse_filter("0001 0003 5f6266 0000000000000001 00", 1, "bloom filter of 1 bytes");
}

/* ---- codecs ---- */

static void test_unpack(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 4096, 70000, 3 << 20};
    uint64_t seed = 5;
    struct shf_budget budget;
    shf_budget_init(&budget, 64 << 20);
    struct shf_slatedb_unpacker unpacker = {.budget = &budget}; /* one for all */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *plain = malloc(sizes[i] + 1);
        random_fill(&seed, plain, sizes[i] / 2);
        memset(plain + sizes[i] / 2, 'z', sizes[i] - sizes[i] / 2);
        for (uint8_t codec = 0; codec <= 5; codec++) {
            struct shf_slatedb_memory out;
            struct shf_error *error = NULL;
            size_t packed_size;
            uint8_t *packed = pack(codec < 5 ? codec : 4, codec == 5, plain, sizes[i], &packed_size);
            uint8_t *exact = malloc(packed_size ? packed_size : 1);
            memcpy(exact, packed, packed_size);
            expect_ok(shf_slatedb_unpack(&unpacker, codec < 5 ? codec : 4, exact, packed_size, &out, &error), error);
            assert_int_equal(out.size, sizes[i]);
            assert_memory_equal(out.data, plain, sizes[i]);
            assert_int_equal(atomic_load(&budget.used_bytes), out.capacity);
            shf_slatedb_memory_free(&out);
            free(exact);
            free(packed);
        }
        free(plain);
    }
    assert_non_null(unpacker.zstd);
    shf_slatedb_unpacker_free(&unpacker);
    assert_null(unpacker.zstd);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

static void refuse_unpack(uint8_t codec, const uint8_t *data, size_t size, uint64_t budget_bytes, shf_status code,
                          const char *text) {
    struct shf_error *error = NULL;
    struct shf_budget budget;
    shf_budget_init(&budget, budget_bytes);
    struct shf_slatedb_unpacker unpacker = {.budget = &budget};
    struct shf_slatedb_memory out = {0};
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    expect_error(shf_slatedb_unpack(&unpacker, codec, exact, size, &out, &error), &error, code, text);
    shf_slatedb_unpacker_free(&unpacker);
    assert_null(out.data);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
    free(exact);
}

/* What one damaged frame leaves in the context does not change what the next one is. */
static void test_unpacking_after_damage(void **state) {
    (void)state;
    uint8_t plain[3000];
    uint64_t seed = 3;
    size_t size;
    struct shf_budget budget;
    shf_budget_init(&budget, 1 << 20);
    struct shf_slatedb_unpacker unpacker = {.budget = &budget};
    random_fill(&seed, plain, sizeof plain / 2);
    memset(plain + sizeof plain / 2, 'z', sizeof plain / 2);
    uint8_t *packed = pack(SHF_SLATEDB_ZSTD, false, plain, sizeof plain, &size);
    size_t refused = 0;
    for (size_t at = 4; at < size; at += 7) {
        struct shf_slatedb_memory out;
        packed[at] ^= 0x55;
        if (shf_slatedb_unpack(&unpacker, SHF_SLATEDB_ZSTD, packed, size, &out, NULL)) {
            refused++;
        } else {
            shf_slatedb_memory_free(&out);
        }
        packed[at] ^= 0x55;
        expect_ok(shf_slatedb_unpack(&unpacker, SHF_SLATEDB_ZSTD, packed, size, &out, NULL), NULL);
        assert_int_equal(out.size, sizeof plain);
        assert_memory_equal(out.data, plain, sizeof plain);
        shf_slatedb_memory_free(&out);
    }
    assert_true(refused > 0);
    shf_slatedb_unpacker_free(&unpacker);
    free(packed);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

static void test_unpack_damage(void **state) {
    (void)state;
    uint8_t plain[3000];
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)(i % 251);
    for (uint8_t codec = 1; codec <= 5; codec++) {
        uint8_t kind = codec < 5 ? codec : 4;
        size_t size;
        uint8_t *packed = pack(kind, codec == 5, plain, sizeof plain, &size);
        for (size_t cut = 0; cut < size; cut += cut < 16 ? 1 : 37) {
            refuse_unpack(kind, packed, cut, 1 << 20, SHF_E_CORRUPT, "damaged or encrypted");
        }
        uint8_t *longer = malloc(size + 1);
        memcpy(longer, packed, size);
        longer[size] = 0;
        refuse_unpack(kind, longer, size + 1, 1 << 20, SHF_E_CORRUPT, "damaged or encrypted");
        refuse_unpack(kind, packed, size, 2999, SHF_E_INVALID, "an unpacked block");
        free(longer);
        free(packed);
    }
    refuse_unpack(0, plain, 100, 99, SHF_E_INVALID, "a block");
    refuse_unpack(6, plain, 100, 1000, SHF_E_UNSUPPORTED, "codec 6");
}

/* Few bytes that say that they are very many: refused before anything is allocated, or as soon as they are too many. */
static void test_unpack_bombs(void **state) {
    (void)state;
    const uint64_t budget = UINT64_C(4) << 30;
    uint8_t lz4[8], snappy[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0};
    shf_store_u32le(lz4, 0xffffffff);
    refuse_unpack(SHF_SLATEDB_LZ4, lz4, 8, budget, SHF_E_LIMIT, "declare to be 4294967295 unpacked; at most 67108864");
    refuse_unpack(SHF_SLATEDB_SNAPPY, snappy, 6, budget, SHF_E_LIMIT, "at most 67108864");
    size_t size = 65u << 20, packed_size;
    uint8_t *zeros = calloc(1, size);
    for (int without_size = 0; without_size < 2; without_size++) {
        uint8_t *packed = pack(SHF_SLATEDB_ZSTD, without_size, zeros, size, &packed_size);
        assert_true(packed_size < 65000);
        refuse_unpack(SHF_SLATEDB_ZSTD, packed, packed_size, budget, SHF_E_LIMIT, "67108864");
        /* Just below it is a large value of zeros. */
        struct shf_budget enough;
        shf_budget_init(&enough, budget);
        struct shf_slatedb_unpacker unpacker = {.budget = &enough};
        struct shf_slatedb_memory out;
        free(packed);
        packed = pack(SHF_SLATEDB_ZSTD, without_size, zeros, 63u << 20, &packed_size);
        expect_ok(shf_slatedb_unpack(&unpacker, SHF_SLATEDB_ZSTD, packed, packed_size, &out, NULL), NULL);
        assert_int_equal(out.size, 63u << 20);
        shf_slatedb_memory_free(&out);
        shf_slatedb_unpacker_free(&unpacker);
        free(packed);
    }
    free(zeros);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_latest),
        cmocka_unit_test(test_siphash),
        cmocka_unit_test(test_filter_bits),
        cmocka_unit_test(test_filter_remainders),
        cmocka_unit_test(test_filter_forms),
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_unpacking_after_damage),
        cmocka_unit_test(test_unpack_damage),
        cmocka_unit_test(test_unpack_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
