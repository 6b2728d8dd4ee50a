/* Evaluation: lists and maps. */
#include "formats/cel/evaluate.h"

#include <string.h>

bool shf_cel_run_list(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *items,
                      size_t count, struct shf_cel_value *out) {
    struct shf_cel_list *list = shf_cel_run_alloc(run, node, 1, sizeof *list);
    if (!list) return false;
    *list = (struct shf_cel_list){.items = items, .count = count};
    out->type = SHF_CEL_LIST;
    out->as.list = list;
    return true;
}

static bool run_literal(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value *items = shf_cel_run_alloc(run, node, node->count, sizeof *items);
    struct shf_cel_list *list = items ? shf_cel_run_alloc(run, node, 1, sizeof *list) : NULL;
    bool is_map = node->op == SHF_CEL_OP_MAP;
    if (!list) return false;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!shf_cel_run_node(run, node->children[i], &items[i])) return false;
    }
    *list = (struct shf_cel_list){.items = items, .count = is_map ? node->count / 2 : node->count};
    out->type = is_map ? SHF_CEL_MAP : SHF_CEL_LIST;
    out->as.list = list;
    if (!is_map) return true;
    enum shf_cel_failure failure = shf_cel_list_index(list, true, &run->scratch->memory);
    return !failure || shf_cel_fail(run, node, failure);
}

static bool run_sum(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value a, b;
    if (!shf_cel_run_node(run, node->children[0], &a) || !shf_cel_run_node(run, node->children[1], &b)) return false;
    size_t count = a.as.list->count + b.as.list->count; /* both are in memory */
    struct shf_cel_value *items =
        shf_cel_charge(run, node, count) ? shf_cel_run_alloc(run, node, count, sizeof *items) : NULL;
    if (!items) return false;
    if (a.as.list->count) memcpy(items, a.as.list->items, a.as.list->count * sizeof *items);
    if (b.as.list->count) memcpy(items + a.as.list->count, b.as.list->items, b.as.list->count * sizeof *items);
    return shf_cel_run_list(run, node, items, count, out);
}

/* Looks for it and pays for that. */
static bool find(struct shf_cel_run *run, const struct shf_cel_node *node, const struct shf_cel_value *container,
                 const struct shf_cel_value *wanted, bool *found, size_t *index) {
    uint64_t steps = 0;
    *found = shf_cel_list_find(container->as.list, container->type == SHF_CEL_MAP, wanted, index, &steps);
    return shf_cel_charge(run, node, steps);
}

static bool run_in(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value wanted, container;
    size_t index;
    bool found;
    if (!shf_cel_run_node(run, node->children[0], &wanted) || !shf_cel_run_node(run, node->children[1], &container))
        return false;
    if (!find(run, node, &container, &wanted, &found, &index)) return false;
    out->type = SHF_CEL_BOOL;
    out->as.boolean = found;
    return true;
}

static bool run_list_index(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value list, index;
    if (!shf_cel_run_node(run, node->children[0], &list) || !shf_cel_run_node(run, node->children[1], &index))
        return false;
    if (index.as.integer < 0 || (uint64_t)index.as.integer >= list.as.list->count) {
        return shf_cel_fail(run, node, SHF_CEL_FAILED_INDEX);
    }
    *out = list.as.list->items[index.as.integer];
    return true;
}

/* m[key], m.name and has(m.name). */
static bool run_map_index(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    struct shf_cel_value map, key;
    size_t index;
    bool found;
    if (!shf_cel_run_node(run, node->children[0], &map)) return false;
    if (node->op == SHF_CEL_OP_INDEX_MAP) {
        if (!shf_cel_run_node(run, node->children[1], &key)) return false;
    } else {
        key.type = SHF_CEL_STRING;
        key.as.text = node->name;
    }
    if (!find(run, node, &map, &key, &found, &index)) return false;
    if (node->op == SHF_CEL_OP_HAS) {
        out->type = SHF_CEL_BOOL;
        out->as.boolean = found;
        return true;
    }
    if (!found) return shf_cel_fail(run, node, SHF_CEL_FAILED_KEY);
    *out = map.as.list->items[2 * index + 1];
    return true;
}

bool shf_cel_run_container(struct shf_cel_run *run, const struct shf_cel_node *node, struct shf_cel_value *out) {
    switch (node->op) {
    case SHF_CEL_OP_LIST:
    case SHF_CEL_OP_MAP: return run_literal(run, node, out);
    case SHF_CEL_OP_ADD_LIST: return run_sum(run, node, out);
    case SHF_CEL_OP_IN_LIST:
    case SHF_CEL_OP_IN_MAP: return run_in(run, node, out);
    case SHF_CEL_OP_INDEX_LIST: return run_list_index(run, node, out);
    default: return run_map_index(run, node, out);
    }
}
