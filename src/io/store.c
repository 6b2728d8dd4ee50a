/* What every store shares. */
#include "io/store.h"

#include "base/alloc.h"

#include <string.h>

struct shf_store *shf_store_retain(struct shf_store *store) {
    atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
    return store;
}

void shf_store_release(struct shf_store *store) {
    if (!store || atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1) return;
    store->class->destroy(store);
}

void shf_store_submit(struct shf_store *store, struct shf_store_request *request) {
    store->class->submit(store, request);
}

void shf_store_use_credentials(struct shf_store *store, struct shf_credentials *credentials) {
    if (store->class->use_credentials) store->class->use_credentials(store, credentials);
}

void shf_store_request_clear(struct shf_store_request *request) {
    for (size_t i = 0; i < request->name_count; i++) {
        shf_free(request->names[i]);
        if (request->versions) shf_free(request->versions[i]);
    }
    shf_free(request->names);
    shf_free(request->versions);
    shf_free(request->etag);
    shf_free(request->version);
    shf_buf_release(request->body);
    shf_error_free(request->error);
    request->status = SHF_OK;
    request->error = NULL;
    request->body = NULL;
    request->body_size = request->object_size = 0;
    request->etag = request->version = NULL;
    request->condition_ignored = request->was_sent_again = false;
    request->modified_ns = 0;
    request->inode = 0;
    request->has_md5 = false;
    memset(request->md5, 0, sizeof request->md5);
    request->has_sha256 = false;
    memset(request->received_sha256, 0, sizeof request->received_sha256);
    request->names = request->versions = NULL;
    request->name_count = 0;
}
