/*
 * Pages made byte by byte: those shapes that no recorded dataset has, and every rule of the encodings broken alone, by a page
 * that is sound but for that.
 */
#include "lance_pages.h"

#include "base/cursor.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* The texts of the page; NULL = a null. */
static void expect_texts(const struct page_made *page, const char *const *wanted) {
    struct opened opened;
    struct shf_error *error = NULL;
    struct shf_lance_text text = {0};
    expect_ok(open_page(&opened, page, 0, &error), error);
    for (uint64_t row = 0; row < page->rows; row++) {
        expect_ok(shf_lance_column_text(&opened.column, row, &text, &error), error);
        assert_int_equal(text.is_null, wanted[row] == NULL);
        if (text.is_null) continue;
        assert_int_equal(text.size, strlen(wanted[row]));
        assert_memory_equal(text.data, wanted[row], text.size);
    }
    shf_lance_text_free(&text);
    close_page(&opened);
}

/* Opening it, or reading all of it, fails like this. */
static void expect_refused(const struct page_made *page, uint32_t dimension, shf_status code, const char *says) {
    struct opened opened;
    struct shf_error *error = NULL;
    struct shf_lance_text text = {0};
    float vectors[64];
    shf_status status = open_page(&opened, page, dimension, &error);
    if (!status && dimension) status = shf_lance_column_vectors(&opened.column, 0, page->rows, vectors, &error);
    for (uint64_t row = 0; !status && !dimension && row < page->rows; row++) {
        status = shf_lance_column_text(&opened.column, row, &text, &error);
    }
    expect_error(status, &error, code, says);
    shf_lance_text_free(&text);
    close_page(&opened);
}

/* ---- what is sound ---- */

static void test_sound_mini_blocks(void **state) {
    (void)state;
    static const char *const wanted[] = {"one", NULL, "three"};
    static const char *const no_nulls[] = {"one", "", "three"};
    struct page_made page;
    struct bytes texts = three_texts("one", "", "three"), encoding = variable(), levels = flat(16),
                 bytes = plain_levels();
    make_mini(&page, NULL, NULL, &encoding, &texts);
    expect_texts(&page, no_nulls);
    make_mini(&page, &levels, &bytes, &encoding, &texts);
    expect_texts(&page, wanted);

    struct bytes one_bit = flat(1);
    levels = with(4, 16, 3, &one_bit); /* packed groups, the rest plain */
    make_mini(&page, &levels, &bytes, &encoding, &texts);
    expect_texts(&page, wanted);
    struct bytes no_bits = flat(0);
    levels = with(4, 16, 3, &no_bits);
    bytes.size = 0;
    make_mini(&page, &levels, &bytes, &encoding, &texts);
    expect_texts(&page, no_nulls);

    levels = runs(16, 8);
    put_u64(&bytes, 6);
    put_u16(&bytes, 0);
    put_u16(&bytes, 1);
    put_u16(&bytes, 0);
    put(&bytes, "\1\1\1", 3);
    make_mini(&page, &levels, &bytes, &encoding, &texts);
    expect_texts(&page, wanted);

    encoding = fsst();
    texts = three_texts("\xff"
                        "x",
                        "",
                        "\xff"
                        "y");
    static const char *const escaped[] = {"x", NULL, "y"};
    make_mini(&page, &levels, &bytes, &encoding, &texts);
    expect_texts(&page, escaped);
}

static void test_sound_full_zip(void **state) {
    (void)state;
    struct page_made page;
    struct bytes encoding = variable();
    static const char *const wanted[] = {"one", NULL, ""};
    make_zip(&page, 1, 3, 1, 0, &encoding);
    put_row(&page, "\0", 1, "one", 3);
    put_row(&page, "\1", 1, NULL, 0);
    put_row(&page, "\0", 1, "", 0);
    expect_texts(&page, wanted);
    page.buffers[1].size = 0; /* offsets of one byte */
    put(&page.buffers[1], "\0\x08\x09\x0e", 4);
    expect_texts(&page, wanted);

    encoding = general(2);
    struct bytes value = {.size = 0};
    char plain[3000], *shown[] = {plain};
    memset(plain, 'z', sizeof plain - 1);
    plain[sizeof plain - 1] = '\0';
    put_u64(&value, sizeof plain - 1);
    value.size += ZSTD_compress(value.data + 8, sizeof value.data - 8, plain, sizeof plain - 1, 3);
    make_zip(&page, 2, 1, 0, 0, &encoding);
    put_row(&page, "", 0, value.data, value.size);
    expect_texts(&page, (const char *const *)shown);
    shf_store_u64le(page.buffers[0].data + 4, UINT64_C(1) << 40);
    expect_refused(&page, 0, SHF_E_LIMIT, "declares to have");
    shf_store_u64le(page.buffers[0].data + 4, UINT64_C(1) << 26);
    expect_refused(&page, 0, SHF_E_LIMIT, "1000 times");
    shf_store_u64le(page.buffers[0].data + 4, 2998);
    expect_refused(&page, 0, SHF_E_CORRUPT, "another size");
    memcpy(page.buffers[0].data + 4, "\x28\xb5\x2f\xfd", 4);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "zstd frames without their size");
}

static void test_vectors_with_levels(void **state) {
    (void)state;
    static const float stored[6] = {1, 2, 3, 4, 5, 6};
    struct page_made page;
    struct opened opened;
    struct shf_error *error = NULL;
    float got[6];
    struct bytes elements = flat(32), encoding = with(11, 2, 2, &elements);
    make_zip(&page, 2, 3, 1, 64, &encoding);
    for (unsigned i = 0; i < 3; i++) {
        put(&page.buffers[0], "\0", 1);
        put(&page.buffers[0], &stored[2 * i], 8);
    }
    expect_ok(open_page(&opened, &page, 2, &error), error);
    expect_ok(shf_lance_column_vectors(&opened.column, 0, 3, got, &error), error);
    assert_memory_equal(got, stored, sizeof got);
    expect_ok(shf_lance_column_vectors(&opened.column, 1, 1, got, &error), error);
    assert_memory_equal(got, &stored[2], 8);
    close_page(&opened);
    page.buffers[0].data[9] = 1;
    expect_refused(&page, 2, SHF_E_INDEX, "row 1 has no vector");

    struct bytes levels = flat(16), level_bytes = {.size = 0}, values = {.size = 0};
    put_u16(&level_bytes, 0);
    put_u16(&level_bytes, 0);
    put_u16(&level_bytes, 0);
    put(&values, stored, sizeof stored);
    make_mini(&page, &levels, &level_bytes, &encoding, &values);
    expect_ok(open_page(&opened, &page, 2, &error), error);
    expect_ok(shf_lance_column_vectors(&opened.column, 0, 3, got, &error), error);
    assert_memory_equal(got, stored, sizeof got);
    close_page(&opened);
    level_bytes = plain_levels();
    make_mini(&page, &levels, &level_bytes, &encoding, &values);
    expect_refused(&page, 2, SHF_E_INDEX, "row 1 has no vector");
    values.size -= 8; /* two vectors for three rows, in a chunk that is large enough */
    put(&values, "", 0);
    level_bytes = (struct bytes){.size = 0};
    put_u64(&level_bytes, 0);
    make_mini(&page, &levels, &level_bytes, &encoding, &values);
    expect_refused(&page, 2, SHF_E_CORRUPT, "not the size of its vectors");
}

/* ---- constants ---- */

static void test_constants(void **state) {
    (void)state;
    static const char *const all[] = {"abc", "abc", "abc"}, *const some[] = {"abc", NULL, "abc"},
                             *const none[] = {NULL, NULL, NULL};
    struct bytes layout = {.size = 0}, level_encoding = runs(16, 8), scalar = {.size = 0};
    struct page_made page = {.version = 2, .rows = 3, .buffer_count = 1};
    put_u32(&scalar, 2);
    put_u32(&scalar, 8);
    put_u32(&scalar, 3);
    put_u32(&scalar, 0);
    put_u32(&scalar, 3);
    put_text(&scalar, "abc");
    page.buffers[0] = scalar;
    put_bytes(&layout, 5, "\1", 1);
    page.encoding = wrap(2, &layout);
    expect_texts(&page, all);
    page.buffers[0].data[16] = 4;
    expect_refused(&page, 0, SHF_E_CORRUPT, "another size than it says");
    page.buffers[0].data[0] = 1;
    expect_refused(&page, 0, SHF_E_CORRUPT, "no text");

    page.buffers[0] = scalar;
    page.buffer_count = 3;
    page.buffers[2] = plain_levels();
    layout.size = 0;
    put_bytes(&layout, 5, "\3", 1);
    page.encoding = wrap(2, &layout);
    expect_texts(&page, some);
    page.buffers[2].size -= 2;
    expect_refused(&page, 0, SHF_E_CORRUPT, "not as many");

    page.buffers[2].size = 0; /* levels in runs */
    put_u64(&page.buffers[2], 6);
    put_u16(&page.buffers[2], 0);
    put_u16(&page.buffers[2], 1);
    put_u16(&page.buffers[2], 0);
    put(&page.buffers[2], "\1\1\1", 3);
    put_message(&layout, 8, &level_encoding);
    put_number(&layout, 10, 3);
    page.encoding = wrap(2, &layout);
    expect_texts(&page, some);
    struct bytes runs_of_levels = page.buffers[2];
    static const struct {
        size_t at;
        uint8_t value;
        const char *says;
    } rules[] = {
        {14, 2, "not as many"}, {14, 0, "not as many"}, {16, 0, "not as many"}, {10, 2, "above 1"}, {0, 5, "not as many"}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        page.buffers[2].data[rules[i].at] = rules[i].value;
        expect_refused(&page, 0, SHF_E_CORRUPT, rules[i].says);
        page.buffers[2] = runs_of_levels;
    }
    put_number(&layout, 10, 4);
    page.encoding = wrap(2, &layout);
    expect_refused(&page, 0, SHF_E_CORRUPT, "as many levels as rows");

    page.buffer_count = 0;
    layout.size = 0;
    put_bytes(&layout, 5, "\3", 1);
    page.encoding = wrap(2, &layout);
    expect_texts(&page, none);
    expect_refused(&page, 2, SHF_E_UNSUPPORTED, "constant vectors");
    put_bytes(&layout, 6, "x", 1);
    page.encoding = wrap(2, &layout);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "inline constants");
    layout.size = 0;
    put_bytes(&layout, 5, "\1", 1);
    page.encoding = wrap(2, &layout);
    expect_refused(&page, 0, SHF_E_CORRUPT, "neither a value nor nulls");
}

/* ---- dictionaries of mini-blocks ---- */

static void test_dictionaries(void **state) {
    (void)state;
    static const char *const wanted[] = {"bb", "a", "bb"};
    struct bytes plain = {.size = 0}, packed = {.size = 0}, encoding = variable(), lz4 = general(1), zstd = general(2);
    struct page_made page;
    put_u32(&plain, 32);
    put_u32(&plain, 20);
    put_u32(&plain, 0);
    put_u32(&plain, 1);
    put_u32(&plain, 3);
    put_text(&plain, "abb");
    make_dictionary(&page, &encoding, &plain, 2, (const uint8_t *)"\1\0\1");
    expect_texts(&page, wanted);
    put_u32(&packed, (uint32_t)plain.size);
    packed.size += (size_t)LZ4_compress_default((const char *)plain.data, (char *)packed.data + 4, (int)plain.size, 1000);
    make_dictionary(&page, &lz4, &packed, 2, (const uint8_t *)"\1\0\1");
    expect_texts(&page, wanted);
    shf_store_u32le(page.buffers[2].data, (uint32_t)plain.size + 1);
    expect_refused(&page, 0, SHF_E_CORRUPT, "dictionary is damaged");
    shf_store_u32le(page.buffers[2].data, UINT32_MAX); /* more than such a block can be */
    expect_refused(&page, 0, SHF_E_CORRUPT, "dictionary is damaged");
    page.buffers[2].size = 3;
    expect_refused(&page, 0, SHF_E_CORRUPT, "dictionary is cut");
    make_dictionary(&page, &zstd, &packed, 2, (const uint8_t *)"\1\0\1");
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "zstd is not read over a dictionary");
    make_dictionary(&page, &encoding, &plain, 2, (const uint8_t *)"\1\0\2");
    expect_refused(&page, 0, SHF_E_CORRUPT, "text 2 of a dictionary of 2");
    make_dictionary(&page, &encoding, &plain, 3, (const uint8_t *)"\1\0\1");
    expect_refused(&page, 0, SHF_E_CORRUPT, "not as many texts");
    make_dictionary(&page, &encoding, &plain, UINT64_MAX, (const uint8_t *)"\1\0\1");
    expect_refused(&page, 0, SHF_E_CORRUPT, "not as many texts");
    make_dictionary(&page, &encoding, &plain, 2, (const uint8_t *)"\1\0\1");
    page.buffers[2].data[0] = 64;
    expect_refused(&page, 0, SHF_E_CORRUPT, "offsets of 32 bits");
    page.buffers[2].data[0] = 32;
    page.buffers[2].data[16] = 4;
    expect_refused(&page, 0, SHF_E_CORRUPT, "within its dictionary");
    page.buffers[1].data[8] = 3; /* the width of the indices */
    expect_refused(&page, 0, SHF_E_CORRUPT, "size that their width needs");
}

/* ---- version 2.0 ---- */

static struct bytes old_binary(uint64_t adjustment, uint64_t ends_buffer, uint64_t end_bits) {
    struct bytes ends = old_flat(end_bits, ends_buffer), bytes = old_flat(8, ends_buffer + 1), inner = wrap(1, &ends);
    put_message(&inner, 2, &bytes);
    put_number(&inner, 3, adjustment);
    return wrap(6, &inner);
}

static void test_version_2_0(void **state) {
    (void)state;
    static const char *const wanted[] = {"one", NULL, "", "two"};
    struct page_made page = {.version = 0, .rows = 4, .buffer_count = 2, .encoding = old_binary(7, 0, 64)};
    put_u64(&page.buffers[0], 3);
    put_u64(&page.buffers[0], 3 + 7);
    put_u64(&page.buffers[0], 3);
    put_u64(&page.buffers[0], 6);
    put_text(&page.buffers[1], "onetwo");
    expect_texts(&page, wanted);
    struct page_made sound = page;
    page.buffers[0].data[24] = 2;
    expect_refused(&page, 0, SHF_E_CORRUPT, "ends before it begins");
    page.buffers[0].data[24] = 6;
    page.buffers[1].size = 5;
    expect_refused(&page, 0, SHF_E_CORRUPT, "of buffer 1, which has 5");
    page = sound;
    page.buffers[1].data[3] = 0xff;
    expect_refused(&page, 0, SHF_E_CORRUPT, "not UTF-8");
    page = sound;
    page.buffers[0].size -= 8;
    expect_refused(&page, 0, SHF_E_CORRUPT, "as many ends");
    page = sound;
    page.encoding = old_binary(0, 0, 64);
    expect_refused(&page, 0, SHF_E_CORRUPT, "what a null is");
    page.encoding = old_binary(7, 1, 64);
    expect_refused(&page, 0, SHF_E_CORRUPT, "buffer that is not there");
    page.encoding = old_binary(7, 0, 32);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "flat values of 32 bits");
    expect_refused(&sound, 4, SHF_E_UNSUPPORTED, "\"binary\" of vectors");
    static const char *const names[] = {"list", "struct", "fsst", "bitpacked", "constant"};
    static const uint32_t kinds[] = {4, 5, 8, 10, 13};
    struct bytes empty = {.size = 0};
    for (size_t i = 0; i < 5; i++) {
        page.encoding = wrap(kinds[i], &empty);
        expect_refused(&page, 0, SHF_E_UNSUPPORTED, names[i]);
    }
    page.encoding = wrap(99, &empty);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "number 99");
    struct bytes some = wrap(2, &empty), all = wrap(3, &empty);
    page.encoding = wrap(2, &some);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "some nulls");
    page.encoding = wrap(2, &all);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "all nulls");
}

/* ---- what is not read, and what is broken ---- */

static void test_refused_encodings(void **state) {
    (void)state;
    struct page_made page;
    struct bytes texts = three_texts("one", "", "three"), level_bytes = plain_levels(), empty = {.size = 0};
    static const struct {
        uint32_t kind;
        const char *says;
    } values[] = {
        {1, "\"flat\" of texts"}, {3, "\"constant\""}, {4, "out-of-line"}, {7, "\"dictionary\""}, {8, "run length"},
        {9, "byte stream"},       {12, "packed"},      {14, "range"},      {15, "delta"},         {77, "number 77"}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct bytes encoding = wrap(values[i].kind, &empty);
        make_mini(&page, NULL, NULL, &encoding, &texts);
        expect_refused(&page, 0, SHF_E_UNSUPPORTED, values[i].says);
        expect_refused(&page, 2, SHF_E_UNSUPPORTED, "of vectors");
    }
    struct bytes encoding = general(2);
    make_mini(&page, NULL, NULL, &encoding, &texts);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "zstd is not read over texts");
    encoding = general(3);
    make_mini(&page, NULL, NULL, &encoding, &texts);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "number 3");
    encoding = variable();
    struct bytes levels = flat(8);
    make_mini(&page, &levels, &level_bytes, &encoding, &texts);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "flat values of 8 bits");
    levels = runs(16, 16);
    make_mini(&page, &levels, &level_bytes, &encoding, &texts);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "flat values of 16 bits");
    levels = variable();
    make_mini(&page, &levels, &level_bytes, &encoding, &texts);
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "\"variable\" of definition levels");
    static const struct {
        uint32_t field, number;
        const char *says;
    } layouts[] = {{4, 0, "blob"}, {5, 0, "sparse"}, {9, 0, "number 9"}};
    for (size_t i = 0; i < 3; i++) {
        page.encoding = wrap(layouts[i].field, &empty);
        expect_refused(&page, 0, SHF_E_UNSUPPORTED, layouts[i].says);
    }
    page.encoding = empty;
    expect_refused(&page, 0, SHF_E_UNSUPPORTED, "\"nothing\"");
}

static void test_broken_mini_blocks(void **state) {
    (void)state;
    struct page_made page, sound;
    struct bytes texts = three_texts("one", "", "three"), encoding = variable(), levels = flat(16),
                 level_bytes = plain_levels();
    make_mini(&sound, &levels, &level_bytes, &encoding, &texts);
    static const struct {
        unsigned buffer;
        size_t at;
        uint8_t value;
        const char *says;
    } rules[] = {{0, 0, 0xf0, "larger than their buffer"}, /* a longer chunk */
                 {1, 0, 4, "chunk 0 is malformed"},        /* levels */
                 {1, 2, 8, "not as many"},                 /* bytes of levels */
                 {1, 2, 0xff, "chunk 0 is malformed"},
                 {1, 5, 0xff, "chunk 0 is malformed"}, /* bytes of values */
                 {1, 8, 2, "above 1"},                 /* a level */
                 {1, 16, 15, "of a chunk of"},         /* offsets */
                 {1, 20, 200, "of a chunk of"},
                 {1, 28, 18, "of a chunk of"}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        page = sound;
        page.buffers[rules[i].buffer].data[rules[i].at] = rules[i].value;
        expect_refused(&page, 0, SHF_E_CORRUPT, rules[i].says);
    }
    page = sound;
    page.buffers[0].size = 3;
    expect_refused(&page, 0, SHF_E_CORRUPT, "list of its chunks is cut");
    page.buffers[0].size = 0;
    expect_refused(&page, 0, SHF_E_CORRUPT, "list of its chunks is cut");
    page = sound;
    page.buffers[0].data[0] |= 2; /* four values in a first chunk of two */
    put_u32(&page.buffers[0], 0);
    expect_refused(&page, 0, SHF_E_CORRUPT, "not as many values");
    page = sound;
    page.rows = 4;
    expect_refused(&page, 0, SHF_E_CORRUPT, "not as many values as rows");
    page = sound;
    page.buffer_count = 1;
    expect_refused(&page, 0, SHF_E_CORRUPT, "a buffer is missing");
}

static void test_broken_full_zip(void **state) {
    (void)state;
    struct page_made page;
    struct bytes encoding = variable();
    make_zip(&page, 2, 1, 1, 0, &encoding);
    put_row(&page, "\0", 1, "one", 3);
    page.buffers[0].data[0] = 2;
    expect_refused(&page, 0, SHF_E_CORRUPT, "above 1");
    page.buffers[0].data[0] = 1;
    expect_refused(&page, 0, SHF_E_CORRUPT, "a null has a text");
    page.buffers[0].data[0] = 0;
    page.buffers[0].data[1] = 4;
    expect_refused(&page, 0, SHF_E_CORRUPT, "length that stands before it");
    page.buffers[1].data[8] = 9;
    expect_refused(&page, 0, SHF_E_CORRUPT, "of buffer 0, which has 8");
    page.buffers[1].data[0] = 10;
    expect_refused(&page, 0, SHF_E_CORRUPT, "ends before it begins");
    page.buffers[1].size = 6;
    expect_refused(&page, 0, SHF_E_CORRUPT, "offsets have 3 bytes");
    page.buffers[1].size = 0;
    expect_refused(&page, 0, SHF_E_CORRUPT, "offsets have 0 bytes");
    page.buffers[1].size = 7;
    expect_refused(&page, 0, SHF_E_CORRUPT, "as many offsets as rows");
}

/* ---- the container ---- */

static void test_broken_files(void **state) {
    (void)state;
    struct page_made page = {.version = 0, .rows = 1, .buffer_count = 2, .encoding = old_binary(2, 0, 64)};
    struct bytes sound, bytes;
    put_u64(&page.buffers[0], 1);
    put_text(&page.buffers[1], "x");
    make_file(&page, &sound);
    size_t footer = sound.size - SHF_LANCE_FOOTER_BYTES;
    const struct {
        size_t at;
        uint8_t value;
        shf_status code;
        const char *says;
    } rules[] = {{footer + 39, 'D', SHF_E_CORRUPT, "LANC"},
                 {footer + 34, 4, SHF_E_UNSUPPORTED, "0.4"},
                 {footer + 32, 9, SHF_E_UNSUPPORTED, "9.3"},
                 {footer + 7, 1, SHF_E_CORRUPT, "metadata begins"},
                 {footer + 15, 1, SHF_E_CORRUPT, "table of its columns"},
                 {footer + 23, 0xff, SHF_E_CORRUPT, "table of its buffers"},
                 {footer + 27, 1, SHF_E_CORRUPT, "table of its buffers"},
                 {footer + 31, 1, SHF_E_CORRUPT, "table of its columns"},
                 {footer + 24, 0, SHF_E_CORRUPT, "no descriptor"},
                 {footer + 28, 0, SHF_E_CORRUPT, "0 columns"},
                 {footer - 32 + 7, 1, SHF_E_CORRUPT, "metadata of a column"},
                 {footer - 16 + 7, 1, SHF_E_CORRUPT, "descriptor is not within"},
                 {footer - 1, 0xff, SHF_E_CORRUPT, "descriptor is not within"}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        bytes = sound;
        bytes.data[rules[i].at] = rules[i].value;
        struct shf_lance_source source = shf_lance_source_of(bytes.data, bytes.size);
        struct shf_lance_file file;
        struct shf_lance_column column;
        struct shf_error *error = NULL;
        shf_status status = shf_lance_file_open(&file, &source, &error);
        if (!status) status = shf_lance_column_open(&column, &file, 0, 0, &error);
        expect_error(status, &error, rules[i].code, rules[i].says);
    }
    struct shf_lance_footer parsed;
    struct shf_error *error = NULL;
    expect_error(shf_lance_footer_parse(sound.data, 10, 10, &parsed, &error), &error, SHF_E_CORRUPT, "too short");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_mini_blocks),   cmocka_unit_test(test_sound_full_zip),
        cmocka_unit_test(test_vectors_with_levels), cmocka_unit_test(test_constants),
        cmocka_unit_test(test_dictionaries),        cmocka_unit_test(test_version_2_0),
        cmocka_unit_test(test_refused_encodings),   cmocka_unit_test(test_broken_mini_blocks),
        cmocka_unit_test(test_broken_full_zip),     cmocka_unit_test(test_broken_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
