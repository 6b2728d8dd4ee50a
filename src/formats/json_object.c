#include "formats/json_object.h"

#include "base/limits.h"

#include <jansson.h>
#include <stdbool.h>

shf_status shf_json_check_object(const void *text, size_t size, struct shf_error **error) {
    json_error_t problem;
    if (size > SHF_LIMIT_JSON_BYTES) {
        return shf_error_set(error, SHF_E_INVALID, "it has %zu bytes; at most %u", size, SHF_LIMIT_JSON_BYTES);
    }
    if (shf_json_is_plain_object(text, size)) return SHF_OK;
    /* Without JSON_DECODE_ANY arrays pass as well; jansson bounds the depth by itself (2,048 levels). */
    json_t *json = json_loadb(size ? text : "", size, JSON_ALLOW_NUL, &problem);
    if (!json) {
        if (problem.text[0] == '\0' || json_error_code(&problem) == json_error_out_of_memory) {
            return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to check JSON of %zu bytes", size);
        }
        return shf_error_set(error, SHF_E_INVALID, "%s (line %d, column %d)", problem.text, problem.line, problem.column);
    }
    bool is_object = json_is_object(json);
    json_decref(json);
    return is_object ? SHF_OK : shf_error_set(error, SHF_E_INVALID, "it is another JSON value");
}
