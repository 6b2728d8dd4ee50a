#include "cli/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NUMBER_TEXT_MAXIMUM 400u /* longer than any decimal double that anybody writes */

bool cli_parse_u64(const char *text, size_t size, uint64_t *out) {
    uint64_t value = 0;
    if (!size) return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        if (__builtin_mul_overflow(value, 10u, &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) return false;
    }
    *out = value;
    return true;
}

bool cli_parse_i64(const char *text, size_t size, int64_t *out) {
    uint64_t magnitude;
    bool negative = size && text[0] == '-';
    if (!cli_parse_u64(text + negative, size - negative, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool cli_parse_u32(const char *text, uint32_t minimum, uint32_t maximum, uint32_t *out) {
    uint64_t value;
    if (!cli_parse_u64(text, strlen(text), &value) || value < minimum || value > maximum) return false;
    *out = (uint32_t)value;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit in the mantissa: no hexadecimal, no inf, no blanks. */
static bool looks_decimal(const char *text, size_t size) {
    size_t i = 0, digits = 0;
    if (i < size && (text[i] == '-' || text[i] == '+')) i++;
    for (; i < size && text[i] >= '0' && text[i] <= '9'; i++) digits++;
    if (i < size && text[i] == '.') {
        for (i++; i < size && text[i] >= '0' && text[i] <= '9'; i++) digits++;
    }
    if (!digits) return false;
    if (i < size && (text[i] == 'e' || text[i] == 'E')) {
        size_t exponent = 0;
        i++;
        if (i < size && (text[i] == '-' || text[i] == '+')) i++;
        for (; i < size && text[i] >= '0' && text[i] <= '9'; i++) exponent++;
        if (!exponent) return false;
    }
    return i == size;
}

bool cli_parse_size(const char *text, uint64_t *out) {
    static const char letters[] = "KMGT";
    uint64_t value, unit = 1;
    size_t digits = strspn(text, "0123456789");
    const char *suffix = text + digits;
    if (!cli_parse_u64(text, digits, &value)) return false;
    if (*suffix) {
        const char *letter = strchr(letters, *suffix == 'k' ? 'K' : *suffix);
        bool decimal = !strcmp(suffix + 1, "B");
        if (!letter || (suffix[1] && !decimal && strcmp(suffix + 1, "iB") != 0)) return false;
        for (const char *at = letters; at <= letter; at++) unit *= decimal ? 1000 : 1024;
    }
    if (__builtin_mul_overflow(value, unit, &value)) return false;
    *out = value;
    return true;
}

bool cli_parse_double(const char *text, size_t size, double *out) {
    char copy[NUMBER_TEXT_MAXIMUM + 1];
    if (size > NUMBER_TEXT_MAXIMUM || !looks_decimal(text, size)) return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    double value = strtod(copy, NULL);
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

bool cli_parse_seconds(const char *text, int64_t *milliseconds) {
    double seconds;
    if (!cli_parse_double(text, strlen(text), &seconds)) return false;
    if (seconds < 0 || seconds > CLI_SECONDS_MAXIMUM) return false;
    *milliseconds = (int64_t)ceil(seconds * 1000.0);
    return true;
}

void cli_double_text(double value, char out[CLI_DOUBLE_TEXT_BYTES]) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, CLI_DOUBLE_TEXT_BYTES - 2, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    if (strpbrk(out, ".enaif")) return;
    size_t size = strlen(out);
    memcpy(out + size, ".0", 3);
}

void cli_time_text(int64_t microseconds, char out[CLI_TIME_TEXT_BYTES]) {
    int64_t part = microseconds % 1000000;
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm utc;
    if (part < 0) {
        part += 1000000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &utc)) {
        snprintf(out, CLI_TIME_TEXT_BYTES, "%lld", (long long)microseconds);
        return;
    }
    size_t size = strftime(out, CLI_TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + size, CLI_TIME_TEXT_BYTES - size, ".%06d+00:00", (int)part);
}
