/* One profile of the AWS shared config and credentials files. Reading blocks on files: workers only. */
#ifndef SHF_IO_AWS_PROFILE_H
#define SHF_IO_AWS_PROFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct shf_aws_keys {
    char *access_key_id, *secret_access_key, *session_token;
};

struct shf_aws_profile {
    char *name;
    struct shf_aws_keys config, credentials; /* as each file has them: the three are never mixed */
    /* The credentials file wins where both say something. */
    char *region, *endpoint_url, *credential_process, *ca_bundle;
    uint32_t addressing; /* SHF_ADDRESSING_* */
    char *unread;        /* a setting that names credentials of a kind that is not read here (role_arn ...), or NULL */
    char *looked_at;     /* which files, for messages */
};

/*
 * name NULL = AWS_PROFILE, else "default". Files: AWS_CONFIG_FILE, else ~/.aws/config; AWS_SHARED_CREDENTIALS_FILE, else
 * ~/.aws/credentials. A file that is not there is empty; a profile that was asked for by name and is in neither is
 * SHF_E_INVALID; a file that can not be read or is no text SHF_E_ACCESS. On failure *out holds nothing.
 */
shf_status shf_aws_profile_read(const char *name, struct shf_aws_profile *out, struct shf_error **error);
void shf_aws_profile_free(struct shf_aws_profile *profile);

/*
 * The text of one file (`size` bytes and a NUL behind them), for the reader above and for tests: is_config says how
 * sections are named ("profile NAME"). Adds to the profile; *found says whether the file has it. SHF_E_NO_MEMORY.
 */
shf_status shf_aws_profile_parse(const char *text, size_t size, bool is_config, struct shf_aws_profile *profile,
                                 bool *found, struct shf_error **error);

#endif
