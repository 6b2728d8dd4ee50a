#include "io/s3_config.h"

#include "base/alloc.h"
#include "base/text.h"
#include "io/aws_profile.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 10000u
#define DEFAULT_READ_TIMEOUT_MS 30000u
#define DEFAULT_MAX_ATTEMPTS 6u
#define LARGEST_TIMEOUT_MS 86400000u
#define LARGEST_MAX_ATTEMPTS 100u

static const char *given(const char *text) { return text && *text ? text : NULL; }

static const char *environment(const char *first, const char *second) {
    const char *value = given(getenv(first));
    return value || !second ? value : given(getenv(second));
}

static void free_secret(char *text) {
    if (text) OPENSSL_cleanse(text, strlen(text));
    shf_free(text);
}

void shf_s3_config_free(struct shf_s3_config *config) {
    shf_free(config->endpoint);
    shf_free(config->region);
    shf_free(config->ca_bundle);
    shf_free(config->access_key_id);
    free_secret(config->secret_access_key);
    free_secret(config->session_token);
    shf_free(config->credential_process);
    shf_free(config->tried);
    memset(config, 0, sizeof *config);
}

static shf_status no_memory(struct shf_error **error) {
    return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the settings of an S3 store");
}

static bool copy(char **out, const char *text) {
    if (!text) return true;
    *out = shf_strdup(text);
    return *out != NULL;
}

/* http:// or https://, a host, perhaps a port and a path; nothing else. */
static shf_status set_endpoint(struct shf_s3_config *config, const char *endpoint, struct shf_error **error) {
    if (!endpoint) return SHF_OK;
    size_t size = strlen(endpoint), scheme = strncmp(endpoint, "https://", 8) == 0 ? 8 : strncmp(endpoint, "http://", 7) == 0 ? 7 : 0;
    while (size > scheme && endpoint[size - 1] == '/') size--;
    size_t host = scheme ? strcspn(endpoint + scheme, "/") : 0;
    bool clean = scheme && host && size > scheme && !memchr(endpoint + scheme, '@', size - scheme);
    for (size_t i = 0; clean && i < size; i++) {
        clean = endpoint[i] > ' ' && endpoint[i] < 0x7f && !strchr("?#\\\"<>", endpoint[i]);
    }
    if (!clean) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the S3 endpoint is not of the form http[s]://host[:port]; check endpoint_url and AWS_ENDPOINT_URL");
    }
    config->endpoint = shf_strndup(endpoint, size);
    return config->endpoint ? SHF_OK : no_memory(error);
}

static shf_status check_numbers(const shf_s3_options *o, struct shf_s3_config *config, struct shf_error **error) {
    if (o->connect_timeout_ms > LARGEST_TIMEOUT_MS || o->read_timeout_ms > LARGEST_TIMEOUT_MS ||
        o->max_attempts > LARGEST_MAX_ATTEMPTS || o->addressing > SHF_ADDRESSING_VIRTUAL) {
        return shf_error_set(error, SHF_E_INVALID,
                             "an S3 option is out of range: time-outs up to a day, max_attempts up to %u, a known addressing",
                             LARGEST_MAX_ATTEMPTS);
    }
    config->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    config->read_timeout_ms = o->read_timeout_ms ? o->read_timeout_ms : DEFAULT_READ_TIMEOUT_MS;
    config->max_attempts = o->max_attempts ? o->max_attempts : DEFAULT_MAX_ATTEMPTS;
    config->anonymous = o->anonymous != 0;
    config->insecure_skip_verify = o->insecure_skip_verify != 0;
    return SHF_OK;
}

/* The first source that has a key id must have the secret as well. */
static shf_status find_keys(const shf_s3_options *o, const struct shf_aws_profile *profile, struct shf_s3_config *config,
                            struct shf_error **error) {
    const struct {
        const char *source, *id, *secret, *token;
    } sources[] = {
        {"options", given(o->access_key_id), given(o->secret_access_key), given(o->session_token)},
        {"environment S3_ACCESS_KEY_ID", environment("S3_ACCESS_KEY_ID", NULL), environment("S3_SECRET_ACCESS_KEY", NULL),
         environment("S3_SESSION_TOKEN", NULL)},
        {"environment AWS_ACCESS_KEY_ID", environment("AWS_ACCESS_KEY_ID", NULL), environment("AWS_SECRET_ACCESS_KEY", NULL),
         environment("AWS_SESSION_TOKEN", NULL)},
        {"AWS shared files", profile->access_key_id, profile->secret_access_key, profile->session_token},
    };
    struct shf_text tried = {0};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (!sources[i].id != !sources[i].secret) {
            shf_text_free(&tried);
            return shf_error_set(error, SHF_E_ACCESS, "%s: one of access key id and secret access key is missing; give both",
                                 sources[i].source);
        }
        if (sources[i].id) {
            shf_text_free(&tried);
            bool ok = copy(&config->access_key_id, sources[i].id) && copy(&config->secret_access_key, sources[i].secret) &&
                      copy(&config->session_token, sources[i].token);
            return ok ? SHF_OK : no_memory(error);
        }
        shf_text_format(&tried, "%s%s", i ? ", " : "", sources[i].source);
    }
    if (profile->credential_process) {
        shf_text_free(&tried);
        return copy(&config->credential_process, profile->credential_process) ? SHF_OK : no_memory(error);
    }
    shf_text_format(&tried, " (profile %s), credential_process", profile->name);
    config->tried = shf_text_take(&tried);
    return config->tried ? SHF_OK : no_memory(error);
}

static shf_status fill(const char *bucket, const shf_s3_options *o, const struct shf_aws_profile *profile,
                       struct shf_s3_config *config, struct shf_error **error) {
    const char *endpoint = given(o->endpoint_url);
    if (!endpoint) endpoint = environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
    if (!endpoint) endpoint = environment("SLATEDB_S3_ENDPOINT_URL", NULL);
    if (!endpoint) endpoint = profile->endpoint_url;
    shf_status status = set_endpoint(config, endpoint, error);
    if (status) return status;
    const char *region = given(o->region);
    if (!region) region = environment("S3_REGION", "AWS_REGION");
    if (!region) region = environment("AWS_DEFAULT_REGION", NULL);
    if (!region) region = profile->region ? profile->region : "us-east-1";
    if (strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region)) {
        return shf_error_set(error, SHF_E_INVALID, "the S3 region has characters that no region has; check region and AWS_REGION");
    }
    const char *bundle = given(o->ca_bundle) ? o->ca_bundle : environment("AWS_CA_BUNDLE", NULL);
    if (!copy(&config->region, region) || !copy(&config->ca_bundle, bundle)) return no_memory(error);
    uint32_t addressing = o->addressing ? o->addressing : profile->addressing;
    /* A bucket with dots has no certificate of its own name, so it goes into the path. */
    config->virtual_host = addressing == SHF_ADDRESSING_VIRTUAL ||
                           (addressing == SHF_ADDRESSING_AUTO && !config->endpoint && !strchr(bucket, '.'));
    return config->anonymous ? SHF_OK : find_keys(o, profile, config, error);
}

shf_status shf_s3_config_read(const char *bucket, const shf_s3_options *options, struct shf_s3_config *out,
                              struct shf_error **error) {
    shf_s3_options none;
    struct shf_s3_config config = {0};
    struct shf_aws_profile profile = {0};
    SHF_INIT(&none);
    const shf_s3_options *o = options ? options : &none;
    shf_status status = check_numbers(o, &config, error);
    if (!status) status = shf_aws_profile_read(given(o->profile), &profile, error);
    if (!status) status = fill(bucket, o, &profile, &config, error);
    shf_aws_profile_free(&profile);
    if (status) {
        shf_s3_config_free(&config);
    } else {
        *out = config;
    }
    return status;
}
