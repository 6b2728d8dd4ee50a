/*
 * Reading JSON text (RFC 8259) where it lies. Strings are decoded in place: what they say is never longer than what
 * was written. The text must be followed by a NUL. Functions return NULL, or what is wrong (static); `at` is then
 * where it is.
 */
#ifndef CLI_BUILD_SCAN_H
#define CLI_BUILD_SCAN_H

#include "cli/out.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_scan {
    char *at, *end;
};

void cli_scan_blanks(struct cli_scan *scan);
/* Takes the character if it is the next one after blanks. */
bool cli_scan_take(struct cli_scan *scan, char c);
/* Takes null if that is next. */
bool cli_scan_null(struct cli_scan *scan);
/* A string: `at` is on its opening quote. */
const char *cli_scan_string(struct cli_scan *scan, char **data, size_t *size);
/* A number's text; *integer: it has neither point nor exponent. */
const char *cli_scan_number(struct cli_scan *scan, const char **text, size_t *size, bool *integer);
/* A number as float32, rounded as by way of float64; one that does not fit is wrong. */
const char *cli_scan_float(struct cli_scan *scan, float *out);

/*
 * Copies the next value, an object for CLI_SCAN_PYTHON, to `out`. COMPACT: the text as it is, without blanks. PYTHON:
 * as json.dumps of Python writes it (ASCII, ", " and ": ", members in their order, floats as repr); a name twice in
 * one object is wrong.
 */
enum cli_scan_style { CLI_SCAN_COMPACT, CLI_SCAN_PYTHON };
#define CLI_SCAN_DEPTH 512u
const char *cli_scan_copy(struct cli_scan *scan, enum cli_scan_style style, struct cli_out *out);

/* A finite double as Python's repr. */
#define CLI_REPR_BYTES 64u
void cli_python_repr(double value, char out[CLI_REPR_BYTES]);

#endif
