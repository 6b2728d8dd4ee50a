/*
 * Lookups side by side. A lookup is a chain of reads of which each needs what the one before it brought: page header,
 * the middle cell, the middle cell of what is left, and so on. Here each takes one such step, asks for the memory of its
 * next one, and lets the others take theirs meanwhile.
 */
#include "formats/kv_priv.h"
#include "formats/kv_separators.h"

#define AT_ONCE 16u

struct walk {
    struct shf_kv_probe *probe;
    uint32_t number, from, depth;
    bool searching; /* page is open; else number is to be opened */
    struct shf_sqlite_page page;
    uint32_t low, high;
};

static void go_to(struct walk *w, uint32_t number, uint32_t from) {
    w->number = number;
    w->from = from;
    w->searching = false;
    if (!shf_sqlite_page_exists(&w->probe->kv->db, number)) return; /* opening it says so */
    const uint8_t *bytes = shf_sqlite_page_bytes(&w->probe->kv->db, number);
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + 64);
}

static void begin(struct walk *w, struct shf_kv_probe *probe) {
    uint32_t number = probe->kv->root, from = 0;
    probe->found = false;
    w->probe = probe;
    w->depth = 0;
    if (probe->separators && shf_kv_separators_find(probe->separators, probe->key, probe->key_size, &number)) {
        from = probe->kv->root;
    }
    go_to(w, number, from);
}

static void ask_for_middle(const struct walk *w) {
    const uint8_t *pointer = w->page.bytes + w->page.cells_at + 2 * (w->low + (w->high - w->low) / 2);
    uint32_t offset = shf_load_u16be(pointer);
    if (offset < w->probe->kv->db.usable_size) __builtin_prefetch(w->page.bytes + offset);
}

static shf_status open_page(struct walk *w, struct shf_error **error) {
    const struct shf_kv *kv = w->probe->kv;
    if (w->depth++ == SHF_LIMIT_BTREE_DEPTH) return shf_sqlite_too_deep(error, kv->root);
    shf_status status = shf_sqlite_page_open(&kv->db, w->number, true, w->from, &w->page, error);
    if (status) return status;
    w->searching = true;
    w->low = 0;
    w->high = w->page.cell_count;
    if (w->high) ask_for_middle(w);
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
    if (w->low < w->page.cell_count && !shf_sqlite_index_cell(&w->probe->kv->db, &w->page, w->low, &child, &payload)) {
        return shf_sqlite_bad_cell(error, w->page.number, w->low);
    }
    go_to(w, child, w->page.number);
    return SHF_OK;
}

static shf_status step(struct walk *w, bool *done, struct shf_error **error) {
    struct shf_kv_probe *probe = w->probe;
    const struct shf_sqlite *db = &probe->kv->db;
    if (!w->searching) return open_page(w, error);
    if (w->low < w->high) {
        uint32_t middle = w->low + (w->high - w->low) / 2, child;
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
        if (order < 0) {
            w->low = middle + 1;
        } else {
            w->high = middle;
        }
        if (w->low < w->high) {
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
    while (active > 0) { /* bounded: every step halves a page or goes down a level, of which there are so many */
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
