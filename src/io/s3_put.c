/* What a PUT sends: its digest first, by a worker, since it is part of the signature; then the body; and what comes of it. */
#include "base/alloc.h"
#include "io/s3_priv.h"

#include <openssl/evp.h>
#include <string.h>

static void send_it(struct shf_s3_call *call) {
    const struct shf_body_source *source = &call->source;
    if (source->wants_sha256) shf_hex_encode(source->sha256, sizeof source->sha256, call->payload_hash);
    if (source->wants_md5) {
        (void)EVP_EncodeBlock((unsigned char *)call->content_md5, source->md5, (int)sizeof source->md5);
    }
    shf_s3_call_send(call, 0);
}

/* A worker read a piece ahead, or computed the digest. */
static void source_idle(struct shf_body_source *source) {
    struct shf_s3_call *call = SHF_CONTAINER(source, struct shf_s3_call, source);
    bool was_hashing = call->is_hashing;
    call->is_hashing = false;
    if (was_hashing && source->status) {
        call->status = source->status;
        call->error = source->error;
        source->error = NULL;
        shf_s3_call_finish(call);
    } else if (was_hashing) {
        send_it(call);
    } else if (!call->http_over) {
        shf_http_resume(&call->http);
    } else if (!source->working) {
        shf_s3_call_settle(call);
    }
}

/*
 * Signed requests tell the SHA-256 of what they send, which the server verifies; others its MD5. Bytes in memory and no
 * bytes at all go the same way: digests of many of them take long.
 */
void shf_s3_put_begin(struct shf_s3_call *call) {
    const struct shf_store_request *request = call->request;
    bool is_signed = call->store->config.key_source != SHF_S3_KEYS_NONE;
    call->without_condition = call->store->knows_no_conditions;
    call->source = (struct shf_body_source){.runtime = call->store->base.runtime,
                                            .data = request->has_source  ? NULL
                                                    : request->data_size ? request->data
                                                                         : (const void *)"",
                                            .fd = request->source_fd,
                                            .offset = call->step ? call->step->offset : 0,
                                            .size = request->data_size,
                                            .url = call->object_url,
                                            .cancel = request->cancel,
                                            .idle = source_idle};
    call->status = shf_body_source_begin(&call->source, &call->error);
    if (call->status) {
        shf_s3_call_finish(call);
    } else if (is_signed && request->sha256 && request->has_source && !call->step) {
        shf_hex_encode(request->sha256, 32, call->payload_hash);
        shf_s3_call_send(call, 0);
    } else {
        call->is_hashing = true;
        shf_body_source_hash(&call->source, is_signed, !is_signed);
    }
}

size_t shf_s3_put_give(struct shf_http_request *http, uint8_t *out, size_t room) {
    size_t given = shf_body_source_give(&shf_s3_call_of(http)->source, out, room);
    return given == SHF_SOURCE_WAIT ? SHF_HTTP_GIVE_PAUSE : given == SHF_SOURCE_FAILED ? SHF_HTTP_GIVE_STOP : given;
}

bool shf_s3_put_rewind(struct shf_http_request *http) {
    struct shf_s3_call *call = shf_s3_call_of(http);
    shf_body_source_rewind(&call->source);
    call->was_resent = true;
    return true;
}

bool shf_s3_put_is_conditional(const struct shf_s3_call *call) {
    const struct shf_store_request *request = call->request;
    bool is_last = !call->step || call->step->kind == SHF_S3_COMPLETE; /* the one that makes the object appear */
    return request->verb == SHF_STORE_PUT && is_last && request->if_version && !call->without_condition;
}

/* ---- what comes of it ---- */

static shf_status take_upload_id(struct shf_s3_call *call, struct shf_error **error) {
    struct shf_s3_upload_answer answer;
    shf_status status = shf_s3_upload_answer_parse(call->text.size ? call->text.data : "", call->text.size, &answer);
    if (status != SHF_E_NO_MEMORY && (!answer.is_begun || !*answer.upload_id)) {
        return shf_error_set(error, SHF_E_STORE, "%s: the server does not answer as S3 when an upload in parts begins",
                             call->object_url);
    }
    if (!status) call->step->new_upload_id = shf_strdup(answer.upload_id);
    if (!status && call->step->new_upload_id) return SHF_OK;
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the upload of %s", call->object_url);
}

shf_status shf_s3_put_take_answer(struct shf_s3_call *call, struct shf_error **error) {
    struct shf_store_request *request = call->request;
    struct shf_s3_upload_answer answer = {0};
    const char *etag = call->http.etag;
    if (shf_s3_call_is(call, SHF_S3_BEGIN)) return take_upload_id(call, error);
    if (shf_s3_call_is(call, SHF_S3_COMPLETE)) {
        (void)shf_s3_upload_answer_parse(call->text.size ? call->text.data : "", call->text.size, &answer);
        if (*answer.etag) etag = answer.etag;
    }
    if (shf_s3_call_is(call, SHF_S3_PART) && !*etag) {
        return shf_error_set(error, SHF_E_STORE, "%s: the server tells no ETag of part %u", call->object_url,
                             call->step->part);
    }
    if (*etag) {
        request->etag = shf_strdup(etag);
        request->version = shf_strdup(etag);
        if (!request->etag || !request->version) {
            return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the ETag of %s", call->object_url);
        }
    }
    request->object_size = request->data_size;
    request->condition_ignored = request->if_version && call->without_condition;
    return SHF_OK;
}
