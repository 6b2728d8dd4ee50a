#include "snapshot/s3_options.h"

#include "base/alloc.h"
#include "rt/struct_size.h"

#include <string.h>

#define STRINGS 7u

static void list_strings(shf_s3_options *s3, const char **out[STRINGS]) {
    const char **strings[STRINGS] = {&s3->endpoint_url,  &s3->region,  &s3->access_key_id, &s3->secret_access_key,
                                     &s3->session_token, &s3->profile, &s3->ca_bundle};
    memcpy(out, strings, sizeof strings);
}

shf_status shf_s3_options_copy(const shf_s3_options *options, shf_s3_options *out) {
    shf_s3_options copy;
    const char **strings[STRINGS];
    memset(out, 0, sizeof *out);
    shf_status status = shf_struct_copy(&copy, sizeof copy, options);
    if (status) return status;
    copy.struct_size = sizeof copy;
    list_strings(&copy, strings);
    for (size_t i = 0; i < STRINGS; i++) {
        if (status || !*strings[i]) {
            *strings[i] = NULL; /* the rest stays the caller's */
        } else if (!(*strings[i] = shf_strdup(*strings[i]))) {
            status = SHF_E_NO_MEMORY;
        }
    }
    if (status) {
        shf_s3_options_free(&copy);
        return status;
    }
    *out = copy;
    return SHF_OK;
}

void shf_s3_options_free(shf_s3_options *options) {
    const char **strings[STRINGS];
    list_strings(options, strings);
    for (size_t i = 0; i < STRINGS; i++) shf_free_secret((char *)(uintptr_t)*strings[i]);
    memset(options, 0, sizeof *options);
}
