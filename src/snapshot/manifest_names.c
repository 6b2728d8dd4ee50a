#include "snapshot/manifest_names.h"

#include "base/alloc.h"
#include "base/text.h"
#include "formats/manifest.h"
#include "io/store.h"

#include <stdlib.h>
#include <string.h>

void shf_manifest_names_take(struct shf_manifest_names *names, struct shf_store_request *request) {
    *names = (struct shf_manifest_names){request->names, request->name_count};
    request->names = NULL;
    request->name_count = 0;
}

void shf_manifest_names_free(struct shf_manifest_names *names) {
    for (size_t i = 0; i < names->count; i++) shf_free(names->names[i]);
    shf_free(names->names);
    *names = (struct shf_manifest_names){0};
}

static int newer_first(const void *a, const void *b) { return strcmp(*(char *const *)b, *(char *const *)a); }

void shf_manifest_names_tidy(struct shf_manifest_names *names) {
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        char *name = names->names[i];
        size_t size = strlen(name), run_id_size;
        const char *run_id;
        int64_t published_at_us;
        bool keep = size > 0 && name[size - 1] == '/';
        if (keep) name[--size] = '\0';
        if (keep && shf_manifest_directory_parse(name, size, &published_at_us, &run_id, &run_id_size)) {
            names->names[kept++] = name;
        } else {
            shf_free(name);
        }
    }
    names->count = kept;
    /* The time has a fixed width, so the order of the bytes is the order of publication. */
    if (kept) qsort(names->names, kept, sizeof *names->names, newer_first);
}

char *shf_manifest_names_key(const struct shf_location *location, const char *name) {
    struct shf_text tail = {0};
    shf_text_format(&tail, "%s%s/manifest", SHF_MANIFESTS_DIRECTORY, name);
    char *key = tail.failed ? NULL : shf_location_key(location, tail.data);
    shf_text_free(&tail);
    return key;
}

bool shf_manifest_names_absent(const struct shf_location *location, shf_status status) {
    /* A bucket that is not there is a failure; a directory that is not there is an empty one. */
    return status == SHF_E_NOT_FOUND && location->scheme == SHF_SCHEME_FILE;
}
