/* Numbers, strictly: the whole text must be the number. Each parser returns false and leaves *out alone otherwise. */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool cli_parse_u64(const char *text, size_t size, uint64_t *out); /* decimal digits */
bool cli_parse_i64(const char *text, size_t size, int64_t *out);  /* '-' and decimal digits */
bool cli_parse_u32(const char *text, uint32_t minimum, uint32_t maximum, uint32_t *out);
/* Bytes: digits, and maybe a unit: K, M, G, T and KiB, MiB, ... are powers of 1,024, kB (KB), MB, ... of 1,000. */
bool cli_parse_size(const char *text, uint64_t *out);
bool cli_parse_double(const char *text, size_t size, double *out); /* decimal; finite */
/* Seconds ("2.5") as milliseconds, rounded up; at most CLI_SECONDS_MAXIMUM. */
#define CLI_SECONDS_MAXIMUM 31536000.0 /* a year */
bool cli_parse_seconds(const char *text, int64_t *milliseconds);

/* A double in the fewest digits that read back as the same number, always with a point or exponent. */
#define CLI_DOUBLE_TEXT_BYTES 40u
void cli_double_text(double value, char out[CLI_DOUBLE_TEXT_BYTES]);

/* Microseconds since 1970 as 2026-11-22T07:29:27.506796+00:00. */
#define CLI_TIME_TEXT_BYTES 48u
void cli_time_text(int64_t microseconds, char out[CLI_TIME_TEXT_BYTES]);

#endif
