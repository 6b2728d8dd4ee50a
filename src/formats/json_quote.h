/* JSON strings as Python's json.dumps writes them: ASCII, \uXXXX, surrogate pairs. Private to formats. */
#ifndef SHF_FORMATS_JSON_QUOTE_H
#define SHF_FORMATS_JSON_QUOTE_H

#include <stddef.h>

/* Bytes that the text takes with its quotes; at most 6 * size + 2. What is no UTF-8 becomes U+FFFD. */
size_t shf_json_quoted_size(const char *text, size_t size);
/* Writes exactly so many; no NUL behind. */
void shf_json_quote_into(const char *text, size_t size, char *out);

#endif
