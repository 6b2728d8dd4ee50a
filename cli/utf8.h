/* UTF-8: strict decoding and the width of text on a terminal. */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length (1..4) of the character at data, 0 when the bytes are not well-formed UTF-8. size must be at least 1. */
size_t cli_utf8_next(const unsigned char *data, size_t size, uint32_t *point);
/* Writes 1..4 bytes of a character (at most U+10FFFF, no surrogate) and returns how many. */
size_t cli_utf8_encode(uint32_t point, char out[4]);
bool cli_utf8_valid(const void *data, size_t size);
/* Columns that the text takes. */
size_t cli_utf8_width(const char *text, size_t size);
/* Bytes of the longest beginning that takes at most `columns`. */
size_t cli_utf8_fit(const char *text, size_t size, size_t columns);

#endif
