#include "io/store_names.h"

#include "base/alloc.h"
#include "io/store.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_NAMES 64u

static bool grow(char ***array, size_t capacity) {
    char **grown = shf_realloc_array(*array, capacity, sizeof *grown);
    if (grown) *array = grown;
    return grown != NULL;
}

bool shf_store_names_add(struct shf_store_names *list, char *name, char *version) {
    if (!name) goto failed;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : FIRST_NAMES;
        if (!grow(&list->names, capacity) || (list->wants_versions && !grow(&list->versions, capacity))) goto failed;
        list->capacity = capacity;
    }
    if (list->wants_versions) list->versions[list->count] = version;
    list->names[list->count++] = name;
    return true;
failed:
    shf_free(name);
    shf_free(version);
    return false;
}

/* ---- sorting ---- */

struct entry {
    char *name, *version;
    size_t at;
};

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int by_bytes_and_place(const void *a, const void *b) {
    const struct entry *one = a, *other = b;
    int order = strcmp(one->name, other->name);
    return order ? order : one->at < other->at ? -1 : one->at > other->at;
}

static bool sort_with_versions(struct shf_store_names *list) {
    struct entry *entries = shf_alloc_array(list->count, sizeof *entries);
    if (!entries) return false;
    for (size_t i = 0; i < list->count; i++) entries[i] = (struct entry){list->names[i], list->versions[i], i};
    qsort(entries, list->count, sizeof *entries, by_bytes_and_place);
    for (size_t i = 0; i < list->count; i++) {
        list->names[i] = entries[i].name;
        list->versions[i] = entries[i].version;
    }
    shf_free(entries);
    return true;
}

bool shf_store_names_sort(struct shf_store_names *list) {
    if (!list->count) return true;
    if (list->wants_versions) return sort_with_versions(list);
    qsort(list->names, list->count, sizeof *list->names, by_bytes);
    return true;
}

static void move(struct shf_store_names *list, size_t from, size_t to) {
    list->names[to] = list->names[from];
    if (list->versions) list->versions[to] = list->versions[from];
}

void shf_store_names_drop_doubles(struct shf_store_names *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool is_double = kept && strcmp(list->names[kept - 1], list->names[i]) == 0;
        if (*list->names[i] && !is_double) {
            move(list, i, kept++);
            continue;
        }
        shf_free(list->names[i]);
        if (!list->versions) continue;
        char *version = list->versions[i];
        if (is_double && version) {
            shf_free(list->versions[kept - 1]);
            list->versions[kept - 1] = version;
        } else {
            shf_free(version);
        }
    }
    list->count = kept;
}

/* ---- the end ---- */

void shf_store_names_give(struct shf_store_names *list, struct shf_store_request *request) {
    request->names = list->names;
    request->versions = list->versions;
    request->name_count = list->count;
    *list = (struct shf_store_names){.wants_versions = list->wants_versions};
}

void shf_store_names_free(struct shf_store_names *list) {
    for (size_t i = 0; i < list->count; i++) {
        shf_free(list->names[i]);
        if (list->versions) shf_free(list->versions[i]);
    }
    shf_free(list->names);
    shf_free(list->versions);
    *list = (struct shf_store_names){.wants_versions = list->wants_versions};
}
