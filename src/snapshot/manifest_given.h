/* A manifest that the caller keeps elsewhere: its name and its bytes, copied and charged to the budget. */
#ifndef SHF_SNAPSHOT_MANIFEST_GIVEN_H
#define SHF_SNAPSHOT_MANIFEST_GIVEN_H

#include "base/buf.h"
#include "rt/runtime.h"

struct shf_manifest_given {
    char *ref; /* only a name: text without control characters */
    struct shf_buf *body;
};

/* SHF_E_INVALID (name or slice), SHF_E_LIMIT (larger than a manifest may be), SHF_E_NO_MEMORY. */
shf_status shf_manifest_given_copy(shf_runtime *runtime, const char *ref, shf_slice manifest,
                                   struct shf_manifest_given *out);
void shf_manifest_given_free(struct shf_manifest_given *given); /* zeroes it; a zeroed one is fine */

#endif
