#include "formats/cel/numbers.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void trim(const char **text, size_t *size) {
    while (*size && is_space(**text)) (*text)++, (*size)--;
    while (*size && is_space((*text)[*size - 1])) (*size)--;
}

static unsigned digit_value(char c) {
    char lower = shf_ascii_lower(c);
    return shf_ascii_is_digit(c)          ? (unsigned)(c - '0')
           : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
                                          : 16;
}

bool shf_cel_digits(const char *text, size_t size, unsigned base, uint64_t *out) {
    uint64_t value = 0;
    if (size == 0) return false;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = digit_value(text[i]);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool shf_cel_text_to_int(const char *text, size_t size, int64_t *out) {
    uint64_t magnitude;
    trim(&text, &size);
    bool is_negative = size && *text == '-';
    if (size && (*text == '-' || *text == '+')) text++, size--;
    if (!shf_cel_digits(text, size, 10, &magnitude) || magnitude > (uint64_t)INT64_MAX + is_negative) return false;
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool shf_cel_text_to_uint(const char *text, size_t size, uint64_t *out) {
    trim(&text, &size);
    if (size && *text == '+') text++, size--;
    return shf_cel_digits(text, size, 10, out);
}

/* ---- doubles ---- */

#define MOST_DIGITS 800u         /* more of them change no double, but for whether there are any that are not 0 */
#define LARGEST_EXPONENT 1000000 /* beyond, every value is 0 or infinite */

/* Decimal digits without a point, and the power of ten that belongs to them: what strtod reads alike in every locale. */
struct decimal {
    char digits[MOST_DIGITS + 32];
    size_t count;
    int64_t exponent;
};

static void add_digit(struct decimal *decimal, char digit, bool is_fraction) {
    if (decimal->count == 0 && digit == '0') {
        decimal->exponent -= is_fraction;
    } else if (decimal->count < MOST_DIGITS) {
        decimal->digits[decimal->count++] = digit;
        decimal->exponent -= is_fraction;
    } else {
        /* More than the digits before, whatever the sum of what is left out: that alone can matter. */
        char *last = &decimal->digits[MOST_DIGITS - 1];
        if (digit != '0' && *last == '0') *last = '1';
        decimal->exponent += !is_fraction;
    }
}

static double decimal_value(struct decimal *decimal) {
    if (decimal->count == 0) return 0;
    int64_t exponent = decimal->exponent;
    if (exponent > LARGEST_EXPONENT) exponent = LARGEST_EXPONENT;
    if (exponent < -LARGEST_EXPONENT) exponent = -LARGEST_EXPONENT;
    (void)snprintf(decimal->digits + decimal->count, sizeof decimal->digits - decimal->count, "e%d", (int)exponent);
    return strtod(decimal->digits, NULL);
}

/* "e-12" at the end; the value is kept within bounds that change nothing. */
static bool read_exponent(const char *text, size_t size, int64_t *out) {
    bool is_negative = size > 1 && text[1] == '-';
    size_t i = size > 1 && (text[1] == '-' || text[1] == '+') ? 2 : 1;
    int64_t value = 0;
    if (i >= size) return false;
    for (; i < size; i++) {
        if (!shf_ascii_is_digit(text[i])) return false;
        if (value <= LARGEST_EXPONENT) value = value * 10 + (text[i] - '0');
    }
    *out = is_negative ? -value : value;
    return true;
}

bool shf_cel_decimal(const char *text, size_t size, double *out) {
    struct decimal decimal;
    decimal.count = 0;
    decimal.exponent = 0;
    bool has_digits = false, is_fraction = false;
    int64_t exponent = 0;
    size_t i = 0;
    for (; i < size && shf_ascii_lower(text[i]) != 'e'; i++) {
        if (text[i] == '.' && !is_fraction) {
            is_fraction = true;
        } else if (shf_ascii_is_digit(text[i])) {
            has_digits = true;
            add_digit(&decimal, text[i], is_fraction);
        } else {
            return false;
        }
    }
    if (!has_digits || (i < size && !read_exponent(text + i, size - i, &exponent))) return false;
    decimal.exponent += exponent;
    *out = decimal_value(&decimal);
    return true;
}

bool shf_cel_text_to_double(const char *text, size_t size, double *out) {
    trim(&text, &size);
    bool is_negative = size && *text == '-';
    if (size && (*text == '-' || *text == '+')) text++, size--;
    double value;
    if (shf_ascii_equal_ignore_case(text, size, "inf") || shf_ascii_equal_ignore_case(text, size, "infinity")) {
        value = INFINITY;
    } else if (shf_ascii_equal_ignore_case(text, size, "nan")) {
        value = NAN;
    } else if (!shf_cel_decimal(text, size, &value)) {
        return false;
    }
    *out = is_negative ? -value : value;
    return true;
}

size_t shf_cel_uint_to_text(uint64_t value, char out[SHF_CEL_NUMBER_BYTES]) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++) out[i] = digits[count - 1 - i];
    return count;
}

size_t shf_cel_int_to_text(int64_t value, char out[SHF_CEL_NUMBER_BYTES]) {
    if (value >= 0) return shf_cel_uint_to_text((uint64_t)value, out);
    char digits[SHF_CEL_NUMBER_BYTES];
    size_t count = shf_cel_uint_to_text(0 - (uint64_t)value, digits);
    out[0] = '-';
    memcpy(out + 1, digits, count);
    return count + 1;
}

#define DOUBLE_DIGITS 17u

/* `count` digits of a positive value, correctly rounded, and its decimal exponent (d.ddd times ten to it). */
static int round_to(double value, unsigned count, char digits[DOUBLE_DIGITS]) {
    char text[DOUBLE_DIGITS + 16];
    (void)snprintf(text, sizeof text, "%.*e", (int)count - 1, value);
    const char *e = strchr(text, 'e');
    unsigned found = 0;
    memset(digits, '0', count);
    for (const char *p = text; e && p < e && found < count; p++) { /* whatever the locale's point is */
        if (shf_ascii_is_digit(*p)) digits[found++] = *p;
    }
    int64_t exponent = 0;
    if (e) (void)read_exponent(e, strlen(e), &exponent);
    return (int)exponent;
}

static bool reads_back(double value, const char *digits, unsigned count, int exponent) {
    struct decimal decimal;
    memcpy(decimal.digits, digits, count);
    decimal.count = count;
    decimal.exponent = (int64_t)exponent - (int64_t)(count - 1);
    return decimal_value(&decimal) == value;
}

/* The next larger decimal of as many digits; false when that has another exponent. */
static bool increment(char *digits, unsigned count) {
    while (count && digits[count - 1] == '9') digits[--count] = '0';
    if (count == 0) return false;
    digits[count - 1]++;
    return true;
}

/* The fewest digits. A power of two has more room above than below: what is above may be shorter than what is nearest. */
static unsigned shortest(double value, char digits[DOUBLE_DIGITS], int *exponent) {
    int unused;
    bool is_power = frexp(value, &unused) == 0.5;
    for (unsigned count = 1; count < DOUBLE_DIGITS; count++) {
        *exponent = round_to(value, count, digits);
        if (reads_back(value, digits, count, *exponent)) return count;
        if (is_power && increment(digits, count) && reads_back(value, digits, count, *exponent)) return count;
    }
    *exponent = round_to(value, DOUBLE_DIGITS, digits);
    return DOUBLE_DIGITS;
}

static size_t write_fixed(const char *digits, unsigned count, int exponent, char *out) {
    size_t size = 0;
    if (exponent < 0) {
        out[size++] = '0';
        out[size++] = '.';
        for (int i = -1; i > exponent; i--) out[size++] = '0';
    }
    for (unsigned i = 0; i < count; i++) {
        out[size++] = digits[i];
        if ((int)i == exponent && i + 1 < count) out[size++] = '.';
    }
    for (int i = (int)count - 1; i < exponent; i++) out[size++] = '0';
    return size;
}

static size_t put(const char *text, char *out) {
    size_t size = 0;
    for (; text[size]; size++) out[size] = text[size];
    return size;
}

size_t shf_cel_double_to_text(double value, char out[SHF_CEL_NUMBER_BYTES]) {
    char digits[DOUBLE_DIGITS] = "";
    int exponent = 0;
    size_t size = 0;
    if (signbit(value)) out[size++] = '-';
    value = fabs(value);
    if (!isfinite(value) || value == 0) return size + put(isnan(value) ? "nan" : value == 0 ? "0" : "inf", out + size);
    unsigned count = shortest(value, digits, &exponent);
    if (exponent >= -4 && exponent <= 5) return size + write_fixed(digits, count, exponent, out + size);
    out[size++] = digits[0];
    if (count > 1) out[size++] = '.';
    memcpy(out + size, digits + 1, count - 1);
    size += count - 1;
    size += (size_t)snprintf(out + size, SHF_CEL_NUMBER_BYTES - size, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    return size;
}
