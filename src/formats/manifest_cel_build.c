/* build_meta.sharding of a snapshot that is sharded by an expression, as it is written. */
#include "base/alloc.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "formats/manifest_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHARDING "the expression that shards a snapshot"

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for " SHARDING);
}

static shf_status parse(const char *what, const char *text, json_t **out, struct shf_error **error) {
    shf_status status = shf_json_parse(text, strlen(text), SHF_E_INVALID, out, error);
    if (status) shf_error_prefix(error, "%s", what);
    return status;
}

static shf_status check_columns(json_t *columns, struct shf_error **error) {
    const char *name;
    json_t *type;
    if (!json_is_object(columns) || json_object_size(columns) == 0) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the columns of the expression are no JSON object with a member; {\"key\": \"int\"}, say");
    }
    if (json_object_size(columns) > SHF_LIMIT_CEL_COLUMNS) {
        return shf_error_set(error, SHF_E_LIMIT, "the expression has %zu columns; at most %u",
                             json_object_size(columns), SHF_LIMIT_CEL_COLUMNS);
    }
    json_object_foreach(columns, name, type) {
        if (json_is_string(type)) continue;
        return shf_error_set(error, SHF_E_INVALID, "the type of column %.64s is no text", name);
    }
    return SHF_OK;
}

/* Whether they are unique and of one type is seen when they are read. */
static shf_status check_values(const json_t *values, struct shf_error **error) {
    if (!json_is_array(values)) {
        return shf_error_set(error, SHF_E_INVALID, "the routing values are no JSON list; [\"eu\", \"us\"], say");
    }
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        if (json_is_integer(value) || json_is_string(value)) continue;
        return shf_error_set(error, SHF_E_INVALID,
                             "routing value %zu is neither a text nor an integer of 64 bits with a sign", i);
    }
    return SHF_OK;
}

/* What is wrong with a text that was given is not wrong with a manifest. */
static shf_status as_given(shf_status status, struct shf_error **error) {
    if (status != SHF_E_MANIFEST) return status;
    if (!error || !*error) return SHF_E_INVALID;
    struct shf_error *read = *error;
    *error = NULL;
    status = shf_error_set(error, SHF_E_INVALID, "%s", shf_error_message(read));
    shf_error_free(read);
    return status;
}

/* Takes columns and values. */
static shf_status read_all(const char *expression, json_t *columns, json_t *values, struct shf_manifest_cel *out,
                           struct shf_error **error) {
    struct shf_manifest read = {.num_dbs = 1};
    if (values && json_array_size(values)) read.num_dbs = (uint32_t)json_array_size(values);
    json_t *sharding = json_pack("{s:s, s:s, s:s, s:o, s:o}", "strategy", "cel", "hash_algorithm", "xxh3_64", "cel_expr",
                                 expression, "cel_columns", columns, "routing_values", values ? values : json_null());
    if (!sharding) return no_memory(error);
    shf_status status = as_given(shf_manifest_read_sharding(sharding, &read, error), error);
    json_decref(sharding);
    if (status) {
        shf_manifest_cel_free(&read.cel);
    } else {
        *out = read.cel;
    }
    return status;
}

shf_status shf_manifest_cel_take(const char *expression, const char *columns, const char *routing_values,
                                 struct shf_manifest_cel *out, struct shf_error **error) {
    json_t *columns_json = NULL, *values_json = NULL;
    if (!*expression || !shf_utf8_valid(expression, strlen(expression))) {
        return shf_error_set(error, SHF_E_INVALID, "the CEL expression is %s", *expression ? "not valid UTF-8" : "empty");
    }
    shf_status status = parse("the columns of the expression", columns, &columns_json, error);
    if (!status) status = check_columns(columns_json, error);
    if (!status && routing_values) status = parse("the routing values", routing_values, &values_json, error);
    if (!status && routing_values) status = check_values(values_json, error);
    if (!status) return read_all(expression, columns_json, values_json, out, error);
    json_decref(columns_json);
    json_decref(values_json);
    return status;
}

void shf_manifest_cel_free(struct shf_manifest_cel *cel) {
    shf_manifest_free_cel(cel);
    *cel = (struct shf_manifest_cel){0};
}

/* ---- the text, in the order and the spelling of Python's json.dumps ---- */

void shf_manifest_add_quoted(struct shf_text *text, const char *data, size_t size) {
    char *quoted = shf_json_quote(data, size);
    if (quoted) {
        shf_text_add_string(text, quoted);
    } else {
        text->failed = true;
    }
    shf_free(quoted);
}

static int compare_columns(const void *left, const void *right) {
    return strcmp(((const struct shf_manifest_cel_column *)left)->name,
                  ((const struct shf_manifest_cel_column *)right)->name);
}

void shf_manifest_add_expression(struct shf_text *text, const struct shf_manifest_cel *cel) {
    struct shf_manifest_cel_column *sorted = shf_memdup(cel->columns, cel->column_count * sizeof *sorted);
    if (!sorted) {
        text->failed = true;
        return;
    }
    qsort(sorted, cel->column_count, sizeof *sorted, compare_columns);
    shf_text_add_string(text, "\"cel_columns\": {");
    for (size_t i = 0; i < cel->column_count; i++) {
        if (i) shf_text_add_string(text, ", ");
        shf_manifest_add_quoted(text, sorted[i].name, strlen(sorted[i].name));
        shf_text_add_string(text, ": ");
        shf_manifest_add_quoted(text, sorted[i].type, strlen(sorted[i].type));
    }
    shf_text_add_string(text, "}, \"cel_expr\": ");
    shf_manifest_add_quoted(text, cel->expression, strlen(cel->expression));
    shf_free(sorted);
}

void shf_manifest_add_values(struct shf_text *text, const struct shf_cel_value *values, size_t count) {
    shf_text_add_string(text, values ? "\"routing_values\": [" : "\"routing_values\": null");
    for (size_t i = 0; values && i < count && text->size <= SHF_LIMIT_JSON_BYTES; i++) {
        if (i) shf_text_add_string(text, ", ");
        if (values[i].type == SHF_CEL_INT) {
            shf_text_format(text, "%" PRId64, values[i].as.integer);
        } else {
            shf_manifest_add_quoted(text, values[i].as.text.size ? values[i].as.text.data : "", values[i].as.text.size);
        }
    }
    if (values) shf_text_add_string(text, "]");
}

shf_status shf_manifest_take_routing(struct shf_text *text, const char *what, char **out, struct shf_error **error) {
    size_t size = text->size;
    char *made = shf_text_take(text);
    if (!made) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %s", what);
    if (size > SHF_LIMIT_JSON_BYTES) {
        shf_free(made);
        return shf_error_set(
            error, SHF_E_LIMIT,
            "the expression with its routing values takes more than %u bytes of a manifest; give fewer "
            "or shorter ones",
            SHF_LIMIT_JSON_BYTES);
    }
    *out = made;
    return SHF_OK;
}

shf_status shf_manifest_cel_build(const struct shf_manifest_cel *cel, const struct shf_cel_value *values, size_t count,
                                  char **out, struct shf_error **error) {
    struct shf_text text = {0};
    shf_text_add_string(&text, "{");
    shf_manifest_add_expression(&text, cel);
    shf_text_add_string(&text, ", \"hash_algorithm\": \"xxh3_64\", ");
    shf_manifest_add_values(&text, values, count);
    shf_text_add_string(&text, ", \"strategy\": \"cel\"}");
    return shf_manifest_take_routing(&text, SHARDING, out, error);
}
