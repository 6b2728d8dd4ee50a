/* The history of a prefix. */
#include "snapshot/manifest_store.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <assert.h>
#include <string.h>

void shf_manifest_listing_clear(struct shf_manifest_listing *listing) {
    assert(listing->items || listing->count == 0);
    for (size_t i = 0; i < listing->count; i++) {
        shf_free(listing->items[i].ref);
        shf_free(listing->items[i].run_id);
    }
    shf_free(listing->items);
    shf_error_free(listing->error);
    listing->items = NULL;
    listing->count = 0;
    listing->error = NULL;
    listing->status = SHF_OK;
}

static void finish(struct shf_task *task) {
    struct shf_manifest_listing *listing = SHF_CONTAINER(task, struct shf_manifest_listing, task);
    shf_store_request_clear(&listing->request);
    shf_manifest_names_free(&listing->names);
    shf_free(listing->key);
    listing->key = NULL;
    listing->done(listing); /* may free the listing */
}

static shf_status make_item(const struct shf_location *location, const char *name, struct shf_manifest_item *item) {
    const char *run_id;
    size_t run_id_size;
    char *key = shf_manifest_names_key(location, name);
    item->ref = key ? shf_location_key_url(location, key) : NULL;
    shf_free(key);
    if (!shf_manifest_directory_parse(name, strlen(name), &item->published_at_us, &run_id, &run_id_size)) {
        return SHF_E_INTERNAL; /* tidying kept only names that parse */
    }
    item->run_id = shf_strndup(run_id, run_id_size);
    return item->ref && item->run_id ? SHF_OK : SHF_E_NO_MEMORY;
}

/* Worker. */
static void make_items(struct shf_task *task) {
    struct shf_manifest_listing *listing = SHF_CONTAINER(task, struct shf_manifest_listing, task);
    struct shf_manifest_names *names = &listing->names;
    shf_manifest_names_tidy(names);
    listing->items = shf_alloc_zero(names->count, sizeof *listing->items);
    shf_status status = listing->items ? SHF_OK : SHF_E_NO_MEMORY;
    while (!status && listing->count < names->count) {
        status = make_item(listing->location, names->names[listing->count], &listing->items[listing->count]);
        listing->count++; /* a half-made item is freed too */
    }
    if (status) {
        shf_manifest_listing_clear(listing);
        listing->status =
            shf_error_set(&listing->error, status, "no memory for a history of %zu manifests", names->count);
    }
    shf_manifest_names_free(names); /* here: it may be long */
    task->run = finish;
    shf_rt_post_loop(listing->store->runtime, task);
}

static void listed(struct shf_store_request *request) {
    struct shf_manifest_listing *listing = SHF_CONTAINER(request, struct shf_manifest_listing, request);
    if (request->status && !shf_manifest_names_absent(listing->location, request->status)) {
        listing->status = request->status;
        listing->error = request->error;
        request->error = NULL;
        finish(&listing->task);
        return;
    }
    shf_manifest_names_take(&listing->names, request);
    listing->task.run = make_items;
    shf_rt_post_worker(listing->store->runtime, &listing->task);
}

static void begin(struct shf_task *task) {
    struct shf_manifest_listing *listing = SHF_CONTAINER(task, struct shf_manifest_listing, task);
    listing->key = shf_location_key(listing->location, SHF_MANIFESTS_DIRECTORY);
    if (!listing->key) {
        listing->status = shf_error_set(&listing->error, SHF_E_NO_MEMORY, "no memory to list the manifests of %s",
                                        listing->location->url);
        finish(task);
        return;
    }
    listing->request = (struct shf_store_request){.verb = SHF_STORE_LIST,
                                                  .key = listing->key,
                                                  .body_fd = -1,
                                                  .deadline_ns = listing->deadline_ns,
                                                  .cancel = listing->cancel,
                                                  .done = listed};
    shf_store_submit(listing->store, &listing->request);
}

void shf_manifest_listing_start(struct shf_manifest_listing *listing) {
    listing->status = SHF_OK;
    listing->error = NULL;
    listing->items = NULL;
    listing->count = 0;
    listing->key = NULL;
    listing->request = (struct shf_store_request){.body_fd = -1};
    listing->names = (struct shf_manifest_names){0};
    listing->task = (struct shf_task){.run = begin};
    shf_rt_post_loop(listing->store->runtime, &listing->task);
}
