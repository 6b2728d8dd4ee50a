#include "io/credentials.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/command.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RENEW_BEFORE_US (INT64_C(300) * 1000000) /* five minutes before the end */
#define LARGEST_OUTPUT 65536u
#define COMMAND_TIMEOUT_MS 60000

static void free_secret(char *text) {
    if (text) OPENSSL_cleanse(text, strlen(text));
    shf_free(text);
}

void shf_credentials_release(struct shf_credentials *c) {
    if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1) return;
    shf_free(c->access_key_id);
    free_secret(c->secret_access_key);
    free_secret(c->session_token);
    shf_free(c);
}

static struct shf_credentials *retain(struct shf_credentials *c) {
    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

static struct shf_credentials *make(const char *id, const char *secret, const char *token, int64_t expires_at_us) {
    struct shf_credentials *made = shf_alloc_zero(1, sizeof *made);
    if (!made) return NULL;
    atomic_init(&made->references, 1);
    made->access_key_id = shf_strdup(id);
    made->secret_access_key = shf_strdup(secret);
    made->session_token = shf_strdup(token);
    made->expires_at_us = expires_at_us;
    if (made->access_key_id && made->secret_access_key && (!token || made->session_token)) return made;
    shf_credentials_release(made);
    return NULL;
}

/* "2026-11-24T12:00:00Z" (also with a fraction or +00:00, which change nothing). */
static bool read_time(const char *text, int64_t *us) {
    struct tm parts = {0};
    int used = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
               &parts.tm_min, &parts.tm_sec, &used) != 6 || !used) {
        return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *us = (int64_t)timegm(&parts) * 1000000;
    return true;
}

shf_status shf_credentials_parse(const char *json, size_t size, struct shf_credentials **out, struct shf_error **error) {
    json_t *root = json_loadb(json, size, 0, NULL);
    const char *id = json_string_value(json_object_get(root, "AccessKeyId"));
    const char *secret = json_string_value(json_object_get(root, "SecretAccessKey"));
    const char *token = json_string_value(json_object_get(root, "SessionToken"));
    const char *expiration = json_string_value(json_object_get(root, "Expiration"));
    int64_t expires_at_us = INT64_MAX;
    shf_status status = SHF_OK;
    if (json_integer_value(json_object_get(root, "Version")) != 1 || !id || !secret ||
        (expiration && !read_time(expiration, &expires_at_us))) {
        status = shf_error_set(error, SHF_E_ACCESS,
                               "credential_process did not print JSON with Version 1, AccessKeyId and SecretAccessKey");
    } else if (!(*out = make(id, secret, token, expires_at_us))) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for credentials");
    }
    json_decref(root);
    return status;
}

shf_status shf_credential_source_init(struct shf_credential_source *source, const struct shf_s3_config *config,
                                      struct shf_error **error) {
    *source = (struct shf_credential_source){.config = config};
    (void)pthread_mutex_init(&source->mutex, NULL);
    if (!config->access_key_id) return SHF_OK;
    source->current = make(config->access_key_id, config->secret_access_key, config->session_token, INT64_MAX);
    return source->current ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for credentials");
}

void shf_credential_source_fini(struct shf_credential_source *source) {
    shf_credentials_release(source->current);
    (void)pthread_mutex_destroy(&source->mutex);
}

/* Under the lock. */
static bool is_good(const struct shf_credentials *c) {
    return c && (c->expires_at_us == INT64_MAX || c->expires_at_us - RENEW_BEFORE_US > shf_clock_wall_us());
}

struct shf_credentials *shf_credentials_current(struct shf_credential_source *source) {
    struct shf_credentials *found = NULL;
    if (pthread_mutex_trylock(&source->mutex) != 0) return NULL; /* somebody renews: a worker may wait for that */
    if (is_good(source->current)) found = retain(source->current);
    (void)pthread_mutex_unlock(&source->mutex);
    return found;
}

static shf_status run_command(const struct shf_s3_config *config, struct shf_credentials **out, struct shf_error **error) {
    char *printed = NULL;
    size_t size = 0;
    shf_status status =
        shf_command_run(config->credential_process, LARGEST_OUTPUT, COMMAND_TIMEOUT_MS, &printed, &size, error);
    if (status) {
        shf_error_prefix(error, "credential_process");
        return status;
    }
    status = shf_credentials_parse(printed, size, out, error);
    OPENSSL_cleanse(printed, size);
    shf_free(printed);
    return status;
}

shf_status shf_credentials_renew(struct shf_credential_source *source, const struct shf_credentials *refused,
                                 struct shf_credentials **out, struct shf_error **error) {
    const struct shf_s3_config *config = source->config;
    shf_status status = SHF_OK;
    (void)pthread_mutex_lock(&source->mutex);
    if (!is_good(source->current) || source->current == refused) {
        struct shf_credentials *fresh = NULL;
        if (config->credential_process) {
            status = run_command(config, &fresh, error);
        } else if (config->access_key_id) {
            status = shf_error_set(error, SHF_E_ACCESS, "the credentials have expired; give fresh ones");
        } else {
            status = shf_error_set(error, SHF_E_ACCESS, "no S3 credentials were found; tried: %s (or ask for anonymous access)",
                                   config->tried);
        }
        if (!status) {
            shf_credentials_release(source->current);
            source->current = fresh;
        }
    }
    if (!status) *out = retain(source->current);
    (void)pthread_mutex_unlock(&source->mutex);
    return status;
}
