/* Lance files that take more memory or time than one would think. */
#include "hostile/lance.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* ---- packed ---- */

/* A full-zip page of three compressed texts: told sizes, then a zstd frame each. */
static void try_zstd(uint64_t told, const uint8_t *frame, size_t frame_size, enum composite_wish wish, const char *text,
                     const char *name) {
    struct bytes encoding = lance_general(2);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    size_t row_size = 4 + 8 + frame_size;
    uint8_t *rows = malloc(LANCE_ROWS * row_size), offsets[8 * (LANCE_ROWS + 1)];
    for (size_t i = 0; i < LANCE_ROWS; i++) {
        uint8_t *at = rows + i * row_size;
        lance_store(at, 8 + frame_size, 4);
        lance_store(at + 4, told, 8);
        if (frame_size) memcpy(at + 12, frame, frame_size);
    }
    for (size_t i = 0; i <= LANCE_ROWS; i++) lance_store(offsets + 8 * i, i * row_size, 8);
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
    lance_store(padded + size, 0x184d2a50, 4);
    lance_store(padded + size + 4, LARGE / 900 - 8, 4);
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
    lance_store(plain, 32, 4);
    lance_store(plain + 4, 16, 4);
    lance_store(plain + 12, 5, 4);
    memcpy(plain + 16, "a few", 5);
    for (int i = 0; i < 2; i++) {
        int size = i ? LARGE : MIDDLE;
        int got = LZ4_compress_default((const char *)plain, (char *)packed + 4, size, LZ4_compressBound(LARGE));
        assert_true(got > 0);
        lance_store(packed, (uint32_t)size, 4);
        try_dictionary(packed, (size_t)got + 4, 1, i ? "dictionary" : NULL, i ? "70 MB" : "60 MB");
        lance_store(packed, UINT32_MAX, 4);
        try_dictionary(packed, (size_t)got + 4, 1, "dictionary", "it says to be 4 GiB");
    }
    int got = LZ4_compress_default((const char *)plain, (char *)packed + 4, 21, 100);
    lance_store(packed, 21, 4);
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
    lance_store(out, ROWS, 2);
    lance_store(out + 2, LEVEL_BYTES, 2);
    lance_store(out + 4, data_size, 4);
    lance_store(out + levels_at, 2 * RUNS, 8);
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
    for (unsigned i = 0; i <= ROWS; i++) lance_store(data + 4 * (size_t)i, 4 * (ROWS + 1), 4); /* empty ids */
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
    struct bytes encoding = lance_fsst(1, 8, 0x46535354, 2312);
    struct lance_page page = {.version = 2, .rows = LANCE_ROWS, .buffer_count = 2};
    uint8_t *rows = calloc(1, 4 + LONG + 8), offsets[8 * (LANCE_ROWS + 1)] = {0};
    lance_store(rows, LONG, 4);
    for (unsigned i = 1; i <= LANCE_ROWS; i++) lance_store(offsets + 8 * (size_t)i, 4 + LONG + 4 * (i - 1), 8);
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
