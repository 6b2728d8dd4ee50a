/*
 * Loading a manifest. The steps, each with at most one request or one task under way:
 *
 *   loop    read _CURRENT        (no pin)        -> resolve its ref -> read the manifest
 *           list the manifests   (pinned_offset) -> worker: tidy    -> read the manifest
 *           read the manifest    (pinned_ref)
 *           nothing              (given)
 *   worker  parse the manifest
 *   loop    done; or, malformed and no pin: list once (worker: tidy), read the next older one, and so on
 */
#include "snapshot/manifest_store.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"

#include <assert.h>
#include <string.h>

static struct shf_manifest_load *load_of_task(struct shf_task *task) {
    return SHF_CONTAINER(task, struct shf_manifest_load, own.task);
}
static struct shf_manifest_load *load_of_request(struct shf_store_request *request) {
    return SHF_CONTAINER(request, struct shf_manifest_load, own.request);
}

static void finish(struct shf_manifest_load *load, shf_status status) {
    assert(!status == !load->error);
    load->status = status;
    shf_store_request_clear(&load->own.request);
    shf_manifest_names_free(&load->own.names);
    shf_error_free(load->own.first_error);
    shf_free(load->own.failed_name);
    shf_free(load->own.key);
    load->done(load); /* may free the load */
}

static void fail_no_memory(struct shf_manifest_load *load) {
    finish(load, shf_error_set(&load->error, SHF_E_NO_MEMORY, "no memory to load a manifest of %s", load->location->url));
}

/* Ends a load whose caller wants no more of it. The store watches its own requests; this is for the steps
 * between. */
static bool gave_up(struct shf_manifest_load *load) {
    if (shf_cancel_requested(load->cancel)) {
        finish(load, shf_error_set(&load->error, SHF_E_CANCELLED, "cancelled while loading the manifest of %s",
                                   load->location->url));
        return true;
    }
    if (shf_deadline_over(load->deadline_ns)) {
        finish(load, shf_error_set(&load->error, SHF_E_DEADLINE,
                                   "the time for loading the manifest of %s is over; allow more", load->location->url));
        return true;
    }
    return false;
}

/* Reads or lists own.key. */
static void submit(struct shf_manifest_load *load, enum shf_store_verb verb, uint64_t max_bytes,
                   void (*done)(struct shf_store_request *request)) {
    if (!load->own.key) {
        fail_no_memory(load);
        return;
    }
    if (gave_up(load)) return;
    shf_store_request_clear(&load->own.request);
    load->own.request = (struct shf_store_request){.verb = verb,
                                                   .key = load->own.key,
                                                   .max_bytes = max_bytes,
                                                   .body_fd = -1,
                                                   .deadline_ns = load->deadline_ns,
                                                   .cancel = load->cancel,
                                                   .done = done};
    load->own.began_ns = shf_clock_monotonic_ns();
    shf_store_submit(load->store, &load->own.request);
}

static void set_key(struct shf_manifest_load *load, char *key) {
    shf_free(load->own.key);
    load->own.key = key;
}

/* Ends the load with the failure of its request. */
static void fail_request(struct shf_manifest_load *load) {
    load->error = load->own.request.error;
    load->own.request.error = NULL;
    if (load->own.first_error) {
        shf_error_prefix(&load->error, "while looking for an older manifest (%s)",
                         shf_error_message(load->own.first_error));
    }
    finish(load, load->own.request.status);
}

/* The same in the name of a given one, which may be any text. */
static const char *directory_in(const char *ref, size_t *size) {
    const char *name = ref;
    for (const char *p = ref; (p = strstr(p, SHF_MANIFESTS_DIRECTORY)) != NULL; p++) {
        if (p == ref || p[-1] == '/') name = p + sizeof SHF_MANIFESTS_DIRECTORY - 1;
    }
    *size = strcspn(name, "/");
    return name;
}

/* The directory in the key of a manifest: what follows PREFIX/manifests/. */
static const char *directory_of(const struct shf_manifest_load *load, size_t *size) {
    if (load->given) return directory_in(load->given->ref, size);
    const char *name = load->own.key;
    size_t prefix = strlen(load->location->prefix);
    if (prefix) name += prefix + 1;
    name += sizeof SHF_MANIFESTS_DIRECTORY - 1;
    *size = strcspn(name, "/");
    return name;
}

/* ---- a manifest ---- */

static void list(struct shf_manifest_load *load);
static void try_next(struct shf_manifest_load *load);

/* own.work_error says why the manifest at own.key will not do. */
static void skip(struct shf_manifest_load *load) {
    struct shf_error *error = load->own.work_error;
    load->own.work_error = NULL;
    bool pinned = load->given || load->pinned_ref || load->pinned_offset >= 0;
    if (pinned || load->max_fallback_attempts == 0) {
        load->manifest_malformed = true;
        load->error = error;
        finish(load, SHF_E_MANIFEST);
        return;
    }
    shf_log_write(shf_rt_log(load->store->runtime), SHF_LOG_WARNING, "skipped: %s", shf_error_message(error));
    if (load->own.first_error) {
        shf_error_free(error);
    } else {
        load->own.first_error = error;
    }
    if (load->own.listed) {
        try_next(load);
        return;
    }
    size_t size;
    const char *name = directory_of(load, &size);
    load->own.failed_name = shf_strndup(name, size);
    if (!load->own.failed_name) {
        fail_no_memory(load);
        return;
    }
    list(load);
}

static void parsed(struct shf_task *task) {
    struct shf_manifest_load *load = load_of_task(task);
    load->manifest_ns += shf_clock_monotonic_ns() - load->own.began_ns;
    char *url = load->given ? shf_strdup(load->given->ref) : shf_location_key_url(load->location, load->own.key);
    if (!url) {
        shf_error_free(load->own.work_error);
        load->own.work_error = NULL;
        shf_manifest_free(load->manifest);
        load->manifest = NULL;
        fail_no_memory(load);
        return;
    }
    if (load->own.work_status) {
        bool malformed = load->own.work_status == SHF_E_MANIFEST;
        shf_error_prefix(&load->own.work_error, "the manifest %s", url);
        if (!load->given) shf_error_set_object(load->own.work_error, url);
        shf_free(url);
        if (malformed) {
            skip(load);
            return;
        }
        load->error = load->own.work_error;
        load->own.work_error = NULL;
        finish(load, load->own.work_status);
        return;
    }
    const char *run_id;
    size_t size, run_id_size;
    const char *name = directory_of(load, &size);
    if (!shf_manifest_directory_parse(name, size, &load->published_at_us, &run_id, &run_id_size)) {
        load->published_at_us = load->manifest->created_at_us;
    }
    load->manifest_ref = url;
    finish(load, SHF_OK);
}

/* Worker. */
static void parse(struct shf_task *task) {
    struct shf_manifest_load *load = load_of_task(task);
    struct shf_buf *body = load->own.request.body;
    load->own.request.body = NULL;
    load->own.work_status = shf_manifest_parse(body->data, body->size, &load->manifest, &load->own.work_error);
    shf_buf_release(body);
    task->run = parsed;
    shf_rt_post_loop(load->store->runtime, task);
}

static void manifest_read(struct shf_store_request *request) {
    struct shf_manifest_load *load = load_of_request(request);
    bool walking = load->own.first_error != NULL;
    if (request->status) {
        load->manifest_ns += shf_clock_monotonic_ns() - load->own.began_ns;
        if (!walking && request->status == SHF_E_NOT_FOUND) {
            const char *who = load->pinned_ref           ? "the given ref"
                              : load->pinned_offset >= 0 ? "the history"
                                                         : "the CURRENT pointer";
            shf_error_prefix(&request->error, "%s names a manifest that is not there; list those that are (history)",
                             who);
        }
        if (!walking || request->status != SHF_E_NOT_FOUND) {
            fail_request(load);
            return;
        }
        /* Removed since it was listed, or never finished: as little of a manifest as a malformed one. */
        load->own.work_error = request->error;
        request->error = NULL;
        skip(load);
        return;
    }
    load->own.task.run = parse;
    shf_rt_post_worker(load->store->runtime, &load->own.task);
}

static void read_manifest(struct shf_manifest_load *load) {
    submit(load, SHF_STORE_GET, SHF_LIMIT_MANIFEST_BYTES, manifest_read);
}

/* True when own.key is the manifest that the caller serves already. */
static shf_status compare_known(const struct shf_manifest_load *load, bool *same) {
    char *known = NULL;
    *same = false;
    if (!load->known_ref) return SHF_OK;
    shf_status status = shf_location_resolve_ref(load->location, load->known_ref, &known, NULL);
    if (status == SHF_OK) *same = strcmp(known, load->own.key) == 0;
    shf_free(known);
    return status == SHF_E_NO_MEMORY ? status : SHF_OK;
}

/* own.key names the manifest that was asked for. */
static void manifest_found(struct shf_manifest_load *load) {
    bool same = false;
    if (!load->own.key || compare_known(load, &same)) {
        fail_no_memory(load);
        return;
    }
    load->unchanged = same;
    if (same) {
        finish(load, SHF_OK);
    } else {
        read_manifest(load);
    }
}

/* ---- listings: history and the walk back ---- */

/*
 * Keeps the names that this load may need, so that the loop thread has no long list to free: the one at the offset, or
 * those that may stand in for the manifest that failed: the newest of the older ones, so that one that somebody rolled
 * back from is never taken.
 */
static void choose(struct shf_manifest_load *load) {
    struct shf_manifest_names *names = &load->own.names;
    bool by_offset = load->pinned_offset >= 0, dated = false;
    const char *failed = load->own.failed_name, *run_id;
    size_t run_id_size, kept = 0;
    int64_t published_at_us;
    if (failed) dated = shf_manifest_directory_parse(failed, strlen(failed), &published_at_us, &run_id, &run_id_size);
    assert(by_offset || failed);
    for (size_t i = 0; i < names->count; i++) {
        char *name = names->names[i];
        int order = by_offset ? 0 : strcmp(name, failed);
        bool keep = by_offset ? i == (uint64_t)load->pinned_offset
                              : kept < load->max_fallback_attempts && (dated ? order < 0 : order != 0);
        if (keep) {
            names->names[kept++] = name;
        } else {
            shf_free(name);
        }
    }
    load->own.history_count = names->count;
    names->count = kept;
}

static void try_next(struct shf_manifest_load *load) {
    const struct shf_manifest_names *names = &load->own.names;
    if (load->fallback_attempts == names->count) {
        finish(load,
               shf_error_set(&load->error, SHF_E_STATE,
                             "no valid manifest found under %s: %u older ones were tried after the first failure: %s",
                             load->location->url, (unsigned)load->fallback_attempts,
                             shf_error_message(load->own.first_error)));
        return;
    }
    set_key(load, shf_manifest_names_key(load->location, names->names[load->fallback_attempts++]));
    read_manifest(load);
}

static void take_offset(struct shf_manifest_load *load) {
    if (load->own.names.count == 0) {
        finish(load, shf_error_set(&load->error, SHF_E_STATE,
                                   "offset %lld is not in the history of %s: manifests there: %zu (0 is the newest)",
                                   (long long)load->pinned_offset, load->location->url, load->own.history_count));
        return;
    }
    set_key(load, shf_manifest_names_key(load->location, load->own.names.names[0]));
    manifest_found(load);
}

static void names_ready(struct shf_task *task) {
    struct shf_manifest_load *load = load_of_task(task);
    load->current_ns += shf_clock_monotonic_ns() - load->own.began_ns;
    load->own.listed = true;
    if (load->pinned_offset >= 0) {
        take_offset(load);
    } else {
        try_next(load);
    }
}

/* Worker. */
static void tidy(struct shf_task *task) {
    struct shf_manifest_load *load = load_of_task(task);
    shf_manifest_names_tidy(&load->own.names);
    choose(load);
    task->run = names_ready;
    shf_rt_post_loop(load->store->runtime, task);
}

static void listed(struct shf_store_request *request) {
    struct shf_manifest_load *load = load_of_request(request);
    if (request->status && !shf_manifest_names_absent(load->location, request->status)) {
        load->current_ns += shf_clock_monotonic_ns() - load->own.began_ns;
        fail_request(load);
        return;
    }
    shf_manifest_names_take(&load->own.names, request);
    load->own.task.run = tidy;
    shf_rt_post_worker(load->store->runtime, &load->own.task);
}

static void list(struct shf_manifest_load *load) {
    set_key(load, shf_location_key(load->location, SHF_MANIFESTS_DIRECTORY));
    submit(load, SHF_STORE_LIST, 0, listed);
}

/* ---- the pointer ---- */

static void pointer_missing(struct shf_manifest_load *load) {
    struct shf_error *cause = load->own.request.error;
    char *url = shf_location_key_url(load->location, load->own.key);
    /* The store's words tell a missing bucket from a missing object. */
    shf_status status =
        shf_error_set(&load->error, SHF_E_STATE, "CURRENT pointer not found at %s: nothing was published there (%s)",
                      url ? url : load->location->url, shf_error_message(cause));
    shf_error_set_http_status(load->error, shf_error_http_status(cause));
    if (url) shf_error_set_object(load->error, url);
    shf_free(url);
    finish(load, status);
}

static void pointer_read(struct shf_store_request *request) {
    struct shf_manifest_load *load = load_of_request(request);
    load->current_ns += shf_clock_monotonic_ns() - load->own.began_ns;
    if (request->status) {
        if (request->status == SHF_E_NOT_FOUND) {
            pointer_missing(load);
        } else {
            fail_request(load);
        }
        return;
    }
    struct shf_current current = {0};
    char *key = NULL;
    shf_status status = shf_current_parse(request->body->data, request->body->size, &current, &load->error);
    if (!status) status = shf_location_resolve_ref(load->location, current.manifest_ref, &key, &load->error);
    shf_current_free(&current);
    if (status) {
        char *url = shf_location_key_url(load->location, load->own.key);
        shf_error_prefix(&load->error, "the CURRENT pointer %s", url ? url : load->location->pointer_name);
        if (url) shf_error_set_object(load->error, url);
        shf_free(url);
        finish(load, status);
        return;
    }
    set_key(load, key);
    manifest_found(load);
}

/* What is asked of the store for other manifests is in the caller's hands. */
static void take_given(struct shf_manifest_load *load) {
    if (load->known_ref && strcmp(load->known_ref, load->given->ref) == 0) {
        load->unchanged = true;
        finish(load, SHF_OK);
        return;
    }
    if (gave_up(load)) return;
    load->own.request.body = shf_buf_retain(load->given->body);
    load->own.began_ns = shf_clock_monotonic_ns();
    load->own.task.run = parse;
    shf_rt_post_worker(load->store->runtime, &load->own.task);
}

static void begin(struct shf_task *task) {
    struct shf_manifest_load *load = load_of_task(task);
    if (load->given) {
        take_given(load);
    } else if (load->pinned_ref && load->pinned_offset >= 0) {
        finish(load, shf_error_set(&load->error, SHF_E_INVALID,
                                   "a ref and an offset are both given to pin a manifest; give one"));
    } else if (load->pinned_ref) {
        char *key = NULL;
        shf_status status = shf_location_resolve_pin(load->location, load->pinned_ref, &key, &load->error);
        if (status) {
            finish(load, status);
            return;
        }
        set_key(load, key);
        manifest_found(load);
    } else if (load->pinned_offset >= 0) {
        list(load);
    } else {
        set_key(load, shf_location_key(load->location, load->location->pointer_name));
        submit(load, SHF_STORE_GET, SHF_LIMIT_CURRENT_BYTES, pointer_read);
    }
}

void shf_manifest_load_start(struct shf_manifest_load *load) {
    load->status = SHF_OK;
    load->error = NULL;
    load->unchanged = false;
    load->manifest_malformed = false;
    load->manifest = NULL;
    load->manifest_ref = NULL;
    load->published_at_us = 0;
    load->fallback_attempts = 0;
    load->current_ns = 0;
    load->manifest_ns = 0;
    memset(&load->own, 0, sizeof load->own);
    load->own.request.body_fd = -1;
    load->own.task.run = begin;
    shf_rt_post_loop(load->store->runtime, &load->own.task);
}
