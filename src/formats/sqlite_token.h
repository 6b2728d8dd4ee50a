/* Tokens of SQL text, as far as the CREATE statements in a schema need them. Private to formats. */
#ifndef SHF_FORMATS_SQLITE_TOKEN_H
#define SHF_FORMATS_SQLITE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

enum shf_token_kind { SHF_TOKEN_END, SHF_TOKEN_WORD, SHF_TOKEN_QUOTED, SHF_TOKEN_NUMBER, SHF_TOKEN_SIGN };

struct shf_token {
    enum shf_token_kind kind;
    const char *text; /* into the statement, quotes included */
    size_t size;
};

/* Takes the next token from *sql (NUL-terminated); white space and comments are passed over. */
struct shf_token shf_token_next(const char **sql);
/* The same where a bracket is a sign of its own: the arguments of vec0, "embedding float[8]". */
struct shf_token shf_token_next_unbracketed(const char **sql);

/* A sign (one character). */
bool shf_token_is(const struct shf_token *token, char sign);
/* An unquoted word, ASCII case ignored. */
bool shf_token_is_word(const struct shf_token *token, const char *word);
/* A name, quoted or not, ASCII case ignored. */
bool shf_token_is_name(const struct shf_token *token, const char *name);

#endif
