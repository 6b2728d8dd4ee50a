/*
 * AWS Signature Version 4 for S3, on OpenSSL. Pure but for the caller's time. Source: "Authenticating Requests
 * (AWS Signature Version 4)", Amazon S3 API Reference.
 */
#ifndef SHF_IO_SIGV4_H
#define SHF_IO_SIGV4_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_SIGV4_HEX_BYTES 65 /* SHA-256 in hex, and the NUL */
extern const char shf_sigv4_empty_payload[SHF_SIGV4_HEX_BYTES]; /* SHA-256 of nothing */

struct shf_sigv4_header {
    const char *name; /* lower case */
    const char *value;
};

struct shf_sigv4_input {
    const char *method;
    const char *path;    /* percent-encoded, begins with / */
    const char *query;   /* canonical: sorted, encoded, "" for none */
    const struct shf_sigv4_header *headers; /* sorted by name; host, x-amz-content-sha256 and x-amz-date among them */
    size_t header_count;
    const char *payload_hash; /* hex */
    const char *access_key_id, *secret_access_key, *region, *service;
    const char *date_time; /* 20150830T123600Z */
};

/* Appends the value of the Authorization header. False when OpenSSL fails or memory is out. */
bool shf_sigv4_authorization(const struct shf_sigv4_input *input, struct shf_text *out);

/* "20150830T123600Z" from microseconds since 1970 (17 bytes with the NUL). */
void shf_sigv4_date_time(int64_t wall_us, char out[17]);

/* Percent-encodes everything but A-Z a-z 0-9 - . _ ~ and, if asked, /. */
void shf_sigv4_encode(struct shf_text *out, const char *text, bool keep_slashes);

#endif
