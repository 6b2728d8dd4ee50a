/*
 * Writing a SQLite database file in one pass: pages in ascending order, b-trees loaded from rows in order, overflow chains of
 * consecutive pages. Private to formats. Format: https://www.sqlite.org/fileformat2.html, sections as in sqlite.h.
 *
 * A page is written once, whole, when it is finished: leaves before what points at them, page 1 (header and schema) last.
 * After an error nothing can be added any more; what is there can only be freed.
 */
#ifndef SHF_FORMATS_SQLITE_BUILD_H
#define SHF_FORMATS_SQLITE_BUILD_H

#include "base/arena.h"
#include "base/limits.h"
#include "formats/shard_build.h"

#include <string.h>

#define SHF_BUILD_BUFFER_BYTES (256u << 10) /* pages that go to the sink in one call */
#define SHF_BUILD_MAX_PAGE 0xfffffffeu

static inline void shf_store_u16be(uint8_t *p, uint32_t value) {
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}
static inline void shf_store_u32be(uint8_t *p, uint32_t value) {
    shf_store_u16be(p, value >> 16);
    shf_store_u16be(p + 2, value);
}

/* ---- runs of pages ---- */

/* Hands pages with consecutive numbers to the sink in one call. */
struct shf_page_writer {
    struct shf_page_sink *sink;
    uint8_t *buffer;
    uint32_t page_size, capacity, first, count;
};
/* Where page `number` is to be put; valid until the next call. */
shf_status shf_page_writer_page(struct shf_page_writer *writer, uint32_t number, uint8_t **out, struct shf_error **error);
shf_status shf_page_writer_flush(struct shf_page_writer *writer, struct shf_error **error);

/* ---- the file ---- */

struct shf_sqlite_build {
    uint32_t page_size;
    uint32_t next_page; /* not given out yet */
    uint32_t lock_page; /* never given out */
    uint32_t local_max_table, local_max_index, local_min;
    struct shf_budget *budget;
    struct shf_arena arena;
    struct shf_page_writer writer;
    /* For the sidecar; the lists are charged apart. */
    uint32_t *interior;
    struct shf_page_chain *chains;
    size_t interior_count, interior_capacity, chain_count, chain_capacity;
};

shf_status shf_sqlite_build_begin(struct shf_sqlite_build *build, uint32_t page_size, struct shf_page_sink *sink,
                                  struct shf_budget *budget, struct shf_error **error);
void shf_sqlite_build_free(struct shf_sqlite_build *build);
/* Memory from the arena, with the error made when there is none. */
shf_status shf_sqlite_build_alloc(struct shf_sqlite_build *build, size_t size, uint8_t **out, struct shf_error **error);
/* A writer of its own, for pages that were reserved. */
shf_status shf_sqlite_build_writer(struct shf_sqlite_build *build, struct shf_page_writer *out, struct shf_error **error);
/* The next page, and where to put it; valid until the next page is asked for. */
shf_status shf_sqlite_build_page(struct shf_sqlite_build *build, uint32_t *number, uint8_t **bytes,
                                 struct shf_error **error);
/* A chain of `count` pages, put into the list. */
shf_status shf_sqlite_build_reserve(struct shf_sqlite_build *build, uint32_t count, uint32_t *head,
                                    struct shf_error **error);
/* Page `index` of a chain: the lock page is passed over. */
static inline uint32_t shf_build_chain_page(const struct shf_sqlite_build *build, uint32_t head, uint32_t index) {
    uint32_t number = head + index;
    return head < build->lock_page && number >= build->lock_page ? number + 1 : number;
}
shf_status shf_sqlite_build_list_interior(struct shf_sqlite_build *build, uint32_t number, struct shf_error **error);

/* ---- records ---- */

#define SHF_BUILD_COLUMNS 12u

struct shf_bytes {
    const uint8_t *data;
    size_t size;
};
/* A record under construction (section 2.1). Points into itself: do not copy it. */
struct shf_record_build {
    uint64_t size;
    uint32_t header_size, integer_size, part_count;
    struct shf_bytes parts[1 + SHF_BUILD_COLUMNS]; /* the first is the header */
    uint8_t header[1 + 9 * SHF_BUILD_COLUMNS];
    uint8_t integers[8 * SHF_BUILD_COLUMNS];
};
void shf_record_begin(struct shf_record_build *record);
void shf_record_null(struct shf_record_build *record);
void shf_record_integer(struct shf_record_build *record, int64_t value);
void shf_record_blob(struct shf_record_build *record, const void *data, size_t size); /* borrowed */
void shf_record_text(struct shf_record_build *record, const char *text, size_t size); /* borrowed */
void shf_record_string(struct shf_record_build *record, const char *text);            /* NULL is NULL */
void shf_record_end(struct shf_record_build *record);

/* Varint of section 1.6; out has 9 bytes. */
uint32_t shf_build_varint(uint8_t *out, uint64_t value);
uint32_t shf_build_varint_size(uint64_t value);

/* Bytes of a payload that stay in its cell; fewer than size: a page number follows them. */
uint32_t shf_build_local_size(const struct shf_sqlite_build *build, uint64_t size, uint32_t local_max);
/* Puts the local part (and the page number) to `cell`, the rest into a chain of its own. */
shf_status shf_build_payload(struct shf_sqlite_build *build, const struct shf_record_build *record, uint32_t local,
                             uint8_t *cell, struct shf_error **error);

/* ---- trees ---- */

/* The page of a level that is being filled, and one cell that did not fit: its place is known when the next one comes. */
struct shf_build_level {
    uint8_t *page, *held;
    uint32_t held_size; /* 0 = none */
    uint32_t cell_count, content;
};
struct shf_build_tree {
    struct shf_sqlite_build *build;
    bool is_index;
    bool lists_leaves; /* its leaves go into the list of interior pages too: the schema */
    uint32_t depth;
    int64_t last_rowid;
    struct shf_build_level levels[SHF_LIMIT_BTREE_DEPTH];
};
shf_status shf_build_tree_begin(struct shf_build_tree *tree, struct shf_sqlite_build *build, bool is_index,
                                struct shf_error **error);
/* Rows in the order of the index. */
shf_status shf_build_index_add(struct shf_build_tree *tree, const struct shf_record_build *record,
                               struct shf_error **error);
/* Rows in ascending order of their rowids. */
shf_status shf_build_table_add(struct shf_build_tree *tree, int64_t rowid, const struct shf_record_build *record,
                               struct shf_error **error);
/* The cell of a payload that the caller writes: *cell has room for the local part and the page number. */
shf_status shf_build_table_cell(struct shf_build_tree *tree, int64_t rowid, uint64_t size, uint32_t local,
                                uint8_t **cell, struct shf_error **error);
shf_status shf_build_tree_finish(struct shf_build_tree *tree, uint32_t *root, struct shf_error **error);
/* The same for a tree (of few rows) whose root is page 1: put to first_page behind the header of the file. */
shf_status shf_build_tree_finish_at_first(struct shf_build_tree *tree, uint8_t *first_page, struct shf_error **error);
/* Bytes that a tree takes of the budget, at most. */
uint64_t shf_build_tree_bytes(uint32_t page_size, bool is_index);
/* Bytes that an arena may take for a block of this size. */
static inline uint64_t shf_build_block_bytes(uint64_t size) {
    uint64_t block = (size + 63) / 64 * 64 + 64;
    return block < 4096 ? 4096 : block;
}

/* ---- schema ---- */

struct shf_build_schema_row {
    const char *type, *name, *table, *sql; /* sql NULL for an index that its table implies */
    uint32_t root;
};
/* Writes the schema, and page 1 with the header of the file, and flushes. The file is complete then. */
shf_status shf_sqlite_build_finish(struct shf_sqlite_build *build, const struct shf_build_schema_row *rows,
                                   size_t count, struct shf_error **error);

#endif
