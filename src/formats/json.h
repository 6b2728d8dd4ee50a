/*
 * JSON as Python's json module reads it, on jansson: NaN, Infinity and -Infinity (read as null), integers beyond 64
 * bits (read as reals), numbers beyond a double (null) and lone surrogates (U+FFFD) are no errors. Private to formats.
 */
#ifndef SHF_FORMATS_JSON_H
#define SHF_FORMATS_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Any JSON value. `code` when it is broken, nested deeper than SHF_LIMIT_JSON_DEPTH, longer than SHF_LIMIT_JSON_BYTES or of
 * more than SHF_LIMIT_JSON_VALUES values. jansson's memory is its own (see the design, section 5). *out: json_decref.
 */
shf_status shf_json_parse(const char *text, size_t size, shf_status code, json_t **out, struct shf_error **error);

/* Text as Python writes it (", ", ": ", sorted keys, ASCII); NULL without memory. shf_free it. */
char *shf_json_text(const json_t *json);

/* A copy of a string value; SHF_OK and *out NULL when json is NULL or no string. A NUL inside: `code`. */
shf_status shf_json_string(const json_t *json, const char *name, shf_status code, char **out, struct shf_error **error);

/* An integer as pydantic takes it: an integer, true, false, a real without fraction, a text of an integer. */
bool shf_json_integer(const json_t *json, int64_t *out);

/* A decimal integer of 64 bits: blanks around, a sign, ".000" behind are fine. */
bool shf_integer_parse(const char *text, size_t size, int64_t *out);
/* A real without fraction, of 64 bits. */
bool shf_integer_from_real(double real, int64_t *out);

#endif
