/* The pointer `_CURRENT`: a JSON object that names the manifest. */
#include "base/alloc.h"
#include "base/limits.h"
#include "formats/manifest_priv.h"

static shf_status required_text(const json_t *json, const char *name, char **out, struct shf_error **error) {
    const json_t *value = json_object_get(json, name);
    if (!value) return shf_error_set(error, SHF_E_MANIFEST, "%s is missing", name);
    if (!json_is_string(value)) return shf_error_set(error, SHF_E_MANIFEST, "%s is no text", name);
    return shf_json_string(value, name, SHF_E_MANIFEST, out, error);
}

static shf_status read_time(const json_t *json, int64_t *us, struct shf_error **error) {
    const json_t *value = json_object_get(json, "updated_at");
    bool is_date = false;
    if (!value) return shf_error_set(error, SHF_E_MANIFEST, "updated_at is missing");
    if (json_is_string(value)) is_date = shf_time_parse_any(json_string_value(value), json_string_length(value), us);
    if (json_is_number(value)) is_date = shf_time_from_number(json_number_value(value), us);
    return is_date ? SHF_OK : shf_error_set(error, SHF_E_MANIFEST, "updated_at is no date");
}

static shf_status read_current(const json_t *json, struct shf_current *current, struct shf_error **error) {
    int64_t version;
    if (!json_is_object(json)) return shf_error_set(error, SHF_E_MANIFEST, "it is no JSON object");
    const json_t *format = json_object_get(json, "format_version");
    if (format && !shf_json_integer(format, &version)) {
        return shf_error_set(error, SHF_E_MANIFEST, "format_version is no integer");
    }
    shf_status status = required_text(json, "manifest_ref", &current->manifest_ref, error);
    if (!status) status = required_text(json, "manifest_content_type", &current->manifest_content_type, error);
    if (!status) status = required_text(json, "run_id", &current->run_id, error);
    return status ? status : read_time(json, &current->updated_at_us, error);
}

shf_status shf_current_parse(const void *data, size_t size, struct shf_current *out, struct shf_error **error) {
    struct shf_current current = {0};
    json_t *json = NULL;
    if (size > SHF_LIMIT_CURRENT_BYTES) {
        return shf_error_set(error, SHF_E_MANIFEST, "malformed _CURRENT: %zu bytes; at most %u are read", size,
                             SHF_LIMIT_CURRENT_BYTES);
    }
    shf_status status = shf_json_parse(data, size, SHF_E_MANIFEST, &json, error);
    if (!status) status = read_current(json, &current, error);
    json_decref(json);
    if (status) {
        if (error && *error) shf_error_prefix(error, "malformed _CURRENT");
        shf_current_free(&current);
        return status;
    }
    *out = current;
    return SHF_OK;
}

void shf_current_free(struct shf_current *current) {
    shf_free(current->manifest_ref);
    shf_free(current->manifest_content_type);
    shf_free(current->run_id);
    *current = (struct shf_current){0};
}
