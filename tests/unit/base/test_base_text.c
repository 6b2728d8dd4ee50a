/* Growing text, UTF-8, hex, ASCII, the byte cursor, digests. */
#include "base/alloc.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* ---- text ---- */

static void test_text_grows(void **state) {
    (void)state;
    struct shf_text text = {0};
    char wanted[6 * 1000 + 1] = "";
    for (int i = 0; i < 1000; i++) {
        shf_text_format(&text, "%05d", i);
        shf_text_add(&text, ";", 1);
        (void)snprintf(wanted + 6 * i, 7, "%05d;", i);
    }
    assert_int_equal(text.size, 6000);
    assert_true(text.capacity > text.size);
    assert_string_equal(text.data, wanted);
    char *taken = shf_text_take(&text);
    assert_string_equal(taken, wanted);
    assert_true(!text.data && !text.size && !text.capacity && !text.failed);
    shf_free(taken);
    taken = shf_text_take(&text);
    assert_string_equal(taken, "");
    shf_free(taken);
}

static void test_text_holds_any_bytes(void **state) {
    (void)state;
    struct shf_text text = {0};
    shf_text_add(&text, "a\0b", 3);
    shf_text_add(&text, NULL, 0);
    shf_text_add_string(&text, "");
    shf_text_add_string(&text, "c%d");
    assert_int_equal(text.size, 6);
    assert_memory_equal(text.data, "a\0bc%d", 7);
    shf_text_free(&text);
    assert_null(text.data);
}

static void test_text_keeps_to_its_maximum(void **state) {
    (void)state;
    struct shf_text text = {.max_bytes = 5};
    shf_text_add_string(&text, "12345"); /* exactly full */
    assert_false(text.failed);
    assert_string_equal(text.data, "12345");
    shf_text_add(&text, "6", 1);
    assert_true(text.failed);
    assert_string_equal(text.data, "12345");
    shf_text_add(&text, "", 0); /* later ones do nothing */
    shf_text_format(&text, "%s", "");
    assert_true(text.failed);
    assert_null(shf_text_take(&text));
    assert_int_equal(text.max_bytes, 5);
    shf_text_format(&text, "%s-%d", "abc", 1); /* usable again, with the same maximum */
    assert_string_equal(text.data, "abc-1");
    shf_text_format(&text, "%d", 2);
    assert_true(text.failed);
    shf_text_free(&text);
    assert_true(!text.failed && text.max_bytes == 5);
    shf_text_format(&text, "%lc", (wint_t)0x7fffffff); /* no character: nothing that could be printed */
    assert_true(text.failed);
    shf_text_free(&text);
    shf_text_add(&text, "x", SIZE_MAX); /* never read: it can not fit */
    assert_true(text.failed && !text.data);
}

/* ---- UTF-8: Unicode 15, table 3-7, by counting ---- */

static bool valid_by_the_table(const uint8_t p[4], size_t size) {
    static const uint8_t rows[][9] = {
        /* length, then low and high of each byte */
        {1, 0x00, 0x7f},
        {2, 0xc2, 0xdf, 0x80, 0xbf},
        {3, 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf},
        {3, 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf},
        {3, 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf},
        {3, 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf},
        {4, 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
        {4, 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
        {4, 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf},
    };
    for (size_t at = 0; at < size;) {
        size_t step = 0;
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            size_t length = rows[r][0], good = 0;
            if (length > size - at) continue;
            while (good < length && p[at + good] >= rows[r][1 + 2 * good] && p[at + good] <= rows[r][2 + 2 * good])
                good++;
            if (good == length) step = length;
        }
        if (step == 0) return false;
        at += step;
    }
    return true;
}

static void test_utf8_of_all_short_strings(void **state) {
    (void)state;
    size_t valid = 0;
    for (uint32_t value = 0; value < 1u << 24; value++) { /* all strings of one, two and three bytes */
        uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), 0};
        size_t size = value < 1u << 8 ? 1 : value < 1u << 16 ? 2 : 3;
        bool wanted = valid_by_the_table(bytes, size);
        valid += wanted;
        if (shf_utf8_valid(bytes, size) != wanted) fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
    assert_true(valid > 2000000);
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff};
    enum { EDGES = sizeof edges };
    for (uint32_t lead = 0xe0; lead <= 0xff; lead++) { /* four bytes, at the edges of every range */
        for (uint32_t i = 0; i < EDGES * EDGES * EDGES; i++) {
            uint8_t bytes[4] = {(uint8_t)lead, edges[i % EDGES], edges[i / EDGES % EDGES], edges[i / EDGES / EDGES]};
            if (shf_utf8_valid(bytes, 4) != valid_by_the_table(bytes, 4)) fail_msg("%02x ...", lead);
        }
    }
}

static void test_utf8_of_texts(void **state) {
    (void)state;
    static const char good[] = "a\0\xc3\xa4\xe2\x82\xac\xf0\x9f\xa6\x88\xf4\x8f\xbf\xbf";
    assert_true(shf_utf8_valid(good, sizeof good - 1));
    assert_true(shf_utf8_valid("", 0));
    assert_true(shf_utf8_valid(NULL, 0));
    for (size_t cut = 1; cut < 4; cut++) assert_false(shf_utf8_valid(good, sizeof good - 1 - cut));
    assert_false(shf_utf8_valid("\xed\xa0\x80", 3));     /* a surrogate */
    assert_false(shf_utf8_valid("\xc0\x80", 2));         /* NUL, overlong */
    assert_false(shf_utf8_valid("\xf4\x90\x80\x80", 4)); /* above U+10FFFF */
}

static void test_utf8_trim_end(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", ""},
        {"abc", "abc"},
        {"ab\xc3", "ab"},
        {"ab\xc3\xa4", "ab\xc3\xa4"},
        {"\xe2\x82", ""},
        {"\xe2", ""},
        {"x\xe2\x82\xac", "x\xe2\x82\xac"},
        {"x\xf0\x9f\xa6", "x"},
        {"x\xf0\x9f\xa6\x88", "x\xf0\x9f\xa6\x88"},
        {"x\xf0\x9f\xa6\x88y", "x\xf0\x9f\xa6\x88y"},
        {"\x80", "\x80"}, /* not what cutting makes: left alone */
        {"a\x80\x80\x80\x80", "a\x80\x80\x80\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        shf_utf8_trim_end(text);
        assert_string_equal(text, cases[i].wanted);
    }
}

/* ---- hex, ASCII ---- */

static void test_hex_and_ascii(void **state) {
    (void)state;
    char out[2 * 4 + 1];
    shf_hex_encode("\x00\x7f\xa0\xff", 4, out);
    assert_string_equal(out, "007fa0ff");
    shf_hex_encode(NULL, 0, out);
    assert_string_equal(out, "");
    assert_true(shf_ascii_equal_ignore_case("ETag", 4, "etag"));
    assert_true(shf_ascii_equal_ignore_case("", 0, ""));
    assert_true(shf_ascii_equal_ignore_case("etag: x", 4, "ETAG"));
    assert_false(shf_ascii_equal_ignore_case("etag", 4, "etags"));
    assert_false(shf_ascii_equal_ignore_case("etags", 5, "etag"));
    assert_false(shf_ascii_equal_ignore_case("@", 1, "`"));       /* 32 apart, no letters */
    assert_false(shf_ascii_equal_ignore_case("\xc4", 1, "\xe4")); /* Latin-1 letters are none */
    for (int c = -128; c < 128; c++) {
        assert_int_equal(shf_ascii_lower((char)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
        assert_int_equal(shf_ascii_is_digit((char)c), c >= '0' && c <= '9');
    }
}

/* ---- cursor ---- */

static void test_cursor_reads(void **state) {
    (void)state;
    static const uint8_t data[] = {0x01, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0x89, 0xab, 0xcd, 0xef,
                                   0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0x55, 0x66};
    struct shf_cursor c = shf_cursor_of(data, sizeof data);
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    const uint8_t *bytes;
    assert_true(shf_cursor_u8(&c, &one) && one == 0x01);
    assert_true(shf_cursor_u16be(&c, &two) && two == 0x1234);
    assert_true(shf_cursor_u32be(&c, &four) && four == 0x89abcdefu);
    assert_true(shf_cursor_u32le(&c, &four) && four == 0xefcdab89u);
    assert_true(shf_cursor_u64le(&c, &eight) && eight == 0xf8f7f6f5f4f3f2f1u);
    assert_int_equal(c.left, 2);
    assert_true(shf_cursor_skip(&c, 1));
    assert_true(shf_cursor_bytes(&c, 1, &bytes) && bytes == data + sizeof data - 1);
    assert_int_equal(c.left, 0);
    assert_true(shf_cursor_bytes(&c, 0, &bytes) && bytes == data + sizeof data);
}

/* Every read of every size from every length, on heap blocks without a spare byte for the sanitizers. */
static void test_cursor_bounds(void **state) {
    (void)state;
    for (size_t size = 0; size <= 9; size++) {
        uint8_t *data = malloc(size ? size : 1), one = 7;
        const uint8_t *bytes = NULL;
        uint16_t two = 7;
        uint32_t four = 7;
        uint64_t eight = 7;
        memset(data, 0xff, size ? size : 1);
        for (size_t want = 0; want <= 10; want++) {
            struct shf_cursor c = shf_cursor_of(data, size);
            assert_int_equal(shf_cursor_bytes(&c, want, &bytes), want <= size);
            assert_ptr_equal(c.at, want <= size ? data + want : data); /* a failed read moves nothing */
            assert_int_equal(c.left, want <= size ? size - want : size);
        }
        struct shf_cursor a = shf_cursor_of(data, size), b = a, d = a, e = a, f = a, g = a;
        assert_int_equal(shf_cursor_u8(&a, &one), size >= 1);
        assert_int_equal(shf_cursor_u16be(&b, &two), size >= 2);
        assert_int_equal(shf_cursor_u32be(&d, &four), size >= 4);
        assert_int_equal(shf_cursor_u64le(&f, &eight), size >= 8);
        assert_int_equal(one, size >= 1 ? 0xff : 7);
        assert_int_equal(two, size >= 2 ? 0xffff : 7);
        assert_true(four == (size >= 4 ? UINT32_MAX : 7) && eight == (size >= 8 ? UINT64_MAX : 7));
        assert_int_equal(shf_cursor_u32le(&e, &four), size >= 4);
        assert_false(shf_cursor_skip(&g, SIZE_MAX));
        assert_int_equal(g.left, size);
        free(data);
    }
    struct shf_cursor nothing = shf_cursor_of(NULL, 0);
    uint8_t byte;
    assert_true(shf_cursor_skip(&nothing, 0));
    assert_false(shf_cursor_u8(&nothing, &byte));
}

static void test_loads_and_stores(void **state) {
    (void)state;
    static const uint8_t data[8] = {0x80, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x87};
    uint8_t out[9];
    assert_int_equal(shf_load_u16be(data), 0x8001);
    assert_true(shf_load_u32be(data) == 0x80010203u && shf_load_u32le(data + 4) == 0x87060504u);
    assert_true(shf_load_u64be(data) == 0x8001020304050687u && shf_load_u64le(data) == 0x8706050403020180u);
    memset(out, 0xee, sizeof out);
    shf_store_u32le(out, 0x87060504u);
    assert_memory_equal(out, "\x04\x05\x06\x87\xee", 5);
    shf_store_u64le(out, 0x8706050403020180u);
    assert_memory_equal(out, data, 8);
    assert_int_equal(out[8], 0xee);
}

/* ---- digests: published values of XXH3 ---- */

static void test_hash64(void **state) {
    (void)state;
    assert_true(shf_hash64("", 0) == 0x2d06800538d394c2u);
    assert_true(shf_hash64(NULL, 0) == 0x2d06800538d394c2u);
    assert_true(shf_hash64("a", 1) == 0xe6c632b61e964e1fu);
    assert_true(shf_hash64("abc", 3) == 0x78af5f94892f3950u);
    assert_true(shf_hash64("hello", 5) == 0x9555e8555c62dcfdu);
}

static void test_hash128(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {{"", "99aa06d3014798d86001c324468d497f"},
                 {"a", "a96faf705af16834e6c632b61e964e1f"},
                 {"abc", "06b05ab6733a618578af5f94892f3950"}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t digest[16];
        char hex[33];
        shf_hash128(cases[i].text, strlen(cases[i].text), digest);
        shf_hex_encode(digest, sizeof digest, hex);
        assert_string_equal(hex, cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_text_holds_any_bytes),
        cmocka_unit_test(test_text_keeps_to_its_maximum),
        cmocka_unit_test(test_utf8_of_all_short_strings),
        cmocka_unit_test(test_utf8_of_texts),
        cmocka_unit_test(test_utf8_trim_end),
        cmocka_unit_test(test_hex_and_ascii),
        cmocka_unit_test(test_cursor_reads),
        cmocka_unit_test(test_cursor_bounds),
        cmocka_unit_test(test_loads_and_stores),
        cmocka_unit_test(test_hash64),
        cmocka_unit_test(test_hash128),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
