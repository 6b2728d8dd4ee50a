/* What a writer is given to shard by: an expression, its columns and its routing values, a line each (the last may go on). */
#include "base/alloc.h"
#include "formats/manifest_build.h"
#include "fuzz_entry.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* NULL where they are refused; the caller frees the text that is built of them. */
static char *build(const char *expression, const char *columns, const char *values) {
    struct shf_manifest_cel cel = {0};
    struct shf_error *error = NULL;
    char *text = NULL;
    shf_status status = shf_manifest_cel_take(expression, columns, values, &cel, &error);
    if (status) {
        if (!error || cel.expression) __builtin_trap();
        shf_error_free(error);
        return NULL;
    }
    if (!cel.column_count || cel.column_count > SHF_LIMIT_CEL_COLUMNS) __builtin_trap();
    if (!values != !cel.routing_values) __builtin_trap();
    if (shf_manifest_cel_build(&cel, cel.routing_values, cel.routing_count, &text, &error)) __builtin_trap();
    shf_manifest_cel_free(&cel);
    return text;
}

/* What was built is JSON, and taken once more it is the same. */
static void check(const char *text) {
    json_t *sharding = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!sharding) __builtin_trap();
    const json_t *given = json_object_get(sharding, "routing_values");
    char *columns = json_dumps(json_object_get(sharding, "cel_columns"), 0);
    char *values = json_is_null(given) ? NULL : json_dumps(given, JSON_ENSURE_ASCII);
    char *again = build(json_string_value(json_object_get(sharding, "cel_expr")), columns, values);
    if (!again || strcmp(again, text) != 0) __builtin_trap();
    shf_free(again);
    free(columns);
    free(values);
    json_decref(sharding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *expression = malloc(size + 1); /* of exactly this size: what is read beyond it is seen */
    if (!expression) return 0;
    if (size) memcpy(expression, data, size);
    expression[size] = '\0';
    char *columns = strchr(expression, '\n');
    if (columns) *columns++ = '\0';
    char *values = columns ? strchr(columns, '\n') : NULL;
    if (values) *values++ = '\0';
    char *text = build(expression, columns ? columns : "{\"key\": \"int\"}", values);
    if (text) check(text);
    shf_free(text);
    free(expression);
    return 0;
}
