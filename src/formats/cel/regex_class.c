/* Character classes of regular expressions: brackets, \d and the like, [:alpha:] and the like, all of them ASCII. */
#include "formats/cel/regex_priv.h"

#include <string.h>

#define LARGEST 0x10ffffu
#define MOST_RANGES 5u

struct range {
    uint32_t low, high;
};

/* Named sets; unused places have high 0. */
static const struct set {
    const char *name;
    struct range ranges[MOST_RANGES];
} sets[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 0x7f}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    /* RE2's \s is without the vertical tab. */
    {"\\d", {{'0', '9'}}},
    {"\\s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"\\w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"\\D", {{0, '0' - 1}, {'9' + 1, LARGEST}}},
    {"\\S", {{0, 8}, {0xb, 0xb}, {0xe, 0x1f}, {0x21, LARGEST}}},
};

static const struct set *find_set(const char *name, size_t size) {
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (strlen(sets[i].name) == size && memcmp(sets[i].name, name, size) == 0) return &sets[i];
    }
    return NULL;
}

static void put_range(struct shf_cel_regex *regex, uint32_t low, uint32_t high) {
    shf_cel_regex_put(regex, low);
    if (high == low) return;
    shf_text_add_string(&regex->out, "-");
    shf_cel_regex_put(regex, high);
}

static void put_set(struct shf_cel_regex *regex, const struct set *set) {
    for (size_t i = 0; i < MOST_RANGES && set->ranges[i].high; i++)
        put_range(regex, set->ranges[i].low, set->ranges[i].high);
}

bool shf_cel_regex_perl_class(struct shf_cel_regex *regex, char letter) {
    if (!letter || !strchr("dswDSW", letter)) return false;
    const char name[2] = {'\\', shf_ascii_lower(letter)};
    shf_text_add_string(&regex->out, letter == name[1] ? "[" : "[^");
    put_set(regex, find_set(name, 2));
    shf_text_add_string(&regex->out, "]");
    return true;
}

/* [:name:] at the place; false when it is a plain bracket. */
static bool named_class(struct shf_cel_regex *regex) {
    size_t left = (size_t)(regex->end - regex->at);
    if (left < 4 || memcmp(regex->at, "[:", 2) != 0) return false;
    const char *name = regex->at + 2, *end = memmem(name, left - 2, ":]", 2);
    if (!end) return false;
    const struct set *set = *name == '\\' ? NULL : find_set(name, (size_t)(end - name));
    if (*name == '^') {
        shf_cel_regex_refuse(regex, "negated classes like [:^alpha:]");
    } else if (!set) {
        shf_cel_regex_fail(regex);
    } else {
        put_set(regex, set);
        regex->at = end + 2;
    }
    return true;
}

/* \d and the like within brackets; false when it is none. */
static bool escaped_class(struct shf_cel_regex *regex) {
    if (regex->end - regex->at < 2 || *regex->at != '\\' || !regex->at[1] || !strchr("dswDSW", regex->at[1]))
        return false;
    const struct set *set = find_set(regex->at, 2);
    if (!set) {
        shf_cel_regex_refuse(regex, "\\W within brackets");
        return true;
    }
    put_set(regex, set);
    regex->at += 2;
    return true;
}

/* One character of a class, escaped or not. The pattern is valid UTF-8. */
static bool class_character(struct shf_cel_regex *regex, uint32_t *out) {
    if (regex->at == regex->end) {
        shf_cel_regex_fail(regex);
        return false;
    }
    uint8_t lead = (uint8_t)*regex->at++;
    if (lead == '\\') return shf_cel_regex_character(regex, out);
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    uint32_t value = more ? lead & (0x3fu >> more) : lead;
    for (; more && regex->at < regex->end; more--) value = value << 6 | ((uint8_t)*regex->at++ & 0x3fu);
    *out = value;
    return true;
}

static void class_range(struct shf_cel_regex *regex) {
    uint32_t low, high;
    if (!class_character(regex, &low)) return;
    high = low;
    if (regex->end - regex->at >= 2 && regex->at[0] == '-' && regex->at[1] != ']') {
        regex->at++;
        if (!class_character(regex, &high)) return;
    }
    if (high < low) {
        shf_cel_regex_fail(regex);
    } else {
        put_range(regex, low, high);
    }
}

void shf_cel_regex_class(struct shf_cel_regex *regex) {
    bool is_negative = regex->at < regex->end && *regex->at == '^';
    regex->at += is_negative;
    shf_text_add_string(&regex->out, is_negative ? "[^" : "[");
    for (bool is_first = true; regex->at < regex->end && (*regex->at != ']' || is_first); is_first = false) {
        if (!named_class(regex) && !escaped_class(regex)) class_range(regex);
    }
    if (regex->at == regex->end) {
        shf_cel_regex_fail(regex);
        return;
    }
    regex->at++;
    shf_text_add_string(&regex->out, "]");
}
