/*
 * What S3 says in XML. The input is a page of a listing, asked for twice, an error body, and an answer to a step of an
 * upload: names that come out are sorted, unique and directly below the prefix; versions are quoted; what goes into messages
 * is printable.
 */
#include "fuzz_entry.h"
#include "io/s3_xml.h"

#include <string.h>

#define MOST_NAMES 1000u

static void check_names(const struct shf_s3_listing *listing) {
    const struct shf_store_names *found = &listing->found;
    for (size_t i = 0; i < found->count; i++) {
        const char *name = found->names[i], *slash = strchr(name, '/');
        demand(*name && (!slash || !slash[1]));
        if (i) demand(strcmp(found->names[i - 1], name) < 0);
        const char *version = found->versions ? found->versions[i] : NULL;
        if (!version) continue;
        size_t size = strlen(version);
        demand(found->wants_versions && !slash);
        demand(size >= 2 && size < SHF_S3_ETAG_BYTES && version[size - 1] == '"');
        demand(version[0] == '"' || strncmp(version, "W/\"", 3) == 0);
        for (; *version; version++) demand(*version > ' ' && *version < 0x7f);
    }
}

static shf_status read_listing(const uint8_t *data, size_t size, const char *prefix, struct shf_s3_listing *listing) {
    struct shf_error *error = NULL;
    shf_status status = shf_s3_listing_add(listing, data, size, MOST_NAMES, &error);
    demand((status != SHF_OK) == (error != NULL));
    demand(listing->found.count <= MOST_NAMES);
    if (!status) {
        demand(!listing->is_truncated || (listing->continuation && *listing->continuation));
        bool goes_on = listing->is_truncated;
        status = shf_s3_listing_add(listing, data, size, MOST_NAMES, &error);
        if (goes_on) demand(status == SHF_E_STORE || status == SHF_E_LIMIT); /* the same page again, for ever */
    }
    if (!status) status = shf_s3_listing_tidy(listing, prefix, &error);
    if (!status) check_names(listing);
    shf_error_free(error);
    return status;
}

/* With versions and without, the names are the same. */
static void check_listing(const uint8_t *data, size_t size, const char *prefix) {
    struct shf_s3_listing plain = {0}, versions = {.found.wants_versions = true};
    shf_status status = read_listing(data, size, prefix, &plain);
    demand(read_listing(data, size, prefix, &versions) == status);
    demand(plain.found.count == versions.found.count && !plain.found.versions);
    for (size_t i = 0; !status && i < plain.found.count; i++) {
        demand(strcmp(plain.found.names[i], versions.found.names[i]) == 0);
    }
    shf_s3_listing_free(&plain);
    shf_s3_listing_free(&versions);
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
