/* What location.c (URLs of the user) and location_trust.c (URLs of data) share. */
#ifndef SHF_SNAPSHOT_LOCATION_PRIV_H
#define SHF_SNAPSHOT_LOCATION_PRIV_H

#include "snapshot/location.h"

#include <stddef.h>

/* A URL cut into its parts; points into the text. */
struct shf_url_parts {
    enum shf_scheme scheme;
    const char *bucket; /* empty for file */
    size_t bucket_size;
    const char *path; /* without leading slash */
    size_t path_size;
};

/* The checks return NULL, or the reason for a refusal as the end of a sentence ("has ..."). */
const char *shf_url_check_text(const char *text, size_t *size);
const char *shf_url_check_bucket(const char *bucket, size_t size);
/* Every segment of a path that is not empty: no "", "." or "..", no backslash, query, fragment or encoded
 * separator. */
const char *shf_url_check_path(const char *path, size_t size);
/* Cuts at the scheme and the bucket and checks both; the path is only cut off. Lower-case schemes, no file
 * host. */
const char *shf_url_split(const char *url, size_t size, struct shf_url_parts *out);

/* A form of the URL for messages: no userinfo, no query, no control characters, cut where it is long. */
#define SHF_URL_PRINTABLE_BYTES 256u
const char *shf_url_printable(const char *url, char out[SHF_URL_PRINTABLE_BYTES]);

const char *shf_url_scheme_name(enum shf_scheme scheme);

#endif
