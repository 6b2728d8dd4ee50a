#include "cel_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values of the fixtures ---- */

static void *kept[4096];
static size_t kept_count;

static void *keep(void *memory) {
    assert_non_null(memory);
    assert_true(kept_count < sizeof kept / sizeof kept[0]);
    kept[kept_count++] = memory;
    return memory;
}

void free_values(void) {
    while (kept_count) free(kept[--kept_count]);
}

static struct shf_cel_value items_from_json(const json_t *json, bool is_map) {
    size_t count = json_array_size(json);
    struct shf_cel_value *items = keep(calloc(2 * count + 1, sizeof *items)), out;
    struct shf_cel_list *list = keep(calloc(1, sizeof *list));
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, i);
        if (is_map) {
            items[2 * i] = value_from_json(json_array_get(item, 0));
            items[2 * i + 1] = value_from_json(json_array_get(item, 1));
        } else {
            items[i] = value_from_json(item);
        }
    }
    list->items = items;
    list->count = count;
    out.type = is_map ? SHF_CEL_MAP : SHF_CEL_LIST;
    out.as.list = list;
    return out;
}

struct shf_cel_value value_from_json(const json_t *json) {
    struct shf_cel_value out = {0};
    const char *kind = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)json));
    const json_t *value = json_object_get(json, kind);
    const char *text = json_string_value(value);
    if (strcmp(kind, "int") == 0) {
        out.type = SHF_CEL_INT;
        out.as.integer = strtoll(text, NULL, 10);
    } else if (strcmp(kind, "uint") == 0) {
        out.type = SHF_CEL_UINT;
        out.as.uinteger = strtoull(text, NULL, 10);
    } else if (strcmp(kind, "double") == 0) {
        out.type = SHF_CEL_DOUBLE;
        out.as.real = strtod(text, NULL);
    } else if (strcmp(kind, "bool") == 0) {
        out.type = SHF_CEL_BOOL;
        out.as.boolean = json_is_true(value);
    } else if (strcmp(kind, "null") == 0) {
        out.type = SHF_CEL_NULL;
    } else if (strcmp(kind, "string") == 0) {
        out.type = SHF_CEL_STRING;
        out.as.text = (shf_slice){text, json_string_length(value)};
    } else if (strcmp(kind, "bytes") == 0) {
        out.type = SHF_CEL_BYTES;
        out.as.text.data = keep(from_hex(text, &out.as.text.size));
    } else if (strcmp(kind, "list") == 0 || strcmp(kind, "map") == 0) {
        return items_from_json(value, kind[0] == 'm');
    } else {
        fail_msg("no value of the fixtures: %s", kind);
    }
    return out;
}

static bool map_is(const struct shf_cel_list *map, const json_t *json) {
    for (size_t i = 0; i < map->count; i++) {
        const json_t *entry = json_array_get(json, i);
        bool found = false;
        for (size_t j = 0; j < map->count && !found; j++) { /* in any order */
            found = value_is(&map->items[2 * j], json_array_get(entry, 0)) &&
                    value_is(&map->items[2 * j + 1], json_array_get(entry, 1));
        }
        if (!found) return false;
    }
    return true;
}

bool value_is(const struct shf_cel_value *value, const json_t *json) {
    struct shf_cel_value wanted = value_from_json(json);
    if (value->type != wanted.type) return false;
    switch (value->type) {
    case SHF_CEL_INT:
    case SHF_CEL_UINT: return value->as.uinteger == wanted.as.uinteger;
    case SHF_CEL_DOUBLE: return value->as.real == wanted.as.real || (isnan(value->as.real) && isnan(wanted.as.real));
    case SHF_CEL_BOOL: return value->as.boolean == wanted.as.boolean;
    case SHF_CEL_STRING:
    case SHF_CEL_BYTES:
        return value->as.text.size == wanted.as.text.size &&
               (wanted.as.text.size == 0 || memcmp(value->as.text.data, wanted.as.text.data, wanted.as.text.size) == 0);
    case SHF_CEL_LIST:
    case SHF_CEL_MAP: break;
    default: return true;
    }
    const json_t *items = json_object_get(json, value->type == SHF_CEL_MAP ? "map" : "list");
    if (value->as.list->count != json_array_size(items)) return false;
    if (value->type == SHF_CEL_MAP) return map_is(value->as.list, items);
    for (size_t i = 0; i < value->as.list->count; i++) {
        if (!value_is(&value->as.list->items[i], json_array_get(items, i))) return false;
    }
    return true;
}

/* ---- columns ---- */

struct shf_cel_column column_from_text(const char *name, const char *type) {
    struct shf_cel_column column = {.name = name};
    char key[16] = "", element[16] = "";
    if (sscanf(type, "list<%15[a-z]>", element) == 1) {
        column.type = SHF_CEL_LIST;
    } else if (sscanf(type, "map<%15[a-z],%15[a-z]>", key, element) == 2) {
        column.type = SHF_CEL_MAP;
    } else {
        column.type = strcmp(type, "null_type") == 0 ? SHF_CEL_NULL : shf_cel_type_parse(type);
    }
    column.key = shf_cel_type_parse(key);
    column.element = shf_cel_type_parse(element);
    return column;
}

size_t columns_from_json(const json_t *json, struct shf_cel_column columns[MOST_COLUMNS]) {
    const char *name;
    json_t *type;
    size_t count = 0;
    json_object_foreach((json_t *)(uintptr_t)json, name, type) {
        assert_true(count < MOST_COLUMNS);
        columns[count++] = column_from_text(name, json_string_value(type));
    }
    return count;
}

json_t *load_cases(const char *name, bool *is_whole) {
    char relative[128], own[512];
    (void)snprintf(relative, sizeof relative, "fixtures/cel/%s", name);
    (void)snprintf(own, sizeof own, "%s/formats/cel/%s", SHF_TEST_DATA, name);
    const char *path = shared_path(relative);
    json_error_t error;
    *is_whole = path && file_exists(path);
    json_t *json = json_load_file(*is_whole ? path : own, JSON_ALLOW_NUL, &error);
    if (!json) fail_msg("%s: %s", *is_whole ? path : own, error.text);
    json_t *cases = json_incref(json_object_get(json, "cases"));
    json_decref(json);
    assert_true(json_is_array(cases));
    return cases;
}

/* ---- one expression ---- */

static const struct shf_cel_column usual_columns[] = {
    {"k", SHF_CEL_INT, 0, 0},  {"u", SHF_CEL_UINT, 0, 0},   {"d", SHF_CEL_DOUBLE, 0, 0},
    {"b", SHF_CEL_BOOL, 0, 0}, {"s", SHF_CEL_STRING, 0, 0}, {"y", SHF_CEL_BYTES, 0, 0},
};

struct row usual_row(void) {
    struct row row;
    row.columns[0] = (struct shf_cel_value){SHF_CEL_INT, {.integer = 7}};
    row.columns[1] = (struct shf_cel_value){SHF_CEL_UINT, {.uinteger = 7}};
    row.columns[2] = (struct shf_cel_value){SHF_CEL_DOUBLE, {.real = 0.5}};
    row.columns[3] = (struct shf_cel_value){SHF_CEL_BOOL, {.boolean = true}};
    row.columns[4] = (struct shf_cel_value){SHF_CEL_STRING, {.text = {"text", 4}}};
    row.columns[5] = (struct shf_cel_value){SHF_CEL_BYTES, {.text = {"\x01\xff", 2}}};
    return row;
}

shf_status try_compile(const char *text, struct shf_cel **out, struct shf_error **error) {
    return shf_cel_compile(text, strlen(text), usual_columns, 6, out, error);
}

shf_status try_evaluate(const char *text, const struct row *row, struct shf_cel_value *out, struct shf_error **error) {
    static char copy[4096];
    struct shf_cel_scratch scratch;
    struct shf_cel *cel = NULL;
    expect_ok(try_compile(text, &cel, error), *error);
    shf_cel_scratch_init(&scratch);
    shf_status status = shf_cel_evaluate(cel, row->columns, &scratch, out, error);
    if (!status && (out->type == SHF_CEL_STRING || out->type == SHF_CEL_BYTES)) {
        assert_true(out->as.text.size < sizeof copy);
        if (out->as.text.size) memcpy(copy, out->as.text.data, out->as.text.size);
        copy[out->as.text.size] = '\0';
        out->as.text.data = copy;
    }
    shf_cel_scratch_free(&scratch);
    shf_cel_free(cel);
    return status;
}

static struct shf_cel_value value_of(const char *text, enum shf_cel_type type) {
    struct row row = usual_row();
    struct shf_error *error = NULL;
    struct shf_cel_value value = {0};
    shf_status status = try_evaluate(text, &row, &value, &error);
    if (status) fail_msg("%s: %s", text, shf_error_message(error));
    if (value.type != type) fail_msg("%s: is a %s", text, shf_cel_type_name(value.type));
    return value;
}

void expect_int(const char *text, int64_t wanted) {
    int64_t found = value_of(text, SHF_CEL_INT).as.integer;
    if (found != wanted) fail_msg("%s: %lld", text, (long long)found);
}
void expect_uint(const char *text, uint64_t wanted) {
    uint64_t found = value_of(text, SHF_CEL_UINT).as.uinteger;
    if (found != wanted) fail_msg("%s: %llu", text, (unsigned long long)found);
}
void expect_bool(const char *text, bool wanted) {
    if (value_of(text, SHF_CEL_BOOL).as.boolean != wanted) fail_msg("%s: is %s", text, wanted ? "false" : "true");
}
void expect_text(const char *text, const char *wanted) {
    struct shf_cel_value value = value_of(text, SHF_CEL_STRING);
    if (value.as.text.size != strlen(wanted) || memcmp(value.as.text.data, wanted, value.as.text.size) != 0) {
        fail_msg("%s: %.*s", text, (int)value.as.text.size, (const char *)value.as.text.data);
    }
}

void expect_refused(const char *text, const char *message) {
    struct shf_error *error = NULL;
    struct shf_cel *cel = NULL;
    shf_status status = try_compile(text, &cel, &error);
    if (!status) fail_msg("%s: compiles", text);
    if (!strstr(shf_error_message(error), message)) fail_msg("%s: %s", text, shf_error_message(error));
    assert_int_equal(status, SHF_E_INVALID);
    assert_null(cel);
    shf_error_free(error);
}

void expect_failure(const char *text, const char *message) {
    struct row row = usual_row();
    struct shf_error *error = NULL;
    struct shf_cel_value value;
    shf_status status = try_evaluate(text, &row, &value, &error);
    if (!status) fail_msg("%s: has a value", text);
    if (!strstr(shf_error_message(error), message)) fail_msg("%s: %s", text, shf_error_message(error));
    assert_int_equal(status, SHF_E_ROUTING);
    shf_error_free(error);
}
