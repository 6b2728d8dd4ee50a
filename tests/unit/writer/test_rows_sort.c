/* Sorting one block, against qsort: orders and keys that are hard for a quicksort. */
#include "rows_support.h"

#include "writer/rows_priv.h"

#include <stdlib.h>
#include <string.h>

#define COUNT 30000u

/* Makes key number i; returns its size, at most 600. */
typedef uint32_t make_key(uint32_t i, uint8_t *out);

static uint32_t put_number(uint64_t number, uint8_t *out) {
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(number >> (56 - 8 * i));
    return 8;
}

static uint32_t ascending(uint32_t i, uint8_t *out) { return put_number(i, out); }
static uint32_t descending(uint32_t i, uint8_t *out) { return put_number(COUNT - i, out); }
static uint32_t organ_pipe(uint32_t i, uint8_t *out) { return put_number(i < COUNT / 2 ? i : COUNT - i, out); }
static uint32_t all_equal(uint32_t i, uint8_t *out) {
    (void)i;
    return put_number(7, out);
}
static uint32_t sawtooth(uint32_t i, uint8_t *out) { return put_number(i % 13, out); }
static uint32_t random_key(uint32_t i, uint8_t *out) {
    uint64_t state = i;
    return put_number(rows_random(&state), out);
}
/* Lengths of zeros: only the length tells. */
static uint32_t zeros(uint32_t i, uint8_t *out) {
    memset(out, 0, 600);
    return i * 7919 % 601;
}
/* Differences far behind, in several groups. */
static uint32_t deep(uint32_t i, uint8_t *out) {
    uint64_t state = i;
    uint64_t bits = rows_random(&state);
    memset(out, 'x', 600);
    out[100 * (bits % 5)] = (uint8_t)(bits >> 8);
    return 500 + (uint32_t)(bits >> 16) % 100;
}
/* Every key begins with the one before. */
static uint32_t nested(uint32_t i, uint8_t *out) {
    for (uint32_t j = 0; j < 600; j++) out[j] = (uint8_t)(j * 31);
    return i * 104729 % 600;
}

struct model {
    uint32_t shard, size;
    size_t number;
    uint8_t key[600];
};

static int compare(const void *left, const void *right) {
    const struct model *a = left, *b = right;
    if (a->shard != b->shard) return a->shard < b->shard ? -1 : 1;
    int order = memcmp(a->key, b->key, a->size < b->size ? a->size : b->size);
    if (order) return order;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static void sort_and_compare(make_key *make, uint32_t count, uint32_t num_dbs) {
    struct shf_rows rows = {.num_dbs = num_dbs, .options = {.num_dbs = num_dbs}};
    struct shf_rows_block block = {.rows = &rows, .size = (size_t)count * 704 + 64};
    struct model *model = calloc(count, sizeof *model);
    block.memory = calloc(1, block.size);
    assert_non_null(model);
    assert_non_null(block.memory);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t state = i;
        struct shf_rows_row row = {.origin = i, .key = model[i].key, .hash = rows_random(&state)};
        row.key_size = model[i].size = make(i, model[i].key);
        model[i].shard = (uint32_t)(row.hash % num_dbs);
        model[i].number = i;
        uint64_t size = shf_rows_packed_size(&row, 0);
        assert_true(shf_rows_block_takes(&block, size));
        uint8_t *out = shf_rows_block_place(&block, size, row.hash, 0);
        shf_rows_pack(&row, 0, i, out);
        shf_rows_block_common(&block, shf_rows_key_of(out, 0));
    }
    qsort(model, count, sizeof *model, compare);
    shf_rows_block_sort(&block);
    const struct shf_rows_entry *entries = shf_rows_entries(&block);
    for (uint32_t i = 0; i < count; i++) {
        struct shf_rows_head head = shf_rows_head_of(shf_rows_at(block.memory, entries[i].place));
        assert_int_equal(head.origin, model[i].number);
        assert_int_equal(entries[i].shard, model[i].shard);
    }
    free(block.memory);
    free(model);
}

static void test_orders(void **state) {
    (void)state;
    static make_key *const makers[] = {ascending,  descending, organ_pipe, all_equal, sawtooth,
                                       random_key, zeros,      deep,       nested};
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        sort_and_compare(makers[i], COUNT, 1);
        sort_and_compare(makers[i], COUNT / 3, 7);
        for (uint32_t count = 1; count < 50; count++) sort_and_compare(makers[i], count, 1 + count % 3);
    }
}

/* ---- an order that splits badly, round after round ---- */

enum { SIZE = 4000, SHORTEST = 600 };
static uint64_t keys[SIZE];
static uint32_t ids[SIZE]; /* which key lies where, as the sort moves them */

static uint64_t median(uint64_t a, uint64_t b, uint64_t c) {
    if (a < b) return b < c ? b : a < c ? c : a;
    return a < c ? a : b < c ? c : b;
}

static void swap_ids(size_t a, size_t b) {
    uint32_t held = ids[a];
    ids[a] = ids[b];
    ids[b] = held;
}

/* The sort's own steps: where it looks for a pivot, the smallest keys that are left are put. */
static void choose_bad_keys(void) {
    uint64_t smallest = 0, found[9];
    for (uint32_t i = 0; i < SIZE; i++) {
        ids[i] = i;
        keys[i] = UINT64_MAX;
    }
    for (size_t begin = 0, left = SIZE; left > SHORTEST;) {
        for (size_t i = 0; i < 9; i++) {
            uint64_t *key = &keys[ids[begin + i * (left / 9)]];
            if (*key == UINT64_MAX) *key = smallest++;
            found[i] = *key;
        }
        uint64_t pivot = median(median(found[0], found[1], found[2]), median(found[3], found[4], found[5]),
                                median(found[6], found[7], found[8]));
        size_t below = begin;
        for (size_t i = begin; i < begin + left; i++) {
            swap_ids(i, below);
            below += keys[ids[below]] < pivot;
        }
        size_t equal = below;
        for (size_t i = below; i < begin + left; i++) {
            if (keys[ids[i]] == pivot) swap_ids(i, equal++);
        }
        left -= equal - begin;
        begin = equal;
    }
    for (uint32_t i = 0; i < SIZE; i++) {
        if (keys[i] == UINT64_MAX) keys[i] = SIZE + i;
    }
}

static void test_ranges_that_split_badly(void **state) {
    (void)state;
    static uint8_t memory[SIZE * 40];
    static struct shf_rows_entry entries[SIZE];
    choose_bad_keys();
    for (uint32_t i = 0; i < SIZE; i++) {
        uint8_t key[8];
        struct shf_rows_row row = {.key = key, .key_size = put_number(keys[i], key)};
        shf_rows_pack(&row, 0, i, memory + (size_t)i * 40);
        entries[i] = (struct shf_rows_entry){.place = i * 5 << 3};
    }
    shf_rows_sort(memory, 0, entries, SIZE, 0);
    for (uint32_t i = 1; i < SIZE; i++) {
        struct shf_rows_key before = shf_rows_key_of(shf_rows_at(memory, entries[i - 1].place), 0);
        struct shf_rows_key after = shf_rows_key_of(shf_rows_at(memory, entries[i].place), 0);
        assert_true(shf_rows_key_compare(before, after, 0) < 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_ranges_that_split_badly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
