#include "cli/key.h"

#include "cli/codec.h"
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool integer_encoding(const char *encoding) { return !strcmp(encoding, "u64be") || !strcmp(encoding, "u32be"); }

/* Signed where it fits, else unsigned. */
static bool integer_key(const char *text, size_t size, shf_key *out) {
    int64_t number;
    uint64_t large;
    if (cli_parse_i64(text, size, &number))
        *out = shf_key_from_int(number);
    else if (cli_parse_u64(text, size, &large))
        *out = shf_key_from_uint(large);
    else
        return false;
    return true;
}

static void trim(const char **text, size_t *size) {
    while (*size && strchr(" \t\r", **text) && **text) {
        (*text)++;
        (*size)--;
    }
    while (*size && strchr(" \t\r", (*text)[*size - 1]) && (*text)[*size - 1]) (*size)--;
}

static char *json_key(const char *text, size_t size, struct cli_key *out) {
    json_error_t why;
    trim(&text, &size);
    bool leading_zero = size > 1 && (text[0] == '0' || (text[0] == '-' && text[1] == '0' && size > 2));
    if (!leading_zero && integer_key(text, size, &out->key)) return NULL;
    if (!size || *text != '"') return cli_strdup("not a JSON string or 64-bit integer");
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!json_is_string(value)) {
        json_decref(value);
        return cli_strdup("not a JSON string or 64-bit integer");
    }
    size_t length = json_string_length(value);
    out->bytes = cli_strndup(json_string_value(value), length);
    out->key = shf_key_from_text(out->bytes, length);
    json_decref(value);
    return NULL;
}

static char *bytes_key(const char *text, size_t size, bool hex, struct cli_key *out) {
    size_t length;
    trim(&text, &size);
    if (!(hex ? cli_hex_decode : cli_base64_decode)(text, size, &out->bytes, &length)) {
        return cli_strdup(hex ? "not hex (pairs of digits)" : "not base64 (with padding)");
    }
    out->key = shf_key_from_bytes(out->bytes, length);
    return NULL;
}

static char *text_key(struct cli_key *out) {
    if (!cli_utf8_valid(out->typed, out->typed_size)) {
        return cli_strdup("not UTF-8; give its bytes with --key-format hex or base64");
    }
    out->key = shf_key_from_text(out->typed, out->typed_size);
    return NULL;
}

/* auto: integers where keys are integers, bytes where they are raw, else text. */
static char *automatic_key(const char *encoding, struct cli_key *out) {
    if (integer_encoding(encoding)) {
        if (integer_key(out->typed, out->typed_size, &out->key)) return NULL;
        return cli_format("not an integer that fits in 64 bits; keys of this snapshot are %s", encoding);
    }
    if (strcmp(encoding, "raw") != 0) return text_key(out);
    out->key = shf_key_from_bytes(out->typed, out->typed_size);
    return NULL;
}

char *cli_key_parse(const char *text, size_t size, enum cli_key_format format, const char *encoding, struct cli_key *out) {
    char *wrong = NULL;
    *out = (struct cli_key){.typed = cli_strndup(text, size), .typed_size = size, .format = format};
    switch (format) {
    case CLI_KEY_AUTO: wrong = automatic_key(encoding, out); break;
    case CLI_KEY_TEXT: wrong = text_key(out); break;
    case CLI_KEY_HEX: wrong = bytes_key(text, size, true, out); break;
    case CLI_KEY_BASE64: wrong = bytes_key(text, size, false, out); break;
    case CLI_KEY_JSON: wrong = json_key(text, size, out); break;
    }
    if (!wrong) return NULL;
    char *message = cli_format("key '%.200s' is %s", out->typed, wrong);
    free(wrong);
    return message;
}

void cli_key_free(struct cli_key *key) {
    free(key->typed);
    free(key->bytes);
    *key = (struct cli_key){0};
}

void cli_key_json(struct cli_json *json, const struct cli_key *key) {
    struct cli_out clean;
    unsigned replaced = 0;
    if (key->format != CLI_KEY_JSON) {
        cli_json_text(json, key->typed, key->typed_size);
        return;
    }
    cli_out_init(&clean, -1);
    if (cli_json_clean(&clean, key->typed, key->typed_size, &replaced) && !replaced) {
        cli_json_raw(json, clean.data, clean.size);
    } else {
        cli_json_text(json, key->typed, key->typed_size);
    }
    cli_out_free(&clean);
}
