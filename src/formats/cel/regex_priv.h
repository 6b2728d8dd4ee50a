/* Regular expressions of `matches`: RE2's syntax, matched by PCRE2 in linear time. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_REGEX_PRIV_H
#define SHF_FORMATS_CEL_REGEX_PRIV_H

#include "base/text.h"
#include "formats/cel/cel_priv.h"

/*
 * The pattern of a constant node, which belongs to the expression. *out is NULL when it is no valid pattern of RE2, which
 * is an error of evaluation. SHF_E_INVALID: valid there, and not supported here.
 */
shf_status shf_cel_pattern_compile(struct shf_cel *cel, const struct shf_cel_node *node, struct shf_cel_pattern **out,
                                   struct shf_error **error);
void shf_cel_patterns_free(struct shf_cel_pattern *patterns);

enum shf_cel_match_outcome { SHF_CEL_NO_MATCH, SHF_CEL_MATCH, SHF_CEL_MATCH_TOO_COMPLEX, SHF_CEL_MATCH_NO_MEMORY };
/* Anywhere in the subject, which is valid UTF-8. *match is made at need. */
enum shf_cel_match_outcome shf_cel_match(const struct shf_cel_pattern *pattern, shf_slice subject,
                                         struct shf_cel_match **match);
void shf_cel_match_free(struct shf_cel_match *match);

/* ---- the translation into PCRE2's syntax ---- */

#define SHF_CEL_REGEX_GROUPS 100u /* nested */

enum shf_cel_regex_state { SHF_CEL_REGEX_VALID, SHF_CEL_REGEX_INVALID, SHF_CEL_REGEX_UNSUPPORTED };

struct shf_cel_regex {
    const char *at, *end;
    struct shf_text out;
    enum shf_cel_regex_state state;
    const char *unsupported;                     /* what */
    unsigned depth;                              /* of groups */
    const char *flags_end;                       /* behind the last (?i) or the like */
    bool is_multiline[SHF_CEL_REGEX_GROUPS + 1]; /* (?m), by depth */
    bool can_repeat;                             /* the last thing may have * behind it */
};

/* Translates all; out.failed when memory is out. */
void shf_cel_regex_translate(struct shf_cel_regex *regex);
void shf_cel_regex_class(struct shf_cel_regex *regex); /* behind the [ */
/* \d and the like outside of brackets; false when the letter is none. */
bool shf_cel_regex_perl_class(struct shf_cel_regex *regex, char letter);
void shf_cel_regex_open_group(struct shf_cel_regex *regex); /* at the parenthesis */
void shf_cel_regex_close_group(struct shf_cel_regex *regex);
/* The escapes that mean one character, behind the backslash; false after setting the state. */
bool shf_cel_regex_character(struct shf_cel_regex *regex, uint32_t *out);
void shf_cel_regex_put(struct shf_cel_regex *regex, uint32_t c);
void shf_cel_regex_refuse(struct shf_cel_regex *regex, const char *what);
void shf_cel_regex_fail(struct shf_cel_regex *regex);

#endif
