/*
 * Lookups side by side. A lookup is a chain of reads of which each needs what the one before it brought: page header,
 * the middle cell, the middle cell of what is left, and so on. Here each takes one such step, asks for the memory of its
 * next one, and lets the others take theirs meanwhile.
 */
#include "formats/kv_priv.h"

#define AT_ONCE 16u

struct walk {
    struct shf_kv_probe *probe;
    uint32_t number, from, depth;
    bool searching; /* page is open; else number is to be opened */
    struct shf_sqlite_page page;
    struct shf_kv_hunt hunt;
};

static void go_to(struct walk *w, uint32_t number, uint32_t from) {
    w->number = number;
    w->from = from;
    w->searching = false;
    if (!shf_sqlite_page_exists(&w->probe->kv->db, number)) return; /* opening it says so */
    shf_kv_fetch_lines(shf_sqlite_page_bytes(&w->probe->kv->db, number), 0, 2 * SHF_KV_LINE_BYTES);
}

static void begin(struct walk *w, struct shf_kv_probe *probe) {
    uint32_t root = probe->kv->root;
    struct shf_kv_place place;
    probe->found = false;
    w->probe = probe;
    w->depth = 0;
    if (probe->separators && shf_kv_separators_find(probe->separators, probe->key, probe->key_size, &place)) {
        go_to(w, place.leaf, root);
    } else {
        go_to(w, root, 0);
    }
}

SHF_KV_PREFETCHER ask_for_middle(const struct walk *w) {
    uint32_t offset = shf_load_u16be(w->page.bytes + w->page.cells_at + 2 * shf_kv_hunt_middle(&w->hunt));
    if (offset < w->probe->kv->db.usable_size) __builtin_prefetch(w->page.bytes + offset);
}

static shf_status open_page(struct walk *w, struct shf_error **error) {
    const struct shf_kv *kv = w->probe->kv;
    if (w->depth++ == SHF_LIMIT_BTREE_DEPTH) return shf_sqlite_too_deep(error, kv->root);
    shf_status status = shf_sqlite_page_open(&kv->db, w->number, true, w->from, &w->page, error);
    if (status) return status;
    w->searching = true;
    w->hunt = (struct shf_kv_hunt){0, w->page.cell_count};
    if (w->page.cell_count) ask_for_middle(w);
    return SHF_OK;
}

/* The probe is not in this page: on to a child, or it is nowhere. */
static shf_status leave_page(struct walk *w, bool *done, struct shf_error **error) {
    struct shf_sqlite_payload payload;
    uint32_t child = w->page.right_child;
    if (w->page.is_leaf) {
        *done = true;
        return SHF_OK;
    }
    uint32_t cell = w->hunt.low;
    if (cell < w->page.cell_count && !shf_sqlite_index_cell(&w->probe->kv->db, &w->page, cell, &child, &payload)) {
        return shf_sqlite_bad_cell(error, w->page.number, cell);
    }
    go_to(w, child, w->page.number);
    return SHF_OK;
}

static shf_status step(struct walk *w, bool *done, struct shf_error **error) {
    struct shf_kv_probe *probe = w->probe;
    const struct shf_sqlite *db = &probe->kv->db;
    if (!w->searching) return open_page(w, error);
    if (!shf_kv_hunt_is_over(&w->hunt)) {
        uint32_t middle = shf_kv_hunt_middle(&w->hunt), child;
        struct shf_sqlite_payload payload;
        struct shf_kv_stored stored;
        int order = 0;
        if (!shf_sqlite_index_cell(db, &w->page, middle, &child, &payload) || !shf_kv_decode(&payload, &stored)) {
            return shf_sqlite_bad_cell(error, w->page.number, middle);
        }
        shf_status status = shf_kv_compare(db, &stored, probe->key, probe->key_size, &order, error);
        if (status) return status;
        if (order == 0) {
            *done = probe->found = true;
            return shf_kv_take_value(&stored, w->page.number, &probe->value, error);
        }
        shf_kv_hunt_step(&w->hunt, order < 0);
        if (!shf_kv_hunt_is_over(&w->hunt)) {
            ask_for_middle(w);
            return SHF_OK;
        }
    }
    return leave_page(w, done, error);
}

shf_status shf_kv_get_many(struct shf_kv_probe *probes, size_t count, size_t *failed, struct shf_error **error) {
    struct walk walks[AT_ONCE];
    size_t active = 0, next = 0;
    while (active < AT_ONCE && next < count) begin(&walks[active++], &probes[next++]);
    while (active > 0) { /* bounded: every step narrows a page down or goes down a level, of which there are so many */
        for (size_t i = 0; i < active;) {
            bool done = false;
            shf_status status = step(&walks[i], &done, error);
            if (status) {
                *failed = (size_t)(walks[i].probe - probes);
                return status;
            }
            if (!done) {
                i++;
            } else if (next < count) {
                begin(&walks[i++], &probes[next++]);
            } else {
                walks[i] = walks[--active];
            }
        }
    }
    return SHF_OK;
}
