/*
 * Flat TOML: sections, `key = value` with basic and literal strings, decimal integers and booleans, comments. inih
 * walks sections and names; lines and values are checked here, because inih cuts long lines and takes ';' comments,
 * ':' and continuation lines, none of which TOML has. Anything else of TOML is an error that names its line.
 */
#ifndef CLI_TOML_H
#define CLI_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_TOML_FILE_BYTES (1u << 20)
#define CLI_TOML_NAME_BYTES 48u /* inih cuts names at 49 */
#define CLI_TOML_ENTRIES 4096u

enum { CLI_TOML_STRING = 1, CLI_TOML_INTEGER, CLI_TOML_BOOLEAN };

struct cli_toml_entry {
    char *section; /* "" before the first section */
    char *name;
    int kind;
    unsigned line;
    char *text; /* string: UTF-8 without NUL; else NULL */
    int64_t integer;
    bool boolean;
    bool used; /* for the reader of the document: which entries it knew */
};

struct cli_toml {
    struct cli_toml_entry *entries;
    size_t entry_count;
    char **sections; /* as they appear, empty ones too */
    unsigned *section_lines;
    size_t section_count;
};

/* Returns NULL, or what is wrong ("line 3: ..."), the caller's to free; *out is only set on success. */
char *cli_toml_parse(const char *text, size_t size, struct cli_toml *out);
void cli_toml_free(struct cli_toml *toml);

bool cli_toml_has_section(const struct cli_toml *toml, const char *section);
/* NULL when absent; marks the entry as used. */
struct cli_toml_entry *cli_toml_find(struct cli_toml *toml, const char *section, const char *name);

/* Part of the parser, in toml_value.c: decodes one value with its trailing comment. NULL, or what is wrong. */
char *cli_toml_value(const char *text, size_t size, struct cli_toml_entry *entry);

#endif
