#include "formats/lance/names.h"

#include "base/text.h"

#include <string.h>

#define LONG_DIGITS 20u /* of the scheme that counts down */

/* Digits as a number of 64 bits; false when there are none, or too many. */
static bool parse_digits(const char *text, size_t size, uint64_t *out) {
    uint64_t value = 0;
    if (size == 0 || size > LONG_DIGITS) return false;
    for (size_t i = 0; i < size; i++) {
        if (!shf_ascii_is_digit(text[i])) return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) return false;
    }
    *out = value;
    return true;
}

bool shf_lance_version_of_name(const char *name, uint64_t *version) {
    static const char ending[] = ".manifest";
    size_t size = strlen(name), tail = sizeof ending - 1;
    uint64_t stem;
    if (size <= tail || strcmp(name + size - tail, ending) != 0) return false;
    if (!parse_digits(name, size - tail, &stem)) return false;
    *version = size - tail == LONG_DIGITS ? UINT64_MAX - stem : stem;
    return true;
}

const char *shf_lance_latest_name(const char *const *names, size_t count, uint64_t *version) {
    const char *latest = NULL;
    for (size_t i = 0; i < count; i++) {
        uint64_t found;
        if (!shf_lance_version_of_name(names[i], &found)) continue;
        if (latest && found <= *version) continue;
        latest = names[i];
        *version = found;
    }
    return latest;
}

bool shf_lance_name_is_plain(const void *name, size_t size) {
    const char *text = name;
    if (size == 0 || size > SHF_LANCE_NAME_BYTES || text[0] == '.') return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i], lower = shf_ascii_lower(c);
        if (!(lower >= 'a' && lower <= 'z') && !shf_ascii_is_digit(c) && c != '-' && c != '_' && c != '.') return false;
    }
    return true;
}
