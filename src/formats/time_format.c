/* Dates as they are written. */
#include "formats/manifest_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define DAY_SECONDS INT64_C(86400)
#define MIN_TIME_US INT64_C(-62135596800000000) /* 0001-01-01 */
#define MAX_TIME_US INT64_C(253402300799999999) /* 9999-12-31 */

/* Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar; the year is 1 at least. */
static void date_of(int64_t days, int *year, int *month, int *day) {
    int64_t since = days + 719468; /* since 0000-03-01: years that begin in March have the leap day last */
    int64_t era = since / 146097, of_era = since % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

void shf_time_format(int64_t us, char out[SHF_TIME_TEXT_BYTES]) {
    int year, month, day;
    if (us < MIN_TIME_US) us = MIN_TIME_US;
    if (us > MAX_TIME_US) us = MAX_TIME_US;
    int64_t since = us - MIN_TIME_US; /* not negative: divisions round down */
    int64_t seconds = since / SECOND_US, of_day = seconds % DAY_SECONDS;
    date_of(seconds / DAY_SECONDS + MIN_TIME_US / SECOND_US / DAY_SECONDS, &year, &month, &day);
    char text[96]; /* more than the compiler thinks of */
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year, month, day, (int)(of_day / 3600),
                   (int)(of_day / 60 % 60), (int)(of_day % 60), (int)(since % SECOND_US));
    memcpy(out, text, SHF_TIME_TEXT_BYTES);
}
