#include "cli/query.h"

#include "cli/codec.h"
#include "cli/memory.h"
#include "cli/notice.h"
#include "cli/npy.h"
#include "cli/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_UNKNOWN_NAMES 16u /* of members that are warned of */

char *cli_query_from_text(const char *text, struct cli_query *out) {
    size_t commas = 0;
    for (const char *p = text; *p; p++) commas += *p == ',';
    if (commas >= CLI_NPY_MAX_DIMENSION) return cli_format("more than %u dimensions", CLI_NPY_MAX_DIMENSION);
    out->vector = cli_alloc_array(commas + 1, sizeof *out->vector);
    for (size_t i = 0; i <= commas; i++) {
        double value;
        text += strspn(text, " ");
        size_t size = strcspn(text, ","), digits = size;
        while (digits && text[digits - 1] == ' ') digits--;
        if (!cli_parse_double(text, digits, &value) || !isfinite((float)value)) {
            return cli_format("QUERY: '%.*s' is not a number (floats separated by commas are wanted, as in 0.1,-2)",
                              (int)(size > 40 ? 40 : size), text);
        }
        out->vector[out->dimension++] = (float)value;
        text += size + 1;
    }
    return NULL;
}

static char *vector_member(json_t *array, struct cli_query *out) {
    size_t count = json_array_size(array);
    if (!json_is_array(array)) return cli_strdup("vector is not an array of numbers");
    if (!count || count > CLI_NPY_MAX_DIMENSION) {
        return cli_format("vector has %zu elements (1 to %u are read)", count, CLI_NPY_MAX_DIMENSION);
    }
    out->vector = cli_alloc_array(count, sizeof *out->vector);
    for (size_t i = 0; i < count; i++) {
        json_t *element = json_array_get(array, i);
        float value = (float)json_number_value(element);
        if (!json_is_number(element) || !isfinite(value)) {
            return cli_format("vector: element %zu is not a float32 number", i);
        }
        out->vector[out->dimension++] = value;
    }
    return NULL;
}

static char *base64_member(json_t *text, struct cli_query *out) {
    char *bytes;
    size_t size;
    if (!json_is_string(text) || !cli_base64_decode(json_string_value(text), json_string_length(text), &bytes, &size)) {
        return cli_strdup("vector_base64 is not base64");
    }
    struct cli_npy row = {.rows = 1, .dimension = (uint32_t)(size / 4), .item_bytes = 4};
    char *error = NULL;
    if (!size || size % 4 || size / 4 > CLI_NPY_MAX_DIMENSION) {
        error = cli_format("vector_base64 has %zu bytes, which is no vector of float32", size);
    } else {
        out->vector = cli_alloc_array(row.dimension, sizeof *out->vector);
        out->dimension = row.dimension;
        if (!cli_npy_row(&row, bytes, out->vector)) error = cli_strdup("vector_base64 has a NaN or infinite element");
    }
    free(bytes);
    return error;
}

static char *number_member(const char *name, json_t *value, uint32_t *out) {
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > UINT32_MAX) {
        return cli_format("%s is not a whole number above 0", name);
    }
    *out = (uint32_t)number;
    return NULL;
}

static char *shards_member(json_t *array, struct cli_query *out) {
    if (!json_is_array(array)) return cli_strdup("shard_ids is not an array of shard ids");
    out->shard_ids = cli_alloc_array(json_array_size(array), sizeof *out->shard_ids);
    out->has_shard_ids = true;
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *element = json_array_get(array, i);
        json_int_t id = json_integer_value(element);
        if (!json_is_integer(element) || id < 0 || id > UINT32_MAX) {
            return cli_strdup("shard_ids is not an array of shard ids");
        }
        out->shard_ids[out->shard_id_count++] = (uint32_t)id;
    }
    return NULL;
}

/* Other members are left alone (a file of queries may say more of each), but a first one is told of. */
static void unknown_member(const char *name) {
    static char *warned[MAX_UNKNOWN_NAMES];
    size_t i = 0;
    for (; i < MAX_UNKNOWN_NAMES && warned[i]; i++) {
        if (!strcmp(warned[i], name)) return;
    }
    if (i == MAX_UNKNOWN_NAMES) return;
    warned[i] = cli_strdup(name); /* for the life of the program */
    cli_warning("queries: unknown member '%s', ignored", name);
}

static char *take_member(const char *name, json_t *value, struct cli_query *out) {
    if (json_is_null(value)) return NULL; /* as if it were not there */
    if (!strcmp(name, "vector")) return vector_member(value, out);
    if (!strcmp(name, "vector_base64")) return base64_member(value, out);
    if (!strcmp(name, "top_k")) return number_member(name, value, &out->top_k);
    if (!strcmp(name, "num_probes")) return number_member(name, value, &out->num_probes);
    if (!strcmp(name, "shard_ids")) return shards_member(value, out);
    if (!strcmp(name, "exact")) return json_is_boolean(value) ? NULL : cli_strdup("exact is not true or false");
    if (!strcmp(name, "routing_context")) {
        out->has_context = true;
        return cli_context_from_json(value, &out->context);
    }
    unknown_member(name);
    return NULL;
}

char *cli_query_from_json(const char *line, size_t size, struct cli_query *out) {
    json_error_t why;
    const char *name;
    json_t *value, *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &why);
    char *error = NULL;
    if (!object) return cli_format("not JSON: %s", why.text);
    if (!json_is_object(object))
        error = cli_strdup("not a JSON object");
    else if (json_is_array(json_object_get(object, "vector")) &&
             json_is_string(json_object_get(object, "vector_base64")))
        error = cli_strdup("vector and vector_base64 exclude one another");
    json_object_foreach(object, name, value) {
        if (!error) error = take_member(name, value, out);
    }
    if (!error && !out->vector) error = cli_strdup("it has neither vector nor vector_base64");
    json_decref(object);
    return error;
}

void cli_query_free(struct cli_query *query) {
    free(query->vector);
    free(query->shard_ids);
    cli_context_free(&query->context);
    *query = (struct cli_query){0};
}

shf_query cli_query_build(const struct cli_query *query, const struct cli_query_defaults *defaults,
                          const shf_vector_id *like) {
    static const uint32_t no_shard[1];
    const struct cli_options *o = defaults->options;
    bool own = query->has_shard_ids;
    shf_query built;
    SHF_INIT(&built);
    built.top_k = query->top_k ? query->top_k : o->top_k ? o->top_k : CLI_DEFAULT_TOP_K;
    built.num_probes = query->num_probes ? query->num_probes : o->num_probes;
    built.vector = like ? NULL : query->vector;
    built.dimension = like ? 0 : query->dimension;
    built.like = like;
    if (own || o->has_shard_ids) {
        size_t count = own ? query->shard_id_count : o->shard_id_count;
        built.shard_ids = count ? (own ? query->shard_ids : o->shard_ids) : no_shard; /* none is not "all" */
        built.shard_count = (uint32_t)count;
    }
    /* An empty one of its own is a context: its columns are missing. */
    built.context = query->has_context ? &query->context.context : cli_context_get(&defaults->context);
    return built;
}
