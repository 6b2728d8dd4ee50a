#include "cli/json.h"

#include "cli/number.h"
#include "cli/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void cli_json_init(struct cli_json *json, struct cli_out *out, bool pretty) {
    *json = (struct cli_json){.out = out, .pretty = pretty};
}

static void new_line(struct cli_json *json) {
    cli_out_char(json->out, '\n');
    cli_out_repeat(json->out, ' ', (size_t)json->depth * 2);
}

void cli_json_value(struct cli_json *json) {
    if (json->after_name) {
        json->after_name = false;
        return;
    }
    if (!json->depth) return;
    if (json->has_items[json->depth - 1]) cli_out_char(json->out, ',');
    json->has_items[json->depth - 1] = true;
    if (json->pretty) new_line(json);
}

void cli_json_begin(struct cli_json *json, char bracket) {
    cli_json_value(json);
    assert(json->depth < CLI_JSON_DEPTH);
    cli_out_char(json->out, bracket);
    json->has_items[json->depth++] = false;
}

void cli_json_end(struct cli_json *json, char bracket) {
    assert(json->depth);
    bool had_items = json->has_items[--json->depth];
    if (json->pretty && had_items) new_line(json);
    cli_out_char(json->out, bracket);
}

void cli_json_name(struct cli_json *json, const char *name) {
    cli_json_value(json);
    cli_json_quote(json->out, name, strlen(name));
    cli_out_string(json->out, json->pretty ? ": " : ":");
    json->after_name = true;
}

void cli_json_quote(struct cli_out *out, const void *data, size_t size) {
    const unsigned char *p = data;
    size_t clean = 0; /* bytes before p that can be copied as they are */
    cli_out_char(out, '"');
    while (size) {
        uint32_t point;
        size_t length = cli_utf8_next(p, size, &point);
        bool plain = length && point >= 0x20 && point != '"' && point != '\\' && point != 0x7f;
        if (!plain) {
            cli_out_bytes(out, p - clean, clean);
            clean = 0;
            if (!length)
                cli_out_string(out, "\xef\xbf\xbd");
            else if (point == '"' || point == '\\')
                cli_out_format(out, "\\%c", (int)point);
            else if (point == '\n')
                cli_out_string(out, "\\n");
            else if (point == '\t')
                cli_out_string(out, "\\t");
            else if (point == '\r')
                cli_out_string(out, "\\r");
            else
                cli_out_format(out, "\\u%04x", (unsigned)point);
        } else {
            clean += length;
        }
        p += length ? length : 1;
        size -= length ? length : 1;
    }
    cli_out_bytes(out, p - clean, clean);
    cli_out_char(out, '"');
}

void cli_json_text(struct cli_json *json, const void *data, size_t size) {
    cli_json_value(json);
    cli_json_quote(json->out, data, size);
}

void cli_json_string(struct cli_json *json, const char *text) {
    if (text)
        cli_json_text(json, text, strlen(text));
    else
        cli_json_null(json);
}

void cli_json_i64(struct cli_json *json, int64_t value) {
    cli_json_value(json);
    cli_out_format(json->out, "%" PRId64, value);
}

void cli_json_u64(struct cli_json *json, uint64_t value) {
    cli_json_value(json);
    cli_out_format(json->out, "%" PRIu64, value);
}

void cli_json_double(struct cli_json *json, double value) {
    char text[CLI_DOUBLE_TEXT_BYTES];
    cli_json_value(json);
    if (isnan(value)) {
        cli_out_string(json->out, "null");
    } else if (isinf(value)) {
        cli_out_string(json->out, value > 0 ? "\"inf\"" : "\"-inf\"");
    } else {
        cli_double_text(value, text);
        cli_out_string(json->out, text);
    }
}

void cli_json_bool(struct cli_json *json, bool value) {
    cli_json_value(json);
    cli_out_string(json->out, value ? "true" : "false");
}

void cli_json_null(struct cli_json *json) {
    cli_json_value(json);
    cli_out_string(json->out, "null");
}

void cli_json_raw(struct cli_json *json, const char *text, size_t size) {
    cli_json_value(json);
    cli_out_bytes(json->out, text, size);
}

void cli_json_member_string(struct cli_json *json, const char *name, const char *text) {
    cli_json_name(json, name);
    cli_json_string(json, text);
}

void cli_json_member_u64(struct cli_json *json, const char *name, uint64_t value) {
    cli_json_name(json, name);
    cli_json_u64(json, value);
}

void cli_json_member_double(struct cli_json *json, const char *name, double value) {
    cli_json_name(json, name);
    cli_json_double(json, value);
}

void cli_json_member_bool(struct cli_json *json, const char *name, bool value) {
    cli_json_name(json, name);
    cli_json_bool(json, value);
}
