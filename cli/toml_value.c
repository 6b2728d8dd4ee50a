/* Values of flat TOML: https://toml.io/en/v1.0.0, sections String, Integer and Boolean. */
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/out.h"
#include "cli/toml.h"
#include "cli/utf8.h"

#include <stdlib.h>
#include <string.h>

/* \uXXXX and \UXXXXXXXX: how many bytes of text it took, 0 when wrong. */
static size_t unicode_escape(const char *text, size_t size, struct cli_out *out) {
    size_t digits = text[0] == 'u' ? 4 : 8;
    uint32_t point = 0;
    char bytes[4];
    if (size < digits + 1) return 0;
    for (size_t i = 1; i <= digits; i++) {
        char c = text[i];
        uint32_t value = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16u;
        if (value > 15 || point > 0x0fffffff) return 0;
        point = point << 4 | value;
    }
    if (!point || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
    cli_out_bytes(out, bytes, cli_utf8_encode(point, bytes));
    return digits + 1;
}

/* What stands behind a backslash; returns the bytes taken, 0 when wrong. */
static size_t escape(const char *text, size_t size, struct cli_out *out) {
    static const char letters[] = "btnfr\"\\";
    static const char meanings[] = "\b\t\n\f\r\"\\";
    if (!size || !text[0]) return 0;
    if (text[0] == 'u' || text[0] == 'U') return unicode_escape(text, size, out);
    const char *letter = strchr(letters, text[0]);
    if (!letter) return 0;
    cli_out_char(out, meanings[letter - letters]);
    return 1;
}

static char *basic_string(const char **text, size_t *size, struct cli_out *out) {
    const char *p = *text + 1, *end = *text + *size;
    while (p < end && *p != '"') {
        if (*p != '\\') {
            cli_out_char(out, *p++);
            continue;
        }
        size_t taken = escape(p + 1, (size_t)(end - p - 1), out);
        if (!taken) return cli_strdup("an escape that TOML does not know, or NUL");
        p += taken + 1;
    }
    if (p == end) return cli_strdup("the string does not end");
    *size = (size_t)(end - p - 1);
    *text = p + 1;
    return NULL;
}

static char *literal_string(const char **text, size_t *size, struct cli_out *out) {
    const char *end = memchr(*text + 1, '\'', *size - 1);
    if (!end) return cli_strdup("the string does not end");
    cli_out_bytes(out, *text + 1, (size_t)(end - *text - 1));
    *size -= (size_t)(end + 1 - *text);
    *text = end + 1;
    return NULL;
}

static char *string_value(const char **text, size_t *size, struct cli_toml_entry *entry) {
    struct cli_out out;
    char quote = **text;
    if (*size >= 3 && (*text)[1] == quote && (*text)[2] == quote) return cli_strdup("multi-line strings are not read");
    cli_out_init(&out, -1);
    cli_out_bytes(&out, "", 0);
    char *wrong = quote == '"' ? basic_string(text, size, &out) : literal_string(text, size, &out);
    if (wrong) {
        cli_out_free(&out);
        return wrong;
    }
    entry->kind = CLI_TOML_STRING;
    entry->text = out.data;
    return NULL;
}

/* [+-] digits, '_' between digits, no leading zero. */
static bool integer_value(const char *text, size_t size, int64_t *out) {
    char digits[32];
    size_t filled = 0, start = size && (text[0] == '-' || text[0] == '+');
    if (size == start || (text[start] == '0' && size > start + 1)) return false;
    if (start && text[0] == '-') digits[filled++] = '-';
    for (size_t i = start; i < size; i++) {
        if (text[i] == '_') {
            if (i == start || i + 1 == size || text[i - 1] == '_' || text[i + 1] == '_') return false;
            continue;
        }
        if (filled == sizeof digits) return false;
        digits[filled++] = text[i];
    }
    return cli_parse_i64(digits, filled, out);
}

static char *bare_value(const char **text, size_t *size, struct cli_toml_entry *entry) {
    size_t length = 0;
    while (length < *size && (*text)[length] != ' ' && (*text)[length] != '\t' && (*text)[length] != '#') length++;
    if (length == 4 && !memcmp(*text, "true", 4)) {
        entry->kind = CLI_TOML_BOOLEAN;
        entry->boolean = true;
    } else if (length == 5 && !memcmp(*text, "false", 5)) {
        entry->kind = CLI_TOML_BOOLEAN;
    } else if (integer_value(*text, length, &entry->integer)) {
        entry->kind = CLI_TOML_INTEGER;
    } else {
        return cli_strdup("a value is \"text\", 'text', a decimal integer, true or false");
    }
    *text += length;
    *size -= length;
    return NULL;
}

char *cli_toml_value(const char *text, size_t size, struct cli_toml_entry *entry) {
    if (!size || *text == '#') return cli_strdup("no value");
    char *wrong = *text == '"' || *text == '\'' ? string_value(&text, &size, entry) : bare_value(&text, &size, entry);
    if (wrong) return wrong;
    while (size && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    if (!size || *text == '#') return NULL;
    free(entry->text);
    entry->text = NULL;
    return cli_strdup("only a comment may follow the value");
}
