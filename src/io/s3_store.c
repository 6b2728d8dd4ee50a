/* The s3:// store. */
#include "base/alloc.h"
#include "io/s3_priv.h"

#include <string.h>

static void destroy(struct shf_store *store) {
    struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    shf_s3_forget_key(s3);
    shf_credential_source_fini(&s3->credentials);
    shf_s3_config_free(&s3->config);
    shf_free(s3->bucket);
    shf_free(store->root_url);
    shf_free(store->endpoint);
    shf_rt_release(store->runtime);
    shf_free(s3);
}

static void submit(struct shf_store *store, struct shf_store_request *request) {
    const struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    if (request->verb == SHF_STORE_PUT && request->data_size > s3->multipart_above) {
        shf_s3_upload_start(store, request);
    } else {
        shf_s3_call_start(store, request, NULL);
    }
}

static void use_credentials(struct shf_store *store, struct shf_credentials *credentials) {
    shf_credentials_replace(&SHF_CONTAINER(store, struct shf_s3_store, base)->credentials, credentials);
}

static const struct shf_store_class s3_class = {
    .name = "s3", .submit = submit, .destroy = destroy, .use_credentials = use_credentials};

/* Part of cache identities: buckets of one name at two places are two. A bucket's region does not make it another. */
static char *identity_of(const struct shf_s3_config *config) {
    if (config->endpoint) return shf_strdup(config->endpoint);
    return shf_strdup(strncmp(config->region, "cn-", 3) == 0 ? "aws-cn" : "aws");
}

shf_status shf_store_s3_new(shf_runtime *runtime, const char *bucket, const struct shf_s3_options *options,
                            struct shf_store **out, struct shf_error **error) {
    struct shf_s3_store *s3 = shf_alloc_zero(1, sizeof *s3);
    struct shf_text root = {0};
    if (!s3) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the store s3://%s", bucket);
    s3->base.class = &s3_class;
    atomic_init(&s3->base.references, 1);
    s3->base.runtime = shf_rt_retain(runtime);
    s3->multipart_above = SHF_S3_MULTIPART_ABOVE_BYTES;
    s3->part_bytes = SHF_S3_PART_BYTES;
    shf_status status = shf_s3_config_read(bucket, options, &s3->config, error);
    if (!status) status = shf_credential_source_init(&s3->credentials, &s3->base, &s3->config, error);
    if (!status) {
        shf_text_format(&root, "s3://%s", bucket);
        s3->base.root_url = shf_text_take(&root);
        s3->base.endpoint = identity_of(&s3->config);
        s3->bucket = shf_strdup(bucket);
        if (!s3->base.root_url || !s3->base.endpoint || !s3->bucket) {
            status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for its settings");
        }
    }
    if (status) {
        shf_error_prefix(error, "s3://%s", bucket);
        shf_store_release(&s3->base);
        return status;
    }
    *out = &s3->base;
    return SHF_OK;
}
