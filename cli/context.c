#include "cli/context.h"

#include "cli/codec.h"
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/utf8.h"

#include <stdlib.h>
#include <string.h>

static void prepare(struct cli_context *out, size_t count) {
    *out = (struct cli_context){0};
    SHF_INIT(&out->context);
    out->values = cli_alloc_array(count, sizeof *out->values);
    out->texts = cli_alloc_array(count * 2, sizeof *out->texts);
    out->context.values = out->values;
}

/* Until the snapshot says of which type a column is, the form decides: an integer, a decimal number, true or false, else text. */
static void read_value(const char *text, size_t size, shf_context_value *out) {
    int64_t number;
    uint64_t large;
    double real;
    if (cli_parse_i64(text, size, &number)) {
        out->kind = SHF_CONTEXT_INT;
        out->as.int_value = number;
    } else if (cli_parse_u64(text, size, &large)) {
        out->kind = SHF_CONTEXT_UINT;
        out->as.uint_value = large;
    } else if (cli_parse_double(text, size, &real)) {
        out->kind = SHF_CONTEXT_DOUBLE;
        out->as.double_value = real;
    } else if (!strcmp(text, "true") || !strcmp(text, "false")) {
        out->kind = SHF_CONTEXT_BOOL;
        out->as.int_value = text[0] == 't';
    } else {
        out->kind = SHF_CONTEXT_TEXT;
        out->as.bytes = (shf_slice){text, size};
    }
}

char *cli_context_parse(const struct cli_list *pairs, struct cli_context *out) {
    prepare(out, pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        const char *pair = pairs->items[i];
        size_t name_size = strcspn(pair, "=");
        char *name = out->texts[i * 2] = cli_strndup(pair, name_size);
        char *text = out->texts[i * 2 + 1] = cli_strdup(pair + name_size + 1);
        out->context.count++;
        if (!cli_utf8_valid(pair, strlen(pair))) return cli_strdup("--routing-context is not UTF-8");
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(out->values[j].name, name)) return cli_format("--routing-context names '%s' twice", name);
        }
        out->values[i].name = name;
        read_value(text, strlen(text), &out->values[i]);
    }
    return NULL;
}

static bool read_as(uint32_t kind, char **text, shf_context_value *out) {
    size_t size = strlen(*text);
    char *bytes;
    switch (kind) {
    case SHF_CONTEXT_INT: return cli_parse_i64(*text, size, &out->as.int_value);
    case SHF_CONTEXT_UINT: return cli_parse_u64(*text, size, &out->as.uint_value);
    case SHF_CONTEXT_DOUBLE: return cli_parse_double(*text, size, &out->as.double_value);
    case SHF_CONTEXT_BOOL:
        out->as.int_value = !strcmp(*text, "true");
        return out->as.int_value || !strcmp(*text, "false");
    case SHF_CONTEXT_BYTES:
        if (!cli_hex_decode(*text, size, &bytes, &size)) return false;
        free(*text);
        *text = bytes;
        break;
    default: break;
    }
    out->as.bytes = (shf_slice){*text, size};
    return true;
}

char *cli_context_set_type(struct cli_context *context, const char *name, uint32_t kind) {
    static const char *const names[] = {
        [SHF_CONTEXT_INT] = "an int",      [SHF_CONTEXT_UINT] = "a uint",
        [SHF_CONTEXT_DOUBLE] = "a double", [SHF_CONTEXT_BOOL] = "a bool (true or false)",
        [SHF_CONTEXT_TEXT] = "text",       [SHF_CONTEXT_BYTES] = "bytes (in hex)"};
    for (uint32_t i = 0; i < context->context.count; i++) {
        shf_context_value *value = &context->values[i];
        char **text = &context->texts[i * 2 + 1];
        if (!*text || strcmp(value->name, name) != 0) continue;
        if (!read_as(kind, text, value)) {
            return cli_format("--routing-context: the column '%s' is %s, which '%s' is not", name, names[kind], *text);
        }
        value->kind = kind;
    }
    return NULL;
}

char *cli_context_from_json(json_t *object, struct cli_context *out) {
    const char *name;
    json_t *value;
    prepare(out, json_is_object(object) ? json_object_size(object) : 0);
    if (!json_is_object(object)) return cli_strdup("routing_context is not an object");
    json_object_foreach(object, name, value) {
        uint32_t i = out->context.count++;
        shf_context_value *column = &out->values[i];
        column->name = out->texts[i * 2] = cli_strdup(name);
        if (json_is_integer(value)) {
            column->kind = SHF_CONTEXT_INT;
            column->as.int_value = json_integer_value(value);
        } else if (json_is_real(value)) {
            column->kind = SHF_CONTEXT_DOUBLE;
            column->as.double_value = json_real_value(value);
        } else if (json_is_boolean(value)) {
            column->kind = SHF_CONTEXT_BOOL;
            column->as.int_value = json_is_true(value);
        } else if (json_is_string(value)) {
            size_t size = json_string_length(value);
            column->kind = SHF_CONTEXT_TEXT;
            out->texts[i * 2 + 1] = cli_strndup(json_string_value(value), size);
            column->as.bytes = (shf_slice){out->texts[i * 2 + 1], size};
        } else {
            return cli_format("routing_context: '%s' is not a number, text, true or false", name);
        }
    }
    return NULL;
}

void cli_context_free(struct cli_context *context) {
    for (uint32_t i = 0; i < context->context.count * 2; i++) free(context->texts[i]);
    free(context->texts);
    free(context->values);
    *context = (struct cli_context){0};
}

const shf_routing_context *cli_context_get(const struct cli_context *context) {
    return context->context.count ? &context->context : NULL;
}
