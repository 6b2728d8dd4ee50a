/* Listings: pages are parsed by a worker, one after another; the last one sorts the names. */
#include "base/limits.h"
#include "io/s3_priv.h"

/* Else a version of a listing could be one that no GET tells, or the other way round. */
_Static_assert(sizeof((struct shf_http_request *)0)->etag == SHF_S3_ETAG_BYTES, "ETags have one limit");

static void parsed(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    shf_s3_body_drop_text(call);
    if (call->status) {
        shf_error_prefix(&call->error, "%s", call->object_url);
        shf_s3_call_finish(call);
    } else if (call->listing.is_truncated) {
        call->attempts = 0;
        shf_s3_call_send(call, 0);
    } else {
        shf_store_names_give(&call->listing.found, call->request);
        shf_s3_call_finish(call);
    }
}

static void parse(struct shf_task *task) {
    struct shf_s3_call *call = SHF_CONTAINER(task, struct shf_s3_call, task);
    struct shf_s3_listing *listing = &call->listing;
    listing->found.wants_versions = call->request->wants_versions;
    shf_status status = shf_s3_listing_add(listing, call->text.size ? call->text.data : "", call->text.size,
                                           SHF_LIMIT_LIST_KEYS, &call->error);
    if (!status && !listing->is_truncated) status = shf_s3_listing_tidy(listing, call->request->key, &call->error);
    if (!status && listing->is_truncated && ++call->pages == SHF_LIMIT_LIST_PAGES) {
        status = shf_error_set(&call->error, SHF_E_LIMIT, "the listing has more than %u pages", SHF_LIMIT_LIST_PAGES);
    }
    call->status = status;
    task->run = parsed;
    shf_rt_post_loop(call->store->base.runtime, task);
}

void shf_s3_list_take_page(struct shf_s3_call *call) {
    call->task.run = parse;
    shf_rt_post_worker(call->store->base.runtime, &call->task);
}
