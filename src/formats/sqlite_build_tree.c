/*
 * Loading b-trees from rows in order (section 1.6). Every level has one page that is being filled; a full one is written, and
 * a cell that leads to it goes to the level above.
 *
 * What leads on from a full page is the cell that did not fit any more: in an index it is a row of its own, in an interior
 * page its child becomes the right child of the full page. Such a cell is held until another one follows, for if none does,
 * the page behind it would be empty, or have a child and no cell: then the last cell of the full page goes up instead.
 */
#include "base/cursor.h"
#include "formats/sqlite_build.h"
#include "formats/sqlite_priv.h"

#include <assert.h>

#define ROOT_HEADER_BYTES 100u /* of the file, before the b-tree of page 1 */

static uint32_t header_size(uint32_t level) { return level ? 12 : 8; }

static uint32_t held_bytes(const struct shf_sqlite_build *build, bool is_index) {
    return is_index ? 4 + 5 + build->local_max_index + 4 : 4 + 9;
}

static shf_status add_level(struct shf_build_tree *tree, struct shf_error **error) {
    struct shf_sqlite_build *build = tree->build;
    if (tree->depth == SHF_LIMIT_BTREE_DEPTH) {
        return shf_error_set(error, SHF_E_LIMIT, "a tree of the database would be deeper than %u levels",
                             SHF_LIMIT_BTREE_DEPTH);
    }
    uint8_t *page;
    shf_status status = shf_sqlite_build_alloc(build, build->page_size + held_bytes(build, tree->is_index), &page, error);
    if (status) return status;
    tree->levels[tree->depth++] =
        (struct shf_build_level){.page = page, .held = page + build->page_size, .content = build->page_size};
    return SHF_OK;
}

shf_status shf_build_tree_begin(struct shf_build_tree *tree, struct shf_sqlite_build *build, bool is_index,
                                struct shf_error **error) {
    tree->build = build;
    tree->is_index = is_index;
    tree->lists_leaves = false;
    tree->depth = 0;
    tree->last_rowid = 0;
    return add_level(tree, error);
}

/* Room for a cell in the level's page; NULL when it does not fit. */
static uint8_t *place_cell(struct shf_build_tree *tree, uint32_t level_index, uint32_t size) {
    struct shf_build_level *level = &tree->levels[level_index];
    uint32_t pointer = header_size(level_index) + 2 * level->cell_count;
    assert(size >= 4); /* what the format asks for; every cell of ours has it */
    if (pointer + 2 + size > level->content) return NULL;
    level->content -= size;
    level->cell_count++;
    shf_store_u16be(level->page + pointer, level->content);
    return level->page + level->content;
}

/* The page with its header `offset` bytes in, zeros between the pointers and the cells. */
static void put_page(const struct shf_build_tree *tree, uint32_t level_index, uint32_t right_child, uint32_t offset,
                     uint8_t *out) {
    const struct shf_build_level *level = &tree->levels[level_index];
    uint32_t header = header_size(level_index), pointers_end = header + 2 * level->cell_count;
    uint8_t *at = out + offset;
    if (level_index) {
        at[0] = tree->is_index ? PAGE_INTERIOR_INDEX : PAGE_INTERIOR_TABLE;
        shf_store_u32be(at + 8, right_child);
    } else {
        at[0] = tree->is_index ? PAGE_LEAF_INDEX : PAGE_LEAF_TABLE;
    }
    shf_store_u16be(at + 1, 0);
    shf_store_u16be(at + 3, level->cell_count);
    shf_store_u16be(at + 5, level->content); /* 65536 is written as 0 */
    at[7] = 0;
    memcpy(at + header, level->page + header, 2 * (size_t)level->cell_count);
    memset(at + pointers_end, 0, level->content - offset - pointers_end);
    memcpy(out + level->content, level->page + level->content, tree->build->page_size - level->content);
}

/* Writes the level's page, and begins a new one. */
static shf_status emit(struct shf_build_tree *tree, uint32_t level_index, uint32_t right_child, uint32_t *number,
                       struct shf_error **error) {
    struct shf_build_level *level = &tree->levels[level_index];
    uint8_t *page;
    shf_status status = shf_sqlite_build_page(tree->build, number, &page, error);
    if (status) return status;
    put_page(tree, level_index, right_child, 0, page);
    level->cell_count = 0;
    level->content = tree->build->page_size;
    if (level_index == 0 && !tree->lists_leaves) return SHF_OK;
    return shf_sqlite_build_list_interior(tree->build, *number, error);
}

static void put_interior_cell(uint8_t *cell, uint32_t child, const uint8_t *body, uint32_t size) {
    shf_store_u32be(cell, child);
    memcpy(cell + 4, body, size);
}

/* Puts a cell with a child into an interior level, and what that pushes out into the levels above. */
static shf_status push_up(struct shf_build_tree *tree, uint32_t level_index, uint32_t child, const uint8_t *body,
                          uint32_t size, struct shf_error **error) {
    for (;; level_index++) {
        shf_status status = level_index == tree->depth ? add_level(tree, error) : SHF_OK;
        if (status) return status;
        struct shf_build_level *level = &tree->levels[level_index];
        uint32_t pushed_size = level->held_size, pushed_child = 0;
        if (pushed_size) {
            status = emit(tree, level_index, shf_load_u32be(level->held), &pushed_child, error);
            if (status) return status;
            level->held_size = 0;
        }
        uint8_t *cell = place_cell(tree, level_index, 4 + size);
        if (!cell) {
            cell = level->held;
            level->held_size = 4 + size;
        }
        put_interior_cell(cell, child, body, size); /* where something was held, this one fits: held is untouched */
        if (!pushed_size) return SHF_OK;
        child = pushed_child;
        body = level->held + 4;
        size = pushed_size - 4;
    }
}

/* ---- rows ---- */

shf_status shf_build_index_add(struct shf_build_tree *tree, const struct shf_record_build *record,
                               struct shf_error **error) {
    struct shf_build_level *leaf = &tree->levels[0];
    if (leaf->held_size) {
        uint32_t number;
        shf_status status = emit(tree, 0, 0, &number, error);
        if (!status) status = push_up(tree, 1, number, leaf->held, leaf->held_size, error);
        if (status) return status;
        leaf->held_size = 0;
    }
    uint32_t local = shf_build_local_size(tree->build, record->size, tree->build->local_max_index);
    uint32_t size = shf_build_varint_size(record->size) + local + (local < record->size ? 4 : 0);
    uint8_t *cell = place_cell(tree, 0, size);
    if (!cell) {
        cell = leaf->held;
        leaf->held_size = size;
    }
    cell += shf_build_varint(cell, record->size);
    return shf_build_payload(tree->build, record, local, cell, error);
}

shf_status shf_build_table_cell(struct shf_build_tree *tree, int64_t rowid, uint64_t size, uint32_t local,
                                uint8_t **cell, struct shf_error **error) {
    uint32_t cell_size = shf_build_varint_size(size) + shf_build_varint_size((uint64_t)rowid) + local;
    if (local < size) cell_size += 4;
    uint8_t *at = place_cell(tree, 0, cell_size);
    if (!at) {
        uint8_t key[9];
        uint32_t number, key_size = shf_build_varint(key, (uint64_t)tree->last_rowid);
        shf_status status = emit(tree, 0, 0, &number, error);
        if (!status) status = push_up(tree, 1, number, key, key_size, error);
        if (status) return status;
        at = place_cell(tree, 0, cell_size);
        assert(at); /* a cell is at most page_size - 35 + 18 bytes */
    }
    tree->last_rowid = rowid;
    at += shf_build_varint(at, size);
    *cell = at + shf_build_varint(at, (uint64_t)rowid);
    return SHF_OK;
}

shf_status shf_build_table_add(struct shf_build_tree *tree, int64_t rowid, const struct shf_record_build *record,
                               struct shf_error **error) {
    uint32_t local = shf_build_local_size(tree->build, record->size, tree->build->local_max_table);
    uint8_t *cell;
    shf_status status = shf_build_table_cell(tree, rowid, record->size, local, &cell, error);
    return status ? status : shf_build_payload(tree->build, record, local, cell, error);
}

/* ---- the end ---- */

/* A cell is held and nothing follows it: the page's last cell goes up instead, and the held one begins the last page. */
static shf_status give_back(struct shf_build_tree *tree, uint32_t level_index, struct shf_error **error) {
    struct shf_build_level *level = &tree->levels[level_index];
    const uint8_t *pointers = level->page + header_size(level_index), *last = level->page + level->content;
    assert(level->cell_count >= 2); /* a page of an index holds four cells at least, an interior one of a table more */
    uint32_t end = shf_load_u16be(pointers + 2 * (level->cell_count - 2)), size = end - level->content, child = 0, number;
    level->cell_count--;
    level->content = end;
    if (level_index) {
        child = shf_load_u32be(last);
        last += 4;
        size -= 4;
    }
    shf_status status = emit(tree, level_index, child, &number, error);
    if (!status) status = push_up(tree, level_index + 1, number, last, size, error);
    if (status) return status;
    uint8_t *cell = place_cell(tree, level_index, level->held_size);
    memcpy(cell, level->held, level->held_size);
    level->held_size = 0;
    return SHF_OK;
}

shf_status shf_build_tree_finish(struct shf_build_tree *tree, uint32_t *root, struct shf_error **error) {
    uint32_t child = 0;
    for (uint32_t i = 0; i < tree->depth; i++) { /* the depth may grow by one */
        shf_status status = tree->levels[i].held_size ? give_back(tree, i, error) : SHF_OK;
        if (!status) status = emit(tree, i, child, &child, error);
        if (status) return status;
    }
    *root = child;
    return SHF_OK;
}

shf_status shf_build_tree_finish_at_first(struct shf_build_tree *tree, uint8_t *first_page, struct shf_error **error) {
    struct shf_build_level *leaf = &tree->levels[0];
    uint32_t child = 0;
    if (tree->depth > 1 || ROOT_HEADER_BYTES + header_size(0) + 2 * leaf->cell_count > leaf->content) {
        shf_status status = emit(tree, 0, 0, &child, error);
        if (!status && tree->depth == 1) status = add_level(tree, error);
        if (status) return status;
    }
    uint32_t top = tree->depth - 1;
    struct shf_build_level *root = &tree->levels[top];
    if (top > 1 || root->held_size || ROOT_HEADER_BYTES + header_size(top) + 2 * root->cell_count > root->content) {
        return shf_error_set(error, SHF_E_INTERNAL, "the schema of the database is too large for its writer");
    }
    put_page(tree, top, child, ROOT_HEADER_BYTES, first_page);
    return SHF_OK;
}

/* Levels until 2^32 pages are reached: an interior page has at least that many children. */
uint64_t shf_build_tree_bytes(uint32_t page_size, bool is_index) {
    uint32_t local_max = (page_size - 12) * 64 / 255 - 23;
    uint32_t held = is_index ? 4 + 5 + local_max + 4 : 4 + 9;
    uint64_t fewest = (page_size - 12) / (held + 2) + 1, levels = 1;
    for (uint64_t pages = 1; pages < UINT32_MAX; pages *= fewest) levels++;
    return levels * shf_build_block_bytes(page_size + held);
}
