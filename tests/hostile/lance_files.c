/* Lance data files: damaged ones that LanceDB wrote, and pages that break one rule. */
#include "hostile/lance.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* ---- recorded datasets ---- */

static void store_le(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* No checksum protects a dataset: other bytes may well be another sound one. */
static void damage(const char *name) {
    static const uint64_t values[] = {0, 1, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
    size_t size;
    const uint8_t *bytes = composite_object(name, &size);
    uint8_t *copy = malloc(size + 8);
    memcpy(copy, bytes, size);
    size_t end = size > 900 ? size - 900 : 0, step = end / 60 + 1; /* the metadata are at the end */
    for (size_t at = 0; at < size; at += at < end ? step : 3) {
        copy[at] = (uint8_t)(bytes[at] ^ (at % 2 ? 0xff : 1 << at % 8));
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size, "%s: another byte at %zu",
                          name, at);
        copy[at] = bytes[at];
    }
    for (size_t cut = 0; cut < size; cut += size / 25 + 1) {
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_FAILS, NULL, name, bytes, cut, "%s: cut at %zu", name, cut);
    }
    /* the footer, and the tables before it */
    for (size_t back = 8; back <= 120 && back <= size; back += 4) {
        uint8_t *at = copy + size - back;
        store_le(at, values[back / 4 % (sizeof values / sizeof values[0])], 8);
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size,
                          "%s: another word %zu before the end", name, back);
        store_le(at, size - back, 8);
        composite_try_one(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, name, copy, size,
                          "%s: the word %zu before the end leads to itself", name, back);
        memcpy(at, bytes + size - back, 8);
    }
    free(copy);
}

void lance_recorded(void **state) {
    static const char *const names[] = {"v20-npm0.27.2_del",      "v20-npm0.27.2_dict", "v21-npm0.38.0_fragments",
                                        "v21-npm0.38.0_dict",     "v22-npm0.39.0_dict", "v22-npm0.39.0_constnull",
                                        "v22-npm0.39.0_hugetext", "v22-npm0.39.0_text", "v22-npm0.39.0_emptystr"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[300];
        composite_forget(LANCE);
        (void)snprintf(path, sizeof path, SHF_TEST_DATA "/formats/lance/%s/vector_index.lance", names[i]);
        composite_put_folder(path, LANCE);
        composite_is_sound(names[i]);
        unsigned files = 0;
        for (const char *name; (name = composite_name(LANCE, files)) != NULL && files < 5; files++) damage(name);
        assert_true(files >= 2);
        composite_count(names[i]);
    }
    composite_forget(LANCE);
    lance_make_sound();
    composite_is_sound("the made dataset");
}

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

static struct bytes fsst_of(uint8_t count, uint8_t length, uint32_t magic, size_t size) {
    uint8_t table[2400] = {count, 0, 0, 1};
    struct bytes inner = {.size = 0}, variable = lance_variable();
    store_le(table + 4, magic, 4);
    memset(table + 8 + 8 * (size_t)count, length, count);
    put_bytes(&inner, 1, table, size);
    put_message(&inner, 2, &variable);
    return wrap(6, &inner);
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
        struct bytes encoding = fsst_of(all[i].count, all[i].length, all[i].magic, all[i].size),
                     values = lance_texts("first", "second", "third");
        struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
        lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, all[i].text, all[i].name);
    }
    struct parts parts;
    struct bytes encoding = fsst_of(1, 8, 0x46535354, 2312), values = lance_texts("\xff", "\xff", "\xff");
    struct lance_page page = page_of(&parts, NULL, NULL, &encoding, &values);
    lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, "FSST", "an escape at the end");
}

void lance_encodings(void **state) {
    (void)state;
    unknown();
    symbols();
    composite_count("encodings of Lance pages");
}

/* ---- bombs ---- */

/* A full-zip page of three compressed texts: told sizes, then a zstd frame each. */
static void try_zstd(uint64_t told, const uint8_t *frame, size_t frame_size, enum composite_wish wish, const char *text,
                     const char *name) {
    struct bytes encoding = lance_general(2);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    size_t row_size = 4 + 8 + frame_size;
    uint8_t *rows = malloc(LANCE_ROWS * row_size), offsets[8 * (LANCE_ROWS + 1)];
    for (size_t i = 0; i < LANCE_ROWS; i++) {
        uint8_t *at = rows + i * row_size;
        store_le(at, 8 + frame_size, 4);
        store_le(at + 4, told, 8);
        if (frame_size) memcpy(at + 12, frame, frame_size);
    }
    for (size_t i = 0; i <= LANCE_ROWS; i++) store_le(offsets + 8 * i, i * row_size, 8);
    page.encoding = lance_zip(0, 0, &encoding);
    page.buffers[0] = (struct lance_buffer){.data = rows, .size = LANCE_ROWS * row_size};
    page.buffers[1] = (struct lance_buffer){.data = offsets, .size = sizeof offsets};
    lance_try_page(LANCE_PAYLOAD, &page, wish, text, name);
    lance_try_page(LANCE_ID, &page, wish, text, name);
    free(rows);
}

static void zstd_bombs(void) {
    enum { LARGE = 200000000 };
    static const uint64_t told[] = {0,         1,         (uint64_t)1 << 20, (uint64_t)1 << 30, (uint64_t)1 << 31,
                                    INT64_MAX, UINT64_MAX};
    uint8_t *zeros = calloc(1, LARGE), *frame = malloc(ZSTD_compressBound(LARGE));
    size_t size = ZSTD_compress(frame, ZSTD_compressBound(LARGE), zeros, LARGE, 3);
    assert_false(ZSTD_isError(size));
    composite_allow_times(3);
    try_zstd(LARGE, frame, size, COMPOSITE_FAILS, NULL, "200 MB of zeros");
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        try_zstd(told[i], frame, size, COMPOSITE_FAILS, NULL, "200 MB of zeros that say to be another size");
    }
    /* what was padded until the ratio is no bomb's: rubbish in skippable frames */
    uint8_t *padded = calloc(1, size + LARGE / 900);
    memcpy(padded, frame, size);
    store_le(padded + size, 0x184d2a50, 4);
    store_le(padded + size + 4, LARGE / 900 - 8, 4);
    try_zstd(LARGE, padded, size + LARGE / 900, COMPOSITE_FAILS, NULL, "200 MB of zeros, and padding");
    free(padded);
    /* poorly packed: within the ratio, and far above what a text may need */
    enum { BLOCK = 128 << 10 };
    uint8_t *noisy = calloc(1, LARGE);
    uint32_t seed = 1;
    for (size_t at = 0; at < LARGE; at += BLOCK) {
        for (size_t i = 0; i < BLOCK / 600 && at + i < LARGE; i++)
            noisy[at + i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 25);
    }
    size = ZSTD_compress(frame, ZSTD_compressBound(LARGE), noisy, LARGE, 1);
    assert_false(ZSTD_isError(size));
    assert_true(size > LARGE / 1000);
    try_zstd(LARGE, frame, size, COMPOSITE_FAILS, NULL, "200 MB of a little noise");
    free(noisy);
    size = ZSTD_compress(frame, ZSTD_compressBound(LARGE), zeros, 100000, 3);
    try_zstd(100000, frame, size - 1, COMPOSITE_FAILS, NULL, "a frame that is cut");
    try_zstd(99999, frame, size, COMPOSITE_FAILS, NULL, "a frame that unpacks to a byte more");
    try_zstd(100001, frame, size, COMPOSITE_FAILS, NULL, "a frame that unpacks to a byte less");
    composite_allow_times(1);
    free(zeros);
    free(frame);
}

static struct bytes index_chunk(void) {
    struct bytes values = {.size = 0};
    put_u32(&values, 1); /* bits of an index */
    for (unsigned i = 0; i < 32; i++) put_u32(&values, 0);
    return values;
}

/* A dictionary of one text, packed with LZ4. */
static void try_dictionary(const uint8_t *data, size_t size, uint64_t items, const char *text, const char *name) {
    struct bytes layout = {.size = 0}, values = index_chunk(), lz4 = lance_general(1), bits = {.size = 0};
    struct bytes chunk = lance_chunk(NULL, &values), words = lance_words(&chunk);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 3};
    put_number(&bits, 1, 32);
    struct bytes indices = wrap(5, &bits);
    put_message(&layout, 3, &indices);
    put_message(&layout, 4, &lz4);
    put_number(&layout, 5, items);
    put_bytes(&layout, 6, "\1", 1);
    put_number(&layout, 7, 1);
    put_number(&layout, 9, LANCE_ROWS);
    put_number(&layout, 10, 1);
    page.encoding = wrap(1, &layout);
    page.buffers[0] = (struct lance_buffer){.data = words.data, .size = words.size};
    page.buffers[1] = (struct lance_buffer){.data = chunk.data, .size = chunk.size};
    page.buffers[2] = (struct lance_buffer){.data = data, .size = size};
    lance_try_page(LANCE_PAYLOAD, &page, text ? COMPOSITE_FAILS : COMPOSITE_ANYTHING, text, name);
}

static void lz4_bombs(void) {
    enum { LARGE = 70000000, MIDDLE = 60000000 };
    uint8_t *plain = calloc(1, LARGE), *packed = malloc((size_t)LZ4_compressBound(LARGE) + 4);
    store_le(plain, 32, 4);
    store_le(plain + 4, 16, 4);
    store_le(plain + 12, 5, 4);
    memcpy(plain + 16, "a few", 5);
    for (int i = 0; i < 2; i++) {
        int size = i ? LARGE : MIDDLE;
        int got = LZ4_compress_default((const char *)plain, (char *)packed + 4, size, LZ4_compressBound(LARGE));
        assert_true(got > 0);
        store_le(packed, (uint32_t)size, 4);
        try_dictionary(packed, (size_t)got + 4, 1, i ? "dictionary" : NULL, i ? "70 MB" : "60 MB");
        store_le(packed, UINT32_MAX, 4);
        try_dictionary(packed, (size_t)got + 4, 1, "dictionary", "it says to be 4 GiB");
    }
    int got = LZ4_compress_default((const char *)plain, (char *)packed + 4, 21, 100);
    store_le(packed, 21, 4);
    try_dictionary(packed, (size_t)got + 4, 1, NULL, "a sound one");
    try_dictionary(packed, (size_t)got + 4, 2, "texts", "a text too many");
    try_dictionary(packed, (size_t)got + 4, UINT64_MAX, "texts", "very many texts");
    try_dictionary(packed, (size_t)got + 4, 0, "dictionary", "no text");
    try_dictionary(packed, 3, 1, "dictionary", "it is cut");
    free(plain);
    free(packed);
}

/* ---- many ---- */

/* A page of one chunk of 60,000 rows whose levels are 21,000 runs, most of which are of no row. */
static uint8_t *chunk_of_runs(const uint8_t *data, size_t data_size, size_t *size) {
    enum { ROWS = 60000, RUNS = 21000, LEVEL_BYTES = 8 + 3 * RUNS };
    size_t levels_at = 8, data_at = levels_at + (LEVEL_BYTES + 7) / 8 * 8;
    *size = data_at + (data_size + 7) / 8 * 8;
    uint8_t *out = calloc(1, *size);
    store_le(out, ROWS, 2);
    store_le(out + 2, LEVEL_BYTES, 2);
    store_le(out + 4, data_size, 4);
    store_le(out + levels_at, 2 * RUNS, 8);
    for (unsigned i = 0; i < ROWS / 240; i++) out[levels_at + 8 + 3 * RUNS - 1 - i] = 240;
    memcpy(out + data_at, data, data_size);
    return out;
}

static void put_runs(enum lance_column column, const struct bytes *values, const uint8_t *data, size_t data_size) {
    struct bytes bits = lance_flat(16), lengths = lance_flat(8), runs = wrap(1, &bits), words = {.size = 0};
    struct lance_page page = {.version = 2, .rows = 60000, .buffer_count = 2};
    size_t size, file_size;
    put_message(&runs, 2, &lengths);
    runs = wrap(8, &runs);
    uint8_t *chunk = chunk_of_runs(data, data_size, &size);
    put_u32(&words, (uint32_t)(size / 8 - 1) << 4);
    page.encoding = lance_mini_of(&runs, values, page.rows);
    page.buffers[0] = (struct lance_buffer){.data = words.data, .size = words.size};
    page.buffers[1] = (struct lance_buffer){.data = chunk, .size = size};
    uint8_t *file = lance_file(&page, &file_size);
    composite_change(lance_column_name(column), file, file_size);
    free(file);
    free(chunk);
}

static void many_runs(void) {
    enum { ROWS = 60000 };
    const struct lance_saying say = {.rows = ROWS};
    struct lance_page constant = {.version = 2, .rows = ROWS};
    struct bytes layout = {.size = 0}, encoding = lance_vectors(LANCE_DIMENSION);
    uint8_t *data = calloc(ROWS, LANCE_DIMENSION * sizeof(float));
    size_t size;
    put_runs(LANCE_VECTOR, &encoding, data, ROWS * LANCE_DIMENSION * sizeof(float));
    for (unsigned i = 0; i <= ROWS; i++) store_le(data + 4 * (size_t)i, 4 * (ROWS + 1), 4); /* empty ids */
    encoding = lance_variable();
    put_runs(LANCE_ID, &encoding, data, 4 * (ROWS + 1));
    free(data);
    put_bytes(&layout, 5, "\3", 1);
    constant.encoding = wrap(2, &layout);
    uint8_t *file = lance_file(&constant, &size);
    composite_change(LANCE "data/payload.lance", file, size);
    free(file);
    uint8_t *manifest = lance_manifest(&say, &size);
    composite_change(LANCE_MANIFEST, manifest, size);
    free(manifest);
    composite_allow_times(2); /* a megabyte is laid out */
    composite_try(COMPOSITE_VECTORS, COMPOSITE_ANYTHING, NULL, "60,000 rows in 21,000 runs"); /* other hits, but sound */
    composite_allow_times(1);
}

/* Pages of nulls take more room in memory than in the file: too much for the budget, though no column has too many. */
static void many_small_pages(void) {
    enum { FRAGMENTS = 8, PAGES = 60000 };
    const struct lance_saying say = {.fragments = FRAGMENTS, .names_count = true, .rows = PAGES};
    struct lance_page constant = {.version = 2, .rows = 1, .file_rows = PAGES, .times = PAGES};
    struct lance_page plain = {.version = 2, .rows = PAGES, .buffer_count = 1};
    struct bytes layout = {.size = 0}, vectors = lance_vectors(LANCE_DIMENSION);
    size_t size, page_size, vector_size;
    put_bytes(&layout, 5, "\3", 1);
    constant.encoding = wrap(2, &layout);
    float *numbers = calloc(PAGES, LANCE_DIMENSION * sizeof(float));
    plain.encoding = lance_zip_of(0, 128, &vectors, PAGES);
    plain.buffers[0] = (struct lance_buffer){.data = numbers, .size = PAGES * LANCE_DIMENSION * sizeof(float)};
    uint8_t *pages = lance_file(&constant, &page_size), *vector = lance_file(&plain, &vector_size);
    for (unsigned i = 0; i < FRAGMENTS; i++) {
        char name[100];
        (void)snprintf(name, sizeof name, LANCE "data/id-%u.lance", i);
        composite_change(name, pages, page_size);
        (void)snprintf(name, sizeof name, LANCE "data/payload-%u.lance", i);
        composite_change(name, pages, page_size);
        (void)snprintf(name, sizeof name, LANCE "data/vector-%u.lance", i);
        composite_change(name, vector, vector_size);
    }
    uint8_t *manifest = lance_manifest(&say, &size);
    composite_change(LANCE_MANIFEST, manifest, size);
    composite_allow_times(5);
    composite_try(COMPOSITE_VECTORS, COMPOSITE_FAILS, "memory budget", "960,000 pages");
    composite_allow_times(1);
    free(manifest);
    free(pages);
    free(vector);
    free(numbers);
}

static void many_pages(void) {
    struct lance_page constant = {.version = 2, .rows = 1, .file_rows = LANCE_ROWS, .times = 70000};
    struct bytes layout = {.size = 0};
    put_bytes(&layout, 5, "\3", 1);
    constant.encoding = wrap(2, &layout);
    lance_try_page(LANCE_PAYLOAD, &constant, COMPOSITE_FAILS, "pages", "70,000 pages");
}

/* FSST makes eight bytes of one. */
static void long_codes(void) {
    enum { LONG = 9 << 20 };
    struct bytes encoding = fsst_of(1, 8, 0x46535354, 2312);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    uint8_t *rows = calloc(1, 4 + LONG + 8), offsets[8 * (LANCE_ROWS + 1)] = {0};
    store_le(rows, LONG, 4);
    for (unsigned i = 1; i <= LANCE_ROWS; i++) store_le(offsets + 8 * (size_t)i, 4 + LONG + 4 * (i - 1), 8);
    page.encoding = lance_zip(0, 0, &encoding);
    page.buffers[0] = (struct lance_buffer){.data = rows, .size = 4 + LONG + 8};
    page.buffers[1] = (struct lance_buffer){.data = offsets, .size = sizeof offsets};
    lance_try_page(LANCE_PAYLOAD, &page, COMPOSITE_FAILS, "FSST", "9 MiB of codes");
    free(rows);
}

void lance_bombs(void **state) {
    (void)state;
    many_runs();
    many_pages();
    many_small_pages();
    long_codes();
    zstd_bombs();
    lz4_bombs();
    composite_count("Lance files that unpack to much");
}
