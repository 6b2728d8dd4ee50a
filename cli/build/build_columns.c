#include "cli/build/build_columns.h"

#include "cli/codec.h"
#include "cli/json.h"
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/utf8.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t kind;
} types[] = {
    {"int", SHF_CONTEXT_INT},   {"uint", SHF_CONTEXT_UINT},   {"double", SHF_CONTEXT_DOUBLE},
    {"bool", SHF_CONTEXT_BOOL}, {"string", SHF_CONTEXT_TEXT}, {"bytes", SHF_CONTEXT_BYTES},
};

static char *parse_one(const char *given, struct cli_columns *out) {
    const char *colon = strrchr(given, ':');
    if (!colon || colon == given) return cli_format("--cel-column: '%s' is not NAME:TYPE", given);
    size_t size = (size_t)(colon - given);
    if (!cli_utf8_valid(given, size)) return cli_strdup("--cel-column is not UTF-8");
    if (cli_columns_find(out, given, size)) return cli_format("--cel-column names '%.*s' twice", (int)size, given);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(colon + 1, types[i].name) != 0) continue;
        if (size == 3 && !memcmp(given, "key", 3)) out->key = out->count;
        out->items[out->count++] =
            (struct cli_column){.name = cli_strndup(given, size), .type = types[i].name, .kind = types[i].kind};
        return NULL;
    }
    return cli_format("--cel-column: '%s' is not int, uint, double, bool, string or bytes", colon + 1);
}

char *cli_columns_parse(const struct cli_list *given, struct cli_columns *out) {
    *out = (struct cli_columns){.key = SIZE_MAX};
    if (given->count > CLI_MAX_COLUMNS) return cli_format("more than %u --cel-column", CLI_MAX_COLUMNS);
    out->items = cli_alloc_array(given->count + 1, sizeof *out->items);
    for (size_t i = 0; i < given->count; i++) {
        char *error = parse_one(given->items[i], out);
        if (error) return error;
    }
    if (out->key == SIZE_MAX) out->key = out->count;
    return NULL;
}

void cli_columns_free(struct cli_columns *columns) {
    for (size_t i = 0; i < columns->count; i++) free(columns->items[i].name);
    free(columns->items);
    *columns = (struct cli_columns){0};
}

const struct cli_column *cli_columns_find(const struct cli_columns *columns, const char *name, size_t size) {
    for (size_t i = 0; i < columns->count; i++) {
        const struct cli_column *column = &columns->items[i];
        if (strlen(column->name) == size && memcmp(column->name, name, size) == 0) return column;
    }
    return NULL;
}

char *cli_columns_text(const struct cli_columns *columns) {
    struct cli_out out;
    struct cli_json json;
    cli_out_init(&out, -1);
    cli_json_init(&json, &out, false);
    cli_json_begin(&json, '{');
    for (size_t i = 0; i < columns->count; i++) {
        cli_json_member_string(&json, columns->items[i].name, columns->items[i].type);
    }
    cli_json_end(&json, '}');
    return out.data;
}

/* ---- values of a line ---- */

static bool take_word(struct cli_scan *scan, const char *word) {
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0) return false;
    scan->at += size;
    return true;
}

static const char *read_text(const struct cli_column *column, struct cli_scan *scan, shf_context_value *out) {
    char *data;
    size_t size;
    const char *wrong = cli_scan_string(scan, &data, &size);
    if (wrong) return wrong;
    out->kind = column->kind == SHF_CONTEXT_BYTES ? SHF_CONTEXT_BYTES : SHF_CONTEXT_TEXT;
    if (column->kind == SHF_CONTEXT_BYTES && !cli_hex_decode_to(data, size, data, &size)) {
        return "not hex (pairs of digits), which values of a bytes column are";
    }
    out->as.bytes = (shf_slice){data, size};
    return NULL;
}

static const char *read_number(struct cli_scan *scan, shf_context_value *out) {
    const char *text;
    size_t size;
    bool is_integer;
    if (cli_scan_number(scan, &text, &size, &is_integer)) return "not a number, string, true, false or null";
    if (is_integer && cli_parse_i64(text, size, &out->as.int_value)) {
        out->kind = SHF_CONTEXT_INT;
    } else if (is_integer && cli_parse_u64(text, size, &out->as.uint_value)) {
        out->kind = SHF_CONTEXT_UINT;
    } else if (cli_parse_double(text, size, &out->as.double_value)) {
        out->kind = SHF_CONTEXT_DOUBLE;
    } else {
        return "a number that is too large";
    }
    return NULL;
}

const char *cli_column_read(const struct cli_column *column, struct cli_scan *scan, shf_context_value *out,
                            bool *is_null) {
    *out = (shf_context_value){.name = column->name};
    *is_null = cli_scan_null(scan);
    if (*is_null) return NULL;
    if (scan->at < scan->end && *scan->at == '"') return read_text(column, scan, out);
    if (take_word(scan, "true")) {
        out->kind = SHF_CONTEXT_BOOL;
        out->as.int_value = 1;
        return NULL;
    }
    out->kind = SHF_CONTEXT_BOOL;
    return take_word(scan, "false") ? NULL : read_number(scan, out);
}

/* ---- routing values ---- */

/* Where the value ends; at a comma, or the end of all. */
static const char *end_of(const char *value) { return value + strcspn(value, ","); }

static bool all_integers(const char *given) {
    int64_t number;
    for (const char *at = given;; at++) {
        const char *end = end_of(at);
        if (!cli_parse_i64(at, (size_t)(end - at), &number)) return false;
        at = end;
        if (!*at) return true;
    }
}

char *cli_routing_values(const char *given) {
    struct cli_out out;
    struct cli_json json;
    int64_t number;
    if (*given == '[') return cli_strdup(given);
    bool are_integers = all_integers(given);
    cli_out_init(&out, -1);
    cli_json_init(&json, &out, false);
    cli_json_begin(&json, '[');
    for (const char *at = given;; at++) {
        const char *end = end_of(at);
        size_t size = (size_t)(end - at);
        if (are_integers && cli_parse_i64(at, size, &number)) {
            cli_json_i64(&json, number);
        } else {
            cli_json_text(&json, at, size);
        }
        at = end;
        if (!*at) break;
    }
    cli_json_end(&json, ']');
    return out.data;
}
