/*
 * Sorting the entries of a block: quicksort of (shard, eight bytes of the key), held in the entry, so that rows are touched
 * only where these do not tell. Entries that are equal there go on with the next eight bytes. In place, without recursion;
 * a range that splits badly for too long is heap-sorted.
 */
#include "writer/rows_priv.h"

#include <assert.h>

#define SMALL 20u         /* entries; insertion is faster */
#define MANY 512u         /* entries; a pivot out of nine is worth it */
#define STACK_RANGES 160u /* smaller ranges first: at most 3 * log4(2^30) and the four of a split wait */

__extension__ typedef unsigned __int128 wide;

enum level {
    BY_WORD,   /* word: eight bytes of the key from depth on */
    BY_LENGTH, /* word: size of the key; keys differ in it only */
    BY_PLACE   /* word: place; keys are the same */
};
struct range {
    struct shf_rows_entry *begin;
    size_t count;
    uint32_t depth; /* keys have so many bytes in common */
    uint32_t fuel;  /* splits until the heap takes over */
    enum level level;
};
struct sorter {
    const uint8_t *memory;
    uint32_t vector_size;
    uint32_t top;
    struct range stack[STACK_RANGES];
};

static struct shf_rows_key key_of(const struct sorter *s, const struct shf_rows_entry *entry) {
    return shf_rows_key_of(shf_rows_at(s->memory, entry->place), s->vector_size);
}

static wide wide_of(const struct shf_rows_entry *entry) { return (wide)entry->shard << 64 | entry->word; }

static bool before(const struct sorter *s, const struct range *r, const struct shf_rows_entry *a,
                   const struct shf_rows_entry *b) {
    wide left = wide_of(a), right = wide_of(b);
    if (left != right) return left < right;
    if (r->level == BY_WORD) {
        int order = shf_rows_key_compare(key_of(s, a), key_of(s, b), r->depth);
        if (order) return order < 0;
    }
    return a->place < b->place;
}

static void sort_by_insertion(const struct sorter *s, const struct range *r) {
    for (size_t i = 1; i < r->count; i++) {
        struct shf_rows_entry entry = r->begin[i];
        size_t j = i;
        for (; j > 0 && before(s, r, &entry, &r->begin[j - 1]); j--) r->begin[j] = r->begin[j - 1];
        r->begin[j] = entry;
    }
}

static void sift_down(const struct sorter *s, const struct range *r, size_t at, size_t count) {
    struct shf_rows_entry entry = r->begin[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(s, r, &r->begin[child], &r->begin[child + 1])) child++;
        if (!before(s, r, &entry, &r->begin[child])) break;
        r->begin[at] = r->begin[child];
    }
    r->begin[at] = entry;
}

static void sort_by_heap(const struct sorter *s, const struct range *r) {
    for (size_t i = r->count / 2; i-- > 0;) sift_down(s, r, i, r->count);
    for (size_t last = r->count; last-- > 1;) {
        struct shf_rows_entry largest = r->begin[0];
        r->begin[0] = r->begin[last];
        r->begin[last] = largest;
        sift_down(s, r, 0, last);
    }
}

static wide median(wide a, wide b, wide c) {
    if (a < b) return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

static wide middle_of_three(const struct shf_rows_entry *at, size_t step) {
    return median(wide_of(at), wide_of(at + step), wide_of(at + 2 * step));
}

static wide choose_pivot(const struct range *r) {
    size_t step = r->count / 9;
    if (r->count < MANY) return middle_of_three(r->begin + r->count / 6, r->count / 3);
    return median(middle_of_three(r->begin, step), middle_of_three(r->begin + 3 * step, step),
                  middle_of_three(r->begin + 6 * step, step));
}

static void swap(struct shf_rows_entry *a, struct shf_rows_entry *b) {
    struct shf_rows_entry held = *a;
    *a = *b;
    *b = held;
}

/* How many are below the pivot: they are first then. Without a branch that could be predicted wrongly. */
static size_t put_below_first(struct shf_rows_entry *begin, size_t count, wide pivot) {
    size_t below = 0;
    for (size_t i = 0; i < count; i++) {
        struct shf_rows_entry entry = begin[i];
        begin[i] = begin[below];
        begin[below] = entry;
        below += wide_of(&entry) < pivot;
    }
    return below;
}

/* Of entries that are not below the pivot, those that equal it first. */
static size_t put_equal_first(struct shf_rows_entry *begin, size_t count, wide pivot) {
    size_t equal = 0;
    for (size_t i = 0; i < count; i++) {
        if (wide_of(&begin[i]) == pivot) swap(&begin[i], &begin[equal++]);
    }
    return equal;
}

static uint32_t fuel_for(size_t count) {
    uint32_t fuel = 8;
    for (; count > 1; count >>= 1) fuel += 2;
    return fuel;
}

/* All words are equal: those whose key ended come first, the others go on. Returns how many ended. */
static size_t put_ended_first(const struct sorter *s, const struct range *r) {
    size_t ended = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct shf_rows_key key = key_of(s, &r->begin[i]);
        if (key.size > r->depth + 8) {
            r->begin[i].word = shf_rows_word(key, r->depth + 8);
            continue;
        }
        r->begin[i].word = key.size;
        swap(&r->begin[i], &r->begin[ended++]);
    }
    return ended;
}

static void set_words(const struct sorter *s, const struct range *r) {
    for (size_t i = r->count; i-- > 0;) { /* in the order in which the rows lie, when nothing was sorted yet */
        r->begin[i].word = shf_rows_word(key_of(s, &r->begin[i]), r->depth);
    }
}

/* What is left to do for entries that are equal at this level: up to two ranges. */
static void go_deeper(const struct sorter *s, struct range *r, struct range *second) {
    *second = (struct range){0};
    if (r->count < 2 || r->level == BY_PLACE) {
        r->count = 0;
        return;
    }
    r->fuel = fuel_for(r->count);
    if (r->level == BY_LENGTH) {
        for (size_t i = 0; i < r->count; i++) r->begin[i].word = r->begin[i].place;
        r->level = BY_PLACE;
        return;
    }
    size_t ended = put_ended_first(s, r);
    *second = *r;
    second->begin += ended;
    second->count -= ended;
    second->depth += 8;
    r->count = ended;
    r->level = BY_LENGTH;
}

/* Larger ranges first, so that the smaller are done first and the stack stays low. */
static void push_all(struct sorter *s, struct range *ranges, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct range range = ranges[i];
        size_t j = i;
        for (; j > 0 && ranges[j - 1].count < range.count; j--) ranges[j] = ranges[j - 1];
        ranges[j] = range;
    }
    for (size_t i = 0; i < count && ranges[i].count > 1; i++) {
        assert(s->top < STACK_RANGES);
        s->stack[s->top++] = ranges[i];
    }
}

static void split(struct sorter *s, const struct range *r) {
    wide pivot = choose_pivot(r);
    struct range parts[4] = {*r, *r, *r, *r};
    for (size_t i = 0; i < 4; i++) parts[i].fuel--;
    parts[0].count = put_below_first(r->begin, r->count, pivot);
    parts[1].begin += parts[0].count;
    parts[1].count = put_equal_first(parts[1].begin, r->count - parts[0].count, pivot);
    parts[2].begin = parts[1].begin + parts[1].count;
    parts[2].count = r->count - parts[0].count - parts[1].count;
    go_deeper(s, &parts[1], &parts[3]);
    push_all(s, parts, 4);
}

void shf_rows_sort(const uint8_t *memory, uint32_t vector_size, struct shf_rows_entry *entries, size_t count,
                   uint32_t common) {
    struct sorter s;
    s.memory = memory;
    s.vector_size = vector_size;
    s.top = 1;
    s.stack[0] = (struct range){entries, count, common, fuel_for(count), BY_WORD};
    set_words(&s, &s.stack[0]);
    while (s.top > 0) {
        struct range r = s.stack[--s.top];
        if (r.count <= SMALL) {
            sort_by_insertion(&s, &r);
        } else if (r.fuel == 0) {
            sort_by_heap(&s, &r);
        } else {
            split(&s, &r);
        }
    }
}
