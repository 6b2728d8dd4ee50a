/*
 * Where and as whom an s3:// store talks: options, then environment, then the AWS shared files (see docs/manual.md).
 * Reading blocks on files. No network.
 */
#ifndef SHF_IO_S3_CONFIG_H
#define SHF_IO_S3_CONFIG_H

#include "base/error.h"
#include "shardyfusion/reader.h"

#include <stdbool.h>

enum shf_s3_key_source {
    SHF_S3_KEYS_NONE, /* anonymous */
    SHF_S3_KEYS_OPTIONS,
    SHF_S3_KEYS_ENVIRONMENT,
    SHF_S3_KEYS_FILE,    /* an AWS shared file: read again when the server calls them expired */
    SHF_S3_KEYS_PROCESS, /* a command of the profile prints them */
};

struct shf_s3_config {
    char *endpoint; /* "https://host[:port][/path]", no trailing slash; NULL = AWS */
    char *region;
    bool virtual_host; /* bucket in the host name */
    char *ca_bundle;   /* or NULL */
    bool insecure_skip_verify;
    uint32_t connect_timeout_ms, read_timeout_ms, max_attempts;

    enum shf_s3_key_source key_source;
    char *access_key_id, *secret_access_key, *session_token; /* token NULL = none; all NULL for PROCESS and NONE */
    char *credential_process;                                /* PROCESS */
    char *profile;                                           /* FILE and PROCESS: name of the profile */
};

/* SHF_E_INVALID; SHF_E_ACCESS when no credentials are found (the message lists where they were looked for). */
shf_status shf_s3_config_read(const char *bucket, const shf_s3_options *options, struct shf_s3_config *out,
                              struct shf_error **error);
void shf_s3_config_free(struct shf_s3_config *config);

/* Host of AWS for a region: "s3.eu-west-1.amazonaws.com". NULL without memory; the caller's to shf_free. */
char *shf_s3_aws_host(const char *region);
/* Whether it can be put into a host name. */
bool shf_s3_region_is_plain(const char *region);
/* Printable ASCII without blanks, and not empty: it can become part of a header. */
bool shf_s3_is_header_text(const char *text);

#endif
