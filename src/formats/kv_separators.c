#include "formats/kv_separators.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/kv_priv.h"

#define LEAST_LEAVES 16u /* below that a walk is as quick */

/* A separator's key as far as it lies in its cell. */
struct separator_key {
    const uint8_t *bytes;
    uint64_t local_size, size;
};

static bool key_of_cell(const struct shf_kv *kv, const struct shf_sqlite_page *page, uint32_t cell, uint32_t *child,
                        struct separator_key *out) {
    struct shf_sqlite_payload payload;
    struct shf_kv_stored key;
    if (!shf_sqlite_index_cell(&kv->db, page, cell, child, &payload) || !shf_kv_decode(&payload, &key)) return false;
    if (!key.is_blob) return false;
    uint64_t local = payload.local_size - key.header_size;
    *out = (struct separator_key){payload.local + key.header_size, local < key.size ? local : key.size, key.size};
    return true;
}

/* The eight bytes after the shared ones. */
static uint64_t prefix_of(const uint8_t *bytes, uint64_t size, uint32_t skip) {
    uint64_t prefix = 0;
    if (size - skip >= 8) return shf_load_u64be(bytes + skip);
    for (uint64_t i = skip; i < size; i++) prefix |= (uint64_t)bytes[i] << (56 - 8 * (i - skip));
    return prefix;
}

/* ---- building ---- */

/* An interior page being walked: child 0, separator 0, child 1, ... */
struct level {
    struct shf_sqlite_page page;
    uint32_t cell;
};

struct builder {
    const struct shf_kv *kv;
    uint32_t depth; /* levels of interior pages */
    struct level levels[SHF_LIMIT_BTREE_DEPTH];
    uint64_t pages_left; /* bounds the walk: a tree has no more pages than its file */
    uint32_t capacity, count, leaf_count;
    uint64_t *prefixes;
    uint32_t *leaves;
    uint32_t skip;
    const uint8_t *shared;
};

static bool open_interior(struct builder *b, uint32_t level, uint32_t number) {
    struct level *at = &b->levels[level];
    if (b->pages_left-- == 0) return false;
    at->cell = 0;
    return !shf_sqlite_page_open(&b->kv->db, number, true, level ? b->levels[level - 1].page.number : 0, &at->page, NULL) &&
           !at->page.is_leaf && at->page.cell_count > 0;
}

static uint32_t child_of(const struct builder *b, const struct shf_sqlite_page *page, uint32_t cell) {
    struct shf_sqlite_payload payload;
    uint32_t child = page->right_child;
    if (cell < page->cell_count && !shf_sqlite_index_cell(&b->kv->db, page, cell, &child, &payload)) return 0;
    return child;
}

/* Walks down the left or right edge; *key is the first or last separator. Leaves the number of interior levels. */
static bool walk_edge(const struct builder *b, bool left, uint32_t *depth, struct separator_key *key) {
    uint32_t number = b->kv->root, from = 0;
    for (*depth = 0; *depth < SHF_LIMIT_BTREE_DEPTH; ++*depth) {
        struct shf_sqlite_page page = {0};
        uint32_t child;
        if (shf_sqlite_page_open(&b->kv->db, number, true, from, &page, NULL)) return false;
        if (page.is_leaf) return *depth > 0;
        if (page.cell_count == 0) return false;
        if (!key_of_cell(b->kv, &page, left ? 0 : page.cell_count - 1, &child, key)) return false;
        from = number;
        number = left ? child : page.right_child;
    }
    return false;
}

/* What all separators begin with, if they are in order: what the first and the last have in common. */
static void find_shared(struct builder *b, const struct separator_key *first, const struct separator_key *last) {
    uint64_t most = first->local_size < last->local_size ? first->local_size : last->local_size;
    if (most > SHF_KV_SHARED_BYTES) most = SHF_KV_SHARED_BYTES;
    while (b->skip < most && first->bytes[b->skip] == last->bytes[b->skip]) b->skip++;
    b->shared = first->bytes;
}

static bool add_separator(struct builder *b, const struct separator_key *key) {
    uint64_t needed = key->size < b->skip + 8u ? key->size : b->skip + 8u;
    if (key->local_size < needed || key->size < b->skip || memcmp(key->bytes, b->shared, b->skip) != 0) return false;
    uint64_t prefix = prefix_of(key->bytes, key->size, b->skip);
    if (b->count > 0 && prefix < b->prefixes[b->count - 1]) return false;
    if (b->count == b->capacity) return false;
    b->prefixes[b->count++] = prefix;
    return true;
}

static bool walk(struct builder *b) {
    uint32_t level = 0;
    if (!open_interior(b, 0, b->kv->root)) return false;
    for (;;) { /* every turn goes down to a page of its own, or takes a separator, or leaves a page */
        struct level *at = &b->levels[level];
        uint32_t child = child_of(b, &at->page, at->cell);
        if (level + 1 < b->depth) {
            if (!open_interior(b, ++level, child)) return false;
            continue;
        }
        if (b->leaf_count > b->capacity || !shf_sqlite_page_exists(&b->kv->db, child)) return false;
        b->leaves[b->leaf_count++] = child;
        while (b->levels[level].cell == b->levels[level].page.cell_count) {
            if (level-- == 0) return true;
        }
        struct separator_key key;
        at = &b->levels[level];
        if (!key_of_cell(b->kv, &at->page, at->cell++, &child, &key) || !add_separator(b, &key)) return false;
    }
}

/* Keys of which many have the same eight bytes would mostly be walked all the same. */
static bool is_selective(const struct builder *b) {
    uint32_t same = 0;
    for (uint32_t i = 1; i < b->count; i++) same += b->prefixes[i] == b->prefixes[i - 1];
    return same < b->count / 4;
}

void shf_kv_separators_free(struct shf_kv_separators *separators) {
    if (!separators) return;
    shf_free(separators->prefixes);
    shf_free(separators->leaves);
    shf_free(separators);
}

/* Gives back what was reserved and not needed. */
static void shrink(struct shf_kv_separators *made) {
    uint64_t *prefixes = shf_realloc_array(made->prefixes, made->count, sizeof *prefixes);
    uint32_t *leaves = shf_realloc_array(made->leaves, made->count + (size_t)1, sizeof *leaves);
    if (prefixes) made->prefixes = prefixes;
    if (leaves) made->leaves = leaves;
}

static uint64_t bytes_of(uint64_t count) {
    return sizeof(struct shf_kv_separators) + count * (sizeof(uint64_t) + sizeof(uint32_t)) + sizeof(uint32_t);
}

shf_status shf_kv_separators_build(const struct shf_kv *kv, uint64_t max_bytes, struct shf_kv_separators **out) {
    struct builder b = {.kv = kv, .pages_left = kv->db.page_count, .capacity = kv->db.page_count};
    struct separator_key first, last;
    uint32_t depth;
    *out = NULL;
    if (!walk_edge(&b, true, &b.depth, &first) || !walk_edge(&b, false, &depth, &last) || depth != b.depth)
        return SHF_OK;
    find_shared(&b, &first, &last);
    while (b.capacity >= LEAST_LEAVES && bytes_of(b.capacity) > max_bytes) b.capacity -= b.capacity / 16 + 1;
    if (b.capacity < LEAST_LEAVES) return SHF_OK;
    struct shf_kv_separators *made = shf_alloc_zero(1, sizeof *made);
    if (!made) return SHF_E_NO_MEMORY;
    /* Every page may be a leaf; what is never written to takes no memory, and goes back in the end. */
    made->prefixes = b.prefixes = shf_alloc_array(b.capacity, sizeof *b.prefixes);
    made->leaves = b.leaves = shf_alloc_array(b.capacity + (size_t)1, sizeof *b.leaves);
    shf_status status = b.prefixes && b.leaves ? SHF_OK : SHF_E_NO_MEMORY;
    if (!status && walk(&b) && b.leaf_count >= LEAST_LEAVES && is_selective(&b)) {
        made->count = b.count;
        made->skip = b.skip;
        memcpy(made->shared, b.shared, b.skip);
        made->bytes = bytes_of(b.count);
        shrink(made);
        *out = made;
        return SHF_OK;
    }
    shf_kv_separators_free(made);
    return status;
}

/* ---- searching ---- */

/* Index of the first prefix that is not less; without branches, whose outcome nobody could foretell. */
static inline uint32_t lower_bound(const struct shf_kv_separators *s, uint64_t prefix) {
    const uint64_t *base = s->prefixes;
    uint32_t left = s->count;
    while (left > 1) {
        uint32_t half = left / 2;
        base += base[half - 1] < prefix ? half : 0;
        left -= half;
    }
    return (uint32_t)(base - s->prefixes) + (*base < prefix);
}

bool shf_kv_separators_find(const struct shf_kv_separators *separators, const void *key, size_t key_size,
                            struct shf_kv_place *place) {
    const struct shf_kv_separators *s = separators;
    place->is_guessed = false;
    if (s->skip) {
        size_t common = key_size < s->skip ? key_size : s->skip;
        int order = common ? memcmp(key, s->shared, common) : 0;
        if (order != 0 || key_size < s->skip) { /* before every separator, or after */
            place->leaf = s->leaves[order > 0 ? s->count : 0];
            return true;
        }
    }
    uint64_t prefix = prefix_of(key, key_size, s->skip);
    uint32_t index = lower_bound(s, prefix);
    if (index < s->count && s->prefixes[index] == prefix) return false;
    place->leaf = s->leaves[index];
    if (index > 0 && index < s->count) {
        uint64_t left = s->prefixes[index - 1], right = s->prefixes[index];
        place->is_guessed = true;
        place->share = (double)(prefix - left) / (double)(right - left);
    }
    return true;
}
