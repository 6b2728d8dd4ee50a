/* Dates in manifests, pointers and directory names. */
#include "base/text.h"
#include "formats/manifest.h"
#include "formats/manifest_priv.h"

#include <math.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MAX_EPOCH_SECONDS 2e10                  /* above it a number means milliseconds, as pydantic has it */
#define MIN_TIME_US INT64_C(-62135596800000000) /* 0001-01-01 */
#define MAX_TIME_US INT64_C(253402300799999999) /* 9999-12-31 */

struct scanner {
    const char *at, *end;
};

static bool take(struct scanner *s, const char *any) {
    if (s->at == s->end || *s->at == '\0' || !strchr(any, *s->at)) return false;
    s->at++;
    return true;
}

/* Exactly `count` digits. */
static bool digits(struct scanner *s, int count, int64_t *out) {
    int64_t value = 0;
    if (s->end - s->at < count) return false;
    for (int i = 0; i < count; i++) {
        if (!shf_ascii_is_digit(s->at[i])) return false;
        value = value * 10 + (s->at[i] - '0');
    }
    s->at += count;
    *out = value;
    return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    int64_t y = month <= 2 ? year - 1 : year; /* years that begin in March: the leap day comes last */
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date(struct scanner *s, int64_t *us) {
    static const int8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!digits(s, 4, &year) || !take(s, "-") || !digits(s, 2, &month) || !take(s, "-") || !digits(s, 2, &day))
        return false;
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || month < 1 || month > 12) return false;
    if (day < 1 || day > lengths[month - 1] + (month == 2 && is_leap)) return false;
    *us = days_of(year, month, day) * 86400 * SECOND_US;
    return true;
}

/* Seconds and fraction may be absent. */
static bool clock_time(struct scanner *s, int64_t *us) {
    int64_t hour, minute, second = 0, fraction = 0;
    if (!digits(s, 2, &hour) || !take(s, ":") || !digits(s, 2, &minute)) return false;
    if (take(s, ":")) {
        if (!digits(s, 2, &second)) return false;
        if (take(s, ".,")) {
            int count = 0;
            for (int64_t digit; count < 9 && digits(s, 1, &digit); count++) {
                if (count < 6) fraction = fraction * 10 + digit;
            }
            if (count == 0) return false;
            for (; count < 6; count++) fraction *= 10;
        }
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    *us += ((hour * 60 + minute) * 60 + second) * SECOND_US + fraction;
    return true;
}

/* Z, an offset, or nothing (UTC). */
static bool zone(struct scanner *s, int64_t *us) {
    int64_t hour, minute;
    if (s->at == s->end || take(s, "Zz")) return true;
    bool is_east = *s->at == '+';
    if (!take(s, "+-") || !digits(s, 2, &hour)) return false;
    (void)take(s, ":");
    if (!digits(s, 2, &minute) || hour > 23 || minute > 59) return false;
    int64_t offset = (hour * 60 + minute) * 60 * SECOND_US;
    *us -= is_east ? offset : -offset;
    return true;
}

bool shf_time_parse(const char *text, size_t size, int64_t *us) {
    struct scanner s = {text, text + size};
    int64_t parsed;
    if (!date(&s, &parsed)) return false;
    if (s.at < s.end && (!take(&s, "Tt _") || !clock_time(&s, &parsed) || !zone(&s, &parsed))) return false;
    if (s.at != s.end || parsed < MIN_TIME_US || parsed > MAX_TIME_US) return false;
    *us = parsed;
    return true;
}

bool shf_time_from_number(double number, int64_t *us) {
    if (!(fabs(number) <= 1e15)) return false; /* NaN too */
    double seconds = fabs(number) > MAX_EPOCH_SECONDS ? number / 1e3 : number;
    double micro = round(seconds * 1e6);
    if (micro < (double)MIN_TIME_US || micro > (double)MAX_TIME_US) return false;
    *us = (int64_t)micro;
    return true;
}

/* Digits with a sign and a fraction, without exponent; at most 24 characters. */
static bool number(const char *text, size_t size, double *out) {
    struct scanner s = {text, text + size};
    double value = 0, scale = 1;
    int64_t digit;
    if (size > 24) return false;
    bool is_negative = take(&s, "-");
    if (!is_negative) (void)take(&s, "+");
    if (!digits(&s, 1, &digit)) return false;
    do value = value * 10 + (double)digit;
    while (digits(&s, 1, &digit));
    if (take(&s, ".")) {
        while (digits(&s, 1, &digit)) value += (double)digit * (scale /= 10);
    }
    *out = is_negative ? -value : value;
    return s.at == s.end;
}

bool shf_time_parse_any(const char *text, size_t size, int64_t *us) {
    double epoch;
    if (shf_time_parse(text, size, us)) return true;
    return number(text, size, &epoch) && shf_time_from_number(epoch, us);
}

bool shf_manifest_directory_parse(const char *name, size_t size, int64_t *published_at_us, const char **run_id,
                                  size_t *run_id_size) {
    static const char shape[] = "0000-00-00T00:00:00.000000Z_run_id=";
    size_t length = sizeof shape - 1;
    if (size <= length || memchr(name + length, '/', size - length)) return false;
    for (size_t i = 0; i < length; i++) {
        bool is_right = i < 27 && shape[i] == '0' ? shf_ascii_is_digit(name[i]) : name[i] == shape[i];
        if (!is_right) return false;
    }
    if (!shf_time_parse(name, 27, published_at_us)) return false;
    *run_id = name + length;
    *run_id_size = size - length;
    return true;
}
