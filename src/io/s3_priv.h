/*
 * The inside of the S3 store: s3_store.c (the store), s3_call.c (one request and its retries), s3_request.c (URL and
 * signature), s3_body.c (where an answer's body goes), s3_outcome.c (what an answer means), s3_list.c (pages of a listing),
 * s3_put.c (what a PUT sends, and what comes of it), s3_upload.c (a large object, in parts).
 */
#ifndef SHF_IO_S3_PRIV_H
#define SHF_IO_S3_PRIV_H

#include "base/text.h"
#include "io/body_file.h"
#include "io/body_source.h"
#include "io/credentials.h"
#include "io/http_client.h"
#include "io/s3_xml.h"
#include "io/sigv4.h"
#include "io/store.h"

#define SHF_S3_MULTIPART_ABOVE_BYTES (UINT64_C(64) << 20)
#define SHF_S3_PART_BYTES (UINT64_C(16) << 20) /* more where there would be too many */
#define SHF_S3_MOST_PARTS 10000u               /* S3's own limit */
#define SHF_S3_CONTENT_MD5_BYTES 25u           /* base64 of 16 bytes, and the NUL */

struct shf_s3_store {
    struct shf_store base;
    char *bucket;
    uint64_t multipart_above, part_bytes; /* set when it is made; tests lower them */
    struct shf_s3_config config;
    struct shf_credential_source credentials;
    struct {                                     /* loop thread: the signing key of today */
        struct shf_credentials *key_credentials; /* retained; whose key it is */
        char key_date[SHF_SIGV4_DATE_BYTES], key_region[64];
        uint8_t key[SHF_SIGV4_KEY_BYTES];
    };
    bool knows_no_conditions; /* loop thread: a PUT with one was refused for it */
};

enum shf_s3_sink {
    SHF_S3_SINK_NONE,
    SHF_S3_SINK_MEMORY,
    SHF_S3_SINK_FILE,
    SHF_S3_SINK_PAGE,
    SHF_S3_SINK_ANSWER, /* of a step that answers in XML */
    SHF_S3_SINK_PROBLEM
};

/* A step of a multipart upload: a call of the store's own. Its request has verb PUT (ABORT: DELETE). */
enum shf_s3_step_kind { SHF_S3_BEGIN = 1, SHF_S3_PART, SHF_S3_COMPLETE, SHF_S3_ABORT };
struct shf_s3_step {
    enum shf_s3_step_kind kind;
    const char *upload_id;
    uint32_t part;   /* from 1 */
    uint64_t offset; /* of the part in what is written */
    /* out */
    char *new_upload_id; /* BEGIN */
    bool was_sent_again; /* an attempt before may have been carried out */
};

/* One store request, from submit to done. The loop thread's, but for the tasks of body_file and s3_list.c. */
struct shf_s3_call {
    struct shf_s3_store *store; /* retained */
    struct shf_store_request *request;
    struct shf_s3_step *step; /* or NULL: a request of its own */
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
    struct shf_text text; /* page, answer or problem */
    uint64_t text_charged;
    struct shf_s3_listing listing;
    uint32_t pages;

    struct shf_body_source source; /* what a PUT sends */
    bool is_hashing;
    bool was_resent;        /* by libcurl, over another connection */
    bool without_condition; /* the store knows none */
    char payload_hash[SHF_SIGV4_HEX_BYTES];
    char content_md5[SHF_S3_CONTENT_MD5_BYTES]; /* of unsigned requests; "" else */
};

/* s3_call.c */
void shf_s3_call_start(struct shf_store *store, struct shf_store_request *request, struct shf_s3_step *step);
/* done comes, with SHF_E_NO_MEMORY. */
void shf_s3_no_memory(struct shf_store *store, struct shf_store_request *request);
/* Sends an attempt, at the earliest at not_before_ns (0 = now). */
void shf_s3_call_send(struct shf_s3_call *call, int64_t not_before_ns);
/* call->status and call->error are the outcome. */
void shf_s3_call_finish(struct shf_s3_call *call);
/* The transfer is over and no worker is at it any more: what now? */
void shf_s3_call_settle(struct shf_s3_call *call);

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

/* s3_put.c: the body of a PUT. begin hashes it where that has to be, and sends. */
void shf_s3_put_begin(struct shf_s3_call *call);
size_t shf_s3_put_give(struct shf_http_request *http, uint8_t *out, size_t room);
bool shf_s3_put_rewind(struct shf_http_request *http);
/* Takes what a good answer says into the request, or the step. */
shf_status shf_s3_put_take_answer(struct shf_s3_call *call, struct shf_error **error);
/* An attempt before the one that was answered may have been carried out. */
static inline bool shf_s3_call_was_sent_again(const struct shf_s3_call *call) {
    return call->attempts > 1 || call->was_resent;
}
/* Whether the request of this call has a condition, and it goes out. */
bool shf_s3_put_is_conditional(const struct shf_s3_call *call);

/* s3_upload.c */
void shf_s3_upload_start(struct shf_store *store, struct shf_store_request *request);

/* s3_list.c: an answer to a listing arrived whole in call->text; asks for the next page, or finishes. */
void shf_s3_list_take_page(struct shf_s3_call *call);

static inline struct shf_s3_call *shf_s3_call_of(struct shf_http_request *http) {
    return SHF_CONTAINER(http, struct shf_s3_call, http);
}

static inline bool shf_s3_call_is(const struct shf_s3_call *call, enum shf_s3_step_kind kind) {
    return call->step && call->step->kind == kind;
}

#endif
