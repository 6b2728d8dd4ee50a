/*
 * A record that lies in one piece, and the same one cut at some place with its rest in an overflow chain: both are read
 * alike, whatever the bytes are. The input: the encoding of texts, the place of the cut, the record.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "formats/sqlite.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 512u
#define SHARE (PAGE_BYTES - 4u) /* bytes of a chain that a page holds */

static void demand(bool truth) {
    if (!truth) __builtin_trap();
}

/* Pages 2, 3, ... hold the bytes. */
static uint8_t *make_chain(const uint8_t *bytes, size_t size, uint32_t *pages) {
    *pages = 1 + (uint32_t)((size + SHARE - 1) / SHARE);
    uint8_t *file = calloc(*pages, PAGE_BYTES);
    demand(file != NULL);
    for (uint32_t page = 2; size > 0; page++) {
        size_t part = size < SHARE ? size : SHARE;
        uint8_t *to = file + (size_t)(page - 1) * PAGE_BYTES;
        if (size > part) memcpy(to, (uint8_t[]){0, 0, (uint8_t)((page + 1) >> 8), (uint8_t)(page + 1)}, 4);
        memcpy(to + 4, bytes, part);
        bytes += part;
        size -= part;
    }
    return file;
}

static void compare_texts(const struct shf_sqlite *db, const struct shf_sqlite_record *whole,
                          const struct shf_sqlite_record *cut, uint32_t column) {
    char *a = NULL, *b = NULL;
    size_t a_size = 0, b_size = 0;
    shf_status status = shf_sqlite_column_text(db, whole, &whole->columns[column], 4096, &a, &a_size, NULL);
    demand(status == shf_sqlite_column_text(db, cut, &cut->columns[column], 4096, &b, &b_size, NULL));
    if (status) return;
    demand(a_size == b_size && memcmp(a, b, a_size + 1) == 0 && strlen(a) == a_size && shf_utf8_valid(a, a_size));
    shf_free(a);
    shf_free(b);
}

static void compare_columns(const struct shf_sqlite *db, const struct shf_sqlite_record *whole,
                            const struct shf_sqlite_record *cut) {
    demand(whole->column_count == cut->column_count && whole->column_count <= SHF_LIMIT_RECORD_COLUMNS);
    for (uint32_t i = 0; i < whole->column_count; i++) {
        const struct shf_sqlite_column *a = &whole->columns[i], *b = &cut->columns[i];
        demand(a->type == b->type && a->integer == b->integer && a->offset == b->offset && a->size == b->size);
        if (a->type == SHF_SQLITE_REAL) demand(a->real == b->real); /* so it is no NaN either */
        if (a->type != SHF_SQLITE_TEXT && a->type != SHF_SQLITE_BLOB) continue;
        uint8_t *copy = malloc((size_t)b->size + 1);
        demand(copy && shf_sqlite_column_copy(db, cut, b, copy, NULL) == SHF_OK);
        const uint8_t *in_place = shf_sqlite_column_in_place(whole, a);
        demand(in_place && memcmp(in_place, copy, (size_t)a->size) == 0);
        in_place = shf_sqlite_column_in_place(cut, b);
        demand(!in_place || memcmp(in_place, copy, (size_t)a->size) == 0);
        free(copy);
        compare_texts(db, whole, cut, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    enum shf_sqlite_text text = (enum shf_sqlite_text)(1 + data[0] % 3);
    size_t local = data[1];
    data += 2;
    size -= 2;
    if (local > size) local = size;
    struct shf_sqlite db = {.page_size = PAGE_BYTES, .usable_size = PAGE_BYTES, .text = text};
    uint8_t *file = make_chain(data + local, size - local, &db.page_count), *front = malloc(local ? local : 1);
    struct shf_sqlite_record *records = calloc(2, sizeof *records);
    demand(front && records);
    memcpy(front, data, local);
    db.data = file;
    db.size = (uint64_t)db.page_count * PAGE_BYTES;
    struct shf_sqlite_payload whole = {.local = data, .local_size = (uint32_t)size, .size = size};
    struct shf_sqlite_payload cut = {
        .local = front, .local_size = (uint32_t)local, .overflow_page = local < size ? 2 : 0, .size = size};
    shf_status status = shf_sqlite_record_decode(&db, &whole, &records[0], NULL);
    shf_status other = shf_sqlite_record_decode(&db, &cut, &records[1], NULL);
    /* The size of the header must lie in the page; a cell of the format has room for it. */
    if (local >= 9 || local == size) demand(status == other);
    if (!status && !other) compare_columns(&db, &records[0], &records[1]);
    free(records);
    free(front);
    free(file);
    return 0;
}
