/* A growing text with a maximum, and UTF-8 and hex helpers. */
#ifndef SHF_BASE_TEXT_H
#define SHF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it (max_bytes set) to begin; a failed append (memory, maximum) sets `failed` and later ones do nothing. */
struct shf_text {
    char *data;                       /* NUL-terminated; NULL while empty */
    size_t size, capacity, max_bytes; /* max_bytes 0 = no maximum */
    bool failed;
};

void shf_text_add(struct shf_text *text, const char *data, size_t size);
void shf_text_add_string(struct shf_text *text, const char *string);
void shf_text_format(struct shf_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void shf_text_free(struct shf_text *text);
/* The text, the caller's to shf_free; NULL when an append failed. The struct is empty afterwards. */
char *shf_text_take(struct shf_text *text);

/* True for well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). NUL bytes are allowed. */
bool shf_utf8_valid(const void *data, size_t size);

/* Drops the beginning of a UTF-8 sequence from the end of a text that was cut. */
void shf_utf8_trim_end(char *text);

/* out must hold 2*size+1 bytes; lower case. */
void shf_hex_encode(const void *data, size_t size, char *out);

/* ASCII only, whatever the locale. */
bool shf_ascii_equal_ignore_case(const char *a, size_t a_size, const char *b);
static inline bool shf_ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline char shf_ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

#endif
