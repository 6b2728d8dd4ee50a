#include "cli/toml.h"

#include "cli/memory.h"
#include "cli/utf8.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    struct cli_toml toml;
    const char *at, *end; /* text not read yet */
    unsigned line;
    const char *value; /* value of the line that inih is given */
    size_t value_size;
    char *error;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void trim(const char **text, size_t *size) {
    while (*size && is_blank(**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size && is_blank((*text)[*size - 1])) (*size)--;
}

/* The bare name at the beginning of text; 0 when there is none that inih can carry. */
static size_t bare_name(struct parser *p, const char *text, size_t size, const char *what) {
    size_t length = 0;
    while (length < size && is_bare(text[length])) length++;
    if (!length) {
        p->error =
            cli_format("line %u: a %s is made of letters, digits, '_' and '-' (quoted and dotted ones are not read)",
                       p->line, what);
    } else if (length > CLI_TOML_NAME_BYTES) {
        p->error = cli_format("line %u: a %s of more than %u bytes", p->line, what, CLI_TOML_NAME_BYTES);
        length = 0;
    }
    return length;
}

static bool section_line(struct parser *p, const char *text, size_t size, char *out, size_t out_size) {
    const char *name = text + 1;
    size_t left = size - 1;
    if (left && *name == '[') {
        p->error = cli_format("line %u: arrays of tables ([[...]]) are not read", p->line);
        return false;
    }
    trim(&name, &left);
    size_t length = bare_name(p, name, left, "section name");
    if (!length) return false;
    const char *rest = name + length;
    left -= length;
    trim(&rest, &left);
    if (!left || *rest != ']') {
        p->error = cli_format("line %u: ']' expected after the section name", p->line);
        return false;
    }
    rest++;
    left--;
    trim(&rest, &left);
    if (left && *rest != '#') {
        p->error = cli_format("line %u: only a comment may follow a section", p->line);
        return false;
    }
    snprintf(out, out_size, "[%.*s]\n", (int)length, name);
    return true;
}

static bool value_line(struct parser *p, const char *text, size_t size, char *out, size_t out_size) {
    size_t length = bare_name(p, text, size, "key");
    if (!length) return false;
    const char *rest = text + length;
    size_t left = size - length;
    trim(&rest, &left);
    if (!left || *rest != '=') {
        p->error = cli_format("line %u: '=' expected after the key '%.*s'", p->line, (int)length, text);
        return false;
    }
    rest++;
    left--;
    trim(&rest, &left);
    p->value = rest;
    p->value_size = left;
    snprintf(out, out_size, "%.*s = @\n", (int)length, text);
    return true;
}

static void add_section(struct parser *p, const char *line) {
    struct cli_toml *toml = &p->toml;
    char *name = cli_strndup(line + 1, strlen(line) - 3); /* without '[', ']' and the line's end */
    if (cli_toml_has_section(toml, name)) {
        p->error = cli_format("line %u: section [%s] is there twice", p->line, name);
        free(name);
        return;
    }
    if (toml->section_count == CLI_TOML_ENTRIES) {
        p->error = cli_format("line %u: more than %u sections", p->line, CLI_TOML_ENTRIES);
        free(name);
        return;
    }
    toml->sections = cli_realloc_array(toml->sections, toml->section_count + 1, sizeof *toml->sections);
    toml->section_lines = cli_realloc_array(toml->section_lines, toml->section_count + 1, sizeof *toml->section_lines);
    toml->sections[toml->section_count] = name;
    toml->section_lines[toml->section_count++] = p->line;
}

/* One line, without its end. Returns whether `out` holds a line for inih. */
static bool translate(struct parser *p, const char *text, size_t size, char *out, size_t out_size) {
    if (size && text[size - 1] == '\r') size--;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 ? text[i] != '\t' : text[i] == 0x7f) {
            p->error = cli_format("line %u: a control character (0x%02x)", p->line, (unsigned char)text[i]);
            return false;
        }
    }
    if (!cli_utf8_valid(text, size)) {
        p->error = cli_format("line %u: not UTF-8", p->line);
        return false;
    }
    trim(&text, &size);
    if (!size || *text == '#') return false;
    if (*text != '[') return value_line(p, text, size, out, out_size);
    if (!section_line(p, text, size, out, out_size)) return false;
    add_section(p, out);
    return !p->error;
}

/* inih's fgets: gives it the next line that says something, in the plainest form. */
static char *next_line(char *out, int out_size, void *stream) {
    struct parser *p = stream;
    char line[CLI_TOML_NAME_BYTES + 16];
    while (!p->error && p->at < p->end) {
        const char *text = p->at;
        const char *newline = memchr(text, '\n', (size_t)(p->end - text));
        size_t size = (size_t)((newline ? newline : p->end) - text);
        p->at = newline ? newline + 1 : p->end;
        p->line++;
        if (!translate(p, text, size, line, sizeof line)) continue;
        snprintf(out, (size_t)out_size, "%s", line);
        return out;
    }
    return NULL;
}

static int take_value(void *user, const char *section, const char *name, const char *value) {
    struct parser *p = user;
    struct cli_toml *toml = &p->toml;
    struct cli_toml_entry entry = {.line = p->line};
    (void)value; /* "@": the real one is in p->value */
    if (p->error) return 0;
    for (size_t i = 0; i < toml->entry_count; i++) {
        if (strcmp(toml->entries[i].section, section) != 0 || strcmp(toml->entries[i].name, name) != 0) continue;
        p->error = cli_format("line %u: '%s' is there twice (first in line %u)", p->line, name, toml->entries[i].line);
        return 0;
    }
    if (toml->entry_count == CLI_TOML_ENTRIES) {
        p->error = cli_format("line %u: more than %u keys", p->line, CLI_TOML_ENTRIES);
        return 0;
    }
    char *wrong = cli_toml_value(p->value, p->value_size, &entry);
    if (wrong) {
        p->error = cli_format("line %u: %s: %s", p->line, name, wrong);
        free(wrong);
        return 0;
    }
    entry.section = cli_strdup(section);
    entry.name = cli_strdup(name);
    toml->entries = cli_realloc_array(toml->entries, toml->entry_count + 1, sizeof entry);
    toml->entries[toml->entry_count++] = entry;
    return 1;
}

char *cli_toml_parse(const char *text, size_t size, struct cli_toml *out) {
    struct parser p = {.at = text, .end = text + size};
    if (size > CLI_TOML_FILE_BYTES) return cli_format("larger than %u bytes", CLI_TOML_FILE_BYTES);
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) p.at += 3;
    int status = ini_parse_stream(next_line, &p, take_value, &p);
    if (!p.error && status) p.error = cli_format("line %u: not `key = value` or `[section]`", p.line);
    if (p.error) {
        cli_toml_free(&p.toml);
        return p.error;
    }
    *out = p.toml;
    return NULL;
}

void cli_toml_free(struct cli_toml *toml) {
    for (size_t i = 0; i < toml->entry_count; i++) {
        free(toml->entries[i].section);
        free(toml->entries[i].name);
        if (toml->entries[i].text) explicit_bzero(toml->entries[i].text, strlen(toml->entries[i].text));
        free(toml->entries[i].text);
    }
    for (size_t i = 0; i < toml->section_count; i++) free(toml->sections[i]);
    free(toml->entries);
    free(toml->sections);
    free(toml->section_lines);
    *toml = (struct cli_toml){0};
}

bool cli_toml_has_section(const struct cli_toml *toml, const char *section) {
    for (size_t i = 0; i < toml->section_count; i++) {
        if (!strcmp(toml->sections[i], section)) return true;
    }
    return false;
}

struct cli_toml_entry *cli_toml_find(struct cli_toml *toml, const char *section, const char *name) {
    for (size_t i = 0; i < toml->entry_count; i++) {
        struct cli_toml_entry *entry = &toml->entries[i];
        if (strcmp(entry->section, section) != 0 || strcmp(entry->name, name) != 0) continue;
        entry->used = true;
        return entry;
    }
    return NULL;
}
