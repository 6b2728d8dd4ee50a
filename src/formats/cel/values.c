/* Comparing values, and finding them in lists and maps. */
#include "formats/cel/evaluate.h"

#include "base/hash.h"

#include <string.h>

#define LINEAR 8u /* up to here, looking at each is faster than hashing */

static int compare_bytes(shf_slice a, shf_slice b) {
    int order = memcmp(shf_cel_bytes(a), shf_cel_bytes(b), a.size < b.size ? a.size : b.size);
    if (order == 0) return a.size < b.size ? -1 : a.size > b.size;
    return order < 0 ? -1 : 1;
}

int shf_cel_compare(const struct shf_cel_value *a, const struct shf_cel_value *b) {
    switch (a->type) {
    case SHF_CEL_INT: return a->as.integer < b->as.integer ? -1 : a->as.integer > b->as.integer;
    case SHF_CEL_UINT: return a->as.uinteger < b->as.uinteger ? -1 : a->as.uinteger > b->as.uinteger;
    case SHF_CEL_BOOL: return (int)a->as.boolean - (int)b->as.boolean;
    case SHF_CEL_DOUBLE:
        if (a->as.real < b->as.real) return -1;
        return a->as.real > b->as.real ? 1 : a->as.real == b->as.real ? 0 : 2;
    case SHF_CEL_STRING:
    case SHF_CEL_BYTES: return compare_bytes(a->as.text, b->as.text);
    default: return 0;
    }
}

static bool scalars_are_equal(const struct shf_cel_value *a, const struct shf_cel_value *b) {
    switch (a->type) {
    case SHF_CEL_INT:
    case SHF_CEL_UINT: return a->as.uinteger == b->as.uinteger;
    case SHF_CEL_DOUBLE: return a->as.real == b->as.real;
    case SHF_CEL_BOOL: return a->as.boolean == b->as.boolean;
    case SHF_CEL_STRING:
    case SHF_CEL_BYTES: return shf_cel_slices_are_equal(a->as.text, b->as.text);
    default: return true; /* null */
    }
}

static bool lists_are_equal(const struct shf_cel_list *a, const struct shf_cel_list *b, uint64_t *steps) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count && *steps <= SHF_LIMIT_CEL_STEPS; i++) {
        if (!shf_cel_values_are_equal(&a->items[i], &b->items[i], steps)) return false;
    }
    return true;
}

static bool maps_are_equal(const struct shf_cel_list *a, const struct shf_cel_list *b, uint64_t *steps) {
    size_t index;
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count && *steps <= SHF_LIMIT_CEL_STEPS; i++) {
        if (!shf_cel_list_find(b, true, &a->items[2 * i], &index, steps)) return false;
        if (!shf_cel_values_are_equal(&a->items[2 * i + 1], &b->items[2 * index + 1], steps)) return false;
    }
    return true;
}

/* As deep as the types are, which the checker bounds. After too many steps the answer is any: the caller fails. */
bool shf_cel_values_are_equal(const struct shf_cel_value *a, const struct shf_cel_value *b, uint64_t *steps) {
    ++*steps;
    if (a->type != b->type) return false;
    if (a->type == SHF_CEL_LIST) return lists_are_equal(a->as.list, b->as.list, steps);
    if (a->type == SHF_CEL_MAP) return maps_are_equal(a->as.list, b->as.list, steps);
    if (a->type == SHF_CEL_STRING || a->type == SHF_CEL_BYTES) *steps += a->as.text.size / SHF_CEL_BYTES_A_STEP;
    return scalars_are_equal(a, b);
}

/* ---- finding ---- */

static bool can_be_hashed(enum shf_cel_type type) {
    return type != SHF_CEL_DOUBLE && type != SHF_CEL_LIST && type != SHF_CEL_MAP;
}

static uint64_t hash_of(const struct shf_cel_value *value) {
    if (value->type == SHF_CEL_STRING || value->type == SHF_CEL_BYTES) {
        return shf_hash64(shf_cel_bytes(value->as.text), value->as.text.size);
    }
    uint64_t number = value->type == SHF_CEL_BOOL   ? value->as.boolean
                      : value->type == SHF_CEL_NULL ? 0
                                                    : value->as.uinteger;
    number *= UINT64_C(0x9e3779b97f4a7c15);
    return number ^ number >> 32;
}

/* The place of the value in the table, or the free one where it would be. */
static size_t slot_of(const struct shf_cel_list *list, bool is_map, const struct shf_cel_value *value) {
    size_t mask = list->table_size - 1, slot = (size_t)hash_of(value) & mask;
    while (list->table[slot] && !scalars_are_equal(&list->items[(list->table[slot] - 1) * (is_map ? 2u : 1u)], value)) {
        slot = (slot + 1) & mask; /* half of the table is free */
    }
    return slot;
}

bool shf_cel_list_find(const struct shf_cel_list *list, bool is_map, const struct shf_cel_value *value, size_t *index,
                       uint64_t *steps) {
    if (list->table) {
        ++*steps;
        uint32_t found = list->table[slot_of(list, is_map, value)];
        *index = (size_t)found - 1;
        return found != 0;
    }
    for (size_t i = 0; i < list->count && *steps <= SHF_LIMIT_CEL_STEPS; i++) {
        *index = i;
        if (shf_cel_values_are_equal(&list->items[is_map ? 2 * i : i], value, steps)) return true;
    }
    return false;
}

static bool is_repeated_key(const struct shf_cel_list *list, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (scalars_are_equal(&list->items[2 * i], &list->items[2 * index])) return true;
    }
    return false;
}

static enum shf_cel_failure check_keys(const struct shf_cel_list *map) {
    for (size_t i = 0; i < map->count; i++) {
        enum shf_cel_type type = map->items[2 * i].type;
        if (type != SHF_CEL_INT && type != SHF_CEL_UINT && type != SHF_CEL_BOOL && type != SHF_CEL_STRING) {
            return SHF_CEL_FAILED_KEY_TYPE;
        }
        if (map->count <= LINEAR && is_repeated_key(map, i)) return SHF_CEL_FAILED_REPEATED_KEY;
    }
    return SHF_CEL_FAILED_NOT;
}

enum shf_cel_failure shf_cel_list_index(struct shf_cel_list *list, bool is_map, struct shf_cel_memory *memory) {
    enum shf_cel_failure failure = is_map ? check_keys(list) : SHF_CEL_FAILED_NOT;
    list->table = NULL;
    list->table_size = 0;
    if (failure || list->count <= LINEAR || !can_be_hashed(list->items[0].type)) return failure;
    size_t size = 32;
    while (size < 2 * list->count) size *= 2;
    uint32_t *table = shf_cel_alloc(memory, size, sizeof *table);
    if (!table) return shf_cel_memory_failure(memory, size, sizeof *table);
    memset(table, 0, size * sizeof *table);
    list->table = table;
    list->table_size = size;
    for (size_t i = 0; i < list->count; i++) {
        size_t slot = slot_of(list, is_map, &list->items[is_map ? 2 * i : i]);
        if (table[slot] && is_map) return SHF_CEL_FAILED_REPEATED_KEY;
        if (!table[slot]) table[slot] = (uint32_t)(i + 1);
    }
    return SHF_CEL_FAILED_NOT;
}
