/* What S3 says in XML: a page of a listing, and error bodies. Pure; bounded; no document type, so no entities. */
#ifndef SHF_IO_S3_XML_H
#define SHF_IO_S3_XML_H

#include "base/error.h"
#include "io/store_names.h"

#include <stdbool.h>
#include <stddef.h>

#define SHF_S3_LISTING_BYTES (256u << 20) /* of all names and versions of a listing together */
#define SHF_S3_ETAG_BYTES 256u            /* with the NUL; one that is longer is absent */

/* Zeroed before the first page, but for found.wants_versions. */
struct shf_s3_listing {
    struct shf_store_names found; /* keys and common prefixes, decoded, whole; versions: the ETags, in quotes */
    size_t bytes;
    bool is_truncated;
    char *continuation; /* token of the next page, or NULL */
};
/*
 * Adds the names of a page to those that are there; at most `most` in all (SHF_E_LIMIT). SHF_E_STORE when it is no
 * listing, or names the page that it is itself. The listing is to be freed in any case.
 */
shf_status shf_s3_listing_add(struct shf_s3_listing *listing, const void *data, size_t size, size_t most,
                              struct shf_error **error);
void shf_s3_listing_free(struct shf_s3_listing *listing);

/*
 * Makes the names relative to prefix, sorts them, drops doubles and the prefix itself. SHF_E_STORE when one is not
 * directly below the prefix; SHF_E_NO_MEMORY.
 */
shf_status shf_s3_listing_tidy(struct shf_s3_listing *listing, const char *prefix, struct shf_error **error);

struct shf_s3_problem {
    char code[64], message[256]; /* printable ASCII; "" when absent */
    char region[64];             /* where the bucket is, when the server says so */
    char header[64];             /* which header is the problem, when the server says so */
};
/* Whatever can be read of an error body; never fails. */
void shf_s3_problem_parse(const void *data, size_t size, struct shf_s3_problem *out);

/* An answer to a step of a multipart upload. What is longer than its place is absent. */
struct shf_s3_upload_answer {
    bool is_begun, is_complete; /* which of the two it is; neither: something else */
    char upload_id[1024], etag[SHF_S3_ETAG_BYTES];
};
/* SHF_E_NO_MEMORY; SHF_E_STORE when it is no XML. */
shf_status shf_s3_upload_answer_parse(const void *data, size_t size, struct shf_s3_upload_answer *out);

#endif
