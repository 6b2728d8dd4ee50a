/* Shards whose file header, b-tree pages, cells and overflow chains are wrong. */
#include "hostile/pages.h"

#include <stdio.h>

/* ---- file header ---- */

static void header_fields(int page_size) {
    static const struct {
        unsigned at, bytes;
        uint64_t value;
        enum hostile_wish wish;
        const char *rule;
    } fields[] = {
        {0, 1, 's', HOSTILE_FAILS, "magic"},
        {15, 1, 1, HOSTILE_FAILS, "magic"},
        {16, 2, 0, HOSTILE_FAILS, "page size"},
        {16, 2, 1, HOSTILE_MAY_DO, "page size 65536"},
        {16, 2, 256, HOSTILE_FAILS, "page size"},
        {16, 2, 511, HOSTILE_FAILS, "page size"},
        {16, 2, 513, HOSTILE_FAILS, "page size"},
        {16, 2, 1000, HOSTILE_FAILS, "page size"},
        {16, 2, 2048, HOSTILE_MAY_DO, "another page size"},
        {16, 2, 32768, HOSTILE_MAY_DO, "another page size"},
        {16, 2, 0xffff, HOSTILE_FAILS, "page size"},
        {18, 1, 2, HOSTILE_MAY_DO, "write version"},
        {18, 2, 0x0202, HOSTILE_FAILS, "WAL mode"},
        {19, 1, 2, HOSTILE_FAILS, "WAL mode"},
        {19, 1, 0, HOSTILE_FAILS, "read version"},
        {19, 1, 3, HOSTILE_FAILS, "read version"},
        {20, 1, 1, HOSTILE_MAY_DO, "reserved space"},
        {20, 1, 32, HOSTILE_MAY_DO, "reserved space"},
        {20, 1, 255, HOSTILE_MAY_DO, "reserved space"},
        {21, 1, 63, HOSTILE_FAILS, "payload fraction"},
        {21, 1, 255, HOSTILE_FAILS, "payload fraction"},
        {22, 1, 0, HOSTILE_FAILS, "payload fraction"},
        {23, 1, 33, HOSTILE_FAILS, "payload fraction"},
        {44, 4, 5, HOSTILE_FAILS, "schema format"},
        {44, 4, 0xffffffff, HOSTILE_FAILS, "schema format"},
        {56, 4, 0, HOSTILE_FAILS, "text encoding"},
        {56, 4, 2, HOSTILE_FAILS, "text encoding of a shard"},
        {56, 4, 3, HOSTILE_FAILS, "text encoding of a shard"},
        {56, 4, 4, HOSTILE_FAILS, "text encoding"},
        {56, 4, 0xffffffff, HOSTILE_FAILS, "text encoding"},
        {28, 4, 0, HOSTILE_MAY_DO, "page count"},
        {28, 4, 1, HOSTILE_MAY_DO, "page count"},
        {28, 4, 0x7fffffff, HOSTILE_FAILS, "page count"},
        {28, 4, 0xffffffff, HOSTILE_FAILS, "page count"},
        {32, 4, 0xffffffff, HOSTILE_MAY_DO, "first page of the freelist"},
        {36, 4, 0xffffffff, HOSTILE_MAY_DO, "pages of the freelist"},
        {52, 4, 0xffffffff, HOSTILE_MAY_DO, "largest root page of vacuum"},
        {64, 4, 1, HOSTILE_MAY_DO, "incremental vacuum"},
    };
    struct scratch s = scratch_of(page_size);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        put_be(s.data + fields[i].at, fields[i].bytes, fields[i].value);
        SCRATCH_TRY(&s, fields[i].wish, fields[i].rule, "%d: header byte %u is %#llx", page_size, fields[i].at,
                    (unsigned long long)fields[i].value);
    }
    free(s.data);
}

static void cuts(int page_size) {
    const struct bytes *whole = hostile_sound(HOSTILE_SHARD, page_size);
    size_t page = (size_t)page_size, size = whole->size;
    const size_t at[] = {0,
                         1,
                         15,
                         16,
                         17,
                         99,
                         100,
                         101,
                         107,
                         page - 1,
                         page,
                         page + 1,
                         2 * page - 1,
                         2 * page,
                         size / 2,
                         size / 2 + page / 2,
                         size - page - 1,
                         size - page,
                         size - page + 1,
                         size - 5,
                         size - 1};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        hostile_try(HOSTILE_SHARD, HOSTILE_FAILS, "the file holds its pages", whole->data, at[i], "%d: cut at %zu",
                    page_size, at[i]);
    }
    uint8_t *longer = calloc(1, size + page);
    memcpy(longer, whole->data, size);
    hostile_try(HOSTILE_SHARD, HOSTILE_ANSWERS, "nothing: trailing bytes are read", longer, size + 1,
                "%d: one byte more", page_size);
    hostile_try(HOSTILE_SHARD, HOSTILE_ANSWERS, "nothing: trailing bytes are read", longer, size + page,
                "%d: a page more", page_size);
    memset(longer, 0, size);
    hostile_try(HOSTILE_SHARD, HOSTILE_FAILS, "magic", longer, size, "%d: zeros", page_size);
    memset(longer, 0xff, size);
    hostile_try(HOSTILE_SHARD, HOSTILE_FAILS, "magic", longer, size, "%d: ones", page_size);
    free(longer);
}

void hostile_headers(void **state) {
    (void)state;
    header_fields(512);
    header_fields(65536);
    cuts(512);
    cuts(4096);
    hostile_count("headers and cuts");
}

/* ---- pages ---- */

struct tree {
    const char *table;
    uint32_t root;
    bool is_index;
};

static uint32_t header_at(uint32_t number) { return number == 1 ? 100 : 0; }
static bool is_leaf(const uint8_t *page, uint32_t number) { return page[header_at(number)] >= 10; }
static uint32_t cells_at(const uint8_t *page, uint32_t number) {
    return header_at(number) + (is_leaf(page, number) ? 8 : 12);
}
static uint32_t cell_count(const uint8_t *page, uint32_t number) { return get_be(page + header_at(number) + 3, 2); }
static uint32_t cell_offset(const uint8_t *page, uint32_t number, uint32_t cell) {
    return get_be(page + cells_at(page, number) + 2 * cell, 2);
}

/* A varint's bytes and value; SQLite's sizes stay within 32 bits here. */
static unsigned varint(const uint8_t *at, uint32_t *value) {
    unsigned used = 0;
    *value = 0;
    do *value = *value << 7 | (at[used] & 0x7f);
    while (at[used++] & 0x80 && used < 9);
    return used;
}

static void page_fields(struct scratch *s, const struct tree *tree, uint32_t number, enum hostile_wish root_wish) {
    const uint8_t *sound = page_of(s, number);
    uint32_t header = header_at(number), count = cell_count(sound, number);
    uint8_t *page = page_of(s, number);
    static const uint8_t types[] = {0, 1, 2, 3, 5, 7, 10, 13, 255};
    for (size_t i = 0; i < sizeof types; i++) {
        if (types[i] == sound[header]) continue;
        bool is_of_tree = tree->is_index ? types[i] == 2 || types[i] == 10 : types[i] == 5 || types[i] == 13;
        page[header] = types[i];
        SCRATCH_TRY(s, is_of_tree ? HOSTILE_MAY_DO : root_wish, "type of a page", "%d: %s page %u is of type %u",
                    s->page_size, tree->table, number, types[i]);
    }
    const uint32_t counts[] = {0, 1, count - 1, count + 1, (uint32_t)s->page_size / 2, 0x7fff, 0xffff};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        put_be(page + header + 3, 2, counts[i]);
        /* Where 65,535 pointers find room, what is in them is another page's. */
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "number of cells", "%d: %s page %u has %u cells, not %u", s->page_size,
                    tree->table, number, counts[i], count);
    }
    memset(page + header, 0, (size_t)s->page_size - header);
    SCRATCH_TRY(s, root_wish, "a page in use is a page", "%d: %s page %u is all zeros", s->page_size, tree->table,
                number);
    memset(page + header, 0xff, (size_t)s->page_size - header);
    SCRATCH_TRY(s, root_wish, "a page in use is a page", "%d: %s page %u is all ones", s->page_size, tree->table, number);
    memset(page + header + (is_leaf(page, number) ? 8 : 12), 0, (size_t)s->page_size - header - 12);
    SCRATCH_TRY(s, HOSTILE_MAY_DO, "cells are where the pointers say", "%d: %s page %u has its header alone",
                s->page_size, tree->table, number);
}

static void cell_pointers(struct scratch *s, const struct tree *tree, uint32_t number) {
    uint8_t *page = page_of(s, number);
    uint32_t at = cells_at(page, number), count = cell_count(page, number);
    if (count == 0) return;
    const uint32_t offsets[] = {0,
                                header_at(number),
                                at,
                                at + 2 * count - 1,
                                cell_offset(page, number, count - 1) + 1,
                                (uint32_t)s->page_size - 1,
                                (uint32_t)s->page_size - 4,
                                (uint32_t)s->page_size,
                                0xffff};
    const uint32_t cells[] = {0, count / 2, count - 1};
    for (size_t c = 0; c < 3; c++) {
        if (c > 0 && cells[c] == cells[c - 1]) continue;
        for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
            put_be(page + at + 2 * cells[c], 2, offsets[i]);
            SCRATCH_TRY(s, HOSTILE_MAY_DO, "a pointer is to a cell", "%d: %s page %u, pointer %u is %u", s->page_size,
                        tree->table, number, cells[c], offsets[i] & 0xffff);
        }
    }
    for (uint32_t i = 1; i < count; i++) memcpy(page + at + 2 * i, page + at, 2);
    SCRATCH_TRY(s, HOSTILE_MAY_DO, "cells do not overlap", "%d: %s page %u, all pointers the same", s->page_size,
                tree->table, number);
    for (uint32_t i = 0; i < count; i++)
        put_be(page + at + 2 * i, 2, cell_offset(s->sound->data + (page - s->data), number, count - 1 - i));
    SCRATCH_TRY(s, HOSTILE_MAY_DO, "cells are in order", "%d: %s page %u, pointers reversed", s->page_size, tree->table,
                number);
}

/* Bytes at the start of a leaf's cell: lengths that no record has. */
static void cell_lengths(struct scratch *s, const struct tree *tree, uint32_t number) {
    static const struct {
        uint8_t bytes[9];
        unsigned size;
        const char *what;
    } lengths[] = {
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9, "2^64-1"},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 9, "huge"},
        {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 9, "0 in nine bytes"},
        {{0x87, 0xff, 0xff, 0xff, 0x7f}, 5, "2^31-1"},
        {{0x88, 0x80, 0x80, 0x80, 0x00}, 5, "2^31"},
        {{0x8f, 0xff, 0xff, 0xff, 0x7f}, 5, "2^32-1"},
        {{0xbf, 0x7f}, 2, "8191"},
        {{0x7f}, 1, "127"},
        {{0x00}, 1, "0"},
        {{0x01}, 1, "1"},
    };
    uint8_t *page = page_of(s, number);
    uint32_t count = cell_count(page, number), skip = is_leaf(page, number) ? 0 : 4;
    if (count == 0) return;
    uint32_t at = cell_offset(page, number, count / 2) + skip;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (at + lengths[i].size > (uint32_t)s->page_size) continue;
        memcpy(page + at, lengths[i].bytes, lengths[i].size);
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "length of a payload", "%d: %s page %u, cell %u of %s bytes", s->page_size,
                    tree->table, number, count / 2, lengths[i].what);
    }
    uint32_t length, rowid;
    at += varint(page + at, &length);
    if (!tree->is_index && is_leaf(page, number)) at += varint(page + at, &rowid);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) { /* here: the record's header */
        if (at + lengths[i].size > (uint32_t)s->page_size) continue;
        memcpy(page + at, lengths[i].bytes, lengths[i].size);
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "length of a record's header", "%d: %s page %u, cell %u with a header of %s bytes",
                    s->page_size, tree->table, number, count / 2, lengths[i].what);
        memcpy(page + at + 1, lengths[i].bytes, lengths[i].size);
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "serial type", "%d: %s page %u, cell %u with the serial type %s", s->page_size,
                    tree->table, number, count / 2, lengths[i].what);
    }
    for (uint8_t serial = 0; serial < 12; serial++) {
        page[at + 1] = serial;
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "types of columns", "%d: %s page %u, cell %u with a first column of type %u",
                    s->page_size, tree->table, number, count / 2, serial);
    }
}

/* Where an interior page sends one. */
static void children(struct scratch *s, const struct tree *tree, uint32_t number) {
    uint8_t *page = page_of(s, number);
    uint32_t header = header_at(number), count = cell_count(page, number);
    uint32_t pages = (uint32_t)(s->sound->size / (size_t)s->page_size);
    const uint32_t targets[] = {0, 1, number, tree->root, pages, pages + 1, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        put_be(page + header + 8, 4, targets[i]);
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "a child is a page below", "%d: %s page %u, right-most child is %u",
                    s->page_size, tree->table, number, targets[i]);
        put_be(page + cell_offset(page, number, 0), 4, targets[i]);
        SCRATCH_TRY(s, HOSTILE_MAY_DO, "a child is a page below", "%d: %s page %u, first child is %u", s->page_size,
                    tree->table, number, targets[i]);
        for (uint32_t cell = 0; cell < count; cell++) put_be(page + cell_offset(page, number, cell), 4, targets[i]);
        put_be(page + header + 8, 4, targets[i]);
        SCRATCH_TRY(s, HOSTILE_FAILS, "a child is a page below", "%d: %s page %u, all children are %u", s->page_size,
                    tree->table, number, targets[i]);
    }
}

static void attack_tree(struct scratch *s, const struct tree *tree) {
    uint32_t number = tree->root;
    for (int depth = 0; depth < 4; depth++) {
        const uint8_t *page = page_of(s, number);
        page_fields(s, tree, number, depth == 0 ? HOSTILE_FAILS : HOSTILE_MAY_DO);
        cell_pointers(s, tree, number);
        if (is_leaf(page, number) || tree->is_index) cell_lengths(s, tree, number);
        if (is_leaf(page, number)) return;
        children(s, tree, number);
        number = get_be(page + cell_offset(page, number, cell_count(page, number) / 2), 4);
    }
}

/* ---- overflow chains ---- */

/* Every page of the first chain of 5,000 bytes is sent elsewhere, one after the other. */
static void chains(struct scratch *s, const char *table, uint32_t first) {
    uint32_t pages = (uint32_t)(s->sound->size / (size_t)s->page_size), position = 0, last = 0, all[64];
    for (uint32_t number = first; number && position < 64; number = get_be(page_of(s, number), 4)) {
        all[position++] = number;
        last = number;
    }
    for (uint32_t i = 0; i<position; i += position> 6 ? 5 : 1) {
        const uint32_t targets[] = {0, 1, all[i], first, last, pages + 1, 0x7fffffff, 0xffffffff};
        for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
            if (get_be(page_of(s, all[i]), 4) == targets[t]) continue;
            put_be(page_of(s, all[i]), 4, targets[t]);
            SCRATCH_TRY(s, HOSTILE_MAY_DO, "overflow chain", "%d: %s, page %u of the chain leads to %u", s->page_size,
                        table, i, targets[t]);
        }
    }
    put_be(page_of(s, last), 4, first);
    SCRATCH_TRY(s, HOSTILE_MAY_DO, "overflow chain", "%d: %s, the chain goes on after its end", s->page_size, table);
}

/* The page number behind the local part of a cell, of the first cell that has one; 0 = there is none. */
static uint32_t first_chain(const struct scratch *s, uint32_t number, bool is_index, uint32_t *at) {
    const uint8_t *page = page_of(s, number);
    uint32_t usable = (uint32_t)s->page_size, size, rowid;
    uint32_t most = is_index ? (usable - 12) * 64 / 255 - 23 : usable - 35, least = (usable - 12) * 32 / 255 - 23;
    for (uint32_t cell = 0; cell < cell_count(page, number); cell++) {
        uint32_t offset = cell_offset(page, number, cell) + (is_leaf(page, number) ? 0 : 4);
        offset += varint(page + offset, &size);
        if (!is_index) offset += varint(page + offset, &rowid);
        if (size <= most) continue;
        uint32_t local = least + (size - least) % (usable - 4);
        *at = offset + (local <= most ? local : least);
        return get_be(page + *at, 4);
    }
    return 0;
}

static void attack_chains(struct scratch *s) {
    static const struct tree tables[] = {
        {"kv", 0, true}, {"vec_index_chunks", 0, false}, {"vec_index_vector_chunks00", 0, false}};
    uint32_t pages = (uint32_t)(s->sound->size / (size_t)s->page_size);
    for (size_t t = 0; t < 3; t++) {
        uint32_t root = oracle_root(s->sound, tables[t].table), at = 0, found = 0;
        for (uint32_t number = root; number <= pages && !found; number++) {
            uint8_t type = page_of(s, number)[0];
            if (type != (tables[t].is_index ? 10 : 13)) continue;
            found = first_chain(s, number, tables[t].is_index, &at);
            if (!found) continue;
            const uint32_t targets[] = {0, 1, number, pages + 1, 0x7fffffff, 0xffffffff};
            for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
                put_be(page_of(s, number) + at, 4, targets[i]);
                SCRATCH_TRY(s, HOSTILE_MAY_DO, "first page of an overflow chain",
                            "%d: %s page %u, a chain begins at %u", s->page_size, tables[t].table, number, targets[i]);
            }
        }
        if (found) chains(s, tables[t].table, found);
    }
}

void hostile_trees(void **state) {
    static const int sizes[] = {512, 4096};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scratch s = scratch_of(sizes[i]);
        struct tree trees[] = {{"schema", 1, false},           {"kv", 0, true},
                               {"vec_index_chunks", 0, false}, {"vec_index_vector_chunks00", 0, false},
                               {"vec_id_map", 0, false},       {"vec_payloads", 0, false}};
        for (size_t t = 0; t < sizeof trees / sizeof trees[0]; t++) {
            if (t) trees[t].root = oracle_root(s.sound, trees[t].table);
            attack_tree(&s, &trees[t]);
        }
        hostile_count(i ? "trees, pages of 4096" : "trees, pages of 512");
        attack_chains(&s);
        hostile_count("overflow chains");
        free(s.data);
    }
}

/* ---- trees without end ---- */

/* Appends `levels` interior pages, each of which has only the next one below it, the last `to`; returns the first. */
static struct bytes with_levels(const struct scratch *s, bool is_index, uint32_t levels, uint32_t to, uint32_t cells) {
    size_t page_size = (size_t)s->page_size;
    uint32_t pages = (uint32_t)(s->sound->size / page_size);
    struct bytes out = {calloc(1, s->sound->size + levels * page_size), s->sound->size + levels * page_size};
    memcpy(out.data, s->sound->data, s->sound->size);
    for (uint32_t level = 0; level < levels; level++) {
        uint8_t *page = out.data + s->sound->size + level * page_size;
        uint32_t child = level + 1 < levels ? pages + level + 2 : to, offset = (uint32_t)page_size;
        page[0] = is_index ? 2 : 5;
        put_be(page + 3, 2, cells);
        put_be(page + 8, 4, child);
        for (uint32_t cell = 0; cell < cells; cell++) {
            /* A key record ("m", "v"), or a separator that is smaller than every rowid that is looked for. */
            static const uint8_t record[] = {5, 3, 14, 14, 'm', 'v'};
            uint32_t size = 4 + (is_index ? (uint32_t)sizeof record : 1);
            offset -= size;
            put_be(page + offset, 4, child);
            if (is_index) {
                memcpy(page + offset + 4, record, sizeof record);
            } else {
                page[offset + 4] = (uint8_t)cell;
            }
            put_be(page + 12 + 2 * (cells - 1 - cell), 2, offset);
        }
    }
    put_be(out.data + 28, 4, pages + levels);
    return out;
}

static void deep(int page_size, const char *table, bool is_index) {
    struct scratch s = scratch_of(page_size);
    uint32_t root = oracle_root(s.sound, table), pages = (uint32_t)(s.sound->size / (size_t)page_size);
    static const uint32_t levels[] = {2, 19, 24, 25, 40, 1000};
    static const uint32_t cells[] = {1, 2, 30};
    char sql[160];
    for (size_t l = 0; l < 6; l++) {
        for (size_t c = 0; c < 3; c++) {
            const uint32_t ends[] = {root, pages + 1, pages + levels[l], 1};
            for (size_t e = 0; e < 4; e++) {
                struct bytes grown = with_levels(&s, is_index, levels[l], ends[e], cells[c]);
                (void)snprintf(sql, sizeof sql, "UPDATE sqlite_schema SET rootpage = %u WHERE name = '%s'", pages + 1,
                               table);
                struct bytes hostile = hostile_run_sql(&grown, sql, NULL, 0);
                hostile_try(HOSTILE_SHARD, HOSTILE_MAY_DO, "a tree has at most 20 levels, and each page once",
                            hostile.data, hostile.size, "%d: %s with %u levels more of %u cells, the last leads to %u",
                            page_size, table, levels[l], cells[c], ends[e]);
                free(hostile.data);
                free(grown.data);
            }
        }
    }
    free(s.data);
}

void hostile_deep_trees(void **state) {
    (void)state;
    deep(512, "kv", true);
    deep(512, "vec_index_chunks", false);
    deep(512, "vec_id_map", false);
    deep(4096, "vec_payloads", false);
    hostile_count("deep and endless trees");
}
