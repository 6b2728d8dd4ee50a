#include "io/s3_config.h"

#include "base/alloc.h"
#include "base/text.h"
#include "io/aws_profile.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONNECT_TIMEOUT_MS 10000u
#define DEFAULT_READ_TIMEOUT_MS 30000u
#define DEFAULT_MAX_ATTEMPTS 6u
#define LARGEST_TIMEOUT_MS 86400000u
#define LARGEST_MAX_ATTEMPTS 100u
#define LONGEST_BUCKET 255u /* of the oldest buckets; new ones have 63 bytes */
#define LONGEST_REGION 63u
#define LONGEST_ENDPOINT 1024u

static const char lower_and_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

static const char *given(const char *text) { return text && *text ? text : NULL; }

static const char *environment(const char *name) {
    return given(getenv(name)); /* NOLINT(concurrency-mt-unsafe): nothing here changes the environment */
}

static const char *first_of(const char *const *names, size_t count) {
    const char *value = NULL;
    for (size_t i = 0; !value && i < count; i++) value = environment(names[i]);
    return value;
}
#define FIRST_OF(...)                                                                                                  \
    first_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

void shf_s3_config_free(struct shf_s3_config *config) {
    shf_free(config->endpoint);
    shf_free(config->region);
    shf_free(config->ca_bundle);
    shf_free(config->access_key_id);
    shf_free_secret(config->secret_access_key);
    shf_free_secret(config->session_token);
    shf_free(config->credential_process);
    shf_free(config->profile);
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

/* ---- where ---- */

bool shf_s3_region_is_plain(const char *region) {
    size_t size = strlen(region);
    return size > 0 && size <= LONGEST_REGION && region[0] != '-' && strspn(region, lower_and_digits) == size;
}

char *shf_s3_aws_host(const char *region) {
    struct shf_text host = {0};
    const char *top = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    shf_text_format(&host, "s3.%s.%s", region, top);
    return shf_text_take(&host);
}

/* http:// or https://, a host, perhaps a port and a path; nothing else: credentials go there. */
static shf_status set_endpoint(struct shf_s3_config *config, const char *endpoint, struct shf_error **error) {
    static const char host_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
    static const char path_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    if (!endpoint) return SHF_OK;
    size_t size = strlen(endpoint);
    size_t scheme = strncmp(endpoint, "https://", 8) == 0 ? 8 : strncmp(endpoint, "http://", 7) == 0 ? 7 : 0;
    while (size > scheme && endpoint[size - 1] == '/') size--;
    size_t host = scheme ? strspn(endpoint + scheme, host_bytes) : 0;
    size_t path = scheme ? strspn(endpoint + scheme + host, path_bytes) : 0;
    bool is_path = endpoint[scheme + host] == '/' || endpoint[scheme + host] == '\0';
    if (!host || !is_path || scheme + host + path < size || size > LONGEST_ENDPOINT) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the S3 endpoint is not of the form http[s]://host[:port][/path]; check endpoint_url and "
                             "AWS_ENDPOINT_URL");
    }
    config->endpoint = shf_strndup(endpoint, size);
    return config->endpoint ? SHF_OK : no_memory(error);
}

static shf_status set_region(struct shf_s3_config *config, const char *region, struct shf_error **error) {
    size_t size = strlen(region);
    /* A server of one's own may call its region as it likes; only for AWS it becomes part of a host name. */
    bool fits = size <= LONGEST_REGION &&
                strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == size;
    if (!fits || (!config->endpoint && !shf_s3_region_is_plain(region))) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the S3 region is none (it has other characters); check region and AWS_REGION");
    }
    return copy(&config->region, region) ? SHF_OK : no_memory(error);
}

static shf_status check_bucket(const char *bucket, struct shf_error **error) {
    size_t size = strlen(bucket);
    bool plain = strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == size;
    if (plain && size && size <= LONGEST_BUCKET && strcmp(bucket, ".") != 0 && strcmp(bucket, "..") != 0) return SHF_OK;
    return shf_error_set(error, SHF_E_INVALID, "this can not be the name of a bucket");
}

static shf_status check_numbers(const shf_s3_options *o, struct shf_s3_config *config, struct shf_error **error) {
    if (o->connect_timeout_ms > LARGEST_TIMEOUT_MS || o->read_timeout_ms > LARGEST_TIMEOUT_MS ||
        o->max_attempts > LARGEST_MAX_ATTEMPTS || o->addressing > SHF_ADDRESSING_VIRTUAL) {
        return shf_error_set(
            error, SHF_E_INVALID,
            "an S3 option is out of range: time-outs up to a day, max_attempts up to %u, a known addressing",
            LARGEST_MAX_ATTEMPTS);
    }
    config->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    config->read_timeout_ms = o->read_timeout_ms ? o->read_timeout_ms : DEFAULT_READ_TIMEOUT_MS;
    config->max_attempts = o->max_attempts ? o->max_attempts : DEFAULT_MAX_ATTEMPTS;
    config->insecure_skip_verify = o->insecure_skip_verify != 0;
    return SHF_OK;
}

static shf_status find_place(const char *bucket, const shf_s3_options *o, const struct shf_aws_profile *profile,
                             struct shf_s3_config *config, struct shf_error **error) {
    const char *endpoint = given(o->endpoint_url), *region = given(o->region), *bundle = given(o->ca_bundle);
    if (!endpoint) endpoint = FIRST_OF("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "SLATEDB_S3_ENDPOINT_URL");
    if (!endpoint) endpoint = profile->endpoint_url;
    if (!region) region = FIRST_OF("S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION");
    if (!region) region = profile->region ? profile->region : "us-east-1";
    if (!bundle) bundle = environment("AWS_CA_BUNDLE");
    if (!bundle) bundle = profile->ca_bundle;
    shf_status status = set_endpoint(config, endpoint, error);
    if (!status) status = set_region(config, region, error);
    if (!status && !copy(&config->ca_bundle, bundle)) status = no_memory(error);
    if (status) return status;
    /* A certificate of AWS does not fit a bucket with dots, and capitals and _ can not be in a host name: into the path. */
    bool fits_host = strspn(bucket, lower_and_digits) == strlen(bucket);
    uint32_t addressing = o->addressing ? o->addressing : profile->addressing;
    config->virtual_host =
        addressing == SHF_ADDRESSING_VIRTUAL || (addressing == SHF_ADDRESSING_AUTO && !config->endpoint && fits_host);
    return SHF_OK;
}

/* ---- as whom ---- */

struct source {
    enum shf_s3_key_source kind;
    const char *name; /* for messages */
    const char *id, *secret, *token, *process;
};

bool shf_s3_is_header_text(const char *text) {
    if (!text || !*text) return false;
    while (*text > ' ' && *text < 0x7f) text++;
    return *text == '\0';
}

static shf_status take_source(const struct source *source, const struct shf_aws_profile *profile,
                              struct shf_s3_config *config, struct shf_error **error) {
    if (!source->process && (!source->id || !source->secret)) {
        return shf_error_set(error, SHF_E_ACCESS,
                             "%s: one of access key id and secret access key is missing; give both or none",
                             source->name);
    }
    if ((source->id && !shf_s3_is_header_text(source->id)) || (source->token && !shf_s3_is_header_text(source->token))) {
        return shf_error_set(error, SHF_E_ACCESS,
                             "%s: the access key id or the session token has characters that none has; look for blanks "
                             "and line ends",
                             source->name);
    }
    config->key_source = source->kind;
    bool ok = copy(&config->access_key_id, source->id) && copy(&config->secret_access_key, source->secret) &&
              copy(&config->session_token, source->token) && copy(&config->credential_process, source->process);
    if (source->kind == SHF_S3_KEYS_FILE || source->kind == SHF_S3_KEYS_PROCESS) {
        ok = ok && copy(&config->profile, profile->name);
    }
    return ok ? SHF_OK : no_memory(error);
}

static shf_status find_keys(const shf_s3_options *o, const struct shf_aws_profile *profile, const char *file_problem,
                            struct shf_s3_config *config, struct shf_error **error) {
    const struct shf_aws_keys *shared = &profile->credentials, *other = &profile->config;
    const struct source sources[] = {
        {SHF_S3_KEYS_OPTIONS, "the options", given(o->access_key_id), given(o->secret_access_key),
         given(o->session_token), NULL},
        {SHF_S3_KEYS_ENVIRONMENT, "environment S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY", environment("S3_ACCESS_KEY_ID"),
         environment("S3_SECRET_ACCESS_KEY"), environment("S3_SESSION_TOKEN"), NULL},
        {SHF_S3_KEYS_ENVIRONMENT, "environment AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
         environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN"), NULL},
        {SHF_S3_KEYS_FILE, "the AWS credentials file", shared->access_key_id, shared->secret_access_key,
         shared->session_token, NULL},
        {SHF_S3_KEYS_PROCESS, "credential_process", NULL, NULL, NULL, profile->credential_process},
        {SHF_S3_KEYS_FILE, "the AWS config file", other->access_key_id, other->secret_access_key, other->session_token,
         NULL},
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (sources[i].id || sources[i].secret || sources[i].process) {
            return take_source(&sources[i], profile, config, error);
        }
    }
    return shf_error_set(
        error, SHF_E_ACCESS,
        "no credentials; tried the options, the environment (S3_ACCESS_KEY_ID, AWS_ACCESS_KEY_ID) and profile "
        "%s of the AWS files (%s)%s%s. Web identity, container and instance credentials are not read by "
        "this version. Give keys, or ask for anonymous access",
        profile->name ? profile->name : "default",
        file_problem         ? file_problem
        : profile->looked_at ? profile->looked_at
                             : "HOME is not set",
        profile->unread ? "; not read here: its " : "", profile->unread ? profile->unread : "");
}

static shf_status fill(const char *bucket, const shf_s3_options *o, const struct shf_aws_profile *profile,
                       const char *file_problem, struct shf_s3_config *config, struct shf_error **error) {
    shf_status status = check_bucket(bucket, error);
    if (!status) status = check_numbers(o, config, error);
    if (!status) status = find_place(bucket, o, profile, config, error);
    if (status || o->anonymous) return status;
    return find_keys(o, profile, file_problem, config, error);
}

/* Files that can not be read matter only to who names a profile, or finds no keys elsewhere. */
shf_status shf_s3_config_read(const char *bucket, const shf_s3_options *options, struct shf_s3_config *out,
                              struct shf_error **error) {
    shf_s3_options none;
    struct shf_s3_config config = {0};
    struct shf_aws_profile profile = {0};
    struct shf_error *file_error = NULL;
    SHF_INIT(&none);
    const shf_s3_options *o = options ? options : &none;
    shf_status status = shf_aws_profile_read(given(o->profile), &profile, &file_error);
    if (status == SHF_E_ACCESS && !given(o->profile) && !environment("AWS_PROFILE")) status = SHF_OK;
    if (status) {
        (void)shf_error_set(error, status, "%s", shf_error_message(file_error));
    } else {
        status = fill(bucket, o, &profile, file_error ? shf_error_message(file_error) : NULL, &config, error);
    }
    shf_error_free(file_error);
    shf_aws_profile_free(&profile);
    if (status) {
        shf_s3_config_free(&config);
    } else {
        *out = config;
    }
    return status;
}
