#include "formats/cel/cel_priv.h"
#include "formats/cel/regex_priv.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [SHF_CEL_ABSENT] = "absent", [SHF_CEL_INT] = "int",       [SHF_CEL_UINT] = "uint",     [SHF_CEL_DOUBLE] = "double",
    [SHF_CEL_BOOL] = "bool",     [SHF_CEL_STRING] = "string", [SHF_CEL_BYTES] = "bytes",   [SHF_CEL_NULL] = "null",
    [SHF_CEL_LIST] = "list",     [SHF_CEL_MAP] = "map",       [SHF_CEL_MISFIT] = "misfit", [SHF_CEL_OTHER] = "other",
};

const char *shf_cel_type_name(enum shf_cel_type type) { return type_names[type]; }

enum shf_cel_type shf_cel_type_parse(const char *name) {
    for (int type = SHF_CEL_INT; type <= SHF_CEL_BYTES; type++) {
        if (strcmp(name, type_names[type]) == 0) return (enum shf_cel_type)type;
    }
    return SHF_CEL_ABSENT;
}

/* ---- errors ---- */

shf_status(shf_cel_no_memory)(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a CEL expression; free some and call again");
}

void shf_cel_place(const struct shf_cel *cel, size_t offset, char out[SHF_CEL_PLACE_BYTES]) {
    if (offset >= cel->size) {
        (void)snprintf(out, SHF_CEL_PLACE_BYTES, "its end");
        return;
    }
    size_t left = cel->size - offset, shown = left < SHF_CEL_PLACE_BYTES - 6 ? left : SHF_CEL_PLACE_BYTES - 6, i = 1;
    out[0] = '"';
    for (; i <= shown; i++) {
        char c = cel->text[offset + i - 1];
        out[i] = (char)((uint8_t)c < 0x20 || c == 0x7f ? ' ' : c);
    }
    out[i] = '\0';
    shf_utf8_trim_end(out);
    i = strlen(out);
    (void)snprintf(out + i, SHF_CEL_PLACE_BYTES - i, shown < left ? "...\"" : "\"");
}

shf_status(shf_cel_error)(const struct shf_cel *cel, size_t offset, shf_status code, struct shf_error **error,
                          const char *format, ...) {
    char text[SHF_LIMIT_ERROR_MESSAGE / 2], place[SHF_CEL_PLACE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    shf_utf8_trim_end(text);
    shf_cel_place(cel, offset, place);
    (void)shf_error_set(error, code, "the CEL expression can not be used; at offset %zu (%s): %s", offset, place, text);
    return code;
}

/* ---- compilation ---- */

static shf_status check_text(const char *text, size_t size, struct shf_error **error) {
    size_t code_points = 0;
    if (size > SHF_LIMIT_CEL_BYTES) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the CEL expression has %zu bytes, at most %u are read; make it shorter", size,
                             SHF_LIMIT_CEL_BYTES);
    }
    if (!shf_utf8_valid(text, size))
        return shf_error_set(error, SHF_E_INVALID, "the CEL expression is not valid UTF-8; write it anew");
    for (size_t i = 0; i < size; i++) code_points += ((uint8_t)text[i] & 0xc0) != 0x80;
    if (code_points <= SHF_LIMIT_CEL_CODE_POINTS) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID,
                         "the CEL expression has %zu characters, at most %u are read; make it shorter", code_points,
                         SHF_LIMIT_CEL_CODE_POINTS);
}

static char *copy_text(struct shf_cel *cel, const char *text, size_t size) {
    char *copy = shf_cel_alloc(&cel->memory, size + 1, 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static bool is_scalar(enum shf_cel_type type) { return type >= SHF_CEL_INT && type <= SHF_CEL_BYTES; }

static shf_status copy_columns(struct shf_cel *cel, const struct shf_cel_column *columns, size_t count,
                               struct shf_error **error) {
    if (count > SHF_LIMIT_CEL_COLUMNS) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the CEL expression has %zu columns, at most %u are read; declare those that it uses",
                             count, SHF_LIMIT_CEL_COLUMNS);
    }
    cel->columns = shf_cel_alloc(&cel->memory, count, sizeof *cel->columns);
    if (!cel->columns) return shf_cel_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const struct shf_cel_column *column = &columns[i];
        bool is_container = column->type == SHF_CEL_LIST || column->type == SHF_CEL_MAP;
        bool is_good = is_container
                           ? is_scalar(column->element) && (column->type == SHF_CEL_LIST || is_scalar(column->key))
                           : is_scalar(column->type) || column->type == SHF_CEL_NULL;
        if (!is_good) {
            return shf_error_set(
                error,
                SHF_E_INVALID, "column \"%.64s\" of the CEL expression has no type that there is; use int, uint, double, bool, string or bytes",
                column->name);
        }
        cel->columns[i] = (struct shf_cel_column_copy){copy_text(cel, column->name, strlen(column->name)), column->type,
                                                       column->key, column->element};
        if (!cel->columns[i].name) return shf_cel_no_memory(error);
    }
    cel->column_count = count;
    return SHF_OK;
}

shf_status shf_cel_compile(const char *text, size_t size, const struct shf_cel_column *columns, size_t count,
                           struct shf_cel **out, struct shf_error **error) {
    shf_status status = check_text(text, size, error);
    if (status) return status;
    struct shf_cel *cel = shf_alloc_zero(1, sizeof *cel);
    if (!cel) return shf_cel_no_memory(error);
    cel->memory.most = SHF_LIMIT_CEL_MEMORY_BYTES;
    cel->size = size;
    cel->text = copy_text(cel, text, size);
    status = cel->text ? copy_columns(cel, columns, count, error) : shf_cel_no_memory(error);
    if (!status) status = shf_cel_parse(cel, error);
    if (!status) status = shf_cel_check(cel, error);
    if (!status) status = shf_cel_fold(cel, error);
    if (status) {
        shf_cel_free(cel);
        return status;
    }
    *out = cel;
    return SHF_OK;
}

void shf_cel_free(struct shf_cel *cel) {
    if (!cel) return;
    shf_cel_patterns_free(cel->patterns);
    shf_cel_memory_free(&cel->memory);
    shf_free(cel);
}

enum shf_cel_type shf_cel_result_type(const struct shf_cel *cel) { return cel->result_type; }
size_t shf_cel_column_count(const struct shf_cel *cel) { return cel->column_count; }
const char *shf_cel_column_name(const struct shf_cel *cel, size_t index) { return cel->columns[index].name; }
enum shf_cel_type shf_cel_column_type(const struct shf_cel *cel, size_t index) { return cel->columns[index].type; }
