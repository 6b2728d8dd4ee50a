/*
 * What S3 says in XML. The input is a page of a listing, asked for twice, an error body, and an answer to a step of an
 * upload: names that come out are sorted, unique and directly below the prefix; what goes into messages is printable.
 */
#include "fuzz_entry.h"
#include "io/s3_xml.h"

#include <string.h>

#define MOST_NAMES 1000u

static void check_names(const struct shf_s3_listing *listing) {
    for (size_t i = 0; i < listing->found.count; i++) {
        const char *name = listing->found.names[i], *slash = strchr(name, '/');
        demand(*name && (!slash || !slash[1]));
        if (i) demand(strcmp(listing->found.names[i - 1], name) < 0);
    }
}

static void check_listing(const uint8_t *data, size_t size, const char *prefix) {
    struct shf_s3_listing listing = {0};
    struct shf_error *error = NULL;
    shf_status status = shf_s3_listing_add(&listing, data, size, MOST_NAMES, &error);
    demand((status != SHF_OK) == (error != NULL));
    demand(listing.found.count <= MOST_NAMES);
    if (!status) {
        demand(!listing.is_truncated || (listing.continuation && *listing.continuation));
        bool goes_on = listing.is_truncated;
        status = shf_s3_listing_add(&listing, data, size, MOST_NAMES, &error);
        if (goes_on) demand(status == SHF_E_STORE || status == SHF_E_LIMIT); /* the same page again, for ever */
    }
    if (!status && shf_s3_listing_tidy(&listing, prefix, &error) == SHF_OK) check_names(&listing);
    shf_error_free(error);
    shf_s3_listing_free(&listing);
}

static void check_printable(const char *text, size_t room) {
    demand(memchr(text, '\0', room) != NULL);
    for (; *text; text++) demand(*text >= ' ' && *text < 0x7f);
}

static void check_upload_answer(const uint8_t *data, size_t size) {
    struct shf_s3_upload_answer answer;
    memset(&answer, 0xaa, sizeof answer);
    shf_status status = shf_s3_upload_answer_parse(data, size, &answer);
    demand(memchr(answer.upload_id, '\0', sizeof answer.upload_id) && memchr(answer.etag, '\0', sizeof answer.etag));
    demand(!answer.is_begun || !answer.is_complete);
    if (status) demand(!answer.is_begun && !answer.is_complete && !*answer.upload_id && !*answer.etag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_s3_problem problem;
    check_listing(data, size, "");
    check_listing(data, size, "p/");
    memset(&problem, 0xaa, sizeof problem);
    shf_s3_problem_parse(data, size, &problem);
    check_printable(problem.code, sizeof problem.code);
    check_printable(problem.message, sizeof problem.message);
    check_printable(problem.region, sizeof problem.region);
    check_printable(problem.header, sizeof problem.header);
    check_upload_answer(data, size);
    return 0;
}
