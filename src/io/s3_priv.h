/* The inside of the S3 store: s3_store.c (the store), s3_call.c (one request and its retries), s3_request.c (URL and signature). */
#ifndef SHF_IO_S3_PRIV_H
#define SHF_IO_S3_PRIV_H

#include "base/text.h"
#include "io/body_file.h"
#include "io/credentials.h"
#include "io/http_client.h"
#include "io/s3_xml.h"
#include "io/store.h"
#include "rt/wait.h"

struct shf_s3_store {
    struct shf_store base; /* first */
    char *bucket;
    struct shf_s3_config config;
    struct shf_credential_source credentials;
};

enum shf_s3_sink { SHF_S3_SINK_NONE, SHF_S3_SINK_MEMORY, SHF_S3_SINK_FILE, SHF_S3_SINK_PAGE, SHF_S3_SINK_PROBLEM };

/* One store request, from submit to done. */
struct shf_s3_call {
    struct shf_s3_store *store; /* retained */
    struct shf_store_request *request;
    struct shf_task task;
    struct shf_wait wait;
    struct shf_http_request http;
    char *object_url; /* s3://bucket/key */
    char *url;
    char region[64]; /* where the bucket said it lies, else the store's */
    uint32_t attempts;
    bool renewed, redirected;
    struct shf_credentials *credentials, *refused;
    shf_status status;        /* of a step */
    struct shf_error *error;
    enum shf_s3_sink sink;
    struct shf_text text;     /* page or problem */
    struct shf_buf *body;
    uint64_t body_used;
    struct shf_body_file file;
    bool http_over;
    struct shf_s3_page page;
};

/* Makes call->url and call->http.headers. SHF_E_NO_MEMORY, SHF_E_INTERNAL. */
shf_status shf_s3_request_make(struct shf_s3_call *call, struct shf_error **error);
/* Decides where the body goes (s3_body.c); false: call->status says why not. */
bool shf_s3_body_begin(struct shf_http_request *http);
enum shf_http_take shf_s3_body_take(struct shf_http_request *http, const uint8_t *data, size_t size);

void shf_s3_call_start(struct shf_store *store, struct shf_store_request *request);

static inline struct shf_s3_call *shf_s3_call_of(struct shf_http_request *http) {
    return SHF_CONTAINER(http, struct shf_s3_call, http);
}

#endif
