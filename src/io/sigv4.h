/*
 * AWS Signature Version 4 on OpenSSL: what goes into the Authorization header. Pure: time and keys are arguments.
 * Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
 */
#ifndef SHF_IO_SIGV4_H
#define SHF_IO_SIGV4_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_SIGV4_KEY_BYTES 32u
#define SHF_SIGV4_HEX_BYTES 65u  /* a SHA-256 in hex, and the NUL */
#define SHF_SIGV4_TIME_BYTES 17u /* 20150830T123600Z, and the NUL */
#define SHF_SIGV4_DATE_BYTES 8u  /* how many of them are the date */

extern const char shf_sigv4_empty_payload[SHF_SIGV4_HEX_BYTES]; /* SHA-256 of no bytes */

struct shf_sigv4_header {
    const char *name;  /* lower case */
    const char *value; /* trimmed */
};

struct shf_sigv4_input {
    const char *method;
    const char *path;                       /* as it is sent: percent-encoded by shf_sigv4_encode, begins with / */
    const char *query;                      /* canonical: names and values encoded, sorted by name; "" for none */
    const struct shf_sigv4_header *headers; /* sorted by name; host and x-amz-date among them */
    size_t header_count;
    const char *payload_hash; /* hex, or UNSIGNED-PAYLOAD */
    const char *access_key_id, *region, *service;
    const char *time; /* 20150830T123600Z */
};

/* The key that signs everything of one day, region and service. False when OpenSSL fails or memory is out. */
bool shf_sigv4_derive_key(const char *secret_access_key, const char *time, const char *region, const char *service,
                          uint8_t out[SHF_SIGV4_KEY_BYTES]);

/* Appends the value of the Authorization header. False when OpenSSL fails or memory is out. */
bool shf_sigv4_authorize(const struct shf_sigv4_input *input, const uint8_t key[SHF_SIGV4_KEY_BYTES],
                         struct shf_text *out);

/* "20150830T123600Z" from microseconds since 1970. */
void shf_sigv4_time(int64_t wall_us, char out[SHF_SIGV4_TIME_BYTES]);

/* Percent-encodes every byte but A-Z a-z 0-9 - . _ ~ (and, if asked, /). */
void shf_sigv4_encode(struct shf_text *out, const char *text, bool keep_slashes);

#endif
