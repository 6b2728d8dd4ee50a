#include "sqlite_mutate.h"

#include "support.h"

#include <string.h>

struct file {
    uint64_t *seed;
    uint8_t *bytes;
    size_t size, page_size, pages;
};

static size_t below(struct file *f, size_t bound) { return bound ? (size_t)(random_next(f->seed) % bound) : 0; }

/* A byte that is likelier than others to mean something. */
static uint8_t some_byte(struct file *f) {
    static const uint8_t telling[] = {0, 1, 2, 5, 10, 12, 13, 0x7f, 0x80, 0x81, 0xff};
    return below(f, 2) ? telling[below(f, sizeof telling)] : (uint8_t)random_next(f->seed);
}

/* ---- pages and cells of the sound file; where a change of before has made nonsense of them, any place will do ---- */

struct page {
    uint8_t *bytes;
    size_t header, cells_at, cell_count;
    uint8_t type;
};

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void store16(uint8_t *p, size_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}
static void store32(uint8_t *p, size_t value) {
    store16(p, value >> 16);
    store16(p + 2, value);
}

static struct page some_page(struct file *f) {
    size_t number = below(f, f->pages);
    struct page page = {.bytes = f->bytes + number * f->page_size, .header = number == 0 ? 100 : 0};
    page.type = page.bytes[page.header];
    page.cell_count = load16(page.bytes + page.header + 3);
    page.cells_at = page.header + (page.type == 2 || page.type == 5 ? 12 : 8);
    size_t room = (f->page_size - page.cells_at) / 2;
    if (page.cell_count > room) page.cell_count = room;
    return page;
}

static bool is_interior(const struct page *page) { return page->type == 2 || page->type == 5; }

/* The place of `size` bytes, somewhere in one of its cells (from its start: `reach`). */
static uint8_t *some_cell(struct file *f, const struct page *page, size_t reach, size_t size) {
    size_t at = below(f, f->page_size);
    if (page->cell_count) at = load16(page->bytes + page->cells_at + 2 * below(f, page->cell_count)) + below(f, reach);
    if (at + size > f->page_size) at = f->page_size - size;
    return page->bytes + at;
}

static size_t some_page_number(struct file *f) {
    static const size_t odd[] = {0, 0xffffffff, 0x7fffffff};
    return below(f, 12) ? below(f, f->pages + 3) : odd[below(f, 3)];
}

/* ---- the changes ---- */

static void change_byte(struct file *f) {
    size_t at = below(f, f->size);
    f->bytes[at] = below(f, 2) ? (uint8_t)(f->bytes[at] ^ 1u << below(f, 8)) : some_byte(f);
}

static void copy_block(struct file *f) {
    size_t length = 1 + below(f, below(f, 4) ? 32 : f->page_size), from = below(f, f->size), to = below(f, f->size);
    if (from + length <= f->size && to + length <= f->size) memmove(f->bytes + to, f->bytes + from, length);
}

static void copy_or_swap_pages(struct file *f) {
    uint8_t *a = some_page(f).bytes, *b = some_page(f).bytes;
    bool swaps = below(f, 2);
    for (size_t i = 0; i < f->page_size; i++) {
        uint8_t byte = a[i];
        if (swaps) a[i] = b[i];
        b[i] = byte;
    }
}

static void change_header(struct file *f) {
    static const uint8_t fields[] = {16, 17, 18, 19, 20, 21, 22, 23, 24, 27, 28, 30,
                                     31, 36, 40, 44, 47, 52, 55, 56, 59, 92, 95};
    f->bytes[fields[below(f, sizeof fields)]] = below(f, 2) ? some_byte(f) : (uint8_t)below(f, 5);
}

static void change_page_header(struct file *f) {
    static const uint8_t types[] = {0, 2, 5, 10, 13};
    struct page page = some_page(f);
    uint8_t *header = page.bytes + page.header;
    switch (below(f, 5)) {
    case 0: header[0] = types[below(f, sizeof types)]; break;
    case 1: store16(header + 3, below(f, page.cell_count + 3)); break;
    case 2: store16(header + 3, page.cell_count - 1); break;
    case 3: store32(header + 8, some_page_number(f)); break;
    default: header[below(f, 12)] = some_byte(f); break;
    }
}

static void change_pointers(struct file *f) {
    struct page page = some_page(f);
    if (page.cell_count == 0) return;
    uint8_t *a = page.bytes + page.cells_at + 2 * below(f, page.cell_count),
            *b = page.bytes + page.cells_at + 2 * below(f, page.cell_count);
    uint16_t was = load16(a);
    switch (below(f, 5)) {
    case 0: store16(a, below(f, f->page_size + 8)); break;
    case 1: store16(a, was + below(f, 9) - 4); break;
    case 2: store16(a, load16(b)); break; /* a row twice */
    default:                              /* rows out of order */
        store16(a, load16(b));
        store16(b, was);
        break;
    }
}

static void change_page_number(struct file *f) {
    struct page page = some_page(f);
    if (is_interior(&page)) {
        store32(below(f, 3) ? some_cell(f, &page, 1, 4) : page.bytes + page.header + 8, some_page_number(f));
    } else if (page.type != 10 && page.type != 13) {
        store32(page.bytes, some_page_number(f)); /* the next of an overflow page */
    } else {                                      /* perhaps where a cell says where it goes on */
        store32(some_cell(f, &page, f->page_size / 4, 4), some_page_number(f));
    }
}

/* Sizes, rowids, lengths of headers, serial types. */
static void change_varints(struct file *f) {
    struct page page = some_page(f);
    size_t skip = is_interior(&page) ? 4 : 0, length = below(f, 4) ? 1 : 1 + below(f, 9);
    uint8_t *at = some_cell(f, &page, below(f, 2) ? 1 : 8, skip + length) + skip;
    if (length > 1 && below(f, 2)) {
        memset(at, 0x80 | (int)below(f, 2) * 0x7f, length - 1);
        at[length - 1] = some_byte(f);
        return;
    }
    for (size_t i = 0; i < length; i++) at[i] = below(f, 2) ? (uint8_t)(at[i] + below(f, 5) - 2) : some_byte(f);
}

/* Bytes of keys, changed or exchanged with those of another cell: pages that are out of order. */
static void change_keys(struct file *f) {
    struct page page = some_page(f), other = below(f, 2) ? page : some_page(f);
    size_t length = 1 + below(f, 8);
    uint8_t *a = some_cell(f, &page, 24, length), *b = some_cell(f, &other, 24, length);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

static void change_size(struct file *f) {
    switch (below(f, 3)) {
    case 0: f->size = 1 + below(f, f->size); break;
    case 1: f->size = (1 + below(f, f->pages)) * f->page_size; break;
    default: {
        size_t more = below(f, SQLITE_MUTATE_ROOM / 4);
        random_fill(f->seed, f->bytes + f->size, more);
        f->size += more;
        break;
    }
    }
}

void sqlite_mutate(uint64_t *seed, uint8_t *bytes, size_t *size, size_t page_size) {
    static void (*const changes[])(struct file *) = {
        change_byte,        change_byte,        copy_block,      copy_or_swap_pages, change_page_header,
        change_page_header, change_pointers,    change_pointers, change_varints,     change_varints,
        change_varints,     change_page_number, change_keys,     change_page_number, change_keys,
    };
    struct file f = {seed, bytes, *size, page_size, *size / page_size};
    size_t count = 1 + below(&f, 4);
    for (size_t i = 0; i < count; i++) changes[below(&f, sizeof changes / sizeof changes[0])](&f);
    /* These mostly end in a refusal of the whole file. */
    if (below(&f, 12) == 0) change_header(&f);
    if (below(&f, 24) == 0) change_size(&f);
    *size = f.size;
}
