/* Numbers as text, whatever the locale. Private to formats/cel. */
#ifndef SHF_FORMATS_CEL_NUMBERS_H
#define SHF_FORMATS_CEL_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of the text is digits, in the base (10 or 16); false when there is none, another character, or too large. */
bool shf_cel_digits(const char *text, size_t size, unsigned base, uint64_t *out);

/* What int() and uint() take: decimal digits, a sign (of uint only +), ASCII white space around. */
bool shf_cel_text_to_int(const char *text, size_t size, int64_t *out);
bool shf_cel_text_to_uint(const char *text, size_t size, uint64_t *out);

/*
 * Decimal or exponent form without sign, white space and names ("1.5e-3"); the nearest double, infinity when it is too
 * large. False: not of this form.
 */
bool shf_cel_decimal(const char *text, size_t size, double *out);
/* What double() takes: as above with a sign, inf, infinity and nan in any case, white space around. */
bool shf_cel_text_to_double(const char *text, size_t size, double *out);

#define SHF_CEL_NUMBER_BYTES 32u
size_t shf_cel_uint_to_text(uint64_t value, char out[SHF_CEL_NUMBER_BYTES]);
size_t shf_cel_int_to_text(int64_t value, char out[SHF_CEL_NUMBER_BYTES]);
/* The shortest digits that read back to the value, printed as %g would: fixed for exponents from -4 to 5. */
size_t shf_cel_double_to_text(double value, char out[SHF_CEL_NUMBER_BYTES]);

#endif
