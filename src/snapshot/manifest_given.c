#include "snapshot/manifest_given.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "io/store_body.h"
#include "snapshot/location_priv.h"

#include <string.h>

shf_status shf_manifest_given_copy(shf_runtime *runtime, const char *ref, shf_slice manifest,
                                   struct shf_manifest_given *out) {
    struct shf_manifest_given made = {0};
    size_t size;
    if (!ref || !manifest.data || shf_url_check_text(ref, &size)) return SHF_E_INVALID;
    if (manifest.size > SHF_LIMIT_MANIFEST_BYTES) return SHF_E_LIMIT;
    shf_status status = shf_store_body_new(runtime, manifest.size, ref, &made.body, NULL);
    if (!status && !(made.ref = shf_strndup(ref, size))) status = SHF_E_NO_MEMORY;
    if (status) {
        shf_manifest_given_free(&made);
        return status;
    }
    if (manifest.size) memcpy(made.body->data, manifest.data, manifest.size);
    *out = made;
    return SHF_OK;
}

void shf_manifest_given_free(struct shf_manifest_given *given) {
    shf_free(given->ref);
    shf_buf_release(given->body);
    *given = (struct shf_manifest_given){0};
}
