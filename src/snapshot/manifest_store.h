/*
 * Finding and loading manifests, asynchronously, through the store: _CURRENT, the manifest that it names, the walk back
 * when that is malformed, history. Every `done` runs on the runtime's loop thread, exactly once.
 */
#ifndef SHF_SNAPSHOT_MANIFEST_STORE_H
#define SHF_SNAPSHOT_MANIFEST_STORE_H

#include "formats/manifest.h"
#include "io/store.h"
#include "snapshot/location.h"

struct shf_manifest_load {
    /* in: borrowed until done */
    struct shf_store *store;
    const struct shf_location *location;
    const char *pinned_ref;      /* or NULL: URL or tail of a manifest to load instead of _CURRENT's; no fallback */
    int64_t pinned_offset;       /* >= 0: that place of the history, 0 = newest; < 0: not asked; no fallback */
    const char *known_ref;       /* refresh: the ref served now, or NULL; the same again = `unchanged` and nothing is loaded */
    uint32_t max_fallback_attempts; /* older manifests tried when malformed; 0 = fail at once */
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_manifest_load *load);

    /* out */
    shf_status status;
    struct shf_error *error;
    bool unchanged;
    struct shf_manifest *manifest; /* the caller's */
    char *manifest_ref;            /* resolved URL under the opened prefix, the caller's */
    int64_t published_at_us;       /* from the directory name, else created_at */
    uint32_t fallback_attempts;
    int64_t current_ns, manifest_ns; /* time spent on _CURRENT and listings; on manifests */

    void *internal;
};
/*
 * Errors: SHF_E_STATE "CURRENT pointer not found at URL"; SHF_E_MANIFEST for malformed JSON, or a malformed manifest
 * with max_fallback_attempts 0 or a pin; SHF_E_STATE "no valid manifest found ..." after a walk back in vain (it names the first
 * failure); SHF_E_NOT_FOUND for a manifest that is not there (no fallback); others from the store.
 * Walks only over manifests older than the one that failed, newest first, and tries at most max_fallback_attempts of them.
 */
void shf_manifest_load_start(struct shf_manifest_load *load);

struct shf_manifest_listing {
    struct shf_store *store;
    const struct shf_location *location;
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_manifest_listing *listing);

    shf_status status;
    struct shf_error *error;
    struct shf_manifest_item { /* newest first: by directory name, descending */
        char *ref; /* URL */
        char *run_id;
        int64_t published_at_us;
    } *items;
    size_t count;

    struct shf_store_request request;
    char *key;
};
void shf_manifest_listing_start(struct shf_manifest_listing *listing);
void shf_manifest_listing_clear(struct shf_manifest_listing *listing); /* frees the out fields */

#endif
