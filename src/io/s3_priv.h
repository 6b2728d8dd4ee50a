/*
 * The inside of the S3 store: s3_store.c (the store), s3_call.c (one request and its retries), s3_request.c (URL and
 * signature), s3_body.c (where an answer's body goes), s3_outcome.c (what an answer means), s3_list.c (pages of a listing).
 */
#ifndef SHF_IO_S3_PRIV_H
#define SHF_IO_S3_PRIV_H

#include "base/text.h"
#include "io/body_file.h"
#include "io/credentials.h"
#include "io/http_client.h"
#include "io/s3_xml.h"
#include "io/sigv4.h"
#include "io/store.h"

struct shf_s3_store {
    struct shf_store base;
    char *bucket;
    struct shf_s3_config config;
    struct shf_credential_source credentials;
    struct {                                     /* loop thread: the signing key of today */
        struct shf_credentials *key_credentials; /* retained; whose key it is */
        char key_date[SHF_SIGV4_DATE_BYTES], key_region[64];
        uint8_t key[SHF_SIGV4_KEY_BYTES];
    };
};

enum shf_s3_sink { SHF_S3_SINK_NONE, SHF_S3_SINK_MEMORY, SHF_S3_SINK_FILE, SHF_S3_SINK_PAGE, SHF_S3_SINK_PROBLEM };

/* One store request, from submit to done. The loop thread's, but for the tasks of body_file and s3_list.c. */
struct shf_s3_call {
    struct shf_s3_store *store; /* retained */
    struct shf_store_request *request;
    struct shf_task task;
    struct shf_http_request http;
    char *object_url; /* s3://bucket/key */

    /* of the attempt */
    char *url;
    char region[64];  /* where the bucket said it lies, else the store's */
    char *moved_path; /* where a redirect pointed: encoded path instead of the key's, or NULL */
    uint32_t attempts;
    bool renewed, redirected;   /* once each */
    bool distrusts_connections; /* one failed */
    struct shf_credential_waiter waiter;
    struct shf_credentials *credentials, *refused;
    bool http_over;

    shf_status status; /* of a step: the end, whatever HTTP says */
    struct shf_error *error;

    enum shf_s3_sink sink;
    uint64_t expected; /* bytes of the body; UINT64_MAX = not told */
    struct shf_buf *body;
    uint64_t body_used;
    struct shf_body_file file;
    struct shf_text text; /* page or problem */
    uint64_t text_charged;
    struct shf_s3_listing listing;
    uint32_t pages;
};

/* s3_call.c */
void shf_s3_call_start(struct shf_store *store, struct shf_store_request *request);
/* Sends an attempt, at the earliest at not_before_ns (0 = now). */
void shf_s3_call_send(struct shf_s3_call *call, int64_t not_before_ns);
/* call->status and call->error are the outcome. */
void shf_s3_call_finish(struct shf_s3_call *call);

/* s3_request.c: makes call->url and call->http.headers. SHF_E_NO_MEMORY. */
shf_status shf_s3_request_make(struct shf_s3_call *call, struct shf_error **error);
/* The path of `location`, encoded anew, when it is on the same host and in the same bucket; else NULL. */
char *shf_s3_moved_path(const struct shf_s3_call *call, const char *location);
/* The call has no key in use any more; for the end of the store. */
void shf_s3_forget_key(struct shf_s3_store *store);

/* s3_body.c. begin decides where the body goes; false: call->status says why not. */
bool shf_s3_body_begin(struct shf_http_request *http);
enum shf_http_take shf_s3_body_take(struct shf_http_request *http, const uint8_t *data, size_t size);
/* Whether all came that was expected; else call->status says so. */
bool shf_s3_body_is_whole(struct shf_s3_call *call);
void shf_s3_body_drop_text(struct shf_s3_call *call);

/* s3_list.c: an answer to a listing arrived whole in call->text; asks for the next page, or finishes. */
void shf_s3_list_take_page(struct shf_s3_call *call);

static inline struct shf_s3_call *shf_s3_call_of(struct shf_http_request *http) {
    return SHF_CONTAINER(http, struct shf_s3_call, http);
}

#endif
