/* What S3 says in XML: a page of a listing, and error bodies. Pure; bounded; entities are not expanded. */
#ifndef SHF_IO_S3_XML_H
#define SHF_IO_S3_XML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct shf_s3_page {
    char **names; /* keys and common prefixes, decoded, whole */
    size_t count, capacity;
    bool is_truncated;
    char *continuation; /* token of the next page, or NULL */
};
/* SHF_E_STORE when it is no listing. Names are added to those that are there; at most `most` in all (SHF_E_LIMIT). */
shf_status shf_s3_page_parse(const void *data, size_t size, size_t most, struct shf_s3_page *page, struct shf_error **error);
void shf_s3_page_free(struct shf_s3_page *page);

struct shf_s3_problem {
    char code[64], message[256]; /* "" when absent */
};
/* Whatever can be read of an error body; never fails. */
void shf_s3_problem_parse(const void *data, size_t size, struct shf_s3_problem *out);

#endif
