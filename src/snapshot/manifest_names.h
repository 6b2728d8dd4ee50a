/* The names of manifest directories, as a listing of PREFIX/manifests/ gives them. */
#ifndef SHF_SNAPSHOT_MANIFEST_NAMES_H
#define SHF_SNAPSHOT_MANIFEST_NAMES_H

#include "snapshot/location.h"

#include <stddef.h>

struct shf_store_request;

struct shf_manifest_names {
    char **names; /* of directories, without the slash */
    size_t count;
};

/* Takes the names out of a finished LIST request. */
void shf_manifest_names_take(struct shf_manifest_names *names, struct shf_store_request *request);
/* Drops what is no manifest directory (TIME_run_id=RUN) and sorts newest first. Long lists take a while.
 */
void shf_manifest_names_tidy(struct shf_manifest_names *names);
void shf_manifest_names_free(struct shf_manifest_names *names);

/* Key of the manifest in a directory, the caller's; NULL without memory. */
char *shf_manifest_names_key(const struct shf_location *location, const char *name);

/* What is listed, and whether an answer of the store means that there is nothing. */
#define SHF_MANIFESTS_DIRECTORY "manifests/"
bool shf_manifest_names_absent(const struct shf_location *location, shf_status status);

#endif
