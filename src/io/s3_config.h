/*
 * Where and as whom an s3:// store talks: options, then environment, then the AWS shared files (contract section 7).
 * Reading blocks on files: workers only. No network.
 */
#ifndef SHF_IO_S3_CONFIG_H
#define SHF_IO_S3_CONFIG_H

#include "base/error.h"
#include "shardyfusion/reader.h"

#include <stdbool.h>

struct shf_s3_config {
    char *endpoint;     /* "https://host[:port][/path]", no trailing slash; NULL = AWS */
    char *region;
    bool virtual_host;  /* bucket in the host name */
    char *ca_bundle;    /* or NULL */
    bool insecure_skip_verify, anonymous;
    uint32_t connect_timeout_ms, read_timeout_ms, max_attempts;
    /* credentials, as found; access_key_id NULL when a command gives them */
    char *access_key_id, *secret_access_key, *session_token;
    char *credential_process; /* command line from the profile, or NULL */
    char *tried;              /* sources that were looked at and had nothing, for the error message */
};

shf_status shf_s3_config_read(const char *bucket, const shf_s3_options *options, struct shf_s3_config *out,
                              struct shf_error **error);
void shf_s3_config_free(struct shf_s3_config *config);

#endif
