/* Values and stored JSON, as results show them. */
#include "cli/codec.h"
#include "cli/commands.h"
#include "cli/notice.h"
#include "cli/utf8.h"

bool cli_value_showable(const struct cli_settings *settings, shf_slice value) {
    return settings->encoding != CLI_UTF8 || cli_utf8_valid(value.data, value.size);
}

void cli_value_json(struct cli_json *json, const struct cli_settings *settings, shf_slice value) {
    if (settings->encoding == CLI_UTF8) {
        cli_json_text(json, value.data, value.size);
        return;
    }
    cli_json_value(json);
    cli_out_char(json->out, '"');
    cli_value_print(json->out, settings, value);
    cli_out_char(json->out, '"');
}

void cli_value_print(struct cli_out *out, const struct cli_settings *settings, shf_slice value) {
    switch (settings->encoding) {
    case CLI_UTF8: cli_out_printable(out, value.data, value.size); break;
    case CLI_HEX: cli_hex_encode(out, value.data, value.size); break;
    default: cli_base64_encode(out, value.data, value.size); break;
    }
}

void cli_stored_json(struct cli_out *out, const char *text, size_t size, const char *what) {
    size_t before = out->size;
    unsigned replaced = 0;
    if (cli_json_clean(out, text, size, &replaced)) {
        if (replaced) cli_note("%s: %u NaN or Infinity, which JSON does not have, shown as null", what, replaced);
        return;
    }
    out->size = before; /* `out` is memory: what was written of it goes */
    cli_warning("%s is not JSON, shown as text", what);
    cli_json_quote(out, text, size);
}
