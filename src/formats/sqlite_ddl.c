/* What a CREATE TABLE text says about the records of the table. */
#include "formats/sqlite.h"
#include "formats/sqlite_token.h"

#include <string.h>

struct column_definition {
    struct shf_token name;
    uint32_t type_words;
    bool type_is_integer; /* the first word of the type */
    bool is_key, is_descending;
    bool is_generated, is_stored;
};

static bool is_any_word(const struct shf_token *token, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (shf_token_is_word(token, words[i])) return true;
    }
    return false;
}

static bool begins_table_constraint(const struct shf_token *token) {
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"};
    return is_any_word(token, words, sizeof words / sizeof words[0]);
}

static bool begins_column_constraint(const struct shf_token *token) {
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "NOT",        "NULL",      "UNIQUE", "CHECK",
                                        "DEFAULT",    "COLLATE", "REFERENCES", "GENERATED", "AS"};
    return is_any_word(token, words, sizeof words / sizeof words[0]);
}

/* Moves *sql behind the first '('. */
static bool enter_columns(const char **sql) {
    for (;;) {
        struct shf_token token = shf_token_next(sql);
        if (token.kind == SHF_TOKEN_END) return false;
        if (shf_token_is(&token, '(')) return true;
    }
}

static void note_word(struct column_definition *column, const struct shf_token *token, bool *in_type) {
    if (begins_column_constraint(token)) *in_type = false;
    if (*in_type) {
        if (column->type_words++ == 0) column->type_is_integer = shf_token_is_name(token, "INTEGER");
    } else if (shf_token_is_word(token, "PRIMARY")) {
        column->is_key = true;
    } else if (shf_token_is_word(token, "DESC")) {
        column->is_descending = true;
    } else if (shf_token_is_word(token, "AS")) {
        column->is_generated = true;
    } else if (shf_token_is_word(token, "STORED")) {
        column->is_stored = true;
    }
}

/* Reads the rest of a definition whose first token was taken; the token that ended it (',' or ')' or the end). */
static struct shf_token read_column(const char **sql, struct column_definition *column) {
    uint32_t depth = 0;
    bool in_type = true;
    for (;;) {
        struct shf_token token = shf_token_next(sql);
        bool closes = shf_token_is(&token, ')');
        if (token.kind == SHF_TOKEN_END || (depth == 0 && (closes || shf_token_is(&token, ',')))) return token;
        if (closes) depth--;
        if (depth == 0 && !closes) note_word(column, &token, &in_type);
        if (shf_token_is(&token, '(')) depth++;
    }
}

/* Table constraints from `token` on: true when there is PRIMARY KEY (name), of this one column. */
static bool is_sole_key(const char *sql, struct shf_token token, const char *name) {
    while (token.kind != SHF_TOKEN_END && !shf_token_is_word(&token, "PRIMARY")) token = shf_token_next(&sql);
    if (token.kind == SHF_TOKEN_END) return false;
    token = shf_token_next(&sql);
    if (!shf_token_is_word(&token, "KEY")) return false;
    token = shf_token_next(&sql);
    if (!shf_token_is(&token, '(')) return false;
    token = shf_token_next(&sql);
    if (!shf_token_is_name(&token, name)) return false;
    while (token.kind != SHF_TOKEN_END && !shf_token_is(&token, ')')) {
        if (shf_token_is(&token, ',')) return false;
        token = shf_token_next(&sql);
    }
    return true;
}

int shf_sqlite_ddl_column(const char *sql, const char *column, bool *is_rowid_alias) {
    bool is_integer = false, is_alias = false;
    int position = 0, found = -1;
    if (!enter_columns(&sql)) return -1;
    for (;;) { /* bounded by the text */
        struct column_definition definition = {.name = shf_token_next(&sql)};
        if (begins_table_constraint(&definition.name)) {
            if (found >= 0 && is_integer && is_sole_key(sql, definition.name, column)) is_alias = true;
            break;
        }
        struct shf_token end = read_column(&sql, &definition);
        if (found < 0 && shf_token_is_name(&definition.name, column)) {
            if (definition.is_generated && !definition.is_stored) return -1; /* computed: not in the record */
            found = position;
            is_integer = definition.type_is_integer && definition.type_words == 1;
            is_alias = is_integer && definition.is_key && !definition.is_descending; /* "DESC" makes no alias */
        }
        if (!definition.is_generated || definition.is_stored) position++;
        if (!shf_token_is(&end, ',')) break;
    }
    if (found >= 0 && is_rowid_alias) *is_rowid_alias = is_alias;
    return found;
}

bool shf_sqlite_ddl_without_rowid(const char *sql) {
    uint32_t depth = 0;
    bool was_without = false;
    for (;;) {
        struct shf_token token = shf_token_next(&sql);
        if (token.kind == SHF_TOKEN_END) return false;
        if (shf_token_is(&token, '(')) depth++;
        if (shf_token_is(&token, ')') && depth > 0) depth--;
        if (depth == 0 && was_without && shf_token_is_word(&token, "ROWID")) return true;
        was_without = depth == 0 && shf_token_is_word(&token, "WITHOUT");
    }
}

bool shf_sqlite_ddl_has_word(const char *sql, const char *word) {
    for (;;) {
        struct shf_token token = shf_token_next(&sql);
        if (token.kind == SHF_TOKEN_END) return false;
        if (shf_token_is_word(&token, word)) return true;
    }
}
