/* build_meta.custom: the user's fields, and ours in their places between them. */
#include "base/alloc.h"
#include "base/text.h"
#include "formats/json.h"
#include "formats/json_quote.h"
#include "formats/manifest_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDECAR_VERSION 8

/* A member of the object: a value of the user's, or a text of ours (already written). */
struct member {
    const char *key;
    const json_t *value; /* or NULL */
    const char *text;
};

struct output {
    struct shf_text text;
    bool is_too_long;
};

static void add(struct output *out, const char *data, size_t size) {
    if (size > SHF_LIMIT_JSON_BYTES - out->text.size) out->is_too_long = true;
    if (!out->is_too_long) shf_text_add(&out->text, data, size);
}

static void add_string(struct output *out, const char *string) { add(out, string, strlen(string)); }

static void add_quoted(struct output *out, const char *string) {
    char *quoted = shf_json_quote(string, strlen(string));
    if (quoted) {
        add_string(out, quoted);
    } else {
        out->text.failed = true;
    }
    shf_free(quoted);
}

/* The text, or why there is none. */
static shf_status take(struct output *out, char **text, struct shf_error **error) {
    if (!out->is_too_long) {
        *text = shf_text_take(&out->text);
        if (*text) return SHF_OK;
    }
    shf_text_free(&out->text);
    if (!out->is_too_long)
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the custom fields of a manifest");
    return shf_error_set(error, SHF_E_LIMIT, "the custom fields of the manifest would have more than %u bytes of JSON",
                         SHF_LIMIT_JSON_BYTES);
}

/* ---- our members ---- */

/* The longest: a line an object. */
static shf_status write_objects(const struct shf_manifest_custom_spec *spec, char **text, struct shf_error **error) {
    struct output out = {0};
    add_string(&out, "{");
    for (size_t i = 0; i < spec->object_count; i++) {
        const struct shf_manifest_object *object = &spec->objects[i];
        char value[2 * 32 + 32], digest[2 * 32 + 1];
        if (i > 0 && strcmp(object->path, object[-1].path) <= 0) {
            shf_text_free(&out.text);
            return shf_error_set(error, SHF_E_INTERNAL, "the objects of a manifest were not given in ascending order");
        }
        shf_hex_encode(object->sha256, 32, digest);
        int size = snprintf(value, sizeof value, ": \"%" PRIu64 " %s\"", object->size, digest);
        if (i > 0) add(&out, ", ", 2);
        add_quoted(&out, object->path);
        add(&out, value, (size_t)size);
    }
    add_string(&out, "}");
    return take(&out, text, error);
}

static void write_sidecar(const struct shf_manifest_custom_spec *spec, char *out, size_t size) {
    char page_size[16] = "\"auto\"";
    if (spec->page_size) (void)snprintf(page_size, sizeof page_size, "%" PRIu32, spec->page_size);
    (void)snprintf(out, size,
                   "{\"codec\": \"zstd\", \"filename\": \"shard.sidecar\", \"format_version\": %d, \"page_size\": %s}",
                   SIDECAR_VERSION, page_size);
}

static void write_vector(const struct shf_manifest_custom_spec *spec, char *out, size_t size) {
    (void)snprintf(out, size,
                   "{\"backend\": \"sqlite-vec\", \"dim\": %" PRIu32
                   ", \"index_type\": \"hnsw\", \"kv_backend\": \"sqlite-vec\", \"metric\": \"%s\", "
                   "\"quantization\": null, \"unified\": true}",
                   spec->dimension, shf_metric_name(spec->metric));
}

/* ---- the object ---- */

static shf_status parse_user(const char *user, json_t **out, struct shf_error **error) {
    *out = NULL;
    if (!user) return SHF_OK;
    shf_status status = shf_json_parse(user, strlen(user), SHF_E_INVALID, out, error);
    if (status) {
        if (error) shf_error_prefix(error, "the custom fields of the manifest");
        return status;
    }
    static const char *const ours[] = {"shf_objects", "sqlite_sidecar", "vector"};
    const char *taken = NULL;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (json_object_get(*out, ours[i])) taken = ours[i];
    }
    if (json_is_object(*out) && !taken) return SHF_OK;
    json_decref(*out);
    *out = NULL;
    if (!taken) return shf_error_set(error, SHF_E_INVALID, "the custom fields of the manifest are no JSON object");
    return shf_error_set(error, SHF_E_INVALID,
                         "the manifest's custom field %s says what the snapshot is; name yours otherwise", taken);
}

static int compare_members(const void *a, const void *b) {
    const struct member *x = a, *y = b;
    return strcmp(x->key, y->key); /* of UTF-8: in the order of code points, as Python sorts */
}

/* A user's has no name of ours: that was checked. */
static size_t merge(struct member *members, size_t count, json_t *user) {
    const char *key;
    json_t *value;
    json_object_foreach(user, key, value) members[count++] = (struct member){key, value, NULL};
    qsort(members, count, sizeof *members, compare_members);
    return count;
}

static shf_status write_members(const struct member *members, size_t count, char **text, struct shf_error **error) {
    struct output out = {0};
    add_string(&out, "{");
    for (size_t i = 0; i < count; i++) {
        char *value = members[i].value ? shf_json_text(members[i].value) : NULL;
        if (members[i].value && !value) out.text.failed = true;
        if (i > 0) add(&out, ", ", 2);
        add_quoted(&out, members[i].key);
        add(&out, ": ", 2);
        if (value || members[i].text) add_string(&out, value ? value : members[i].text);
        shf_free(value);
    }
    add_string(&out, "}");
    return take(&out, text, error);
}

/* That it can be read: not too many values, not too deep. */
static shf_status check_readable(const char *text, struct shf_error **error) {
    json_t *json;
    shf_status status = shf_json_parse(text, strlen(text), SHF_E_LIMIT, &json, error);
    if (!status) json_decref(json);
    if (status && error) shf_error_prefix(error, "the custom fields of the manifest");
    return status;
}

shf_status shf_manifest_custom_build(const struct shf_manifest_custom_spec *spec, char **out, struct shf_error **error) {
    char sidecar[160], vector[224], *objects = NULL, *text = NULL;
    struct member *members = NULL;
    json_t *user;
    size_t count = 0;
    shf_status status = parse_user(spec->user, &user, error);
    if (status) return status;
    if (spec->objects) status = write_objects(spec, &objects, error);
    if (status) goto done;
    members = shf_alloc_array(json_object_size(user) + 3, sizeof *members);
    if (!members) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the custom fields of a manifest");
        goto done;
    }
    write_sidecar(spec, sidecar, sizeof sidecar);
    write_vector(spec, vector, sizeof vector);
    if (objects) members[count++] = (struct member){"shf_objects", NULL, objects};
    if (spec->has_sidecar) members[count++] = (struct member){"sqlite_sidecar", NULL, sidecar};
    if (spec->vector || spec->dimension) {
        members[count++] = (struct member){"vector", NULL, spec->vector ? spec->vector : vector};
    }
    status = write_members(members, merge(members, count, user), &text, error);
    if (!status) status = check_readable(text, error);
done:
    json_decref(user);
    shf_free(objects);
    shf_free(members);
    if (status) {
        shf_free(text);
        return status;
    }
    *out = text;
    return SHF_OK;
}
