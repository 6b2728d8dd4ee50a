#include "formats/cel/types.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define FIRST_TERM ((size_t)SHF_CEL_OTHER + 1)
#define SHOWN_DEPTH 4u

bool shf_cel_types_init(struct shf_cel_types *types) {
    memset(types, 0, sizeof *types);
    types->capacity = 64;
    types->terms = shf_alloc_array(types->capacity, sizeof *types->terms);
    if (!types->terms) return false;
    for (size_t i = 0; i < FIRST_TERM; i++) types->terms[i] = (struct shf_cel_term_data){(enum shf_cel_type)i, 0, 0};
    types->count = FIRST_TERM;
    return true;
}

void shf_cel_types_free(struct shf_cel_types *types) { shf_free(types->terms); }

static shf_cel_term add(struct shf_cel_types *types, struct shf_cel_term_data data) {
    if (types->count == types->capacity) {
        struct shf_cel_term_data *grown = shf_realloc_array(types->terms, types->capacity * 2, sizeof *grown);
        if (!grown) {
            types->is_out_of_memory = true;
            return 0;
        }
        types->terms = grown;
        types->capacity *= 2;
    }
    types->terms[types->count] = data;
    return (shf_cel_term)types->count++;
}

shf_cel_term shf_cel_term_variable(struct shf_cel_types *types) {
    return add(types, (struct shf_cel_term_data){SHF_CEL_OTHER, 0, 0});
}
shf_cel_term shf_cel_term_list(struct shf_cel_types *types, shf_cel_term element) {
    return add(types, (struct shf_cel_term_data){SHF_CEL_LIST, element, 0});
}
shf_cel_term shf_cel_term_map(struct shf_cel_types *types, shf_cel_term key, shf_cel_term value) {
    return add(types, (struct shf_cel_term_data){SHF_CEL_MAP, key, value});
}

shf_cel_term shf_cel_term_resolve(const struct shf_cel_types *types, shf_cel_term term) {
    while (types->terms[term].kind == SHF_CEL_OTHER && types->terms[term].first) term = types->terms[term].first;
    return term; /* ends: a variable is bound to what does not contain it */
}
enum shf_cel_type shf_cel_term_kind(const struct shf_cel_types *types, shf_cel_term term) {
    return types->terms[shf_cel_term_resolve(types, term)].kind;
}
shf_cel_term shf_cel_term_first(const struct shf_cel_types *types, shf_cel_term term) {
    return types->terms[shf_cel_term_resolve(types, term)].first;
}
shf_cel_term shf_cel_term_second(const struct shf_cel_types *types, shf_cel_term term) {
    return types->terms[shf_cel_term_resolve(types, term)].second;
}

/* Types may grow with the text, not only with its depth: both are bounded here. */
static bool may_go_on(struct shf_cel_types *types, unsigned depth) {
    if (++types->steps <= SHF_LIMIT_CEL_UNIFY_STEPS && depth <= 2 * SHF_LIMIT_CEL_DEPTH) return true;
    types->is_too_complex = true;
    return false;
}

/* The same as resolving, and makes the way shorter for the next time. */
static shf_cel_term find(struct shf_cel_types *types, shf_cel_term term) {
    struct shf_cel_term_data *terms = types->terms;
    while (terms[term].kind == SHF_CEL_OTHER && terms[term].first) {
        shf_cel_term next = terms[term].first;
        if (terms[next].kind == SHF_CEL_OTHER && terms[next].first) terms[term].first = terms[next].first;
        term = next;
    }
    return term;
}

static bool contains(struct shf_cel_types *types, shf_cel_term term, shf_cel_term variable, unsigned depth) {
    if (!may_go_on(types, depth)) return true;
    term = find(types, term);
    if (term == variable) return true;
    struct shf_cel_term_data data = types->terms[term];
    if (data.kind != SHF_CEL_LIST && data.kind != SHF_CEL_MAP) return false;
    return contains(types, data.first, variable, depth + 1) ||
           (data.kind == SHF_CEL_MAP && contains(types, data.second, variable, depth + 1));
}

static bool unify(struct shf_cel_types *types, shf_cel_term a, shf_cel_term b, unsigned depth) {
    if (!may_go_on(types, depth)) return false;
    a = find(types, a);
    b = find(types, b);
    if (a == b) return true;
    if (types->terms[b].kind != SHF_CEL_OTHER) { /* b is bound to a where there is a choice: all of a list to its first */
        shf_cel_term other = a;
        a = b;
        b = other;
    }
    if (types->terms[b].kind == SHF_CEL_OTHER) {
        if (contains(types, a, b, depth)) return false;
        types->terms[b].first = a;
        return true;
    }
    struct shf_cel_term_data left = types->terms[a], right = types->terms[b];
    if (left.kind != right.kind) return false;
    if (left.kind != SHF_CEL_LIST && left.kind != SHF_CEL_MAP) return true;
    return unify(types, left.first, right.first, depth + 1) &&
           (left.kind == SHF_CEL_LIST || unify(types, left.second, right.second, depth + 1));
}

bool shf_cel_term_unify(struct shf_cel_types *types, shf_cel_term a, shf_cel_term b) { return unify(types, a, b, 0); }

/* Writes from `out` on; one byte stays for the NUL. */
static size_t write_name(const struct shf_cel_types *types, shf_cel_term term, char *out, size_t left, unsigned depth) {
    struct shf_cel_term_data data = types->terms[shf_cel_term_resolve(types, term)];
    bool is_map = data.kind == SHF_CEL_MAP;
    const char *name = data.kind == SHF_CEL_OTHER ? "?" : shf_cel_type_name(data.kind);
    int size;
    if ((data.kind != SHF_CEL_LIST && !is_map) || depth >= SHOWN_DEPTH || left < 32) {
        size = snprintf(out, left, "%s", name);
        return size < 0 ? 0 : (size_t)size < left ? (size_t)size : left - 1;
    }
    size_t used = (size_t)snprintf(out, left, "%s(", name);
    used += write_name(types, data.first, out + used, left - used - 8, depth + 1);
    if (is_map) {
        used += (size_t)snprintf(out + used, left - used, ", ");
        used += write_name(types, data.second, out + used, left - used - 2, depth + 1);
    }
    used += (size_t)snprintf(out + used, left - used, ")");
    return used;
}

void shf_cel_term_name(const struct shf_cel_types *types, shf_cel_term term, char out[SHF_CEL_TYPE_NAME_BYTES]) {
    (void)write_name(types, term, out, SHF_CEL_TYPE_NAME_BYTES, 0);
}
