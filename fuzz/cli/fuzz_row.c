/* Lines of `shardy build`: what is taken is JSON to jansson too, and what is written of it is what it says. */
#include "cli/build/build_row.h"
#include "cli/build/build_scan.h"
#include "cli/memory.h"
#include "cli/utf8.h"
#include "fuzz_entry.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct cli_column declared[] = {{(char *)"region", "string", SHF_CONTEXT_TEXT},
                                       {(char *)"key", "int", SHF_CONTEXT_INT}};
static const struct cli_columns columns = {declared, 2, 1};

/* The same JSON, unless it is something that jansson does not hold: a large number, a NUL in a name. */
static json_t *load(const char *text, size_t size) {
    json_error_t why;
    json_t *value = json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    if (value) return value;
    enum json_error_code code = json_error_code(&why);
    if (code != json_error_numeric_overflow && code != json_error_null_byte_in_key) __builtin_trap();
    return NULL;
}

static void check_text(const json_t *text, shf_slice taken) {
    if (!json_is_string(text) || json_string_length(text) != taken.size) __builtin_trap();
    if (taken.size && memcmp(json_string_value(text), taken.data, taken.size) != 0) __builtin_trap();
}

/* What was written of the payload: ASCII, the same JSON, and itself when it is written again. */
static void check_payload(json_t *payload, shf_slice taken) {
    struct cli_out again;
    char *copy = cli_strndup(taken.data, taken.size);
    struct cli_scan scan = {copy, copy + taken.size};
    for (size_t i = 0; i < taken.size; i++) {
        if (copy[i] < 0x20 || copy[i] > 0x7e) __builtin_trap();
    }
    json_t *written = load(taken.data, taken.size);
    if (written && !json_equal(written, payload)) __builtin_trap();
    json_decref(written);
    cli_out_init(&again, -1);
    if (cli_scan_copy(&scan, CLI_SCAN_PYTHON, &again)) __builtin_trap();
    if (again.size != taken.size || memcmp(again.data, taken.data, taken.size) != 0) __builtin_trap();
    cli_out_free(&again);
    free(copy);
}

static void check_vector(const json_t *vector, const shf_row *row) {
    if (json_array_size(vector) != row->dimension) __builtin_trap();
    for (uint32_t i = 0; i < row->dimension; i++) {
        if (row->vector[i] != (float)json_number_value(json_array_get(vector, i))) __builtin_trap();
    }
}

/* Its id is that of the line, or else its key. */
static void check_vector_row(const json_t *object, const shf_row *row) {
    const json_t *id = json_object_get(object, "id");
    if (!id || json_is_null(id)) id = json_object_get(object, "key");
    if (row->key.kind || row->value.size || !row->id.kind) __builtin_trap();
    if (row->id.kind == SHF_ID_INT && json_integer_value(id) != row->id.int_value) __builtin_trap();
    if (row->id.kind == SHF_ID_TEXT) check_text(id, row->id.text);
    if (row->shard != json_integer_value(json_object_get(object, "shard_id"))) __builtin_trap();
    if (row->payload.data) check_payload(json_object_get(object, "payload"), row->payload);
    check_vector(json_object_get(object, "vector"), row);
}

static void check_row(const uint8_t *data, size_t size, const shf_row *row, const struct cli_row_rules *rules) {
    json_t *object = load((const char *)data, size);
    if (!object) return;
    if (rules->backend == CLI_BACKEND_VECTOR) {
        check_vector_row(object, row);
        json_decref(object);
        return;
    }
    const json_t *key = json_object_get(object, "key");
    if (row->key.kind == SHF_KEY_INT && json_integer_value(key) != row->key.as.int_value) __builtin_trap();
    if (row->key.kind == SHF_KEY_TEXT) check_text(key, row->key.as.bytes);
    if (rules->value_format == CLI_VALUE_UTF8) check_text(json_object_get(object, "value"), row->value);
    if (rules->value_format == CLI_VALUE_JSON) {
        json_t *value = load(row->value.data, row->value.size);
        if (value && !json_equal(value, json_object_get(object, "value"))) __builtin_trap();
        json_decref(value);
    }
    if (row->payload.data) check_payload(json_object_get(object, "payload"), row->payload);
    if (row->dimension) check_vector(json_object_get(object, "vector"), row);
    json_decref(object);
}

static void read_line(const uint8_t *data, size_t size, struct cli_row_rules rules) {
    struct cli_row_memory memory = {0};
    struct cli_row row;
    char *line = cli_strndup((const char *)data, size);
    cli_out_init(&memory.text, -1);
    char *error = cli_row_parse(line, size, &rules, &memory, 0, &row);
    if (!error) {
        cli_row_settle(&row, &memory);
        check_row(data, size, &row.row, &rules);
    } else if (!*error) {
        __builtin_trap();
    }
    free(error);
    free(line);
    cli_row_memory_free(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_line(data, size, (struct cli_row_rules){0});
    read_line(data, size, (struct cli_row_rules){.backend = CLI_BACKEND_UNIFIED, .value_format = CLI_VALUE_JSON});
    read_line(data, size, (struct cli_row_rules){.key_format = CLI_KEY_HEX, .value_format = CLI_VALUE_BASE64});
    read_line(data, size, (struct cli_row_rules){.backend = CLI_BACKEND_VECTOR, .sharding = CLI_SHARDING_EXPLICIT});
    read_line(data, size,
              (struct cli_row_rules){.backend = CLI_BACKEND_VECTOR, .sharding = CLI_SHARDING_CEL, .columns = &columns});
    return 0;
}
