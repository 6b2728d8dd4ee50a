/* Lance pages that break one rule. */
#include "hostile/lance.h"

#include <stdlib.h>
#include <string.h>

/* ---- pages ---- */

struct parts {
    struct bytes encoding, chunk, words;
};

/* A page of one chunk; the parts must live as long. */
static struct lance_page page_of(struct parts *parts, const struct bytes *levels, const struct bytes *level_bytes,
                                 const struct bytes *encoding, const struct bytes *values) {
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    parts->chunk = lance_chunk(level_bytes, values);
    parts->words = lance_words(&parts->chunk);
    page.encoding = lance_mini(levels, encoding);
    page.buffers[0] = (struct lance_buffer){.data = parts->words.data, .size = parts->words.size};
    page.buffers[1] = (struct lance_buffer){.data = parts->chunk.data, .size = parts->chunk.size};
    return page;
}

static struct bytes sound_vectors(void) {
    static const float numbers[LANCE_ROWS][LANCE_DIMENSION] = {{1, 2, 3, 4}, {0, -1, 0.5f, 2}, {9, 9, 9, 9}};
    struct bytes out = {.size = 0};
    put(&out, numbers, sizeof numbers);
    return out;
}

static void places(void) {
    static const uint64_t all[] = {
        1, 7, 1000, 0x7fffffff, 0xffffffff, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX - 7, UINT64_MAX};
    struct parts parts;
    struct bytes encoding = lance_vectors(LANCE_DIMENSION), values = sound_vectors();
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_ANSWERS, NULL, "nothing wrong");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (unsigned buffer = 0; buffer < 2; buffer++) {
            page.buffers[buffer].told_offset = all[i];
            lance_try_page(LANCE_VECTOR, &page, i < 2 ? COMPOSITE_ANYTHING : COMPOSITE_FAILS, NULL,
                           "another place of a buffer");
            page.buffers[buffer].told_offset = 0;
            page.buffers[buffer].told_size = all[i];
            lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "another size of a buffer");
            page.buffers[buffer].told_size = 0;
        }
        page.rows = all[i];
        lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "rows", "another number of rows");
        page.file_rows = LANCE_ROWS;
        lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "rows", "another number of rows in a page");
        page.file_rows = all[i];
        page.rows = LANCE_ROWS;
        lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "rows", "another number of rows in the file");
        page.file_rows = 0;
    }
    /* buffers that several pages share */
    page.times = 3;
    page.rows = 1;
    page.file_rows = 3;
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "pages that share their buffers");
    page.times = 20000;
    page.file_rows = 20000;
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "20,000 pages that share their buffers");
    page.times = 2;
    page.rows = LANCE_ROWS;
    page.file_rows = LANCE_ROWS;
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "a page too many");
}

static void chunks(void) {
    static const uint32_t words[] = {0, 0x0f, 0xffffffff, 0x10, 0xfffffff0};
    struct parts parts;
    struct bytes encoding = lance_vectors(LANCE_DIMENSION), values = sound_vectors();
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        parts.words.size = 0;
        put_u32(&parts.words, words[i]);
        lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "chunk", "another size of a chunk");
    }
    page = page_of(&parts, NULL, NULL, &encoding, &values);
    for (size_t at = 0; at < 8; at++) {
        parts.chunk.data[at] ^= 0xff;
        lance_try_page(LANCE_VECTOR, &page, at < 6 ? COMPOSITE_FAILS : COMPOSITE_ANSWERS, at < 6 ? "chunk" : NULL,
                       "another head of a chunk");
        parts.chunk.data[at] ^= 0xff;
    }
    values.size -= 4;
    page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "a chunk with a number too few");
}

/* Three levels of 16 bits: `value` for the second row. */
static struct bytes levels_with(uint16_t value) {
    struct bytes out = {.size = 0};
    put_u16(&out, 0);
    put_u16(&out, value);
    put_u16(&out, 0);
    return out;
}

static void nulls(void) {
    struct parts parts;
    struct bytes levels = lance_flat(16), bytes = levels_with(1), vectors = lance_vectors(LANCE_DIMENSION),
                 values = sound_vectors(), variable = lance_variable(), texts = lance_texts("first", "", "third");
    struct lance_page page = page_of(&parts, &levels, &bytes, &vectors, &values);
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "no vector", "a null");
    page = page_of(&parts, &levels, &bytes, &variable, &texts);
    lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, "no id", "a null");
    bytes = levels_with(2);
    page = page_of(&parts, &levels, &bytes, &variable, &texts);
    lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, "level", "a level of 2");
    bytes.size = 4;
    page = page_of(&parts, &levels, &bytes, &variable, &texts);
    lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, NULL, "a level too few");
    struct lance_page constant = {.version = 2, .rows = LANCE_ROWS};
    struct bytes layout = {.size = 0};
    put_bytes(&layout, 5, "\3", 1);
    constant.encoding = wrap(2, &layout);
    lance_try_page(LANCE_VECTOR, &constant, COMPOSITE_FAILS, NULL, "all null");
    lance_try_page(LANCE_ID, &constant, COMPOSITE_FAILS, "no id", "all null");
    constant.rows = (uint64_t)1 << 32;
    lance_try_page(LANCE_VECTOR, &constant, COMPOSITE_FAILS, NULL, "2^32 nulls");
}

static void texts(void) {
    static const struct {
        uint32_t offsets[4];
        const char *name;
    } all[] = {{{16, 15, 17, 18}, "a text that ends before it begins"},
               {{16, 17, 18, 4000}, "a text behind the chunk"},
               {{16, 17, 18, UINT32_MAX}, "a text of 4 GiB"},
               {{0, 17, 18, 19}, "a text that begins in the offsets"},
               {{UINT32_MAX, 17, 18, 19}, "a text that begins far away"}};
    struct bytes encoding = lance_variable();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct parts parts;
        struct bytes values = {.size = 0};
        for (unsigned n = 0; n < 4; n++) put_u32(&values, all[i].offsets[n]);
        put_text(&values, "abcdef");
        struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
        lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, "text", all[i].name);
        lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, "text", all[i].name);
    }
    struct parts parts;
    struct bytes values = lance_texts("first", "\xff\xfe", "third");
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, "UTF-8", "a text that is no UTF-8");
    lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, "UTF-8", "a text that is no UTF-8");
}

void lance_pages(void **state) {
    (void)state;
    places();
    chunks();
    nulls();
    texts();
    composite_count("Lance pages");
}

/* ---- encodings ---- */

static void unknown(void) {
    for (uint32_t kind = 1; kind <= 20; kind++) {
        struct parts parts;
        struct bytes nothing = {.size = 0}, encoding = wrap(kind, &nothing), vectors = sound_vectors(),
                     values = lance_texts("first", "second", "third");
        struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &vectors);
        lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, NULL, "another encoding");
        page = page_of(&parts, NULL, NULL, &encoding, &values);
        lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, NULL, "another encoding");
        if (kind > 3) {
            page.encoding = wrap(kind, &nothing);
            lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, "not read", "another layout");
        }
        encoding = lance_variable();
        page = page_of(&parts, &(struct bytes){.size = 0}, NULL, &encoding, &values);
        page.encoding = lance_mini(&page.encoding, &encoding);
        lance_try_page(LANCE_ID, &page, COMPOSITE_FAILS, NULL, "levels of another encoding");
    }
    struct parts parts;
    struct bytes encoding = lance_vectors(LANCE_DIMENSION + 1), values = sound_vectors();
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "dimension", "another dimension");
    encoding = lance_vectors(UINT64_MAX);
    page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_VECTOR, &page, COMPOSITE_FAILS, "dimension", "a very large dimension");
    /* an encoding within an encoding within ... */
    encoding = lance_variable();
    for (unsigned i = 0; i < 400 && encoding.size < 7000; i++) encoding = lance_with(6, 1, 2, &encoding);
    page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, NULL, "encodings within encodings");
}

static void symbols(void) {
    static const struct {
        uint8_t count, length;
        uint32_t magic;
        size_t size;
        const char *text, *name;
    } all[] = {{1, 3, 0x46535354, 2311, "FSST", "a table that is cut"},
               {1, 3, 0x46535354, 2313, "FSST", "a table that is too long"},
               {1, 3, 0x46535355, 2312, "FSST", "no table"},
               {1, 0, 0x46535354, 2312, "FSST", "a symbol of no byte"},
               {255, 9, 0x46535354, 2312, "FSST", "symbols of nine bytes"},
               {1, 8, 0x46535354, 2312, "FSST", "codes that are not in the table"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct parts parts;
        struct bytes encoding = lance_fsst(all[i].count, all[i].length, all[i].magic, all[i].size),
                     values = lance_texts("first", "second", "third");
        struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
        lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, all[i].text, all[i].name);
    }
    struct parts parts;
    struct bytes encoding = lance_fsst(1, 8, 0x46535354, 2312), values = lance_texts("\xff", "\xff", "\xff");
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, "FSST", "an escape at the end");
}

void lance_encodings(void **state) {
    (void)state;
    unknown();
    symbols();
    composite_count("encodings of Lance pages");
}
