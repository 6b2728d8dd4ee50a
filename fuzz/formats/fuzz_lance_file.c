/*
 * A Lance data file, each column as texts and as vectors. The first byte is the dimension. Of the second, 0 = the rest is the
 * file. Else it is 1 + the version, and a file of one column and one page is made here, so that the fuzzer gets to the
 * encodings: u16 rows, u16 bytes of the encoding, u16 sizes of three buffers (big-endian), the encoding, the buffers.
 */
#include "base/cursor.h"
#include "formats/lance/column.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_READ 200u
#define COLUMNS_READ 6u
#define BUDGET_BYTES (16u << 20)

static void drop(struct shf_error *error) {
    if (!error) __builtin_trap();
    shf_error_free(error);
}

/* ---- reading ---- */

static void read_texts(const struct shf_lance_column *column, uint64_t rows) {
    struct shf_lance_text text = {0};
    for (uint64_t i = 0; i < rows && i < ROWS_READ; i++) {
        struct shf_error *error = NULL;
        uint64_t row = i < ROWS_READ / 2 ? i : rows - 1 - (i - ROWS_READ / 2) % rows;
        if (shf_lance_column_text(column, row, &text, &error)) {
            drop(error);
            continue;
        }
        uint8_t sum = 0;
        for (size_t at = 0; !text.is_null && at < text.size; at++) sum = (uint8_t)(sum + text.data[at]);
        if (text.is_null && text.size != 0) __builtin_trap();
        (void)sum;
    }
    shf_lance_text_free(&text);
}

/* In one run, and one by one, which must agree. */
static void read_vectors(const struct shf_lance_column *column, uint64_t rows) {
    struct shf_error *error = NULL;
    uint64_t first = rows > ROWS_READ ? rows - ROWS_READ : 0, count = rows - first;
    size_t bytes = column->dimension * sizeof(float);
    float *all = malloc(count * bytes + 1), *one = malloc(bytes);
    if (shf_lance_column_vectors(column, first, count, all, &error)) {
        drop(error);
        count = 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (shf_lance_column_vectors(column, first + i, 1, one, NULL)) __builtin_trap();
        if (memcmp(one, all + i * column->dimension, bytes) != 0) __builtin_trap();
    }
    free(all);
    free(one);
}

static void use_column(const struct shf_lance_file *file, uint32_t number, uint32_t dimension) {
    struct shf_lance_column column;
    struct shf_error *error = NULL;
    if (shf_lance_column_open(&column, file, number, dimension, &error)) {
        drop(error);
        return;
    }
    struct shf_lance_range ranges[8];
    size_t all = shf_lance_column_ranges(&column, SHF_LANCE_RANGES_ALL, ranges, 8);
    if (shf_lance_column_ranges(&column, SHF_LANCE_RANGES_INDEX, ranges, 8) > all) __builtin_trap();
    if (shf_lance_column_prepare(&column, &error)) {
        drop(error);
    } else if (dimension) {
        read_vectors(&column, file->rows);
    } else {
        read_texts(&column, file->rows);
    }
    shf_lance_column_close(&column);
}

static void use_file(const uint8_t *data, size_t size, uint32_t dimension) {
    struct shf_lance_source source = shf_lance_source_of(data, size);
    struct shf_budget budget;
    struct shf_lance_file file;
    struct shf_error *error = NULL;
    if (shf_lance_file_open(&file, &source, &error)) {
        drop(error);
        return;
    }
    shf_budget_init(&budget, BUDGET_BYTES);
    file.budget = &budget;
    for (uint32_t i = 0; i <= file.footer.column_count && i < COLUMNS_READ; i++) {
        use_column(&file, i, 0);
        use_column(&file, i, dimension);
    }
    if (budget.used_bytes != 0) __builtin_trap();
}

/* ---- making ---- */

struct maker {
    uint8_t *data;
    size_t size;
};

static void put(struct maker *maker, const void *data, size_t size) {
    if (size) memcpy(maker->data + maker->size, data, size);
    maker->size += size;
}

static void put_varint(struct maker *maker, uint64_t value) {
    for (; value >= 0x80; value >>= 7) maker->data[maker->size++] = (uint8_t)(value | 0x80);
    maker->data[maker->size++] = (uint8_t)value;
}

static void put_bytes(struct maker *maker, uint32_t field, const void *data, size_t size) {
    put_varint(maker, field << 3 | 2);
    put_varint(maker, size);
    put(maker, data, size);
}

/* The content becomes a message in a field. */
static void wrap(struct maker *maker, uint32_t field, struct maker *room) {
    room->size = 0;
    put_bytes(room, field, maker->data, maker->size);
    memcpy(maker->data, room->data, room->size);
    maker->size = room->size;
}

static void make_metadata(struct maker *out, struct maker *room, unsigned version, uint64_t rows,
                          const uint8_t *encoding, size_t encoding_size, const uint16_t sizes[3]) {
    const char *url = version == 0 ? "/lance.encodings.ArrayEncoding" : "/lance.encodings21.PageLayout";
    struct maker page = {.data = malloc(encoding_size + 512)};
    uint64_t offset = 0;
    put_bytes(out, 1, url, strlen(url));
    put_bytes(out, 2, encoding, encoding_size);
    wrap(out, 1, room); /* Direct{1 encoding} */
    wrap(out, 2, room); /* Encoding{2 direct} */
    room->size = 0;
    for (unsigned i = 0; i < 3; i++) {
        put_varint(room, offset);
        offset += sizes[i];
    }
    put_bytes(&page, 1, room->data, room->size);
    room->size = 0;
    for (unsigned i = 0; i < 3; i++) put_varint(room, sizes[i]);
    put_bytes(&page, 2, room->data, room->size);
    put_varint(&page, 3 << 3);
    put_varint(&page, rows);
    put_bytes(&page, 4, out->data, out->size);
    out->size = 0;
    put_bytes(out, 2, page.data, page.size);
    free(page.data);
}

static void use_made(const uint8_t *data, size_t size, unsigned version, uint32_t dimension) {
    static const uint8_t versions[3][4] = {{0, 0, 3, 0}, {2, 0, 1, 0}, {2, 0, 2, 0}}; /* u16 major, u16 minor */
    struct shf_cursor c = shf_cursor_of(data, size);
    uint16_t rows, encoding_size, sizes[3];
    const uint8_t *encoding, *buffers;
    if (!shf_cursor_u16be(&c, &rows) || !shf_cursor_u16be(&c, &encoding_size)) return;
    for (unsigned i = 0; i < 3; i++) {
        if (!shf_cursor_u16be(&c, &sizes[i])) return;
    }
    size_t buffer_bytes = (size_t)sizes[0] + sizes[1] + sizes[2];
    if (!shf_cursor_bytes(&c, encoding_size, &encoding) || !shf_cursor_bytes(&c, buffer_bytes, &buffers)) return;
    struct maker file = {.data = malloc(buffer_bytes + encoding_size + 2048)};
    struct maker metadata = {.data = malloc((size_t)encoding_size + 1024)},
                 room = {.data = malloc((size_t)encoding_size + 1024)};
    make_metadata(&metadata, &room, version, rows, encoding, encoding_size, sizes);
    put(&file, buffers, buffer_bytes);
    size_t descriptor = file.size;
    put_varint(&file, 2 << 3);
    put_varint(&file, rows);
    size_t column = file.size;
    put(&file, metadata.data, metadata.size);
    uint8_t tables[32], footer[40] = {0};
    shf_store_u64le(tables, column);
    shf_store_u64le(tables + 8, metadata.size);
    shf_store_u64le(tables + 16, descriptor);
    shf_store_u64le(tables + 24, column - descriptor);
    shf_store_u64le(footer, column);
    shf_store_u64le(footer + 8, file.size);
    shf_store_u64le(footer + 16, file.size + 16);
    shf_store_u32le(footer + 24, 1);
    shf_store_u32le(footer + 28, 1);
    memcpy(footer + 32, versions[version], 4);
    memcpy(footer + 36, "LANC", 4);
    put(&file, tables, sizeof tables);
    put(&file, footer, sizeof footer);
    uint8_t *exact = malloc(file.size); /* so that a read past the end is seen */
    memcpy(exact, file.data, file.size);
    use_file(exact, file.size, dimension);
    free(exact);
    free(file.data);
    free(metadata.data);
    free(room.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    uint32_t dimension = data[0] ? data[0] : 1;
    if (data[1] == 0) {
        use_file(data + 2, size - 2, dimension);
    } else {
        use_made(data + 2, size - 2, (data[1] - 1u) % 3, dimension);
    }
    return 0;
}
