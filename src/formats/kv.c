#include "formats/kv_priv.h"

#include <string.h>

/* Above this many cells a page is searched without fetching all of them ahead: the lines would displace each other. */
#define PREFETCH_CELLS 64u
#define NEAR_CELLS 3u /* of a guess, to either side */

shf_status shf_kv_open(struct shf_kv *kv, const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                       struct shf_error **error) {
    const struct shf_sqlite_schema_row *table = shf_sqlite_schema_table(schema, "kv");
    if (!table) return shf_error_set(error, SHF_E_CORRUPT, "there is no table kv: this is no key-value shard");
    if (db->text != SHF_SQLITE_UTF8)
        return shf_error_set(error, SHF_E_CORRUPT, "the database is in UTF-16; shards are in UTF-8");
    if (table->root == 0 || !shf_sqlite_ddl_without_rowid(table->sql) || shf_sqlite_ddl_has_word(table->sql, "DESC") ||
        shf_sqlite_ddl_column(table->sql, "k", NULL) != 0 || shf_sqlite_ddl_column(table->sql, "v", NULL) != 1) {
        return shf_error_set(error, SHF_E_CORRUPT,
                             "the table kv is not kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
    }
    *kv = (struct shf_kv){.db = *db, .root = table->root};
    return SHF_OK;
}

/* ---- comparing ---- */

/* Compares the rest of a key, from byte `at` on (the first in the chain), with the rest of the probe. */
shf_status shf_kv_compare_chain(const struct shf_sqlite *db, const struct shf_kv_stored *key, uint64_t at,
                                const uint8_t *probe, size_t probe_size, int *order, struct shf_error **error) {
    uint32_t page = key->payload.overflow_page, share = db->usable_size - 4;
    while (at < key->size && at < probe_size) { /* bounded by the probe */
        if (!shf_sqlite_page_exists(db, page)) {
            return shf_sqlite_corrupt(error, key->payload.overflow_page, "the overflow chain leads to page %u of %u",
                                      page, db->page_count);
        }
        const uint8_t *bytes = shf_sqlite_page_bytes(db, page);
        uint64_t part = key->size - at < probe_size - at ? key->size - at : probe_size - at;
        if (part > share) part = share;
        *order = memcmp(bytes + 4, probe + at, (size_t)part);
        if (*order != 0) return SHF_OK;
        at += part;
        page = shf_load_u32be(bytes);
    }
    *order = key->size < probe_size ? -1 : key->size > probe_size;
    return SHF_OK;
}

/* ---- lookup ---- */

SHF_KV_PREFETCHER fetch_cell(const struct shf_sqlite *db, const struct shf_sqlite_page *page, uint32_t cell) {
    uint32_t offset = shf_load_u16be(page->bytes + page->cells_at + 2 * cell);
    if (offset < db->usable_size) __builtin_prefetch(page->bytes + offset);
}

/* Asks at once for all cells that the search may look at, so that it does not wait for one after the other. */
SHF_KV_PREFETCHER fetch_all(const struct shf_sqlite *db, const struct shf_sqlite_page *page) {
    if (page->cell_count > PREFETCH_CELLS) return;
    for (uint32_t cell = 0; cell < page->cell_count; cell++) fetch_cell(db, page, cell);
}

/* With a guess: the cells on the search's way there, and those around it. */
SHF_KV_PREFETCHER fetch_likely(const struct shf_sqlite *db, const struct shf_sqlite_page *page, double share) {
    uint32_t count = page->cell_count, guess = (uint32_t)(share * count);
    struct shf_kv_hunt hunt = {0, count};
    while (!shf_kv_hunt_is_over(&hunt)) {
        uint32_t middle = shf_kv_hunt_middle(&hunt);
        fetch_cell(db, page, middle);
        if (middle == guess) break;
        shf_kv_hunt_step(&hunt, middle < guess);
    }
    uint32_t to = guess + NEAR_CELLS < count ? guess + NEAR_CELLS + 1 : count;
    for (uint32_t cell = guess > NEAR_CELLS ? guess - NEAR_CELLS : 0; cell < to; cell++) fetch_cell(db, page, cell);
}

shf_status shf_kv_take_value(const struct shf_kv_stored *key, uint32_t page, struct shf_kv_value *value,
                             struct shf_error **error) {
    const uint8_t *at = key->next_type, *end = key->payload.local + key->header_size;
    uint64_t serial, offset = key->header_size + key->size;
    if (!shf_sqlite_varint(&at, end, &serial)) return shf_sqlite_corrupt(error, page, "a row has no value");
    if (serial < 12) return shf_sqlite_corrupt(error, page, "a value is neither blob nor text");
    value->size = (serial - 12) / 2;
    value->offset = offset;
    value->payload = key->payload;
    if (value->size > key->payload.size - offset || (at == end && value->size != key->payload.size - offset)) {
        return shf_sqlite_corrupt(error, page, "the length of a value contradicts its row");
    }
    value->in_place = NULL;
    if (value->size == 0) {
        value->in_place = key->payload.local;
    } else if (offset + value->size <= key->payload.local_size) {
        value->in_place = key->payload.local + offset;
    }
    return SHF_OK;
}

/* Searches one page. *order 0: *match is the row; else hunt->low is the first cell whose key is greater than the probe. */
static inline shf_status search_page(const struct shf_sqlite *db, const struct shf_sqlite_page *page,
                                     const uint8_t *probe, size_t probe_size, struct shf_kv_hunt *hunt, int *order,
                                     struct shf_kv_stored *match, struct shf_error **error) {
    *order = 1;
    while (!shf_kv_hunt_is_over(hunt)) {
        uint32_t middle = shf_kv_hunt_middle(hunt), child;
        struct shf_sqlite_payload payload;
        if (!shf_sqlite_index_cell(db, page, middle, &child, &payload) || !shf_kv_decode(&payload, match)) {
            return shf_sqlite_bad_cell(error, page->number, middle);
        }
        shf_status status = shf_kv_compare(db, match, probe, probe_size, order, error);
        if (status || *order == 0) return status;
        shf_kv_hunt_step(hunt, *order < 0);
    }
    *order = 1;
    return SHF_OK;
}

shf_status shf_kv_get(const struct shf_kv *kv, const struct shf_kv_separators *separators, const void *key,
                      size_t key_size, bool *found, struct shf_kv_value *value, struct shf_error **error) {
    const struct shf_sqlite *db = &kv->db;
    uint32_t number = kv->root, from = 0;
    struct shf_kv_place found_place, *place = NULL;
    if (separators && shf_kv_separators_find(separators, key, key_size, &found_place)) {
        place = &found_place;
        shf_kv_fetch_leaf(db, place, SHF_KV_GUESS_BYTES);
        from = number;
        number = place->leaf;
    }
    for (uint32_t depth = 0; depth < SHF_LIMIT_BTREE_DEPTH; depth++) {
        struct shf_sqlite_page page;
        struct shf_sqlite_payload payload;
        struct shf_kv_stored match;
        struct shf_kv_hunt hunt;
        int order;
        shf_status status = shf_sqlite_page_open(db, number, true, from, &page, error);
        if (status) return status;
        hunt = (struct shf_kv_hunt){0, page.cell_count};
        if (place && place->is_guessed) {
            fetch_likely(db, &page, place->share);
        } else {
            fetch_all(db, &page);
        }
        status = search_page(db, &page, key, key_size, &hunt, &order, &match, error);
        if (status) return status;
        if (order == 0) { /* cells of interior pages are rows too */
            status = shf_kv_take_value(&match, number, value, error);
            if (!status) *found = true;
            return status;
        }
        if (page.is_leaf) {
            *found = false;
            return SHF_OK;
        }
        uint32_t child = page.right_child;
        if (hunt.low < page.cell_count && !shf_sqlite_index_cell(db, &page, hunt.low, &child, &payload)) {
            return shf_sqlite_bad_cell(error, number, hunt.low);
        }
        from = number;
        number = child;
    }
    return shf_sqlite_too_deep(error, kv->root);
}

shf_status shf_kv_value_copy(const struct shf_kv *kv, const struct shf_kv_value *value, void *out,
                             struct shf_error **error) {
    return shf_sqlite_payload_copy(&kv->db, &value->payload, value->offset, value->size, out, error);
}

/* ---- scan ---- */

static shf_status push(const struct shf_kv *kv, struct shf_kv_scan *scan, uint32_t page, struct shf_error **error) {
    if (scan->depth == SHF_LIMIT_BTREE_DEPTH) return shf_sqlite_too_deep(error, kv->root);
    if (scan->pages_seen++ >= kv->db.page_count) {
        return shf_sqlite_corrupt(error, kv->root, "the tree has more pages than the file");
    }
    scan->stack[scan->depth].page = page;
    scan->stack[scan->depth].cell = 0;
    scan->depth++;
    return SHF_OK;
}

shf_status shf_kv_scan_next(const struct shf_kv *kv, struct shf_kv_scan *scan, bool *done,
                            struct shf_sqlite_payload *payload, struct shf_error **error) {
    shf_status status = SHF_OK;
    if (!scan->started) {
        scan->started = true;
        status = push(kv, scan, kv->root, error);
    }
    while (!status && scan->depth > 0) { /* bounded by pages_seen and the cells of those pages */
        uint32_t top = scan->depth - 1, step = scan->stack[top].cell, child;
        struct shf_sqlite_page page;
        status = shf_sqlite_page_open(&kv->db, scan->stack[top].page, true, top ? scan->stack[top - 1].page : 0, &page,
                                      error);
        if (status) break;
        /* Steps of an interior page: child 0, row 0, child 1, row 1, ..., right-most child; of a leaf: its rows. */
        uint32_t cell = page.is_leaf ? step : step / 2;
        bool is_row = page.is_leaf || step % 2 == 1;
        if (cell > page.cell_count || (is_row && cell == page.cell_count)) {
            scan->depth--;
            continue;
        }
        scan->stack[top].cell++;
        child = page.right_child;
        if (cell < page.cell_count && !shf_sqlite_index_cell(&kv->db, &page, cell, &child, payload)) {
            return shf_sqlite_bad_cell(error, page.number, cell);
        }
        if (is_row) {
            *done = false;
            return SHF_OK;
        }
        status = push(kv, scan, child, error);
    }
    if (!status) *done = true;
    return status;
}
