/*
 * shard.sidecar: real ones against the pages and chains of their databases, and every rule of the format broken alone, by
 * a sidecar that is sound but for that.
 */
#include "support.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "formats/sidecar.h"
#include "formats/sqlite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* ---- real sidecars ---- */

static void compare_page(const struct shf_sidecar_page *page, const uint8_t *original) {
    uint8_t *rebuilt = malloc(page->page_size);
    shf_sidecar_page_rebuild(page, rebuilt);
    assert_memory_equal(rebuilt, original, page->gap_begin);
    assert_memory_equal(rebuilt + page->gap_end, original + page->gap_end, page->page_size - page->gap_end);
    for (uint32_t i = page->gap_begin; i < page->gap_end; i++) assert_int_equal(rebuilt[i], 0);
    for (uint32_t i = 0; i < page->page_size; i++) {
        const uint8_t *byte = shf_sidecar_page_bytes(page, i, 1);
        bool is_left_out = i >= page->gap_begin && i < page->gap_end;
        if (is_left_out ? byte != NULL : !byte || *byte != original[i]) fail_msg("page %u, byte %u", page->number, i);
    }
    free(rebuilt);
}

static void compare_chain(const struct shf_sidecar_chain *chain, const uint8_t *db, uint32_t page_size) {
    for (uint32_t i = 0; i < chain->count; i++) {
        uint32_t next = shf_load_u32be(db + (uint64_t)(shf_sidecar_chain_page(chain, i) - 1) * page_size);
        assert_int_equal(next, i + 1 < chain->count ? shf_sidecar_chain_page(chain, i + 1) : 0);
    }
}

static void compare(const char *directory, unsigned *pages, unsigned *chains) {
    char path[4200];
    size_t size, db_size;
    struct shf_sidecar *sidecar;
    struct shf_error *error = NULL;
    struct shf_sqlite db;
    (void)snprintf(path, sizeof path, "%s/shard.sidecar", directory);
    uint8_t *bytes = load_file(path, &size);
    (void)snprintf(path, sizeof path, "%s/shard.db", directory);
    uint8_t *database = load_file(path, &db_size);
    expect_ok(shf_sidecar_parse(bytes, size, &sidecar, &error), error);
    expect_ok(shf_sqlite_open(&db, database, db_size, &error), error);
    expect_ok(shf_sidecar_check_pages(sidecar, db.page_size, db.page_count, &error), error);
    expect_error(shf_sidecar_check_pages(sidecar, db.page_size * 2, db.page_count, &error), &error, SHF_E_CORRUPT,
                 "bytes");
    expect_error(shf_sidecar_check_pages(sidecar, db.page_size, sidecar->last_page - 1, &error), &error, SHF_E_CORRUPT,
                 "of a database of");
    assert_true(shf_sidecar_is_of(sidecar, sidecar->prefix.tag) && strlen(sidecar->prefix.tag) == 34);
    assert_false(shf_sidecar_is_of(sidecar, "\"other\"") || shf_sidecar_is_of(sidecar, NULL));
    for (uint32_t i = 0, number = 1; number <= db.page_count; number++) {
        struct shf_sidecar_page page, found;
        shf_sidecar_page_at(sidecar, i, &page);
        bool is_there = shf_sidecar_page_find(sidecar, number, &found);
        assert_true(is_there == (page.number == number));
        if (!is_there) continue;
        assert_true(page.stored == found.stored && page.stored_size == found.stored_size);
        assert_true(page.page_size == found.page_size && page.gap_begin == found.gap_begin &&
                    page.gap_end == found.gap_end);
        compare_page(&page, database + (uint64_t)(number - 1) * db.page_size);
        if (i + 1 < sidecar->page_count) i++;
        (*pages)++;
    }
    for (uint32_t i = 0; i < sidecar->chain_count; i++) {
        struct shf_sidecar_chain chain, found;
        shf_sidecar_chain_at(sidecar, i, &chain);
        assert_true(shf_sidecar_chain_find(sidecar, shf_sidecar_chain_page(&chain, 0), &found));
        assert_true(found.numbers == chain.numbers && found.count == chain.count);
        assert_false(shf_sidecar_chain_find(sidecar, shf_load_u32le(chain.numbers) + 1, &found) &&
                     found.numbers == chain.numbers);
        compare_chain(&chain, database, db.page_size);
        (*chains)++;
    }
    shf_sidecar_free(sidecar);
    free(bytes);
    free(database);
}

/* Every directory below that has a sidecar, depth first. */
static unsigned compare_all(const char *directory, unsigned *pages, unsigned *chains) {
    char path[4100];
    unsigned count = 0;
    struct dirent *entry;
    DIR *opened = opendir(directory);
    if (!opened) return 0;
    while ((entry = readdir(opened)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (entry->d_type == DT_DIR) {
            count += compare_all(path, pages, chains);
        } else if (strcmp(entry->d_name, "shard.sidecar") == 0) {
            compare(directory, pages, chains);
            count++;
        }
    }
    (void)closedir(opened);
    return count;
}

static void test_samples(void **state) {
    (void)state;
    unsigned pages = 0, chains = 0;
    assert_int_equal(compare_all("tests/data/packages-1k", &pages, &chains), 2);
    assert_true(pages > 10 && chains > 2);
}

static void test_peer(void **state) {
    (void)state;
    unsigned pages = 0, chains = 0;
    const char *path = shared_path("fixtures/peer");
    if (!path) skip();
    unsigned count = compare_all(path, &pages, &chains);
    print_message("%u sidecars of the peer: %u pages, %u chains\n", count, pages, chains);
    assert_true(count > 100);
}

/* ---- one rule after the other ---- */

enum {
    HEADER_BYTES = 18,
    TAG_BYTES = 34,
    BLOB_AT = 17 * 4,
    PAGE_3 = 108,
    PAGE_6 = 134,
    BLOB = 646,
    BODY = BLOB_AT + BLOB
};
static const char tag[TAG_BYTES + 1] = "\"0123456789abcdef0123456789abcdef\"";

static void put_u16be(uint8_t *p, unsigned value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* Pages 1 (an empty leaf), 3 (interior, one cell) and 6 (whole) of 512 bytes; chains 4, 5 and 8. */
static void sound_body(uint8_t *body) {
    static const uint32_t arrays[17] = {3, 1, 3, 6, 0, PAGE_3, PAGE_6, BLOB, 2, 4, 8, 0, 2, 3, 4, 5, 8};
    uint64_t seed = 7;
    random_fill(&seed, body, BODY); /* so that the ratio is that of a real one */
    for (size_t i = 0; i < 17; i++) shf_store_u32le(body + 4 * i, arrays[i]);
    uint8_t *pages = body + BLOB_AT;
    pages[100] = 13;
    put_u16be(pages + 103, 0);
    put_u16be(pages + 105, 512);
    pages[PAGE_3] = 2;
    put_u16be(pages + PAGE_3 + 3, 1);
    put_u16be(pages + PAGE_3 + 5, 500);
    pages[PAGE_6] = 0;
}

struct packing {
    bool without_checksum, without_size;
    int window_log; /* 0 = zstd's choice */
};

/* Prefix and frame, of exact size. */
static uint8_t *pack(const uint8_t *body, size_t size, const struct packing *how, size_t *packed) {
    size_t room = HEADER_BYTES + TAG_BYTES + ZSTD_compressBound(size);
    uint8_t *out = malloc(room);
    memcpy(out, "SQPC\x08", 5);
    shf_store_u64le(out + 5, size);
    shf_store_u32le(out + 13, 512);
    out[17] = TAG_BYTES;
    memcpy(out + HEADER_BYTES, tag, TAG_BYTES);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, !how->without_checksum);
    (void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, !how->without_size);
    if (how->window_log) (void)ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, how->window_log);
    ZSTD_inBuffer in = {body, size, 0};
    ZSTD_outBuffer to = {out, room, HEADER_BYTES + TAG_BYTES};
    if (how->window_log) (void)ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush); /* the size is not known yet */
    assert_int_equal(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0);
    (void)ZSTD_freeCCtx(context);
    *packed = to.pos;
    return realloc(out, to.pos);
}

static void expect_refused(const uint8_t *bytes, size_t size, shf_status code, const char *says) {
    struct shf_sidecar *untouched = NULL;
    struct shf_error *error = NULL;
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    shf_status status = shf_sidecar_parse(exact, size, &untouched, &error);
    if (!status) fail_msg("taken, but: %s", says);
    expect_error(status, &error, code, says);
    assert_null(untouched);
    assert_int_equal(shf_sidecar_parse(exact, size, &untouched, NULL), code);
    free(exact);
}

static void test_the_sound_one(void **state) {
    (void)state;
    uint8_t body[BODY];
    size_t size;
    struct shf_error *error = NULL;
    struct shf_sidecar *sidecar;
    struct shf_sidecar_page page;
    struct shf_sidecar_chain chain;
    sound_body(body);
    for (int unknown = 0; unknown < 2; unknown++) {
        uint8_t *bytes =
            pack(body, BODY, &(struct packing){.without_size = unknown, .window_log = unknown ? 12 : 0}, &size);
        expect_ok(shf_sidecar_parse(bytes, size, &sidecar, &error), error);
        assert_true(shf_sidecar_is_of(sidecar, tag));
        assert_int_equal(sidecar->last_page, 8);
        assert_true(shf_sidecar_page_find(sidecar, 3, &page));
        assert_int_equal(page.gap_begin, 14);
        assert_int_equal(page.gap_end, 500);
        assert_ptr_equal(shf_sidecar_page_bytes(&page, 500, 12), page.stored + 14);
        assert_ptr_equal(shf_sidecar_page_bytes(&page, 0, 14), page.stored);
        assert_null(shf_sidecar_page_bytes(&page, 13, 2));
        assert_null(shf_sidecar_page_bytes(&page, 499, 2));
        assert_null(shf_sidecar_page_bytes(&page, 500, 13));
        assert_null(shf_sidecar_page_bytes(&page, 513, 0));
        assert_null(shf_sidecar_page_bytes(&page, 1, UINT32_MAX));
        assert_false(shf_sidecar_page_find(sidecar, 0, &page) || shf_sidecar_page_find(sidecar, 2, &page) ||
                     shf_sidecar_page_find(sidecar, UINT32_MAX, &page));
        assert_true(shf_sidecar_chain_find(sidecar, 4, &chain) && chain.count == 2);
        assert_int_equal(shf_sidecar_chain_page(&chain, 1), 5);
        assert_false(shf_sidecar_chain_find(sidecar, 5, &chain));
        expect_error(shf_sidecar_check_pages(sidecar, 512, 7, &error), &error, SHF_E_CORRUPT, "page 8 of");
        shf_sidecar_free(sidecar);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_not_equal(shf_sidecar_parse(bytes, cut, &sidecar, NULL), SHF_OK);
        }
        free(bytes);
    }
}

static void test_array_rules(void **state) {
    (void)state;
    static const struct {
        unsigned element;
        uint32_t value;
        const char *says;
    } rules[] = {
        {0, 0, "page 1 is missing"},
        {0, 4, "its page numbers do not ascend"},
        {0, 0xffffffff, "list of its pages"},
        {0, 0x3fffffff, "list of its pages"},
        {0, 178, "list of its pages"},
        {1, 0, "page numbers do not ascend"},
        {1, 2, "page 1 is missing"},
        {2, 1, "page numbers do not ascend"},
        {2, 7, "page numbers do not ascend"},
        {3, 3, "page numbers do not ascend"},
        {3, 0xffffffff, "page numbers do not ascend"},
        {4, 1, "do not fill"},
        {5, 200, "page 1 does not come out"},
        {6, 107, "do not ascend"},
        {5, 0xffffffff, "do not ascend"},
        {5, 0, "page 1 does not come out"},
        {5, 100, "page 1 does not come out"},
        {5, 107, "page 1 does not come out"},
        {5, 109, "page 1 does not come out"},
        {6, 135, "page 3 does not come out"},
        {6, 647, "do not ascend"},
        {7, 645, "do not fill"},
        {7, 647, "do not fill"},
        {7, 0xffffffff, "do not fill"},
        {8, 3, "of its chains"},
        {8, 0xffffffff, "within its chains"},
        {8, 0x3fffffff, "within its chains"},
        {8, 0, "does not begin at 0"},
        {9, 0, "do not ascend from 2"},
        {9, 1, "do not ascend from 2"},
        {9, 8, "do not ascend from 2"},
        {9, 9, "do not ascend from 2"},
        {9, 5, "does not begin with its head"},
        {10, 7, "does not begin with its head"},
        {10, 0xffffffff, "do not ascend from 2"},
        {11, 1, "does not begin at 0"},
        {12, 0, "a chain is empty"},
        {12, 3, "a chain is empty"},
        {12, 4, "a chain is empty"},
        {12, 1, "does not begin with its head"},
        {12, 0xffffffff, "a chain is empty"},
        {13, 2, "a chain is empty"},
        {13, 4, "do not fill"},
        {13, 0xffffffff, "within its chains"},
        {14, 3, "does not begin with its head"},
        {15, 1, "holds no overflow"},
        {15, 0, "holds no overflow"},
        {16, 4, "does not begin with its head"},
    };
    uint8_t body[BODY];
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        size_t size;
        sound_body(body);
        shf_store_u32le(body + (size_t)4 * rules[i].element, rules[i].value);
        uint8_t *bytes = pack(body, BODY, &(struct packing){0}, &size);
        expect_refused(bytes, size, SHF_E_CORRUPT, rules[i].says);
        free(bytes);
    }
    print_message("%zu broken arrays\n", sizeof rules / sizeof rules[0]);
}

/* A 16-bit field of a stored page, or its type. */
static void test_page_rules(void **state) {
    (void)state;
    static const struct {
        unsigned at, value;
        bool is_byte;
        const char *says;
    } rules[] = {
        {100, 0, true, "page 1 does not"},           /* whole, and too short for it */
        {100, 5, true, "page 1 does not"},           /* a header of twelve */
        {103, 1, false, "page 1 does not"},          /* pointers beyond what is stored */
        {103, 0xffff, false, "page 1 does not"},     /* 131,070 bytes of them */
        {105, 107, false, "page 1 does not"},        /* cells before the end of the pointers */
        {105, 0, false, "page 1 does not"},          /* 65,536 */
        {105, 511, false, "page 1 does not"},        /* a byte short */
        {105, 0xffff, false, "page 1 does not"},     /* far beyond */
        {PAGE_3, 10, true, "page 3 does not"},       /* a leaf */
        {PAGE_3, 1, true, "page 3 does not"},        /* whole */
        {PAGE_3 + 3, 7, false, "page 3 does not"},   /* pointers to the end, gap of another size */
        {PAGE_3 + 5, 501, false, "page 3 does not"}, /* gap of another size */
        {PAGE_6, 13, true, "page 6 does not"},       /* a whole page with a gap */
    };
    uint8_t body[BODY];
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        size_t size;
        sound_body(body);
        uint8_t *field = body + BLOB_AT + rules[i].at;
        if (rules[i].is_byte) {
            *field = (uint8_t)rules[i].value;
        } else {
            put_u16be(field, rules[i].value);
        }
        uint8_t *bytes = pack(body, BODY, &(struct packing){0}, &size);
        expect_refused(bytes, size, SHF_E_CORRUPT, rules[i].says);
        free(bytes);
    }
}

static void test_prefix_rules(void **state) {
    (void)state;
    static const struct {
        unsigned at, bytes;
        uint64_t value;
        shf_status code;
        const char *says;
    } rules[] = {
        {0, 1, 's', SHF_E_CORRUPT, "magic"},
        {4, 1, 7, SHF_E_CORRUPT, "version"},
        {4, 1, 9, SHF_E_CORRUPT, "version"},
        {5, 8, 0, SHF_E_CORRUPT, "how large"},
        {5, 8, BODY - 1, SHF_E_CORRUPT, "declares another size"},
        {5, 8, BODY + 1, SHF_E_CORRUPT, "declares another size"},
        {5, 8, UINT64_C(1) << 29, SHF_E_LIMIT, "1000 times"},
        {5, 8, (UINT64_C(1) << 30) + 1, SHF_E_LIMIT, "at most 1073741824"},
        {5, 8, UINT64_C(1) << 40, SHF_E_LIMIT, "at most 1073741824"},
        {5, 8, UINT64_MAX, SHF_E_LIMIT, "at most 1073741824"},
        {13, 4, 0, SHF_E_CORRUPT, "page size"},
        {13, 4, 256, SHF_E_CORRUPT, "page size"},
        {13, 4, 513, SHF_E_CORRUPT, "page size"},
        {13, 4, 131072, SHF_E_CORRUPT, "page size"},
        {13, 4, 0x80000000, SHF_E_CORRUPT, "page size"},
        {13, 4, 1024, SHF_E_CORRUPT, "does not come out at 1024"},
        {17, 1, 255, SHF_E_CORRUPT, "tag"},
        {17, 1, 33, SHF_E_CORRUPT, "has no zstd frame"},
        {18, 1, 0, SHF_E_CORRUPT, "tag is no text"},
        {18, 1, 0xff, SHF_E_CORRUPT, "tag is no text"},
    };
    uint8_t body[BODY];
    size_t size;
    sound_body(body);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        uint8_t *bytes = pack(body, BODY, &(struct packing){0}, &size);
        for (unsigned byte = 0; byte < rules[i].bytes; byte++) {
            bytes[rules[i].at + byte] = (uint8_t)(rules[i].value >> (8 * byte));
        }
        expect_refused(bytes, size, rules[i].code, rules[i].says);
        free(bytes);
    }
}

static void test_frame_rules(void **state) {
    (void)state;
    enum { FRAME = HEADER_BYTES + TAG_BYTES };
    uint8_t body[BODY];
    size_t size;
    sound_body(body);
    uint8_t *bytes = pack(body, BODY, &(struct packing){.without_checksum = true}, &size);
    expect_refused(bytes, size, SHF_E_CORRUPT, "no checksum");
    free(bytes);

    bytes = pack(body, BODY, &(struct packing){0}, &size);
    bytes[size - 1] ^= 1; /* the checksum itself */
    expect_refused(bytes, size, SHF_E_CORRUPT, "frame is damaged");
    bytes[size - 1] ^= 1;
    bytes[size - 20] ^= 1; /* what it is over */
    expect_refused(bytes, size, SHF_E_CORRUPT, "damaged");
    bytes[size - 20] ^= 1;
    bytes[FRAME] ^= 1;
    expect_refused(bytes, size, SHF_E_CORRUPT, "has no zstd frame");
    memcpy(bytes + FRAME, "\x50\x2a\x4d\x18", 4); /* a frame to be skipped */
    expect_refused(bytes, size, SHF_E_CORRUPT, "has no zstd frame");
    memcpy(bytes + FRAME, "\x28\xb5\x2f\xfd", 4);
    bytes[FRAME + 4] |= 1;
    expect_refused(bytes, size, SHF_E_CORRUPT, "dictionary");
    bytes[FRAME + 4] = (uint8_t)((bytes[FRAME + 4] & 0x3e) | 0xc0); /* a size of eight bytes, the last of which is huge */
    expect_refused(bytes, size, SHF_E_LIMIT, "window");
    free(bytes);

    bytes = pack(body, BODY, &(struct packing){0}, &size);
    bytes = realloc(bytes, 2 * size);
    bytes[size] = 0;
    expect_refused(bytes, size + 1, SHF_E_CORRUPT, "bytes follow");
    memcpy(bytes + size, bytes + FRAME, size - FRAME); /* a second frame */
    expect_refused(bytes, 2 * size - FRAME, SHF_E_CORRUPT, "bytes follow");
    free(bytes);

    bytes = pack(body, BODY, &(struct packing){.without_size = true, .window_log = 12}, &size);
    shf_store_u64le(bytes + 5, BODY + 1); /* more than the frame gives: only the end shows it */
    expect_refused(bytes, size, SHF_E_CORRUPT, "holds less");
    shf_store_u64le(bytes + 5, BODY - 1);
    expect_refused(bytes, size, SHF_E_CORRUPT, "damaged");
    shf_store_u64le(bytes + 5, BODY);
    static const uint8_t too_wide[] = {17 << 3 | 1, 18 << 3, 21 << 3, 31 << 3 | 7};
    for (size_t i = 0; i < sizeof too_wide; i++) {
        bytes[FRAME + 5] = too_wide[i];
        expect_refused(bytes, size, SHF_E_LIMIT, "window");
    }
    free(bytes);
}

/* A body of zeros packs better than 1,000 to 1: refused before anything is unpacked. */
static void test_bomb(void **state) {
    (void)state;
    size_t size, big = (size_t)64 << 20;
    uint8_t *zeros = calloc(1, big);
    uint8_t *bytes = pack(zeros, big, &(struct packing){0}, &size);
    assert_true(size < big / 1000);
    expect_refused(bytes, size, SHF_E_LIMIT, "1000 times");
    shf_store_u64le(bytes + 5, (uint64_t)size * 900); /* a smaller one in the prefix */
    expect_refused(bytes, size, SHF_E_CORRUPT, "declares another size");
    free(bytes);
    free(zeros);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),     cmocka_unit_test(test_peer),       cmocka_unit_test(test_the_sound_one),
        cmocka_unit_test(test_array_rules), cmocka_unit_test(test_page_rules), cmocka_unit_test(test_prefix_rules),
        cmocka_unit_test(test_frame_rules), cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
