/* base64 (RFC 4648, padded) and hex. */
#ifndef CLI_CODEC_H
#define CLI_CODEC_H

#include "cli/out.h"

#include <stdbool.h>
#include <stddef.h>

void cli_base64_encode(struct cli_out *out, const void *data, size_t size);
void cli_hex_encode(struct cli_out *out, const void *data, size_t size); /* lower case */

/* *out receives the bytes, the caller's to free (NUL added). False when the text is not exactly that encoding. */
bool cli_base64_decode(const char *text, size_t size, char **out, size_t *out_size);
bool cli_hex_decode(const char *text, size_t size, char **out, size_t *out_size);

/* The same into memory of the caller, which may be the text itself: size / 4 * 3 bytes, or size / 2. */
bool cli_base64_decode_to(const char *text, size_t size, char *out, size_t *out_size);
bool cli_hex_decode_to(const char *text, size_t size, char *out, size_t *out_size);

#endif
