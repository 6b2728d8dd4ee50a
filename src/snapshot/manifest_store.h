/*
 * Finding and loading manifests, asynchronously, through the store: _CURRENT, the manifest that it names, the
 * walk back when that is malformed, history. Start from any thread. Every `done` runs on the runtime's loop
 * thread, exactly once, never from inside start; it may free the struct. One request is under way at a time;
 * manifests and long listings are worked on by a worker.
 */
#ifndef SHF_SNAPSHOT_MANIFEST_STORE_H
#define SHF_SNAPSHOT_MANIFEST_STORE_H

#include "formats/manifest.h"
#include "io/store.h"
#include "snapshot/location.h"
#include "snapshot/manifest_given.h"
#include "snapshot/manifest_names.h"

struct shf_manifest_load {
    /* in: borrowed until done */
    struct shf_store *store;
    const struct shf_location *location;
    /* Or NULL: URL or tail of a manifest to load instead of the one that _CURRENT names; no fallback. */
    const char *pinned_ref;
    int64_t pinned_offset; /* >= 0: that place of the history, 0 = newest; < 0: not asked; no fallback */
    /* Or NULL: this manifest, and nothing is read of the store; neither pin beside it; no fallback. */
    const struct shf_manifest_given *given;
    /* Refresh: the ref served now, or NULL; the same again = `unchanged`, and nothing is loaded. */
    const char *known_ref;
    uint32_t max_fallback_attempts; /* older manifests tried when malformed; 0 = fail at once */
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    void (*done)(struct shf_manifest_load *load);

    /* out */
    shf_status status;
    struct shf_error *error; /* the caller's; set exactly when status is not SHF_OK */
    bool unchanged;
    bool manifest_malformed;       /* with SHF_E_MANIFEST: the manifest itself, not _CURRENT or what that names */
    struct shf_manifest *manifest; /* the caller's */
    char *manifest_ref;            /* resolved URL under the opened prefix, or the name given; the caller's */
    int64_t published_at_us;       /* from the directory name, else created_at */
    uint32_t fallback_attempts;
    int64_t current_ns, manifest_ns; /* time spent on _CURRENT and listings; on manifests */

    /* the load's own while it works */
    struct {
        struct shf_task task;
        struct shf_store_request request;
        int64_t began_ns;
        char *key;                       /* of the object or listing that is read */
        char *failed_name;               /* directory of the manifest that _CURRENT names, once it failed */
        struct shf_manifest_names names; /* what of the history may be read, newest first, once listed */
        size_t history_count;
        bool listed;
        struct shf_error *first_error; /* why the walk began */
        shf_status work_status;        /* of the worker */
        struct shf_error *work_error;
    } own;
};
/*
 * Errors: SHF_E_STATE "CURRENT pointer not found at URL"; SHF_E_MANIFEST for malformed JSON, or a malformed
 * manifest with max_fallback_attempts 0 or a pin; SHF_E_STATE "no valid manifest found ..." after a walk back
 * in vain (it names the first failure), and for an offset beyond the history; SHF_E_NOT_FOUND for a manifest
 * that is not there (no fallback); SHF_E_INVALID for a pin that makes no sense; others from the store.
 *
 * Walks only over manifests older than the one that failed, newest first, and tries at most
 * max_fallback_attempts of them. A directory of the listing whose manifest is gone by then counts as a
 * malformed one; any other failure ends the walk.
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
        char *ref;             /* URL */
        char *run_id;
        int64_t published_at_us;
    } * items;
    size_t count;

    /* the listing's own while it works */
    struct shf_task task;
    struct shf_store_request request;
    char *key;
    struct shf_manifest_names names;
};
/* A prefix without manifests has an empty history: SHF_OK and no items. Errors come from the store. */
void shf_manifest_listing_start(struct shf_manifest_listing *listing);
void shf_manifest_listing_clear(struct shf_manifest_listing *listing); /* frees the out fields */

#endif
