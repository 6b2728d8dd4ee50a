/* Groups and flags of regular expressions. */
#include "formats/cel/regex_priv.h"

#include <string.h>

static size_t left(const struct shf_cel_regex *regex) { return (size_t)(regex->end - regex->at); }
static char look(const struct shf_cel_regex *regex, size_t ahead) {
    return ahead < left(regex) ? regex->at[ahead] : '\0';
}

static bool begins_with(const struct shf_cel_regex *regex, const char *text) {
    size_t size = strlen(text);
    return left(regex) >= size && memcmp(regex->at, text, size) == 0;
}

/* P<name> or <name>, behind the question mark; a name is not looked at any further. */
static bool group_name(struct shf_cel_regex *regex) {
    const char *p = regex->at + (*regex->at == 'P' ? 2 : 1), *name = p;
    while (p < regex->end &&
           (shf_ascii_is_digit(*p) || *p == '_' || (shf_ascii_lower(*p) >= 'a' && shf_ascii_lower(*p) <= 'z')))
        p++;
    if (p == name || p == regex->end || *p != '>') return false;
    regex->at = p + 1;
    return true;
}

/* i-ms: or i-ms) behind the question mark. U, which changes no answer of yes or no, is left out. */
static void flags(struct shf_cel_regex *regex) {
    bool is_negative = false, has_flag = false, has_off = false, is_multiline = regex->is_multiline[regex->depth];
    shf_text_add_string(&regex->out, "(?");
    for (; left(regex); regex->at++) {
        char c = *regex->at;
        if (c == ')' || c == ':') break;
        if (c == '-' && !is_negative) {
            is_negative = true;
            has_flag = false;
        } else if (c == 'U') {
            has_flag = true;
        } else if (c && strchr("ims", c)) {
            has_flag = true;
            if (c == 'm') is_multiline = !is_negative;
            if (is_negative && !has_off) shf_text_add_string(&regex->out, "-"), has_off = true;
            shf_text_add(&regex->out, &c, 1);
        } else {
            shf_cel_regex_fail(regex); /* look-around and the like */
            return;
        }
    }
    if (!left(regex) || (is_negative && !has_flag)) {
        shf_cel_regex_fail(regex);
        return;
    }
    char end = *regex->at++;
    shf_text_add(&regex->out, &end, 1);
    regex->depth += end == ':';
    regex->is_multiline[regex->depth] = is_multiline;
    if (end == ')') regex->flags_end = regex->at;
}

void shf_cel_regex_open_group(struct shf_cel_regex *regex) {
    regex->at++;
    regex->can_repeat = false;
    if (regex->depth >= SHF_CEL_REGEX_GROUPS) {
        shf_cel_regex_refuse(regex, "groups that are nested so deeply");
        return;
    }
    if (look(regex, 0) == '?') {
        regex->at++;
        bool is_named = begins_with(regex, "P<") || begins_with(regex, "<");
        if (!is_named) {
            flags(regex);
            return;
        }
        if (!group_name(regex)) {
            shf_cel_regex_fail(regex);
            return;
        }
    }
    shf_text_add_string(&regex->out, "(?:");
    regex->depth++;
    regex->is_multiline[regex->depth] = regex->is_multiline[regex->depth - 1];
}

void shf_cel_regex_close_group(struct shf_cel_regex *regex) {
    regex->at++;
    if (regex->depth == 0) {
        shf_cel_regex_fail(regex);
        return;
    }
    regex->depth--;
    regex->can_repeat = true;
    shf_text_add_string(&regex->out, ")");
}
