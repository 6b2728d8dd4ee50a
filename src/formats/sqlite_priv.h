/*
 * Pages and cells, for the walkers of this module. All of it is inlined: a lookup is a chain of cache misses, and
 * these few instructions hide behind them.
 */
#ifndef SHF_FORMATS_SQLITE_PRIV_H
#define SHF_FORMATS_SQLITE_PRIV_H

#include "base/cursor.h"
#include "formats/sqlite.h"

enum { PAGE_INTERIOR_INDEX = 2, PAGE_INTERIOR_TABLE = 5, PAGE_LEAF_INDEX = 10, PAGE_LEAF_TABLE = 13 };

/* An opened b-tree page: the type is one of the tree's kind, and the cell pointer array lies in the page. */
struct shf_sqlite_page {
    const uint8_t *bytes;
    uint32_t number;
    uint32_t cells_at; /* offset of the cell pointer array */
    uint32_t cell_count;
    uint32_t right_child; /* interior pages only */
    bool is_leaf;
};

/* Sets SHF_E_CORRUPT: "SQLite page P: ...". */
shf_status shf_sqlite_corrupt(struct shf_error **error, uint32_t page, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
#define shf_sqlite_corrupt(...) shf_failed(shf_sqlite_corrupt(__VA_ARGS__))

/* True for a page that may hold something. */
static inline bool shf_sqlite_page_exists(const struct shf_sqlite *db, uint32_t number) {
    return number >= 1 && number <= db->page_count && number != db->lock_page;
}

static inline const uint8_t *shf_sqlite_page_bytes(const struct shf_sqlite *db, uint32_t number) {
    return db->data + (uint64_t)(number - 1) * db->page_size;
}

/* Page `number` of an index tree or a table tree; from_page (0 = the schema) is named when there is no such page. */
static inline shf_status shf_sqlite_page_open(const struct shf_sqlite *db, uint32_t number, bool is_index,
                                              uint32_t from_page, struct shf_sqlite_page *out, struct shf_error **error) {
    if (!shf_sqlite_page_exists(db, number)) {
        return shf_sqlite_corrupt(error, from_page, "it points at page %u of %u", number, db->page_count);
    }
    const uint8_t *bytes = shf_sqlite_page_bytes(db, number);
    uint32_t header = number == 1 ? 100 : 0;
    uint8_t type = bytes[header];
    bool is_leaf = type == (is_index ? PAGE_LEAF_INDEX : PAGE_LEAF_TABLE);
    if (!is_leaf && type != (is_index ? PAGE_INTERIOR_INDEX : PAGE_INTERIOR_TABLE)) {
        return shf_sqlite_corrupt(error, number, "type %u is not that of %s tree", type,
                                  is_index ? "an index" : "a table");
    }
    out->bytes = bytes;
    out->number = number;
    out->is_leaf = is_leaf;
    out->cell_count = shf_load_u16be(bytes + header + 3);
    out->cells_at = header + (is_leaf ? 8 : 12);
    out->right_child = is_leaf ? 0 : shf_load_u32be(bytes + header + 8);
    if (out->cells_at + 2 * out->cell_count > db->usable_size) {
        return shf_sqlite_corrupt(error, number, "%u cells do not fit", out->cell_count);
    }
    /* Only a root may be empty; an interior one only on page 1, whose 100 bytes of header can push all cells out. */
    if (out->cell_count == 0 && (is_leaf ? from_page != 0 : number != 1)) {
        return shf_sqlite_corrupt(error, number, "it has no cells");
    }
    return SHF_OK;
}

/* Varint of section 1.6: 1 to 9 bytes, big-endian groups of 7 bits, the ninth byte whole. Moves *at; false at the end. */
static inline bool shf_sqlite_varint(const uint8_t **at, const uint8_t *end, uint64_t *out) {
    const uint8_t *p = *at;
    if (p >= end) return false;
    if (p[0] < 0x80) {
        *out = p[0];
        *at = p + 1;
        return true;
    }
    uint64_t value = 0;
    for (int i = 0; i < 9 && p < end; i++, p++) {
        if (i == 8) {
            *out = value << 8 | *p;
            *at = p + 1;
            return true;
        }
        value = value << 7 | (*p & 0x7f);
        if (*p < 0x80) {
            *out = value;
            *at = p + 1;
            return true;
        }
    }
    return false;
}

/*
 * The size of a payload. One of nine bytes, which nobody writes (a size has 31 bits), is refused: SQLite itself reads such a
 * one in different ways, depending on whether it needs the size or only what follows it.
 */
static inline bool shf_sqlite_payload_size(const uint8_t **at, const uint8_t *end, uint64_t *out) {
    const uint8_t *begin = *at;
    if (begin < end && *begin < 0x80) {
        *out = *begin;
        *at = begin + 1;
        return true;
    }
    return shf_sqlite_varint(at, end, out) && *at - begin < 9;
}

/* Bytes of cell `index`, to the end of the usable part of the page; false when its offset is out of place. */
static inline bool shf_sqlite_cell_bytes(const struct shf_sqlite *db, const struct shf_sqlite_page *page,
                                         uint32_t index, const uint8_t **at, const uint8_t **end) {
    uint32_t offset = shf_load_u16be(page->bytes + page->cells_at + 2 * index);
    if (offset < page->cells_at + 2 * page->cell_count || offset > db->usable_size - 4) return false;
    *at = page->bytes + offset;
    *end = page->bytes + db->usable_size;
    return true;
}

/* The payload that begins at `at`, of `size` bytes in all, of which a cell may hold max_local. */
static inline bool shf_sqlite_payload_place(const struct shf_sqlite *db, const uint8_t *at, const uint8_t *end,
                                            uint64_t size, uint32_t max_local, struct shf_sqlite_payload *out) {
    size_t left = (size_t)(end - at);
    out->local = at;
    out->size = size;
    if (size <= max_local) {
        out->local_size = (uint32_t)size;
        out->overflow_page = 0;
        return size <= left;
    }
    if (size > SHF_LIMIT_VALUE_BYTES || size > db->size) return false;
    uint32_t local = db->local_min + (uint32_t)((size - db->local_min) % (db->usable_size - 4));
    if (local > max_local) local = db->local_min;
    if ((size_t)local + 4 > left) return false;
    out->local_size = local;
    out->overflow_page = shf_load_u32be(at + local);
    return shf_sqlite_page_exists(db, out->overflow_page);
}

/* A cell of an index tree; *child is 0 on a leaf. */
static inline bool shf_sqlite_index_cell(const struct shf_sqlite *db, const struct shf_sqlite_page *page,
                                         uint32_t index, uint32_t *child, struct shf_sqlite_payload *payload) {
    const uint8_t *at, *end;
    uint64_t size;
    if (!shf_sqlite_cell_bytes(db, page, index, &at, &end)) return false;
    *child = 0;
    if (!page->is_leaf) {
        *child = shf_load_u32be(at); /* a cell has at least 4 bytes */
        at += 4;
    }
    return shf_sqlite_payload_size(&at, end, &size) &&
           shf_sqlite_payload_place(db, at, end, size, db->local_max_index, payload);
}

/* Rowid of a leaf's cell, or separator of an interior one (then *child is set). payload may be NULL. */
static inline bool shf_sqlite_table_cell(const struct shf_sqlite *db, const struct shf_sqlite_page *page, uint32_t index,
                                         uint32_t *child, int64_t *rowid, struct shf_sqlite_payload *payload) {
    const uint8_t *at, *end;
    uint64_t size = 0, key;
    if (!shf_sqlite_cell_bytes(db, page, index, &at, &end)) return false;
    *child = 0;
    if (page->is_leaf) {
        if (!shf_sqlite_payload_size(&at, end, &size)) return false;
    } else {
        *child = shf_load_u32be(at);
        at += 4;
    }
    if (!shf_sqlite_varint(&at, end, &key)) return false;
    *rowid = (int64_t)key;
    if (!page->is_leaf || !payload) return true;
    return shf_sqlite_payload_place(db, at, end, size, db->local_max_table, payload);
}

static inline shf_status shf_sqlite_bad_cell(struct shf_error **error, uint32_t page, uint32_t cell) {
    return shf_sqlite_corrupt(error, page, "cell %u is malformed", cell);
}

static inline shf_status shf_sqlite_too_deep(struct shf_error **error, uint32_t root) {
    return shf_sqlite_corrupt(error, root, "the tree is deeper than %u levels", SHF_LIMIT_BTREE_DEPTH);
}

/* Bytes that a serial type of a record takes (section 2.1); false for 10 and 11, which are not used. */
static inline bool shf_sqlite_serial_size(uint64_t serial, uint64_t *size) {
    static const uint8_t fixed[10] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    if (serial >= 12) {
        *size = (serial - 12) / 2;
        return true;
    }
    if (serial >= 10) return false;
    *size = fixed[serial];
    return true;
}

#endif
