/* Recorded routing contexts. */
#include "conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

bool conformance_read_context(json_t *json, struct conformance_context *out) {
    const char *name;
    json_t *value;
    memset(out, 0, sizeof *out);
    SHF_INIT(&out->context);
    out->context.values = out->values;
    if (!json_is_object(json)) return false;
    json_object_foreach(json, name, value) {
        if (out->context.count == CONFORMANCE_COLUMNS) break;
        shf_context_value *column = &out->values[out->context.count++];
        column->name = name;
        if (json_is_boolean(value)) {
            column->kind = SHF_CONTEXT_BOOL;
            column->as.int_value = json_is_true(value);
        } else if (json_is_integer(value)) {
            column->kind = SHF_CONTEXT_INT;
            column->as.int_value = json_integer_value(value);
        } else if (json_is_real(value)) {
            column->kind = SHF_CONTEXT_DOUBLE;
            column->as.double_value = json_real_value(value);
        } else if (json_is_string(value)) {
            column->kind = SHF_CONTEXT_TEXT;
            column->as.bytes = (shf_slice){json_string_value(value), json_string_length(value)};
        } else {
            out->context.count--; /* Python's None, which is of no type: as good as absent */
        }
    }
    return true;
}

static const char *message_of(const json_t *error) {
    const char *text = json_string_value(json_object_get(error, "message"));
    return text ? text : "";
}

/* The peer takes the text of an error of CEL for a token: "INVALID_ARGUMENT: ...", "UNKNOWN: ...". */
static bool is_error_taken_for_token(const json_t *error) {
    const char *text = message_of(error);
    return strstr(text, "INVALID_ARGUMENT: ") || strstr(text, "UNKNOWN: ");
}

shf_status conformance_route_status(const json_t *row) {
    const json_t *error = json_object_get(row, "route_error");
    if (!error) error = json_object_get(row, "error");
    if (!error) return SHF_OK;
    return strstr(message_of(error), "requires routing_context") ? SHF_E_INVALID : SHF_E_ROUTING;
}

shf_status conformance_get_status(const json_t *row) {
    const json_t *error = json_object_get(row, "route_error");
    if (is_error_taken_for_token(error)) return SHF_E_ROUTING;
    return json_object_get(row, "get_error") ? SHF_E_INVALID : SHF_OK;
}
